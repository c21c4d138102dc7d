"""Label the digits of a page whose text is known."""

from collections.abc import Sequence
from operator import itemgetter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skdigits.images._errors import ImageError
from skdigits.images._loading import ImageLike
from skdigits.images._page_reading import DigitReading
from skdigits.images._read import read_digits

_Pair: TypeAlias = tuple[DigitReading | None, str | None]

# Cost of a digit that is on the page or in the text only, in hundredths of a nat. That
# of a digit and its label is the negative log-probability, limited: a page whose digits
# are often misread still has one digit for each label, but a missing digit shifts all
# labels after it. Integers, so that equal costs are equal.
_GAP = 800
_MAX_COST = 600


def label_digits(
    image: ImageLike, text: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Find the digits of a page and label them by the text that is written on it.

    The result is training data, for example to fine-tune a network on a handwriting
    that it misreads.

    Parameters
    ----------
    image : str, path-like, file object, PIL.Image.Image or array-like
        Any image that :func:`load_image` takes.
    text : str
        The digits on the page in reading order. Spaces and line breaks are ignored.

    Returns
    -------
    X : ndarray of uint8 of shape (n_digits, 784)
        The digits in the format of MNIST, one row of pixels per digit. Digits that are
        cut by the border of the page are left out.
    y : ndarray of int64 of shape (n_digits,)
        Their labels, 0 to 9.

    Raises
    ------
    ImageError
        If the image cannot be read, see :func:`load_image`, or if its digits do not
        match the text. The message has the lines that differ.
    ValueError
        If `text` is not a str, has characters other than digits and white space, or
        has no digit.

    See Also
    --------
    read_digits : Read the digits of a page whose text is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import label_digits
    >>> page = np.ones((200, 300))
    >>> page[60:120, 50:58] = page[60:120, 150:158] = 0.1
    >>> X, y = label_digits(page, "11")
    >>> X.shape, y.tolist()
    ((2, 784), [1, 1])
    """
    labels = "".join(text.split()) if isinstance(text, str) else ""
    if not (labels.isascii() and labels.isdecimal()):
        raise ValueError(
            "text must be a str of the digits on the page, 0 to 9, and white space. "
            f"Got {text!r} instead."
        )
    pairs = _align(read_digits(image).digits, labels)
    _check_pairs(pairs)
    whole = [
        (digit.image, int(label))
        for digit, label in pairs
        if digit is not None and label is not None and digit.status != "cut"
    ]
    X = np.array([image for image, _ in whole], dtype=np.uint8)
    return X.reshape(len(whole), 784), np.array([label for _, label in whole])


def _align(digits: Sequence[DigitReading], labels: str) -> list[_Pair]:
    """Pairs of a digit and its label, with None for a gap, of the lowest total cost."""
    columns = np.array(list(labels), dtype=np.int64)
    P = np.reshape([d.probabilities[columns] for d in digits], (-1, len(labels)))
    costs = np.minimum(-100 * np.log(np.maximum(P, 1e-9)), _MAX_COST).astype(int)
    costs = np.pad(costs, ((1, 0), (1, 0)))
    # Lowest cost of the first i digits and j labels, and where it comes from.
    total = {(0, 0): 0}
    before = {}
    for i, j in np.ndindex(costs.shape):
        pair = int(costs[i, j])
        steps = {(i - 1, j): _GAP, (i - 1, j - 1): pair, (i, j - 1): _GAP}
        options = [
            (total[place] + cost, place)
            for place, cost in steps.items()
            if place in total
        ]
        if options:
            total[i, j], before[i, j] = min(options, key=itemgetter(0))
    pairs: list[_Pair] = []
    i, j = len(digits), len(labels)
    while i or j:
        k, m = before[i, j]
        pairs.append((digits[k] if k < i else None, labels[m] if m < j else None))
        i, j = k, m
    return pairs[::-1]


def _check_pairs(pairs: Sequence[_Pair]) -> None:
    """Raise `ImageError` with the lines in which digits and text do not match."""
    lines: dict[int, list[_Pair]] = {}
    row = 0
    for digit, label in pairs:
        row = row if digit is None else digit.row
        lines.setdefault(row, []).append((digit, label))
    differences = []
    for row, line in lines.items():
        text = "".join(label for _, label in line if label is not None)
        read = "".join(str(digit.label) for digit, _ in line if digit is not None)
        if any(None in pair for pair in line):
            differences.append(
                f"Line {row + 1}: the text has {len(text)} digits ({text}), the page "
                f"{len(read)} ({read})."
            )
    if differences:
        raise ImageError(
            "The digits found on the page do not match the text. "
            f"{' '.join(differences)} Correct the text, crop the image to the digits, "
            "or write them larger and further apart."
        )
