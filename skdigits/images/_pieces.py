"""Cut strokes where digits may touch: pieces of which digits consist."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import Box, Labels, Mask, lengths, shift
from skdigits.images._strokes import Strokes, stroke_width

# Components of less than this length, relative to the height of the line, are specks or
# crumbs of the stroke next to them.
_MIN_SIZE = 0.2

# Components of at least this width and height, relative to the height of the line, may
# be several digits.
_MIN_CUT_WIDTH, _MIN_CUT_HEIGHT = 0.5, 0.4

# Maximum number of cuts of a component per height of the line.
_MAX_CUTS = 6

# A cut crosses at most this much ink, in widths of the stroke.
_MAX_CROSSED = 3

# Minimum distance of cuts from each other and from the ends, relative to the height.
_MIN_PIECE = 0.07

# Cost of a diagonal step of a cut, which is longer, in widths of the stroke.
_DIAGONAL = 0.008


@dataclass(frozen=True, eq=False)
class Piece:
    """A component of ink, or the part of one between two cuts.

    `label` is its number in the labels of the page. The cuts are measured by the ink
    that they cross, in widths of the stroke; 0 at an end of the component. `strength`
    is the darkness of the component.
    """

    label: int
    box: Box
    component: int
    strength: float
    cut_before: float = 0.0
    cut_after: float = 0.0


def to_pieces(
    strokes: Strokes, chain: Sequence[int], labels: Labels, height: float
) -> list[Piece]:
    """Pieces of the components of a chain, whose labels are changed in place.

    `height` is that of the digits of the line.
    """
    pieces: list[Piece] = []
    first = int(labels.max()) + 1  # label of the next piece
    for label in chain:
        box = strokes.boxes[label]
        tall, wide = lengths(box)
        own = labels[box] == label
        if max(tall, wide) < _MIN_SIZE * height:
            labels[box][own] = 0
            continue
        cuts: list[tuple[NDArray[np.intp], float]] = []
        if wide >= _MIN_CUT_WIDTH * height and tall >= _MIN_CUT_HEIGHT * height:
            cuts = find_cuts(own, height)
        part = own.astype(np.int32)
        for seam, _ in cuts:
            part += own & (np.arange(wide) >= seam[:, None])
        labels[box][own] = first - 1 + part[own]
        # Cuts that cross each other may leave nothing between them.
        found = [
            (first + index, shift(inner, box), cuts[index - 1][1] if index else 0.0)
            for index, inner in enumerate(ndimage.find_objects(part))
            if inner is not None
        ]
        crossed = [0.0, *(ink for *_, ink in found[1:]), 0.0]
        pieces += [
            Piece(number, inner, label, strokes.strengths[label], *ends)
            for (number, inner, _), ends in zip(found, pairwise(crossed), strict=True)
        ]
        first += len(cuts) + 1
    return pieces


def find_cuts(own: Mask, height: float) -> list[tuple[NDArray[np.intp], float]]:
    """Paths from the top to the bottom of a component that cross little ink.

    Returns, from left to right, the column of each path in each row, which belongs to
    the part on its right, and the ink that it crosses, in widths of the stroke. A path
    between two digits is the cheapest one through the gap above or below their joint.
    """
    tall, wide = own.shape
    stroke = stroke_width(own)
    cost = (own / stroke).astype(np.float32)
    above, below = _cheapest(cost), _cheapest(cost[::-1])[::-1]
    margin = max(2, round(_MIN_PIECE * height))
    cuts: list[tuple[NDArray[np.intp], float]] = []
    for row in (tall // 2, tall // 4, 3 * tall // 4):
        through = above[row] + below[row] - cost[row]
        smallest = ndimage.minimum_filter1d(through, 2 * margin + 1, mode="nearest")
        runs, _ = ndimage.label(through <= smallest + 0.02)
        for (run,) in ndimage.find_objects(runs):
            place = (run.start + run.stop) // 2
            ink = float(through[min(place, wide - 1)])
            if not margin <= place <= wide - margin or ink > _MAX_CROSSED:
                continue
            up, down = _trace(above[row::-1], place), _trace(below[row:], place)
            seam = np.array([*up[::-1], *down[1:]])
            right = own & (np.arange(wide) >= seam[:, None])
            if not right.any() or (right == own).all():
                continue  # all ink is on one side
            if all(np.abs(seam - other).mean() > margin / 2 for other, _ in cuts):
                cuts.append((seam, ink))
    most = max(1, round(_MAX_CUTS * wide / height))
    cuts = sorted(cuts, key=lambda cut: cut[1])[:most]
    return sorted(cuts, key=lambda cut: cut[0].mean())


def _cheapest(cost: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cost of the cheapest path from the first row to each pixel."""
    total = cost.copy()
    before = np.full(cost.shape[1] + 2, np.inf, dtype=np.float32)
    for row in range(1, len(cost)):
        before[1:-1] = total[row - 1]
        total[row] += np.minimum(
            before[1:-1], np.minimum(before[:-2], before[2:]) + _DIAGONAL
        )
    return total


def _trace(total: NDArray[np.float32], column: int) -> list[int]:
    """Columns of the cheapest path from the first row on."""
    path = [column]
    for row in total[1:]:
        start = max(0, column - 1)
        near = row[start : column + 2] + _DIAGONAL
        near[column - start] -= _DIAGONAL
        column = start + int(near.argmin())
        path.append(column)
    return path
