"""Estimate where ink is: at a working size, without noise and ruled lines."""

import numpy as np
from scipy import ndimage

from skdigits.images._background import divide_by_paper, invert_labels, page_background
from skdigits.images._boxes import EIGHT_NEIGHBOURS, FloatImage, Mask
from skdigits.images._digit_ink import ink_of_digit
from skdigits.images._errors import BlankImageError
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


def ink_of_page(grey: FloatImage, *, invert: bool = False) -> tuple[FloatImage, Mask]:
    """Ink of a page in [0, 1], at the working size, and where there are strokes.

    `invert` takes light ink for dark ink, and the reverse.
    """
    grey = invert_labels(to_working_size(grey))
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


def ink_of_few(grey: FloatImage) -> tuple[FloatImage, Mask]:
    """`ink_of_page` for an image that a digit or a few may fill."""
    try:
        ink, _ = ink_of_digit(grey)
    except BlankImageError:
        ink = np.zeros_like(grey)
    ink = to_working_size(ink)
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
