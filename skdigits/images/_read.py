"""Read the digits of a page: find them and classify them."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from skdigits.images._loading import ImageLike
from skdigits.images._page_reading import DigitReading, NumberReading, PageReading
from skdigits.images._segmentation import ORIENTATIONS, segment
from skdigits.pretrained._digit_reader import digit_network

# Default of `min_confidence`: a digit is more likely right than wrong.
MIN_CONFIDENCE = 0.5

# With `max_error`, the minimum of the mean confidence of an image of several digits:
# below, most errors are in the division of the ink, which the confidence of a digit
# does not show. Chosen on photographs, with the errors of both halves of their sources
# in view.
_MIN_MEAN = 0.97


def read_digits(
    image: ImageLike,
    estimator: Any = None,
    *,
    min_confidence: float | None = None,
    max_error: float | None = None,
    orientation: Literal["auto", 0, 90, 180, 270] = "auto",
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
        That classifier decides in any case where digits are; `estimator` labels them.
    min_confidence : float, default=None
        Digits with a lower confidence get the status "unsure", in [0, 1]. None for 0.5,
        or for the threshold of `max_error`.
    max_error : float, default=None
        Share of wrong labels that is accepted among the digits with status "ok", in
        (0, 1): 0.01 for 1 %. Sets `min_confidence` to the lowest threshold with this
        error on calibration data, for the classifier of
        :func:`skdigits.pretrained.load_digit_reader` only. See the notes.
    orientation : {"auto", 0, 90, 180, 270}, default="auto"
        Angle in degrees by which the image is turned clockwise before it is read. For
        "auto", the angle of the best reading if the reading without a turn is doubtful.

    Returns
    -------
    PageReading
        The text of the page, and the box, image, label and probabilities of each digit.

    Raises
    ------
    ImageError
        If the image cannot be read, see :func:`load_image`.
    ValueError
        If the estimator has another number of features or no `predict_proba`, if
        `min_confidence`, `max_error` or `orientation` is invalid, or if `max_error` is
        given together with `min_confidence` or `estimator`.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    find_digits : Find the digits of a page without classifying them.
    skdigits.plotting.DigitReadingDisplay : Plot a reading on its page.

    Notes
    -----
    An image whose longer side has less than 300 pixels is first read as a single digit,
    which may fill it.

    `max_error` limits the wrong labels of digits that are written apart, on average
    over many images: it was measured on digits of other writers than those of the
    calibration data, and on pages. If several digits have a mean confidence below 0.97,
    all are unsure: the image shows other ink, or digits that touch and were divided at
    the wrong place. Some of these errors remain, such as a slash that is read as a 1.
    `python -m benchmarks.max_error` measures both.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import read_digits
    >>> page = np.ones((200, 300))
    >>> page[60:120, 50:58] = page[60:120, 150:158] = 0.1
    >>> reading = read_digits(page)  # or read_digits("page.jpg")
    >>> reading.text
    '11'
    """
    threshold = to_min_confidence(min_confidence, max_error, estimator)
    if orientation not in ("auto", *ORIENTATIONS):
        raise ValueError(
            f"orientation must be 'auto', 0, 90, 180 or 270. Got {orientation!r} "
            "instead."
        )
    if estimator is not None:
        image_side(estimator)  # raises before the image is read
    found = segment(image, orientation)
    probabilities, classes = found.probabilities, digit_network().classes_
    if estimator is not None:
        classes = estimator.classes_
        _, probabilities = classify([r.image for r in found.regions], estimator)
    readable = max_error is None or are_readable(probabilities)
    digits = []
    for region, own in zip(found.regions, probabilities, strict=True):
        best = own.argmax()
        unsure = region.status == "ok" and not (readable and own[best] >= threshold)
        digit = DigitReading(
            box=region.box,
            row=region.row,
            column=region.column,
            image=region.image,
            status="unsure" if unsure else region.status,
            label=classes[best].item(),
            confidence=float(own[best]),
            probabilities=own,
        )
        digits.append(digit)
    numbers = [
        _number([digits[index] for index in span], column)
        for span, column in found.numbers
    ]
    return PageReading(digits, numbers, found.orientation, found.shape, found.preview)


def _number(digits: list[DigitReading], column: int) -> NumberReading:
    tops, lefts, bottoms, rights = zip(*(digit.box for digit in digits), strict=True)
    return NumberReading(
        text="".join(map(str, digits)),
        box=(min(tops), min(lefts), max(bottoms), max(rights)),
        confidence=min(digit.confidence for digit in digits),
        line=digits[0].row,
        column=column,
    )


def are_readable(probabilities: NDArray[Any]) -> bool:
    """Whether `max_error` holds for digits with these probabilities of the classes."""
    return len(probabilities) < 2 or bool(
        np.mean(np.max(probabilities, axis=1)) >= _MIN_MEAN
    )


def to_min_confidence(
    min_confidence: Any, max_error: Any, estimator: Any, default: float = MIN_CONFIDENCE
) -> float:
    """The threshold of the confidence that two parameters of a reader give.

    Raises `ValueError` if they are invalid or exclude each other.
    """
    if max_error is None:
        level = default if min_confidence is None else min_confidence
        if not (isinstance(level, Real) and 0 <= float(level) <= 1):
            raise ValueError(
                f"min_confidence must be in [0, 1]. Got {level!r} instead."
            )
        return float(level)
    if min_confidence is not None or estimator is not None:
        name = "estimator" if min_confidence is None else "min_confidence"
        raise ValueError(
            f"max_error cannot be given together with {name}: it is the error of the "
            "pretrained classifier at some confidence. Omit one of the two. For an "
            "estimator, choose min_confidence on digits that it was not trained on."
        )
    table = digit_network().error_table
    lowest = min(table.values())
    if not (isinstance(max_error, Real) and lowest <= float(max_error) < 1):
        raise ValueError(
            f"max_error must be at least {lowest:.2g}, the lowest error that the "
            f"calibration data show, and below 1. Got {max_error!r} instead."
        )
    return min(level for level, error in table.items() if error <= float(max_error))


def classify(
    images: Sequence[NDArray[np.uint8]], estimator: Any = None
) -> tuple[NDArray[Any], NDArray[np.floating[Any]]]:
    """Most probable class and probabilities of images in the format of MNIST."""
    side = 28 if estimator is None else image_side(estimator)
    estimator = digit_network() if estimator is None else estimator
    if not len(images):
        return np.empty(0, dtype=object), np.empty((0, len(estimator.classes_)))
    inner = slice((28 - side) // 2, (28 + side) // 2)
    P = estimator.predict_proba(np.stack(images)[:, inner, inner].reshape(-1, side**2))
    return np.asarray(estimator.classes_)[P.argmax(axis=1)], P


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
    if n_features not in (400, 784):
        raise ValueError(
            "The estimator must take images of 28 x 28 or 20 x 20 pixels: 784 or 400 "
            f"features. Got an estimator fitted on {n_features} features. Fit it on "
            "digits from skdigits.images.normalize_digit of one of these sizes."
        )
    return 20 if n_features == 400 else 28
