"""Pictures with more or fewer pixels."""

from functools import lru_cache

import numpy as np


def resize(image, shape):
    """Resize a picture: area averages where it shrinks, linear where it grows.

    Parameters
    ----------
    image : ndarray of float32 of shape (height, width)
    shape : tuple of int
        Height and width of the result.

    Returns
    -------
    ndarray of float32 of shape `shape`
    """
    if image.shape == tuple(shape):
        return image
    # Blocks first: the products below would take long on a photograph.
    down, across = (
        max(1, size // (4 * new)) for size, new in zip(image.shape, shape, strict=True)
    )
    image = _average_blocks(image, down, across)
    rows = _weights(image.shape[0], shape[0])
    columns = _weights(image.shape[1], shape[1])
    return rows @ image @ columns.T


def shrink(image, longest):
    """Shrink a picture, in proportion, to at most `longest` pixels by either side."""
    scale = longest / max(image.shape)
    if scale >= 1:
        return image
    return resize(image, tuple(max(1, round(side * scale)) for side in image.shape))


def _average_blocks(image, down, across):
    if down == across == 1:
        return image
    height, width = image.shape
    # What does not fill a block goes: less than a fourth of a pixel of the result.
    image = image[: height // down * down, : width // across * across]
    blocks = image.reshape(height // down, down, width // across, across)
    return blocks.mean((1, 3), dtype=np.float32)


@lru_cache(maxsize=64)
def _weights(size, new):
    """Weights of shape (new, size): of each old pixel in each new one."""
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
    return weights.astype(np.float32)
