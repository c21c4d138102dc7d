"""Connected ink: specks dropped, parts of a digit merged, touching digits split."""

import numpy as np
from scipy import ndimage

from skdigits.images._boxes import EIGHT_NEIGHBOURS, lengths, touches_border

# Smaller components, as a part of the longer side of the page, are dust.
_DUST = 0.004

# No digit is less high than this part of the longer side.
_LEAST_HEIGHT = 0.012

# More components than this are the texture of something.
_MOST_COMPONENTS = 600


def label_strokes(ink, mask, pixel=1.0):
    """Label connected ink, each as far as half of its own strength.

    Parameters
    ----------
    ink : ndarray of float32 of shape (height, width)
    mask : ndarray of bool of shape (height, width)
        Where ink is more than noise.
    pixel : float, default=1.0
        Across a pixel of the picture, which may be smaller than what is looked at.

    Returns
    -------
    labels : ndarray of int32 of shape (height, width)
        0 where there is none.
    strengths : dict of int to float
        How dark the ink of each label is.
    """
    dust = max(3, _DUST * max(mask.shape))
    strokes = np.zeros(mask.shape, dtype=bool)
    labels, _ = ndimage.label(mask, EIGHT_NEIGHBOURS)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if max(lengths(box)) >= dust:
            own = labels[box] == label
            strokes[box] |= own & (ink[box] >= strength_along(ink[box], own) / 2)
    labels, _ = ndimage.label(strokes, EIGHT_NEIGHBOURS)
    steepness = ndimage.gaussian_gradient_magnitude(ink, 1)
    strengths = {}
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        own = labels[box] == label
        strength = float(np.quantile(ink[box][own], 0.9))
        if max(lengths(box)) >= dust and _is_sharp(
            own, steepness[box], strength, pixel
        ):
            strengths[label] = strength
        else:
            labels[box][own] = 0
    return labels, strengths


def strength_along(ink, own, reach=0.12, least=0.5):
    """How dark strokes are, which get fainter where a pen fails.

    Parameters
    ----------
    ink : ndarray of float32 of shape (height, width)
    own : ndarray of bool of shape (height, width)
        Pixels of the strokes.
    reach : float, default=0.12
        How far to look, as a part of the longer side.
    least : float, default=0.5
        What strength is at least, as a part of what is usual in these strokes.

    Returns
    -------
    ndarray of float32 of shape (height, width)
        The darkest ink nearby.
    """
    strength = np.quantile(ink[own], 0.9)
    nearby = max(5, round(reach * max(own.shape)))
    darkest = ndimage.maximum_filter(np.where(own, ink, 0), nearby)
    return np.clip(darkest, least * strength, strength)


def _is_sharp(own, steepness, strength, pixel):
    """Whether it ends like a stroke, over a few pixels, and not like a shadow."""
    outline = own & ~ndimage.binary_erosion(own)
    width = strength / max(float(np.median(steepness[outline])), 1e-6)
    return width <= 6 + pixel + 0.1 * max(own.shape)


def typical_height(boxes, shape):
    """How high digits are, of which most ink is.

    Parameters
    ----------
    boxes : list of tuples of slices
    shape : tuple of int
        Height and width of the page.

    Returns
    -------
    float
        0 where nothing is as high as a digit.
    """
    least = _LEAST_HEIGHT * max(shape)
    boxes = [box for box in boxes if lengths(box)[0] >= least]
    framed = _count_inside(boxes)
    boxes = [box for box, inside in zip(boxes, framed, strict=True) if inside < 3]
    inner = [box for box in boxes if not touches_border(box, shape)]
    heights = np.sort([lengths(box)[0] for box in inner or boxes])
    if heights.size == 0:
        return 0.0
    weights = np.cumsum(heights.astype(np.float64) ** 2)
    return float(heights[np.searchsorted(weights, weights[-1] / 2)])


