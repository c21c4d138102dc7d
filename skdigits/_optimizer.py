"""Which Keras optimizer trains, told apart without building it."""

import json
from dataclasses import dataclass

_SOLVERS = {
    "adam": ("Adam", {}),
    "adamw": ("AdamW", {}),
    "sgd": ("SGD", {"momentum": 0.9, "nesterov": True}),
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
    """A Keras optimizer but for its learning rate, hashable.

    Parameters
    ----------
    kind : type
        Class of the optimizer.
    config : str
        Its configuration as JSON.
    """

    kind: type
    config: str

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
            If `solver` is no Keras optimizer, such as the class of one.
        """
        if isinstance(solver, str):
            name, config = _SOLVERS[solver]
            kind = getattr(keras.optimizers, name)
            learning_rate = None
        elif isinstance(solver, keras.optimizers.Optimizer):
            kind, config = type(solver), solver.get_config()
            learning_rate = config.pop("learning_rate", None)
            if not isinstance(learning_rate, float | int):
                config["learning_rate"] = learning_rate  # a schedule
                learning_rate = None
        else:
            raise TypeError(
                "The 'solver' parameter of DigitMLPClassifier must be 'adam', "
                "'adamw', 'sgd' or an instance of keras.optimizers.Optimizer. "
                f"Got {solver!r} instead."
            )
        if ema is not None:
            config = {**config, "use_ema": True, "ema_momentum": float(ema)}
        return cls(kind, json.dumps(config, sort_keys=True)), learning_rate

    @property
    def follows_schedule(self):
        """Whether the optimizer brings a learning-rate schedule of its own."""
        return "learning_rate" in json.loads(self.config)

    @property
    def averages(self):
        """Whether the optimizer keeps a moving average of the weights."""
        return bool(json.loads(self.config).get("use_ema"))

    @property
    def elementwise(self):
        """Whether it makes no difference how the weights are cut into variables."""
        keras_own = self.kind.__module__.partition(".")[0] == "keras"
        clips_each = json.loads(self.config).get("clipnorm") is not None
        return keras_own and self.kind.__name__ in _ELEMENTWISE and not clips_each

    @property
    def clips_globally(self):
        """Whether it scales a gradient by the norm of all of it."""
        return json.loads(self.config).get("global_clipnorm") is not None

    @property
    def label(self):
        """Text that two optimizers share if one can go on with the other's state."""
        return f"{self.kind.__module__}.{self.kind.__qualname__} {self.config}"

    def build(self, learning_rate):
        """A new Keras optimizer, starting at `learning_rate`."""
        config = json.loads(self.config)
        config.setdefault("learning_rate", learning_rate)
        return self.kind.from_config(config)
