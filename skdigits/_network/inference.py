"""The network in NumPy: from rows to logits to probabilities.

Everything a fitted classifier needs to predict, and nothing more, so that
prediction works where TensorFlow is not installed. The one import is NumPy.
"""

import numpy as np

# Rows are taken in blocks, so that integer images are never held as floats as a
# whole and the activations of wide layers stay small.
_BLOCK_BYTES = 4 * 2**20
# So few are always one block.
_FEW_ROWS = 32


def _identity(Z):
    return Z


def _relu(Z):
    return np.maximum(Z, 0, out=Z)


def _tanh(Z):
    return np.tanh(Z, out=Z)


def _logistic(Z):
    # Through tanh, which overflows nowhere.
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


def logits(X, coefs, intercepts, activation, rescale=None):
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


def _block_logits(X, coefs, intercepts, activation, rescale):
    hidden_activation = ACTIVATIONS[activation]
    Z = cast(X, coefs[0].dtype)
    if rescale is not None:
        Z = Z * coefs[0].dtype.type(rescale)
    for coef, intercept in zip(coefs[:-1], intercepts[:-1], strict=True):
        Z = Z @ coef
        Z += intercept
        Z = hidden_activation(Z)
    Z = Z @ coefs[-1]
    Z += intercepts[-1]
    return Z


def cast(X, dtype):
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


def log_proba(Z, out_activation):
    """Logarithm of the class probabilities, (n_samples, n_classes), from logits.

    With "logistic", the one column of Z is the log-odds of the second of two
    classes; with "softmax" Z has a column a class.
    """
    if out_activation == "logistic":
        return -np.logaddexp(0, np.hstack([Z, -Z]))
    Z = Z - Z.max(axis=1, keepdims=True)
    Z -= np.log(np.exp(Z).sum(axis=1, keepdims=True))
    return Z


def proba(Z, out_activation):
    """Class probabilities, (n_samples, n_classes), from logits as in `log_proba`."""
    if out_activation == "logistic":
        return np.exp(log_proba(Z, out_activation))
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    return P


def class_index(Z, out_activation):
    """Index of the most probable class of each row, (n_samples,), from logits."""
    if out_activation == "logistic":
        return (Z[:, 0] > 0).astype(np.intp)
    return Z.argmax(axis=1)


def log_loss(Z, y, out_activation, sample_weight=None):
    """Mean cross-entropy of logits Z against class indices y, weighted if asked."""
    per_row = -log_proba(Z, out_activation)[np.arange(len(y)), y]
    return float(np.average(per_row, weights=sample_weight))
