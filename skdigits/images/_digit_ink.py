"""Estimate the ink of a single digit, which may fill its image."""

import numpy as np
from scipy import ndimage

from skdigits.images._background import (
    MIN_CONTRAST,
    MIN_SIGNAL_TO_NOISE,
    PAPER_PIXELS,
    POLARITY_PIXELS,
    Background,
    divide_by_paper,
    fill_ink,
    has_light_ink,
)
from skdigits.images._boxes import EIGHT_NEIGHBOURS, FloatImage, Mask
from skdigits.images._errors import BlankImageError
from skdigits.images._resampling import shrink

# Smaller images have no shadows: they were drawn, or cut out and scaled.
_MAX_TWO_TONE = 64

# Drawings and binary images have this share of their pixels at the two extremes.
_BINARY_SHARE = 0.9

# A tone with this share of the border is the paper.
_PAPER_SHARE = 0.7

# The paper of a photograph is measured if it covers this share of the image.
_MIN_PAPER_SHARE = 0.6

# Window around a digit in which some paper is visible, as a part of the longer side.
_WINDOW = 0.4

# Standard deviation of the Gaussian that removes noise from a photograph, as a part of
# the longer side: half the smallest detail of a digit.
_SMOOTHING = 1 / 150

# A digit covers at least this share of its image, or this many pixels of a large one.
_MIN_INK_SHARE = 0.001
_MIN_INK_PIXELS = 40


def ink_of_digit(grey: FloatImage) -> tuple[FloatImage, bool]:
    """Amounts of ink in [0, 1] of a single digit, and whether its paper is even.

    The digit may fill the image. Paper is even if nearly all of it has one grey level.
    """
    edges = shrink(grey, PAPER_PIXELS)
    on_paper = _find_paper(grey)
    if on_paper is None:
        light_ink = has_light_ink(_differs_from_border(shrink(edges, POLARITY_PIXELS)))
    else:
        light_ink = bool(grey[on_paper].max() < grey.max())
    image = 1 - grey if light_ink else grey
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    # A value that occurs: the mean of two may have no pixel near it.
    paper = np.quantile(
        border if on_paper is None else image[on_paper], 0.5, method="higher"
    )
    even = bool((image[np.abs(image - paper) < 0.05] == paper).mean() >= _PAPER_SHARE)
    if on_paper is not None or (even and (border == paper).mean() >= _PAPER_SHARE):
        ink = np.maximum(paper - image, 0)
        _check_contrast(float(ink.max()))
        return ink, even
    filled = fill_ink(1 - edges if light_ink else edges, _WINDOW)
    background = Background(light_ink, filled, None)
    ink, min_ink = divide_by_paper(grey, background, _SMOOTHING)
    share = min(_MIN_INK_SHARE, _MIN_INK_PIXELS / ink.size)
    contrast = float(np.quantile(ink, 1 - share))
    _check_contrast(contrast, float(np.median(min_ink)))
    full = np.median(ink[ink >= contrast / 2])
    return np.clip(ink / full, 0, 1), False


def _find_paper(grey: FloatImage) -> Mask | None:
    """Find the paper of an image of two tones, which the digit may fill.

    None if the image may be a photograph, whose light varies. The paper is the tone
    with the larger share of the border. If neither has 70 %, as around a digit that was
    cropped tightly, two more properties count, each as much as 10 % of the border: the
    paper has more of the four corners, and more pieces. In a tie, dark is ink.
    """
    lowest, highest = grey.min(), grey.max()
    binary = ((grey == lowest) | (grey == highest)).mean() >= _BINARY_SHARE
    if not binary and max(grey.shape) > _MAX_TWO_TONE:
        return None
    light: Mask = grey > (lowest + highest) / 2
    edges = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    share = edges.mean()
    corners = light[[0, 0, -1, -1], [0, -1, 0, -1]].sum()
    pieces = [ndimage.label(tone, EIGHT_NEIGHBOURS)[1] for tone in (light, ~light)]
    more = np.sign(corners - 2) + np.sign(pieces[0] - pieces[1])
    paper = light if share - 0.5 + 0.1 * more >= 0 else ~light
    fills = max(share, 1 - share) < _PAPER_SHARE or paper.mean() < _MIN_PAPER_SHARE
    return paper if binary or fills else None


def _differs_from_border(small: FloatImage) -> FloatImage:
    """How much lighter pixels of the second level are than the paper at the border.

    The paper is the plane nearest to most of the border: light may fall from one side.
    """
    rows, columns = np.indices(small.shape, dtype=np.float32)
    border = np.ones(small.shape, dtype=bool)
    border[1:-1, 1:-1] = False
    terms = np.stack([np.ones_like(small), rows, columns], axis=-1)
    A, values = terms[border], small[border]
    plane = np.array([np.median(values), 0, 0])
    if (values == plane[0]).mean() > 0.5:
        return small - float(plane[0])
    for _ in range(8):  # least absolute deviations, by reweighting
        weights = 1 / np.maximum(np.abs(values - A @ plane), 1e-3)
        plane = np.linalg.lstsq(
            A * np.sqrt(weights)[:, None], values * np.sqrt(weights), rcond=None
        )[0]
    result: FloatImage = (small - terms @ plane).astype(np.float32)
    return result


def _check_contrast(contrast: float, min_contrast: float = MIN_CONTRAST) -> None:
    """Refuse an image whose darkest ink hardly differs from its paper."""
    if contrast < min_contrast:
        raise BlankImageError(
            "There is no ink on the image. Expected a digit that is darker or lighter "
            f"than its paper by at least {min_contrast:.1%} ({MIN_CONTRAST:.0%}, and "
            f"{MIN_SIGNAL_TO_NOISE} times the noise). Got {contrast:.1%}. Write with "
            "a darker pen or in better light, and leave paper around the digit."
        )
