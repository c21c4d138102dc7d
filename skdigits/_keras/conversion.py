"""Fitted networks as Keras models, and trained Keras models as fitted networks."""

import numpy as np

from skdigits._keras.loading import load_keras
from skdigits._keras.model import (
    KERAS_ACTIVATIONS,
    build_model,
    layer_variables,
    loss_of,
)
from skdigits._keras.optimizers import OptimizerSpec


def to_keras(network, arrays, params):
    """A compiled `keras.Sequential` with the given layer arrays, logits out."""
    keras = load_keras()
    model = build_model(keras, network)
    for variable, array in zip(layer_variables(keras, model), arrays, strict=True):
        variable.assign(array)
    optimizer, rate = OptimizerSpec.from_solver(keras, params.solver, params.ema)
    if network.out_activation == "logistic":
        accuracy = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    else:
        accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    optimizer = optimizer.build(params.learning_rate_init if rate is None else rate)
    optimizer.build(model.trainable_variables)  # so that a saved model loads whole
    model.compile(
        optimizer=optimizer,
        loss=loss_of(keras, network),
        metrics=[accuracy],
    )
    return model


def read_keras(model):
    """The plain network that a trained `keras.Sequential` computes.

    Layers that are linear once trained (Rescaling, BatchNormalization) are folded
    into the Dense layers beside them.

    Parameters
    ----------
    model : keras.Sequential
        Dense layers with Rescaling, BatchNormalization, Activation, ReLU, Softmax,
        Dropout, and Flatten on the input, in any sensible order.

    Returns
    -------
    network : dict
        "coefs", "intercepts", "activation", "rescale" and "dropout", the values of
        a fitted DigitMLPClassifier.

    Raises
    ------
    TypeError
        If `model` is no `keras.Sequential`.
    ValueError
        If it has no weights yet, or a layer that has no counterpart here, which the
        message names.
    """
    keras = load_keras()
    if not isinstance(model, keras.Sequential):
        raise TypeError(
            "model must be a trained keras.Sequential. Got "
            f"{type(model).__name__} instead."
        )
    if not model.built or not model.weights:
        raise ValueError(
            "model must be built and trained, so that it has weights. Got a "
            "keras.Sequential without any. Call it on data, or fit it, first."
        )
    reader = _Reader(keras, flat=len(model.input_shape) == 2)
    for layer in model.layers:
        reader.read(layer)
    return reader.result(model)


