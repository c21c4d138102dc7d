"""Which Keras optimizer trains, told apart without building it."""

import functools
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real

import numpy as np

# Named, because Keras would number the names, and TensorFlow keeps about 40 kB for each
# name that a variable has had.
_SOLVERS = {
    "adam": ("Adam", {"name": "adam"}),
    "adamw": ("AdamW", {"name": "adamw"}),
    "sgd": ("SGD", {"name": "sgd", "momentum": 0.9, "nesterov": True}),
}

# Keras's optimizers that treat every number of every variable alike.
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


@dataclass(frozen=True)
class OptimizerSpec:
    """A Keras optimizer, hashable; one of Keras's own but for its learning rate.

    Parameters
    ----------
    kind : type
        Class of the optimizer.
    key : str
        Text that equal configurations have in common.
    config : dict
        Its configuration; a schedule of the learning rate is the object itself.
    """

    kind: type
    key: str
    config: dict = field(compare=False)

    @classmethod
    def from_solver(cls, keras, solver, ema):
        """Describe `solver`, a name or a Keras optimizer, which is left as it is.

        Returns
        -------
        spec : OptimizerSpec
        learning_rate : float or None
            The learning rate of an optimizer given as an object; None for a name
            and for an optimizer that follows a schedule of its own.

        Raises
        ------
        TypeError
            If `solver` is not a Keras optimizer, but for example the class of one.
        ValueError
            If a copy of the optimizer would be different from it.
        """
        if isinstance(solver, str):
            name, config = _SOLVERS[solver]
            kind = getattr(keras.optimizers, name)
        elif isinstance(solver, keras.optimizers.Optimizer):
            kind, config = type(solver), _config_of(keras, solver)
        else:
            raise TypeError(
                "The 'solver' parameter of DigitMLPClassifier must be 'adam', "
                "'adamw', 'sgd' or an instance of keras.optimizers.Optimizer. "
                f"Got {solver!r} instead."
            )
        if ema is not None:
            config = {**config, "use_ema": True, "ema_momentum": float(ema)}
        rate = config.get("learning_rate")
        rate = float(rate) if isinstance(rate, Real) else None
        told_apart = {name: v for name, v in config.items() if name != "name"}
        if rate is not None and _is_of_keras(kind):  # others may keep it elsewhere too
            del told_apart["learning_rate"]
        return cls(kind, _as_text(told_apart, name_of=id), config), rate

    @property
    def follows_schedule(self):
        """Whether the optimizer brings a learning-rate schedule of its own."""
        return not isinstance(self.config.get("learning_rate", 0.0), Real)

    @property
    def averages(self):
        """Whether the optimizer keeps a moving average of the weights."""
        return bool(self.config.get("use_ema"))

    @property
    def elementwise(self):
        """Whether it makes no difference how the weights are cut into variables."""
        clips_each = self.config.get("clipnorm") is not None
        known = _is_of_keras(self.kind) and self.kind.__name__ in _ELEMENTWISE
        return known and not clips_each

    @property
    def clips_globally(self):
        """Whether it scales a gradient by the norm of all of it."""
        return self.config.get("global_clipnorm") is not None

    @property
    def label(self):
        """Name of its class, which is saved beside its state."""
        return self.kind.__name__

    def build(self, learning_rate=None):
        """A new Keras optimizer, not yet built for any variables.

        Parameters
        ----------
        learning_rate : float or LearningRateSchedule, default=None
            Where it starts, unless it brings a schedule; None for its own.
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


def choose_optimizer(keras, params):
    """The optimizer of a classifier and the learning rate to start at.

    Returns
    -------
    spec : OptimizerSpec
    rate : float

    Raises
    ------
    TypeError, ValueError
        If `solver` is no optimizer, or one with a schedule beside `learning_rate`.
    """
    optimizer, rate = OptimizerSpec.from_solver(keras, params.solver, params.ema)
    if optimizer.follows_schedule and params.learning_rate != "constant":
        raise ValueError(
            "learning_rate must be 'constant' where `solver` is a Keras optimizer "
            f"with a schedule of its own. Got {params.learning_rate!r} instead."
        )
    return optimizer, params.learning_rate_init if rate is None else rate


def _scaled(adjust, update):
    """An update as Muon scales it, in double precision too.

    Its `lr_adjust` multiplies by a number for each shape, which Keras (3.15) computes
    in its default dtype whatever dtype the weights have.
    """
    from keras import config, ops

    if update.dtype == config.floatx():
        return adjust(update)
    factor = adjust(ops.ones(update.shape, config.floatx()))
    return update * ops.cast(factor, update.dtype)


def _is_of_keras(kind):
    return kind.__module__.partition(".")[0] == "keras"


def _config_of(keras, optimizer):
    """The configuration of an optimizer, if a copy made from it is like the optimizer.

    A schedule in it is the object itself, which need not be registered with Keras.
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
            "its get_config has no 'learning_rate' (instead of one that wraps others, "
            "pass the one inside)",
        )
    lost = sorted(
        name
        for name, value in vars(optimizer).items()
        if name not in _bookkeeping(keras)
        and not _is_state(value)
        and not _is_same(value, vars(copied).get(name))
    )
    if lost:
        raise _not_copied(optimizer, f"a copy has not the same {', '.join(lost)}")
    return config


def check_copies(solver):
    """Raise if `solver` is a Keras optimizer and a copy would be different from it."""
    keras = sys.modules.get("keras")  # imported, if it made an optimizer
    if keras is not None and not isinstance(solver, str):
        if isinstance(solver, keras.optimizers.Optimizer):
            _config_of(keras, solver)


def _not_copied(optimizer, reason):
    name = type(optimizer).__name__
    unused = " Pass one that was not built before." if optimizer.built else ""
    return ValueError(
        f"The optimizer {name} given as `solver` cannot be copied: {reason}. Training "
        "needs copies by get_config and from_config, as Keras makes them when it is "
        "cloned or pickled too. Expected a copy that is equal to the optimizer. "
        "Return all arguments of its constructor from get_config. What is set after "
        "construction, as by exclude_from_weight_decay, can be set in the constructor "
        f"of a subclass.{unused}"
    )


@functools.cache
def _bookkeeping(keras):
    """Names of attributes of any optimizer that are not settings of it."""
    bare = keras.optimizers.Optimizer(learning_rate=0.1)
    names = vars(bare).keys() - bare.get_config().keys()
    return {*names, "name", "_exclude_from_weight_decay_cache"}


def _is_state(value):
    """Whether an attribute holds variables, which training changes, or is to."""
    values = value if isinstance(value, list | tuple) else [value]
    return not values or any(hasattr(each, "assign") for each in values)


def _is_same(value, copied):
    """Whether an attribute is the same in a copy, as far as that can be told."""
    if isinstance(value, float) and isinstance(copied, float):
        # A number derived from the learning rate, which Keras keeps in float32.
        return bool(np.isclose(value, copied, rtol=1e-6, atol=0, equal_nan=True))
    try:
        one, other = (_as_text(v, name_of=_qualified_name) for v in (value, copied))
    except (TypeError, ValueError):  # keys that are not strings, references in a circle
        return type(value) is type(copied)
    return one == other


def _as_text(value, name_of):
    """A value as text that equal ones share; `name_of` for what is unknown."""

    def describe(value):
        if isinstance(value, np.ndarray | np.generic):
            return value.tolist()
        if isinstance(value, set | frozenset):
            return sorted(value, key=repr)
        if isinstance(value, tuple):  # TensorFlow wraps attributes that are tuples
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


def _qualified_name(value):
    return getattr(value, "__qualname__", type(value).__qualname__)
