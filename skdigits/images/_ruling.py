"""Find ruled and grid lines of a page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import EIGHT_NEIGHBOURS, FloatImage, Mask

# Minimum length of a line as a part of the width of the page, and of the columns on it
# that have ink.
_MIN_LENGTH = 0.28
_MIN_COVER = 0.6

# One line may be the stroke of a digit: it is ruled if it has this part of the width of
# the page, or if there are this many lines.
_MIN_SINGLE_LENGTH = 0.7
_MIN_LINES = 4

# Minimum length of a fragment of a line that digits interrupt, as a part of the width.
_MIN_FRAGMENT = 0.05

# Maximum thickness of a line, as a part of the longer side of the page.
_MAX_THICKNESS = 0.008

# Strokes that cross a line are darker than the line by this factor.
_STROKE_CONTRAST = 1.35


@dataclass
class _Line:
    """A line: its row in each column of the page, and the columns that it covers."""

    curve: NDArray[np.float64]
    slope: float
    thickness: float
    strength: float
    start: int
    stop: int


def find_lines(ink: FloatImage, mask: Mask) -> Mask:
    """Find ruled and grid lines.

    Parameters
    ----------
    ink : ndarray of float32 of shape (height, width)
        Amount of ink of each pixel.
    mask : ndarray of bool of shape (height, width)
        Where there is ink.

    Returns
    -------
    ndarray of bool of shape (height, width)
        Pixels of lines, without those of strokes on the lines.
    """
    level, level_bands = _level_lines(ink, mask)
    upright, upright_bands = _level_lines(ink.T, mask.T)
    strength = np.maximum(level_bands, upright_bands.T)
    crossings = (level_bands > 0) & (upright_bands.T > 0)
    lines: Mask = level | upright.T | crossings
    return lines & (ink <= _STROKE_CONTRAST * strength)


def _level_lines(ink: FloatImage, mask: Mask) -> tuple[Mask, FloatImage]:
    """Pixels of lines from left to right, and the darkness of the bands around them."""
    height, width = mask.shape
    lines: Mask = np.zeros(mask.shape, dtype=bool)
    bands = np.zeros(mask.shape, dtype=np.float32)
    max_thickness = max(4, round(_MAX_THICKNESS * max(mask.shape)))
    runs = _run_lengths(mask)
    short = mask & (runs <= max_thickness)
    found: list[_Line] = []
    fragments: list[_Line] = []
    for rows, columns in _pieces(short, width):
        curve, near, cover = _fit_curve(rows, columns, width)
        line = _Line(
            curve,
            slope=(curve[columns.max()] - curve[columns.min()])
            / max(1, np.ptp(columns)),
            thickness=float(np.median(runs[rows[near], columns[near]])),
            strength=float(np.median(ink[rows[near], columns[near]])),
            start=columns.min(),
            stop=columns.max() + 1,
        )
        if cover >= _MIN_COVER:
            whole = line.stop - line.start >= _MIN_LENGTH * width
            (found if whole else fragments).append(line)
    found = [line for line in found if _is_ruled(line, found, width)]
    fragments = [line for line in fragments if _is_like(line, found)]
    for line in found:
        line.start, line.stop = 0, width
    for line in found + fragments:
        curve, thickness = line.curve[line.start : line.stop], line.thickness
        reach = int(np.ceil(thickness / 2 + 1.5))
        offsets = np.arange(-reach, reach + 1)
        # Round first: halves are rounded to even, which would skip rows.
        band_rows = np.rint(curve).astype(np.intp) + offsets[:, None]
        inside = (band_rows >= 0) & (band_rows < height)
        band_rows = np.clip(band_rows, 0, height - 1)
        band = (
            band_rows,
            np.broadcast_to(np.arange(line.start, line.stop), band_rows.shape),
        )
        strength = ndimage.median_filter(ink[band].max(0), max(3, width // 8))
        lines[band] |= inside & (runs[band] <= 1.6 * thickness + 1)
        bands[band] = np.maximum(bands[band], strength)
    return lines & mask, bands


def _run_lengths(mask: Mask) -> NDArray[np.int32]:
    """Length of the vertical run of ink that contains each pixel, 0 for paper."""
    padded = np.zeros((mask.shape[0] + 2, mask.shape[1]), dtype=np.int8)
    padded[1:-1] = mask
    steps = np.diff(padded, axis=0).T
    starts, stops = np.argwhere(steps == 1), np.argwhere(steps == -1)
    lengths = stops[:, 1] - starts[:, 1]
    runs = np.zeros(mask.T.shape, dtype=np.int32)
    runs[mask.T] = np.repeat(lengths, lengths)
    return runs.T


def _is_ruled(line: _Line, lines: Sequence[_Line], width: int) -> bool:
    """Whether a line is not the stroke of a large digit."""
    return (
        line.stop - line.start >= _MIN_SINGLE_LENGTH * width or len(lines) >= _MIN_LINES
    )


def _is_like(fragment: _Line, lines: Sequence[_Line]) -> bool:
    """Whether a fragment resembles the lines, of which there are at least two."""
    if len(lines) < 2:
        return False
    slopes, thicknesses, strengths = np.transpose(
        [(line.slope, line.thickness, line.strength) for line in lines]
    )
    return bool(
        np.abs(slopes - fragment.slope).min() < 0.05
        and fragment.thickness <= 1.5 * np.median(thicknesses) + 1
        and fragment.strength <= 1.3 * np.median(strengths)
    )


def _pieces(
    short: Mask, width: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows and columns of the pixels of long pieces, whose gaps are bridged."""
    gap = max(3, round(0.02 * width))
    bridged = np.pad(short, ((0, 0), (gap, gap)))
    bridged = ndimage.binary_closing(bridged, np.ones((1, gap)))[:, gap:-gap]
    labels, _ = ndimage.label(bridged, EIGHT_NEIGHBOURS)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box[1].stop - box[1].start >= _MIN_FRAGMENT * width:
            rows, columns = np.nonzero((labels[box] == label) & short[box])
            yield rows + box[0].start, columns + box[1].start


def _fit_curve(
    rows: NDArray[np.intp], columns: NDArray[np.intp], width: int
) -> tuple[NDArray[np.float64], Mask, float]:
    """Fit a parabola to most pixels.

    Returns the row for each column of the page, which pixels are near the curve, and
    the share of the columns between the ends that they cover.
    """
    places = 2 * columns / width - 1
    tolerance = 0.004 * width + 1.5
    span = np.ptp(columns) + 1
    terms = 3 if span >= _MIN_LENGTH * width else 2
    A = np.vander(places, terms)
    near: Mask = np.ones(rows.shape, dtype=bool)
    for factor in (8, 4, 2, 1, 1):
        coefficients = np.linalg.lstsq(A[near], rows[near], rcond=None)[0]
        closer = np.abs(rows - A @ coefficients) <= tolerance * factor
        if np.unique(columns[closer]).size < terms:
            break
        near = closer
    cover = np.unique(columns[near]).size / span
    everywhere = np.vander(2 * np.arange(width) / width - 1, terms)
    return everywhere @ coefficients, near, cover
