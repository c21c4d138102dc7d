"""What the network is: its layers, its starting weights, its form in Keras.

Weights travel as a flat list of NumPy arrays in the order of the Keras layers
("layer arrays"): kernel and bias of each Dense layer; with batch normalisation a
hidden Dense layer has no bias, and gamma, beta, moving mean and moving variance
follow its kernel.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

KERAS_ACTIVATIONS = {
    "identity": "linear",
    "logistic": "sigmoid",
    "relu": "relu",
    "tanh": "tanh",
}

# Keras's own defaults, named here because predictions are computed with them too.
NORM_EPSILON = 1e-3
NORM_MOMENTUM = 0.99


@dataclass(frozen=True)
class Network:
    """Everything that decides the layers of a network, hashable.

    `dropout` has a rate for the input and one for each hidden layer.
    """

    n_features: int
    hidden_layer_sizes: tuple
    n_outputs: int
    out_activation: str
    activation: str = "relu"
    dropout: tuple = ()
    batch_norm: bool = False
    rescale: float | None = None
    dtype: str = "float32"

    @property
    def layer_sizes(self):
        return (self.n_features, *self.hidden_layer_sizes, self.n_outputs)


def initial_arrays(network, rng):
    """Layer arrays to start training from, as Keras starts a Dense layer.

    Kernels are uniform within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio,
    2010), biases zero.
    """
    arrays = []
    fans = list(pairwise(network.layer_sizes))
    for layer, (fan_in, fan_out) in enumerate(fans):
        bound = np.sqrt(6 / (fan_in + fan_out))
        arrays.append(rng.uniform(-bound, bound, (fan_in, fan_out)))
        if network.batch_norm and layer < len(fans) - 1:
            arrays += [np.ones(fan_out), np.zeros(fan_out)]  # gamma, beta
            arrays += [np.zeros(fan_out), np.ones(fan_out)]  # mean, variance
        else:
            arrays.append(np.zeros(fan_out))
    return [array.astype(network.dtype) for array in arrays]


def fold(network, arrays, norm_prior=0.0):
    """Layer arrays as the plain network they compute.

    Parameters
    ----------
    network : Network
    arrays : list of ndarray
    norm_prior : float, default=0.0
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
    if norm_prior == 1:  # not a step yet: the starting values are all there is
        norm_prior = 0.0
    coefs, intercepts, norms = [], [], []
    for start in range(0, len(arrays) - 2, 5):
        kernel, gamma, beta, mean, variance = arrays[start : start + 5]
        mean = mean / (1 - norm_prior)
        variance = np.maximum((variance - norm_prior) / (1 - norm_prior), 0)
        norm = np.stack([gamma, beta, mean, variance]).astype(network.dtype)
        scale, shift = _norm_affine(norm)
        coefs.append((kernel * scale).astype(network.dtype))
        intercepts.append(shift.astype(network.dtype))
        norms.append(norm)
    return [*coefs, arrays[-2]], [*intercepts, arrays[-1]], norms


def unfold(network, coefs, intercepts, norms):
    """The layer arrays that `fold` made a plain network of."""
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


def build_keras(keras, network):
    """The network as an ordinary `keras.Sequential`, logits out.

    Every initializer and dropout has a seed of its own, so that Keras draws none
    from Python's global random state.
    """
    dtype = network.dtype
    layers = keras.layers
    stack = [keras.Input((network.n_features,), dtype=dtype, name="input")]

    def dense(units, name, **options):
        seed = len(stack)
        initializer = keras.initializers.GlorotUniform(seed=seed)
        options = {"kernel_initializer": initializer, "dtype": dtype, **options}
        stack.append(layers.Dense(units, name=name, **options))

    def dropout(rate, name):
        if rate:
            stack.append(layers.Dropout(rate, seed=len(stack), name=name, dtype=dtype))

    if network.rescale is not None:
        # A Python float would be rounded to float32 first.
        factor = np.float64(network.rescale)
        stack.append(layers.Rescaling(factor, name="rescaling", dtype=dtype))
    rates = network.dropout or (0.0,) * (len(network.hidden_layer_sizes) + 1)
    dropout(rates[0], "input_dropout")
    activation = KERAS_ACTIVATIONS[network.activation]
    for number, units in enumerate(network.hidden_layer_sizes, start=1):
        name = f"hidden_{number}"
        if network.batch_norm:
            dense(units, name, use_bias=False)
            stack.append(
                layers.BatchNormalization(
                    momentum=NORM_MOMENTUM,
                    epsilon=NORM_EPSILON,
                    name=f"{name}_norm",
                    dtype=dtype,
                )
            )
            stack.append(
                layers.Activation(activation, name=f"{name}_activation", dtype=dtype)
            )
        else:
            dense(units, name, activation=activation)
        dropout(rates[number], f"{name}_dropout")
    dense(network.n_outputs, "output")
    return keras.Sequential(stack, name="digit_mlp")


def keras_variables(keras, model):
    """Variables of a model made by `build_keras`, in the order of layer arrays."""
    return [
        variable
        for layer in model.layers
        if not isinstance(layer, keras.layers.Dropout)  # its variable is a seed
        for variable in layer.weights
    ]


def keras_loss(keras, network):
    """The Keras loss that the logits of a network are meant for."""
    if network.out_activation == "logistic":
        return keras.losses.BinaryCrossentropy(from_logits=True)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
