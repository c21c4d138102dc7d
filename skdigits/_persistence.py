"""The saved state of a classifier: its format, its keys, and whether it is complete.

The state is the same for every way of saving (pickle, joblib, cloudpickle, skops): the
parameters, the fitted attributes, and a version stamp.
"""

import warnings
from itertools import pairwise
from numbers import Integral
from typing import Any

import numpy as np

from skdigits._network.inference import ACTIVATIONS
from skdigits._version import __version__

# Incremented when the attributes change their meaning; `migrate_state` then converts
# older states. Files of every release are kept in tests/golden.
FORMAT = 1

_PRIVATE_STATE = {
    "_activation",
    "_batch_norms",
    "_dropout",
    "_rescale",
    "_training_state",
}
_NEEDED = _PRIVATE_STATE | {
    "classes_",
    "coefs_",
    "intercepts_",
    "n_features_in_",
    "n_outputs_",
    "out_activation_",
}
_SCALARS = {
    "n_features_in_": Integral,
    "n_outputs_": Integral,
    "out_activation_": str,
    "_activation": str,
}


# Names in files of the parts of a checkpoint that no public attribute holds.
_CHECKPOINT_KEYS = (
    "seed",
    "arrays",
    "moving_average_bias",
    "optimizer",
    "optimizer_label",
    "learning_rate",
    "no_improvement",
)


def checkpoint_state(checkpoint: Any) -> dict[str, Any]:
    """The part of a checkpoint that no public attribute holds, as a dict."""
    return {name: getattr(checkpoint, name) for name in _CHECKPOINT_KEYS}


def is_fitted_state(name: str) -> bool:
    """Whether an attribute of that name is set by fitting."""
    return name in _PRIVATE_STATE or (name[-1] == "_" and name[0] != "_")


def version_stamp() -> dict[str, Any]:
    """Format and version, which are saved with the state."""
    return {"_skdigits_format": FORMAT, "_skdigits_version": __version__}


def migrate_state(state: dict[str, Any]) -> dict[str, Any]:
    """Convert a saved state to attributes of a classifier.

    Raises
    ------
    ValueError
        If it is not the state of a classifier that can predict.

    Warns
    -----
    UserWarning
        If a newer skdigits saved it in an unknown format.
    """
    state = dict(state)
    found = state.pop("_skdigits_format", FORMAT)
    version = state.pop("_skdigits_version", "of unknown version")
    if not isinstance(found, int) or found < 1:
        raise _damaged(f"its format is {found!r}")
    if found > FORMAT:
        warnings.warn(
            f"This DigitMLPClassifier was saved by skdigits {version} in format "
            f"{found}. This is skdigits {__version__}, which knows formats up to "
            f"{FORMAT}: its predictions may be wrong. Upgrade skdigits to {version} "
            "or newer, or fit and save the classifier with this version.",
            UserWarning,
            stacklevel=2,
        )
    if "coefs_" in state:
        _check_fitted(state)
    return state


def _check_fitted(state: dict[str, Any]) -> None:
    """Raise unless the parts fit together: a damaged file must not give predictions."""
    missing = sorted(_NEEDED - state.keys())
    if missing:
        raise _damaged(f"{missing} are missing")
    for name, kind in _SCALARS.items():
        if not isinstance(state[name], kind):
            raise _damaged(f"its {name} is {state[name]!r}")
    coefs, intercepts = state["coefs_"], state["intercepts_"]
    for arrays in (coefs, intercepts):
        if not isinstance(arrays, list) or len(arrays) != len(coefs) or not arrays:
            raise _damaged("coefs_ and intercepts_ are not lists of the same length")
    for layer, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        _check_array(f"coefs_[{layer}]", coef, coefs[0], ndim=2)
        _check_array(f"intercepts_[{layer}]", intercept, coefs[0], ndim=1)
    sizes = [state["n_features_in_"]]
    sizes += [len(intercept) for intercept in intercepts]
    for layer, shape in enumerate(pairwise(sizes)):
        if coefs[layer].shape != shape:
            raise _damaged(
                f"coefs_[{layer}] has shape {coefs[layer].shape} where {shape} fits"
            )
    n_outputs, out_activation = state["n_outputs_"], state["out_activation_"]
    if n_outputs != sizes[-1] or (n_outputs, out_activation) not in [
        (1, "logistic"),
        (n_outputs, "softmax"),
    ]:
        raise _damaged(
            f"it has {n_outputs!r} outputs, {out_activation!r}, and weights for "
            f"{sizes[-1]}"
        )
    classes = state["classes_"]
    n_classes = 2 if out_activation == "logistic" else n_outputs
    if not isinstance(classes, np.ndarray) or classes.shape != (n_classes,):
        raise _damaged(f"its classes are {classes!r}, where {n_classes} are expected")
    activation, rescale = state["_activation"], state["_rescale"]
    if activation not in ACTIVATIONS:
        raise _damaged(f"its _activation is {activation!r}")
    if rescale is not None and not (
        isinstance(rescale, float) and 0 < rescale < np.inf
    ):
        raise _damaged(f"its rescale is {rescale!r}")
    training = state["_training_state"]
    whole = isinstance(training, dict) and training.keys() >= set(_CHECKPOINT_KEYS)
    if training is not None and not whole:
        raise _damaged(f"_training_state must have {list(_CHECKPOINT_KEYS)}")


def _check_array(name: str, array: Any, first: Any, ndim: int) -> None:
    if not isinstance(array, np.ndarray) or array.ndim != ndim:
        raise _damaged(f"{name} is not an array of {ndim} dimensions")
    if array.dtype != first.dtype or array.dtype.name not in ("float32", "float64"):
        raise _damaged(f"{name} has dtype {array.dtype}")
    if not np.isfinite(array).all():
        raise _damaged(f"{name} has values that are not finite")


def _damaged(problem: str) -> ValueError:
    return ValueError(
        f"Cannot load this DigitMLPClassifier: {problem}. The file was damaged, or the "
        "classifier was changed after it was fitted. Load another copy of it."
    )
