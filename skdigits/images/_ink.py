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

# Images with at most this many pixels by the longer side have no shadows: they were
# drawn, or cut out and scaled.
_SMALL = 64

# Drawings and binary images have this share of their pixels at the two extremes.
_BINARY_SHARE = 0.9

# A tone with this share of the border is the paper, whatever else speaks against it.
PAPER_SHARE = 0.7

# The paper of a photograph is measured where it is this share of the image.
_MIN_PAPER = 0.6


def find_paper(grey):
    """Find the paper of an image of two tones, of which the digit may fill all.

    Parameters
    ----------
    grey : ndarray of float32 of shape (height, width)

    Returns
    -------
    ndarray of bool of shape (height, width) or None
        True for paper. None where the image may be a photograph, whose light varies.

    Notes
    -----
    The paper is the tone with the larger share of the border. Where neither has 70 %,
    as around a digit that was cut out tightly, two more properties count, each as much
    as 10 % of the border: the paper has more of the four corners, and is in more
    pieces. If all that is balanced, dark is ink.
    """
    lowest, highest = grey.min(), grey.max()
    binary = ((grey == lowest) | (grey == highest)).mean() >= _BINARY_SHARE
    if not binary and max(grey.shape) > _SMALL:
        return None
    light = grey > (lowest + highest) / 2
    edges = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    share = edges.mean()
    corners = light[[0, 0, -1, -1], [0, -1, 0, -1]].sum()
    pieces = [ndimage.label(tone, np.ones((3, 3)))[1] for tone in (light, ~light)]
    more = np.sign(corners - 2) + np.sign(pieces[0] - pieces[1])
    paper = light if share - 0.5 + 0.1 * more >= 0 else ~light
    fills = max(share, 1 - share) < PAPER_SHARE or paper.mean() < _MIN_PAPER
    return paper if binary or fills else None


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
    # A closing follows the brightest noise; most of an image is paper, or else this
    # is the light of ink.
    light /= max(np.quantile(light, 0.7), 0.5)
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
            "There is no ink on the image: expected digits that are darker or "
            f"lighter than their paper by {LEAST_CONTRAST:.0%} or more and by five "
            f"times its noise. Got {contrast:.1%}, with noise of {noise:.1%}. Write "
            "with a darker pen or in better light, and leave paper around the digits."
        )
