"""Find the grids of an image."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import EIGHT_NEIGHBOURS, FloatImage, Mask, lengths
from skdigits.images._grid import Grid
from skdigits.images._grid_lines import CANVAS, MARGIN, Lines, merge, trace_lines
from skdigits.images._rectify import Points, homography, project, sample
from skdigits.images._resampling import resize, shrink

# Lines are thinner than this part of the longer side of the image.
_MAX_THICKNESS = 1 / 40

# Lines are darker than the paper beside them by this share of its brightness, and by
# this many times the noise.
_MIN_CONTRAST = 0.05
_MIN_SIGNAL_TO_NOISE = 4

# Pixels of the longer side of the image in which the brightness of paper is corrected,
# and of the window around each one.
_SMALL, _SMALL_WINDOW = 240, 13

# A grid has at least this part of the longer side of the image.
_MIN_GRID = 0.12

# If the corners enclose less than this part of the extent of the lines, the outer lines
# may be missing. The extent is that of so many pixels.
_MIN_FILL = 0.8
_MAX_POINTS = 3000

# Number of connected components, the largest first, that may be a grid.
_MAX_CANDIDATES = 6

# The shorter side of a grid has at least this many pixels on its canvas, if the canvas
# does not become longer than usual by more than the factor.
_MIN_SIDE, _MAX_ENLARGEMENT = 120, 3

# Maximum number of times that a grid is traced, between better corners each time, until
# its shape remains the same.
_MAX_TRACES = 8

# Lines go on beyond the last line across as far as they have ink in this share. At the
# border of the canvas, within this many pixels, they go on outside of it.
_MIN_SHOWN = 0.8
_BORDER = 24

# Lines that go on beyond the last line across, by this share of a cell, enclose open
# cells.
_MIN_OPEN = 0.4

# Part of the canvas by which it is extended where lines go on.
_GROWTH = 0.25


def line_ink(grey: FloatImage) -> FloatImage:
    """How much darker than the paper next to it each pixel of a thin line is."""
    size = 2 * round(_MAX_THICKNESS * max(grey.shape)) + 1
    smooth = ndimage.gaussian_filter(grey, 0.7)
    paper = ndimage.grey_closing(smooth, (size, size))
    ink: FloatImage = 1 - smooth / np.maximum(paper, 1 / 64)
    # The paper comes out as bright as its brightest noise: correct that.
    level = ndimage.median_filter(shrink(ink, _SMALL), _SMALL_WINDOW)
    ink -= resize(level, ink.shape)
    ink[[0, -1]] = ink[:, [0, -1]] = 0  # lines end at the border
    return ink


def find_grids(ink: FloatImage, strength: float, max_gap: int) -> Iterator[Grid]:
    """Find grids, from the largest to the smallest, with all lines that are possible.

    `ink` is that of lines. `strength` is the minimum contrast, relative to the usual,
    and `max_gap` the longest gap in lines, in pixels.
    """
    noise = 1.5 * np.median(np.abs(ink - np.median(ink)))
    minimum = max(_MIN_CONTRAST, _MIN_SIGNAL_TO_NOISE * noise)
    for points in _candidates(ink > strength * minimum, max_gap):
        corners = _corners(points)
        grid = _trace(corners, ink)
        if area(corners) < _MIN_FILL * area(box := _box(points)):
            grid = max(grid, _trace(box, ink), key=_number_of_cells)
        if grid is not None:
            yield grid


def _number_of_cells(grid: Grid | None) -> int:
    certain = None if grid is None else grid.certain()
    return certain.shape[0] * certain.shape[1] if certain is not None else 0


def _candidates(mask: Mask, max_gap: int) -> list[Points]:
    """Pixels of the connected components with the largest extents."""
    bridged = ndimage.maximum_filter(mask, max_gap + 1)
    labels, _ = ndimage.label(bridged, EIGHT_NEIGHBOURS)
    labels *= mask
    found = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None and max(lengths(box)) >= _MIN_GRID * max(mask.shape):
            rows, columns = np.nonzero(labels[box] == label)
            points = np.stack([rows + box[0].start, columns + box[1].start], axis=1)
            found.append(points.astype(float))
    found.sort(key=lambda points: -area(_corners(points)))
    return [points for points in found[:_MAX_CANDIDATES] if area(_corners(points)) > 0]


def _corners(points: Points) -> Points:
    """Corners of a grid whose outer lines are drawn, clockwise from the top left."""
    directions = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
    corners: Points = points[(points @ directions.T).argmax(axis=0)]
    return corners


def _box(points: Points) -> Points:
    """Corners of the parallelogram around lines in two directions."""
    points = points[:: 1 + len(points) // _MAX_POINTS]
    normals, ends = [], []
    for axis in (0, 1):
        best = -1.0
        for angle in np.deg2rad(np.arange(-25, 26)):
            normal = np.roll([np.cos(angle), np.sin(angle)], axis)
            places = points @ normal
            start = places.min()
            number = float(np.square(np.bincount((places - start).astype(int))).sum())
            if number > best:
                best, own = number, (normal, start, places.max())
        normals.append(own[0])
        ends.append(own[1:])
    (top, bottom), (left, right) = ends
    sides = np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
    corners: Points = np.linalg.solve(np.array(normals), sides.T).T
    return corners


def area(corners: Points) -> float:
    """Area of a quadrilateral."""
    (a, b), (c, d) = corners[2] - corners[0], corners[3] - corners[1]
    return float(abs(a * d - b * c) / 2)


def _trace(corners: Points, ink: FloatImage) -> Grid | None:
    """The grid between corners, which are those of the grid or of a part of it."""
    before = None
    for trace in range(_MAX_TRACES):
        grid = _grid_between(corners, ink)
        if min(map(len, grid.lines)) < 2:
            return None
        certain = grid.certain()
        if not certain.is_table():
            if trace:
                return grid
            corners = grid.crossings()[[0, 0, -1, -1], [0, -1, -1, 0]]
            continue
        beyond = _beyond(certain)
        rooms = _rooms(certain)
        grows = beyond >= rooms - _BORDER
        if certain.shape == before and not grows.any():
            break
        before = certain.shape
        ends = certain.canvas_crossings()[[0, 0, -1, -1], [0, -1, -1, 0]]
        # With room for open cells, the next trace ends beyond them.
        steps = np.where(beyond > 2 * _BORDER, beyond, 0)
        steps[grows] = (rooms + _GROWTH * np.repeat(grid.size, 2))[grows]
        top, bottom, left, right = steps
        ends += [[-top, -left], [-top, right], [bottom, right], [bottom, -left]]
        corners = project(grid.to_image, ends)
    if certain.is_table():
        grid = grid.with_single_lines(certain)
        certain = grid.certain()
    return _close(grid, certain)


def _rooms(grid: Grid) -> NDArray[np.float64]:
    """Pixels of the canvas beyond the outer lines: top, bottom, left, right."""
    level, upright = (lines.middles()[[0, -1]] for lines in grid.lines)
    height, width = grid.size
    return np.array([level[0], height - level[1], upright[0], width - upright[1]])


def _beyond(grid: Grid) -> NDArray[np.float64]:
    """Pixels by which most lines go on beyond the outer ones, in the same order."""
    crossings = grid.canvas_crossings()
    result = []
    for axis, lines in ((0, grid.upright), (1, grid.level)):
        ends = np.moveaxis(crossings[..., axis], axis, 0)
        width = lines.shown.shape[1]
        for last, step in ((ends[0], -1), (ends[-1], 1)):
            own = []
            for shown, end in zip(lines.shown, last, strict=True):
                start = int(np.clip(round(end), 0, width - 1))
                after = shown[start::step]
                share = np.cumsum(after) / np.arange(1, len(after) + 1)
                along = np.flatnonzero(after & (share >= _MIN_SHOWN))
                own.append(along[-1] if len(along) else 0)
            result.append(np.quantile(own, 0.4, method="lower"))
    return np.array(result, dtype=float)


def _close(grid: Grid, certain: Grid) -> Grid:
    """The grid with outer lines at the ends of the lines that go on beyond it."""
    beyond = _beyond(certain)
    lines = list(grid.lines)
    for axis in (0, 1):
        own, sure = lines[axis], certain.lines[axis]
        if len(sure) < 2:
            continue
        cell = np.median(np.diff(sure.middles()))
        for index, sign in ((0, -1), (1, 1)):
            reach = beyond[2 * axis + index]
            if reach < _MIN_OPEN * cell:
                continue
            outer = 0 if index == 0 else -1
            curve = sure.curves[[outer]].copy()
            curve[0, -1] += sign * reach
            # possible lines beyond are inside of the open cells, or outside
            position = sure.curves[outer, -1]
            inside = own.curves[:, -1] * sign <= position * sign + 1e-6
            own = own.only(inside)
            shown = np.ones((1, own.shown.shape[1]), dtype=bool)
            own = merge([own, Lines(curve, shown, np.zeros(1))])
        lines[axis] = own
    return replace(grid, level=lines[0], upright=lines[1])


def _grid_between(corners: Points, ink: FloatImage) -> Grid:
    """Trace the lines inside a quadrilateral."""
    sides = np.roll(corners, -1, axis=0) - corners
    top, right, bottom, left = np.linalg.norm(sides, axis=1)
    width, height = max(top, bottom, 1), max(left, right, 1)
    scale = CANVAS / max(width, height)
    scale = max(scale, min(_MIN_SIDE / min(width, height), _MAX_ENLARGEMENT * scale))
    height, width = (max(16, round(side * scale)) for side in (height, width))
    margin = round(MARGIN * CANVAS)
    size = height + 2 * margin, width + 2 * margin
    places = [[0, 0], [0, width], [height, width], [height, 0]]
    inner = np.array(places, dtype=float) + margin
    to_image = homography(inner, corners)
    points = np.moveaxis(np.indices(size), 0, -1).astype(float)
    canvas = sample(ink, project(to_image, points))
    return Grid(trace_lines(canvas), trace_lines(canvas.T), size, to_image)
