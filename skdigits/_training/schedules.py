"""What is decided between epochs: the learning rate, and whether to go on."""

import numpy as np

# From here on, as a part of all epochs, what falls at the end of a training does.
_FALL = 0.75

# Below this, "adaptive" gives up rather than divide again (scikit-learn's value).
_MIN_ADAPTIVE_RATE = 1e-6


def decay_fraction(done):
    """How much of the fall at the end is over, where that much of training is."""
    return np.maximum(done - _FALL, 0) / (1 - _FALL)


class LearningRate:
    """Learning rate over the epochs of a fit.

    Parameters
    ----------
    schedule : {"constant", "cosine", "flat_cosine", "adaptive"}
    initial : float
    max_iter : int
        Epochs at whose end "cosine" and "flat_cosine" have fallen to zero.
    """

    def __init__(self, schedule, initial, max_iter):
        self.schedule = schedule
        self.current = initial
        self._max_iter = max_iter

    @property
    def follows_epochs(self):
        """Whether the number of the epoch decides the rate."""
        return self.schedule in ("cosine", "flat_cosine")

    def over_epoch(self, epoch, n_steps):
        """Learning rate of each step of an epoch, counted from 0."""
        if not self.follows_epochs:
            return np.full(n_steps, self.current)
        done = (epoch + np.arange(n_steps) / n_steps) / self._max_iter
        if self.schedule == "flat_cosine":
            done = decay_fraction(done)
        return self.current * (1 + np.cos(np.pi * done)) / 2

    def override(self, rate):
        """Stay at `rate` from now on, as a callback asks for."""
        self.schedule = "constant"
        self.current = rate

    def reduce(self):
        """Divide an adaptive rate by 5; False where there is nothing to reduce."""
        if self.schedule != "adaptive" or self.current <= _MIN_ADAPTIVE_RATE:
            return False
        self.current /= 5
        return True


class StoppingRule:
    """scikit-learn's rule for when a loss or a score no longer improves.

    Parameters
    ----------
    tol : float
        Improvement that counts.
    n_iter_no_change : int or inf
        Epochs in a row without one that are tolerated.
    best : float
        Best value so far: of a score, higher is better; a loss is passed negated.
    count : int
        Epochs without improvement so far.
    """

    def __init__(self, tol, n_iter_no_change, best, count):
        self._tol = tol
        self._n_iter_no_change = n_iter_no_change
        self._best = best
        self.count = count

    def update(self, value):
        """Take the value of an epoch; True where patience has run out."""
        self.count = self.count + 1 if value < self._best + self._tol else 0
        self._best = max(self._best, value)
        return self.count > self._n_iter_no_change
