"""Resize images."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from skdigits.images._boxes import FloatImage


def resize(image: FloatImage, shape: Sequence[int]) -> FloatImage:
    """Area averages of an image to shrink it, linear interpolation to enlarge it."""
    if image.shape == tuple(shape):
        return image
    rows, columns = shape
    return _resize_rows(_resize_rows(image, rows).T, columns).T.copy()


def shrink(image: FloatImage, max_pixels: int) -> FloatImage:
    """Shrink the longer side of an image to `max_pixels`, keeping the aspect ratio."""
    return rescale(image, min(1, max_pixels / max(image.shape)))


def rescale(image: FloatImage, scale: float) -> FloatImage:
    """Resize both sides of an image by a factor."""
    return resize(image, [max(1, round(side * scale)) for side in image.shape])


def _resize_rows(image: FloatImage, new: int) -> FloatImage:
    """Resize an image to `new` rows."""
    image = np.ascontiguousarray(image, dtype=np.float32)
    indices, weights = _weights(len(image), new)
    rows: FloatImage = image[indices[0]]
    rows *= weights[0]
    for index, weight in zip(indices[1:], weights[1:], strict=True):
        more = image[index]
        more *= weight
        rows += more
    return rows


@lru_cache(maxsize=1024)
def _weights(size: int, new: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Indices of the old pixels of each new one, and their weights.

    The shapes are (n_old, new) and (n_old, new, 1).
    """
    edges = np.linspace(0, size, new + 1)
    start, stop = edges[:-1], edges[1:]
    if new <= size:
        # Each part of an old pixel belongs to one new pixel.
        old = start.astype(int) + np.arange(-(-size // new) + 1)[:, None]
        shares = np.minimum(stop, old + 1) - np.maximum(start, old)
        weights = np.maximum(shares, 0) * new / size
    else:
        centres = np.clip((start + stop) / 2 - 0.5, 0, size - 1)
        old = centres.astype(int) + np.arange(2)[:, None]
        weights = 1 - np.abs(centres - old)
    return np.minimum(old, size - 1), weights.astype(np.float32)[..., None]
