"""The digits of a page."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from skdigits.images._background import divide_by_paper, page_background
from skdigits.images._boxes import EIGHT_NEIGHBOURS, lengths, touches_border
from skdigits.images._connected_components import (
    label_strokes,
    merge_parts,
    split_touching,
    strength_along,
    typical_height,
)
from skdigits.images._errors import BlankImageError
from skdigits.images._loading import load_page
from skdigits.images._normalize import fit_to_box, ink_of_digit, place
from skdigits.images._reading_order import to_rows
from skdigits.images._resampling import resize, shrink
from skdigits.images._ruling import find_lines

# What has fewer pixels than this by the longer side is no page, but a digit or a few.
_PAGE_PIXELS = 300

# A page is shrunk to the first, or enlarged to the second, before digits are found.
_MAX_PIXELS = 1600
_MIN_PIXELS = 600

# Standard deviation of the Gaussian that removes a camera's noise.
_PAGE_SMOOTHING = 1 / 2000

# Digits are at least this high, beside the typical one.
_LEAST_HEIGHT = 0.4

# Digits are at most this wide, beside the typical height.
_MOST_WIDTH = 2.5

# A digit has a stroke at least this long, beside the typical height.
_LEAST_STROKE = 0.35

# Faint strokes are less wide than this part of a digit.
_FAINT_WIDTH = 0.2

# The ink of digits is at least this dark, beside the typical one.
_LEAST_STRENGTH = 0.35


@dataclass(frozen=True, eq=False)
class DigitRegion:
    """A digit of a page: where it is, and its picture.

    Parameters
    ----------
    box : tuple of int
        Top, left, bottom and right in pixels of the page, the last two exclusive.
    row : int
        Row it is in, from 0 at the top.
    column : int
        Position in its row, from 0 at the left.
    image : ndarray of uint8 of shape (28, 28)
        The digit in the format of MNIST's, without what is around it.
    status : {"ok", "cut"}
        "cut" if the border of the picture cuts through it.

    See Also
    --------
    find_digits : Finds them.

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

    box: tuple
    row: int
    column: int
    image: np.ndarray
    status: str


def find_digits(image):
    """Find the digits of a page, photographed or scanned.

    Shadows, specks, edges of the paper and ruled or squared lines are told from
    digits; rows may slant.

    Parameters
    ----------
    image : str, path-like, file object, PIL.Image.Image or array-like
        What :func:`load_image` takes: dark digits on light paper or light ones on
        dark.

    Returns
    -------
    list of DigitRegion
        In reading order. Empty where there are no digits.

    Raises
    ------
    ImageError
        If the picture cannot be read, see :func:`load_image`.

    See Also
    --------
    normalize_digit : The picture of a single digit.

    Notes
    -----
    Digits are found by their ink and not by their shape: letters are found, too. Those
    of less than about an eightieth of the picture's longer side are not.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import find_digits
    >>> page = np.ones((200, 300))
    >>> page[60:120, 50:58] = page[60:120, 150:158] = 0.1
    >>> [region.image.shape for region in find_digits(page)]
    [(28, 28), (28, 28)]
    """
    whole, shape = load_page(image, _MAX_PIXELS)
    small = max(shape) < _PAGE_PIXELS
    ink, mask = _ink_of_few(whole) if small else _ink_of_page(whole)
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
                    image=_picture(ink, mask, labels, parts, box),
                    status="cut" if cut else "ok",
                )
            )
    return regions


def _to_working_size(image):
    """Shrink or enlarge an image to the size in which digits are looked for."""
    longer = max(image.shape)
    if longer > _MAX_PIXELS:
        return shrink(image, _MAX_PIXELS)
    scale = max(1, _MIN_PIXELS / longer)
    return resize(image, tuple(max(1, round(side * scale)) for side in image.shape))


def _ink_of_page(whole):
    """Ink, and where there are strokes, lines removed."""
    grey = _to_working_size(whole)
    ink, min_ink = divide_by_paper(grey, page_background(grey), _PAGE_SMOOTHING)
    mask = ink > min_ink
    ink = np.clip(ink, 0, 1)
    lines = find_lines(ink, mask)
    ink[lines] = 0
    return ink, mask & ~lines


def _ink_of_few(whole):
    """The same where a digit or a few fill a small picture."""
    try:
        ink, _ = ink_of_digit(whole)
    except BlankImageError:
        ink = np.zeros_like(whole)
    ink = _to_working_size(ink)
    return ink, ink > _LEAST_STRENGTH


def _find(labels, strengths):
    """Labels and box of each digit."""
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
    usual = _usual(strength, labels, digits)
    return [
        digit
        for digit, own in zip(digits, strength, strict=True)
        if lengths(digit[1])[0] >= _LEAST_HEIGHT * height
        and lengths(digit[1])[1] <= _MOST_WIDTH * height
        and own >= _LEAST_STRENGTH * usual
        and _has_stroke(digit[0], boxes, height)
    ]


def _usual(strength, labels, digits):
    """How dark most ink is: there may be more pieces of lines than digits."""
    pixels = np.bincount(labels.ravel())
    amounts = [pixels[parts].sum() for parts, _ in digits]
    order = np.argsort(strength)
    shares = np.cumsum(np.take(amounts, order))
    return strength[order[np.searchsorted(shares, shares[-1] / 2)]]


def _has_stroke(parts, boxes, height):
    """Whether it is more than a row of dots, like the holes of a binding."""
    return any(
        max(lengths(boxes[part - 1])) >= _LEAST_STROKE * height for part in parts
    )


def _is_background(box, shape, height):
    """Whether it is an edge of the paper or what lies around it."""
    tall, wide = lengths(box)
    if touches_border(box, shape):
        sliver = wide < 0.2 * height and touches_border(box[1:], shape[1:])
        return sliver or tall > 1.8 * height or wide > 1.8 * height
    return tall > 3 * height


def _is_cut(box, boxes, shape):
    """Whether it reaches a border while there is paper at the opposite one.

    Pictures cut out tightly have digits at both.
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


def _scaled(box, shape, new_shape):
    """The pixels of the page given that a box of the one looked at lies on."""
    sides = list(zip(box, shape, new_shape, strict=True))
    starts = [side.start * old // new for side, old, new in sides]
    stops = [-(-side.stop * old // new) for side, old, new in sides]
    return *starts, *stops


def _picture(ink, mask, labels, parts, box):
    """A digit alone, in MNIST's format."""
    margin = max(2, round(max(lengths(box)) / 20))
    box = tuple(slice(max(0, s.start - margin), s.stop + margin) for s in box)
    own = np.isin(labels[box], parts)
    own = _with_faint(own, (labels[box] == 0) & mask[box], ink[box])
    strength = strength_along(ink[box], own, reach=0.06, least=0.25)
    share = np.minimum(ink[box] / strength, 1)
    near = ndimage.binary_dilation(own, iterations=margin)
    near &= np.isin(labels[box], [0, *parts])
    return place(fit_to_box(np.where(near, share, 0), 20), 28)


def _with_faint(own, others, ink):
    """Strokes, and what goes on from them where the pen left less ink.

    Shadows are wider than strokes.
    """
    wide = ndimage.grey_opening(ink, max(3, round(_FAINT_WIDTH * max(own.shape))))
    labels, _ = ndimage.label(own | (others & (ink > 2 * wide)), EIGHT_NEIGHBOURS)
    return np.isin(labels, np.unique(labels[own]))
