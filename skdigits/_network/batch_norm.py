"""Batch normalisation, folded into the weights of the layer before it."""

import numpy as np

from skdigits._network import Array
from skdigits._network.architecture import Network

# Keras's defaults. Predictions depend on them, so they are fixed here.
NORM_EPSILON = 1e-3
NORM_MOMENTUM = 0.99


def fold_batch_norm(
    network: Network, arrays: list[Array], moving_average_bias: float = 0.0
) -> tuple[list[Array], list[Array], list[Array]]:
    """Convert layer arrays to the weights of an equal network without normalisation.

    Parameters
    ----------
    network : Network
    arrays : list of ndarray
        Layer arrays.
    moving_average_bias : float, default=0.0
        Weight of the initial values (mean 0, variance 1) in the moving averages, in
        [0, 1]. They are removed, as Adam corrects the bias of its moments, so that
        short training runs are normalised correctly too.

    Returns
    -------
    coefs, intercepts : list of ndarray
    norms : list of ndarray of shape (4, width)
        gamma, beta, mean and variance of each hidden layer; empty without batch
        normalisation.
    """
    if not network.batch_norm:
        return list(arrays[0::2]), list(arrays[1::2]), []
    if moving_average_bias == 1:  # no step yet: there are only the initial values
        moving_average_bias = 0.0
    part = 1 - moving_average_bias
    coefs, intercepts, norms = [], [], []
    for start in range(0, len(arrays) - 2, 5):
        kernel, gamma, beta, mean, variance = arrays[start : start + 5]
        mean = mean / part
        variance = np.maximum((variance - moving_average_bias) / part, 0)
        norm = np.stack([gamma, beta, mean, variance]).astype(network.dtype)
        scale, shift = _norm_affine(norm)
        coefs.append((kernel * scale).astype(network.dtype))
        intercepts.append(shift.astype(network.dtype))
        norms.append(norm)
    return [*coefs, arrays[-2]], [*intercepts, arrays[-1]], norms


def unfold_batch_norm(
    network: Network, coefs: list[Array], intercepts: list[Array], norms: list[Array]
) -> list[Array]:
    """Convert the weights that `fold_batch_norm` returns to layer arrays."""
    arrays: list[Array] = []
    for layer, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        if network.batch_norm and layer < len(coefs) - 1:
            scale, _ = _norm_affine(norms[layer])
            # The output of a unit with gamma 0 does not depend on its kernel.
            safe = np.where(scale == 0, 1, scale)
            arrays += [coef / safe, *norms[layer]]
        else:
            arrays += [coef, intercept]
    return [np.array(array, dtype=network.dtype) for array in arrays]


def _norm_affine(norm: Array) -> tuple[Array, Array]:
    """Scale and shift of a normalisation, in float64."""
    gamma, beta, mean, variance = norm.astype(np.float64)
    scale = gamma / np.sqrt(variance + NORM_EPSILON)
    return scale, beta - mean * scale
