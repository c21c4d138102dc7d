"""Types of images and masks, and boxes around parts of them."""

from collections.abc import Collection, Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# Grey levels or amounts of ink, of shape (height, width).
FloatImage: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]
# Number of the connected component of each pixel, 0 for none.
Labels: TypeAlias = NDArray[np.int32]
# The rows and the columns of a part of an image.
Box: TypeAlias = tuple[slice, slice]

# Neighbours of a pixel for `scipy.ndimage.label`: diagonal ones count.
EIGHT_NEIGHBOURS = np.ones((3, 3))


def bounding_box(mask: Mask) -> Box:
    """The smallest box with all true pixels of a mask, of which there are some."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def lengths(box: Box) -> tuple[int, int]:
    """Height and width of a box."""
    return box[0].stop - box[0].start, box[1].stop - box[1].start


def shift(box: Box, outer: Box) -> Box:
    """A box inside of an outer one, in pixels of the whole image."""
    rows, columns = (
        slice(whole.start + side.start, whole.start + side.stop)
        for whole, side in zip(outer, box, strict=True)
    )
    return rows, columns


def union(boxes: Iterable[Box]) -> Box:
    """The smallest box around boxes, of which there are some."""
    rows, columns = (
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*boxes, strict=True)
    )
    return rows, columns


def to_array(boxes: Collection[Box]) -> NDArray[np.intp]:
    """Starts and stops of boxes by row and column, of shape (n_boxes, 2, 2)."""
    sides = [[(side.start, side.stop) for side in box] for box in boxes]
    return np.array(sides, dtype=np.intp).reshape(-1, 2, 2)


def touches_border(box: Sequence[slice], shape: Sequence[int]) -> bool:
    """Whether a box is within a pixel of the border of an image of a shape."""
    return any(
        side.start <= 1 or side.stop >= size - 1
        for side, size in zip(box, shape, strict=True)
    )
