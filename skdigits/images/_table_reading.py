"""The cells read from a table."""

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from skdigits.images._preview import Mark, page_html, percent

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TableCell:
    """A cell read from a table.

    Parameters
    ----------
    row, column : int
        Index of its row, from 0 at the top, and of its column, from 0 at the left.
    corners : tuple of tuple of float
        Its corners in pixels of the image, clockwise from the top left, each as (y, x).
    text : str
        Its digits, with a question mark for digits that are unsure, and at the end for
        ink that is not a digit. "" if it is empty.
    confidence : float
        Lowest confidence of its digits, in [0, 1]. 1 if it is empty, and 0 if it has
        ink that is not a digit.
    status : {"empty", "ok", "unsure"}
        "empty" if it has no ink, "unsure" if its text has a question mark.

    See Also
    --------
    read_table : Read the cells of a table.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import read_table
    >>> form = np.ones((200, 400))
    >>> form[[20, 180], 20:380] = form[20:180, [20, 140, 260, 379]] = 0.2
    >>> form[60:140, 195:205] = 0.2
    >>> cell = read_table(form).cells[1]
    >>> cell.text, cell.status, cell.row, cell.column
    ('1', 'ok', 0, 1)
    """

    __module__ = "skdigits.images"

    row: int
    column: int
    corners: tuple[tuple[float, float], ...]
    text: str
    confidence: float
    status: Literal["empty", "ok", "unsure"]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The box around its corners: top, left, bottom and right in pixels."""
        y, x = np.transpose(self.corners)
        top, left = int(np.floor(y.min())), int(np.floor(x.min()))
        return max(0, top), max(0, left), int(np.ceil(y.max())), int(np.ceil(x.max()))


@dataclass(frozen=True, eq=False)
class TableReading:
    """The cells read from a table.

    Parameters
    ----------
    cells : list of TableCell
        The cells, row by row.
    shape : tuple of int
        Number of rows and of columns.
    image_shape : tuple of int, default=None
        Height and width of the image in pixels. None if they are not known.
    preview : ndarray of uint8 of shape (height, width), default=None
        A small copy of the image, to show it in notebooks.

    Attributes
    ----------
    values : ndarray of object of shape `shape`
        The texts of the cells.

    See Also
    --------
    read_table : Read the cells of a table.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import read_table
    >>> form = np.ones((200, 400))
    >>> form[[20, 180], 20:380] = form[20:180, [20, 140, 260, 379]] = 0.2
    >>> form[60:140, 195:205] = 0.2
    >>> table = read_table(form)
    >>> table
    <TableReading: 1 row, 3 columns; 1 ok, 0 unsure, 2 empty>
    >>> table.values.tolist()
    [['', '1', '']]
    """

    __module__ = "skdigits.images"

    cells: list[TableCell]
    shape: tuple[int, int]
    image_shape: tuple[int, int] | None = None
    preview: NDArray[np.uint8] | None = None

    @property
    def values(self) -> NDArray[np.object_]:
        """The texts of the cells."""
        texts = [cell.text for cell in self.cells]
        return np.array(texts, dtype=object).reshape(self.shape)

    def to_frame(self) -> "pd.DataFrame":
        """Return the texts of the cells as a DataFrame. Needs pandas.

        Returns
        -------
        pandas.DataFrame
            Of dtype object, of shape `shape`.

        Examples
        --------
        >>> import numpy as np
        >>> from skdigits.images import read_table
        >>> form = np.ones((200, 400))
        >>> form[[20, 180], 20:380] = form[20:180, [20, 140, 260, 379]] = 0.2
        >>> form[60:140, 195:205] = 0.2
        >>> read_table(form).to_frame().shape
        (1, 3)
        """
        import pandas as pd

        return pd.DataFrame(self.values)

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in self.values.T]
        lines = (
            " | ".join(
                text.rjust(width) for text, width in zip(row, widths, strict=True)
            )
            for row in self.values
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        rows, columns = (
            f"{number} {unit}{'s' * (number != 1)}"
            for number, unit in zip(self.shape, ("row", "column"), strict=True)
        )
        status = [cell.status for cell in self.cells]
        counts = ", ".join(
            f"{status.count(name)} {name}" for name in ("ok", "unsure", "empty")
        )
        return f"<TableReading: {rows}, {columns}; {counts}>"

    def _repr_html_(self) -> str:
        rows = np.reshape(np.array(self.cells, dtype=object), self.shape)
        body = "".join(f"<tr>{''.join(map(_to_html, row))}</tr>" for row in rows)
        table = f"<table>{body}</table>"
        if self.preview is None or self.image_shape is None:
            return table
        image = page_html(self.preview, self.image_shape, map(_to_mark, self.cells))
        return f'<div style="display: flex; gap: 1em">{image or ""}{table}</div>'


def _to_html(cell: TableCell) -> str:
    style = ' style="background: #fc8"' if cell.status == "unsure" else ""
    title = html.escape(f"{cell.status}, {percent(cell.confidence)}")
    return f'<td{style} title="{title}">{html.escape(cell.text)}</td>'


def _to_mark(cell: TableCell) -> Mark:
    title = f"{cell.text} {percent(cell.confidence)}"
    return Mark(cell.corners, "", title, cell.status != "unsure")
