"""One digit in the format of MNIST."""

from itertools import pairwise
from numbers import Integral

import numpy as np
from scipy import ndimage

from skdigits.images._background import (
    PAPER_SHARE,
    check_contrast,
    differs_from_border,
    digit_background,
    divide_by_paper,
    find_paper,
    has_light_ink,
)
from skdigits.images._boxes import (
    EIGHT_NEIGHBOURS,
    bounding_box,
    lengths,
)
from skdigits.images._errors import CutDigitError, SeveralDigitsError
from skdigits.images._loading import load_image
from skdigits.images._resampling import resize, shrink

# A digit is looked at with this many pixels by its longer side, for each one of the
# result.
_OVERSAMPLING = 5

# Larger pictures of a single digit tell no more.
_MOST_PIXELS = 800

# Standard deviation of the Gaussian that removes noise from a photograph, as a part of
# the longer side: half the smallest detail of a digit.
_DIGIT_SMOOTHING = 1 / 150

# A digit covers at least this share of its image, or this many pixels of a large one.
_MIN_INK_SHARE = 0.001
_MIN_INK_PIXELS = 40

# Ink at least this dark is left as dark as it is, which MNIST's is.
_FULL = 0.9

# Pieces with less ink than this share of the largest one are specks.
_SPECK = 0.03


