"""Keras optimizers as specifications that can be compared without building them."""

import functools
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np

# Optimizers of Keras that are elementwise: they treat every number alike.
_ELEMENTWISE = {
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lion",
    "Nadam",
    "RMSprop",
    "SGD",
}

# These have names as `solver`.
SOLVERS = {kind.lower(): kind for kind in sorted(_ELEMENTWISE)}


@dataclass(frozen=True)
class OptimizerSpec:
    """A Keras optimizer, hashable; for those of Keras, without the learning rate.

    Parameters
    ----------
    kind : type
        Class of the optimizer.
    key : str
        Text that is equal for equal configurations.
    config : dict
        Its configuration. A learning rate schedule is kept as the object.
    """

    kind: type[Any]
    key: str
    config: dict[str, Any] = field(compare=False)

    @classmethod
    def from_params(
        cls, keras: Any, params: Any
    ) -> "tuple[OptimizerSpec, float | None]":
        """Specification of the optimizer of a classifier.

        Parameters
        ----------
        keras : module
        params : DigitMLPClassifier
            Its `solver` may be a Keras optimizer, which is not changed.

        Returns
        -------
        spec : OptimizerSpec
        learning_rate : float or None
            Learning rate of a Keras optimizer; None for a name and for an optimizer
            with a schedule.

        Raises
        ------
        TypeError
            If `solver` is not a Keras optimizer.
        ValueError
            If a copy of the optimizer would differ from it.
        """
        solver = params.solver
        if isinstance(solver, str):
            kind = getattr(keras.optimizers, SOLVERS[solver])
            config = _config_of_name(params)
        elif isinstance(solver, keras.optimizers.Optimizer):
            kind, config = type(solver), _config_of(keras, solver)
        else:
            raise TypeError(
                "The 'solver' parameter of DigitMLPClassifier must be one of "
                f"{sorted(SOLVERS)} or an instance of keras.optimizers.Optimizer. "
                f"Got {solver!r} instead."
            )
        if params.ema is not None:
            config = {**config, "use_ema": True, "ema_momentum": float(params.ema)}
        rate = config.get("learning_rate")
        rate = float(rate) if isinstance(rate, Real) else None
        told_apart = {name: v for name, v in config.items() if name != "name"}
        if rate is not None and _is_of_keras(kind):  # others may keep it elsewhere too
            del told_apart["learning_rate"]
        return cls(kind, _as_text(told_apart, name_of=id), config), rate

    @property
    def follows_schedule(self) -> bool:
        """Whether the optimizer has a learning rate schedule."""
        return not isinstance(self.config.get("learning_rate", 0.0), Real)

    @property
    def averages(self) -> bool:
        """Whether the optimizer keeps a moving average of the weights."""
        return bool(self.config.get("use_ema"))

    @property
    def elementwise(self) -> bool:
        """Whether the division of the weights into variables makes no difference."""
        clips_each = self.config.get("clipnorm") is not None
        known = _is_of_keras(self.kind) and self.kind.__name__ in _ELEMENTWISE
        return known and not clips_each

    @property
    def clips_globally(self) -> bool:
        """Whether it scales gradients by the norm of all of them."""
        return self.config.get("global_clipnorm") is not None

    @property
    def label(self) -> str:
        """Name of its class, which is saved with its state."""
        return str(self.kind.__name__)

    def build(self, learning_rate: Any = None) -> Any:
        """Make a Keras optimizer, not yet built for any variables.

        Parameters
        ----------
        learning_rate : float or LearningRateSchedule, default=None
            Initial learning rate, unless it has a schedule; None for its own.
        """
        config = dict(self.config)
        if learning_rate is not None and not self.follows_schedule:
            if isinstance(learning_rate, Real):  # Keras takes nothing but a float
                learning_rate = float(learning_rate)
            config["learning_rate"] = learning_rate
        optimizer = self.kind.from_config(config)
        if _is_of_keras(self.kind) and hasattr(optimizer, "lr_adjust"):
            optimizer.lr_adjust = functools.partial(_scaled, optimizer.lr_adjust)
        return optimizer


def choose_optimizer(keras: Any, params: Any) -> tuple[OptimizerSpec, float]:
    """Optimizer and initial learning rate of a classifier.

    Returns
    -------
    spec : OptimizerSpec
    rate : float

    Raises
    ------
    TypeError, ValueError
        If `solver` is not an optimizer, or if both `solver` and `learning_rate` set a
        schedule.
    """
    optimizer, rate = OptimizerSpec.from_params(keras, params)
    if optimizer.follows_schedule and params.learning_rate != "constant":
        raise ValueError(
            "learning_rate must be 'constant' if `solver` is a Keras optimizer with a "
            f"learning rate schedule. Got {params.learning_rate!r} instead."
        )
    return optimizer, float(params.learning_rate_init) if rate is None else rate


def is_sgd(solver: Any) -> bool:
    """Whether `solver` is stochastic gradient descent, by name or as an optimizer."""
    name = solver if isinstance(solver, str) else type(solver).__name__
    return name in ("sgd", "SGD")


