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
MARGIN = 0.1

# Lines are thinner than this, and have ink in averages of this length along them, in
# pixels of the canvas. Shorter averages show where a line is interrupted.
_MAX_WIDTH = 40
_LENGTH = 22
_SHORT_LENGTH = 7

# Minimum amount of ink in these averages, and its minimum relative to the median.
_MIN_INK = 0.02
_MIN_SIGNAL_TO_NOISE = 2.5

# A line is interrupted where it has less than this share of its usual ink.
_MIN_SHARE = 0.35

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

# Minimum distance between lines, and maximum distance of lines outside of the corners
# of a grid, in pixels of the canvas.
MIN_DISTANCE = 8
_OUTSIDE = 15


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines from left to right of a canvas, in order.

    Attributes
    ----------
    curves : ndarray of float of shape (n_lines, n_terms)
        Coefficients of polynomials of the place along the canvas, in [-1, 1].
    shown : ndarray of bool of shape (n_lines, width)
        Whether there is ink at each pixel along each line.
    """

    curves: NDArray[np.float64]
    shown: Mask

    def __len__(self) -> int:
        return len(self.curves)

    def at(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Position of each line at its own pixels, of shape (n_lines, n_pixels)."""
        powers = np.arange(self.curves.shape[1])[::-1]
        places = 2 * places / self.shown.shape[1] - 1
        result: NDArray[np.float64] = (
            self.curves[:, None] * places[..., None] ** powers
        ).sum(axis=-1)
        return result

    def only(self, chosen: NDArray[np.generic]) -> "Lines":
        """A part of the lines."""
        return Lines(self.curves[chosen], self.shown[chosen])

    def covers(self, ends: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of each line that is shown between its crossings.

        `ends` are the crossings, in pixels of the canvas, of shape (n_lines, n_ends).
        The result is of shape (n_lines, n_ends - 1).
        """
        sums = np.pad(np.cumsum(self.shown, axis=1), ((0, 0), (1, 0)))
        places = np.clip(np.rint(ends), 0, self.shown.shape[1]).astype(int)
        shown = np.diff(np.take_along_axis(sums, places, axis=1), axis=1)
        covers: NDArray[np.float64] = shown / np.maximum(np.diff(places, axis=1), 1)
        return covers


def trace_lines(ink: FloatImage) -> Lines:
    """Trace lines from left to right of a canvas, from top to bottom."""
    height, width = ink.shape
    # Averages along a line show it below the noise.
    ridges = _ridges(ink)
    minimum = max(_MIN_INK, _MIN_SIGNAL_TO_NOISE * float(np.median(ridges)))
    # Cap the ink: short dark strokes are not lines.
    capped = np.clip(ink, -2 * minimum, 2 * minimum)
    runs = (_ridges(capped) > minimum).astype(np.float32)
    edges = np.linspace(0, width, _STRIPS + 1).astype(int)
    margin = round(MARGIN * CANVAS)
    strips = np.stack([runs[:, a:b].mean(axis=1) for a, b in pairwise(edges)])
    centres = (edges[1:] + edges[:-1]) / 2
    inset = margin + _LENGTH // 2  # nearer to the ends, averages reach beyond the line
    on_lines = (centres > inset) & (centres < width - inset)
    if not on_lines.any():  # too short to tell lines from strokes
        return Lines(np.empty((0, 4)), np.empty((0, width), dtype=bool))
    strips, centres = strips[on_lines], centres[on_lines]
    across = [[0, 0, 0], [1, 1, 1], [0, 0, 0]]
    labels, _ = ndimage.label(strips > _MIN_COVER, across)
    extents = np.array(
        [(0, 0)] + [(box[1].start, box[1].stop) for box in ndimage.find_objects(labels)]
    )
    every = np.arange(len(strips))
    found: list[tuple[float, NDArray[np.float64]]] = []
    while True:
        path = _best_path(strips)
        own = labels[every, path]
        share = float((own > 0).mean())
        if share < _POSSIBLE:
            break
        starts, stops = extents[own].T
        rows = np.where(own > 0, (starts + stops - 1) / 2, path)
        terms = 4 if share >= _LONG else 2
        A = np.vander(2 * centres / width - 1, terms)
        near = own > 0
        for _ in range(2):  # the second time without strokes next to the line
            weights = np.where(near, 1, 1e-3)[:, None]
            curve = np.linalg.lstsq(A * weights, rows * weights[:, 0], rcond=None)[0]
            near &= np.abs(rows - A @ curve) <= _MAX_STEP
        middle = float(np.median(rows))
        inside = abs(middle - height / 2) < height / 2 - margin + _OUTSIDE
        if inside:
            found.append((middle, np.pad(curve, (4 - terms, 0))))
        starts = np.where(own > 0, starts, path) - MIN_DISTANCE
        stops = np.where(own > 0, stops, path) + MIN_DISTANCE
        y = np.arange(height)
        taken = (y >= starts[:, None]) & (y < stops[:, None])
        strips[taken] = 0
        labels[taken] = 0
    found.sort(key=lambda line: line[0])
    lines = Lines(
        np.array([curve for _, curve in found]).reshape(-1, 4),
        np.empty((len(found), width), dtype=bool),
    )
    # Strokes that cross a line do not interrupt it.
    short = ndimage.uniform_filter1d(capped, _SHORT_LENGTH, axis=1)
    short = ndimage.maximum_filter1d(short, 5, axis=0)
    x = np.broadcast_to(np.arange(width), lines.shown.shape)
    rows = np.clip(np.rint(lines.at(x.astype(float))), 0, height - 1).astype(int)
    values = short[rows, x]
    typical = np.quantile(values[:, margin:-margin], 0.85, axis=1, keepdims=True)
    lines.shown[:] = values >= np.maximum(_MIN_SHARE * typical, minimum / 2)
    return lines


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
