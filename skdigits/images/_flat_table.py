"""Flatten a grid: its image with straight lines, and its page without them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import FloatImage, Mask
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

# Maximum thickness of a line, as a part of the typical cell, and pixels on each side of
# it that are blurred.
_MAX_THICKNESS = 0.25
_BLUR = 2


@dataclass(frozen=True, eq=False)
class FlatTable:
    """A table without perspective and lines.

    Attributes
    ----------
    page : ndarray of float32 of shape (height, width)
        Its ink on white paper: 1 for paper to 0 for black.
    mask : ndarray of bool of shape (height, width)
        Where there is ink that is not part of a line.
    rows, columns : ndarray of float
        Places of the lines, with the outer ones.
    """

    page: FloatImage
    mask: Mask
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]


def flatten(grey: FloatImage, crossings: Points) -> FlatTable:
    """Straighten the cells between the crossings of a grid, and remove its lines."""
    rows, columns = _places(crossings)
    cell = float(min(np.median(np.diff(rows)), np.median(np.diff(columns))))
    margin = round(cell / 4)
    height, width = round(rows[-1]) + 2 * margin, round(columns[-1]) + 2 * margin
    # Crossings with the margin around them, extrapolated from the outer cells.
    y, x = _fractions(rows, height, margin), _fractions(columns, width, margin)
    wide = _extrapolate(_extrapolate(crossings, 0), 1)
    index = np.stack(np.meshgrid(y + 1, x + 1, indexing="ij"))
    points = np.stack(
        [ndimage.map_coordinates(wide[..., axis], index, order=1) for axis in (0, 1)],
        axis=-1,
    )
    flat = sample(grey, points)
    ink, min_ink = _ink(flat, cell)
    rows, columns = rows + margin, columns + margin
    lines = _lines(ink, min_ink, rows, columns, cell)
    outside = np.ones(ink.shape, dtype=bool)
    outside[
        round(rows[0]) : round(rows[-1]), round(columns[0]) : round(columns[-1])
    ] = 0
    ink[lines | outside] = 0
    return FlatTable(1 - ink, ink > min_ink, rows, columns)


def _places(crossings: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places of the lines of the page, in pixels from the first."""
    steps = [
        np.linalg.norm(np.diff(crossings, axis=axis), axis=-1).mean(1 - axis)
        for axis in (0, 1)
    ]
    rows, columns = (np.append(0, np.cumsum(step)) for step in steps)
    scale = max(1.0, _MIN_CELL / min(np.median(step) for step in steps))
    scale = min(scale, _MAX_PAGE / max(rows[-1], columns[-1]))
    return rows * scale, columns * scale


def _fractions(
    places: NDArray[np.float64], size: int, margin: int
) -> NDArray[np.float64]:
    """Index of the line at each pixel, with fractions between lines."""
    pixels = np.arange(size) - margin
    step_before, step_after = places[1] - places[0], places[-1] - places[-2]
    wide = [places[0] - step_before, *places, places[-1] + step_after]
    return np.interp(pixels, wide, np.arange(-1, len(places) + 1))


def _extrapolate(crossings: Points, axis: int) -> Points:
    first, second, before, last = (
        np.take(crossings, [index], axis) for index in (0, 1, -2, -1)
    )
    return np.concatenate([2 * first - second, crossings, 2 * last - before], axis)


def _ink(flat: FloatImage, cell: float) -> tuple[FloatImage, float]:
    """Ink of each pixel, and the minimum that is not noise."""
    size = 2 * round(_WINDOW * cell / 2) + 1
    smooth = ndimage.gaussian_filter(flat, 0.7)
    paper = ndimage.grey_closing(smooth, (size, size))
    paper = ndimage.uniform_filter(paper, size)
    ink = 1 - smooth / np.maximum(paper, 1 / 64)
    brighter = np.median(ink)
    ink -= brighter
    noise = 1.5 * np.median(np.abs(ink))
    ink = np.clip(ink, 0, 1)
    return ink, max(_MIN_INK, _MIN_SIGNAL_TO_NOISE * float(noise))


def _lines(
    ink: FloatImage,
    min_ink: float,
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    cell: float,
) -> Mask:
    """Pixels of lines, without those of strokes that cross them."""
    mask = ink > min_ink / 2
    level, level_bands = _level_lines(mask, rows, cell)
    upright, upright_bands = _level_lines(mask.T, columns, cell)
    lines: Mask = level | upright.T | (level_bands & upright_bands.T)
    blurred: Mask = ndimage.maximum_filter(lines, 3)
    return blurred & (level_bands | upright_bands.T)


def _level_lines(
    mask: Mask, rows: NDArray[np.float64], cell: float
) -> tuple[Mask, Mask]:
    """Pixels of lines from left to right, and the bands around them."""
    lines, bands = np.zeros_like(mask), np.zeros_like(mask)
    reach = round(_MAX_THICKNESS * cell / 2)
    for row in rows:
        top = max(0, round(row) - 2 * reach)
        part = mask[top : round(row) + 2 * reach + 1]
        middle = round(row) - top
        cover = part.mean(axis=1) > 0.4
        cover[: middle - reach] = cover[middle + reach + 1 :] = False
        thickness = max(1, int(np.count_nonzero(cover)))
        labels, _ = ndimage.label(part, [[0, 1, 0]] * 3)
        heights = np.bincount(labels.ravel())
        # A run is a piece of a line if it is not much thicker, and near.
        half = thickness // 2 + _BLUR + 1
        near = slice(max(0, middle - half), middle + half + 1)
        own = np.unique(labels[near])
        own = own[heights[own] <= 1.6 * thickness + 2 * _BLUR]
        lines[top : top + len(part)] |= np.isin(labels, own[own > 0])
        bands[top + max(0, middle - half - _BLUR) : top + middle + half + _BLUR + 1] = (
            True
        )
    return lines, bands
