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
# pixels of the canvas.
_MAX_WIDTH = 40
_LENGTH = 22

# Shorter averages show where a line is interrupted: the shortest of these lengths at
# which the ink of most lines is this many times the noise.
_SHORT_LENGTHS = 1, 3, 7
_MIN_TIMES_NOISE = 6

# Hand-drawn lines are followed up to this many pixels from their curve.
_MAX_WOBBLE = 6

# The thickness of lines is measured up to this many pixels from their middle.
_MAX_HALF = 12

# Minimum amount of ink in these averages, and its minimum relative to the median.
_MIN_INK = 0.02
_MIN_SIGNAL_TO_NOISE = 2.5

# A line is interrupted where it has less than this share of its usual ink, which counts
# up to this multiple of the minimum: between thick lines, others are fainter.
_MIN_SHARE, _MAX_USUAL = 0.35, 4

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
    widths : ndarray of float of shape (n_lines,)
        Their thickness in pixels.
    """

    curves: NDArray[np.float64]
    shown: Mask
    widths: NDArray[np.float64]

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
        return Lines(self.curves[chosen], self.shown[chosen], self.widths[chosen])

    def middles(self) -> NDArray[np.float64]:
        """Position of each line in the middle of the canvas."""
        return self.at(np.full((len(self), 1), self.shown.shape[1] / 2))[:, 0]

    def merged(self, certain: "Lines", max_distance: float) -> "Lines":
        """The lines, with certain ones within a distance of each other as one.

        Lines that are not certain are removed within this distance.
        """
        places = certain.middles()
        first = np.flatnonzero(np.diff(places, prepend=-np.inf) > max_distance)
        number = np.diff(np.append(first, len(certain)))
        last = first + number - 1
        extents = places[last] - places[first]
        single = Lines(
            np.add.reduceat(certain.curves, first) / number[:, None],
            np.logical_or.reduceat(certain.shown, first),
            extents + (certain.widths[first] + certain.widths[last]) / 2,
        )
        far = abs(self.middles()[:, None] - places).min(axis=1) > max_distance
        return merge([single, self.only(far)])

    def covers(
        self, ends: NDArray[np.float64], widths: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Share of each line that is shown between the lines that cross it.

        `ends` are the crossings, in pixels of the canvas, of shape (n_lines, n_ends),
        and `widths` the thickness of the lines across. The result is of shape
        (n_lines, n_ends - 1).
        """
        sums: NDArray[np.intp] = np.pad(np.cumsum(self.shown, axis=1), ((0, 0), (1, 0)))
        hidden = np.diff(ends) / 4  # at most, at each end
        starts = ends[:, :-1] + np.minimum(widths[:-1] / 2 + 1, hidden)
        stops = ends[:, 1:] - np.minimum(widths[1:] / 2 + 1, hidden)
        first, last = (
            np.clip(np.rint(places), 0, self.shown.shape[1]).astype(int)
            for places in (starts, stops)
        )
        shown = np.take_along_axis(sums, last, 1) - np.take_along_axis(sums, first, 1)
        # Negative where lines across cross each other.
        covers: NDArray[np.float64] = np.maximum(shown, 0) / np.maximum(last - first, 1)
        return covers


def merge(parts: list[Lines]) -> Lines:
    """Lines of several origins as one, in order."""
    lines = Lines(
        np.concatenate([part.curves for part in parts]),
        np.concatenate([part.shown for part in parts]),
        np.concatenate([part.widths for part in parts]),
    )
    return lines.only(np.argsort(lines.middles(), kind="stable"))


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
        return Lines(np.empty((0, 4)), np.empty((0, width), dtype=bool), np.empty(0))
    strips, centres = strips[on_lines], centres[on_lines]
    across = [[0, 0, 0], [1, 1, 1], [0, 0, 0]]
    labels, _ = ndimage.label(strips > _MIN_COVER, across)
    extents = np.array(
        [(0, 0)] + [(box[1].start, box[1].stop) for box in ndimage.find_objects(labels)]
    )
    every = np.arange(len(strips))
    found = []
    while True:
        path = _best_path(strips)
        own = labels[every, path]
        share = float((own > 0).mean())
        if share < _POSSIBLE:
            break
        starts, stops = extents[own].T
        rows = np.where(own > 0, (starts + stops - 1) / 2, path)
        middle = float(np.median(rows))
        if abs(middle - height / 2) < height / 2 - margin + _OUTSIDE:
            places = 2 * centres / width - 1
            curve = _fit(places, rows, own > 0, 4 if share >= _LONG else 2)
            off = rows - np.polyval(curve, places)
            off[(own == 0) | (np.abs(off) > _MAX_WOBBLE)] = 0
            off = ndimage.median_filter(off, 5)  # without strokes next to the line
            found.append((middle, curve, np.interp(np.arange(width), centres, off)))
        starts = np.where(own > 0, starts, path) - MIN_DISTANCE
        stops = np.where(own > 0, stops, path) + MIN_DISTANCE
        y = np.arange(height)
        taken = (y >= starts[:, None]) & (y < stops[:, None])
        strips[taken] = 0
        labels[taken] = 0
    found.sort(key=lambda line: line[0])
    curves = np.array([curve for _, curve, _ in found]).reshape(-1, 4)
    wobbles = np.array([off for _, _, off in found]).reshape(-1, width)
    return _measure(ink, curves, wobbles, minimum)


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


def _measure(
    ink: FloatImage,
    curves: NDArray[np.float64],
    wobbles: NDArray[np.float64],
    minimum: float,
) -> Lines:
    """Where lines are shown, and their thickness."""
    height, width = ink.shape
    inner = slice(round(MARGIN * CANVAS), -round(MARGIN * CANVAS))
    x = np.arange(width)
    powers = np.vander(2 * x / width - 1, curves.shape[1])
    rows = np.clip(np.rint(curves @ powers.T + wobbles), 0, height - 1).astype(int)
    noise = 1.5 * np.median(np.abs(ink))
    for length in _SHORT_LENGTHS:
        short = ndimage.uniform_filter1d(ink, length, axis=1)
        values = ndimage.maximum_filter1d(short, 5, axis=0)[rows, x]
        typical = np.quantile(values[:, inner], 0.75, axis=1, keepdims=True)
        clear = typical > _MIN_TIMES_NOISE * noise / length**0.5
        if np.count_nonzero(clear) >= len(clear) / 2:
            break
    usual = np.minimum(typical, _MAX_USUAL * minimum)
    shown = values >= np.maximum(_MIN_SHARE * usual, minimum / 2)
    near = np.arange(-_MAX_HALF, _MAX_HALF + 1)[:, None]
    widths = np.zeros(len(curves))
    for index in np.flatnonzero(shown.any(axis=1)):
        along = np.flatnonzero(shown[index])
        profile = np.median(
            ink[np.clip(rows[index, along] + near, 0, height - 1), along], axis=1
        )
        widths[index] = np.count_nonzero(profile > profile.max() / 2)
    return Lines(curves, shown, widths)


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
