"""Fitted networks as Keras models, and trained Keras models as fitted networks."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skdigits._keras.loading import load_keras
from skdigits._keras.model import (
    KERAS_ACTIVATIONS,
    build_model,
    compile_model,
    layer_variables,
)
from skdigits._keras.optimizers import OptimizerSpec
from skdigits._network.architecture import Network


def to_keras(network: Network, arrays: list[NDArray], params: Any) -> Any:
    """A compiled `keras.Sequential` with the given layer arrays; it returns logits."""
    keras = load_keras()
    model = build_model(keras, network)
    for variable, array in zip(layer_variables(keras, model), arrays, strict=True):
        variable.assign(array)
    optimizer, rate = OptimizerSpec.from_params(keras, params)
    optimizer = optimizer.build(params.learning_rate_init if rate is None else rate)
    optimizer.build(model.trainable_variables)  # so that a saved model loads whole
    compile_model(keras, model, network, optimizer)
    return model


@dataclass
class _Stage:
    """A Dense layer, the affine layers around it, and the activation that follows."""

    layers: list[Any] = field(default_factory=list)
    dense: Any = None
    activation: str = "linear"

    def fold(self) -> tuple[NDArray, NDArray]:
        """Kernel and bias of all its layers f: f(x) - f(0) for unit vectors, f(0)."""
        n_features = self.dense.kernel.shape[0]
        X = np.vstack([np.zeros(n_features), np.eye(n_features)])
        for layer in self.layers:
            X = _AFFINE[type(layer).__name__](layer, X)
        dtype = self.dense.kernel.numpy().dtype
        dtype = dtype if dtype == np.float64 else np.float32
        return (X[1:] - X[0]).astype(dtype), X[0].astype(dtype)


def read_keras(model: Any) -> dict[str, Any]:
    """The network that a trained Keras model computes.

    Between two activations every accepted layer is affine at inference, so a Dense
    layer and its neighbours become one layer of the network. Returns "coefs",
    "intercepts", "activation", "rescale" and "dropout" of a fitted classifier; an error
    names the layer without counterpart.
    """
    keras = load_keras()
    layers = _chain_of_layers(keras, model)
    kinds = keras.layers
    flat = len(model.inputs[0].shape) == 2
    rescale, dropout = None, [0.0]
    stages, stage = [], _Stage()
    for layer in layers:
        kind = type(layer)
        activation = _check_layer(keras, layer, flat)
        if kind is kinds.Flatten:
            flat = True
        elif kind is kinds.Dropout:
            dropout[-1] = float(layer.rate)
        elif kind is kinds.Dense:
            if stage.dense is not None:
                stages.append(stage)
                stage = _Stage()
            stage.dense = layer
            stage.layers.append(layer)
            dropout.append(0.0)
        elif kind is kinds.Rescaling and not (rescale or stages or stage.layers):
            if np.ndim(layer.scale) or layer.scale <= 0 or np.any(layer.offset):
                stage.layers.append(layer)
            else:
                rescale = float(layer.scale)
        elif kind in (kinds.Rescaling, kinds.BatchNormalization):
            stage.layers.append(layer)
        if activation is not None:
            if stage.dense is None:
                raise _refusal(layer, "expected a Dense layer before each activation")
            stage.activation = activation
            stages.append(stage)
            stage = _Stage()
    if stage.dense is not None:
        stages.append(stage)
    elif stages and stage.layers:
        why = f"nothing may follow the {stages[-1].activation} of the last Dense layer"
        raise _refusal(stage.layers[0], why)
    _check_stages(stages)
    coefs, intercepts = zip(*(stage.fold() for stage in stages), strict=True)
    return {
        "coefs": list(coefs),
        "intercepts": list(intercepts),
        "activation": _OURS[stages[0].activation] if len(stages) > 1 else "relu",
        "rescale": rescale,
        "dropout": tuple(dropout[:-1]) if any(dropout) else 0.0,
    }


def _chain_of_layers(keras, model):
    """Layers of a model, each of which takes the output of the one before."""
    sequential = isinstance(model, keras.Sequential)
    # A subclass of keras.Model may compute anything.
    if not sequential and type(model).__name__ != "Functional":
        raise TypeError(
            "model must be a trained keras.Sequential, or a keras.Model(inputs, "
            f"outputs) whose layers form a chain. Got {type(model).__name__} instead. "
            "Load the model of a file with keras.saving.load_model."
        )
    if not model.built or not model.weights:
        raise ValueError(
            "model must be built and trained, so that it has weights. Got a "
            f"{type(model).__name__} without any. Call it on data, or fit it, first."
        )
    if not sequential:
        layers = model.layers
        inputs, outputs = model.inputs, model.outputs
        links = [(layer.input, before.output) for before, layer in pairwise(layers)]
        links += [(inputs[0], layers[0].output), (outputs[0], layers[-1].output)]
        joined = all(one is other for one, other in links)
        if not joined or len(inputs) + len(outputs) > 2:
            raise ValueError(
                "model must be a chain of layers, each of which takes the output of "
                "the one before. Got a model with branches, with layers used twice, "
                "or with operations between layers. Use a keras.Sequential, or the "
                "layers that they stand for, such as Rescaling."
            )
    return model.layers


def _dense(layer, X):
    X = X @ layer.kernel.numpy().astype(float)
    return X + layer.bias.numpy() if layer.use_bias else X


def _rescale(layer, X):
    return X * np.asarray(layer.scale) + np.asarray(layer.offset)


def _normalize(layer, X):
    X = X - layer.moving_mean.numpy()
    X /= np.sqrt(layer.moving_variance.numpy().astype(float) + layer.epsilon)
    if layer.scale:
        X *= layer.gamma.numpy()
    return X + layer.beta.numpy() if layer.center else X


_LAYERS = (
    *("InputLayer", "Flatten", "Dropout", "Rescaling", "BatchNormalization", "Dense"),
    *("Activation", "ReLU", "Softmax"),
)
_OURS = {theirs: ours for ours, theirs in KERAS_ACTIVATIONS.items()}
_AFFINE = {"Dense": _dense, "Rescaling": _rescale, "BatchNormalization": _normalize}


def _check_layer(keras, layer, flat):
    """The activation that a layer applies, if any; an error if it is not supported."""
    kinds = keras.layers
    kind = type(layer)  # a subclass may compute something else
    if kind not in (getattr(kinds, name) for name in _LAYERS):
        raise _refusal(layer, "layers of this kind have no counterpart")
    if not all(np.isfinite(weight.numpy()).all() for weight in layer.weights):
        raise _refusal(layer, "its weights are not all finite")
    if getattr(layer, "quantization_mode", None) is not None:
        raise _refusal(layer, "quantized layers have no counterpart")
    if getattr(layer, "axis", -1) not in (-1, 1):
        raise _refusal(layer, "expected the last axis")
    per_pixel = kind is kinds.Rescaling and np.ndim(layer.scale) + np.ndim(layer.offset)
    if not flat and (per_pixel or kind in (kinds.Dense, kinds.BatchNormalization)):
        raise _refusal(layer, "expected Flatten before it, on images")
    if kind is kinds.Softmax:
        return "softmax"
    if kind is kinds.ReLU:
        if layer.max_value is not None or layer.negative_slope or layer.threshold:
            raise _refusal(layer, "only the plain ReLU has a counterpart")
        return "relu"
    if kind not in (kinds.Dense, kinds.Activation):
        return None
    name = getattr(layer.activation, "__name__", layer.activation)
    known = [*_OURS, "softmax"]
    if name not in known or layer.activation is not getattr(keras.activations, name):
        why = f"its activation must be one of {known} of Keras, got {name!r}"
        raise _refusal(layer, why)
    return None if kind is kinds.Dense and name == "linear" else name


def _refusal(layer, why):
    return ValueError(
        f"Cannot take the layer {layer.name!r} ({type(layer).__name__}): {why}. "
        "Expected Dense layers with Rescaling, BatchNormalization, Activation, ReLU, "
        "Softmax, Dropout, and Flatten on the input."
    )


def _check_stages(stages):
    if not stages:
        raise ValueError("model must have a Dense layer, the output. Got none.")
    *hidden, output = stages
    expected = "sigmoid" if output.dense.units == 1 else "softmax"
    if output.activation not in ("linear", expected):
        raise ValueError(
            f"Cannot take the output layer {output.dense.name!r}: expected logits, "
            "softmax probabilities, or one sigmoid unit for two classes. Got "
            f"{output.dense.units} units with {output.activation} instead."
        )
    for stage in hidden:
        first = hidden[0].activation
        if stage.activation not in _OURS or stage.activation != first:
            raise ValueError(
                f"Cannot take the layer {stage.dense.name!r}: expected the same one of "
                f"{list(_OURS)} as activation of every hidden layer. Got "
                f"{stage.activation} after {first} instead."
            )
