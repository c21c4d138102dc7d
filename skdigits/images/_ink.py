"""What is ink and what is paper."""

import numpy as np
from scipy import ndimage

from skdigits.images._errors import BlankImageError
from skdigits.images._resampling import resize, shrink

# Ink that is darker than its paper by less than this share is none.
LEAST_CONTRAST = 0.08

# Ink is on at least so many pixels.
_FEWEST_PIXELS = 40

# Paper is looked at with at most this many pixels by the longer side.
_PAPER_PIXELS = 240


def is_light(grey):
    """Whether ink is lighter than the paper, which is what lies along the border.

    Parameters
    ----------
    grey : ndarray of float32 of shape (height, width)

    Returns
    -------
    bool
    """
    small = shrink(grey, _PAPER_PIXELS)
    deviation = small - _plane_through_border(small)
    return bool(deviation.max() > -deviation.min())


def _plane_through_border(grey):
    """Light that falls from one side, as the plane nearest to most of the border."""
    rows, columns = np.indices(grey.shape, dtype=np.float32)
    border = np.ones(grey.shape, dtype=bool)
    border[1:-1, 1:-1] = False
    terms = np.stack([np.ones_like(grey), rows, columns], axis=-1)
    A, values = terms[border], grey[border]
    plane = np.array([np.median(values), 0, 0])
    if (values == plane[0]).mean() > 0.5:
        return np.full_like(grey, plane[0])
    for _ in range(8):  # least absolute deviations, by reweighting
        weights = 1 / np.maximum(np.abs(values - A @ plane), 1e-3)
        plane = np.linalg.lstsq(
            A * np.sqrt(weights)[:, None], values * np.sqrt(weights), rcond=None
        )[0]
    return (terms @ plane).astype(np.float32)


def share_of_ink(grey, window):
    """How much darker than its paper each pixel is, light and shadows removed.

    Parameters
    ----------
    grey : ndarray of float32 of shape (height, width)
        Dark ink on light paper.
    window : float
        Pixels across what is looked at to find paper: more than across a stroke.

    Returns
    -------
    ndarray of float32 of shape (height, width)
        From 0 for paper to 1 for black; what is lighter than paper is below 0.
    """
    small = shrink(grey, _PAPER_PIXELS)
    # First light from one side, which a closing takes for ink at the darker border.
    slope = np.maximum(_plane_through_border(small), 1 / 64)
    grey, small = grey / resize(slope, grey.shape), small / slope
    width = max(3, round(window * max(small.shape) / max(grey.shape)))
    # A closing keeps edges of shadows where they are, which blurring would not.
    paper = ndimage.grey_closing(small, (width, width), mode="nearest")
    paper = resize(ndimage.gaussian_filter(paper, 1, mode="nearest"), grey.shape)
    light = grey / np.maximum(paper, 1 / 64)
    # A closing follows the brightest noise; most of a picture is paper.
    light /= np.quantile(light, 0.7)
    return 1 - light


def contrast_and_noise(share):
    """How much darker than paper the strongest ink is, and how much paper varies.

    Paper is the brighter half. Its standard deviation comes out 1 to 1.4 times what it
    is, from no ink to 60 % of the picture.
    """
    # A small digit on a large picture is few pixels, noise and dust are fewer.
    least = min(0.001, _FEWEST_PIXELS / share.size)
    strongest, paper, brightest = np.quantile(share, [1 - least, 0.25, 0.05])
    return float(strongest - paper), float(paper - brightest)


def check_contrast(contrast, noise=0.0):
    """Refuse a picture whose strongest ink hardly differs from its paper."""
    if contrast < max(LEAST_CONTRAST, 5 * noise):
        raise BlankImageError(
            "There is no ink on the picture: expected digits that are darker or "
            f"lighter than their paper by {LEAST_CONTRAST:.0%} or more and by five "
            f"times its noise. Got {contrast:.1%}, with noise of {noise:.1%}. Write "
            "with a darker pen or in better light."
        )
