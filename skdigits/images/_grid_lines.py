"""Trace the lines of a grid on its canvas, where they are almost level."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import FloatImage, Mask

# Longer side of the canvas to which a grid is rectified, in pixels, and the margin
# around it, as a part of the longer side.
CANVAS = 900
MARGIN = 0.04

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

# A line is certain if this share of its strips shows it, and possible, if the number of
# lines is known, with the second share.
CERTAIN = 0.75
_POSSIBLE = 0.3

# Minimum distance between lines, and maximum distance of lines outside of the corners
# of a grid, in pixels of the canvas.
_MIN_DISTANCE = 8
_OUTSIDE = 15


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines from left to right of a canvas, in order.

    Attributes
    ----------
    curves : ndarray of float of shape (n_lines, n_terms)
        Coefficients of polynomials of the place along the canvas, in [-1, 1].
    cover : ndarray of float of shape (n_lines,)
        Share of ink along each line.
    """

    curves: NDArray[np.float64]
    cover: NDArray[np.float64]

    def at(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Position of each line at its own places, of shape (n_lines, n_places)."""
        powers = np.arange(self.curves.shape[1])[::-1]
        result: NDArray[np.float64] = (
            self.curves[:, None] * places[..., None] ** powers
        ).sum(axis=-1)
        return result

    def only(self, chosen: Mask) -> "Lines":
        """A part of the lines."""
        return Lines(self.curves[chosen], self.cover[chosen])


def trace_lines(ink: FloatImage) -> Lines:
    """Trace lines from left to right of a canvas, from top to bottom."""
    height, width = ink.shape
    # Averages along a line show it below the noise.
    ridges = _ridges(ink)
    minimum = max(_MIN_INK, _MIN_SIGNAL_TO_NOISE * float(np.median(ridges)))
    # Cap the ink: short dark strokes are not lines.
    ridges = _ridges(np.clip(ink, -2 * minimum, 2 * minimum))
    runs = (ridges > minimum).astype(np.float32)
    edges = np.linspace(0, width, _STRIPS + 1).astype(int)
    margin = round(MARGIN * CANVAS)
    strips = np.stack([runs[:, a:b].mean(axis=1) for a, b in pairwise(edges)])
    centres = (edges[1:] + edges[:-1]) / 2
    inset = margin + _LENGTH // 2  # nearer to the ends, averages reach beyond the line
    on_lines = (centres > inset) & (centres < width - inset)
    if not on_lines.any():  # too short to tell lines from strokes
        return Lines(np.empty((0, 4)), np.empty(0))
    strips, centres = strips[on_lines], centres[on_lines]
    across = [[0, 0, 0], [1, 1, 1], [0, 0, 0]]
    labels, _ = ndimage.label(strips > _MIN_COVER, across)
    extents = np.array(
        [(0, 0)] + [(box[1].start, box[1].stop) for box in ndimage.find_objects(labels)]
    )
    every = np.arange(len(strips))
    # Lines reach the border of the grid, other than strokes in a table of one row.
    ends = max(1, len(strips) // 12)
    found: list[tuple[float, NDArray[np.float64], float]] = []
    while True:
        path = _best_path(strips)
        own = labels[every, path]
        share = float((own > 0).mean())
        if share < _POSSIBLE:
            break
        starts, stops = extents[own].T
        rows = np.where(own > 0, (starts + stops - 1) / 2, path)
        terms = 4 if share >= CERTAIN else 2
        A = np.vander(2 * centres / width - 1, terms)
        weights = np.where(own > 0, 1, 1e-3)[:, None]
        curve = np.linalg.lstsq(A * weights, rows * weights[:, 0], rcond=None)[0]
        middle = float(np.median(rows))
        inside = abs(middle - height / 2) < height / 2 - margin + _OUTSIDE
        if inside and (own[:ends].any() or own[-ends:].any()):
            found.append((middle, np.pad(curve, (4 - terms, 0)), share))
        starts = np.where(own > 0, starts, path) - _MIN_DISTANCE
        stops = np.where(own > 0, stops, path) + _MIN_DISTANCE
        y = np.arange(height)
        near = (y >= starts[:, None]) & (y < stops[:, None])
        strips[near] = 0
        labels[near] = 0
    found.sort(key=lambda line: line[0])
    curves = np.array([curve for _, curve, _ in found]).reshape(-1, 4)
    return Lines(curves, np.array([cover for *_, cover in found]))


def _ridges(ink: FloatImage) -> FloatImage:
    """Ink of lines of a minimum length, compared with that above and below."""
    runs = ndimage.uniform_filter1d(ink, _LENGTH, axis=1)
    ridges: FloatImage = runs - ndimage.grey_opening(runs, (_MAX_WIDTH, 1))
    return ridges


def _best_path(strips: FloatImage) -> NDArray[np.intp]:
    """The row in each strip of the path with the most ink."""
    steps = np.arange(-_MAX_STEP, _MAX_STEP + 1)
    total = strips[0]
    came = []
    for strip in strips[1:]:
        padded = np.pad(total, _MAX_STEP, constant_values=-np.inf)
        options = np.lib.stride_tricks.sliding_window_view(padded, len(steps))
        options = options - _STEP_COST * np.abs(steps)
        best = options.argmax(axis=1)
        came.append(steps[best])
        total = options.max(axis=1) + strip
    path = [total.argmax()]
    for step in reversed(came):
        path.append(path[-1] + step[path[-1]])
    return np.array(path[::-1])
