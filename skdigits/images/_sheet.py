"""Where the paper ends and what it lies on begins."""

import numpy as np
from scipy import ndimage

# Where brightness changes by more than this factor from pixel to pixel is an edge.
_STEP = 1.12

# What the paper lies on is darker by this factor right beside it; shadows are not.
_DARKER = 2.0

# The paper is at least this part of the picture.
_LEAST_PAPER = 0.1


def find_sheet(paper):
    """Where paper is, of a picture in which strokes are filled in.

    Parameters
    ----------
    paper : ndarray of float32 of shape (height, width)
        The light of the paper, and of what is around it; of some 200 pixels by the
        longer side.

    Returns
    -------
    ndarray of bool of shape (height, width)
        True everywhere unless a dark table is seen beside the paper.
    """
    everywhere = np.ones(paper.shape, dtype=bool)
    logs = np.log(np.maximum(paper, 1 / 64))
    change = ndimage.maximum_filter(logs, 3) - ndimage.minimum_filter(logs, 3)
    labels, number = ndimage.label(change < 2 * np.log(_STEP))
    if number < 2:
        return everywhere
    regions = range(1, number + 1)
    areas = ndimage.sum_labels(everywhere, labels, regions)
    light = ndimage.median(logs, labels, regions)
    large = areas >= min(_LEAST_PAPER * paper.size, areas.max())
    sheet = labels == 1 + np.argmax(np.where(large, light, -np.inf))
    near_sheet = ndimage.binary_dilation(sheet, iterations=4)
    table = ~everywhere
    for region in regions:
        own = labels == region
        beside = own & near_sheet
        if own.sum() < 4 or not beside.any() or not _touches_border(own):
            continue
        reached = sheet & ndimage.binary_dilation(own, iterations=4)
        if np.mean(logs[reached]) - np.mean(logs[beside]) > np.log(_DARKER):
            table |= own
    if not table.any():
        return everywhere
    # Edges belong to the table; what it does not reach is paper.
    table = ndimage.binary_dilation(table, iterations=3) & ~sheet
    return ~table


def _touches_border(mask):
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
