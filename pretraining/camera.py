"""Simulate photographs and scans of digits, and normalize them with the library."""

import io

import numpy as np
from PIL import Image
from scipy import ndimage

from skdigits.images import ImageError, normalize_digit
from skdigits.images._boxes import bounding_box
from skdigits.images._normalize import fit_to_box, place
from skdigits.images._resampling import resize

# Fewer dark pixels are a few dots, to which the finest lines may be reduced.
_MIN_DARK_PIXELS = 15


def normalized_photograph(ink, rng):
    """Photograph or scan a digit, and normalize it to the format of MNIST.

    Parameters
    ----------
    ink : ndarray of float32 of shape (height, width)
        From 0 for paper to 1 for ink.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of uint8 of shape (28, 28), or None
        None if no digit is found.
    """
    ink = _resized(ink, rng)
    ink = ink / ink.max()
    if rng.random() < 0.1:
        _take_out_line(ink, rng)
    kind = rng.choice(["photograph", "scan", "fax"], p=[0.55, 0.2, 0.25])
    if kind == "photograph":
        grey = _photograph(ink, rng)
    elif kind == "scan":
        paper, contrast = rng.uniform(0.7, 1), rng.uniform(0.3, 1)
        grey = paper * (1 - contrast * ink)
    else:
        ink = ndimage.gaussian_filter(ink, rng.uniform(0.3, 1))
        rough = ink + rng.normal(0, rng.uniform(0, 0.15), ink.shape)
        grey = 1.0 * (rough < rng.uniform(0.3, 0.6))
    if rng.random() < 0.1:
        grey = np.rint(16 * grey) / 16
    try:
        image = normalize_digit(np.rint(255 * np.clip(grey, 0, 1)).astype(np.uint8))
    except ImageError:
        return None
    return image if np.count_nonzero(image > 100) >= _MIN_DARK_PIXELS else None


def normalized_ink(ink, rng):
    """Blur ink, and normalize it as the digits of a page are, whose paper is known.

    Parameters and result are those of `normalized_photograph`.
    """
    ink = _resized(ink, rng)
    if rng.random() < 0.15:
        _take_out_line(ink, rng)
    ink = ndimage.gaussian_filter(ink, rng.uniform(0, 0.03) * max(ink.shape))
    ink = ink / max(ink.max(), 0.1) + rng.normal(0, rng.uniform(0, 0.1), ink.shape)
    if rng.random() < 0.2:
        ink = np.rint(16 * ink) / 16
    if rng.random() < 0.3:
        ink = 1.0 * (ink > rng.uniform(0.2, 0.6))
    ink = np.clip(ink, 0, 1).astype(np.float32)
    if np.count_nonzero(ink > 0.5) < _MIN_DARK_PIXELS:
        return None
    image = place(fit_to_box(ink, 20), 28)
    return image if np.count_nonzero(image > 100) >= _MIN_DARK_PIXELS else None


def _resized(ink, rng):
    """Crop ink, and resize it to a random size with a margin."""
    ink = ink[bounding_box(ink > ink.max() / 2)]
    scale = np.exp(rng.uniform(np.log(7), np.log(90))) / max(ink.shape)
    aspect = np.exp(rng.normal(0, 0.15))
    height, width = (
        max(2, round(side * scale * factor))
        for side, factor in zip(ink.shape, (1 / aspect, aspect), strict=True)
    )
    if rng.random() < 0.2:
        # Stretched to a bitmap, as in some collections of digits.
        height = rng.integers(8, 25)
        width = height if ink.shape[1] > 0.4 * len(ink) else rng.integers(5, height)
    margin = max(2, round(rng.uniform(0.1, 0.5) * height))
    return np.pad(resize(ink, (height, width)), margin)


def _take_out_line(ink, rng):
    """Fade strokes where a ruled line was removed."""
    row = rng.integers(len(ink))
    thickness = max(1, round(rng.uniform(0.01, 0.05) * len(ink)))
    ink[row : row + thickness] *= rng.uniform(0, 0.7)


def _photograph(ink, rng):
    longer = max(ink.shape)
    ink = ndimage.gaussian_filter(
        ink, rng.uniform(0.2, 0.6) + 0.02 * rng.random() * longer
    )
    rows, columns = (axis / longer - 0.5 for axis in np.indices(ink.shape))
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * rows + np.sin(angle) * columns
    light = rng.uniform(0.4, 0.95) * (1 - rng.uniform(0, 0.4) * slope)
    grey = light * (1 - rng.uniform(0.3, 0.95) * ink)
    grey += rng.normal(0, rng.uniform(0, 0.03), ink.shape)
    if rng.random() < 0.5:
        return np.clip(grey, 0, 1)
    buffer = io.BytesIO()
    pixels = np.rint(255 * np.clip(grey, 0, 1)).astype(np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG", quality=int(rng.integers(40, 95)))
    return np.asarray(Image.open(buffer)) / 255
