"""Reading order."""

import numpy as np

# Lines of writing slant by no more than this.
_MOST_SLOPE = 0.3


def to_rows(boxes):
    """Arrange boxes in rows.

    Parameters
    ----------
    boxes : list of tuples of slices
        Each box's rows and columns.

    Returns
    -------
    list of list of int
        Indices of the boxes from left to right, of rows from top to bottom.
    """
    if not boxes:
        return []
    y, x = (
        np.array([(box[axis].start + box[axis].stop) / 2 for box in boxes])
        for axis in (0, 1)
    )
    heights = np.array([box[0].stop - box[0].start for box in boxes])
    y = y - _slope(y, x, heights) * x
    rows = []
    for index in np.argsort(x, kind="stable"):
        distances = [abs(y[index] - np.mean(y[row[-2:]])) for row in rows]
        nearest = int(np.argmin(distances)) if rows else None
        reach = 0.55 * np.median(heights)
        if rows and distances[nearest] < reach:
            rows[nearest].append(int(index))
        else:
            rows.append([int(index)])
    return sorted(rows, key=lambda row: np.mean(y[row]))


def _slope(y, x, heights):
    """How much rows fall from left to right, from neighbours in a row."""
    slopes = []
    for index in range(len(y)):
        right = x - x[index]
        beside = (right > 0) & (np.abs(y - y[index]) < 0.5 * heights[index])
        beside &= right < 5 * np.median(heights)
        if beside.any():
            nearest = np.flatnonzero(beside)[np.argmin(right[beside])]
            slopes.append((y[nearest] - y[index]) / right[nearest])
    slope = np.median(slopes) if slopes else 0.0
    return float(np.clip(slope, -_MOST_SLOPE, _MOST_SLOPE))
