"""Find the tables on an image, at the resolution that their cells need."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from skdigits.images._boxes import Box, FloatImage
from skdigits.images._errors import GridNotFoundError, TableShapeError
from skdigits.images._grid import Grid
from skdigits.images._grid_search import find_grids, line_ink
from skdigits.images._ink import MAX_WORKING_PIXELS, to_working_size
from skdigits.images._loading import ImageLike, load_image, load_page
from skdigits.images._preview import to_preview
from skdigits.images._reading_order import to_rows
from skdigits.images._rectify import Points

# Minimum number of pixels of the longer side, to which images are enlarged.
_MIN_WORKING_PIXELS = 900

# Minimum contrast of lines, relative to the usual, and the longest gap in them in
# pixels. The second search is for faint lines, and the third for broken ones.
_SEARCHES = (1.0, 4), (0.5, 4), (1.0, 20)

# A grid with smaller cells than this number of pixels is searched for again on a part
# of the original image, if that has more pixels by the factor. The part has this margin
# around the grid, as a part of its longer side.
_MIN_CELL, _MIN_FACTOR, _MARGIN = 48, 1.2, 0.1


@dataclass(frozen=True, eq=False)
class FoundTable:
    """A grid and the part of an image in which it was found.

    `grey` is that part, resized, and the grid is in pixels of it. `start` is its row
    and column in the original image, `scale` the pixels of the original image per pixel
    of the part, `shape` that of the original image, and `preview` a copy of it.
    """

    grey: FloatImage
    grid: Grid
    start: NDArray[np.float64]
    scale: NDArray[np.float64]
    shape: tuple[int, int]
    preview: NDArray[np.uint8]

    def corners(self) -> Points:
        """Crossings in pixels of the original image, as `Grid.crossings`."""
        return self.start + (self.grid.crossings() + 0.5) * self.scale - 0.5


def find_tables(
    image: ImageLike, shape: tuple[int, int] | None, tables: str
) -> list[FoundTable]:
    """Find the largest table, or all, with two cells or the given shape."""
    grey, original = load_page(image, MAX_WORKING_PIXELS)
    grey = to_working_size(grey, _MIN_WORKING_PIXELS)
    place = np.zeros(2), np.divide(original, grey.shape), original, to_preview(grey)
    found = [FoundTable(grey, grid, *place) for grid in _find(grey, shape, tables)]
    if hasattr(image, "seekable") and not image.seekable():
        return found
    # All tables share the original image, which is loaded if one of them needs it.
    load = cache(lambda: load_image(image))
    return [_magnify(table, load, shape) for table in found]


def _magnify(
    found: FoundTable, load: Callable[[], FloatImage], shape: tuple[int, int] | None
) -> FoundTable:
    """The table as it is found on a part of the original image, if cells are small."""
    crossings = found.grid.crossings()
    sides = [np.linalg.norm(np.diff(crossings, axis=k), axis=-1) for k in (0, 1)]
    lacks_pixels = min(map(np.median, sides)) < _MIN_CELL
    if not (lacks_pixels and found.scale.min() > _MIN_FACTOR):
        return found
    corners = found.corners()
    first, last = corners.min((0, 1)), corners.max((0, 1))
    margin = _MARGIN * (last - first).max()
    start = np.maximum(0, first - margin).astype(int)
    stop = (last + margin).astype(int)
    part = load()[start[0] : stop[0], start[1] : stop[1]]
    grey = to_working_size(part, _MIN_WORKING_PIXELS)
    try:
        grid = _find(grey, shape, "largest")[0]
    except (GridNotFoundError, TableShapeError):
        return found
    scale = np.divide(part.shape, grey.shape)
    return FoundTable(grey, grid, start, scale, found.shape, found.preview)


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
