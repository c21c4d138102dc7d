"""A grid: lines that cross each other, and the cells between them."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._grid_lines import Lines
from skdigits.images._rectify import Points, project

# Thresholds were chosen on 12 photographs of newspaper puzzles and on made-up tables.

# A side of a cell is drawn if it has ink in this share, relative to that of the best
# lines. A line has this share of drawn sides; the others are hidden or inside of merged
# cells. Or it is broken, and has this share of ink on the whole. Lines with only one or
# two sides have this share of ink in all of them: digits are almost as long.
_DRAWN = 0.9
_MIN_DRAWN = 0.5
_BROKEN = 0.8
_DRAWN_ALONE = {1: 0.95, 2: 0.8}

# Half of the lines across, or the outer ones, join an outer line to the next one, with
# ink in this share of the way: other lines nearby are not part of the grid.
_MIN_JOIN = 0.8

# Lines are one double line if their distance is less than this part of a cell.
_MAX_DOUBLE = 0.2

# Two cells are merged if the side between them has less ink than this share.
_MERGED = 0.2


@dataclass(frozen=True, eq=False)
class Grid:
    """The lines of a grid on its canvas, and the map from the canvas to the image.

    `lines` are those from left to right, and those from top to bottom.
    """

    lines: tuple[Lines, ...]
    size: tuple[int, int]
    to_image: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        level, upright = self.lines
        return len(level) - 1, len(upright) - 1

    def is_table(self) -> bool:
        """Whether there are at least two cells."""
        return min(self.shape) > 0 and max(self.shape) > 1

    def with_single_lines(self) -> "Grid":
        """The grid with double lines as one, if they are certain."""
        certain = self.certain.lines
        steps = [
            np.quantile(np.diff(lines.middles()), 0.75, method="higher")
            for lines in certain
        ]
        pairs = zip(self.lines, certain, strict=True)
        distance = _MAX_DOUBLE * min(steps)
        return replace(
            self, lines=tuple(own.merged(sure, distance) for own, sure in pairs)
        )

    def only(self, *chosen: NDArray[np.generic]) -> "Grid":
        """The grid with a part of its lines."""
        pairs = zip(self.lines, chosen, strict=True)
        return replace(self, lines=tuple(own.only(part) for own, part in pairs))

    def canvas_crossings(self) -> Points:
        """Crossings in pixels of the canvas, of shape (n_level, n_upright, 2)."""
        level, upright = self.lines
        x = np.zeros((len(level), len(upright)))
        for _ in range(4):
            y = level.at(x)
            x = upright.at(y.T).T
        return np.stack([y, x], axis=-1)

    def crossings(self) -> Points:
        """Crossings in pixels of the image, of shape (n_level, n_upright, 2)."""
        return project(self.to_image, self.canvas_crossings())

    def covers(self) -> list[NDArray[np.float64]]:
        """Share of ink of each side of a cell, by the level and the upright lines."""
        level, upright = self.lines
        y, x = np.moveaxis(self.canvas_crossings(), -1, 0)
        return [level.covers(x, upright.widths), upright.covers(y.T, level.widths)]

    def merged_cells(self) -> list[tuple[slice, slice]]:
        """Rows and columns of each block of merged cells."""
        rows, columns = self.shape
        level, upright = (cover < _MERGED for cover in self.covers())
        # Cells at even places, and the sides between them at odd ones.
        joined = np.zeros((2 * rows - 1, 2 * columns - 1), dtype=bool)
        joined[::2, ::2] = True
        joined[1::2, ::2] = level[1:-1]
        joined[::2, 1::2] = upright[1:-1].T
        # A crossing is inside of a block if all four lines to it are missing.
        above, below = joined[:-1:2, 1::2], joined[2::2, 1::2]
        before, after = joined[1::2, :-1:2], joined[1::2, 2::2]
        joined[1::2, 1::2] = above & below & before & after
        labels, _ = ndimage.label(joined)
        return [
            (slice(y.start // 2, y.stop // 2 + 1), slice(x.start // 2, x.stop // 2 + 1))
            for label, (y, x) in enumerate(ndimage.find_objects(labels), start=1)
            if labels[y, x].size > 1 and (labels[y, x] == label).all()
        ]

    def drawn(self) -> list[NDArray[np.float64]]:
        """Share of drawn sides of each line, and a little for its ink, in order."""
        covers = self.covers()
        best = np.median([np.sort(cover.mean(axis=1))[-2:] for cover in covers])
        result = []
        for cover in covers:
            number = cover.shape[1]
            if number in _DRAWN_ALONE:
                own = cover.min(axis=1) - _DRAWN_ALONE[number] * best + _MIN_DRAWN
            else:
                mean = cover.mean(axis=1)
                own = (cover >= _DRAWN * best).mean(axis=1) + 1e-3 * mean
                own = np.maximum(own, mean - _BROKEN * best + _MIN_DRAWN)
            result.append(own)
        return result

    @cached_property
    def certain(self) -> "Grid":
        """The grid with the lines that are certain."""
        kept = [np.arange(len(own)) for own in self.lines]
        while min(map(len, kept)) > 1:
            grid = self.only(*kept)
            drawn = grid.drawn()
            axis = int(drawn[1].min() < drawn[0].min())
            worst = int(drawn[axis].argmin())
            if drawn[axis][worst] >= _MIN_DRAWN:
                outer = grid._loose()
                if outer is None:
                    return grid
                axis, worst = outer
            kept[axis] = np.delete(kept[axis], worst)
        return self.only(*(own[:0] for own in kept))

    def _loose(self) -> tuple[int, int] | None:
        """Axis and index of an outer line that is not joined to the next one."""
        for axis, sides in enumerate(self.covers()[::-1]):
            for index in (0, -1):
                joins = sides[:, index] >= _MIN_JOIN
                if joins.mean() < 0.5 and not (joins[0] and joins[-1]):
                    return axis, index
        return None

    def with_shape(self, rows: int, columns: int) -> "Grid | None":
        """The grid with its most certain lines, if it may have this shape."""
        chosen = []
        for drawn, sure, number in zip(
            self.drawn(), self.certain.lines, (rows + 1, columns + 1), strict=True
        ):
            if not len(sure) <= number <= len(drawn):
                return None
            chosen.append(np.sort(np.argsort(-drawn, kind="stable")[:number]))
        return self.only(*chosen)
