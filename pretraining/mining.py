"""Windows of composed lines, as the segmentation of the library cuts them."""

import numpy as np

from pretraining.lines import make_line, photographed, to_lines
from pretraining.no_digits import texture
from pretraining.windows import shows_digit

# A window shows a digit if it has this share of the ink of the digit, and if other ink
# is at most this share of it.
_MIN_WHOLE, _MAX_RESIDUE = 0.9, 0.08

# Share of lines that are the texture of a surface, and their shape in pixels.
_TEXTURES, _SHAPE = 0.08, (200, 500)

# Share of the windows that are not digits, which are many, that is kept.
_KEPT = 0.15

# Windows with less ink, in pixels, are dust.
_MIN_INK = 30


def windows_of_line(X, y, rng):
    """Compose a line, segment it, and label its windows.

    Parameters
    ----------
    X : ndarray of uint8 of shape (n_digits, 28, 28)
    y : ndarray of int of shape (n_digits,)
    rng : numpy.random.Generator

    Returns
    -------
    list of (image, label)
        Images of dtype uint8 and shape (28, 28). The label is -1 for windows that are
        not a digit, of which most are left out, as are windows between the two.
    """
    if rng.random() < _TEXTURES:
        ink = texture(_SHAPE, rng).astype(np.float32)
        numbers, digits = -(ink > 0).astype(np.int32), []
    else:
        ink, numbers, digits = make_line(X, y, rng)
    strokes, numbers = photographed(ink, numbers, rng)
    lines, labels = to_lines(strokes)
    # Pixels of other ink, of paper, and of each digit.
    totals = np.bincount(numbers.ravel() + 1, minlength=len(digits) + 2)
    found = []
    for line in lines:
        counts = [
            np.bincount(
                numbers[piece.box][labels[piece.box] == piece.label] + 1,
                minlength=len(totals),
            )
            for piece in line.pieces
        ]
        for window in line.windows:
            inside = sum(counts[window.first : window.stop])
            inside[1] = 0
            label = _label(inside, totals, digits)
            if label is not None and (label >= 0 or rng.random() < _KEPT):
                found.append((window.image, label))
    return found


def _label(inside, totals, digits):
    """Label of a window by the numbers of its pixels; None if that is hard to say."""
    if inside.sum() < _MIN_INK:
        return None
    if not inside[2:].any():
        return -1
    best = inside[2:].argmax()
    share = inside[2 + best] / totals[2 + best]
    other = 1 - inside[2 + best] / inside.sum()
    shown = shows_digit(share, other, _MIN_WHOLE, _MAX_RESIDUE)
    if shown is None:
        return None
    return digits[best] if shown else -1
