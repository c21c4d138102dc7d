"""Read the digits of a page: find them and classify them."""

from dataclasses import dataclass
from math import isqrt
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skdigits.images._loading import ImageLike
from skdigits.images._segmentation import DigitRegion, find_digits
from skdigits.pretrained._digit_reader import digit_network

# Stands for a digit that is unsure or cut.
_UNSURE = "?"


@dataclass(frozen=True, eq=False)
class DigitReading(DigitRegion):
    """A digit read from a page.

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
        The digit in the format of MNIST, as passed to the classifier: 0 for paper to
        255 for ink.
    status : {"ok", "unsure", "cut"}
        "unsure" if `confidence` is too low, "cut" if the border of the page cuts
        through the digit.
    label : object
        The most probable class, also if the digit is unsure or cut.
    confidence : float
        Probability of `label`, in [0, 1].
    probabilities : ndarray of float of shape (n_classes,)
        Probability of each class, in the order of the `classes_` of the classifier.

    See Also
    --------
    read_digits : Read the digits of a page.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import read_digits
    >>> page = np.ones((200, 300))
    >>> page[60:120, 50:58] = page[60:120, 150:158] = 0.1
    >>> digit = read_digits(page).digits[1]
    >>> digit.label, digit.status, digit.box
    (1, 'ok', (60, 150, 120, 158))
    """

    __module__ = "skdigits.images"

    label: object
    confidence: float
    probabilities: NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class PageReading:
    """The digits read from a page.

    Parameters
    ----------
    digits : list of DigitReading
        The digits in reading order.

    Attributes
    ----------
    rows : list of str
        The labels of each row, with a question mark for digits that are unsure or cut.
    text : str
        The rows as one text, one line per row.

    See Also
    --------
    read_digits : Read the digits of a page.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import read_digits
    >>> page = np.ones((200, 300))
    >>> page[60:120, 50:58] = page[60:120, 150:158] = 0.1
    >>> read_digits(page).text
    '11'
    """

    __module__ = "skdigits.images"

    digits: list[DigitReading]

    @property
    def rows(self) -> list[str]:
        """The labels of each row."""
        rows = [""] * (self.digits[-1].row + 1 if self.digits else 0)
        for digit in self.digits:
            rows[digit.row] += str(digit.label) if digit.status == "ok" else _UNSURE
        return rows

    @property
    def text(self) -> str:
        """The rows as one text, one line per row."""
        return "\n".join(self.rows)


def read_digits(
    image: ImageLike, estimator: Any = None, *, min_confidence: float = 0.5
) -> PageReading:
    """Read the digits of a photographed or scanned page.

    Parameters
    ----------
    image : str, path-like, file object, PIL.Image.Image or array-like
        Any image that :func:`load_image` takes, of dark digits on light paper or light
        digits on dark paper.
    estimator : estimator instance, default=None
        Fitted classifier with `predict_proba`. Its features are the pixels of images of
        28 x 28 pixels, or of their central 20 x 20 pixels, from 0 for paper to 255 for
        ink. None for the classifier of :func:`skdigits.pretrained.load_digit_reader`.
    min_confidence : float, default=0.5
        Digits with a lower confidence get the status "unsure", in [0, 1].

    Returns
    -------
    PageReading
        The text of the page, and the box, image, label and probabilities of each digit.

    Raises
    ------
    ImageError
        If the image cannot be read, see :func:`load_image`.
    ValueError
        If the estimator has another number of features or no `predict_proba`, or if
        `min_confidence` is not in [0, 1].
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    find_digits : Find the digits of a page without classifying them.
    skdigits.plotting.DigitReadingDisplay : Plot a reading on its page.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import read_digits
    >>> page = np.ones((200, 300))
    >>> page[60:120, 50:58] = page[60:120, 150:158] = 0.1
    >>> reading = read_digits(page)  # or read_digits("photo.jpg")
    >>> reading.text
    '11'
    """
    if not (isinstance(min_confidence, Real) and 0 <= float(min_confidence) <= 1):
        raise ValueError(
            f"min_confidence must be in [0, 1]. Got {min_confidence!r} instead."
        )
    if estimator is None:
        estimator, side = digit_network(), 28
    else:
        side = image_side(estimator)
    regions = find_digits(image)
    if not regions:
        return PageReading([])
    images = np.stack([region.image for region in regions])
    probabilities = estimator.predict_proba(_central_pixels(images, side))
    digits = []
    for region, own in zip(regions, probabilities, strict=True):
        best = own.argmax()
        unsure = region.status == "ok" and own[best] < min_confidence
        digit = DigitReading(
            box=region.box,
            row=region.row,
            column=region.column,
            image=region.image,
            status="unsure" if unsure else region.status,
            label=estimator.classes_[best].item(),
            confidence=float(own[best]),
            probabilities=own,
        )
        digits.append(digit)
    return PageReading(digits)


def image_side(estimator: Any) -> int:
    """Height and width of the images that a fitted classifier takes: 28 or 20 pixels.

    Raises `ValueError` if it takes others or has no `predict_proba`, and
    `NotFittedError` if it is not fitted.
    """
    from sklearn.utils.validation import check_is_fitted

    if not hasattr(estimator, "predict_proba"):
        raise ValueError(
            "The estimator must predict probabilities. Expected a classifier with "
            f"predict_proba. Got {type(estimator).__name__} instead."
        )
    check_is_fitted(estimator)
    n_features = estimator.n_features_in_
    side = isqrt(n_features)
    if side**2 != n_features or side not in (20, 28):
        raise ValueError(
            "The estimator must take images of 28 x 28 or 20 x 20 pixels: 784 or 400 "
            f"features. Got an estimator fitted on {n_features} features. Fit it on "
            "digits from skdigits.images.normalize_digit of one of these sizes."
        )
    return side


def _central_pixels(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The central `side` x `side` pixels of images, one row per image."""
    start = (images.shape[1] - side) // 2
    central = images[:, start : start + side, start : start + side]
    return central.reshape(len(images), -1)
