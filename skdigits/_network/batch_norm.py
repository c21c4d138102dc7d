"""Batch normalisation, folded into the weights of the layer before it."""

import numpy as np

# Keras's own defaults, named here because predictions are computed with them too.
NORM_EPSILON = 1e-3
NORM_MOMENTUM = 0.99


def fold_batch_norm(network, arrays, moving_average_bias=0.0):
    """Layer arrays as the plain network they compute.

    Parameters
    ----------
    network : Network
    arrays : list of ndarray
    moving_average_bias : float, default=0.0
        How much of the moving averages is still the value they started from (mean
        0, variance 1), in [0, 1). That part is taken out, as Adam does with its
        moments, so that short trainings are normalised correctly too.

    Returns
    -------
    coefs, intercepts : list of ndarray
    norms : list of ndarray of shape (4, width)
        gamma, beta, mean and variance of each hidden layer; empty without batch
        normalisation.
    """
    if not network.batch_norm:
        return list(arrays[0::2]), list(arrays[1::2]), []
    if moving_average_bias == 1:  # not a step yet: the starting values are all there is
        moving_average_bias = 0.0
    coefs, intercepts, norms = [], [], []
    for start in range(0, len(arrays) - 2, 5):
        kernel, gamma, beta, mean, variance = arrays[start : start + 5]
        mean = mean / (1 - moving_average_bias)
        variance = np.maximum(
            (variance - moving_average_bias) / (1 - moving_average_bias), 0
        )
        norm = np.stack([gamma, beta, mean, variance]).astype(network.dtype)
        scale, shift = _norm_affine(norm)
        coefs.append((kernel * scale).astype(network.dtype))
        intercepts.append(shift.astype(network.dtype))
        norms.append(norm)
    return [*coefs, arrays[-2]], [*intercepts, arrays[-1]], norms


def unfold_batch_norm(network, coefs, intercepts, norms):
    """The layer arrays that `fold_batch_norm` made a plain network of."""
    arrays = []
    for layer, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        if network.batch_norm and layer < len(coefs) - 1:
            scale, _ = _norm_affine(norms[layer])
            # A unit whose gamma is zero gives a constant whatever its kernel is.
            safe = np.where(scale == 0, 1, scale)
            arrays += [coef / safe, *norms[layer]]
        else:
            arrays += [coef, intercept]
    return [np.array(array, dtype=network.dtype) for array in arrays]


def _norm_affine(norm):
    """What a normalisation multiplies by and adds, in double precision."""
    gamma, beta, mean, variance = norm.astype(np.float64)
    scale = gamma / np.sqrt(variance + NORM_EPSILON)
    return scale, beta - mean * scale
