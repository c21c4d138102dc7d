"""Trace a grid between its corners, which are corrected from one trace to the next."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from skdigits.images._boxes import FloatImage
from skdigits.images._grid import Grid
from skdigits.images._grid_lines import CANVAS, MARGIN, Lines, merge
from skdigits.images._line_tracing import trace_lines
from skdigits.images._rectify import Points, homography, project, sample

# The shorter side of a grid has at least this many pixels on its canvas, if the canvas
# does not become longer than usual by more than the factor.
_MIN_SIDE, _MAX_ENLARGEMENT = 120, 3

# Maximum number of times that a grid is traced, between better corners each time, until
# its shape remains the same.
_MAX_TRACES = 8

# Lines continue beyond the last line across as far as they have ink in this share. At
# the border of the canvas, within this many pixels, they continue outside of it.
_MIN_SHOWN = 0.8
_BORDER = 24

# Lines that continue beyond the last line across, by this share of a cell, enclose open
# cells.
_MIN_OPEN = 0.4

# Part of the canvas by which it is extended where lines continue.
_GROWTH = 0.25


def trace_grid(corners: Points, ink: FloatImage) -> Grid | None:
    """The grid between corners, which are those of the grid or of a part of it."""
    before = None
    for _ in range(_MAX_TRACES):
        grid = _grid_between(corners, ink)
        certain = grid.certain
        if not certain.is_table():
            return None
        beyond = _beyond(certain)
        (top, bottom), (left, right) = (
            lines.middles()[[0, -1]] for lines in certain.lines
        )
        height, width = grid.size
        rooms = np.array([top, height - bottom, left, width - right])
        grows = beyond >= rooms - _BORDER
        if certain.shape == before and not grows.any():
            break
        before = certain.shape
        # With room for open cells, the next trace ends beyond them.
        steps = np.where(beyond > 2 * _BORDER, beyond, 0)
        steps[grows] = (rooms + _GROWTH * np.repeat(grid.size, 2))[grows]
        top, bottom, left, right = steps
        ends = certain.canvas_crossings()[[0, 0, -1, -1], [0, -1, -1, 0]]
        ends += [[-top, -left], [-top, right], [bottom, right], [bottom, -left]]
        corners = project(grid.to_image, ends)
    return _close(grid.with_single_lines())


def _beyond(grid: Grid) -> NDArray[np.float64]:
    """Pixels by which most lines continue beyond the outer ones across.

    The outer lines are those at the top, bottom, left and right.
    """
    crossings = grid.canvas_crossings()
    result = []
    level, upright = grid.lines
    for lines, ends in (upright, crossings[..., 0]), (level, crossings[..., 1].T):
        for last, step in ((ends[0], -1), (ends[-1], 1)):
            own = []
            for shown, end in zip(lines.shown, last, strict=True):
                after = shown[int(np.clip(round(end), 0, len(shown) - 1)) :: step]
                share = np.cumsum(after) / np.arange(1, len(after) + 1)
                along = np.flatnonzero(after & (share >= _MIN_SHOWN))
                own.append(along[-1] if len(along) else 0)
            result.append(np.quantile(own, 0.4, method="lower"))
    return np.array(result, dtype=float)


def _close(grid: Grid) -> Grid:
    """The grid with outer lines at the ends of the lines that continue beyond it."""
    if not grid.certain.is_table():
        return grid
    lines = list(grid.lines)
    for (axis, index), reach in zip(
        [(0, 0), (0, -1), (1, 0), (1, -1)], _beyond(grid.certain), strict=True
    ):
        sure, sign = grid.certain.lines[axis], -1 if index == 0 else 1
        if reach < _MIN_OPEN * np.median(np.diff(sure.middles())):
            continue
        # Possible lines beyond are inside of the open cells, or outside.
        beyond = sign * (lines[axis].curves[:, -1] - sure.curves[index, -1])
        own = lines[axis].only(beyond <= 1e-6)
        curve = sure.curves[[index]] + [0, 0, 0, sign * reach]
        shown = np.ones((1, own.shown.shape[1]), dtype=bool)
        lines[axis] = merge([own, Lines(curve, shown, np.zeros(1))])
    return replace(grid, lines=tuple(lines))


def _grid_between(corners: Points, ink: FloatImage) -> Grid:
    """Trace the lines inside a quadrilateral."""
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    width, height = np.maximum(np.maximum(sides[:2], sides[2:]), 1)
    scale = CANVAS / max(width, height)
    scale = max(scale, min(_MIN_SIDE / min(width, height), _MAX_ENLARGEMENT * scale))
    height, width = (max(16, round(side * scale)) for side in (height, width))
    inner = np.array([[0, 0], [0, width], [height, width], [height, 0]], dtype=float)
    to_image = homography(inner + MARGIN, corners)
    size = height + 2 * MARGIN, width + 2 * MARGIN
    points = np.moveaxis(np.indices(size), 0, -1).astype(float)
    canvas = sample(ink, project(to_image, points))
    return Grid((trace_lines(canvas), trace_lines(canvas.T)), size, to_image)
