"""Reading order: lines from top to bottom, and the numbers of each line."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from skdigits.images._boxes import Box, lengths, to_array, union

# Lines rise or fall by at most this many pixels per pixel.
_MAX_SLOPE = 0.3

# A digit belongs to a row if it is nearer, relative to the median height.
_MAX_OFF_ROW = 0.55

# Neighbours of a digit, which show the slope, are nearer along the row, relative to the
# median height, and across it, relative to the height of the digit.
_MAX_ALONG, _MAX_ACROSS = 5, 0.5

# A gap separates two numbers if it is wider than the minimum, and than the ratio times
# the next narrower gap of the line, or if it is wider than the maximum. Narrow gaps
# count as equal. Widths are relative to the height of the digits.
_MIN_GAP, _MIN_GAP_RATIO, _MAX_GAP, _NARROW_GAP = 0.55, 1.5, 2.0, 0.2


def to_rows(boxes: Sequence[Box]) -> list[list[int]]:
    """Indices of the boxes of each row, from top to bottom and left to right."""
    if not boxes:
        return []
    sides = to_array(boxes)
    y, x = sides.mean(axis=2).T
    heights = np.ptp(sides[:, 0], axis=1)
    y = y - _slope(y, x, heights) * x
    rows: list[list[int]] = []
    for index in np.argsort(x, kind="stable"):
        distances = [abs(y[index] - np.mean(y[row[-2:]])) for row in rows]
        if rows and min(distances) < _MAX_OFF_ROW * np.median(heights):
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
        neighbours = (right > 0) & (np.abs(y - y[index]) < _MAX_ACROSS * heights[index])
        neighbours &= right < _MAX_ALONG * np.median(heights)
        if neighbours.any():
            nearest = np.flatnonzero(neighbours)[np.argmin(right[neighbours])]
            slopes.append((y[nearest] - y[index]) / right[nearest])
    slope = np.median(slopes) if slopes else 0.0
    return float(np.clip(slope, -_MAX_SLOPE, _MAX_SLOPE))


def to_numbers(rows: Sequence[Sequence[Box]]) -> list[tuple[range, int]]:
    """Divide rows of boxes into numbers at wide gaps.

    Returns for each number the indices of its boxes, counted through all rows, and the
    index of its column: numbers that overlap horizontally share a column. If two of a
    row would, it is the index in the row.
    """
    numbers: list[tuple[range, int]] = []
    places = []
    first = 0
    for row, boxes in enumerate(rows):
        for column, span in enumerate(_split(boxes)):
            numbers.append((range(first + span.start, first + span.stop), column))
            _, side = union(boxes[index] for index in span)
            places.append((row, side.start, side.stop))
        first += len(boxes)
    columns = _columns(places)
    if len(set(zip((row for row, _, _ in places), columns, strict=True))) < len(places):
        return numbers
    return [(span, column) for (span, _), column in zip(numbers, columns, strict=True)]


def _split(boxes: Sequence[Box]) -> list[range]:
    """Indices of the boxes of each number of a row."""
    height = float(np.median([lengths(box)[0] for box in boxes]))
    gaps = [
        (after[1].start - before[1].stop) / height for before, after in pairwise(boxes)
    ]
    within = [
        narrow
        for narrow, wide in pairwise(sorted(gaps))
        if wide > max(_MIN_GAP, _MIN_GAP_RATIO * max(narrow, _NARROW_GAP))
    ]
    widest = min([*within, _MAX_GAP])
    starts = [0, *(i for i, gap in enumerate(gaps, start=1) if gap > widest)]
    return [range(*span) for span in pairwise([*starts, len(boxes)])]


def _columns(places: Sequence[tuple[int, int, int]]) -> list[int]:
    """Columns of numbers of which row, left and right are given."""
    _, lefts, rights = np.transpose(places).reshape(3, -1)
    order = np.argsort(lefts, kind="stable")
    reach = np.maximum.accumulate(rights[order])
    columns = np.zeros(len(places), dtype=int)
    columns[order[1:]] = np.cumsum(lefts[order[1:]] >= reach[:-1])
    return [int(column) for column in columns]
