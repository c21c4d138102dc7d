"""Connected components of ink: drop specks, split touching digits, merge parts."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import (
    EIGHT_NEIGHBOURS,
    Box,
    FloatImage,
    Labels,
    Mask,
    bounding_box,
    lengths,
    touches_border,
)

# Labels of the components of a digit, and their bounding box.
Digit: TypeAlias = tuple[list[int], Box]

# Minimum size of a component, and minimum height of a digit, as parts of the longer
# side of the page. Smaller components are dust.
_MIN_COMPONENT = 0.004
_MIN_DIGIT_HEIGHT = 0.012

# Maximum number of components: more are the texture of a surface. The largest are kept.
_MAX_COMPONENTS = 600


def label_strokes(
    ink: FloatImage, mask: Mask, pixel: float = 1.0
) -> tuple[Labels, dict[int, float]]:
    """Label the connected components of ink with sharp edges.

    A component contains the pixels with at least half of its own strength.

    Parameters
    ----------
    ink : ndarray of float32 of shape (height, width)
    mask : ndarray of bool of shape (height, width)
        Where ink is more than noise.
    pixel : float, default=1.0
        Size of a pixel of the original image, which may have been enlarged.

    Returns
    -------
    labels : ndarray of int32 of shape (height, width)
        0 for paper.
    strengths : dict of int to float
        Darkness of each label: the 90th percentile of its ink.
    """
    min_size = max(3, _MIN_COMPONENT * max(mask.shape))
    strokes = np.zeros(mask.shape, dtype=bool)
    labels, _ = ndimage.label(mask, EIGHT_NEIGHBOURS)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if max(lengths(box)) >= min_size:
            own = labels[box] == label
            strokes[box] |= own & (ink[box] >= strength_along(ink[box], own) / 2)
    labels, _ = ndimage.label(strokes, EIGHT_NEIGHBOURS)
    steepness = ndimage.gaussian_gradient_magnitude(ink, 1)
    strengths: dict[int, float] = {}
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        own = labels[box] == label
        strength = float(np.quantile(ink[box][own], 0.9))
        if max(lengths(box)) >= min_size and _is_sharp(
            own, steepness[box], strength, pixel
        ):
            strengths[label] = strength
        else:
            labels[box][own] = 0
    return labels, strengths


def strength_along(
    ink: FloatImage, own: Mask, reach: float = 0.12, minimum: float = 0.5
) -> FloatImage:
    """The darkest ink nearby: strokes get fainter when a pen runs dry.

    Parameters
    ----------
    ink : ndarray of float32 of shape (height, width)
    own : ndarray of bool of shape (height, width)
        Pixels of the strokes.
    reach : float, default=0.12
        Size of the neighbourhood, as a part of the longer side.
    minimum : float, default=0.5
        Minimum of the result, relative to the strength of all strokes.

    Returns
    -------
    ndarray of float32 of shape (height, width)
    """
    strength = np.quantile(ink[own], 0.9)
    nearby = max(5, round(reach * max(own.shape)))
    darkest = ndimage.maximum_filter(np.where(own, ink, 0), nearby)
    along: FloatImage = np.clip(darkest, minimum * strength, strength)
    return along


def _is_sharp(own: Mask, steepness: FloatImage, strength: float, pixel: float) -> bool:
    """Whether ink ends within a few pixels, as strokes do and shadows do not."""
    outline = own & ~ndimage.binary_erosion(own)
    width = strength / max(float(np.median(steepness[outline])), 1e-6)
    return bool(width <= 6 + pixel + 0.1 * max(own.shape))


def typical_height(boxes: Sequence[Box], shape: Sequence[int]) -> float:
    """Typical height of a digit: the median, weighted by the square of the height.

    Parameters
    ----------
    boxes : list of tuples of slices
        Boxes of connected components.
    shape : tuple of int
        Height and width of the page.

    Returns
    -------
    float
        0 if no component has the height of a digit.
    """
    min_height = _MIN_DIGIT_HEIGHT * max(shape)
    boxes = [box for box in boxes if lengths(box)[0] >= min_height]
    framed = _count_inside(boxes)
    boxes = [box for box, inside in zip(boxes, framed, strict=True) if inside < 3]
    inner = [box for box in boxes if not touches_border(box, shape)]
    heights = np.sort([lengths(box)[0] for box in inner or boxes])
    if heights.size == 0:
        return 0.0
    weights = np.cumsum(heights.astype(np.float64) ** 2)
    return float(heights[np.searchsorted(weights, weights[-1] / 2)])


def _count_inside(boxes: Sequence[Box]) -> list[int]:
    """Number of other boxes inside each box, which is large for frames and edges."""
    if not boxes:
        return []
    starts = np.array([[side.start for side in box] for box in boxes])
    stops = np.array([[side.stop for side in box] for box in boxes])
    return [
        int(((start < starts) & (stops < stop)).all(1).sum())
        for start, stop in zip(starts, stops, strict=True)
    ]


def split_touching(labels: Labels, strengths: dict[int, float], height: float) -> None:
    """Split components wider than a digit where they are joined by a single stroke.

    `labels` and `strengths` are changed in place.

    Parameters
    ----------
    labels : ndarray of int32 of shape (height, width)
    strengths : dict of int to float
    height : float
        Typical height of a digit.
    """
    boxes = ndimage.find_objects(labels)
    waiting = [(label, boxes[label - 1]) for label in strengths]
    following = len(boxes) + 1
    while waiting:
        label, box = waiting.pop()
        tall, wide = lengths(box)
        if wide <= 1.3 * np.clip(tall, height, 1.3 * height):
            continue
        if not 0.5 < tall / height < 2:
            continue
        if wide > 12 * height:
            continue
        own = labels[box] == label
        right = _right_of_seam(own, height)
        if right is None:
            continue
        labels[box][right] = following
        strengths[following] = strengths[label]
        for part, pixels in ((label, own & ~right), (following, right)):
            waiting.append((part, _shifted(bounding_box(pixels), box)))
        following += 1


def _shifted(box: Box, outer: Box) -> Box:
    """A box in an outer box, in pixels of the page."""
    rows, columns = (
        slice(start.start + side.start, start.start + side.stop)
        for side, start in zip(box, outer, strict=True)
    )
    return rows, columns


def _right_of_seam(own: Mask, height: float) -> Mask | None:
    """Pixels to the right of the path from top to bottom that crosses least ink.

    None if the path does not separate two digits.
    """
    tall, wide = own.shape
    stroke = 2 * np.median(_ridge(own))
    first, last = round(0.3 * height), wide - round(0.3 * height)
    if last - first < 3:
        return None
    cost = own[:, first:last] + 1e-3
    total = np.zeros_like(cost)
    came = np.zeros(cost.shape, dtype=np.int8)
    total[0] = cost[0]
    for row in range(1, tall):
        above = np.pad(total[row - 1], 1, constant_values=np.inf)
        # Diagonal steps are longer, so they cost more.
        choices = np.stack([above[:-2] + 0.01, above[1:-1], above[2:] + 0.01])
        came[row] = choices.argmin(0) - 1
        total[row] = cost[row] + choices.min(0)
    column = int(total[-1].argmin())
    right: Mask = np.zeros(own.shape, dtype=bool)
    seam = np.zeros(tall, dtype=np.intp)
    for row in range(tall - 1, -1, -1):
        seam[row] = first + column
        right[row, first + column :] = True
        column += int(came[row, column])
    right &= own
    crossed = own[np.arange(tall), seam].sum()
    holes = ndimage.binary_fill_holes(own) & ~own
    # A seam through a hole cuts the bowl of a digit.
    if crossed > 1.5 * stroke or holes[np.arange(tall), seam].sum() > 0.1 * height:
        return None
    for part in (right, own & ~right):
        rows = np.flatnonzero(part.any(1))
        if rows.size == 0 or np.ptp(rows) + 1 < 0.75 * min(tall, height):
            return None
    return right


def _ridge(own: Mask) -> NDArray[np.float64]:
    """Half the width of the stroke, along its centre line."""
    depth = ndimage.distance_transform_edt(np.pad(own, 1))[1:-1, 1:-1]
    ridge: NDArray[np.float64] = depth[
        own & (depth >= ndimage.maximum_filter(depth, 3))
    ]
    return ridge


def merge_parts(
    labels: Labels, strengths: dict[int, float], height: float
) -> list[Digit]:
    """Merge components that are parts of one digit.

    Parameters
    ----------
    labels : ndarray of int32 of shape (height, width)
    strengths : dict of int to float
    height : float
        Typical height of a digit.

    Returns
    -------
    list of (labels, box)
        Labels of the components of each digit, and its bounding box.
    """
    boxes = ndimage.find_objects(labels)
    parts = [
        ([label], boxes[label - 1])
        for label in strengths
        if max(lengths(boxes[label - 1])) >= 0.1 * height
    ]
    parts.sort(key=lambda part: -max(lengths(part[1])))
    parts = parts[:_MAX_COMPONENTS]
    merged = True
    while merged:
        merged = False
        pairs = sorted(
            (gap, first, second)
            for first, part in enumerate(parts)
            for second, other in enumerate(parts[:first])
            if (gap := _box_gap(part[1], other[1])) <= 0.25 * height
            and _fit_together(part[1], other[1], gap, height)
        )
        taken = set()
        for _, first, second in pairs:
            if first in taken or second in taken:
                continue
            if _pixel_gap(labels, parts[first], parts[second]) > 0.25 * height:
                continue
            taken |= {first, second}
            box = _union(parts[first][1], parts[second][1])
            parts.append((parts[first][0] + parts[second][0], box))
            merged = True
        parts = [part for index, part in enumerate(parts) if index not in taken]
    return parts


def _union(box: Box, other: Box) -> Box:
    rows, columns = (
        slice(min(a.start, b.start), max(a.stop, b.stop))
        for a, b in zip(box, other, strict=True)
    )
    return rows, columns


def _box_gap(box: Box, other: Box) -> int:
    gaps = (
        max(a.start, b.start) - min(a.stop, b.stop)
        for a, b in zip(box, other, strict=True)
    )
    return int(max(0, *gaps))


def _fit_together(box: Box, other: Box, gap: int, height: float) -> bool:
    """Whether two boxes of a gap may be parts of one digit, given its height."""
    tall, wide = lengths(_union(box, other))
    if tall > 1.4 * height or wide > 1.3 * height:
        return False
    (tall_a, wide_a), (tall_b, wide_b) = lengths(box), lengths(other)
    overlap = min(box[1].stop, other[1].stop) - max(box[1].start, other[1].start)
    if overlap >= 0.5 * min(wide_a, wide_b):
        return True
    # Tall components side by side are two digits.
    max_height = 0.5 if gap > 0 else 0.65
    return min(tall_a, tall_b) <= max_height * height and gap <= 0.15 * height


def _pixel_gap(labels: Labels, part: Digit, other: Digit) -> float:
    """Distance between the nearest pixels of two parts."""
    box = _union(part[1], other[1])
    inside = labels[box]
    distance = ndimage.distance_transform_edt(~np.isin(inside, part[0]))
    return float(distance[np.isin(inside, other[0])].min(initial=np.inf))
