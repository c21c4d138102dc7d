"""Images for training, calibration and evaluation of the digit reader."""

import numpy as np
from joblib import Parallel, delayed

from pretraining.camera import normalized_photograph
from pretraining.no_digits import no_digit, printed
from pretraining.pens import write

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
    """Original digits, photographed or scanned."""
    return _made(_photographed, X, y, n_samples, seed)


def typed(n_samples, seed):
    """Digits of typefaces, slightly distorted."""
    return _made(_typed, None, None, n_samples, seed)


def no_digits(X, y, n_samples, seed, kind=None):
    """Images that are not digits, with zeros as labels."""
    return _made(_no_digit, X, y, n_samples, seed, kind)


def with_any_label(images, n_labels, seed):
    """Repeat each image with `n_labels` different labels, so that none is learned.

    With a single random label, a network memorizes the images.
    """
    rng = np.random.default_rng(seed)
    labels = [rng.choice(10, n_labels, replace=False) for _ in images]
    return np.repeat(images, n_labels, axis=0), np.concatenate(labels)


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
    }


def _rewritten(X, y, rng):
    index = rng.integers(len(X))
    return normalized_photograph(write(X[index], y[index], rng), rng), y[index]


def _photographed(X, y, rng):
    index = rng.integers(len(X))
    ink = np.kron(X[index] / np.float32(255), np.ones((4, 4), dtype=np.float32))
    return normalized_photograph(ink, rng), y[index]


def _typed(X, y, rng):
    label = rng.integers(10)
    return normalized_photograph(printed(str(label), rng), rng), label


def _no_digit(X, y, rng, kind):
    return no_digit(X, y, rng, kind), 0


def _made(make, X, y, n_samples, seed, *more):
    """Call `make` in parallel until there are `n_samples` images."""
    chunks = Parallel(n_jobs=-1)(
        delayed(_chunk)(make, X, y, min(_CHUNK, n_samples - start), (seed, start), more)
        for start in range(0, n_samples, _CHUNK)
    )
    images, labels = zip(*chunks, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _chunk(make, X, y, n_samples, seed, more):
    rng = np.random.default_rng(seed)
    images = np.empty((n_samples, 28, 28), dtype=np.uint8)
    labels = np.empty(n_samples, dtype=np.int64)
    count = 0
    while count < n_samples:
        image, label = make(X, y, rng, *more)
        if image is not None:
            images[count], labels[count] = image, label
            count += 1
    return images, labels
