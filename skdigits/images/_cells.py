"""Find the digits of the cells of a flat table."""

from dataclasses import dataclass

import numpy as np

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

# Row and column of a cell.
Place = tuple[int, int]


@dataclass(frozen=True, eq=False)
class CellInk:
    """The digits of a cell from left to right, and the number of other components."""

    digits: list[Window]
    n_other: int


def find_cell_digits(table: FlatTable) -> dict[Place, CellInk]:
    """The ink of each cell that has any.

    Ink belongs to the cell of its centre, so digits may cross lines.
    """
    strokes = find_strokes(1 - table.page, table.mask)
    heights, widths = np.diff(table.rows), np.diff(table.columns)
    chains: dict[Place, list[tuple[float, int]]] = {}
    for label, box in strokes.boxes.items():
        y, x = ((side.start + side.stop - 1) / 2 for side in box)
        row = int(np.searchsorted(table.rows, y)) - 1
        column = int(np.searchsorted(table.columns, x)) - 1
        if 0 <= row < len(heights) and 0 <= column < len(widths):
            chains.setdefault((row, column), []).append((x, label))
    cells: dict[Place, CellInk] = {}
    labels = strokes.labels.copy()
    for (row, column), ordered in sorted(chains.items()):
        chain = [label for _, label in sorted(ordered)]
        highest = max(lengths(strokes.boxes[label])[0] for label in chain)
        if highest >= _MIN_HEIGHT * min(heights[row], widths[column]):
            digits, _, left = read_line(strokes, chain, labels)
            cells[row, column] = CellInk(digits, left)
    for place in np.ndindex(len(heights), len(widths)):
        if place not in cells and _share_of_ink(table, place) > _MIN_SHARE:
            cells[place] = CellInk([], 1)
    return cells | _notes(table, cells)


def _notes(table: FlatTable, cells: dict[Place, CellInk]) -> dict[Place, CellInk]:
    """Small digits near a corner of their cell, such as pencilled candidates."""
    places = [
        place
        for place, ink in cells.items()
        if len(ink.digits) == 1 and not ink.n_other
    ]
    if not places:
        return {}
    boxes = [cells[place].digits[0].box[0] for place in places]
    rows = [row for row, _ in places]
    tops, bottoms = np.array([[box.start, box.stop] for box in boxes]).T
    cell_heights = np.diff(table.rows)[rows]
    centres = ((tops + bottoms) / 2 - table.rows[rows]) / cell_heights
    heights = (bottoms - tops) / cell_heights
    far = np.abs(centres - np.median(centres)) > _NOTE_DISTANCE
    small = heights < _NOTE_HEIGHT * np.median(heights)
    chosen = np.flatnonzero(far & small)
    return {places[index]: CellInk([], 1) for index in chosen}


def _share_of_ink(table: FlatTable, place: Place) -> float:
    """Share of the inner part of a cell that has ink, of any form."""
    row, column = place
    inner = []
    for places, index in ((table.rows, row), (table.columns, column)):
        start, stop = places[index : index + 2]
        margin = _EDGE * (stop - start)
        inner.append(slice(round(start + margin), round(stop - margin)))
    return float(table.mask[tuple(inner)].mean())


def clear_text(cells: dict[Place, CellInk], shape: tuple[int, int]) -> None:
    """Remove the digits of a first row or column of text, such as names of columns."""
    first_row = [(0, column) for column in range(shape[1])]
    first_column = [(row, 0) for row in range(shape[0])]
    for heading in (first_row, first_column):
        inside = [place for place in heading if place in cells]
        others = [place for place in cells if place not in heading]
        if (
            _share_of_text(cells, inside)
            >= _MIN_TEXT
            > 3 * _share_of_text(cells, others)
        ):
            cells |= dict.fromkeys(inside, CellInk([], 1))


def _share_of_text(cells: dict[Place, CellInk], places: list[Place]) -> float:
    """Share of cells with ink that is not a digit; 0 if there are less than two."""
    text = [cells[place].n_other > 0 for place in places]
    return float(np.mean(text)) if len(text) > 1 else 0.0
