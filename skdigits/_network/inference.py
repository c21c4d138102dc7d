"""Inference in NumPy: from rows to logits to probabilities.

It imports NumPy only, so prediction works where TensorFlow is not installed.
"""

from typing import Any

import numpy as np

from skdigits._network import Array

# Bytes of activations of the widest layer. Rows are processed in blocks of this size,
# which stay in the processor's cache, and integer images are cast one block at a time.
_BLOCK_BYTES = 4 * 2**20
# Up to this number of rows are one block.
_FEW_ROWS = 32


def _identity(Z: Array) -> Array:
    return Z


def _relu(Z: Array) -> Array:
    return np.maximum(Z, 0, out=Z)


def _tanh(Z: Array) -> Array:
    return np.tanh(Z, out=Z)


def _logistic(Z: Array) -> Array:
    # By tanh, which does not overflow.
    Z *= 0.5
    np.tanh(Z, out=Z)
    Z += 1
    Z *= 0.5
    return Z


ACTIVATIONS = {
    "identity": _identity,
    "logistic": _logistic,
    "relu": _relu,
    "tanh": _tanh,
}


def logits(
    X: Any,
    coefs: list[Array],
    intercepts: list[Array],
    activation: str,
    rescale: float | None = None,
) -> Array:
    """Output layer of the network before softmax.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Rows of any real dtype, cast block by block to that of `coefs`.
    coefs, intercepts : list of ndarray
        Weights of each layer, (fan_in, fan_out) and (fan_out,).
    activation : {"identity", "logistic", "relu", "tanh"}
        Activation of the hidden layers.
    rescale : float or None, default=None
        Factor applied to X.

    Returns
    -------
    Z : ndarray of shape (n_samples, n_outputs)
        Logits, in the dtype of `coefs`.

    Raises
    ------
    ValueError
        If a finite value of X does not fit into the dtype of `coefs`.
    """
    if X.shape[0] <= _FEW_ROWS:
        return _block_logits(X, coefs, intercepts, activation, rescale)
    dtype = coefs[0].dtype
    widest = max(max(coef.shape) for coef in coefs)
    n_rows = max(1, _BLOCK_BYTES // (widest * dtype.itemsize))
    Z = np.empty((X.shape[0], coefs[-1].shape[1]), dtype=dtype)
    for start in range(0, X.shape[0], n_rows):
        block = slice(start, start + n_rows)
        Z[block] = _block_logits(X[block], coefs, intercepts, activation, rescale)
    return Z


def _block_logits(
    X: Any,
    coefs: list[Array],
    intercepts: list[Array],
    activation: str,
    rescale: float | None,
) -> Array:
    hidden_activation = ACTIVATIONS[activation]
    Z: Array = cast(X, coefs[0].dtype)
    if rescale is not None:
        Z = Z * coefs[0].dtype.type(rescale)
    for coef, intercept in zip(coefs[:-1], intercepts[:-1], strict=True):
        Z = Z @ coef
        Z += intercept
        Z = hidden_activation(Z)
    Z = Z @ coefs[-1]
    Z += intercepts[-1]
    return Z


def cast(X: Any, dtype: np.dtype[Any]) -> Any:
    """Cast dense or sparse rows to a floating dtype, refusing what overflows it."""
    if X.dtype == dtype:
        return X
    if X.dtype.kind != "f" or X.dtype.itemsize <= dtype.itemsize:
        return X.astype(dtype)
    with np.errstate(over="ignore"):
        narrow = X.astype(dtype)
    values = getattr(narrow, "data", narrow) if hasattr(narrow, "nnz") else narrow
    if not np.isfinite(values).all():
        raise ValueError(
            f"Input X contains infinity or a value too large for {dtype!r}, the "
            f"dtype this network computes in. Got X of {X.dtype!r} with values up "
            f"to {abs(X).max():.3g} instead. Scale X, or fit with dtype='float64'."
        )
    return narrow


def log_proba(Z: Array, out_activation: str) -> Array:
    """Logarithm of the class probabilities, (n_samples, n_classes), from logits.

    With "logistic", the only column of Z is the log-odds of the second of two
    classes. With "softmax", Z has one column per class.
    """
    with np.errstate(under="ignore"):  # even where `numpy.seterr` makes it an error
        if out_activation == "logistic":
            both: Array = np.hstack([Z, -Z])
            return -np.logaddexp(0, both)
        Z = Z - Z.max(axis=1, keepdims=True)
        Z -= np.log(np.exp(Z).sum(axis=1, keepdims=True))
        return Z


def proba(Z: Array, out_activation: str) -> Array:
    """Class probabilities, (n_samples, n_classes), from logits as in `log_proba`."""
    with np.errstate(under="ignore"):
        if out_activation == "logistic":
            log_P = log_proba(Z, out_activation)
            return np.exp(log_P)
        P: Array = np.exp(Z - Z.max(axis=1, keepdims=True))
        P /= P.sum(axis=1, keepdims=True)
        return P


def class_index(Z: Array, out_activation: str) -> Array:
    """Index of the most probable class of each row, (n_samples,), from logits."""
    if out_activation == "logistic":
        return (Z[:, 0] > 0).astype(np.intp)
    index: Array = Z.argmax(axis=1)
    return index


def log_loss(
    Z: Array, y: Array, out_activation: str, sample_weight: Array | None = None
) -> float:
    """Mean cross-entropy of logits Z and class indices y, weighted if asked for."""
    per_row = -log_proba(Z, out_activation)[np.arange(len(y)), y]
    return float(np.average(per_row, weights=sample_weight))
