"""Find the grids of an image: connected components of thin dark ink."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import EIGHT_NEIGHBOURS, FloatImage, Mask, lengths
from skdigits.images._grid import Grid
from skdigits.images._grid_tracing import trace_grid
from skdigits.images._rectify import Points
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
# may be missing. The extent is measured on at most this many pixels.
_MIN_FILL = 0.8
_MAX_POINTS = 3000

# Number of connected components, the largest first, that may be a grid.
_MAX_CANDIDATES = 6


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
        grids = [trace_grid(corners, ink)]
        if _area(corners) < _MIN_FILL * _area(box := _box(points)):
            grids.append(trace_grid(box, ink))
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
