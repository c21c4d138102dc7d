"""Lines of a grid on its canvas, and where they are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import FloatImage, Mask

# Longer side of the canvas to which a grid is rectified, in pixels, and the margin
# around it.
CANVAS = 900
MARGIN = 90

# Averages along a line show where it is interrupted: over the shortest of these
# lengths, in pixels, at which the ink of most lines is this many times the noise.
_SHORT_LENGTHS = 1, 3, 7
_MIN_TIMES_NOISE = 6

# A line is interrupted where it has less than this share of its usual ink, which counts
# up to this multiple of the minimum: between thick lines, others are fainter.
_MIN_SHARE, _MAX_USUAL = 0.35, 4

# The thickness of lines is measured up to this many pixels from their middle.
_MAX_HALF = 12


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines from left to right of a canvas, in order.

    Each has a row of `curves`, the coefficients of a polynomial of the place along the
    canvas in [-1, 1], and of `shown`, whether there is ink at each pixel along it.
    `widths` are their thickness in pixels.
    """

    curves: NDArray[np.float64]
    shown: Mask
    widths: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.curves)

    def at(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Position of each line at its own pixels, of shape (n_lines, n_pixels)."""
        places = 2 * places / self.shown.shape[1] - 1
        return np.asarray(np.polyval(self.curves.T[..., None], places), dtype=float)

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

        `ends` are the crossings, in pixels, of shape (n_lines, n_ends), and `widths`
        the thickness of the lines across.
        """
        sums: NDArray[np.intp] = np.pad(self.shown.cumsum(axis=1), ((0, 0), (1, 0)))
        hidden = np.diff(ends) / 4  # at most, at each end
        starts = ends[:, :-1] + np.minimum(widths[:-1] / 2 + 1, hidden)
        stops = ends[:, 1:] - np.minimum(widths[1:] / 2 + 1, hidden)
        first, last = (
            np.clip(np.rint(places), 0, self.shown.shape[1]).astype(int)
            for places in (starts, stops)
        )
        shown = np.take_along_axis(sums, last, 1) - np.take_along_axis(sums, first, 1)
        # Negative where lines across cross each other.
        return np.asarray(np.maximum(shown, 0) / np.maximum(last - first, 1))


def merge(parts: list[Lines]) -> Lines:
    """Lines of several origins as one, in order."""
    lines = Lines(
        np.concatenate([part.curves for part in parts]),
        np.concatenate([part.shown for part in parts]),
        np.concatenate([part.widths for part in parts]),
    )
    return lines.only(np.argsort(lines.middles(), kind="stable"))


def measure_lines(
    ink: FloatImage,
    curves: Sequence[NDArray[np.float64]],
    wobbles: Sequence[NDArray[np.float64]],
    minimum: float,
) -> Lines:
    """Lines at a distance from their curves, and where they have a minimum of ink."""
    height, width = ink.shape
    x = np.arange(width)
    coefficients = np.reshape(curves, (-1, 4))
    middles = coefficients @ np.vander(2 * x / width - 1, 4).T
    middles += np.reshape(wobbles, (-1, width))
    rows = np.clip(np.rint(middles), 0, height - 1).astype(int)
    noise = 1.5 * np.median(np.abs(ink))
    for length in _SHORT_LENGTHS:
        short = ndimage.uniform_filter1d(ink, length, axis=1)
        values = ndimage.maximum_filter1d(short, 5, axis=0)[rows, x]
        typical = np.quantile(values[:, MARGIN:-MARGIN], 0.75, axis=1, keepdims=True)
        clear = typical > _MIN_TIMES_NOISE * noise / length**0.5
        if np.count_nonzero(clear) >= len(clear) / 2:
            break
    usual = np.minimum(typical, _MAX_USUAL * minimum)
    shown = values >= np.maximum(_MIN_SHARE * usual, minimum / 2)
    near = np.arange(-_MAX_HALF, _MAX_HALF + 1)[:, None]
    widths = np.zeros(len(rows))
    for index, along in enumerate(map(np.flatnonzero, shown)):
        if len(along):
            across = np.clip(rows[index, along] + near, 0, height - 1)
            profile = np.median(ink[across, along], axis=1)
            widths[index] = np.count_nonzero(profile > profile.max() / 2)
    return merge([Lines(coefficients, shown, widths)])
