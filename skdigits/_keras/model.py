"""The network as a Keras model."""

from typing import Any

import numpy as np

from skdigits._network.architecture import Network
from skdigits._network.batch_norm import NORM_EPSILON, NORM_MOMENTUM

KERAS_ACTIVATIONS = {
    "identity": "linear",
    "logistic": "sigmoid",
    "relu": "relu",
    "tanh": "tanh",
}


def build_model(keras: Any, network: Network) -> Any:
    """The network as an ordinary `keras.Sequential` that returns logits.

    Every initializer and dropout has its own seed, so that Keras does not draw one
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


def layer_variables(keras: Any, model: Any) -> list[Any]:
    """Variables of a model made by `build_model`, in the order of layer arrays."""
    return [
        variable
        for layer in model.layers
        if not isinstance(layer, keras.layers.Dropout)  # its variable is a seed
        for variable in layer.weights
    ]


def compile_model(keras: Any, model: Any, network: Network, optimizer: Any) -> None:
    """Compile a model with its loss and the metric "accuracy", both of logits."""
    if network.out_activation == "logistic":
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        accuracy = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    model.compile(optimizer=optimizer, loss=loss, metrics=[accuracy])
    # Callbacks find a metric, and whether higher is better, after its first use.
    zeros = keras.ops.zeros
    model.compute_metrics(None, zeros((1, 1)), zeros((1, network.n_outputs)))
    model.reset_metrics()