def _config_of_name(params: Any) -> dict[str, Any]:
    """Configuration of an optimizer that `solver` names."""
    # It has a name because Keras would number it, and TensorFlow keeps about 40 kB for
    # every name that a variable has had.
    config: dict[str, Any] = {"name": params.solver}
    if params.solver == "sgd":
        config["momentum"] = float(params.momentum)
        config["nesterov"] = bool(params.nesterovs_momentum)
    elif params.solver in ("adam", "adamw"):
        for name in ("beta_1", "beta_2", "epsilon"):
            config[name] = float(getattr(params, name))
    return config


def _scaled(adjust: Any, update: Any) -> Any:
    """Scale an update as Muon does, in float64 too.

    Its `lr_adjust` multiplies by a factor that depends on the shape. Keras (3.15)
    computes it in its default dtype, whatever the dtype of the weights.
    """
    from keras import config, ops

    if update.dtype == config.floatx():
        return adjust(update)
    factor = adjust(ops.ones(update.shape, config.floatx()))
    return update * ops.cast(factor, update.dtype)


def _is_of_keras(kind: type[Any]) -> bool:
    return kind.__module__.partition(".")[0] == "keras"


def _config_of(keras: Any, optimizer: Any) -> dict[str, Any]:
    """Configuration of an optimizer, if a copy made from it is equal to the optimizer.

    A schedule is kept as the object, so it need not be registered with Keras.
    """
    try:
        config = optimizer.get_config()
        rate = optimizer._learning_rate
        if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            config["learning_rate"] = rate
        copied = type(optimizer).from_config(dict(config))
    except Exception as error:
        raise _not_copied(optimizer, f"copying it fails with {error}") from error
    if "learning_rate" not in config:
        raise _not_copied(
            optimizer,
            "its get_config has no 'learning_rate' (pass the optimizer in a wrapper, "
            "not the wrapper)",
        )
    lost = sorted(
        name
        for name, value in vars(optimizer).items()
        if name not in _bookkeeping(keras)
        and not _is_state(value)
        and not _is_same(value, vars(copied).get(name))
    )
    if lost:
        raise _not_copied(optimizer, f"a copy differs in {', '.join(lost)}")
    return config


def check_copies(solver: Any) -> None:
    """Raise if `solver` is a Keras optimizer and a copy would differ from it."""
    keras = sys.modules.get("keras")  # imported, if it made an optimizer
    if (
        keras is not None
        and not isinstance(solver, str)
        and isinstance(solver, keras.optimizers.Optimizer)
    ):
        _config_of(keras, solver)


def _not_copied(optimizer: Any, reason: str) -> ValueError:
    name = type(optimizer).__name__
    unused = " Pass one that was not built before." if optimizer.built else ""
    return ValueError(
        f"The optimizer {name} given as `solver` cannot be copied: {reason}. Training "
        "needs copies by get_config and from_config, which Keras also makes when it "
        "clones or pickles an optimizer. Expected a copy that is equal to the "
        "optimizer. Return all arguments of its constructor from get_config. Settings "
        "made after construction, such as exclude_from_weight_decay, can be made in "
        f"the constructor of a subclass.{unused}"
    )


@functools.cache
def _bookkeeping(keras: Any) -> set[str]:
    """Names of the attributes of any optimizer that are not settings."""
    bare = keras.optimizers.Optimizer(learning_rate=0.1)
    names = vars(bare).keys() - bare.get_config().keys()
    return {*names, "name", "_exclude_from_weight_decay_cache"}


def _is_state(value: Any) -> bool:
    """Whether an attribute holds variables, or a list for them."""
    values = value if isinstance(value, list | tuple) else [value]
    return not values or any(hasattr(each, "assign") for each in values)


def _is_same(value: Any, copied: Any) -> bool:
    """Whether an attribute is equal in a copy, as far as can be determined."""
    if isinstance(value, float) and isinstance(copied, float):
        # A number derived from the learning rate, which Keras stores in float32.
        return bool(np.isclose(value, copied, rtol=1e-6, atol=0, equal_nan=True))
    try:
        one, other = (_as_text(v, name_of=_qualified_name) for v in (value, copied))
    except (TypeError, ValueError):  # keys that are not strings, references in a circle
        return type(value) is type(copied)
    return one == other


def _as_text(value: Any, name_of: Any) -> str:
    """Text that is equal for equal values; `name_of` is called for unknown objects."""

    def describe(value: Any) -> Any:
        if isinstance(value, np.ndarray | np.generic):
            return value.tolist()
        if isinstance(value, set | frozenset):
            return sorted(value, key=repr)
        if isinstance(value, tuple):  # TensorFlow wraps tuples in attributes
            return list(value)
        if isinstance(value, Mapping):  # or dicts
            return dict(value)
        if isinstance(value, re.Pattern):
            return value.pattern
        if hasattr(value, "get_config"):  # a schedule, an initializer and so on
            settings = {n: v for n, v in vars(value).items() if n != "name"}
            return [name_of(type(value)), settings]
        return name_of(value)

    return json.dumps(value, sort_keys=True, default=describe)


def _qualified_name(value: Any) -> str:
    return getattr(value, "__qualname__", type(value).__qualname__)
