"""Schedules over the epochs: learning rate and strength of distortions."""

import numpy as np

from skdigits._network import Array

# Part of the epochs after which strengths and rates decay to their final values.
_DECAY_START = 0.75

# "adaptive" divides no further below this rate (the value of scikit-learn).
_MIN_ADAPTIVE_RATE = 1e-6


def decay_fraction(done: Array | float) -> Array:
    """Completed fraction of the decay, after the fraction `done` of the training."""
    fraction: Array = np.maximum(done - _DECAY_START, 0) / (1 - _DECAY_START)
    return fraction


class LearningRate:
    """Learning rate over the epochs of a fit.

    Parameters
    ----------
    schedule : {"constant", "cosine", "flat_cosine", "invscaling", "adaptive"}
    initial : float
    max_iter : int
        Number of epochs after which "cosine" and "flat_cosine" reach zero.
    n_samples, t_before : int, default=0
        Rows of an epoch, and rows trained on before, for "invscaling".
    power_t : float, default=0.5
        Exponent of "invscaling".
    """

    def __init__(
        self,
        schedule: str,
        initial: float,
        max_iter: int,
        *,
        n_samples: int = 0,
        t_before: int = 0,
        power_t: float = 0.5,
    ) -> None:
        self.schedule = schedule
        self.current = initial
        self._max_iter = max_iter
        self._n_samples = n_samples
        self._t_before = t_before
        self._power_t = power_t

    @property
    def follows_epochs(self) -> bool:
        """Whether the number of the epoch determines the rate."""
        return self.schedule in ("cosine", "flat_cosine")

    def over_epoch(self, epoch: int, n_steps: int) -> Array:
        """Learning rate of each step of an epoch, counted from 0."""
        if self.schedule == "invscaling":
            t = self._t_before + epoch * self._n_samples
            # (t + 1) ** -power_t, without overflow
            return np.full(n_steps, self.current * np.exp(-self._power_t * np.log1p(t)))
        if not self.follows_epochs:
            return np.full(n_steps, self.current)
        done = (epoch + np.arange(n_steps) / n_steps) / self._max_iter
        if self.schedule == "flat_cosine":
            done = decay_fraction(done)
        rates: Array = self.current * (1 + np.cos(np.pi * done)) / 2
        return rates

    def override(self, rate: float) -> None:
        """Keep `rate` from now on, because a callback has set it."""
        self.schedule = "constant"
        self.current = rate

    def reduce(self) -> bool:
        """Divide an adaptive rate by 5. Returns False if it cannot be reduced."""
        if self.schedule != "adaptive" or self.current <= _MIN_ADAPTIVE_RATE:
            return False
        self.current /= 5
        return True