class _Reader:
    """Goes through the layers of a model, keeping what is still to be folded."""

    def __init__(self, keras, flat):
        self._layers = keras.layers
        self._activations = {
            getattr(keras.activations, theirs): ours
            for ours, theirs in [*KERAS_ACTIVATIONS.items(), ("softmax", "softmax")]
        }
        # Whether what comes in is rows by now, and no longer images.
        self._flat = flat
        # Finished layers: [kernel, bias, activation, name].
        self._done = []
        # A Dense layer whose activation is yet to come.
        self._open = None
        # scale and shift of what the next Dense layer takes in.
        self._scale, self._shift = 1.0, 0.0
        self._rescale = None
        self._dropout = [0.0]

    def read(self, layer):
        layers = self._layers
        for variable in layer.weights:
            if not np.isfinite(variable.numpy()).all():
                raise self._unknown(layer, "its weights are not all finite")
        kind = type(layer)  # a subclass may compute something else
        if kind is layers.InputLayer:
            return
        if kind is layers.Flatten:
            self._flat = True
        elif kind is layers.Dropout:
            self._dropout[-1] = float(layer.rate)
        elif kind is layers.Rescaling:
            self._read_rescaling(layer)
        elif kind is layers.BatchNormalization:
            self._read_norm(layer)
        elif kind is layers.Dense:
            self._read_dense(layer)
        elif kind is layers.Softmax:
            if layer.axis not in (-1, 1):
                raise self._unknown(layer, "expected a softmax over the last axis")
            self._activate("softmax", layer)
        elif kind is layers.ReLU:
            if layer.max_value is not None or layer.negative_slope or layer.threshold:
                raise self._unknown(layer, "only the plain ReLU has a counterpart")
            self._activate("relu", layer)
        elif kind is layers.Activation:
            self._activate(self._our_name(layer), layer)
        else:
            raise self._unknown(layer, "layers of this kind have no counterpart")

    def _our_name(self, layer):
        activation = layer.activation
        if activation not in self._activations:
            raise self._unknown(
                layer,
                f"its activation {getattr(activation, '__name__', activation)!r} has "
                f"no counterpart, only {sorted(KERAS_ACTIVATIONS.values())} have",
            )
        return self._activations[activation]

    def _read_rescaling(self, layer):
        scale, offset = np.asarray(layer.scale), np.asarray(layer.offset)
        first = not self._done and self._open is None and self._rescale is None
        if first and scale.ndim == 0 and scale > 0 and not offset.any():
            self._rescale = float(scale)
            return
        if scale.ndim or offset.ndim:
            self._check_flat(layer)
        self._fold(scale.astype(float), offset.astype(float), layer)

    def _check_flat(self, layer):
        if not self._flat:
            raise self._unknown(layer, "expected Flatten before it, on images")

    def _read_norm(self, layer):
        self._check_flat(layer)
        if layer.axis not in (-1, 1):
            raise self._unknown(layer, "expected normalisation of the last axis")
        if not self._done and self._open is None and self._rescale is not None:
            # What was a rescaling of X is now part of the first layer.
            self._scale, self._rescale = self._rescale, None
        mean = layer.moving_mean.numpy().astype(float)
        scale = 1 / np.sqrt(layer.moving_variance.numpy().astype(float) + layer.epsilon)
        if layer.scale:
            scale = scale * layer.gamma.numpy()
        shift = -mean * scale
        if layer.center:
            shift = shift + layer.beta.numpy()
        self._fold(scale, shift, layer)

    def _fold(self, scale, shift, layer):
        if self._open is not None:
            kernel, bias, name = self._open
            self._open = kernel * scale, bias * scale + shift, name
            return
        if self._done and self._done[-1][2] == "softmax":
            raise self._unknown(layer, "nothing may follow the softmax")
        self._shift = self._shift * scale + shift
        self._scale = self._scale * scale

    def _read_dense(self, layer):
        self._check_flat(layer)
        if getattr(layer, "quantization_mode", None) is not None:
            raise self._unknown(layer, "quantized layers have no counterpart")
        if self._open is not None:
            self._activate("identity", layer)
        kernel = layer.kernel.numpy()
        self._dtype = kernel.dtype if kernel.dtype == np.float64 else np.float32
        kernel = kernel.astype(float)
        bias = np.zeros(kernel.shape[1])
        if layer.use_bias:
            bias = bias + layer.bias.numpy()
        n_in = kernel.shape[0]
        bias = bias + np.broadcast_to(self._shift, n_in) @ kernel
        kernel = kernel * np.broadcast_to(self._scale, n_in)[:, None]
        self._scale, self._shift = 1.0, 0.0
        self._open = kernel, bias, layer.name
        self._dropout.append(0.0)
        activation = self._our_name(layer)
        if activation != "identity":
            self._activate(activation, layer)

    def _activate(self, activation, layer):
        if self._open is None:
            raise self._unknown(layer, "expected a Dense layer before each activation")
        kernel, bias, name = self._open
        self._done.append([kernel, bias, activation, name])
        self._open = None

    def result(self, model):
        if self._open is not None:
            kernel, bias, name = self._open
            self._done.append([kernel, bias, "identity", name])
        elif np.any(self._scale != 1) or np.any(self._shift != 0):
            raise self._unknown(model.layers[-1], "expected the last layer to be Dense")
        *hidden, output = self._done
        if not hidden:
            raise ValueError(
                "model must have a hidden Dense layer and an output Dense layer. Got "
                f"{len(self._done)} Dense layers instead."
            )
        n_outputs = output[0].shape[1]
        fitting = (
            {"identity", "logistic"} if n_outputs == 1 else {"identity", "softmax"}
        )
        if output[2] not in fitting:
            raise ValueError(
                f"Cannot take the output layer {output[3]!r}: expected logits, softmax "
                "probabilities, or one sigmoid unit for two classes. Got "
                f"{n_outputs} units with {KERAS_ACTIVATIONS.get(output[2], output[2])} "
                "instead."
            )
        activation = hidden[0][2]
        for _, _, other, name in hidden:
            if other != activation or other == "softmax":
                raise ValueError(
                    f"Cannot take the layer {name!r}: expected the same one of "
                    f"{sorted(KERAS_ACTIVATIONS.values())} as activation of every "
                    f"hidden layer. Got {KERAS_ACTIVATIONS.get(other, other)} after "
                    f"{KERAS_ACTIVATIONS.get(activation, activation)} instead."
                )
        return {
            "coefs": [kernel.astype(self._dtype) for kernel, *_ in self._done],
            "intercepts": [bias.astype(self._dtype) for _, bias, *_ in self._done],
            "activation": activation,
            "rescale": self._rescale,
            "dropout": tuple(self._dropout[:-1]) if any(self._dropout) else 0.0,
        }

    @staticmethod
    def _unknown(layer, why):
        return ValueError(
            f"Cannot take the layer {layer.name!r} ({type(layer).__name__}): {why}. "
            "Expected Dense layers with Rescaling, BatchNormalization, Activation, "
            "ReLU, Softmax, Dropout, and Flatten on the input."
        )
