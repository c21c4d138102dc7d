"""The digits of a page, read."""

from dataclasses import dataclass
from math import isqrt
from numbers import Real

import numpy as np

from skdigits.images._segmentation import DigitRegion, find_digits
from skdigits.pretrained._digit_reader import digit_network

# What stands for a digit that is not sure.
_UNSURE = "?"


@dataclass(frozen=True, eq=False)
class DigitReading(DigitRegion):
    """A digit of a page, read.

    Parameters
    ----------
    box : tuple of int
        Top, left, bottom and right in pixels of the page, the last two exclusive.
    row : int
        Row it is in, from 0 at the top.
    column : int
        Position in its row, from 0 at the left.
    image : ndarray of uint8 of shape (28, 28)
        The digit in the format of MNIST's, which is what the network sees.
    status : {"ok", "unsure", "cut"}
        "unsure" if the confidence is too low, "cut" if the border of the picture cuts
        through it.
    label : object
        The most probable class, also where it is not sure.
    confidence : float
        Its probability, in [0, 1].
    probabilities : ndarray of float of shape (n_classes,)
        Those of all classes, in the order of the classifier's.

    See Also
    --------
    read_digits : Reads them.

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
    probabilities: np.ndarray


@dataclass(frozen=True, eq=False)
class PageReading:
    """A page, read.

    Parameters
    ----------
    digits : list of DigitReading
        In reading order.

    Attributes
    ----------
    rows : list of str
        The digits of each row; a question mark where one is unsure or cut.
    text : str
        The rows, one a line.

    See Also
    --------
    read_digits : Reads a page.

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

    digits: list

    @property
    def rows(self):
        """The digits of each row."""
        rows = [""] * (self.digits[-1].row + 1 if self.digits else 0)
        for digit in self.digits:
            rows[digit.row] += str(digit.label) if digit.status == "ok" else _UNSURE
        return rows

    @property
    def text(self):
        """The rows, one a line."""
        return "\n".join(self.rows)


def read_digits(image, estimator=None, *, min_confidence=0.5):
    """Read the digits of a page, photographed or scanned.

    Parameters
    ----------
    image : str, path-like, file object, PIL.Image.Image or array-like
        What :func:`load_image` takes: dark digits on light paper or light ones on
        dark.
    estimator : estimator instance, default=None
        Fitted classifier of rows of pixels with `predict_proba`, for pictures of 28 x
        28 pixels, or of 20 x 20 as in the reference job, from 0 for paper to 255 for
        ink. None for the one of :func:`skdigits.pretrained.load_digit_reader`.
    min_confidence : float, default=0.5
        Digits that are less probable than that are not read, in [0, 1]. At 0.5 those
        are left out that are more likely wrong than right.

    Returns
    -------
    PageReading
        Its text, and each digit with box, row, picture, probabilities and status.

    Raises
    ------
    ImageError
        If the picture cannot be read, see :func:`load_image`.
    ValueError
        If the estimator takes other rows or gives no probabilities, or
        `min_confidence` is no probability.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    find_digits : The digits of a page, not read.
    skdigits.plotting.DigitReadingDisplay : A picture of what is read.

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
    if not isinstance(min_confidence, Real) or not 0 <= min_confidence <= 1:
        raise ValueError(
            f"min_confidence must be from 0 to 1. Got {min_confidence!r} instead."
        )
    if estimator is None:
        estimator, side = digit_network(), 28
    else:
        side = side_of_pictures(estimator)
    regions = find_digits(image)
    if not regions:
        return PageReading([])
    images = np.stack([region.image for region in regions])
    probabilities = estimator.predict_proba(_middle(images, side))
    digits = []
    for region, own in zip(regions, probabilities, strict=True):
        best = own.argmax()
        unsure = region.status == "ok" and own[best] < min_confidence
        fields = vars(region) | {
            "status": "unsure" if unsure else region.status,
            "label": estimator.classes_[best].item(),
            "confidence": float(own[best]),
            "probabilities": own,
        }
        digits.append(DigitReading(**fields))
    return PageReading(digits)


def side_of_pictures(estimator):
    """Pixels by either side of the pictures that an estimator takes.

    Parameters
    ----------
    estimator : estimator instance

    Returns
    -------
    int
        28 or 20.

    Raises
    ------
    ValueError
        If it takes other rows, gives no probabilities or is not fitted.
    """
    from sklearn.utils.validation import check_is_fitted

    if not hasattr(estimator, "predict_proba"):
        raise ValueError(
            "The estimator must give probabilities. Expected a classifier with "
            f"predict_proba. Got {type(estimator).__name__} instead."
        )
    check_is_fitted(estimator)
    n_features = estimator.n_features_in_
    side = isqrt(n_features)
    if side**2 != n_features or side not in (20, 28):
        raise ValueError(
            "The estimator must take pictures of 28 x 28 or 20 x 20 pixels, rows of "
            f"784 or 400. Got one fitted on rows of {n_features}. Fit it on digits "
            "that skdigits.images.normalize_digit has brought to that size."
        )
    return side


def _middle(images, side):
    """Rows of the middle of pictures, which is where a digit is."""
    start = (images.shape[1] - side) // 2
    middle = images[:, start : start + side, start : start + side]
    return middle.reshape(len(images), -1)
