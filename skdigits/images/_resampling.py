"""Resize images."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from skdigits.images._boxes import FloatImage


def resize(image: FloatImage, shape: Sequence[int]) -> FloatImage:
    """Area averages of an image to shrink it, linear interpolation to enlarge it."""
    if image.shape == tuple(shape):
        return image
    # Average blocks first: the matrix products below are slow for photographs.
    down, across = (
        max(1, size // (4 * new)) for size, new in zip(image.shape, shape, strict=True)
    )
    image = _average_blocks(image, down, across)
    rows = _weights(image.shape[0], shape[0])
    columns = _weights(image.shape[1], shape[1])
    resized = rows @ image @ columns.T
    return resized.astype(np.float32, copy=False)


def shrink(image: FloatImage, max_pixels: int) -> FloatImage:
    """Shrink the longer side of an image to `max_pixels`, keeping the aspect ratio."""
    scale = max_pixels / max(image.shape)
    if scale >= 1:
        return image
    return resize(image, tuple(max(1, round(side * scale)) for side in image.shape))


def _average_blocks(image: FloatImage, down: int, across: int) -> FloatImage:
    """Averages of blocks of `down` x `across` pixels."""
    if down == across == 1:
        return image
    height, width = image.shape
    # Drop incomplete blocks: less than a fourth of a pixel of the result.
    image = image[: height // down * down, : width // across * across]
    blocks = image.reshape(height // down, down, width // across, across)
    averages: FloatImage = blocks.mean((1, 3), dtype=np.float32)
    return averages


@lru_cache(maxsize=64)
def _weights(size: int, new: int) -> FloatImage:
    """Weight of each old pixel in each new one, of shape (new, size)."""
    edges = np.arange(new + 1) * (size / new)
    if new <= size:
        pixels = np.arange(size)
        overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(
            edges[:-1, None], pixels
        )
        weights = np.maximum(overlap, 0) * (new / size)
    else:
        centres = np.clip((edges[1:] + edges[:-1]) / 2 - 0.5, 0, size - 1)
        weights = np.maximum(1 - np.abs(centres[:, None] - np.arange(size)), 0)
    result: FloatImage = weights.astype(np.float32)
    return result
