"""Flatten a grid: the ink of its cells, without its lines."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import FloatImage, Mask
from skdigits.images._line_pixels import RuledLine, line_pixels
from skdigits.images._rectify import Points, sample

# Pixels of the longer side of a page, and the minimum of the shorter side of most
# cells. Enough for the reader, which shrinks digits to 20 pixels.
_MAX_PAGE = 1600
_MIN_CELL = 48

# Width of the window in which paper is visible, as a part of the typical cell. Ink is
# darker than paper by this share of its brightness, and by this many times the noise.
_WINDOW = 0.7
_MIN_INK = 0.06
_MIN_SIGNAL_TO_NOISE = 4

# Maximum thickness of a line, as a part of the typical cell. Rows of pixels of a line
# have ink in this share; this number of them, at its sides, has less, and is blurred.
_MAX_THICKNESS = 0.25
_MIN_COVER = 0.4
_BLUR = 2


@dataclass(frozen=True, eq=False)
class FlatTable:
    """A table without perspective and lines.

    `ink` is its ink, from 0 for paper to 1 for black, `mask` where that is not noise,
    and `rows` and `columns` are the places of the lines that were removed.
    """

    ink: FloatImage
    mask: Mask
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]


def cell_sides(crossings: Points) -> list[NDArray[np.float64]]:
    """The mean heights of the rows of a grid, and the mean widths of its columns."""
    return [
        np.linalg.norm(np.diff(crossings, axis=axis), axis=-1).mean(1 - axis)
        for axis in (0, 1)
    ]


def flatten(grey: FloatImage, crossings: Points) -> FlatTable:
    """Straighten the cells between the crossings of a grid, and remove its lines."""
    steps = cell_sides(crossings)
    usual = float(min(map(np.median, steps)))
    scale = max(1.0, _MIN_CELL / usual)
    scale = min(scale, _MAX_PAGE / max(step.sum() for step in steps))
    cell = scale * usual
    margin = round(cell / 4)
    rows, columns = (margin + scale * np.append(0, step.cumsum()) for step in steps)
    # Crossings with those around them, extrapolated from the outer cells.
    wide = np.pad(crossings, ((1, 1), (1, 1), (0, 0)), "reflect", reflect_type="odd")
    fractions = [
        np.interp(
            np.arange(round(places[-1]) + margin),
            np.pad(places, 1, "reflect", reflect_type="odd"),
            np.arange(len(places) + 2),
        )
        for places in (rows, columns)
    ]
    index = np.stack(np.meshgrid(*fractions, indexing="ij"))
    points = [
        ndimage.map_coordinates(wide[..., axis], index, order=1) for axis in (0, 1)
    ]
    ink, min_ink = _ink(sample(grey, np.stack(points, axis=-1)), cell)
    mask = ink > min_ink / 2
    lines = _level_lines(mask, rows, cell), _level_lines(mask.T, columns, cell)
    ink[ndimage.maximum_filter(line_pixels(ink, mask, *lines), 3)] = 0
    inside = tuple(slice(margin, round(places[-1])) for places in (rows, columns))
    own = np.zeros_like(ink)
    own[inside] = ink[inside]
    return FlatTable(own, own > min_ink, rows, columns)


def _ink(flat: FloatImage, cell: float) -> tuple[FloatImage, float]:
    """Ink of each pixel, and the minimum that is not noise."""
    size = 2 * round(_WINDOW * cell / 2) + 1
    smooth = ndimage.gaussian_filter(flat, 0.7)
    paper = ndimage.grey_closing(smooth, (size, size))
    paper = ndimage.uniform_filter(paper, size)
    ink = 1 - smooth / np.maximum(paper, 1 / 64)
    ink -= np.median(ink)
    noise = 1.5 * np.median(np.abs(ink))
    return np.clip(ink, 0, 1), max(_MIN_INK, _MIN_SIGNAL_TO_NOISE * float(noise))


def _level_lines(mask: Mask, rows: NDArray[np.float64], cell: float) -> list[RuledLine]:
    """Lines from left to right at these rows."""
    reach = round(_MAX_THICKNESS * cell / 2)
    cover = np.pad(mask.mean(axis=1) > _MIN_COVER, reach)
    lines = []
    for row in rows:
        near = cover[round(row) : round(row) + 2 * reach + 1]
        thickness = float(np.count_nonzero(near)) + _BLUR
        lines.append(RuledLine(np.full(mask.shape[1], row), thickness))
    return lines
