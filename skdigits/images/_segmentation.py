"""Find the digits of a page."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from skdigits.images._boxes import Box, FloatImage, Mask, lengths, to_array
from skdigits.images._digit_ink import ink_of_digit
from skdigits.images._errors import BlankImageError, ImageError
from skdigits.images._ink import MAX_WORKING_PIXELS, estimate_ink
from skdigits.images._lattice import Window, read_line
from skdigits.images._loading import ImageLike, load_image, load_page
from skdigits.images._normalize import MAX_DIGIT_PIXELS, normalize
from skdigits.images._preview import to_preview
from skdigits.images._reading_order import to_numbers, to_rows
from skdigits.images._resampling import shrink
from skdigits.images._strokes import find_strokes, to_chains
from skdigits.pretrained._digit_reader import digit_network

# Smaller images, in pixels of the longer side, show a digit or a few.
MIN_PAGE_PIXELS = 300

# A reading is doubtful if its mean confidence is lower, or if more components per digit
# have the height of a digit but are not digits. Other turns are also tried if the mean
# score of the digits is lower than the last number.
_MIN_CONFIDENCE = 0.9
_DOUBTFUL_LEFT = 0.3
_MIN_SCORE = 1.8

# An image is a single digit if its probability is at least this, and its height, in
# large images, relative to the image. Of pairs of digits of MNIST that touch, 1 % are
# taken for one.
_SINGLE, _MIN_SINGLE_HEIGHT = 0.95, 0.4

# A digit is nested in another one if this share of its box lies in the other's.
_NESTED = 0.8

# A digit at a border is cut if there is more paper at the opposite one than this part
# of its longer side, unless it has at least this height, relative to the median.
_MAX_PAPER, _MIN_WHOLE = 0.15, 0.85

# An image shows words or a texture if it has this many components per digit that have
# the height of a digit but are not digits.
_MAX_LEFT = 3

# An image is turned, or the other tone taken for ink, if that reading has this many
# digits and is better by this factor.
_MIN_DIGITS = 3
_MIN_RATIO = 1.5

# Clockwise degrees by which an image can be turned, by the number of quarter turns.
ORIENTATIONS: tuple[Literal[0], Literal[90], Literal[180], Literal[270]]
ORIENTATIONS = (0, 90, 180, 270)


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
    image: NDArray[np.uint8] = field(repr=False)
    status: Literal["ok", "unsure", "cut"]

    def crop(self, image: ImageLike) -> FloatImage:
        """Cut the digit out of the image of the page.

        Parameters
        ----------
        image : str, path-like, file object, PIL.Image.Image or array-like
            The page that was read.

        Returns
        -------
        ndarray of float32 of shape (bottom - top, right - left)
            Grey levels in [0, 1], as returned by :func:`load_image`.

        Raises
        ------
        ImageError
            If the image cannot be read, or is smaller than the page that was read.

        Examples
        --------
        >>> import numpy as np
        >>> from skdigits.images import find_digits
        >>> page = np.ones((200, 300))
        >>> page[60:120, 50:58] = page[60:120, 150:158] = 0.1
        >>> find_digits(page)[1].crop(page).shape
        (60, 8)
        """
        top, left, bottom, right = self.box
        page = load_image(image)
        if bottom > page.shape[0] or right > page.shape[1]:
            raise ImageError(
                f"The box of the digit, {self.box}, must lie on the image. Got an "
                f"image of shape {page.shape}. Pass the image that was read."
            )
        return page[top:bottom, left:right].copy()


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
    The pretrained network decides what is a digit. Letters that look like digits are
    returned as well. Digits of less than about 1/80 of the longer side of the image are
    missed.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import find_digits
    >>> page = np.ones((200, 300))
    >>> page[60:120, 50:58] = page[60:120, 150:158] = 0.1
    >>> [region.image.shape for region in find_digits(page)]
    [(28, 28), (28, 28)]
    """
    return segment(image).regions


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The digits of a page, in reading order.

    `probabilities` are those of the packaged network, of shape (n_regions, 10);
    `numbers` are the indices of the digits of each number, and its column. `shape` is
    that of the page, and `preview` a small copy of it.
    """

    regions: list[DigitRegion]
    probabilities: NDArray[np.float32]
    numbers: list[tuple[range, int]]
    orientation: Literal[0, 90, 180, 270]
    shape: tuple[int, int]
    preview: NDArray[np.uint8]


def segment(
    image: ImageLike, orientation: Literal["auto", 0, 90, 180, 270] = 0
) -> Segmentation:
    """`find_digits`, after the image is turned clockwise."""
    grey, shape = load_page(image, MAX_WORKING_PIXELS)
    turn = 0 if orientation == "auto" else orientation // 90
    reading = _best_reading(np.ascontiguousarray(np.rot90(grey, -turn)), max(shape))
    reading = replace(reading, turn=turn)
    weak = reading.score < _MIN_SCORE * len(reading.digits)
    if orientation == "auto" and (reading.doubtful or weak):
        reading = _turned(reading, max(shape))
    boxes = [digit.box for digit in reading.digits]
    rows = to_rows(boxes)
    is_cut = _are_cut(reading)
    regions = [
        DigitRegion(
            box=_to_original(boxes[index], shape, reading),
            row=row,
            column=column,
            image=reading.digits[index].image,
            status="cut" if is_cut[index] else "ok",
        )
        for row, indices in enumerate(rows)
        for column, index in enumerate(indices)
    ]
    return Segmentation(
        regions,
        reading.probabilities[[index for row in rows for index in row]],
        to_numbers([[boxes[index] for index in row] for row in rows]),
        ORIENTATIONS[reading.turn],
        shape,
        to_preview(grey),
    )


@dataclass(frozen=True, eq=False)
class _Reading:
    """The digits of a turned working image for one estimate of ink.

    `score` is how much more likely they are than no digits, and `left` the number of
    components that have the height of a digit but are not digits.
    """

    ink: FloatImage
    mask: Mask
    digits: list[Window]
    score: float
    left: int
    turn: int = 0

    @property
    def doubtful(self) -> bool:
        """Whether another estimate of ink or another turn may be better."""
        return (
            not self.digits
            or self.has_nested_digits
            or bool(self.confidence.mean() < _MIN_CONFIDENCE)
            or self.left > _DOUBTFUL_LEFT * len(self.digits)
        )

    @cached_property
    def probabilities(self) -> NDArray[np.float32]:
        """Probabilities of the classes, of shape (n_digits, 10)."""
        rows = [digit.probabilities for digit in self.digits]
        return np.array(rows, dtype=np.float32).reshape(-1, 10)

    @property
    def confidence(self) -> NDArray[np.float32]:
        """Probability of the most probable class of each digit."""
        confidence: NDArray[np.float32] = self.probabilities.max(axis=1)
        return confidence

    @cached_property
    def has_nested_digits(self) -> bool:
        """Whether a digit lies in another one, as in the outline of a wide stroke."""
        starts, stops = np.moveaxis(to_array([d.box for d in self.digits]), 2, 0)
        areas = np.prod(stops - starts, axis=1)
        common = np.minimum(stops[:, None], stops) - np.maximum(starts[:, None], starts)
        shared = np.prod(np.maximum(common, 0), axis=2)
        np.fill_diagonal(shared, 0)
        return bool((shared > _NESTED * areas).any())


def _best_reading(grey: FloatImage, longer: int) -> _Reading:
    """Read an image, of which the original has `longer` pixels."""
    if min(grey.shape) < 8:
        return _Reading(grey, grey > 1, [], 0.0, 0)
    is_small = longer < MIN_PAGE_PIXELS
    digit = shrink(grey, MAX_DIGIT_PIXELS)
    try:
        digit, even = ink_of_digit(digit)
    except BlankImageError:
        digit = np.zeros_like(digit)
    else:
        single = _read_single(digit, even, 0 if is_small else _MIN_SINGLE_HEIGHT)
        if single:
            return single
    readings: list[_Reading] = []
    for ink, mask in estimate_ink(grey, digit, is_small=is_small):
        readings.append(_read(ink, mask, longer))
        if not readings[-1].doubtful:
            break
    best = max(readings[:2], key=lambda r: (not r.has_nested_digits, r.score))
    return readings[2] if readings[2:] and _is_better(readings[2], best) else best


def _read_single(ink: FloatImage, even: bool, min_height: float) -> _Reading | None:
    """Read the result of `ink_of_digit` as a single digit; None if that is not sure.

    `min_height` is relative to the image.
    """
    try:
        image, box = normalize(ink, even)
    except ImageError:
        return None
    if lengths(box)[0] < min_height * len(ink):
        return None
    P = digit_network().predict_proba(image.reshape(1, -1))[0]
    if P.max() < _SINGLE:
        return None
    digit = Window(0, 1, box, image, P)
    return _Reading(ink, ink < 0, [digit], _MIN_SCORE, 0)


def _turned(upright: _Reading, longer: int) -> _Reading:
    """The reading after quarter turns if it is clearly better than without."""
    best = upright
    for turn in (1, 2, 3):
        ink = np.ascontiguousarray(np.rot90(upright.ink, -turn))
        mask = np.ascontiguousarray(np.rot90(upright.mask, -turn))
        reading = replace(_read(ink, mask, longer), turn=turn)
        if _is_better(reading, upright) and reading.score > best.score:
            best = reading
    return best


def _is_better(reading: _Reading, usual: _Reading) -> bool:
    """Whether a reading is clearly better; a few digits are not enough to tell."""
    return (
        len(reading.digits) >= _MIN_DIGITS
        and not reading.doubtful
        and reading.score > _MIN_RATIO * usual.score
    )


def _read(ink: FloatImage, mask: Mask, longer: int) -> _Reading:
    strokes = find_strokes(ink, mask, max(1, max(ink.shape) / longer))
    labels = strokes.labels.copy()
    digits: list[Window] = []
    score, left = 0.0, 0
    for chain in to_chains(strokes.boxes):
        found, gain, others = read_line(strokes, chain, labels)
        digits += found
        score += gain
        left += others
    if left >= _MAX_LEFT * len(digits):
        digits, score = [], 0.0
    return _Reading(ink, mask, digits, score, left)


def _are_cut(reading: _Reading) -> Mask:
    """Which digits reach a border while there is paper at the opposite one.

    Tightly cropped images have digits at both. A digit that is as high as the others
    and recognised for certain is whole.
    """
    if not reading.digits:
        return np.zeros(0, dtype=bool)
    starts, stops = np.moveaxis(to_array([d.box for d in reading.digits]), 2, 0)
    sizes, shape = stops - starts, np.array(reading.ink.shape)
    slack = _MAX_PAPER * sizes.max(axis=1, keepdims=True)
    at_start = (starts <= 1) & (shape - stops.max(axis=0) > slack)
    at_end = (stops >= shape - 1) & (starts.min(axis=0) > slack)
    is_high = sizes[:, 0] >= _MIN_WHOLE * np.median(sizes[:, 0])
    is_whole = is_high & (reading.confidence >= _MIN_CONFIDENCE)
    is_cut: Mask = (at_start | at_end).any(axis=1) & ~is_whole
    return is_cut


def _to_original(
    box: Box, shape: tuple[int, int], reading: _Reading
) -> tuple[int, int, int, int]:
    """Map a box from the turned working image back to the original."""
    turned = shape[::-1] if reading.turn % 2 else shape
    sides = list(zip(box, turned, reading.ink.shape, strict=True))
    top, left = (side.start * old // new for side, old, new in sides)
    bottom, right = (-(-side.stop * old // new) for side, old, new in sides)
    for _ in range(reading.turn):
        top, bottom, left, right = turned[1] - right, turned[1] - left, top, bottom
        turned = turned[::-1]
    return int(top), int(left), int(bottom), int(right)
