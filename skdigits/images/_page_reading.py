"""The digits and numbers read from a page."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from skdigits.images._preview import Mark, page_html, percent
from skdigits.images._segmentation import DigitRegion

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
    probabilities: NDArray[np.floating[Any]] = field(repr=False)

    def __str__(self) -> str:
        return str(self.label) if self.status == "ok" else _UNSURE


@dataclass(frozen=True)
class NumberReading:
    """Neighbouring digits of a line that are read as one number.

    Parameters
    ----------
    text : str
        The labels of its digits, with a question mark for digits that are unsure or
        cut.
    box : tuple of int
        Bounding box in pixels of the page: top, left, bottom and right, of which bottom
        and right are exclusive.
    confidence : float
        Lowest confidence of its digits, in [0, 1].
    line : int
        Index of its line, from 0 at the top.
    column : int
        Index of its column in a table, from 0 at the left. If the numbers of the page
        do not form columns, index in its line.

    See Also
    --------
    read_digits : Read the digits of a page.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import read_digits
    >>> page = np.ones((200, 400))
    >>> page[60:120, [*range(50, 58), *range(80, 88), *range(250, 258)]] = 0.1
    >>> [(number.text, number.column) for number in read_digits(page).numbers]
    [('11', 0), ('1', 1)]
    """

    __module__ = "skdigits.images"

    text: str
    box: tuple[int, int, int, int]
    confidence: float
    line: int
    column: int

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, eq=False)
class PageReading:
    """The digits read from a page. Iterates over its digits.

    Parameters
    ----------
    digits : list of DigitReading
        The digits in reading order.
    numbers : list of NumberReading
        The numbers in reading order.
    orientation : {0, 90, 180, 270}, default=0
        Angle in degrees by which the page was turned clockwise to read it. Boxes are in
        pixels of the image that was passed.
    shape : tuple of int, default=None
        Height and width of the page in pixels.
    preview : ndarray of uint8 of shape (height, width), default=None
        A small copy of the page, which notebooks show with its boxes.

    Attributes
    ----------
    rows : list of str
        The labels of each row, with a question mark for digits that are unsure or cut.
    text : str
        The numbers as one text: one line per row, with a space between numbers.

    See Also
    --------
    read_digits : Read the digits of a page.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import read_digits
    >>> page = np.ones((200, 300))
    >>> page[60:120, 50:58] = page[60:120, 80:88] = 0.1
    >>> reading = read_digits(page)
    >>> reading
    <PageReading: 2 digits, '11'>
    >>> print(reading)
    11
    """

    __module__ = "skdigits.images"

    digits: list[DigitReading]
    numbers: list[NumberReading]
    orientation: Literal[0, 90, 180, 270] = 0
    shape: tuple[int, int] | None = None
    preview: NDArray[np.uint8] | None = None

    @property
    def rows(self) -> list[str]:
        """The labels of each row."""
        rows = groupby(self.digits, key=lambda digit: digit.row)
        return ["".join(map(str, row)) for _, row in rows]

    @property
    def text(self) -> str:
        """The numbers as one text, one line per row."""
        rows = groupby(self.numbers, key=lambda number: number.line)
        return "\n".join(" ".join(map(str, row)) for _, row in rows)

    def __iter__(self) -> Iterator[DigitReading]:
        return iter(self.digits)

    def __len__(self) -> int:
        return len(self.digits)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= 40 else self.text[:37] + "..."
        return f"<PageReading: {len(self.digits)} digits, {text!r}>"

    def _repr_html_(self) -> str | None:
        if self.preview is None or self.shape is None:
            return None
        return page_html(self.preview, self.shape, map(to_mark, self.digits))


def to_mark(digit: DigitReading) -> Mark:
    """The box of a digit, and its label with a question mark if it is not certain."""
    top, left, bottom, right = digit.box
    sure = digit.status == "ok"
    return Mark(
        corners=[(top, left), (top, right), (bottom, right), (bottom, left)],
        label=f"{digit.label}" if sure else f"{digit.label}?",
        title=f"{digit.label}, {digit.status}, {percent(digit.confidence)}",
        sure=sure,
    )
