"""Normalize the image of a single digit to the format of MNIST."""

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import (
    EIGHT_NEIGHBOURS,
    Box,
    FloatImage,
    Mask,
    bounding_box,
    lengths,
)
from skdigits.images._digit_ink import ink_of_digit
from skdigits.images._errors import CutDigitError, SeveralDigitsError
from skdigits.images._loading import ImageLike, load_image
from skdigits.images._resampling import resize, shrink

# Pixels of a digit per pixel of the result, when its edges are sharpened.
_OVERSAMPLING = 5

# Images are shrunk to this many pixels of the longer side: more show no more detail.
MAX_DIGIT_PIXELS = 800

# Images whose darkest ink, from 0 to 1, is at least this dark keep their grey levels:
# all of MNIST's are.
_MIN_FULL_INK = 0.9

# Connected pieces smaller than this share of the area of the largest one are specks.
_MIN_PIECE = 0.03


def normalize_digit(
    image: ImageLike, *, size: int = 28, box_size: int = 20
) -> NDArray[np.uint8]:
    """Normalize the image of a single digit to the format of MNIST.

    The digit is scaled to fit a box of `box_size` x `box_size` pixels, keeping its
    aspect ratio, with anti-aliased edges. Its centre of mass is moved to the centre of
    the result, which is index 14 for 28 pixels. Images of MNIST are returned unchanged.

    Parameters
    ----------
    image : str, path-like, file object, PIL.Image.Image or array-like
        Any image that :func:`load_image` takes, of a dark digit on light paper or a
        light digit on dark paper.
    size : int, default=28
        Height and width of the result in pixels, from `box_size` to 1024. ``size=20``
        gives the central 20 x 20 pixels of the 28 x 28 result.
    box_size : int, default=20
        Length of the longer side of the digit in pixels, at least 4.

    Returns
    -------
    ndarray of uint8 of shape (size, size)
        Pixels from 0 for paper to 255 for ink.

    Raises
    ------
    BlankImageError
        If the image has no ink.
    SeveralDigitsError
        If there are several digits side by side.
    CutDigitError
        If the border of the image cuts through the digit.
    ImageError
        If the image cannot be read, see :func:`load_image`.
    ValueError
        If `size` or `box_size` is invalid.

    See Also
    --------
    find_digits : Find the digits of a page.
    DigitImageTransformer : Normalize many images, as a step of a Pipeline.

    Notes
    -----
    The format is described in [1]_. Of the 60,000 training images of MNIST, all but one
    are returned unchanged.

    Whether ink is darker or lighter than paper is decided along the border, most of
    which is paper. A digit that was cropped tightly may touch too much of it. So for
    binary images, and for images of at most 64 pixels, two more properties count if
    neither tone covers 70 % of the border: paper has more of the four corners, and
    forms more connected pieces.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, and P. Haffner, "Gradient-based learning
       applied to document recognition", Proceedings of the IEEE 86 (1998).

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import normalize_digit
    >>> one = np.ones((90, 60))
    >>> one[20:70, 25:33] = 0.2
    >>> pixels = normalize_digit(one)
    >>> pixels.shape, pixels[14, 12:17]
    ((28, 28), array([  0, 255, 255, 255,   0], dtype=uint8))
    """
    check_sizes(size, box_size)
    ink, even = ink_of_digit(shrink(load_image(image), MAX_DIGIT_PIXELS))
    return normalize(ink, even, size, box_size)[0]


def normalize(
    ink: FloatImage, even: bool, size: int = 28, box_size: int = 20
) -> tuple[NDArray[np.uint8], Box]:
    """`normalize_digit` of the result of `ink_of_digit`, and the box of the digit."""
    box = bounding_box(ink > 0)
    share = box_size / size if even else None
    if even and ink.max() >= _MIN_FULL_INK:
        if _is_normalized(ink, box, size, box_size):
            return _to_uint8(ink), box
        if max(lengths(box)) == box_size:
            _check_whole(box, ink.shape, share)
            return place(ink[box], size), box
    strongest = ink[_without_specks(ink > ink.max() / 2)].max()
    ink = np.minimum(ink / strongest, 1)
    mask = _without_specks(ink > 0.5)
    box = bounding_box(mask)
    _check_whole(box, ink.shape, share)
    _check_single(mask)
    # The pixels along the edges are grey.
    reach = max(1, round(max(lengths(box)) / 40))
    near = ndimage.maximum_filter(mask, 2 * reach + 1)
    return place(fit_to_box(np.where(near, ink, 0), box_size), size), box


def check_sizes(size: int, box_size: int) -> None:
    """Raise if a size is invalid."""
    for name, value in (("size", size), ("box_size", box_size)):
        if not isinstance(value, Integral) or not 4 <= value <= 1024:
            raise ValueError(
                f"{name} must be an int from 4 to 1024. Got {value!r} instead."
            )
    if box_size > size:
        raise ValueError(
            f"box_size must be at most size={size}. Got {box_size} instead."
        )


