"""Every private or experimental name of scikit-learn that skdigits uses.

A scikit-learn that renames one of them needs a change here and nowhere else. Among
them are its callbacks (`set_callbacks`), experimental and new in 1.9: with an older
release there is no `set_callbacks`, and `begin_fit` and `EpochReporter` do nothing.
"""

import contextlib

from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing
from sklearn.utils._metadata_requests import _routing_enabled
from sklearn.utils._optional_dependencies import check_pandas_support
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import (
    _check_method_params,
    _check_sample_weight,
    _num_samples,
)

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:
        """In place of scikit-learn's, which has none before 1.9."""


__all__ = [
    "CallbackSupportMixin",
    "EpochReporter",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "_check_method_params",
    "_check_partial_fit_first_call",
    "_check_sample_weight",
    "_fit_context",
    "_num_samples",
    "_routing_enabled",
    "_safe_indexing",
    "_safe_split",
    "begin_fit",
    "check_pandas_support",
    "end_fit",
    "has_callbacks",
    "validate_parameter_constraints",
    "validate_params",
]


def __getattr__(name):
    # On first use: importing sklearn.model_selection takes a while.
    if name in _OF_SEARCHES:
        from sklearn.model_selection import _validation

        return getattr(_validation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_OF_SEARCHES = {
    "_insert_error_scores",
    "_score",
    "_warn_or_raise_about_fit_failures",
}


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


class EpochReporter:
    """Tells callbacks of each epoch of a fit.

    Parameters
    ----------
    context : CallbackContext
        Of the fit.
    estimator : DigitMLPClassifier
    X, y, sample_weight : array-like
        As given to `fit`.
    attributes : callable
        Takes a `TrainingResult`; returns the attributes of an estimator fitted with
        it.
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