def _count_inside(boxes):
    """How many others lie in each box: in those of frames and edges, not of digits."""
    if not boxes:
        return []
    starts = np.array([[side.start for side in box] for box in boxes])
    stops = np.array([[side.stop for side in box] for box in boxes])
    return [
        int(((start < starts) & (stops < stop)).all(1).sum())
        for start, stop in zip(starts, stops, strict=True)
    ]


def split_touching(labels, strengths, height):
    """Split components that are wider than a digit where one stroke holds them.

    Both arguments are changed in place.

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
            rows, columns = ndimage.find_objects(pixels.astype(np.int8))[0]
            waiting.append(
                (
                    part,
                    (
                        slice(box[0].start + rows.start, box[0].start + rows.stop),
                        slice(
                            box[1].start + columns.start, box[1].start + columns.stop
                        ),
                    ),
                )
            )
        following += 1


def _right_of_seam(own, height):
    """Pixels to the right of the path from top to bottom that crosses least ink."""
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
        # Slanting paths are longer, and so dearer.
        choices = np.stack([above[:-2] + 0.01, above[1:-1], above[2:] + 0.01])
        came[row] = choices.argmin(0) - 1
        total[row] = cost[row] + choices.min(0)
    column = int(total[-1].argmin())
    right = np.zeros(own.shape, dtype=bool)
    seam = np.zeros(tall, dtype=np.intp)
    for row in range(tall - 1, -1, -1):
        seam[row] = first + column
        right[row, first + column :] = True
        column += int(came[row, column])
    right &= own
    crossed = own[np.arange(tall), seam].sum()
    holes = ndimage.binary_fill_holes(own) & ~own
    # A bowl is of one digit.
    if crossed > 1.5 * stroke or holes[np.arange(tall), seam].sum() > 0.1 * height:
        return None
    for part in (right, own & ~right):
        rows = np.flatnonzero(part.any(1))
        if rows.size == 0 or np.ptp(rows) + 1 < 0.75 * min(tall, height):
            return None
    return right


def _ridge(own):
    """Half the width of the stroke along its middle."""
    depth = ndimage.distance_transform_edt(np.pad(own, 1))[1:-1, 1:-1]
    return depth[own & (depth >= ndimage.maximum_filter(depth, 3))]


def merge_parts(labels, strengths, height):
    """Put together what is of one digit.

    Parameters
    ----------
    labels : ndarray of int32 of shape (height, width)
    strengths : dict of int to float
    height : float
        Typical height of a digit.

    Returns
    -------
    list of tuple
        Labels and box of each digit.
    """
    boxes = ndimage.find_objects(labels)
    parts = [
        ([label], boxes[label - 1])
        for label in strengths
        if max(lengths(boxes[label - 1])) >= 0.1 * height
    ]
    parts.sort(key=lambda part: -max(lengths(part[1])))
    parts = parts[:_MOST_COMPONENTS]
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


def _union(box, other):
    return tuple(
        slice(min(a.start, b.start), max(a.stop, b.stop))
        for a, b in zip(box, other, strict=True)
    )


def _box_gap(box, other):
    gaps = (
        max(a.start, b.start) - min(a.stop, b.stop)
        for a, b in zip(box, other, strict=True)
    )
    return max(0, *gaps)


def _fit_together(box, other, gap, height):
    tall, wide = lengths(_union(box, other))
    if tall > 1.4 * height or wide > 1.3 * height:
        return False
    (tall_a, wide_a), (tall_b, wide_b) = lengths(box), lengths(other)
    overlap = min(box[1].stop, other[1].stop) - max(box[1].start, other[1].start)
    if overlap >= 0.5 * min(wide_a, wide_b):
        return True
    # Side by side are two digits, unless one is but a part.
    least = 0.5 if gap > 0 else 0.65
    return min(tall_a, tall_b) <= least * height and gap <= 0.15 * height


def _pixel_gap(labels, part, other):
    box = _union(part[1], other[1])
    inside = labels[box]
    distance = ndimage.distance_transform_edt(~np.isin(inside, part[0]))
    return distance[np.isin(inside, other[0])].min(initial=np.inf)
