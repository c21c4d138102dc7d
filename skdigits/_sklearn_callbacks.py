"""scikit-learn's own callbacks (`set_callbacks`), which it has from 1.9 on.

They are experimental there, so what they need is kept in this one place. With an
older scikit-learn there is no `set_callbacks`, and nothing here does anything.
"""

import contextlib

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:
        """Stands in for scikit-learn's where it has none."""


class _NoContext:
    """A context without callbacks."""

    def subcontext(self, **settings):
        return self

    def call_on_fit_task_begin(self, **told):
        return self

    def call_on_fit_task_end(self, **told):
        return False

    def propagate_callback_context(self, estimator):
        return contextlib.nullcontext()


def begin_fit(estimator, X, y, sample_weight, max_subtasks):
    """Tell callbacks that a fit begins.

    Returns
    -------
    context : CallbackContext
        To tell them the rest.
    """
    if not hasattr(estimator, "_init_callback_context"):
        return _NoContext()
    context = estimator._init_callback_context(max_subtasks=max_subtasks)
    context.call_on_fit_task_begin(**_told(estimator, X, y, sample_weight))
    return context


def end_fit(context, estimator, X, y, sample_weight):
    """Tell callbacks that a fit has ended."""
    context.call_on_fit_task_end(**_told(estimator, X, y, sample_weight))


def _told(estimator, X, y, sample_weight):
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    return {"estimator": estimator, "X": X, "y": y, "metadata": metadata}


def has_callbacks(estimator):
    """Whether any callback has been set, here or by a search around it."""
    return bool(getattr(estimator, "_skl_callbacks", ()))


class EpochTasks:
    """Tells callbacks of each epoch of a fit.

    Parameters
    ----------
    context : CallbackContext
        Of the fit.
    estimator : DigitMLPClassifier
    X, y, sample_weight : array-like
        As given to `fit`.
    attributes : callable
        Takes what training has made so far (`Trained`); returns the attributes of
        the estimator that would be fitted with it.
    """

    def __init__(self, context, estimator, X, y, sample_weight, attributes):
        self._context = context
        self._attributes = attributes
        self._told = _told(estimator, X, y, sample_weight)
        self._epoch = None

    def begin_epoch(self):
        """Say that an epoch begins."""
        self._epoch = self._context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._told)

    def end_epoch(self, trained):
        """Say that it has ended; whether to stop.

        Parameters
        ----------
        trained : callable
            Gives what training has made so far, for callbacks that look at it.
        """
        return self._epoch.call_on_fit_task_end(
            **self._told,
            reconstruction_attributes=lambda: self._attributes(trained()),
        )
