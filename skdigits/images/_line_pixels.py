"""Find the pixels of lines at known places, without those of strokes on the lines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import FloatImage, Mask

# Strokes that cross a line are darker than the line by this factor.
_STROKE_CONTRAST = 1.35


@dataclass(frozen=True, eq=False)
class RuledLine:
    """A line from left to right: its row in each column, and its thickness."""

    curve: NDArray[np.float64]
    thickness: float


def line_pixels(
    ink: FloatImage,
    mask: Mask,
    level: Sequence[RuledLine],
    upright: Sequence[RuledLine],
) -> Mask:
    """Find the pixels of lines, without those of strokes, which are darker or longer.

    `mask` is where there is ink. The lines are those from left to right, and from top
    to bottom.
    """
    level_pixels, level_bands = _level_pixels(ink, mask, level)
    upright_pixels, upright_bands = _level_pixels(ink.T, mask.T, upright)
    strength = np.maximum(level_bands, upright_bands.T)
    crossings = (level_bands > 0) & (upright_bands.T > 0)
    lines: Mask = level_pixels | upright_pixels.T | crossings
    return lines & (ink <= _STROKE_CONTRAST * strength)


def _level_pixels(
    ink: FloatImage, mask: Mask, lines: Sequence[RuledLine]
) -> tuple[Mask, FloatImage]:
    """Pixels of lines from left to right, and the darkness of the bands around them."""
    height, width = mask.shape
    runs = run_lengths(mask) if lines else np.empty(0)
    found: Mask = np.zeros(mask.shape, dtype=bool)
    bands = np.zeros(mask.shape, dtype=np.float32)
    for line in lines:
        reach = int(np.ceil(line.thickness / 2 + 2))
        # Round first: halves are rounded to even, which would skip rows.
        rows = np.rint(line.curve).astype(np.intp)
        rows = rows + np.arange(-reach, reach + 1)[:, None]
        inside = (rows >= 0) & (rows < height)
        columns = np.broadcast_to(np.arange(width), rows.shape)
        band = np.clip(rows, 0, height - 1), columns
        strength = ndimage.median_filter(ink[band].max(0), max(3, width // 8))
        found[band] |= inside & (runs[band] <= 1.6 * line.thickness + 1)
        bands[band] = np.maximum(bands[band], strength)
    return found, bands


def run_lengths(mask: Mask) -> NDArray[np.intp]:
    """Length of the vertical run of ink that contains each pixel, 0 for paper."""
    labels, _ = ndimage.label(mask, [[0, 1, 0]] * 3)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    runs: NDArray[np.intp] = sizes.take(labels)
    return runs
