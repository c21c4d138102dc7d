"""Read the numbers of a ruled table."""

import operator
from typing import Any, Literal, overload

import numpy as np

from skdigits.images._cells import EMPTY, CellInk, find_cell_digits
from skdigits.images._flat_table import flatten
from skdigits.images._loading import ImageLike
from skdigits.images._read import are_readable, classify, to_min_confidence
from skdigits.images._rectify import Points
from skdigits.images._table_reading import TableCell, TableReading
from skdigits.images._table_search import FoundTable, find_tables

# Default of `min_confidence`. Chosen on photographs.
_MIN_CONFIDENCE = 0.6


@overload
def read_table(
    image: ImageLike,
    *,
    shape: tuple[int, int] | None = ...,
    tables: Literal["largest"] = ...,
    estimator: Any = ...,
    min_confidence: float | None = ...,
    max_error: float | None = ...,
) -> TableReading: ...
@overload
def read_table(
    image: ImageLike,
    *,
    shape: tuple[int, int] | None = ...,
    tables: Literal["all"],
    estimator: Any = ...,
    min_confidence: float | None = ...,
    max_error: float | None = ...,
) -> list[TableReading]: ...
def read_table(
    image: ImageLike,
    *,
    shape: tuple[int, int] | None = None,
    tables: Literal["largest", "all"] = "largest",
    estimator: Any = None,
    min_confidence: float | None = None,
    max_error: float | None = None,
) -> TableReading | list[TableReading]:
    """Read the numbers of a photographed or scanned table with ruled lines.

    Finds the largest grid of the image, flattens perspective and slight curl, and reads
    each cell. The boxes of a form are a table of one row. Merged cells, and a first row
    or column of text, have no digits.

    Parameters
    ----------
    image : str, path-like, file object, PIL.Image.Image or array-like
        Any image that :func:`load_image` takes, of dark lines and digits on light
        paper. The rows are within 20 degrees of level.
    shape : tuple of int, default=None
        Number of rows and of columns. Faint lines are found more reliably if it is
        given. None if it is not known.
    tables : {"largest", "all"}, default="largest"
        Whether to read the largest table of the image or all.
    estimator : estimator instance, default=None
        Fitted classifier, see :func:`read_digits`. None for the classifier of
        :func:`skdigits.pretrained.load_digit_reader`.
    min_confidence : float, default=None
        Digits with a lower confidence are unsure, in [0, 1]. None for 0.6, or for the
        threshold of `max_error`.
    max_error : float, default=None
        Share of wrong labels that is accepted among the digits that are not unsure, in
        (0, 1): 0.01 for 1 %. Sets `min_confidence` as it does in :func:`read_digits`.

    Returns
    -------
    TableReading or list of TableReading
        The text, confidence and status of each cell, and its corners in the image. For
        "all", a list of the tables, from top to bottom and left to right.

    Raises
    ------
    GridNotFoundError
        If no grid is found, or if its lines are too faint.
    TableShapeError
        If no grid has the given shape.
    ImageError
        If the image cannot be read, see :func:`load_image`.
    ValueError
        If `shape`, `tables`, `estimator`, `min_confidence` or `max_error` is invalid,
        or if `max_error` is given together with `min_confidence` or `estimator`.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    read_digits : Read the digits of a page without a grid.
    skdigits.plotting.TableReadingDisplay : Plot a reading on its image.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import read_table
    >>> form = np.ones((200, 400))
    >>> form[[20, 180], 20:380] = form[20:180, [20, 140, 260, 379]] = 0.2
    >>> form[60:140, 195:205] = 0.2
    >>> print(read_table(form))  # or read_table("sheet.jpg")
     | 1 |
    """
    threshold = to_min_confidence(min_confidence, max_error, estimator, _MIN_CONFIDENCE)
    expected = None if shape is None else _to_shape(shape)
    if tables not in ("largest", "all"):
        raise ValueError(f"tables must be 'largest' or 'all'. Got {tables!r} instead.")
    readings = [
        _read(found, estimator, threshold, max_error is not None)
        for found in find_tables(image, expected, tables)
    ]
    return readings[0] if tables == "largest" else readings


def _read(
    found: FoundTable, estimator: Any, min_confidence: float, all_or_none: bool
) -> TableReading:
    """Read the cells of a table.

    With `all_or_none`, all digits are unsure if some are as uncertain as those of
    another ink.
    """
    corners = found.corners
    cells = find_cell_digits(flatten(found.grey, found.crossings), found.merged)
    images = [digit.image for ink in cells.flat for digit in ink.digits]
    labels, probabilities = classify(images, estimator)
    if all_or_none and not are_readable(probabilities):
        min_confidence = np.inf
    read = iter(zip(labels, probabilities.max(axis=1, initial=0), strict=True))
    return TableReading(
        [
            TableCell(
                row,
                column,
                _around(corners[row : row + 2, column : column + 2]),
                *_text(ink, [next(read) for _ in ink.digits], min_confidence),
            )
            for (row, column), ink in np.ndenumerate(cells)
        ],
        cells.shape,
        found.shape,
        found.preview,
    )


def _to_shape(shape: Any) -> tuple[int, int]:
    try:
        rows, columns = map(operator.index, shape)
        if min(rows, columns) >= 1:
            return rows, columns
    except (TypeError, ValueError):
        pass
    raise ValueError(
        "shape must be the number of rows and of columns, two positive integers. "
        f"Got {shape!r} instead."
    )


def _around(corners: Points) -> tuple[tuple[float, float], ...]:
    """Corners of a cell, clockwise from the top left."""
    (a, b), (c, d) = corners.round(1).tolist()
    return tuple(a), tuple(b), tuple(d), tuple(c)


def _text(
    ink: CellInk, digits: list[tuple[Any, float]], min_confidence: float
) -> tuple[str, float, Literal["empty", "ok", "unsure"]]:
    """Text, confidence and status of a cell, whose digits were read."""
    if ink is EMPTY:
        return "", 1.0, "empty"
    read = "".join(
        str(label) if confidence >= min_confidence else "?"
        for label, confidence in digits
    )
    if ink.n_other >= len(digits):  # text, or several small numbers
        return "?", 0.0, "unsure"
    if ink.n_other:
        return read.rstrip("?") + "?", 0.0, "unsure"
    lowest = float(min(confidence for _, confidence in digits))
    return read, lowest, "unsure" if lowest < min_confidence else "ok"
