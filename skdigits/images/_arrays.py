"""Greyscale images from arrays of pixels, after a check of shape, dtype and values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skdigits.images._boxes import FloatImage
from skdigits.images._errors import ImageError, ImageTooLargeError

# Of one image. Cameras of phones have up to 200 million pixels; a page is legible with
# far fewer.
MAX_PIXELS = 60_000_000

# Weights of red, green and blue in grey: ITU-R Recommendation BT.709.
_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)

# Number of rows converted to grey at a time, to save memory.
_ROWS = 256


def from_array(source: Any) -> FloatImage:
    """Convert an array-like of pixels to grey levels in [0, 1]."""
    pixels = _as_array(source)
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or 0 in pixels.shape:
        raise ImageError(
            "An image must have shape (height, width) or (height, width, channels) "
            f"with up to four channels. Got {pixels.shape} instead. Reshape flat "
            "arrays of pixels, and move the channels to the last axis."
        )
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise too_large(f"an array of shape {pixels.shape}")
    _check_values(pixels)
    white = np.float32(np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1)
    grey = np.empty(pixels.shape[:2], dtype=np.float32)
    for start in range(0, len(grey), _ROWS):
        rows = slice(start, start + _ROWS)
        floats = pixels[rows].astype(np.float32) / white
        grey[rows] = _to_grey(floats.reshape(*grey[rows].shape, -1))
    return grey


def _as_array(source: Any) -> NDArray[Any]:
    if np.ma.is_masked(source):
        n_masked = int(np.ma.getmaskarray(source).sum())
        raise ImageError(
            "An image must have a value for every pixel. Got a masked array with "
            f"{n_masked} masked values. Fill them, for example with "
            "image.filled(255)."
        )
    try:
        pixels = np.asarray(source)
    except ValueError as error:
        raise ImageError(
            "The rows of an image must have the same length, and its pixels the same "
            f"number of channels. Got a {type(source).__name__} with rows of different "
            "lengths. Pad the shorter rows, or crop the longer ones."
        ) from error
    strings = isinstance(source, list | tuple) and pixels.dtype.kind in "SU"
    if pixels.ndim == 0 or strings or isinstance(source, bytearray):
        raise ImageError(
            "An image must be a path, a file object, a PIL.Image.Image or an array. "
            f"Got {type(source).__name__} instead. Wrap the bytes of a file in "
            "io.BytesIO, pass the images of a list one by one, and convert anything "
            "else to an array."
        )
    return pixels


def _to_grey(pixels: FloatImage) -> FloatImage:
    """Grey levels of pixels of shape (height, width, channels)."""
    channels = pixels.shape[2]
    colours = pixels[..., : channels - 1 if channels in (2, 4) else channels]
    grey: FloatImage = colours @ _LUMA if channels > 2 else colours[..., 0]
    if channels in (2, 4):
        alpha = pixels[..., -1]
        grey = grey * alpha + (1 - alpha)
    return grey


def _check_values(pixels: NDArray[Any]) -> None:
    kind, size = pixels.dtype.kind, pixels.dtype.itemsize
    if kind == "b" or (kind == "u" and size <= 2):
        return
    if kind != "f":
        raise ImageError(
            "The dtype of an image must be bool, uint8, uint16 or floating-point. Got "
            f"{pixels.dtype} instead. Convert it: values from 0 to 255 with "
            "np.asarray(image, dtype=np.uint8), others to floats in [0, 1]."
        )
    lowest, highest = pixels.min(), pixels.max()
    if not (lowest >= 0 and highest <= 1):  # NaN is neither
        finite = np.isfinite(lowest) and np.isfinite(highest)
        raise ImageError(
            "The values of a floating-point image must be in [0, 1]. Got values from "
            f"{lowest} to {highest}. "
            + (
                "Divide values of up to 255 by 255, or remove rounding errors with "
                "np.clip(image, 0, 1)."
                if finite
                else "Replace NaN and infinity, for example with "
                "np.nan_to_num(image, nan=1, posinf=1, neginf=0)."
            )
        )


def too_large(got: str) -> ImageTooLargeError:
    return ImageTooLargeError(
        f"An image may have up to {MAX_PIXELS:,} pixels. Got {got}. Resize it."
    )
