"""Strokes: connected components of ink, arranged in chains of neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from skdigits.images._boxes import (
    EIGHT_NEIGHBOURS,
    Box,
    FloatImage,
    Labels,
    Mask,
    lengths,
    to_array,
    touches_border,
)

# Minimum size of a component, and minimum height of a digit, as parts of the longer
# side of the page. Smaller components are dust.
_MIN_COMPONENT = 0.004
_MIN_DIGIT_HEIGHT = 0.012

# Maximum number of components: more are the texture of a surface. The largest are kept.
_MAX_COMPONENTS = 800

# Components that are higher, relative to their width, are the sides of a frame, and not
# the digit 1.
_MAX_SLENDER = 12

# A stroke ends where its ink falls below this share of the darkest ink in a square of
# the second size, relative to the typical height.
_MIN_SHARE, _NEARBY = 0.3, 0.2

# Neighbours of a chain share this part of the height of the lower one, and have at most
# this gap between them, relative to the higher one.
_MIN_OVERLAP, _MAX_GAP = 0.5, 3.0

# Higher or wider components, relative to the typical height, are not digits.
_MAX_HEIGHT, _MAX_WIDTH = 3.0, 12

# Smaller components in a corner, relative to the shorter side of the page, lie outside
# of the paper. Narrower ones at a side, relative to the typical height, are its edge.
_MIN_IN_CORNER, _MIN_AT_SIDE = 0.4, 0.2

# A stroke across several digits has at least this width, relative to the typical
# height, and at most this multiple of the ink of a level line.
_MIN_LINE_WIDTH, _MAX_LINE_INK = 2, 1.8

# Ink of strokes ends within this many pixels, and this part of their longer side.
_MAX_BLUR, _MAX_BLUR_PART = 6, 0.1

# Components with this many others inside are frames, or edges of the paper.
_MIN_INSIDE = 3


@dataclass(frozen=True, eq=False)
class Strokes:
    """The components of a page.

    `labels` are 0 for paper, and for components without a box, which are not strokes.
    `share` is the ink relative to the darkest ink nearby, in [0, 1], and `height` the
    typical height of a digit. `strengths` are the darkness of the components.
    """

    labels: Labels
    boxes: dict[int, Box]
    strengths: dict[int, float]
    share: FloatImage
    height: float


def find_strokes(ink: FloatImage, mask: Mask, pixel: float = 1.0) -> Strokes:
    """Label the connected components of ink with sharp edges.

    `mask` is where ink is more than noise, and `pixel` the size of a pixel of the
    original image, which may have been enlarged.
    """
    min_size = max(3, _MIN_COMPONENT * max(mask.shape))
    labels, _ = ndimage.label(mask, EIGHT_NEIGHBOURS)
    boxes = [
        box for box in ndimage.find_objects(labels) if max(lengths(box)) >= min_size
    ]
    height = typical_height(boxes, mask.shape)
    if height == 0:
        return Strokes(np.zeros_like(labels), {}, {}, np.zeros_like(ink), 0.0)
    nearby = max(5, round(_NEARBY * height))
    share = ink / np.maximum(ndimage.maximum_filter(ink * mask, nearby), 1e-3)
    share = np.minimum(share, 1, out=share)
    labels, _ = ndimage.label(mask & (share >= _MIN_SHARE), EIGHT_NEIGHBOURS)
    steepness = ndimage.gaussian_gradient_magnitude(ink, 1)
    kept: dict[int, Box] = {}
    strengths: dict[int, float] = {}
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if max(lengths(box)) < min_size:
            continue
        own = labels[box] == label
        strengths[label] = float(np.quantile(ink[box][own], 0.9))
        if _is_sharp(own, steepness[box], strengths[label], pixel):
            kept[label] = box
    if len(kept) > _MAX_COMPONENTS:
        largest = sorted(kept, key=lambda label: -max(lengths(kept[label])))
        kept = {label: kept[label] for label in sorted(largest[:_MAX_COMPONENTS])}
    height = typical_height(list(kept.values()), mask.shape)
    kept = {
        label: box
        for label, box in kept.items()
        if not _is_background(box, mask.shape, height)
        and not _is_line(labels[box] == label, height)
    }
    return Strokes(labels, kept, strengths, share, height)


def _is_sharp(own: Mask, steepness: FloatImage, strength: float, pixel: float) -> bool:
    """Whether ink ends within a few pixels, as strokes do and shadows do not."""
    outline = own & ~ndimage.binary_erosion(own)
    width = strength / max(float(np.median(steepness[outline])), 1e-6)
    return bool(width <= _MAX_BLUR + pixel + _MAX_BLUR_PART * max(own.shape))


def _is_background(box: Box, shape: Sequence[int], height: float) -> bool:
    """Whether ink is an edge of the paper, a frame, or lies outside of the paper."""
    tall, wide = lengths(box)
    if tall > _MAX_HEIGHT * height or wide > _MAX_WIDTH * height:
        return True
    at_end, at_side = (
        touches_border(box[axis : axis + 1], shape[axis : axis + 1]) for axis in (0, 1)
    )
    in_corner = at_end and at_side and max(tall, wide) < _MIN_IN_CORNER * min(shape)
    return in_corner or (at_side and wide < _MIN_AT_SIDE * height)


def _is_line(own: Mask, height: float) -> bool:
    """Whether a component is a single stroke across several digits."""
    wide = own.shape[1]
    if wide < _MIN_LINE_WIDTH * height:
        return False
    return bool(own.sum() < _MAX_LINE_INK * wide * stroke_width(own))


def stroke_width(own: Mask) -> float:
    """Typical width of the strokes of a component, in pixels."""
    depth = ndimage.distance_transform_edt(np.pad(own, 1))[1:-1, 1:-1]
    ridge = own & (depth >= ndimage.maximum_filter(depth, 3))
    return 2 * float(np.median(depth[ridge]))


def typical_height(boxes: Sequence[Box], shape: Sequence[int]) -> float:
    """Typical height of a digit on a page of a shape, 0 if there are none.

    The median, weighted by the area of the box: there may be much dust.
    """
    min_height = _MIN_DIGIT_HEIGHT * max(shape)
    boxes = [box for box in boxes if lengths(box)[0] >= min_height]
    boxes = [box for box in boxes if not _is_slender(box)] or boxes
    ends = to_array(boxes) * [1, -1]
    n_inside = [np.count_nonzero((own < ends).all((1, 2))) for own in ends]
    boxes = [box for box, n in zip(boxes, n_inside, strict=True) if n < _MIN_INSIDE]
    inner = [box for box in boxes if not touches_border(box, shape)]
    return median_height(inner or boxes)


def _is_slender(box: Box) -> bool:
    tall, wide = lengths(box)
    return tall > _MAX_SLENDER * wide


def median_height(boxes: Sequence[Box]) -> float:
    """Median height of boxes, weighted by their areas; 0 if there are none."""
    if not boxes:
        return 0.0
    heights, widths = np.ptp(to_array(boxes), axis=2).T
    order = np.argsort(heights)
    weights = np.cumsum((heights * widths)[order])
    return float(heights[order][np.searchsorted(weights, weights[-1] / 2)])


def to_chains(boxes: dict[int, Box]) -> list[list[int]]:
    """Link each component to its right neighbour at the same height.

    Returns the labels of each chain, from left to right.
    """
    labels = sorted(
        boxes, key=lambda label: boxes[label][1].start + boxes[label][1].stop
    )
    sides = to_array([boxes[label] for label in labels])
    (top, bottom), (left, right) = sides.transpose(1, 2, 0)
    tall = bottom - top
    chain = np.arange(len(labels))
    for index in range(len(labels)):
        overlap = np.minimum(bottom[index], bottom) - np.maximum(top[index], top)
        gap = left - right[index]
        level = overlap >= _MIN_OVERLAP * np.minimum(tall[index], tall)
        near = gap <= _MAX_GAP * np.maximum(tall[index], tall)
        following = np.flatnonzero((level & near)[index + 1 :]) + index + 1
        if following.size:
            nearest = following[np.argmin(gap[following])]
            chain[chain == chain[index]] = chain[nearest]
    chains: dict[int, list[int]] = {}
    for label, number in zip(labels, chain, strict=True):
        chains.setdefault(int(number), []).append(label)
    return list(chains.values())
