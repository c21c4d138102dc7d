"""The ink of a page: how dark it is, whatever the light."""

import numpy as np
from scipy import ndimage

from skdigits.images._ink import LEAST_CONTRAST
from skdigits.images._resampling import resize, shrink
from skdigits.images._sheet import find_sheet

# Pages are looked at with so many pixels by the longer side.
_MOST_PIXELS = 1600
_FEWEST_PIXELS = 600

# Paper, its shadows and its noise are looked at with at most so many.
_PAPER_PIXELS = 240

# Edges of shadows and of the paper need twice as many to be where they are.
_EDGE_PIXELS = 480

# Paper is what is around strokes within this part of the longer side.
_WINDOW = 1 / 6


def to_working_size(grey):
    """Bring a page to the size it is looked at.

    Parameters
    ----------
    grey : ndarray of float32 of shape (height, width)

    Returns
    -------
    ndarray of float32 of shape (new_height, new_width)
    """
    longer = max(grey.shape)
    if longer > _MOST_PIXELS:
        return shrink(grey, _MOST_PIXELS)
    scale = max(1, _FEWEST_PIXELS / longer)
    return resize(grey, tuple(max(1, round(side * scale)) for side in grey.shape))


def ink_of_page(grey):
    """How much darker, or lighter, than its paper each pixel is.

    Parameters
    ----------
    grey : ndarray of float32 of shape (height, width)

    Returns
    -------
    ink : ndarray of float32 of shape (height, width)
        From 0 for paper to 1 for black.
    least : ndarray of float32 of shape (height, width)
        What is more than noise.
    """
    light = _is_light(grey)
    if light:
        grey = 1 - grey
    paper = _paper(grey)
    ink = 1 - grey / np.maximum(resize(paper, grey.shape), 1 / 64)
    ink = ndimage.gaussian_filter(ink, max(grey.shape) / 2000, mode="nearest")
    # The closing goes by the brightest paper.
    ink -= resize(_local_quantile(shrink(ink, _PAPER_PIXELS // 2), 50), ink.shape)
    if not light:
        sheet = find_sheet(shrink(paper, _PAPER_PIXELS)).astype(np.float32)
        ink *= resize(sheet, ink.shape) > 0.99
    noise = 1.25 * _local_quantile(shrink(np.abs(ink), _PAPER_PIXELS // 2), 40)
    least = resize(np.maximum(5 * noise, LEAST_CONTRAST), ink.shape)
    return np.clip(ink, 0, 1), least


def _is_light(grey):
    """Whether strokes are lighter than what is around them.

    Borders tell nothing of photographs, which are darker there.
    """
    small = shrink(grey, _PAPER_PIXELS)
    residual = small - ndimage.median_filter(small, 15, mode="nearest")
    return bool((residual.astype(np.float64) ** 3).sum() > 0)


def _paper(grey):
    """The light of the paper, strokes filled in, and edges of shadows where they are."""
    small = shrink(grey, _EDGE_PIXELS)
    small = ndimage.gaussian_filter(small, 1, mode="nearest")
    width = max(3, round(_WINDOW * max(small.shape)))
    # What is dark along a border is no stroke, however narrow: it goes on outside.
    padded = np.pad(small, width, mode="edge")
    paper = ndimage.grey_closing(padded, (width, width), mode="nearest")
    return paper[width:-width, width:-width]


def _local_quantile(small, percentile):
    width = max(3, round(_WINDOW * max(small.shape)))
    return ndimage.percentile_filter(small, percentile, width, mode="nearest")
