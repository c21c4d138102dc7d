"""Trace the lines of a grid on its canvas, where they are almost level."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import FloatImage, Mask
from skdigits.images._grid_lines import MARGIN, Lines, measure_lines

# Lines are thinner than this, and have ink in averages of this length along them, in
# pixels of the canvas.
_MAX_WIDTH = 40
_LENGTH = 22

# Minimum amount of ink in these averages, and its minimum relative to the median.
_MIN_INK = 0.02
_MIN_SIGNAL_TO_NOISE = 2.5

# Lines are traced through this many strips across the canvas, from one to the next by
# at most this many pixels; each pixel costs this share of ink.
_STRIPS = 48
_MAX_STEP = 2
_STEP_COST = 0.02

# A strip shows a line if it covers this share of it.
_MIN_COVER = 0.5

# Lines are possible if this share of their strips shows them. Those that are shown by
# the second share are curves, others straight.
_POSSIBLE = 0.3
_LONG = 0.75

# Hand-drawn lines are followed up to this many pixels from their curve.
_MAX_WOBBLE = 6

# Minimum distance between lines, and maximum distance of lines outside of the corners
# of a grid, in pixels of the canvas.
_MIN_DISTANCE = 8
_OUTSIDE = 15


def trace_lines(ink: FloatImage) -> Lines:
    """Trace lines from left to right of a canvas, from top to bottom."""
    height, width = ink.shape
    # Averages along a line show it below the noise.
    minimum = max(_MIN_INK, _MIN_SIGNAL_TO_NOISE * float(np.median(_ridges(ink))))
    # Cap the ink: short dark strokes are not lines.
    runs = _ridges(np.clip(ink, -2 * minimum, 2 * minimum)) > minimum
    edges = np.linspace(0, width, _STRIPS + 1).astype(int)
    sums = np.add.reduceat(runs, edges[:-1], axis=1, dtype=np.float32)
    centres = (edges[1:] + edges[:-1]) / 2
    inset = MARGIN + _LENGTH // 2  # nearer to the ends, averages reach beyond the line
    on_lines = (centres > inset) & (centres < width - inset)
    if not on_lines.any():  # too short to distinguish lines from strokes
        return measure_lines(ink, [], [], minimum)
    strips = (sums / np.diff(edges)).T[on_lines]
    places = 2 * centres[on_lines] / width - 1
    curves, wobbles = [], []
    labels, _ = ndimage.label(strips > _MIN_COVER, [[0, 0, 0], [1, 1, 1], [0, 0, 0]])
    extents = np.array(
        [(0, 0)] + [(box[1].start, box[1].stop) for box in ndimage.find_objects(labels)]
    )
    while True:
        path = _best_path(strips)
        own = labels[np.arange(len(strips)), path]
        drawn = own > 0
        if drawn.mean() < _POSSIBLE:
            break
        starts, stops = np.where(drawn, extents[own].T, [path, path + 1])
        rows = (starts + stops - 1) / 2
        if abs(np.median(rows) - height / 2) < height / 2 - MARGIN + _OUTSIDE:
            curve = _fit(places, rows, drawn, 4 if drawn.mean() >= _LONG else 2)
            off = rows - np.polyval(curve, places)
            off[~drawn | (np.abs(off) > _MAX_WOBBLE)] = 0
            off = ndimage.median_filter(off, 5)  # without strokes next to the line
            curves.append(curve)
            wobbles.append(np.interp(np.arange(width), centres[on_lines], off))
        y = np.arange(height)[:, None]
        taken = (y >= starts - _MIN_DISTANCE) & (y < stops + _MIN_DISTANCE)
        strips[taken.T] = labels[taken.T] = 0
    return measure_lines(ink, curves, wobbles, minimum)


def _fit(
    places: NDArray[np.float64], rows: NDArray[np.float64], drawn: Mask, terms: int
) -> NDArray[np.float64]:
    """Coefficients of a polynomial with a minimum sum of distances from rows.

    Distances are not squared, because some rows are those of strokes next to the line.
    """
    A = np.vander(places, terms)
    distances = np.zeros(len(rows))
    for _ in range(6):
        weights = np.where(drawn, 1, 1e-3) / np.sqrt(np.maximum(distances, 1))
        curve = np.linalg.lstsq(A * weights[:, None], rows * weights, rcond=None)[0]
        distances = np.abs(rows - A @ curve)
    return np.pad(curve, (4 - terms, 0))


def _ridges(ink: FloatImage) -> FloatImage:
    """Ink of lines of a minimum length, compared with that above and below."""
    runs = ndimage.uniform_filter1d(ink, _LENGTH, axis=1)
    ridges: FloatImage = runs - ndimage.grey_opening(runs, (_MAX_WIDTH, 1))
    return ridges


def _best_path(strips: FloatImage) -> NDArray[np.intp]:
    """The row in each strip of the path with the most ink."""
    steps = np.arange(-_MAX_STEP, _MAX_STEP + 1)
    costs = _STEP_COST * np.abs(steps)[:, None]
    padded = np.full(strips.shape[1] + 2 * _MAX_STEP, -np.inf)
    # Totals at each step from each row, of shape (n_steps, height).
    near = np.lib.stride_tricks.sliding_window_view(padded, strips.shape[1])
    total = strips[0]
    came = []
    for strip in strips[1:]:
        padded[_MAX_STEP:-_MAX_STEP] = total
        options = near - costs
        came.append(steps[options.argmax(axis=0)])
        total = options.max(axis=0) + strip
    path = [total.argmax()]
    for step in reversed(came):
        path.append(path[-1] + step[path[-1]])
    return np.array(path[::-1])
