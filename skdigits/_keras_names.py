"""Advice for users of Keras, in errors about names and values that are Keras's."""

import functools
from collections.abc import Callable, Mapping
from inspect import signature
from numbers import Real
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

from skdigits._keras.optimizers import SOLVERS

_P = ParamSpec("_P")
_R = TypeVar("_R")

# Parameters of the classifier by the names that Keras and scikeras have for them.
_PARAMETERS = {
    "batch": "batch_size",
    "dropout_rate": "dropout",
    "epochs": "max_iter",
    "hidden_layers": "hidden_layer_sizes",
    "kernel_regularizer": "alpha",
    "layers": "hidden_layer_sizes",
    "lr": "learning_rate_init",
    "min_delta": "tol",
    "n_epochs": "max_iter",
    "optimizer": "solver",
    "patience": "n_iter_no_change",
    "seed": "random_state",
    "units": "hidden_layer_sizes",
    "weight_decay": "alpha",
}

_ARGUMENTS = {
    "input_dim": "Leave it out: fit takes the number of features from X.",
    "input_shape": "Leave it out: fit takes the number of features from X.",
    "loss": "Leave it out: the loss is always the cross-entropy.",
    "metrics": "Leave it out, and use score or sklearn.metrics after fit.",
    "model": "Use hidden_layer_sizes, or DigitMLPClassifier.from_keras(model).",
    "validation_data": "Use fit(X, y, X_val=X_val, y_val=y_val).",
    "validation_split": (
        "Use DigitMLPClassifier(early_stopping=True, validation_fraction=...)."
    ),
}

_SAVING = (
    "Use joblib.dump(clf, 'digits.joblib'), or clf.to_keras().save('digits.keras') for "
    "a Keras model."
)
_ATTRIBUTES = {
    "add": "Use DigitMLPClassifier(hidden_layer_sizes=...).",
    "compile": "Leave it out: use DigitMLPClassifier(solver=...) for the optimizer.",
    "count_params": "Use to_keras().count_params().",
    "evaluate": "Use score(X, y).",
    "fit_generator": "Use partial_fit(X, y, classes=...) for each batch.",
    "get_weights": "Use coefs_ and intercepts_.",
    "history": "Use loss_curve_ and validation_scores_ after fit.",
    "history_": "Use loss_curve_ and validation_scores_ after fit.",
    "layers": "Use coefs_ and intercepts_, or to_keras().layers.",
    "load_weights": "Use joblib.load, or keras.saving.load_model and from_keras.",
    "model": "Use to_keras().",
    "model_": "Use to_keras().",
    "optimizer": "Use solver.",
    "predict_classes": "Use predict(X).",
    "save": _SAVING,
    "save_weights": _SAVING,
    "set_weights": "Use DigitMLPClassifier.from_keras(model).",
    "summary": "Use to_keras().summary().",
    "to_json": "Use to_keras().to_json().",
    "train_on_batch": "Use partial_fit(X, y, classes=...).",
    "weights": "Use coefs_ and intercepts_.",
}

_ACTIVATIONS = {
    "linear": "Use activation='identity'.",
    "sigmoid": "Use activation='logistic'.",
    "softmax": "It is the activation of hidden layers; the output is always softmax.",
}


def explain_arguments(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate a method: a TypeError for an argument of Keras names ours."""
    known = signature(method).parameters

    @functools.wraps(method)
    def explained(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        for name in kwargs:
            if name not in known and (advice := _advice_on_argument(args[0], name)):
                raise TypeError(
                    f"{method.__qualname__}() got an unexpected keyword argument "
                    f"{name!r}. {advice}"
                )
        return method(*args, **kwargs)

    return explained


def _advice_on_argument(estimator: Any, name: str) -> str | None:
    parameter = _PARAMETERS.get(name, name)
    if parameter in signature(type(estimator)).parameters:
        return f"Use {type(estimator).__name__}({parameter}=...)."
    return _ARGUMENTS.get(name)


def advice_on_values(params: Mapping[str, Any]) -> str:
    """Advice on invalid parameters that have values of Keras; "" without any."""
    if isinstance(params["learning_rate"], Real):
        return "Use learning_rate_init for a number."
    solver, activation = params["solver"], params["activation"]
    if isinstance(solver, str) and solver not in SOLVERS and solver.lower() in SOLVERS:
        return f"Use solver={solver.lower()!r}."
    if isinstance(activation, int):
        return f"Use hidden_layer_sizes=({params['hidden_layer_sizes']}, {activation})."
    return _ACTIVATIONS.get(activation, "") if isinstance(activation, str) else ""


class KerasNamesMixin:
    """An estimator whose AttributeError for a name of Keras says what to use."""

    if not TYPE_CHECKING:  # to type checkers, it would have every attribute

        def __getattr__(self, name: str) -> NoReturn:
            advice = f". {_ATTRIBUTES[name]}" if name in _ATTRIBUTES else ""
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}{advice}",
                name=name,
                obj=self,
            )
