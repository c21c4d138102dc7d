"""What is decided between epochs: the learning rate, and whether to go on."""

import numpy as np

# Below this, "adaptive" gives up rather than divide again (scikit-learn's value).
_LOWEST_ADAPTIVE_RATE = 1e-6


class LearningRate:
    """Learning rate over the epochs of a fit.

    Parameters
    ----------
    schedule : {"constant", "cosine", "adaptive"}
    initial : float
    max_iter : int
        Epochs over which "cosine" falls to zero.
    """

    def __init__(self, schedule, initial, max_iter):
        self.schedule = schedule
        self.current = initial
        self._max_iter = max_iter

    def over_epoch(self, epoch, n_steps):
        """Learning rate of each step of an epoch, counted from 0."""
        if self.schedule == "cosine":
            done = (epoch + np.arange(n_steps) / n_steps) / self._max_iter
            return self.current * (1 + np.cos(np.pi * done)) / 2
        return np.full(n_steps, self.current)

    def override(self, rate):
        """Stay at `rate` from now on, as a callback asks for."""
        self.schedule = "constant"
        self.current = rate

    def reduce(self):
        """Divide an adaptive rate by 5; False where there is nothing to reduce."""
        if self.schedule != "adaptive" or self.current <= _LOWEST_ADAPTIVE_RATE:
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
