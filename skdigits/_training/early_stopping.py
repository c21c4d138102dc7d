"""When training stops early."""


class StoppingRule:
    """scikit-learn's rule for a loss or a score that stopped improving.

    Parameters
    ----------
    tol : float
        Minimum improvement.
    n_iter_no_change : int or inf
        Maximum number of consecutive epochs without improvement.
    best : float
        Best value so far. Higher is better; losses are passed negated.
    count : int
        Number of epochs without improvement so far.
    """

    def __init__(
        self, tol: float, n_iter_no_change: float, best: float, count: int
    ) -> None:
        self._tol = tol
        self._n_iter_no_change = n_iter_no_change
        self._best = best
        self.count = count

    def update(self, value: float) -> bool:
        """Record the value of an epoch. Returns True if training must stop."""
        self.count = self.count + 1 if value < self._best + self._tol else 0
        self._best = max(self._best, value)
        return self.count > self._n_iter_no_change
