"""Find the tables on an image, at the resolution that their cells need."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skdigits.images._boxes import Box, FloatImage
from skdigits.images._errors import GridNotFoundError, TableShapeError
from skdigits.images._flat_table import cell_sides
from skdigits.images._grid import Grid
from skdigits.images._grid_search import find_grids, line_ink
from skdigits.images._ink import MAX_WORKING_PIXELS, to_working_size
from skdigits.images._loading import ImageLike, load_image, load_page
from skdigits.images._preview import to_preview
from skdigits.images._reading_order import to_rows
from skdigits.images._rectify import Points
from skdigits.images._resampling import shrink

# Minimum number of pixels of the longer side, to which images are enlarged.
_MIN_WORKING_PIXELS = 900

# Minimum contrast of lines, relative to the usual, and the longest gap in them in
# pixels. The second search is for faint lines, and the third for broken ones.
_SEARCHES = (1.0, 4), (0.5, 4), (1.0, 20)

# Cells that are smaller than the first number of pixels are read on an image on which
# they have the second, if the original image is larger by the factor.
_MIN_CELL, _ENLARGED_CELL, _MIN_FACTOR = 48, 96, 1.2


@dataclass(frozen=True, eq=False)
class FoundTable:
    """A grid, on an image that has been resized so that its cells are legible.

    `crossings` are in pixels of this image, `grey`, and `corners` the same points in
    pixels of the original image, which has a `shape`. `merged` are the blocks of merged
    cells, and `preview` is a small copy of the image.
    """

    grey: FloatImage
    crossings: Points
    corners: Points
    merged: list[tuple[slice, slice]]
    shape: tuple[int, int]
    preview: NDArray[np.uint8]


def find_tables(
    image: ImageLike, shape: tuple[int, int] | None, tables: str
) -> list[FoundTable]:
    """Find the largest table, or all, with two cells or the given shape."""
    grey, original = load_page(image, MAX_WORKING_PIXELS)
    grey = to_working_size(grey, _MIN_WORKING_PIXELS)
    preview = to_preview(grey)
    grids = _find(grey, shape, tables)
    crossings = [grid.crossings() for grid in grids]
    places = [(points + 0.5) / grey.shape for points in crossings]
    cell = min(np.median(sides) for points in crossings for sides in cell_sides(points))
    factor = min(_ENLARGED_CELL / cell, max(original) / max(grey.shape))
    can_reload = not hasattr(image, "seekable") or image.seekable()
    if cell < _MIN_CELL and factor > _MIN_FACTOR and can_reload:
        grey = shrink(load_image(image), round(factor * max(grey.shape)))
    return [
        FoundTable(
            grey,
            place * grey.shape - 0.5,
            place * original - 0.5,
            grid.merged_cells(),
            original,
            preview,
        )
        for grid, place in zip(grids, places, strict=True)
    ]


def _find(grey: FloatImage, shape: tuple[int, int] | None, tables: str) -> list[Grid]:
    """The largest grid, or all, with two cells or the given shape."""
    ink, minimum = line_ink(grey)
    for strength, max_gap in _SEARCHES:
        found: list[Grid] = []
        possible = []
        for grid in find_grids(ink, strength * minimum, max_gap):
            if any(_overlap(grid.certain, other) for other in found):
                continue
            if shape not in (None, grid.certain.shape):
                possible.append(grid)
            elif tables == "largest":
                return [grid.certain]
            else:
                found.append(grid.certain)
        if shape is not None:
            chosen = (grid.with_shape(*shape) for grid in possible)
            found += [grid for grid in chosen if grid is not None]
        if found and tables == "largest":
            return found[:1]
        if found:
            return [found[i] for row in to_rows(list(map(_box, found))) for i in row]
        if shape is not None and possible:
            rows, columns = possible[0].certain.shape
            raise TableShapeError(
                "The table does not have the given shape. Expected "
                f"{shape[0]} rows and {shape[1]} columns. Found a grid of {rows} rows "
                f"and {columns} columns. Correct shape, or pass None to read the table "
                "as it is found."
            )
    raise GridNotFoundError(
        "There is no table on the image, or its lines are too faint. Expected lines "
        "that enclose at least two cells, darker than their paper by at least 5 % and "
        "by 4 times the noise, in a grid of at least 12 % of the longer side of the "
        "image, within 20 degrees of level. Got no such grid. Turn the image, show the "
        "whole outer border of the table, or photograph it in better light or from "
        "nearer; read digits without a grid with read_digits."
    )


def _box(grid: Grid) -> Box:
    y, x = np.rint(np.moveaxis(grid.crossings(), -1, 0)).astype(int)
    return slice(y.min(), y.max()), slice(x.min(), x.max())


def _overlap(grid: Grid, other: Grid) -> bool:
    """Whether the centre of a grid is inside of the box around another one."""
    centre = grid.crossings().mean(axis=(0, 1))
    return all(
        side.start < place < side.stop
        for place, side in zip(centre, _box(other), strict=True)
    )
