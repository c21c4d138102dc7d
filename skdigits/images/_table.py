"""Read the numbers of a ruled table."""

from numbers import Integral
from typing import Any, Literal, TypeAlias

import numpy as np

from skdigits.images._boxes import FloatImage
from skdigits.images._cells import find_cell_digits
from skdigits.images._errors import GridNotFoundError, TableShapeError
from skdigits.images._flat_table import flatten
from skdigits.images._grid import Grid, find_grids
from skdigits.images._loading import ImageLike, load_page
from skdigits.images._read import check_min_confidence, classify
from skdigits.images._resampling import resize, shrink
from skdigits.images._table_reading import TableCell, TableReading

# Images are shrunk to the maximum number of pixels of the longer side, or enlarged to
# the minimum.
_MAX_WORKING_PIXELS = 1600
_MIN_WORKING_PIXELS = 900

# Text, confidence and status of a cell.
_Text: TypeAlias = tuple[str, float, Literal["empty", "ok", "unsure"]]
_EMPTY: _Text = ("", 1.0, "empty")


def read_table(
    image: ImageLike,
    *,
    shape: tuple[int, int] | None = None,
    estimator: Any = None,
    min_confidence: float = 0.6,
) -> TableReading:
    """Read the numbers of a photographed or scanned table with ruled lines.

    Finds the largest grid of the image, flattens perspective and slight curl, and reads
    each cell. The boxes of a form are a table of one row.

    Parameters
    ----------
    image : str, path-like, file object, PIL.Image.Image or array-like
        Any image that :func:`load_image` takes, of dark lines and digits on light
        paper. The rows are within 25 degrees of level.
    shape : tuple of int, default=None
        Number of rows and of columns. Faint lines are found more reliably if it is
        given. None if it is not known.
    estimator : estimator instance, default=None
        Fitted classifier, see :func:`read_digits`. None for the classifier of
        :func:`skdigits.pretrained.load_digit_reader`.
    min_confidence : float, default=0.6
        Digits with a lower confidence are unsure, in [0, 1].

    Returns
    -------
    TableReading
        The text, confidence and status of each cell, and its corners in the image.

    Raises
    ------
    GridNotFoundError
        If no grid is found, or if its lines are too faint.
    TableShapeError
        If the largest grid has another shape than `shape`.
    ImageError
        If the image cannot be read, see :func:`load_image`.
    ValueError
        If `shape`, `estimator` or `min_confidence` is invalid.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    read_digits : Read the digits of a page without a grid.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import read_table
    >>> form = np.ones((200, 400))
    >>> form[[20, 180], 20:380] = form[20:180, [20, 140, 260, 379]] = 0.2
    >>> form[60:140, 195:205] = 0.2
    >>> print(read_table(form))  # or read_table("photo.jpg")
     | 1 |
    """
    check_min_confidence(min_confidence)
    _check_shape(shape)
    grey, original = load_page(image, _MAX_WORKING_PIXELS)
    grey = _to_working_size(grey)
    expected = None if shape is None else (int(shape[0]), int(shape[1]))
    crossings = _find(grey, expected).crossings()
    table = flatten(grey, crossings)
    found = find_cell_digits(table)
    images = [digit.image for ink in found.values() for digit in ink.digits]
    labels, probabilities = classify(images, estimator)
    read = iter(zip(labels, probabilities.max(axis=1, initial=0), strict=True))
    size = len(table.rows) - 1, len(table.columns) - 1
    texts = dict.fromkeys(np.ndindex(size), _EMPTY) | {
        place: _text([next(read) for _ in ink.digits], ink.has_other, min_confidence)
        for place, ink in found.items()
    }
    scale = np.divide(original, grey.shape)
    corners = np.round((crossings + 0.5) * scale - 0.5, 1)
    cells = [
        TableCell(row, column, _corners(corners, row, column), *texts[row, column])
        for row, column in np.ndindex(size)
    ]
    return TableReading(cells, size)


def _check_shape(shape: Any) -> None:
    if shape is None:
        return
    try:
        valid = len(shape) == 2 and all(
            isinstance(number, Integral) and int(number) >= 1 for number in shape
        )
    except TypeError:
        valid = False
    if not valid:
        raise ValueError(
            "shape must be the number of rows and of columns, two positive integers. "
            f"Got {shape!r} instead."
        )


def _to_working_size(grey: FloatImage) -> FloatImage:
    scale = _MIN_WORKING_PIXELS / max(grey.shape)
    if scale <= 1:
        return shrink(grey, _MAX_WORKING_PIXELS)
    return resize(grey, tuple(max(1, round(side * scale)) for side in grey.shape))


def _find(grey: FloatImage, shape: tuple[int, int] | None) -> Grid:
    """The largest grid with two cells, or with the given shape."""
    found = []
    for grid in find_grids(grey):
        certain = grid.certain()
        table = min(certain.shape) > 0 and max(certain.shape) > 1
        if certain.shape == shape or (shape is None and table):
            return certain
        if table:
            found.append(grid)
    for grid in found:  # empty without a shape
        if shape is not None and (chosen := grid.with_shape(*shape)) is not None:
            return chosen
    if shape is not None and found:
        rows, columns = found[0].certain().shape
        raise TableShapeError(
            f"The table does not have the given shape. Expected {shape[0]} rows and "
            f"{shape[1]} columns. Found a grid of {rows} rows and {columns} columns. "
            "Correct shape, or pass None to read the table as it is found."
        )
    faint = any(max(g.certain().shape) > 1 for g in find_grids(grey, faint=True))
    if faint:
        raise GridNotFoundError(
            "The lines of the table are too faint. Expected lines that are darker than "
            "their paper by at least 5 %, and by 4 times the noise. Photograph the "
            "table in better light or from nearer, or draw its outer lines again."
        )
    raise GridNotFoundError(
        "There is no table on the image. Expected dark lines on light paper that "
        "enclose at least two cells, joined to a grid of at least 12 % of the longer "
        "side of the image, within 25 degrees of level. Got no such grid. Turn the "
        "image, or show the whole outer border of the table; read digits without a "
        "grid with read_digits."
    )


def _corners(
    corners: np.ndarray, row: int, column: int
) -> tuple[tuple[float, float], ...]:
    """Corners of a cell, clockwise from the top left."""
    places = [(0, 0), (0, 1), (1, 1), (1, 0)]
    return tuple(
        tuple(corners[row + down, column + right].tolist()) for down, right in places
    )


def _text(
    digits: list[tuple[Any, float]], has_other: bool, min_confidence: float
) -> _Text:
    """Text, confidence and status of a cell with ink."""
    read = [
        str(label) if confidence >= min_confidence else "?"
        for label, confidence in digits
    ]
    if has_other or not digits:
        return "".join(read).rstrip("?") + "?", 0.0, "unsure"
    lowest = float(min(confidence for _, confidence in digits))
    return "".join(read), lowest, "unsure" if "?" in read else "ok"
