"""Estimate where ink is: at a working size, without noise and ruled lines."""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from skdigits.images._background import divide_by_paper, invert_labels, page_background
from skdigits.images._boxes import EIGHT_NEIGHBOURS, FloatImage, Mask
from skdigits.images._resampling import rescale
from skdigits.images._ruling import find_lines

# Images are shrunk to the maximum number of pixels of the longer side, or enlarged to
# the minimum, and to the minimum of the shorter side as far as the maximum permits.
MAX_WORKING_PIXELS = 1600
_MIN_WORKING_PIXELS = 600
_MIN_WORKING_SIDE = 130

# Standard deviations of the Gaussian that removes noise from a page, as a part of the
# longer side. The second one is for images where noise hides more ink than this.
_SMOOTHING = (1 / 2000, 1 / 600)
_MAX_MIN_INK = 0.15

# Weak ink has at least this share of the minimum of strong ink.
_WEAK = 0.5

# In an image of a single digit, where full ink is 1, less ink is blur.
_MIN_STRENGTH = 0.35


def estimate_ink(
    grey: FloatImage, digit: FloatImage, *, is_small: bool
) -> Iterator[tuple[FloatImage, Mask]]:
    """Estimates of ink in [0, 1], at the working size, and where there are strokes.

    The most likely one is first. `digit` is the ink of the image as if it was a single
    digit: it is right if a digit or a few fill the image, as in most small images. The
    last estimate takes light ink for dark ink, and the reverse.
    """
    if is_small:
        yield _ink_of_few(digit)
    page = invert_labels(to_working_size(grey))
    yield _ink_of_page(page)
    if not is_small:
        yield _ink_of_few(digit)
    yield _ink_of_page(page, invert=True)


def _ink_of_page(grey: FloatImage, invert: bool = False) -> tuple[FloatImage, Mask]:
    background = page_background(grey, invert)
    for smoothing in _SMOOTHING:
        ink, min_ink = divide_by_paper(grey, background, smoothing)
        if np.median(min_ink) <= _MAX_MIN_INK:
            break
    # Weak ink counts where it is connected to strong ink.
    mask: Mask = ndimage.binary_propagation(
        ink > min_ink, EIGHT_NEIGHBOURS, mask=ink > _WEAK * min_ink
    )
    return _without_lines(np.clip(ink, 0, 1), mask)


def _ink_of_few(digit: FloatImage) -> tuple[FloatImage, Mask]:
    ink = to_working_size(digit)
    return _without_lines(ink, ink > _MIN_STRENGTH)


def to_working_size(
    image: FloatImage, min_pixels: int = _MIN_WORKING_PIXELS
) -> FloatImage:
    """Shrink or enlarge an image to the size at which ink is estimated.

    `min_pixels` is the minimum length of the longer side.
    """
    longer = max(image.shape)
    scale = max(1, min_pixels / longer, _MIN_WORKING_SIDE / min(image.shape))
    return rescale(image, min(scale, MAX_WORKING_PIXELS / longer))


def _without_lines(ink: FloatImage, mask: Mask) -> tuple[FloatImage, Mask]:
    lines = find_lines(ink, mask)
    return np.where(lines, 0, ink), mask & ~lines
