"""Every private or experimental name of scikit-learn that skdigits uses.

A scikit-learn that renames one of them needs a change here and nowhere else. Among
them are its callbacks (`set_callbacks`), experimental and new in 1.9: with an older
release there is no `set_callbacks`, and `begin_fit` and `EpochReporter` do nothing.
"""

import contextlib
from collections.abc import Callable
from typing import Any

from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing
from sklearn.utils._optional_dependencies import check_pandas_support
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import _check_sample_weight

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """In place of scikit-learn's, which has none before 1.9."""


__all__ = [
    "CallbackSupportMixin",
    "DocLinkMixin",
    "EpochReporter",
    "HasMethods",
    "Hidden",
    "Interval",
    "Options",
    "StrOptions",
    "_check_partial_fit_first_call",
    "_check_sample_weight",
    "_fit_context",
    "_safe_indexing",
    "begin_fit",
    "check_pandas_support",
    "end_fit",
    "has_callbacks",
    "validate_parameter_constraints",
    "validate_params",
]


class DocLinkMixin:
    """Lets the HTML representation of an estimator link to its page in our API."""

    _doc_link_module = "skdigits"
    _doc_link_template = (
        "https://skdigits.github.io/skdigits/api/"
        "{estimator_module}.{estimator_name}.html"
    )


class _NoContext:
    """A context without callbacks."""

    def subcontext(self, **settings: Any) -> "_NoContext":
        return self

    def call_on_fit_task_begin(self, **kwargs: Any) -> "_NoContext":
        return self

    def call_on_fit_task_end(self, **kwargs: Any) -> bool:
        return False

    def propagate_callback_context(self, estimator: Any) -> Any:
        return contextlib.nullcontext()


def begin_fit(
    estimator: Any, X: Any, y: Any, sample_weight: Any, max_subtasks: int
) -> Any:
    """Notify callbacks of the beginning of a fit.

    Returns
    -------
    context : CallbackContext
        Context for further notifications.
    """
    if not hasattr(estimator, "_init_callback_context"):
        return _NoContext()
    context = estimator._init_callback_context(max_subtasks=max_subtasks)
    context.call_on_fit_task_begin(**_arguments(estimator, X, y, sample_weight))
    return context


def end_fit(context: Any, estimator: Any, X: Any, y: Any, sample_weight: Any) -> None:
    """Notify callbacks of the end of a fit."""
    context.call_on_fit_task_end(**_arguments(estimator, X, y, sample_weight))


def _arguments(estimator: Any, X: Any, y: Any, sample_weight: Any) -> dict[str, Any]:
    metadata = None if sample_weight is None else {"sample_weight": sample_weight}
    return {"estimator": estimator, "X": X, "y": y, "metadata": metadata}


def has_callbacks(estimator: Any) -> bool:
    """Whether callbacks have been set on the estimator or on a search around it."""
    return bool(getattr(estimator, "_skl_callbacks", ()))


class EpochReporter:
    """Notifies scikit-learn's callbacks of each epoch of a fit.

    Parameters
    ----------
    context : CallbackContext
        Context of the fit.
    estimator : DigitMLPClassifier
    X, y, sample_weight : array-like
        Arguments of `fit`.
    attributes : callable
        Takes a `TrainingResult`; returns the attributes of an estimator fitted with
        it.
    """

    def __init__(
        self,
        context: Any,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        attributes: Callable[[Any], dict[str, Any]],
    ) -> None:
        self._context = context
        self._attributes = attributes
        self._kwargs = _arguments(estimator, X, y, sample_weight)
        self._epoch: Any = None

    def begin_epoch(self) -> None:
        """Notify callbacks of the beginning of an epoch."""
        self._epoch = self._context.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._kwargs)

    def end_epoch(self, current_result: Callable[[], Any]) -> bool:
        """Notify callbacks of the end of the epoch; return whether to stop.

        Parameters
        ----------
        current_result : callable
            Returns the `TrainingResult` so far, for callbacks that use it.
        """
        return bool(
            self._epoch.call_on_fit_task_end(
                **self._kwargs,
                reconstruction_attributes=lambda: self._attributes(current_result()),
            )
        )
