"""Find the grids of an image."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import EIGHT_NEIGHBOURS, FloatImage, Mask, lengths
from skdigits.images._grid import Grid
from skdigits.images._grid_lines import CANVAS, MARGIN, Lines, merge
from skdigits.images._line_tracing import trace_lines
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

# Lines continue beyond the last line across as far as they have ink in this share. At
# the border of the canvas, within this many pixels, they continue outside of it.
_MIN_SHOWN = 0.8
_BORDER = 24

# Lines that continue beyond the last line across, by this share of a cell, enclose open
# cells.
_MIN_OPEN = 0.4

# Part of the canvas by which it is extended where lines continue.
_GROWTH = 0.25


def line_ink(grey: FloatImage) -> tuple[FloatImage, float]:
    """How much darker than the paper next to it each pixel of a thin line is.

    Also the minimum that is not noise.
    """
    size = 2 * round(_MAX_THICKNESS * max(grey.shape)) + 1
    smooth = ndimage.gaussian_filter(grey, 0.7)
    paper = ndimage.grey_closing(smooth, (size, size))
    ink: FloatImage = 1 - smooth / np.maximum(paper, 1 / 64)
    # The paper comes out as bright as its brightest noise: correct that.
    level = ndimage.median_filter(shrink(ink, _SMALL), _SMALL_WINDOW)
    ink -= resize(level, ink.shape)
    ink[[0, -1]] = ink[:, [0, -1]] = 0  # lines end at the border
    noise = 1.5 * float(np.median(np.abs(ink - np.median(ink))))
    return ink, max(_MIN_CONTRAST, _MIN_SIGNAL_TO_NOISE * noise)


def find_grids(ink: FloatImage, minimum: float, max_gap: int) -> Iterator[Grid]:
    """Find grids, from the largest to the smallest, with all lines that are possible.

    `ink` is that of lines, `minimum` the minimum of it, and `max_gap` the longest gap
    in lines, in pixels.
    """
    for points in _candidates(ink > minimum, max_gap):
        corners = _corners(points)
        grids = [_trace(corners, ink)]
        if _area(corners) < _MIN_FILL * _area(box := _box(points)):
            grids.append(_trace(box, ink))
        found = [grid for grid in grids if grid and grid.certain.is_table()]
        if found:
            yield max(found, key=lambda grid: np.prod(grid.certain.shape))


def _candidates(mask: Mask, max_gap: int) -> list[Points]:
    """Pixels of the connected components with the largest extents."""
    bridged = ndimage.maximum_filter(mask, max_gap + 1)
    labels, _ = ndimage.label(bridged, EIGHT_NEIGHBOURS)
    labels *= mask
    found = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None and max(lengths(box)) >= _MIN_GRID * max(mask.shape):
            points = np.argwhere(labels[box] == label) + [side.start for side in box]
            found.append((_area(_corners(points)), points.astype(float)))
    found.sort(key=lambda candidate: -candidate[0])
    return [points for area, points in found[:_MAX_CANDIDATES] if area > 0]


def _corners(points: Points) -> Points:
    """Corners of a grid whose outer lines are drawn, clockwise from the top left."""
    directions = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
    corners: Points = points[(points @ directions.T).argmax(axis=0)]
    return corners


def _box(points: Points) -> Points:
    """Corners of the parallelogram around lines in two directions."""
    points = points[:: 1 + len(points) // _MAX_POINTS]
    angles = np.deg2rad(np.arange(-25, 26))
    level = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    normals = [
        max(options, key=lambda normal: _sharpness(points @ normal))
        for options in (level, level[:, ::-1])
    ]
    places = points @ np.transpose(normals)
    (top, left), (bottom, right) = places.min(axis=0), places.max(axis=0)
    sides = np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
    corners: Points = np.linalg.solve(np.array(normals), sides.T).T
    return corners


def _sharpness(places: NDArray[np.float64]) -> float:
    """Higher if more places are near to each other."""
    return float(np.square(np.bincount((places - places.min()).astype(int))).sum())


def _area(corners: Points) -> float:
    """Area of a quadrilateral."""
    (a, b), (c, d) = corners[2] - corners[0], corners[3] - corners[1]
    return float(abs(a * d - b * c) / 2)


def _trace(corners: Points, ink: FloatImage) -> Grid | None:
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
