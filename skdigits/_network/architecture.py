"""Layers of the network, and the weights that training starts from.

Weights are passed as a flat list of NumPy arrays in the order of the Keras layers
("layer arrays"): kernel and bias of each Dense layer; with batch normalisation a
hidden Dense layer has no bias, and gamma, beta, moving mean and moving variance
follow its kernel.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skdigits._network import Array


@dataclass(frozen=True)
class Network:
    """The layers of a network, hashable.

    `dropout` has one rate for the input and one for each hidden layer.
    """

    n_features: int
    hidden_layer_sizes: tuple[int, ...]
    n_outputs: int
    out_activation: str
    activation: str = "relu"
    dropout: tuple[float, ...] = ()
    batch_norm: bool = False
    rescale: float | None = None
    dtype: str = "float32"

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Units of each layer, input and output included."""
        return (self.n_features, *self.hidden_layer_sizes, self.n_outputs)


def initial_arrays(network: Network, rng: np.random.Generator) -> list[Array]:
    """Initial layer arrays, drawn as Keras initialises a Dense layer.

    Kernels are uniform within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio,
    2010), biases zero.
    """
    arrays: list[Array] = []
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
