"""Layers of the network, and the weights that training starts from.

Weights travel as a flat list of NumPy arrays in the order of the Keras layers
("layer arrays"): kernel and bias of each Dense layer; with batch normalisation a
hidden Dense layer has no bias, and gamma, beta, moving mean and moving variance
follow its kernel.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np


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
