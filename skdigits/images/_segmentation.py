"""Find the digits of a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._background import divide_by_paper, page_background
from skdigits.images._boxes import (
    EIGHT_NEIGHBOURS,
    Box,
    FloatImage,
    Labels,
    Mask,
    lengths,
    touches_border,
)
from skdigits.images._connected_components import (
    Digit,
    label_strokes,
    merge_parts,
    split_touching,
    strength_along,
    typical_height,
)
from skdigits.images._errors import BlankImageError
from skdigits.images._loading import ImageLike, load_page
from skdigits.images._normalize import fit_to_box, ink_of_digit, place
from skdigits.images._reading_order import to_rows
from skdigits.images._resampling import resize, shrink
from skdigits.images._ruling import find_lines

# Sizes of images in pixels of the longer side: smaller images show a digit or a few;
# pages are shrunk to the maximum, or enlarged to the minimum, to find digits.
_MIN_PAGE_PIXELS = 300
_MAX_WORKING_PIXELS = 1600
_MIN_WORKING_PIXELS = 600

# Standard deviation of the Gaussian that removes noise from a page, as a part of the
# longer side.
_PAGE_SMOOTHING = 1 / 2000

# Sizes relative to the typical height of a digit: minimum height, maximum width, and
# minimum length of the longest stroke.
_MIN_RELATIVE_HEIGHT = 0.4
_MAX_RELATIVE_WIDTH = 2.5
_MIN_RELATIVE_STROKE = 0.35

# Ink of digits is at least this dark, relative to typical ink; in a small image, where
# typical ink is 1, all ink is.
_MIN_STRENGTH = 0.35

# Faint strokes are narrower than this, relative to the longer side of the digit.
_MAX_FAINT_WIDTH = 0.2


@dataclass(frozen=True, eq=False)
class DigitRegion:
    """A digit found on a page.

    Parameters
    ----------
    box : tuple of int
        Bounding box in pixels of the page: top, left, bottom and right, of which bottom
        and right are exclusive.
    row : int
        Index of its row, from 0 at the top.
    column : int
        Index in its row, from 0 at the left.
    image : ndarray of uint8 of shape (28, 28)
        The digit in the format of MNIST, without neighbours and ruled lines: 0 for
        paper to 255 for ink.
    status : {"ok", "cut"}
        "cut" if the border of the page cuts through the digit.

    See Also
    --------
    find_digits : Find the digits of a page.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import find_digits
    >>> page = np.ones((200, 300))
    >>> page[60:120, 50:58] = page[60:120, 150:158] = 0.1
    >>> region = find_digits(page)[1]
    >>> region.row, region.column, region.status
    (0, 1, 'ok')
    """

    __module__ = "skdigits.images"

    box: tuple[int, int, int, int]
    row: int
    column: int
    image: NDArray[np.uint8]
    status: Literal["ok", "unsure", "cut"]


def find_digits(image: ImageLike) -> list[DigitRegion]:
    """Find the digits of a photographed or scanned page.

    Ignores shadows, dust, paper edges and ruled or grid lines. Rows of digits may
    slope.

    Parameters
    ----------
    image : str, path-like, file object, PIL.Image.Image or array-like
        Any image that :func:`load_image` takes, of dark digits on light paper or light
        digits on dark paper.

    Returns
    -------
    list of DigitRegion
        The digits in reading order. Empty if none are found.

    Raises
    ------
    ImageError
        If the image cannot be read, see :func:`load_image`.

    See Also
    --------
    read_digits : Find and classify the digits of a page.
    normalize_digit : Normalize the image of a single digit.

    Notes
    -----
    Any connected ink of the size of a digit is returned, letters included. Digits lower
    than about 1/80 of the longer side of the image are missed.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import find_digits
    >>> page = np.ones((200, 300))
    >>> page[60:120, 50:58] = page[60:120, 150:158] = 0.1
    >>> [region.image.shape for region in find_digits(page)]
    [(28, 28), (28, 28)]
    """
    grey, shape = load_page(image, _MAX_WORKING_PIXELS)
    small = max(shape) < _MIN_PAGE_PIXELS
    ink, mask = _ink_of_few(grey) if small else _ink_of_page(grey)
    if min(ink.shape) < 8 or not mask.any():
        return []
    pixel = max(1, max(ink.shape) / max(shape))
    labels, strengths = label_strokes(ink, mask, pixel)
    digits = _find(labels, strengths)
    boxes = [box for _, box in digits]
    regions = []
    for row, indices in enumerate(to_rows(boxes)):
        for column, index in enumerate(indices):
            parts, box = digits[index]
            cut = _is_cut(box, boxes, ink.shape)
            regions.append(
                DigitRegion(
                    box=_scaled(box, shape, ink.shape),
                    row=row,
                    column=column,
                    image=_normalized(ink, mask, labels, parts, box),
                    status="cut" if cut else "ok",
                )
            )
    return regions


def _to_working_size(image: FloatImage) -> FloatImage:
    longer = max(image.shape)
    if longer > _MAX_WORKING_PIXELS:
        return shrink(image, _MAX_WORKING_PIXELS)
    scale = max(1, _MIN_WORKING_PIXELS / longer)
    return resize(image, tuple(max(1, round(side * scale)) for side in image.shape))


def _ink_of_page(grey: FloatImage) -> tuple[FloatImage, Mask]:
    """Ink at the working size, and where there are strokes; ruled lines are removed."""
    grey = _to_working_size(grey)
    ink, min_ink = divide_by_paper(grey, page_background(grey), _PAGE_SMOOTHING)
    mask = ink > min_ink
    ink = np.clip(ink, 0, 1)
    lines = find_lines(ink, mask)
    ink[lines] = 0
    return ink, mask & ~lines


def _ink_of_few(grey: FloatImage) -> tuple[FloatImage, Mask]:
    """`_ink_of_page` for a small image, which a digit or a few may fill."""
    try:
        ink, _ = ink_of_digit(grey)
    except BlankImageError:
        ink = np.zeros_like(grey)
    ink = _to_working_size(ink)
    return ink, ink > _MIN_STRENGTH


def _find(labels: Labels, strengths: dict[int, float]) -> list[Digit]:
    """Group labels of strokes to digits; labels of backgrounds are set to 0."""
    boxes = ndimage.find_objects(labels)
    height = typical_height([boxes[label - 1] for label in strengths], labels.shape)
    if height == 0:
        return []
    for label in list(strengths):
        box = boxes[label - 1]
        if _is_background(box, labels.shape, height):
            labels[box][labels[box] == label] = 0
            del strengths[label]
    split_touching(labels, strengths, height)
    digits = merge_parts(labels, strengths, height)
    boxes = ndimage.find_objects(labels)
    strength = [max(strengths[part] for part in parts) for parts, _ in digits]
    if not digits:
        return []
    typical = _typical_strength(strength, labels, digits)
    return [
        digit
        for digit, own in zip(digits, strength, strict=True)
        if lengths(digit[1])[0] >= _MIN_RELATIVE_HEIGHT * height
        and lengths(digit[1])[1] <= _MAX_RELATIVE_WIDTH * height
        and own >= _MIN_STRENGTH * typical
        and _has_stroke(digit[0], boxes, height)
    ]


def _typical_strength(
    strength: Sequence[float], labels: Labels, digits: Sequence[Digit]
) -> float:
    """Median darkness by area: pieces of lines may outnumber digits."""
    pixels = np.bincount(labels.ravel())
    amounts = [pixels[parts].sum() for parts, _ in digits]
    order = np.argsort(strength)
    shares = np.cumsum(np.take(amounts, order))
    return float(strength[order[np.searchsorted(shares, shares[-1] / 2)]])


def _has_stroke(parts: Sequence[int], boxes: Sequence[Box], height: float) -> bool:
    """Whether a digit is more than a row of dots, such as the holes of a binding."""
    return any(
        max(lengths(boxes[part - 1])) >= _MIN_RELATIVE_STROKE * height for part in parts
    )


def _is_background(box: Box, shape: Sequence[int], height: float) -> bool:
    """Whether ink is an edge of the paper, or lies outside of the paper."""
    tall, wide = lengths(box)
    if touches_border(box, shape):
        sliver = wide < 0.2 * height and touches_border(box[1:], shape[1:])
        return sliver or tall > 1.8 * height or wide > 1.8 * height
    return tall > 3 * height


def _is_cut(box: Box, boxes: Sequence[Box], shape: Sequence[int]) -> bool:
    """Whether a digit reaches a border while there is paper at the opposite one.

    Tightly cropped images have digits at both.
    """
    slack = 0.15 * max(lengths(box))
    for axis, size in enumerate(shape):
        before = min(other[axis].start for other in boxes)
        after = size - max(other[axis].stop for other in boxes)
        if box[axis].start <= 1 and after > slack:
            return True
        if box[axis].stop >= size - 1 and before > slack:
            return True
    return False


def _scaled(
    box: Box, shape: Sequence[int], working_shape: Sequence[int]
) -> tuple[int, int, int, int]:
    """Map a box from the working image back to the original."""
    sides = list(zip(box, shape, working_shape, strict=True))
    starts = [side.start * old // new for side, old, new in sides]
    stops = [-(-side.stop * old // new) for side, old, new in sides]
    return starts[0], starts[1], stops[0], stops[1]


def _normalized(
    ink: FloatImage, mask: Mask, labels: Labels, parts: Sequence[int], box: Box
) -> NDArray[np.uint8]:
    """A digit without its neighbours, in the format of MNIST."""
    margin = max(2, round(max(lengths(box)) / 20))
    rows, columns = (slice(max(0, s.start - margin), s.stop + margin) for s in box)
    box = rows, columns
    own = np.isin(labels[box], parts)
    own = _with_faint(own, (labels[box] == 0) & mask[box], ink[box])
    strength = strength_along(ink[box], own, reach=0.06, minimum=0.25)
    share = np.minimum(ink[box] / strength, 1)
    near = ndimage.binary_dilation(own, iterations=margin)
    near &= np.isin(labels[box], [0, *parts])
    return place(fit_to_box(np.where(near, share, 0), 20), 28)


def _with_faint(own: Mask, others: Mask, ink: FloatImage) -> Mask:
    """Strokes and the faint strokes connected to them; wide areas are shadows."""
    wide = ndimage.grey_opening(ink, max(3, round(_MAX_FAINT_WIDTH * max(own.shape))))
    labels, _ = ndimage.label(own | (others & (ink > 2 * wide)), EIGHT_NEIGHBOURS)
    connected: Mask = np.isin(labels, np.unique(labels[own]))
    return connected
