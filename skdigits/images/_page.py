"""The ink of a page: how dark it is, whatever the light."""

import numpy as np
from scipy import ndimage

from skdigits.images._ink import LEAST_CONTRAST
from skdigits.images._resampling import resize, shrink
from skdigits.images._sheet import find_sheet

# Pages are looked at with so many pixels by the longer side.
MOST_PIXELS = 1600
_FEWEST_PIXELS = 600

# Paper, its shadows and its noise are looked at with at most so many.
_PAPER_PIXELS = 240

# Whether strokes are dark or light is seen with so few, the more the thinner they are.
_POLARITY_PIXELS = (240, 96)

# Strokes are narrower than this, in those pixels.
_NARROW = 15

# Edges of shadows and of the paper need twice as many to be where they are.
_EDGE_PIXELS = 480

# Paper is what is around strokes within this part of the longer side, or within so
# many times the width of the widest stroke.
_WINDOW = 1 / 6
_WINDOW_IN_STROKES = 4

# What is wider than this part of the longer side is no stroke.
_MOST_STROKE = 0.18


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
    if longer > MOST_PIXELS:
        return shrink(grey, MOST_PIXELS)
    scale = max(1, _FEWEST_PIXELS / longer)
    return resize(grey, tuple(max(1, round(side * scale)) for side in grey.shape))


def ink_of_page(grey, light):
    """How much darker, or lighter, than its paper each pixel is.

    Parameters
    ----------
    grey : ndarray of float32 of shape (height, width)
    light : bool
        Whether ink is lighter than paper.

    Returns
    -------
    ink : ndarray of float32 of shape (height, width)
        From 0 for paper to 1 for black.
    least : ndarray of float32 of shape (height, width)
        What is more than noise.
    """
    if light:
        grey = 1 - grey
    window = _window(grey)
    paper = _paper(grey, window)
    ink = 1 - grey / np.maximum(resize(paper, grey.shape), 1 / 64)
    ink = ndimage.gaussian_filter(ink, max(grey.shape) / 2000, mode="nearest")
    # The closing goes by the brightest paper.
    small = shrink(ink, _PAPER_PIXELS // 2)
    ink -= resize(_local_quantile(small, 50, window), ink.shape)
    if not light:
        sheet = find_sheet(shrink(paper, _PAPER_PIXELS)).astype(np.float32)
        ink *= resize(sheet, ink.shape) > 0.99
    small = shrink(np.abs(ink), _PAPER_PIXELS // 2)
    noise = 1.25 * _local_quantile(small, 40, window)
    least = resize(np.maximum(5 * noise, LEAST_CONTRAST), ink.shape)
    return np.clip(ink, 0, 1), least


def is_light_on_dark(grey):
    """Whether strokes are lighter than what is around them.

    Borders tell nothing of photographs, which are darker there.

    Parameters
    ----------
    grey : ndarray of float32 of shape (height, width)

    Returns
    -------
    bool
    """
    thick = bool(max(_window(grey), _window(1 - grey)) > _WINDOW)
    pixels = _POLARITY_PIXELS[thick]
    small = shrink(grey, pixels)
    # The grain of a table and the edges of the paper are no strokes.
    sheet = find_sheet(shrink(_paper(grey, _WINDOW), _PAPER_PIXELS))
    inside = resize(sheet.astype(np.float32), small.shape)
    inside = ndimage.minimum_filter(inside, _NARROW, mode="nearest") > 0.99
    return bool(_strokes(small)[inside].sum() > 0)


def _strokes(small):
    """How much lighter than around them narrow things are, cubed."""
    around = ndimage.median_filter(small, 2 * _NARROW + 1, mode="nearest")
    # Edges of shadows are no strokes: narrow neither way.
    dark, light = _closed(small, _NARROW) - small, small + _closed(-small, _NARROW)
    return np.clip(small - around, -dark, light).astype(np.float64) ** 3


def _window(grey):
    """How far paper is from strokes, as a part of the longer side."""
    small = shrink(grey, _POLARITY_PIXELS[-1])
    longer = max(small.shape)
    ink = _closed(small, longer // 2) - small
    mask = ink > max(np.quantile(ink, 0.99) / 2, LEAST_CONTRAST)
    labels, _ = ndimage.label(np.pad(mask, 1, mode="edge"))
    outside = np.unique([*labels[[0, -1]].flat, *labels[:, [0, -1]].flat])
    labels = np.where(np.isin(labels, outside), 0, labels)[1:-1, 1:-1]
    widest = 2 * ndimage.distance_transform_edt(labels).max() / longer
    if widest > _MOST_STROKE:
        return _WINDOW
    return max(_WINDOW, _WINDOW_IN_STROKES * widest)


def _paper(grey, window):
    """The light of the paper, strokes filled in, edges as sharp as before."""
    small = shrink(grey, _EDGE_PIXELS)
    small = ndimage.gaussian_filter(small, 1, mode="nearest")
    return _closed(small, max(3, round(window * max(small.shape))))


def _closed(small, width):
    """What is dark and narrow filled in; what is at the border goes on outside."""
    padded = np.pad(small, width, mode="edge")
    closed = ndimage.grey_closing(padded, (width, width), mode="nearest")
    return closed[width:-width, width:-width]


def _local_quantile(small, percentile, window):
    width = max(3, round(window * max(small.shape)))
    return ndimage.percentile_filter(small, percentile, width, mode="nearest")
