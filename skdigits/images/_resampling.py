"""Resize images."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from skdigits.images._boxes import FloatImage


def resize(image: FloatImage, shape: Sequence[int]) -> FloatImage:
    """Area averages of an image to shrink it, linear interpolation to enlarge it."""
    if image.shape == tuple(shape):
        return image
    # Average blocks first: that is faster than the products below.
    down, across = (
        max(1, size // (4 * new)) for size, new in zip(image.shape, shape, strict=True)
    )
    image = _average_blocks(image, down, across)
    rows, columns = map(_weights, image.shape, shape)
    turned = columns @ (rows @ image).T
    return np.ascontiguousarray(turned.T, dtype=np.float32)


def shrink(image: FloatImage, max_pixels: int) -> FloatImage:
    """Shrink the longer side of an image to `max_pixels`, keeping the aspect ratio."""
    return rescale(image, min(1, max_pixels / max(image.shape)))


def rescale(image: FloatImage, scale: float) -> FloatImage:
    """Resize both sides of an image by a factor."""
    return resize(image, [max(1, round(side * scale)) for side in image.shape])


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


@lru_cache(maxsize=1024)
def _weights(size: int, new: int) -> csr_array:
    """Weight of each old pixel in each new one, of shape (new, size)."""
    edges = np.linspace(0, size, new + 1)
    if new <= size:
        # Each part of an old pixel belongs to one new pixel.
        cuts = np.union1d(edges, np.arange(size + 1))
        middles = (cuts[1:] + cuts[:-1]) / 2
        indices, weights = middles.astype(int), np.diff(cuts) * new / size
        starts = np.searchsorted(middles, edges)
    else:
        centres = np.clip((edges[1:] + edges[:-1]) / 2 - 0.5, 0, size - 1)
        first = centres.astype(int)
        second = np.minimum(first + 1, size - 1)
        indices = np.stack([first, second], axis=1).ravel()
        weights = np.stack([1 - (centres - first), centres - first], axis=1).ravel()
        starts = np.arange(0, 2 * new + 1, 2)
    return csr_array((weights.astype(np.float32), indices, starts), (new, size))
