"""Find the ruled grids of an image: their lines and crossings."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import EIGHT_NEIGHBOURS, FloatImage, Mask, lengths
from skdigits.images._grid_lines import (
    CANVAS,
    CERTAIN,
    MARGIN,
    Lines,
    trace_lines,
)
from skdigits.images._rectify import Points, homography, project, sample
from skdigits.images._resampling import resize, shrink

# Thresholds were chosen on 12 photographs of newspaper puzzles and on made-up tables.

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

# Number of connected components, the largest first, that may be a grid.
_MAX_CANDIDATES = 6

# The shorter side of a grid has at least this many pixels on its canvas, if the canvas
# does not become longer than usual by more than the factor.
_MIN_SIDE, _MAX_ENLARGEMENT = 120, 3

# Minimum share of ink along the lines across a single row, where digits are as long.
_CERTAIN_ALONE = 0.95


@dataclass(frozen=True, eq=False)
class Grid:
    """The lines of a grid on its canvas, and the map from the canvas to the image."""

    level: Lines
    upright: Lines
    size: tuple[int, int]
    to_image: NDArray[np.float64]

    @property
    def lines(self) -> tuple[Lines, Lines]:
        """The lines from left to right, and those from top to bottom."""
        return self.level, self.upright

    def certain(self) -> "Grid":
        """The grid with the lines that are certain."""
        sure = [own.cover >= CERTAIN for own in self.lines]
        minimum = [
            CERTAIN if other.sum() > 2 else _CERTAIN_ALONE for other in sure[::-1]
        ]
        lines = zip(self.lines, minimum, strict=True)
        return self.with_lines(*(own.only(own.cover >= share) for own, share in lines))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return len(self.level.cover) - 1, len(self.upright.cover) - 1

    def with_lines(self, level: Lines, upright: Lines) -> "Grid":
        """The grid with other lines."""
        return replace(self, level=level, upright=upright)

    def with_shape(self, rows: int, columns: int) -> "Grid | None":
        """The grid with its most certain lines, if it may have this shape."""
        chosen = []
        numbers = rows + 1, columns + 1
        for own, sure, number in zip(
            self.lines, self.certain().lines, numbers, strict=True
        ):
            if not len(sure.cover) <= number <= len(own.cover):
                return None
            first = np.argsort(-own.cover, kind="stable")[:number]
            chosen.append(own.only(np.isin(np.arange(len(own.cover)), first)))
        return self.with_lines(*chosen)

    def crossings(self) -> Points:
        """Crossings in pixels of the image, of shape (n_level, n_upright, 2)."""
        height, width = self.size
        y = np.zeros((len(self.level.curves), len(self.upright.curves)))
        x = np.zeros_like(y)
        for _ in range(4):
            place_y, place_x = 2 * y / height - 1, 2 * x / width - 1
            y = self.level.at(place_x)
            x = self.upright.at(place_y.T).T
        return project(self.to_image, np.stack([y, x], axis=-1))


def line_ink(grey: FloatImage) -> FloatImage:
    """How much darker than the paper next to it each pixel of a thin line is."""
    size = 2 * round(_MAX_THICKNESS * max(grey.shape)) + 1
    smooth = ndimage.gaussian_filter(grey, 0.7)
    paper = ndimage.grey_closing(smooth, (size, size))
    ink: FloatImage = 1 - smooth / np.maximum(paper, 1 / 64)
    # The paper comes out as bright as its brightest noise: correct that.
    level = ndimage.median_filter(shrink(ink, _SMALL), _SMALL_WINDOW)
    ink -= resize(level, ink.shape)
    return ink


def find_grids(grey: FloatImage, *, faint: bool = False) -> Iterator[Grid]:
    """Find grids, from the largest to the smallest.

    Parameters
    ----------
    grey : ndarray of float32 of shape (height, width)
    faint : bool, default=False
        Whether the lines may have half of the usual contrast.

    Yields
    ------
    Grid
        With all lines that are possible.
    """
    ink = line_ink(grey)
    noise = 1.5 * np.median(np.abs(ink - np.median(ink)))
    minimum = max(_MIN_CONTRAST, _MIN_SIGNAL_TO_NOISE * noise)
    mask = ink > (minimum / 2 if faint else minimum)
    for corners in _candidates(mask):
        grid = None
        for _ in range(2):  # the first lines show better corners
            grid = _grid_between(corners, ink)
            if min(len(grid.level.curves), len(grid.upright.curves)) < 2:
                grid = None
                break
            certain = grid.certain()
            outer = (certain if min(certain.shape) > 0 else grid).crossings()
            corners = outer[[0, 0, -1, -1], [0, -1, -1, 0]]
        if grid is not None:
            yield grid


def _candidates(mask: Mask) -> Iterator[Points]:
    """Corners of the connected components that cover the largest areas."""
    labels, _ = ndimage.label(mask, EIGHT_NEIGHBOURS)
    found = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if max(lengths(box)) >= _MIN_GRID * max(mask.shape):
            rows, columns = np.nonzero(labels[box] == label)
            points = np.stack([rows + box[0].start, columns + box[1].start], axis=1)
            directions = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
            corners = points[(points @ directions.T).argmax(axis=0)].astype(float)
            found.append((_area(corners), corners))
    found.sort(key=lambda candidate: -candidate[0])
    for area, corners in found[:_MAX_CANDIDATES]:
        if area > 0:
            yield corners


def _area(corners: Points) -> float:
    """Area of a quadrilateral."""
    (a, b), (c, d) = corners[2] - corners[0], corners[3] - corners[1]
    return float(abs(a * d - b * c) / 2)


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