def normalize_digit(image, *, size=28, box_size=20):
    """Bring the picture of one digit into the format of MNIST's.

    The digit fills a box of `box_size` x `box_size` pixels, in proportion and with
    greys along its edges, and the centre of its mass is in the middle of the result,
    which for 28 pixels is index 14. A digit of MNIST stays as it is, pixel by pixel.

    Parameters
    ----------
    image : str, path-like, file object, PIL.Image.Image or array-like
        What :func:`load_image` takes: a dark digit on light paper or a light one on
        dark.
    size : int, default=28
        Pixels by either side of the result, at least `box_size`. 20, for the data of
        the reference job, gives the middle of what 28 gives.
    box_size : int, default=20
        Pixels by the longer side of the digit.

    Returns
    -------
    ndarray of uint8 of shape (size, size)
        From 0 for paper to 255 for ink.

    Raises
    ------
    BlankImageError
        If there is nothing on the picture.
    SeveralDigitsError
        If there are several digits side by side.
    CutDigitError
        If the border of the picture cuts through the digit.
    ImageError
        If the picture cannot be read, see :func:`load_image`.
    ValueError
        If a size is not as described.

    Notes
    -----
    The format is that of [1]_. The middle is where MNIST has it: of its 60,000 training
    images, all but one stay as they are.

    Whether ink is dark or light is seen at the border, most of which is paper. A digit
    that was cut out tightly may leave too little of it. So on a binary image, and on
    one of at most 64 pixels by the longer side, the corners and the number of pieces
    count as well where neither tone has 70 % of the border: paper has more of the four
    corners and is in more pieces.

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
    grey = shrink(load_image(image), _MOST_PIXELS)
    ink, even = ink_of_digit(grey)
    if even and _is_normalized(ink, size, box_size):
        return _to_uint8(ink)
    fits = (
        even and ink.max() >= _FULL and max(lengths(bounding_box(ink > 0))) == box_size
    )
    if not fits:
        strongest = ink[_without_specks(ink > ink.max() / 2)].max()
        ink = np.minimum(ink / strongest, 1)
    mask = ink > 0 if fits else _without_specks(ink > 0.5)
    if not (even and _has_format(mask, box_size / size)):
        _check_whole(mask)
    if fits:
        return place(ink[bounding_box(mask)], size)
    _check_single(mask)
    digit = fit_to_box(np.where(_near(mask), ink, 0), box_size)
    return place(digit, size)


def check_sizes(size, box_size):
    for name, value in (("size", size), ("box_size", box_size)):
        if not isinstance(value, Integral) or not 4 <= value <= 1024:
            raise ValueError(
                f"{name} must be a whole number from 4 to 1024. Got {value!r} instead."
            )
    if box_size > size:
        raise ValueError(
            f"box_size must be at most size, which is {size}. Got {box_size} instead."
        )


def ink_of_digit(grey):
    """Find the ink of a picture of which it fills much.

    Parameters
    ----------
    grey : ndarray of float32 of shape (height, width)

    Returns
    -------
    ink : ndarray of float32 of shape (height, width)
        Amounts of ink in [0, 1].
    even : bool
        Whether the paper is perfectly even.
    """
    on_paper = find_paper(grey)
    if on_paper is None:
        light_ink = has_light_ink(differs_from_border(grey))
    else:
        light_ink = bool(grey[on_paper].max() < grey.max())
    image = 1 - grey if light_ink else grey
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    # A value that occurs: the mean of two may have no pixel near it.
    paper = np.quantile(
        border if on_paper is None else image[on_paper], 0.5, method="higher"
    )
    if on_paper is not None or (border == paper).mean() >= PAPER_SHARE:
        bright = image[np.abs(image - paper) < 0.05]
        even = bool((bright == paper).mean() >= PAPER_SHARE)
        if on_paper is not None or even:
            ink = np.maximum(paper - image, 0)
            check_contrast(ink.max())
            return ink, even
    ink, min_ink = divide_by_paper(
        grey, digit_background(grey, light_ink), _DIGIT_SMOOTHING
    )
    contrast = np.quantile(ink, 1 - min(_MIN_INK_SHARE, _MIN_INK_PIXELS / ink.size))
    check_contrast(contrast, np.median(min_ink))
    full = np.median(ink[ink >= contrast / 2])
    return np.clip(ink / full, 0, 1), False


def fit_to_box(ink, box_size):
    """Fit ink into a box, in proportion, its edges as sharp as a scanner's.

    Parameters
    ----------
    ink : ndarray of float32 of shape (height, width)
        Amounts of ink in [0, 1], of a single digit.
    box_size : int
        Pixels by the longer side of the digit in the result.

    Returns
    -------
    ndarray of float32 of shape (new_height, new_width)
        The longer side has `box_size` pixels.
    """
    rows, columns = bounding_box(ink > 0.5)
    height, width = lengths((rows, columns))
    margin = 2
    rows = slice(max(0, rows.start - margin), rows.stop + margin)
    columns = slice(max(0, columns.start - margin), columns.stop + margin)
    ink = ink[rows, columns]
    scale = _OVERSAMPLING * box_size / max(height, width)
    large = resize(ink, [max(1, round(side * scale)) for side in ink.shape])
    # Of a line finer than a pixel there is only a part left.
    large = large / large.max()
    # Half of full ink is where a stroke ends, whatever blurred it.
    large = np.clip((large - 0.25) / 0.5, 0, 1)
    rows, columns = bounding_box(large > 0.5)
    large = large[rows, columns]
    scale = box_size / max(large.shape)
    small = resize(large, [max(1, round(side * scale)) for side in large.shape])
    # Fine pens leave greys only: lines as dark as MNIST's are what a network knows.
    lines = small[small > min(0.1, small.max() / 2)]
    return np.minimum(small / np.quantile(lines, 0.9), 1)


def place(digit, size):
    """Put a digit so that the centre of its mass is in the middle.

    Parameters
    ----------
    digit : ndarray of float32 of shape (height, width)
        Amounts of ink in [0, 1].
    size : int
        Pixels by either side of the result.

    Returns
    -------
    ndarray of uint8 of shape (size, size)
    """
    digit = _to_uint8(digit)
    placed = np.zeros((size, size), dtype=np.uint8)
    top, left = (
        min(max(int(np.floor(size / 2 - centre + 0.5)), 0), size - length)
        for centre, length in zip(_centre_of_mass(digit), digit.shape, strict=True)
    )
    placed[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return placed


def _to_uint8(ink):
    return np.rint(255 * ink).astype(np.uint8)


def _centre_of_mass(digit):
    """Row and column of the centre of mass."""
    centres = []
    for axis, length in enumerate(digit.shape):
        mass = digit.sum(1 - axis, dtype=np.float64)
        centres.append(mass @ np.arange(length) / mass.sum())
    return centres


def _near(mask):
    """What belongs to a mask: its pixels and the greys along its edges."""
    reach = max(1, round(max(lengths(bounding_box(mask))) / 40))
    return ndimage.maximum_filter(mask, 2 * reach + 1)


def _without_specks(mask):
    labels, number = ndimage.label(mask, EIGHT_NEIGHBOURS)
    areas = np.bincount(labels.ravel(), minlength=number + 1)
    areas[0] = 0
    return (areas >= _SPECK * areas.max())[labels] & mask


def _check_single(mask):
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
                f"{len(tall)} tall pieces with a gap of {start - stop} pixels. Cut "
                "the picture, or read it with skdigits.images.find_digits."
            )


def _is_normalized(ink, size, box_size):
    """Whether a picture is what this module would give.

    Rounding leaves it open where a few digits of MNIST belong, and moved 13 of its
    60,000 training images by one row out of the picture.
    """
    if ink.shape != (size, size) or ink.max() < _FULL:
        return False
    box = bounding_box(ink > 0)
    longer = max(lengths(box))
    cut = any(side.stop == size for side in box)
    if longer != box_size and not (cut and longer == box_size - 1):
        return False
    return all(abs(centre - size / 2) < 0.501 for centre in _centre_of_mass(ink))


def _has_format(mask, share):
    """Whether a digit fills as much of a square picture as in MNIST.

    Centring its mass moves one digit in a hundred to the border, which cuts nothing.
    """
    height, width = mask.shape
    longer = max(lengths(bounding_box(mask)))
    return height == width and abs(longer - share * width) <= max(1, width / 28)


def _check_whole(mask):
    """Refuse ink at one border only: at two opposite ones it is cut out tightly."""
    margins = [
        (("top", "bottom"), mask.any(1)),
        (("left", "right"), mask.any(0)),
    ]
    for names, used in margins:
        before, after = np.argmax(used), np.argmax(used[::-1])
        if min(before, after) == 0 and max(before, after) > max(0.15 * used.size, 4):
            raise CutDigitError(
                f"The {names[int(after == 0)]} border of the picture cuts through the "
                "digit. Expected paper on all sides. Got none there and "
                f"{max(before, after)} pixels on the opposite one. Take the picture "
                "with more around the digit."
            )
