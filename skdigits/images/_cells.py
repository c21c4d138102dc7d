"""Find the digits of the cells of a flat table."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skdigits.images._boxes import lengths
from skdigits.images._flat_table import FlatTable
from skdigits.images._lattice import Window, read_line
from skdigits.images._strokes import find_strokes

# Lower ink, as a part of the shorter side of its cell, is dust or a remnant of a line.
_MIN_HEIGHT = 0.22

# An empty cell has less ink than this share of its inner part, which is without this
# share of each side.
_MIN_SHARE = 0.02
_EDGE = 0.1

# A first row or column is text if this share of its cells has ink that is not a digit,
# and other cells have it more rarely.
_MIN_TEXT = 0.6

# A single digit is a note if its centre differs from that of most by this part of the
# height of the cell, and it has less than this height, relative to most.
_NOTE_DISTANCE = 0.2
_NOTE_HEIGHT = 0.95


@dataclass(frozen=True, eq=False)
class CellInk:
    """The digits of a cell from left to right, and the number of other components."""

    digits: list[Window]
    n_other: int


# CellInk of each cell.
Cells: TypeAlias = NDArray[Any]

EMPTY = CellInk([], 0)
_OTHER = CellInk([], 1)


def find_cell_digits(table: FlatTable, merged: list[tuple[slice, slice]]) -> Cells:
    """The CellInk of each cell; `merged` are the blocks of merged cells.

    Ink belongs to the cell of its centre, so digits may cross lines. Merged cells, text
    and notes have no digits.
    """
    strokes = find_strokes(table.ink, table.mask)
    heights, widths = np.diff(table.rows), np.diff(table.columns)
    chains: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for label, box in strokes.boxes.items():
        y, x = ((side.start + side.stop - 1) / 2 for side in box)
        row = int(np.searchsorted(table.rows, y)) - 1
        column = int(np.searchsorted(table.columns, x)) - 1
        chains.setdefault((row, column), []).append((x, label))
    cells = np.full((len(heights), len(widths)), EMPTY)
    labels = strokes.labels.copy()
    for row, column in np.ndindex(cells.shape):
        chain = [label for _, label in sorted(chains.get((row, column), []))]
        highest = max((lengths(strokes.boxes[label])[0] for label in chain), default=0)
        if highest >= _MIN_HEIGHT * min(heights[row], widths[column]):
            digits, _, n_other = read_line(strokes, chain, labels)
            cells[row, column] = CellInk(digits, n_other)
        elif _share_of_ink(table, row, column) > _MIN_SHARE:
            cells[row, column] = _OTHER
    _clear_notes(table, cells)
    _clear_headings(cells)
    for block in merged:
        if (cells[block] != EMPTY).any():
            cells[block] = EMPTY
            cells[block][0, 0] = _OTHER
    return cells


def _share_of_ink(table: FlatTable, row: int, column: int) -> float:
    """Share of the inner part of a cell that has ink, of any form."""
    inner = []
    for start, stop in (table.rows[row : row + 2], table.columns[column : column + 2]):
        margin = _EDGE * (stop - start)
        inner.append(slice(round(start + margin), round(stop - margin)))
    return float(table.mask[tuple(inner)].mean())


def _clear_notes(table: FlatTable, cells: Cells) -> None:
    """Remove small digits near a corner of their cell, such as pencilled candidates."""
    single = [
        (*place, y.start, y.stop)
        for place, ink in np.ndenumerate(cells)
        if len(ink.digits) == 1 and not ink.n_other
        for y, _ in [ink.digits[0].box]
    ]
    if not single:
        return
    rows, columns, tops, bottoms = np.transpose(single)
    cell_heights = np.diff(table.rows)[rows]
    centres = ((tops + bottoms) / 2 - table.rows[rows]) / cell_heights
    heights = (bottoms - tops) / cell_heights
    far = np.abs(centres - np.median(centres)) > _NOTE_DISTANCE
    notes = far & (heights < _NOTE_HEIGHT * np.median(heights))
    cells[rows[notes], columns[notes]] = _OTHER


def _clear_headings(cells: Cells) -> None:
    """Remove the digits of a first row or column of text, such as names of columns."""
    for axis in (0, 1):
        heading, others = np.split(cells, [1], axis)
        if _share_of_text(heading) >= _MIN_TEXT > 3 * _share_of_text(others):
            heading[heading != EMPTY] = _OTHER


def _share_of_text(cells: Cells) -> float:
    """Share of cells with ink that is not a digit; 0 if there are less than two."""
    text = [ink.n_other > 0 for ink in cells.flat if ink is not EMPTY]
    return float(np.mean(text)) if len(text) > 1 else 0.0
