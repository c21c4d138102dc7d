"""Reading order: rows of digits from top to bottom, digits from left to right."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skdigits.images._boxes import Box, lengths

# Rows of digits rise or fall by at most this many pixels per pixel.
_MAX_SLOPE = 0.3


def to_rows(boxes: Sequence[Box]) -> list[list[int]]:
    """Arrange boxes in rows.

    Parameters
    ----------
    boxes : list of tuples of slices
        Rows and columns of each box.

    Returns
    -------
    list of list of int
        For each row from top to bottom, indices of its boxes from left to right.
    """
    if not boxes:
        return []
    y, x = (
        np.array([(box[axis].start + box[axis].stop) / 2 for box in boxes])
        for axis in (0, 1)
    )
    heights = np.array([lengths(box)[0] for box in boxes])
    y = y - _slope(y, x, heights) * x
    rows: list[list[int]] = []
    for index in np.argsort(x, kind="stable"):
        distances = [abs(y[index] - np.mean(y[row[-2:]])) for row in rows]
        if rows and min(distances) < 0.55 * np.median(heights):
            rows[int(np.argmin(distances))].append(int(index))
        else:
            rows.append([int(index)])
    return sorted(rows, key=lambda row: float(np.mean(y[row])))


def _slope(
    y: NDArray[np.float64], x: NDArray[np.float64], heights: NDArray[np.int_]
) -> float:
    """Slope of the rows, as the median over pairs of neighbours in a row."""
    slopes = []
    for index in range(len(y)):
        right = x - x[index]
        neighbours = (right > 0) & (np.abs(y - y[index]) < 0.5 * heights[index])
        neighbours &= right < 5 * np.median(heights)
        if neighbours.any():
            nearest = np.flatnonzero(neighbours)[np.argmin(right[neighbours])]
            slopes.append((y[nearest] - y[index]) / right[nearest])
    slope = np.median(slopes) if slopes else 0.0
    return float(np.clip(slope, -_MAX_SLOPE, _MAX_SLOPE))