def fit_to_box(ink: FloatImage, box_size: int) -> FloatImage:
    """Crop a digit and scale its longer side to `box_size` pixels, with sharp edges.

    The ink, given and returned, is in [0, 1].
    """
    rows, columns = bounding_box(ink > 0.5)
    height, width = lengths((rows, columns))
    margin = 2
    rows = slice(max(0, rows.start - margin), rows.stop + margin)
    columns = slice(max(0, columns.start - margin), columns.stop + margin)
    ink = ink[rows, columns]
    scale = _OVERSAMPLING * box_size / max(height, width)
    large = resize(ink, [max(1, round(side * scale)) for side in ink.shape])
    # Lines finer than a pixel became fainter.
    large = large / large.max()
    # However blurred it is, a stroke ends where its ink is half of full ink.
    large = np.clip((large - 0.25) / 0.5, 0, 1)
    rows, columns = bounding_box(large > 0.5)
    large = large[rows, columns]
    scale = box_size / max(large.shape)
    small = resize(large, [max(1, round(side * scale)) for side in large.shape])
    # Fine lines are grey only: make them as dark as those of MNIST.
    lines = np.sort(small[small > min(0.1, small.max() / 2)])
    result: FloatImage = np.minimum(small / lines[round(0.9 * (lines.size - 1))], 1)
    return result


def place(ink: FloatImage, size: int) -> NDArray[np.uint8]:
    """Place the centre of mass of ink at the centre of an image of a size."""
    digit = _to_uint8(ink)
    placed = np.zeros((size, size), dtype=np.uint8)
    top, left = (
        min(max(int(np.floor(size / 2 - centre + 0.5)), 0), size - length)
        for centre, length in zip(
            ndimage.center_of_mass(digit), digit.shape, strict=True
        )
    )
    placed[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return placed


def _to_uint8(ink: FloatImage) -> NDArray[np.uint8]:
    return np.rint(255 * ink).astype(np.uint8)


def _without_specks(mask: Mask) -> Mask:
    labels, number = ndimage.label(mask, EIGHT_NEIGHBOURS)
    areas = np.bincount(labels.ravel(), minlength=number + 1)
    areas[0] = 0
    large: Mask = (areas >= _MIN_PIECE * areas.max())[labels] & mask
    return large


def _check_single(mask: Mask) -> None:
    """Refuse tall pieces side by side with gaps between them."""
    labels, number = ndimage.label(mask, EIGHT_NEIGHBOURS)
    if number < 2:
        return
    boxes = ndimage.find_objects(labels)
    tallest = max(lengths(box)[0] for box in boxes)
    tall = sorted(
        (box[1].start, box[1].stop)
        for box in boxes
        if lengths(box)[0] >= max(0.6 * tallest, 5)
    )
    for (_, stop), (start, _) in pairwise(tall):
        if start - stop >= max(0.08 * tallest, 2):
            raise SeveralDigitsError(
                "There are several digits side by side where one was expected. Got "
                f"{len(tall)} tall pieces with a gap of {start - stop} pixels. Crop "
                "the image to one digit, or use skdigits.images.find_digits."
            )


def _is_normalized(ink: FloatImage, box: Box, size: int, box_size: int) -> bool:
    """Whether an image has the format already.

    The centre of a few digits of MNIST lies between two pixels, and 13 of its 60,000
    training images have lost a row at the border.
    """
    if ink.shape != (size, size):
        return False
    longer = max(lengths(box))
    cut = any(side.stop == size for side in box)
    if longer != box_size and not (cut and longer == box_size - 1):
        return False
    centres = ndimage.center_of_mass(ink)
    return all(abs(centre - size / 2) < 0.501 for centre in centres)


def _check_whole(box: Box, shape: Sequence[int], share: float | None) -> None:
    """Refuse ink at one border only: at two opposite ones it is cropped tightly.

    A digit that fills this share of a square image, as in MNIST, is whole: centring the
    mass moves 1 % of digits to the border.
    """
    height, width = shape
    if height == width and share is not None:
        excess = max(lengths(box)) - share * width
        if abs(excess) <= max(1, width / 28):
            return
    for names, side, size in zip(
        (("top", "bottom"), ("left", "right")), box, shape, strict=True
    ):
        before, after = side.start, size - side.stop
        if min(before, after) == 0 and max(before, after) > max(0.15 * size, 4):
            raise CutDigitError(
                f"The {names[int(after == 0)]} border of the image cuts through the "
                "digit. Expected a margin on all sides. Got none there and "
                f"{max(before, after)} pixels on the opposite side. Use an image with "
                "more paper around the digit."
            )
