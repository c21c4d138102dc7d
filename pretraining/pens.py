"""Redraw digits with other pens and handwriting.

MNIST was written by Americans with few kinds of pens. The centre line of a digit is
extracted and redrawn: with a finer or a broader pen, a bar through the seven, a flag
and a foot on the one, with uneven ink or a gap where a pen fails.
"""

import numpy as np
from scipy import ndimage
from skimage.draw import line
from skimage.morphology import skeletonize

from skdigits.images._boxes import bounding_box

# Pixels of the centre line per pixel of MNIST.
ZOOM = 3

# Margin around a digit for added strokes, in pixels of the centre line.
_MARGIN = 30


def centre_line(digit):
    """Extract the path of the pen.

    Parameters
    ----------
    digit : ndarray of uint8 of shape (28, 28)

    Returns
    -------
    ndarray of bool of shape (28 * ZOOM + 60, 28 * ZOOM + 60)
    """
    large = ndimage.zoom(digit / 255, ZOOM, order=1, grid_mode=True, mode="nearest")
    stroke = ndimage.gaussian_filter(large, 1.2) > 0.4
    return np.pad(skeletonize(stroke), _MARGIN)


def ink_of(path, radius):
    """Draw a path with a round pen, cropped to the ink.

    Parameters
    ----------
    path : ndarray of bool of shape (height, width)
    radius : float
        Half the width of the stroke, in pixels.

    Returns
    -------
    ndarray of float32 of shape (height, width)
        From 0 for paper to 1 for ink.
    """
    reach = int(radius + 2)
    path = np.pad(path[bounding_box(path)], reach)
    distance = ndimage.distance_transform_edt(~path)
    return np.clip(radius + 0.5 - distance, 0, 1).astype(np.float32)


def enlarge(digit):
    """Ink of a digit of MNIST, in [0, 1], with four times its height and width."""
    return np.kron(digit / np.float32(255), np.ones((4, 4), dtype=np.float32))


def write(digit, label, rng, radius=None):
    """Redraw a digit with another pen and handwriting.

    Parameters
    ----------
    digit : ndarray of uint8 of shape (28, 28)
    label : int
    rng : numpy.random.Generator
    radius : float, default=None
        Of the pen, see `ink_of`; None for a random one.

    Returns
    -------
    ndarray of float32 of shape (height, width)
        From 0 for paper to 1 for ink.
    """
    path = centre_line(digit)
    if label == 1 and rng.random() < 0.6:
        _add_flag(path, rng)
        if rng.random() < 0.5:
            _add_foot(path, rng)
    elif label == 7:
        if rng.random() < 0.45:
            _add_bar(path, rng)
        if rng.random() < 0.2:
            _add_serif(path, rng)
    elif label == 0 and rng.random() < 0.06:
        _add_slash(path, rng)
    elif label == 9 and rng.random() < 0.3:
        _add_hook(path, rng)
    if rng.random() < 0.1:
        _add_gap(path, rng)
    if radius is None:
        radius = np.exp(rng.uniform(np.log(0.6), np.log(8)))
    ink = ink_of(path, radius)
    return _pressed(ink, rng) if rng.random() < 0.25 else ink


def _span(path):
    """Height of a path, and its first and last row and column."""
    rows, columns = np.nonzero(path)
    return np.ptp(rows) + 1, rows.min(), rows.max(), columns.min(), columns.max()


def _draw(path, start, stop):
    """Draw a line from one (row, column) to another, clipped at the borders."""
    ends = np.rint([*start, *stop]).astype(int)
    rows, columns = line(*np.clip(ends, 0, np.tile(path.shape, 2) - 1))
    path[rows, columns] = True


def _add_flag(path, rng):
    """Add the upstroke of a European one."""
    height, top, *_ = _span(path)
    column = np.flatnonzero(path[top]).mean()
    length = rng.uniform(0.15, 0.55) * height
    # A flatter flag would make it a seven.
    angle = np.radians(rng.uniform(20, 50))
    end = top + length * np.cos(angle), column - length * np.sin(angle)
    _draw(path, (top, column), end)


def _add_foot(path, rng):
    height, _, bottom, *_ = _span(path)
    column = np.flatnonzero(path[bottom]).mean()
    left, right = rng.uniform(0.1, 0.35, 2) * height
    tilt = rng.uniform(-0.1, 0.1) * height
    _draw(path, (bottom + tilt, column - left), (bottom - tilt, column + right))


def _add_bar(path, rng):
    height, top, *_ = _span(path)
    row = top + round(rng.uniform(0.4, 0.65) * height)
    stem = np.flatnonzero(path[row])
    if stem.size == 0:
        return
    column = stem.max()
    left, right = rng.uniform(0.1, 0.3, 2) * height
    tilt = rng.uniform(-0.08, 0.15) * height
    _draw(path, (row + tilt, column - left), (row - tilt, column + right))


def _add_serif(path, rng):
    """Add the tick at the start of a seven."""
    height, *_, left, _ = _span(path)
    row = np.flatnonzero(path[:, left]).mean()
    down, right = rng.uniform(0.08, 0.25) * height, rng.uniform(-0.08, 0.08) * height
    _draw(path, (row, left), (row + down, left + right))


def _add_hook(path, rng):
    """Bend the foot of a nine to the left, like that of a g."""
    height, _, bottom, *_ = _span(path)
    column = np.flatnonzero(path[bottom]).mean()
    middle = (
        bottom + rng.uniform(0, 0.1) * height,
        column - rng.uniform(0.1, 0.3) * height,
    )
    end = (
        middle[0] - rng.uniform(-0.05, 0.2) * height,
        middle[1] - rng.uniform(0.05, 0.25) * height,
    )
    _draw(path, (bottom, column), middle)
    _draw(path, middle, end)


def _add_slash(path, rng):
    height, top, bottom, left, right = _span(path)
    over = rng.uniform(-0.15, 0.1) * height
    _draw(path, (bottom + over, left - over), (top - over, right + over))


def _pressed(ink, rng):
    """Vary the darkness of ink, as if the pressure on the pen varied."""
    noise = ndimage.gaussian_filter(rng.normal(0, 1, ink.shape), 12)
    pressure = 0.65 + rng.uniform(0.1, 0.35) * noise / np.abs(noise).max()
    return (ink * pressure).astype(np.float32)


def _add_gap(path, rng):
    rows, columns = np.nonzero(path)
    at = rng.integers(rows.size)
    reach = rng.uniform(2, 7)
    near = np.hypot(rows - rows[at], columns - columns[at]) < reach
    path[rows[near], columns[near]] = False
