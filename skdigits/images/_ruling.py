"""Ruled and squared lines of a page."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

# Lines go over at least this part of the page, with ink along most of it.
_LEAST_LENGTH = 0.28
_LEAST_COVER = 0.6

# Those of digits are shorter than this part of the page, and fewer.
_CERTAIN_LENGTH = 0.7
_SEVERAL = 4

# Shorter pieces, like lines found, are of lines which digits interrupt.
_LEAST_FRAGMENT = 0.05

# Lines are at most this thick, as a part of the longer side of the page.
_MOST_THICKNESS = 0.008

# Strokes on a line are darker than it by this factor.
_DARKER = 1.35


@dataclass
class _Line:
    curve: np.ndarray
    slope: float
    thickness: float
    strength: float
    start: int
    stop: int


def find_lines(ink, mask):
    """Find ruled and squared lines.

    Parameters
    ----------
    ink : ndarray of float32 of shape (height, width)
        Amounts of ink.
    mask : ndarray of bool of shape (height, width)
        Where there is ink.

    Returns
    -------
    ndarray of bool of shape (height, width)
        Pixels of lines which are not of strokes across or along them.
    """
    level, level_bands = _level_lines(ink, mask)
    upright, upright_bands = _level_lines(ink.T, mask.T)
    strength = np.maximum(level_bands, upright_bands.T)
    crossings = (level_bands > 0) & (upright_bands.T > 0)
    return (level | upright.T | crossings) & (ink <= _DARKER * strength)


def _level_lines(ink, mask):
    """Lines from left to right: their pixels, and how dark they are in their bands."""
    height, width = mask.shape
    lines = np.zeros(mask.shape, dtype=bool)
    bands = np.zeros(mask.shape, dtype=np.float32)
    most = max(4, round(_MOST_THICKNESS * max(mask.shape)))
    runs = _run_lengths(mask)
    short = mask & (runs <= most)
    found, fragments = [], []
    for rows, columns in _pieces(short, width):
        curve, near, cover = _fit_curve(rows, columns, width)
        line = _Line(
            curve,
            slope=(curve[columns.max()] - curve[columns.min()])
            / max(1, np.ptp(columns)),
            thickness=np.median(runs[rows[near], columns[near]]),
            strength=np.median(ink[rows[near], columns[near]]),
            start=columns.min(),
            stop=columns.max() + 1,
        )
        if cover >= _LEAST_COVER:
            whole = line.stop - line.start >= _LEAST_LENGTH * width
            (found if whole else fragments).append(line)
    found = [line for line in found if _is_ruled(line, found, width)]
    fragments = [line for line in fragments if _is_like(line, found)]
    for line in found:
        line.start, line.stop = 0, width
    for line in found + fragments:
        curve, thickness = line.curve[line.start : line.stop], line.thickness
        reach = int(np.ceil(thickness / 2 + 1.5))
        offsets = np.arange(-reach, reach + 1)
        # Rounded first: halves are rounded to even, which would skip rows.
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


def _run_lengths(mask):
    """Length of the vertical run of ink each pixel is in."""
    padded = np.zeros((mask.shape[0] + 2, mask.shape[1]), dtype=np.int8)
    padded[1:-1] = mask
    steps = np.diff(padded, axis=0).T
    starts, stops = np.argwhere(steps == 1), np.argwhere(steps == -1)
    lengths = stops[:, 1] - starts[:, 1]
    runs = np.zeros(mask.T.shape, dtype=np.int32)
    runs[mask.T] = np.repeat(lengths, lengths)
    return runs.T


def _is_ruled(line, lines, width):
    """Whether it is none of the strokes of a large digit."""
    return line.stop - line.start >= _CERTAIN_LENGTH * width or len(lines) >= _SEVERAL


def _is_like(fragment, lines):
    """Whether it is of a line that digits interrupt, of which there are others."""
    if len(lines) < 2:
        return False
    slopes, thicknesses, strengths = np.transpose(
        [(line.slope, line.thickness, line.strength) for line in lines]
    )
    return (
        np.abs(slopes - fragment.slope).min() < 0.05
        and fragment.thickness <= 1.5 * np.median(thicknesses) + 1
        and fragment.strength <= 1.3 * np.median(strengths)
    )


def _pieces(short, width):
    """Rows and columns of what is long, gaps bridged."""
    gap = max(3, round(0.02 * width))
    bridged = np.pad(short, ((0, 0), (gap, gap)))
    bridged = ndimage.binary_closing(bridged, np.ones((1, gap)))[:, gap:-gap]
    labels, _ = ndimage.label(bridged, np.ones((3, 3)))
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box[1].stop - box[1].start >= _LEAST_FRAGMENT * width:
            rows, columns = np.nonzero((labels[box] == label) & short[box])
            yield rows + box[0].start, columns + box[1].start


def _fit_curve(rows, columns, width):
    """The parabola most pixels are near, which these are, and how much they cover."""
    places = 2 * columns / width - 1
    tolerance = 0.004 * width + 1.5
    span = np.ptp(columns) + 1
    terms = 3 if span >= _LEAST_LENGTH * width else 2
    A = np.vander(places, terms)
    near = np.ones(rows.shape, dtype=bool)
    for factor in (8, 4, 2, 1, 1):
        coefficients = np.linalg.lstsq(A[near], rows[near], rcond=None)[0]
        closer = np.abs(rows - A @ coefficients) <= tolerance * factor
        if np.unique(columns[closer]).size < terms:
            break
        near = closer
    cover = np.unique(columns[near]).size / span
    everywhere = np.vander(2 * np.arange(width) / width - 1, terms)
    return everywhere @ coefficients, near, cover
