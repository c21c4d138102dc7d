"""Images for training, calibration and evaluation of the digit reader."""

import numpy as np
from joblib import Parallel, delayed
from scipy import ndimage

from pretraining.camera import normalized_ink, normalized_photograph
from pretraining.mining import windows_of_line
from pretraining.no_digits import no_digit
from pretraining.pens import enlarge, write
from pretraining.typefaces import printed, random_font
from pretraining.windows import window

# Label of images that are not digits.
NO_DIGIT = -1

# Cosine of blurred images, above which an image may be a digit: a third of the digits
# of MNIST have a more similar one by another writer.
_MAX_SIMILARITY = 0.97

# Number of images that a task of joblib makes.
_CHUNK = 1000


def rewritten(X, y, n_samples, seed):
    """Digits redrawn with other handwriting and pens, and photographed.

    Parameters
    ----------
    X : ndarray of uint8 of shape (n_digits, 28, 28)
    y : ndarray of int of shape (n_digits,)
    n_samples : int
    seed : int

    Returns
    -------
    images : ndarray of uint8 of shape (n_samples, 28, 28)
    labels : ndarray of int of shape (n_samples,)
    """
    return _made(_rewritten, X, y, n_samples, seed)


def photographed(X, y, n_samples, seed):
    """Original digits, photographed or scanned, alone or on a page."""
    return _made(_photographed, X, y, n_samples, seed)


def typed(n_samples, seed, held_out=False):
    """Digits of typefaces, slightly distorted."""
    return _made(_typed, None, None, n_samples, seed, held_out)


def windows(X, y, n_samples, seed, whole=None):
    """Windows of lines of digits, with `NO_DIGIT` for those that are not a digit.

    Of digits only with `whole=True`, of what is not a digit with `whole=False`.
    """
    return _made(_window, X, y, n_samples, seed, whole)


def line_windows(X, y, n_samples, seed):
    """Windows of lines, as the segmentation of the library cuts them."""
    return _made(windows_of_line, X, y, n_samples, seed)


def no_digits(X, y, n_samples, seed, kind=None):
    """Images that are not digits, with `NO_DIGIT` as labels."""
    return _made(_no_digit, X, y, n_samples, seed, kind)


def unlike_digits(images, digits):
    """Whether images differ from all digits more than most digits from each other.

    A letter, a scribble or half a digit may look exactly like a digit.

    Returns
    -------
    ndarray of bool of shape (n_images,)
    """
    known = _blurred(digits)
    nearest = np.concatenate(
        [
            (_blurred(images[start : start + _CHUNK]) @ known.T).max(axis=1)
            for start in range(0, len(images), _CHUNK)
        ]
    )
    return nearest < _MAX_SIMILARITY


def _blurred(images):
    """Images of 14 x 14 pixels as rows of norm 1."""
    small = ndimage.gaussian_filter(images.astype(np.float32), (0, 1, 1))[:, ::2, ::2]
    rows = small.reshape(len(small), -1)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1)


def held_out(X, y, n_samples=4000):
    """Sets for calibration and evaluation, from digits not used in training.

    Returns
    -------
    dict of str to (images, labels)
    """
    return {
        "as they are": (X, y),
        "photographed": photographed(X, y, n_samples, seed=102),
        "rewritten": rewritten(X, y, n_samples, seed=101),
        "windows": windows(X, y, n_samples, seed=103, whole=True),
    }


def _rewritten(X, y, rng):
    index = rng.integers(len(X))
    return normalized_photograph(write(X[index], y[index], rng), rng), y[index]


def _photographed(X, y, rng):
    index = rng.integers(len(X))
    normalize = normalized_photograph if rng.random() < 0.6 else normalized_ink
    return normalize(enlarge(X[index]), rng), y[index]


def _typed(X, y, rng, held_out):
    label = rng.integers(10)
    font = random_font(rng, held_out)
    ink = printed(str(label), font, rng)
    return None if ink is None else normalized_photograph(ink, rng), label


def _window(X, y, rng, whole):
    image, label = window(X, y, rng)
    if whole is not None and whole != (label != NO_DIGIT):
        image = None
    return image, label


def _no_digit(X, y, rng, kind):
    return no_digit(X, y, rng, kind), NO_DIGIT


def _made(make, X, y, n_samples, seed, *more):
    """Call `make` in parallel until there are `n_samples` images.

    It returns an image, or None, and a label, or a list of such pairs.
    """
    chunks = Parallel(n_jobs=-1)(
        delayed(_chunk)(make, X, y, min(_CHUNK, n_samples - start), (seed, start), more)
        for start in range(0, n_samples, _CHUNK)
    )
    images, labels = zip(*chunks, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _chunk(make, X, y, n_samples, seed, more):
    rng = np.random.default_rng(seed)
    found = []
    while len(found) < n_samples:
        made = make(X, y, rng, *more)
        pairs = made if isinstance(made, list) else [made]
        found += [(image, label) for image, label in pairs if image is not None]
    images, labels = zip(*found[:n_samples], strict=True)
    return np.stack(images), np.array(labels, dtype=np.int64)
