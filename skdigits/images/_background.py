"""Paper and ink: whether ink is dark, how bright the paper is, and how dark the ink."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from skdigits.images._boxes import FloatImage, Mask, touches_border
from skdigits.images._resampling import resize, shrink

# Sizes of images are in pixels of the longer side; windows and widths are parts of the
# longer side. Thresholds were chosen on photographs and on benchmarks/pages.py.

# The paper is estimated at the first size, and the polarity of strokes at the second.
PAPER_PIXELS, POLARITY_PIXELS = 480, 240

# Size of the window of percentiles, in pixels of the level where they are measured.
_WINDOW_PIXELS = 20

# Percentiles of ink: the first is 0 on paper, where ink covers less than half of the
# window, and that of its absolute value, times the second number, is the noise. On a
# page, where strokes are dense in places, the percentile is lower.
_PAPER_PERCENTILE = 30
_NOISE_PERCENTILE, _NOISE_SCALE = 40, 1.25
_PAGE_NOISE_PERCENTILE, _PAGE_NOISE_SCALE = 25, 2.05

# Maximum noise, relative to its median over the image.
_MAX_NOISE = 2.0

# Ink is darker than its paper by at least this share of the paper's brightness, and by
# this many times the noise.
MIN_CONTRAST = 0.08
MIN_SIGNAL_TO_NOISE = 5

# Minimum brightness of paper, from 0 for black to 1 for white.
_MIN_BRIGHTNESS = 1 / 64

# Window of a page in which some paper is visible.
_PAGE_WINDOW = 1 / 6

# Strokes are narrower than this at the level where polarity is decided, in pixels.
_NARROW = 15

# Odd, to keep the sign. High powers count strokes rather than shadows; 3 finds the
# polarity of fewer photographs.
_POLARITY_POWER = 9

# Brightness changes by the first factor from pixel to pixel at an edge, and by the
# second from the table to the paper, but not in shadows.
_EDGE_CONTRAST = 1.12
_TABLE_CONTRAST = 2.0

# The sheet of paper covers at least this share of the image.
_MIN_SHEET = 0.1

# A dark label with light ink has less than half of this percentile of the brightness.
# It covers at least this share of the image, and of its box; ink covers this part of
# it.
_LIGHT_PERCENTILE = 90
_MIN_LABEL, _MIN_FILLED, _LABEL_INK = 0.01, 0.85, (0.005, 0.45)


@dataclass(frozen=True, eq=False)
class Background:
    """The paper of an image.

    `paper` is its brightness with strokes filled in, that of the inverted image if
    ink is lighter, and `sheet` is where it is, or None for everywhere; both at a lower
    resolution. `window` is the width of the window in which it is measured, None for
    the whole image.
    """

    light_ink: bool
    paper: FloatImage
    window: float | None
    sheet: Mask | None = None


def page_background(grey: FloatImage, invert: bool = False) -> Background:
    """Estimate the paper of a page; with `invert`, for ink of the other tone.

    Whether ink is lighter than paper is decided by narrow strokes: the border does not
    show it, because photographs are darker there.
    """
    edges = shrink(grey, PAPER_PIXELS)
    small = shrink(edges, POLARITY_PIXELS)
    paper = fill_ink(edges, _PAGE_WINDOW)
    sheet = _find_sheet(shrink(paper, max(small.shape)))
    # The grain of a table and the edges of the paper are not strokes.
    inside = resize(sheet.astype(np.float32), small.shape)
    inside = ndimage.minimum_filter(inside, _NARROW, mode="nearest") > 0.99
    if has_light_ink(_strokes(small)[inside]) != invert:
        return Background(True, fill_ink(1 - edges, _PAGE_WINDOW), _PAGE_WINDOW)
    return Background(False, paper, _PAGE_WINDOW, sheet)


def invert_labels(grey: FloatImage) -> FloatImage:
    """Invert dark labels, or dark parts, with light ink next to lighter paper."""
    small = shrink(grey, POLARITY_PIXELS)
    labels, _ = ndimage.label(small < np.percentile(small, _LIGHT_PERCENTILE) / 2)
    inverted = np.zeros(small.shape, dtype=np.float32)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        own = labels[box] == label
        # A table surrounds the paper on all sides.
        if own.size < _MIN_LABEL * small.size or own.shape == small.shape:
            continue
        filled = ndimage.binary_fill_holes(own)
        ink = 1 - own.sum() / filled.sum()
        if filled.mean() >= _MIN_FILLED and _LABEL_INK[0] <= ink <= _LABEL_INK[1]:
            inverted[box][filled] = 1
    if not inverted.any():
        return grey
    result: FloatImage = np.where(resize(inverted, grey.shape) > 0.5, 1 - grey, grey)
    return result


def divide_by_paper(
    grey: FloatImage, background: Background, smoothing: float
) -> tuple[FloatImage, FloatImage]:
    """Divide an image by its paper, which removes light and shadows.

    `smoothing` is the standard deviation of the Gaussian that removes noise, as a part
    of the longer side. Returns how much darker than its paper each pixel is (lighter
    for light ink): 0 for paper to 1 for black, below 0 for pixels brighter than the
    paper; and for each pixel the amount above which it is not noise.
    """
    if background.light_ink:
        grey = 1 - grey
    paper = np.maximum(resize(background.paper, grey.shape), _MIN_BRIGHTNESS)
    ink = 1 - grey / paper
    ink = ndimage.gaussian_filter(ink, smoothing * max(grey.shape), mode="nearest")
    # The paper comes out as bright as its brightest noise: correct that.
    brighter = _percentile(ink, _PAPER_PERCENTILE, background.window)
    ink -= resize(brighter, ink.shape)
    if background.sheet is not None:
        ink *= resize(background.sheet.astype(np.float32), ink.shape) > 0.99
    percentile, scale = _NOISE_PERCENTILE, _NOISE_SCALE
    if background.window is not None:
        percentile, scale = _PAGE_NOISE_PERCENTILE, _PAGE_NOISE_SCALE
    noise = scale * _percentile(np.abs(ink), percentile, background.window)
    # Strokes are not noise.
    noise = np.minimum(noise, _MAX_NOISE * np.median(noise))
    min_ink = np.maximum(MIN_SIGNAL_TO_NOISE * noise, MIN_CONTRAST)
    return ink, resize(min_ink, ink.shape)


def has_light_ink(deviation: FloatImage) -> bool:
    """Whether ink is lighter than paper, given how much pixels differ from paper."""
    return bool((deviation.astype(np.float64) ** _POLARITY_POWER).sum() > 0)


def _strokes(small: FloatImage) -> FloatImage:
    """How much lighter than their surroundings narrow strokes are."""
    # Half of the size has the same medians, in a tenth of the time.
    half = shrink(small, max(small.shape) // 2)
    around = resize(ndimage.median_filter(half, _NARROW, mode="nearest"), small.shape)
    # Edges of shadows are not strokes: narrow neither as dark nor as light ones.
    dark = _close(small, _NARROW) - small
    light = small + _close(-small, _NARROW)
    strokes: FloatImage = np.clip(small - around, -dark, light)
    return strokes


def fill_ink(level: FloatImage, window: float) -> FloatImage:
    """Brightness of the paper, also below strokes; its edges stay sharp."""
    smooth = ndimage.gaussian_filter(level, 1, mode="nearest")
    return _close(smooth, max(3, round(window * max(level.shape))))


def _close(image: FloatImage, width: int) -> FloatImage:
    """Fill dark areas narrower than `width` pixels, as if the border was repeated."""
    padded = np.pad(image, width, mode="edge")
    closed = ndimage.grey_closing(padded, (width, width), mode="nearest")
    result: FloatImage = closed[width:-width, width:-width]
    return result


def _percentile(ink: FloatImage, percentile: float, window: float | None) -> FloatImage:
    """Percentile of the ink in a window around each pixel, or of all ink, shrunk."""
    small = shrink(ink, round(_WINDOW_PIXELS / (window or _PAGE_WINDOW)))
    if window is None:
        return np.full((1, 1), np.percentile(small, percentile), np.float32)
    result: FloatImage = ndimage.percentile_filter(
        small, percentile, max(3, round(window * max(small.shape))), mode="nearest"
    )
    return result


def _find_sheet(paper: FloatImage) -> Mask:
    """Find the sheet of paper: everywhere, unless a dark table is visible around it.

    `paper` is the brightness with strokes filled in, of about 200 pixels.
    """
    everywhere = np.ones(paper.shape, dtype=bool)
    logs = np.log(np.maximum(paper, _MIN_BRIGHTNESS))
    change = ndimage.maximum_filter(logs, 3) - ndimage.minimum_filter(logs, 3)
    labels, number = ndimage.label(change < 2 * np.log(_EDGE_CONTRAST))
    if number < 2:
        return everywhere
    regions = range(1, number + 1)
    areas = ndimage.sum_labels(everywhere, labels, regions)
    light = ndimage.median(logs, labels, regions)
    large = areas >= min(_MIN_SHEET * paper.size, areas.max())
    sheet: Mask = labels == 1 + np.argmax(np.where(large, light, -np.inf))
    near_sheet = ndimage.binary_dilation(sheet, iterations=4)
    table = ~everywhere
    for region, box in zip(regions, ndimage.find_objects(labels), strict=True):
        own = labels == region
        near = own & near_sheet
        if (
            areas[region - 1] < 4
            or not near.any()
            or not touches_border(box, own.shape)
        ):
            continue
        reached = sheet & ndimage.binary_dilation(own, iterations=4)
        if np.mean(logs[reached]) - np.mean(logs[near]) > np.log(_TABLE_CONTRAST):
            table |= own
    if not table.any():
        return everywhere
    # Edges belong to the table; regions that the table does not reach are paper.
    not_table: Mask = ~ndimage.binary_dilation(table, iterations=3) | sheet
    return not_table
