"""Choose the digits of a line: the best path through windows of neighbouring pieces."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import Box, FloatImage, Labels, lengths, union
from skdigits.images._normalize import fit_to_box, place
from skdigits.images._pieces import Piece, to_pieces
from skdigits.images._strokes import Strokes, median_height
from skdigits.pretrained._digit_reader import digit_network

# Maximum number of pieces of a digit.
MAX_PIECES = 8

# Windows have at least and at most this height and width, relative to the line.
_MIN_HEIGHT, _MAX_HEIGHT = 0.15, 2.2
_MAX_WIDTH = 1.8

# Minimum height of a line, relative to the typical height of the page.
_MIN_LINE_HEIGHT = 0.25

# Components have the height of a digit if they have this one, relative to the line.
_MIN_HIGH = 0.5

# Bars are narrower, relative to their height. Maximum share of the components of a line
# of digits that are bars.
_MAX_BAR_WIDTH, _MAX_BARS = 0.4, 0.75

# Digits that touch lie side by side: they share this part of the lower one's height.
_MIN_ABREAST = 0.5

# Weights in the log-likelihood of a path: of the features of windows, of pieces that
# are not part of a digit, and of lines that do not consist of digits. Fitted by
# pretraining/segmentation.py on synthetic lines of digits that the network was not
# trained on. Then changed one or two at a time, as by pretraining/path_search.py, to
# reduce the errors on half of the photographs, on pages of scikit-learn's digits and on
# synthetic pages, words, textures and touching pairs. Only this search chose the last
# weight of windows, that of the strength of ink.
WINDOW_WEIGHTS = np.array(
    [-0.95, 4.8, -0.78, 0.24, 2.3, -6.2, -4.0, -4.0]
    + [-3.7, -6.7, -4.7, -0.43, -0.84, 9.4, 2.7]
)
# Of a cut between two digits, which is in the features of both.
JOINT_WEIGHT = 8.3
SKIP_WEIGHTS = np.array([-0.16, -1.7, 0.89, -2.1])
OTHER_WEIGHTS = np.array([-0.25, 1.0, 1.0])
_Weights: TypeAlias = tuple[
    NDArray[np.float64], NDArray[np.float64], float, NDArray[np.float64]
]
WEIGHTS: _Weights = WINDOW_WEIGHTS, SKIP_WEIGHTS, JOINT_WEIGHT, OTHER_WEIGHTS


@dataclass(frozen=True, eq=False)
class Window:
    """Pieces from `first` to before `stop`, which may be a digit.

    `image` is in the format of MNIST; `probabilities` are those of the packaged
    network.
    """

    first: int
    stop: int
    box: Box
    image: NDArray[np.uint8]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Line:
    """The pieces of a line and their windows.

    `height` is that of its digits, and `page_height` the typical one of the page.
    """

    pieces: list[Piece]
    windows: list[Window]
    height: float
    page_height: float


_Path: TypeAlias = tuple[float, list[Window]]


def read_line(
    strokes: Strokes, chain: Sequence[int], labels: Labels
) -> tuple[list[Window], float, int]:
    """Digits of a line, how much more likely they are than none, and what is left.

    A line either consists of digits, of which few pieces are not a part, or of
    something else, in which no window is a digit however much it looks like one.

    The last number is that of components which have the height of a digit and are not
    part of one. `labels` are those of the components, and are changed in place to
    pieces.
    """
    line = to_line(strokes, chain, labels)
    if line is None:
        return [], 0.0, 0
    path, gain = choose_digits(line)
    used = {index for window in path for index in range(window.first, window.stop)}
    left = {
        piece.component
        for index, piece in enumerate(line.pieces)
        if index not in used and lengths(piece.box)[0] >= _MIN_HIGH * line.height
    }
    return path, gain, len(left)


def to_line(strokes: Strokes, chain: Sequence[int], labels: Labels) -> Line | None:
    """Cut the components of a chain; None if nothing has the size of a digit.

    `labels` are changed in place.
    """
    height = median_height([strokes.boxes[label] for label in chain])
    if height < _MIN_LINE_HEIGHT * strokes.height:
        return None
    pieces = to_pieces(strokes, chain, labels, height)
    windows = _make_windows(pieces, labels, strokes.share, height)
    return Line(pieces, windows, height, strokes.height) if windows else None


def choose_digits(
    line: Line, weights: _Weights = WEIGHTS
) -> tuple[list[Window], float]:
    """Windows that are digits, and how much more likely they are than none."""
    for_windows, for_skips, for_joints, for_others = weights
    scores = window_features(line) @ for_windows
    skips = skip_features(line) @ for_skips
    joints = for_joints * np.array([piece.cut_before for piece in line.pieces])
    path, gain = _best_path(line.windows, scores, skips, joints)
    if gain <= max(0.0, float(line_features(line) @ for_others)):
        return [], 0.0
    return path, gain


def _make_windows(
    pieces: Sequence[Piece], labels: Labels, share: FloatImage, height: float
) -> list[Window]:
    """All windows of neighbouring pieces that have the size of a digit.

    `share` is the amount of ink of each pixel, in [0, 1].
    """
    found = []
    for first in range(len(pieces)):
        box = pieces[first].box
        for stop in range(first + 1, min(first + MAX_PIECES, len(pieces)) + 1):
            box = union([box, pieces[stop - 1].box])
            tall, wide = lengths(box)
            if wide > _MAX_WIDTH * height or tall > _MAX_HEIGHT * height:
                break
            if max(tall, wide) >= _MIN_HEIGHT * height:
                parts = pieces[first].label, pieces[stop - 1].label
                found.append((first, stop, box, _normalized(labels, share, parts, box)))
    if not found:
        return []
    rows = np.stack([image.ravel() for *_, image in found])
    P = digit_network().predict_proba(rows)
    return [Window(*window, own) for window, own in zip(found, P, strict=True)]


def _normalized(
    labels: Labels, share: FloatImage, parts: tuple[int, int], box: Box
) -> NDArray[np.uint8]:
    """Pieces without their neighbours, in the format of MNIST.

    `parts` are the labels of the first and the last one: those of a line increase.
    """
    margin = max(2, round(max(lengths(box)) / 20))
    rows, columns = (slice(max(0, s.start - margin), s.stop + margin) for s in box)
    inside = labels[rows, columns]
    own = (parts[0] <= inside) & (inside <= parts[1])
    near = ndimage.maximum_filter(own, 2 * margin + 1) & (own | (inside == 0))
    digit = np.where(near, share[rows, columns], 0)
    return place(fit_to_box(digit / digit.max(), 20), 28)


def window_features(line: Line) -> NDArray[np.float64]:
    """Features of windows, of shape (n_windows, n_features)."""
    pieces, height = line.pieces, line.height
    middles = np.array([piece.box[0].start + piece.box[0].stop for piece in pieces]) / 2
    centre = np.median(middles)
    strength = np.median([piece.strength for piece in pieces])
    rows = []
    for window in line.windows:
        second, label = np.argsort(window.probabilities)[-2:]
        best = window.probabilities[label]
        inside = pieces[window.first : window.stop]
        tall, wide = lengths(window.box)
        middle = (window.box[0].start + window.box[0].stop) / 2
        lower = max(0.0, np.log(0.8 * height / tall))
        higher = max(0.0, np.log(tall / height / 1.15))
        gaps = [b.box[1].start - a.box[1].stop for a, b in pairwise(inside)]
        rows.append(
            [
                np.log(best),
                np.log(best + window.probabilities[second]),
                1.0,
                # Evidence that it is a digit, which has no upper bound.
                -np.log(1 - best + 1e-3),
                # Zeros are often small; low ones are commas, and high ones slashes.
                lower * (label == 0),
                lower * (label == 1),
                higher,
                higher * (label == 1),
                max(0.0, wide / height - 0.9),
                max(0.0, max(gaps, default=0) / height - 0.05),
                # Cuts at its ends.
                min(inside[0].cut_before + inside[-1].cut_after, 6.0),
                len({piece.component for piece in inside}) - 1.0,
                max(0.0, abs(middle - centre) / height - 0.15),
                # Much lower or higher than the other digits of the page.
                min(0.0, np.log(tall / line.page_height / 0.6))
                - max(0.0, np.log(tall / line.page_height / 1.6)),
                min(0.0, np.log(max(p.strength for p in inside) / strength)),
            ]
        )
    return np.array(rows, dtype=np.float64)


def skip_features(line: Line) -> NDArray[np.float64]:
    """Features of pieces that are not part of a digit, (n_pieces, n_features)."""
    tall, wide = np.array([lengths(piece.box) for piece in line.pieces]).T / line.height
    size = np.minimum(np.maximum(tall, wide), 1)
    ones = np.ones(len(line.pieces))
    return np.stack(
        [ones, size, np.minimum(tall, 1), np.maximum(tall - 1.4, 0)], axis=1
    )


def line_features(line: Line) -> NDArray[np.float64]:
    """Features of a line that does not consist of digits, of shape (n_features,)."""
    height = line.height
    components: dict[int, list[Piece]] = {}
    for piece in line.pieces:
        components.setdefault(piece.component, []).append(piece)
    n_high = n_bars = 0
    for own in components.values():
        box = union(piece.box for piece in own)
        n_high += any(lengths(piece.box)[0] >= _MIN_HIGH * height for piece in own)
        # A component as wide as a digit is not a bar although its pieces may be.
        parts = [box] if lengths(box)[1] <= height else [piece.box for piece in own]
        for tall, wide in map(lengths, parts):
            n_bars += tall >= _MIN_HIGH * height and wide <= _MAX_BAR_WIDTH * tall
    # Bricks and fabrics consist of bars, which look like the digit 1.
    more = max(0.0, n_bars - _MAX_BARS * n_high)
    return np.array([1.0, n_high, more])


def _best_path(
    windows: Sequence[Window],
    scores: NDArray[np.float64],
    skips: NDArray[np.float64],
    joints: NDArray[np.float64],
) -> tuple[list[Window], float]:
    """Windows of the best path, and how much better it is than none.

    `joints` are added where a window ends and another begins at a piece: the cut
    between two digits is one cut. It must have them side by side.
    """
    ending: list[list[tuple[Window, float]]] = [[] for _ in range(len(skips) + 1)]
    for window, score in zip(windows, scores, strict=True):
        ending[window.stop].append((window, float(score)))
    # Score and windows of the best path to each piece, and of the best one that ends
    # with a window there.
    best: list[_Path] = [(0.0, [])]
    closed: list[_Path] = [(-np.inf, [])]
    for stop, skip in enumerate(skips, start=1):
        paths: list[_Path] = [(-np.inf, [])]
        for window, score in ending[stop]:
            joined = closed[window.first]
            abreast = bool(joined[1]) and _are_abreast(joined[1][-1], window)
            joint = joints[window.first] if abreast else 0.0
            before = max(
                best[window.first], (joined[0] + joint, joined[1]), key=itemgetter(0)
            )
            paths.append((before[0] + score, [*before[1], window]))
        closed.append(max(paths, key=itemgetter(0)))
        skipped = best[-1][0] + skip, best[-1][1]
        best.append(max(skipped, closed[-1], key=itemgetter(0)))
    return best[-1][1], float(best[-1][0] - skips.sum())


def _are_abreast(window: Window, other: Window) -> bool:
    """Whether two windows lie side by side, unlike the ends of a slash."""
    one, two = window.box[0], other.box[0]
    common = min(one.stop, two.stop) - max(one.start, two.start)
    shorter = min(one.stop - one.start, two.stop - two.start)
    return bool(common >= _MIN_ABREAST * shorter)
