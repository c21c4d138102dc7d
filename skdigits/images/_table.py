"""Read the numbers of a ruled table."""

from numbers import Integral
from typing import Any, Literal, TypeAlias, overload

import numpy as np

from skdigits.images._boxes import Box, FloatImage
from skdigits.images._cells import CellInk, Place, clear_text, find_cell_digits
from skdigits.images._errors import GridNotFoundError, TableShapeError
from skdigits.images._flat_table import flatten
from skdigits.images._grid import Grid
from skdigits.images._grid_search import find_grids, line_ink
from skdigits.images._ink import MAX_WORKING_PIXELS, to_working_size
from skdigits.images._loading import ImageLike, load_page
from skdigits.images._preview import to_preview
from skdigits.images._read import are_readable, classify, to_min_confidence
from skdigits.images._reading_order import to_rows
from skdigits.images._table_reading import TableCell, TableReading

# Minimum number of pixels of the longer side, to which images are enlarged.
_MIN_WORKING_PIXELS = 900

# Default of `min_confidence`. Chosen on photographs.
_MIN_CONFIDENCE = 0.6

# Minimum contrast of lines, relative to the usual, and the longest gap in them in
# pixels. The second search is for faint lines, and the third for broken ones.
_SEARCHES = (1.0, 4), (0.5, 4), (1.0, 20)

# Text, confidence and status of a cell.
_Text: TypeAlias = tuple[str, float, Literal["empty", "ok", "unsure"]]
_EMPTY: _Text = ("", 1.0, "empty")


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
        paper. The rows are within 25 degrees of level.
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
    _check_shape(shape)
    if tables not in ("largest", "all"):
        raise ValueError(f"tables must be 'largest' or 'all'. Got {tables!r} instead.")
    grey, original = load_page(image, MAX_WORKING_PIXELS)
    grey = to_working_size(grey, _MIN_WORKING_PIXELS)
    expected = None if shape is None else (int(shape[0]), int(shape[1]))
    readings = [
        _read(grey, grid, original, estimator, threshold, max_error is not None)
        for grid in _find(grey, expected, tables)
    ]
    return readings[0] if tables == "largest" else readings


def _read(
    grey: FloatImage,
    grid: Grid,
    shape: tuple[int, int],
    estimator: Any,
    min_confidence: float,
    all_or_none: bool,
) -> TableReading:
    """Read the cells of a grid, of which the original image has a shape.

    With `all_or_none`, all digits are unsure if some are as uncertain as those of
    another ink.
    """
    crossings = grid.crossings()
    cells = find_cell_digits(flatten(grey, crossings))
    clear_text(cells, grid.shape)
    for rows, columns in grid.merged():
        _clear(cells, rows, columns)
    images = [digit.image for ink in cells.values() for digit in ink.digits]
    labels, probabilities = classify(images, estimator)
    if all_or_none and not are_readable(probabilities):
        min_confidence = np.inf
    read = iter(zip(labels, probabilities.max(axis=1, initial=0), strict=True))
    texts = dict.fromkeys(np.ndindex(grid.shape), _EMPTY) | {
        place: _text([next(read) for _ in ink.digits], ink.n_other, min_confidence)
        for place, ink in cells.items()
    }
    corners = (crossings + 0.5) * np.divide(shape, grey.shape) - 0.5
    return TableReading(
        [
            TableCell(row, column, _corners(corners, row, column), *texts[row, column])
            for row, column in np.ndindex(grid.shape)
        ],
        grid.shape,
        shape,
        to_preview(grey),
    )


def _clear(cells: dict[Place, CellInk], rows: slice, columns: slice) -> None:
    """Replace the digits of merged cells by ink that is not a digit, in the first."""
    inside = [
        (row, column)
        for row, column in cells
        if rows.start <= row < rows.stop and columns.start <= column < columns.stop
    ]
    for place in inside:
        del cells[place]
    if inside:
        cells[rows.start, columns.start] = CellInk([], 1)


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


def _find(grey: FloatImage, shape: tuple[int, int] | None, tables: str) -> list[Grid]:
    """The largest grid, or all, with two cells or the given shape."""
    ink = line_ink(grey)
    found: list[Grid] = []
    faint = False
    for strength, max_gap in _SEARCHES:
        possible = []
        for grid in find_grids(ink, strength, max_gap):
            certain = grid.certain()
            if not certain.is_table():
                faint = True
            elif any(_overlap(certain, other) for other in found):
                continue
            elif shape in (None, certain.shape):
                if tables == "largest":
                    return [certain]
                found.append(certain)
            else:
                possible.append(grid)
        if shape is not None:
            chosen = (grid.with_shape(*shape) for grid in possible)
            found += [grid for grid in chosen if grid is not None]
        if found and tables == "largest":
            return found[:1]
        if found:
            return [found[i] for row in to_rows(list(map(_box, found))) for i in row]
        if shape is not None and possible:
            rows, columns = possible[0].certain().shape
            raise TableShapeError(
                "The table does not have the given shape. Expected "
                f"{shape[0]} rows and {shape[1]} columns. Found a grid of {rows} rows "
                f"and {columns} columns. Correct shape, or pass None to read the table "
                "as it is found."
            )
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


def _box(grid: Grid) -> Box:
    y, x = np.rint(np.moveaxis(grid.crossings(), -1, 0)).astype(int)
    return slice(y.min(), y.max()), slice(x.min(), x.max())


def _overlap(grid: Grid, other: Grid) -> bool:
    """Whether the centre of a grid is inside of the box around another one."""
    centre = grid.crossings().mean(axis=(0, 1))
    return all(
        side.start < place < side.stop
        for place, side in zip(centre, _box(other), strict=True)
    )


def _corners(
    corners: np.ndarray, row: int, column: int
) -> tuple[tuple[float, float], ...]:
    """Corners of a cell, clockwise from the top left."""
    places = [(0, 0), (0, 1), (1, 1), (1, 0)]
    return tuple(
        tuple(corners[row + down, column + right].round(1).tolist())
        for down, right in places
    )


def _text(
    digits: list[tuple[Any, float]], n_other: int, min_confidence: float
) -> _Text:
    """Text, confidence and status of a cell with ink."""
    read = [
        str(label) if confidence >= min_confidence else "?"
        for label, confidence in digits
    ]
    if n_other >= len(digits):  # text, or several small numbers
        return "?", 0.0, "unsure"
    if n_other:
        return "".join(read).rstrip("?") + "?", 0.0, "unsure"
    lowest = float(min(confidence for _, confidence in digits))
    return "".join(read), lowest, "unsure" if "?" in read else "ok"
