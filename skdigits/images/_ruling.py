"""Find ruled and grid lines of a page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import EIGHT_NEIGHBOURS, FloatImage, Mask
from skdigits.images._line_pixels import RuledLine, line_pixels, run_lengths

# Minimum length of a line as a part of the longer side of the page, or of the side
# along the line, whichever is shorter.
_MIN_LENGTH = 0.28
_MIN_LENGTH_OF_SIDE = 0.8

# Minimum length of upright lines between the outermost level ones, relative to the
# distance of these, if that is at least the second part of the height of the page.
_MIN_LENGTH_OF_FRAME, _MIN_FRAME = 0.95, 0.3

# Shorter lines that resemble those have at least this part of the longer side.
_MIN_SHORT_LENGTH = 0.1

# One line may be the stroke of a digit: it is ruled if its ends are apart by this part
# of the longer side, or of the page, and it has ink in this share of it, or if there
# are this many lines.
_MIN_SINGLE_LENGTH = 0.7
_MIN_SINGLE_COVER = 0.4
_MIN_LINES = 4

# Minimum length of a piece of a line that digits interrupt, and maximum gaps inside of
# a piece and between two, as parts of the longer side; and the share of columns between
# the ends of a piece in which it has pixels.
_MIN_PIECE = 0.05
_MAX_BRIDGED, _MAX_GAP = 0.02, 0.3
_MIN_COVER = 0.5

# Maximum distance from the fitted line of its pixels, and of the middle of a piece that
# continues it, as parts of the longer side. About a pixel more is rounding.
_PIXEL_DISTANCE, _PIECE_DISTANCE = 0.004, 0.006

# A short line resembles a long one if their slopes differ by at most the first number,
# and if it is thicker and darker by at most these factors.
_LIKE_SLOPE, _LIKE_THICKNESS, _LIKE_STRENGTH = 0.05, 1.5, 1.3

# Maximum thickness of a line, as a part of the longer side of the page; of four times
# the shorter side in a strip.
_MAX_THICKNESS = 0.01


# Rows and columns of pixels, of shape (2, n_pixels).
_Pixels: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class _Line(RuledLine):
    """A line with its pixels, the columns that have some, and the usual darkness."""

    pixels: _Pixels
    columns: NDArray[np.intp]
    strength: float

    @property
    def cover(self) -> float:
        """Share of the columns between its ends that have pixels."""
        return len(self.columns) / (1 + np.ptp(self.columns))


def find_lines(ink: FloatImage, mask: Mask) -> Mask:
    """Find the pixels of ruled and grid lines, without those of strokes on the lines.

    `mask` is where there is ink. Returns a mask of the same shape.
    """
    # Without the blur at the sides of lines.
    nearby = 2 * _max_thickness(mask.shape) + 1
    sharp = mask & (ink >= 0.5 * ndimage.maximum_filter(ink, nearby))
    level = _level_lines(ink, sharp)
    frame = np.ptp([line.curve[len(line.curve) // 2] for line in level] or [0])
    enough = _MIN_LENGTH_OF_FRAME * frame if frame >= _MIN_FRAME * len(mask) else np.inf
    upright = _level_lines(ink.T, sharp.T, enough)
    return mask & line_pixels(ink, sharp, level, upright)


def _max_thickness(shape: Sequence[int]) -> int:
    longer = max(shape)
    share = _MAX_THICKNESS * min(longer, 4 * min(shape))
    return max(4, min(8, longer // 75), round(share))


def _level_lines(ink: FloatImage, mask: Mask, enough: float = np.inf) -> list[_Line]:
    """Find lines from left to right. Lines of `enough` pixels are not too short."""
    width, longer = mask.shape[1], max(mask.shape)
    min_length = min(_MIN_LENGTH * longer, _MIN_LENGTH_OF_SIDE * width, enough)
    runs = run_lengths(mask)
    max_thickness = _max_thickness(mask.shape)
    # Fine lines are found where thin strokes are not taken for pieces of lines.
    pieces = [
        piece
        for thickness in (max_thickness, max_thickness // 2)
        for piece in _pieces(mask & (runs <= thickness), longer)
    ]
    lines = _merge(pieces, ink, runs)
    long = [line for line in lines if len(line.columns) >= min_length]
    if len(long) < _MIN_LINES:
        single = min(_MIN_SINGLE_LENGTH * longer, width - 5)
        long = [
            line
            for line in long
            if np.ptp(line.columns) >= single and line.cover >= _MIN_SINGLE_COVER
        ]
    return long + [
        line
        for line in lines
        if line not in long
        and len(line.columns) >= _MIN_SHORT_LENGTH * longer
        and _is_like(line, long)
    ]


def _is_like(line: _Line, lines: Sequence[_Line]) -> bool:
    """Whether a short line is a part of one that resembles the long lines."""
    slopes = [np.ptp(other.curve[[0, -1]]) for other in lines]
    return any(
        abs(np.ptp(line.curve[[0, -1]]) - slope) <= _LIKE_SLOPE * len(line.curve)
        and line.thickness <= _LIKE_THICKNESS * other.thickness + 1
        and line.strength <= _LIKE_STRENGTH * other.strength
        for slope, other in zip(slopes, lines, strict=True)
    )


def _pieces(short: Mask, longer: int) -> Iterator[_Pixels]:
    """Pixels of long pieces, whose gaps are bridged."""
    gap = max(3, round(_MAX_BRIDGED * longer))
    padded = np.pad(short, ((0, 0), (gap, gap))).astype(np.uint8)
    # As binary_closing, which is slower for wide structures.
    bridged = ndimage.grey_closing(padded, (1, gap))[:, gap:-gap]
    labels, _ = ndimage.label(bridged, EIGHT_NEIGHBOURS)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box[1].stop - box[1].start >= _MIN_PIECE * longer:
            pixels = np.array(np.nonzero((labels[box] == label) & short[box]))
            yield pixels + [[box[0].start], [box[1].start]]


def _merge(
    pieces: list[_Pixels], ink: FloatImage, runs: NDArray[np.intp]
) -> list[_Line]:
    """Fit a line to each piece, and to pieces that continue each other."""
    parts = [_fit(pixels, ink, runs) for pixels in pieces]
    parts = [part for part in parts if part.cover >= _MIN_COVER]
    parts.sort(key=lambda part: len(part.columns))
    longer = max(ink.shape)
    lines = []
    while parts:
        line = parts.pop()
        while more := [part for part in parts if _continues(part, line, longer)]:
            parts = [part for part in parts if part not in more]
            line = _fit(np.hstack([p.pixels for p in (line, *more)]), ink, runs)
        lines.append(line)
    return lines


def _continues(part: _Line, line: _Line, longer: int) -> bool:
    (left, right), (start, end) = part.columns[[0, -1]], line.columns[[0, -1]]
    gap = max(left - end, start - right)
    middle = (left + right) // 2
    distance = abs(part.curve[middle] - line.curve[middle])
    is_near = bool(distance <= _PIECE_DISTANCE * longer + 1)
    return gap <= _MAX_GAP * longer and is_near


def _fit(pixels: _Pixels, ink: FloatImage, runs: NDArray[np.intp]) -> _Line:
    """Fit a parabola, or a straight line to a short piece, to most pixels."""
    width, longer = ink.shape[1], max(ink.shape)
    rows, columns = pixels
    places = 2 * columns / width - 1
    tolerance = _PIXEL_DISTANCE * longer + 1.5
    terms = 3 if np.ptp(columns) >= _MIN_LENGTH * longer else 2
    A = np.vander(places, terms)
    near = np.ones(len(rows), dtype=bool)
    for factor in (8, 4, 2, 1, 1):
        coefficients = np.linalg.lstsq(A[near], rows[near], rcond=None)[0]
        closer = np.abs(rows - A @ coefficients) <= tolerance * factor
        if np.unique(columns[closer]).size < terms:
            break
        near = closer
    curve = np.vander(2 * np.arange(width) / width - 1, terms) @ coefficients
    pixels = pixels[:, near]
    thickness, strength = (float(np.median(a[tuple(pixels)])) for a in (runs, ink))
    return _Line(curve, thickness, pixels, np.unique(pixels[1]), strength)
