"""Windows of a line of digits: a whole digit, or parts of digits."""

import numpy as np

from pretraining.camera import normalized_ink
from pretraining.pens import enlarge, write
from skdigits.images._boxes import bounding_box

# A window shows a digit if it has this share of the ink of the digit, and if other ink
# is at most this share of it.
_MIN_WHOLE, _MAX_RESIDUE = 0.93, 0.06
# It is not a digit below and above these.
_MAX_PART, _MIN_OTHER = 0.75, 0.2

# Height of a digit in pixels.
_HEIGHT = 80


def window(X, y, rng):
    """Cut a window out of a line of three digits.

    Parameters
    ----------
    X : ndarray of uint8 of shape (n_digits, 28, 28)
    y : ndarray of int of shape (n_digits,)
    rng : numpy.random.Generator

    Returns
    -------
    image : ndarray of uint8 of shape (28, 28), or None
        None if it is hard to say whether the window shows a digit.
    label : int
        Of the digit, or -1 if the window is not a digit.
    """
    indices = rng.integers(len(X), size=3)
    layers, edges = _line(X[indices], y[indices], rng)
    start, stop = edges[1]
    width = max(stop - start, _HEIGHT // 3)
    start, stop = start - _reach(rng) * width, stop + _reach(rng) * width
    start, stop = max(0, round(start)), round(stop)
    if stop - start < 6:
        return None, -1
    if rng.random() < 0.25:
        layers = np.concatenate([layers, [_ruling(layers[0].shape, edges[1], rng)]])
    inside = layers[:, :, start:stop].sum((1, 2))
    if inside.sum() < 60:
        return None, -1
    shares = inside[:3] / layers[:3].sum((1, 2))
    best = shares.argmax()
    other = 1 - inside[best] / inside.sum()
    shown = shows_digit(shares[best], other, _MIN_WHOLE, _MAX_RESIDUE)
    if shown is None:
        return None, -1
    ink = layers[:, :, start:stop].max(axis=0)
    return normalized_ink(ink, rng), y[indices[best]] if shown else -1


def shows_digit(share, other, min_whole, max_residue):
    """Whether a window shows a digit; None if that is hard to say.

    Parameters
    ----------
    share : float
        Of the ink of the digit, the share in the window.
    other : float
        Of the ink in the window, the share that is not the digit's.
    min_whole, max_residue : float
        Minimum of `share` and maximum of `other` for a digit.
    """
    if share >= min_whole and other <= max_residue:
        return True
    return False if share <= _MAX_PART or other >= _MIN_OTHER else None


def _reach(rng):
    """How far a window reaches past an edge of a digit, relative to its width."""
    low, high = [(-0.06, 0.1), (-0.65, -0.2), (0.15, 1.3)][
        rng.choice(3, p=[0.6, 0.15, 0.25])
    ]
    return rng.uniform(low, high)


def _line(images, labels, rng):
    """Ink of each digit of a line, and its first column and the one after the last."""
    redrawn = rng.random() < 0.5
    radius = np.exp(rng.uniform(np.log(0.8), np.log(6)))
    inks = []
    for image, label in zip(images, labels, strict=True):
        if redrawn:
            ink = write(image, label, rng, radius)
        else:
            ink = enlarge(image)
            ink = ink[bounding_box(ink > 0.3)]
        inks.append(ink)
    height = max(map(len, inks)) + _HEIGHT // 8
    layers = np.zeros((3, height, sum(ink.shape[1] for ink in inks) + _HEIGHT))
    column, edges = 0, []
    overlap = rng.uniform(-0.15, 0.25) * _HEIGHT
    for layer, ink in zip(layers, inks, strict=True):
        row = min(
            rng.integers(_HEIGHT // 8 + 1) + (height - len(ink)) // 2, height - len(ink)
        )
        layer[row : row + len(ink), column : column + ink.shape[1]] = ink
        edges.append((column, column + ink.shape[1]))
        column = max(0, round(column + ink.shape[1] + overlap))
    return layers, edges


def _ruling(shape, edges, rng):
    """A piece of a ruled line near a digit."""
    layer = np.zeros(shape, np.float32)
    thickness = rng.integers(1, 7)
    length = rng.uniform(0.1, 1.2) * _HEIGHT
    if rng.random() < 0.5:
        row = rng.choice([0, shape[0] - thickness, rng.integers(shape[0])])
        column = max(0, round(rng.uniform(edges[0] - length, edges[1])))
        layer[row : row + thickness, column : column + round(length)] = 1
    else:
        column = max(0, round(rng.choice(edges) + rng.uniform(-10, 10)))
        row = rng.integers(shape[0])
        layer[max(0, row - round(length)) : row, column : column + thickness] = 1
    return layer
