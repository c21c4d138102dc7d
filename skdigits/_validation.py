"""Checks of parameters and data."""

import re
import warnings
from collections.abc import Mapping, Set
from contextlib import suppress
from itertools import islice
from numbers import Integral, Real
from os import PathLike
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import sparray, spmatrix
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from skdigits._sklearn_compat import _check_sample_weight

MatrixLike: TypeAlias = ArrayLike | sparray | spmatrix


_MAX_FUN = 15000  # the default of MLPClassifier
_FEW_ROWS = 1000  # enough to see the range of the pixels


def check_lbfgs(solver: Any, max_fun: int) -> None:
    """Raise if parameters ask for the solver 'lbfgs' of MLPClassifier."""
    if isinstance(solver, str) and solver == "lbfgs":
        raise ValueError(
            "solver='lbfgs' is not available, because Keras has no L-BFGS. Use "
            "solver='adam' (the default), on few rows with a larger max_iter, or "
            "MLPClassifier."
        )
    if max_fun != _MAX_FUN:
        raise ValueError(
            "max_fun limits MLPClassifier's solver 'lbfgs', which is not available. "
            f"Got max_fun={max_fun} instead of its default, {_MAX_FUN}. Leave it out, "
            "and limit training by max_iter."
        )


def check_hidden_layer_sizes(sizes: Any) -> tuple[int, ...]:
    """Hidden layer sizes as a tuple of int."""
    listed = _without_0d(sizes)
    listed = [listed] if isinstance(listed, Integral) else listed
    ordered = isinstance(listed, list | tuple | range | np.ndarray)
    if not ordered or not all(_is_positive_int(size) for size in listed):
        raise ValueError(
            "hidden_layer_sizes must be a positive int, or a sequence with one "
            f"positive int per hidden layer. Got {sizes!r} instead."
        )
    return tuple(int(size) for size in listed)


def _is_positive_int(size: Any) -> bool:
    return isinstance(size, Integral) and not isinstance(size, bool) and size > 0


def check_dropout(dropout: Any, n_hidden: int) -> tuple[float, ...]:
    """Dropout rates of the input and of each hidden layer."""
    rates = _without_0d(dropout)
    if isinstance(rates, Real):
        rates = [0.0, *[rates] * n_hidden]
    if (
        isinstance(rates, Set | Mapping)  # which have no order
        or len(rates) != n_hidden + 1
        or not all(isinstance(rate, Real) and 0 <= rate < 1 for rate in rates)
    ):
        raise ValueError(
            "dropout must be a number in [0, 1), or such a number for the input "
            f"and each of the {n_hidden} hidden layers, {n_hidden + 1} in all. "
            f"Got {dropout!r} instead."
        )
    return tuple(float(rate) for rate in rates)


def _without_0d(value: Any) -> Any:
    """The scalar of a 0-d array; any other value unchanged."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


_ROWS = "X must have one row of pixels per image."
_READING = (
    "Use skdigits.images.read_digits(image) to read the digits of an image, or "
    "skdigits.images.normalize_digit(image).reshape(1, -1) for the row of an image of "
    "a single digit."
)
_CSV = (
    "Convert numbers read from a CSV file with np.asarray(X, dtype=float), without the "
    "header of the file."
)
# What to do, by words of scikit-learn's errors.
_ADVICE = {
    "got 1D array": f"{_ROWS} Reshape your data with X.reshape(1, -1) if it is a "
    "single image.",
    "Found array with dim": f"{_ROWS} Turn images into rows with "
    f"X.reshape(len(X), -1). {_READING}",
    "is expecting": f"{_ROWS} Reshape a single image with X.reshape(1, -1). {_READING}",
    "contains NaN": "Replace it, for example with np.nan_to_num, or drop such rows. In "
    "rows of a CSV file, NaN may be its header: skip that.",
    "bytes/strings": _CSV,
    "could not convert string to float": _CSV,
}


def check_images(estimator: Any, X: Any, *y: Any, reset: bool) -> Any:
    """Validate rows of pixels and labels, if passed, as scikit-learn does."""
    _check_not_image(X)
    for name, values in zip("Xy", (X, *y), strict=False):
        if np.ma.is_masked(values):  # scikit-learn would use the masked values
            raise ValueError(
                f"{name} has masked values. Expected an array without them. Fill "
                f"them, for example with {name}.filled(0), or drop such rows."
            )
    for labels in y:
        check_targets("y", labels)
    try:
        return validate_data(estimator, X, *y, accept_sparse="csr", reset=reset)
    except ValueError as error:
        problem = re.split("\n|Convert", str(error))[0].rstrip(".:")
        for words, advice in _ADVICE.items():
            if words in problem:
                raise ValueError(f"{problem}. {advice}") from error
        raise


def _check_not_image(X: Any) -> None:
    """Raise if X is a path or an image of Pillow, or a list of them."""
    if hasattr(X, "shape"):
        return
    first = X[0] if isinstance(X, list | tuple) and X else X
    if isinstance(first, str | bytes | PathLike) or hasattr(first, "getbands"):
        raise ValueError(f"{_ROWS} Got {first!r} instead. {_READING}")


def check_targets(name: str, labels: Any) -> None:
    """Raise if there is not one label per row."""
    if not hasattr(labels, "shape"):  # sparse matrices have one
        with suppress(ValueError):  # scikit-learn's checks raise the error
            labels = np.asarray(labels)
    shape: tuple[int, ...] = getattr(labels, "shape", ())
    if len(shape) == 2 and shape[1] > 1:
        raise ValueError(
            f"{name} should be a 1d array, got an array of shape {shape} instead. "
            f"Convert one-hot rows to labels with {name}.argmax(axis=1). Several "
            "labels per row are not supported."
        )
    check_labels(name, labels)


def check_labels(name: str, labels: Any) -> None:
    """Raise if labels are neither numbers, strings nor booleans.

    scikit-learn accepts some other types and reports others as continuous.
    """
    try:
        labels = np.asarray(labels)
    except ValueError:
        return  # not an array: scikit-learn's checks raise the error
    if labels.ndim == 0 or labels.size == 0:
        return
    got = []
    if labels.dtype.kind == "O":
        objects = (label for label in labels.flat if not isinstance(label, str))
        got = [f"an object array with {label!r}" for label in islice(objects, 1)]
    elif labels.dtype.kind not in "biufUS":  # scikit-learn raises an error for bytes
        got = [f"dtype {labels.dtype}"]
    if got:
        is_complex = labels.dtype.kind == "c"
        problem = "Complex data not supported" if is_complex else "Unknown label type"
        raise ValueError(
            f"{problem}: {name} must hold real numbers, strings or booleans. Got "
            f"{got[0]} instead. Convert the labels, for example with "
            f"np.asarray({name}).astype(int) or .astype(str)."
        )


def check_training_data(
    estimator: Any, X: Any, y: Any, sample_weight: Any, *, reset: bool
) -> tuple[Any, Any, Any]:
    """Validate the rows, labels and weights of a training set."""
    X, y = check_images(estimator, X, y, reset=reset)
    weight = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    if not weight.any():
        raise ValueError(
            "sample_weight must have at least one positive weight. Got "
            f"{len(weight)} weights that are all 0 instead."
        )
    _check_scale(estimator, X)
    return X, y, weight


def check_known(y: Any, classes: Any) -> None:
    """Raise if labels are not among those of the first call of `partial_fit`."""
    unknown = np.setdiff1d(y, classes)
    if unknown.size:
        check_classification_targets(y)
        raise ValueError(
            f"`y` has classes not in `self.classes_`: {unknown}. Expected labels out "
            f"of {classes}. Name all of them in `classes` in the first call to "
            "partial_fit."
        )


def _check_scale(estimator: Any, X: Any) -> None:
    """Warn of pixels of 0 to 255, on which training is less accurate."""
    if estimator.rescale is not None or estimator.batch_norm:
        return
    first = X[:_FEW_ROWS]
    if 128 <= first.max() <= 255 and first.min() >= 0:
        warnings.warn(
            f"X has values from {first.min():g} to {first.max():g}. Training is more "
            f"accurate on values from 0 to 1: use "
            f"{type(estimator).__name__}(rescale=1 / 255).",
            UserWarning,
            stacklevel=2,
        )


def check_validation_data(
    estimator: Any, X_val: Any, y_val: Any
) -> tuple[Any, Any] | None:
    """Validation rows as (X, class indices), or None if there are none."""
    if X_val is None and y_val is None:
        return None
    if X_val is None or y_val is None:
        raise ValueError(
            "X_val and y_val must be passed together. Got only "
            f"{'y_val' if X_val is None else 'X_val'} instead."
        )
    check_targets("y_val", y_val)
    X_val, y_val = check_images(estimator, X_val, y_val, reset=False)
    y_val = column_or_1d(y_val, warn=True)
    classes = estimator.classes_
    unknown = np.setdiff1d(y_val, classes)
    if unknown.size:
        raise ValueError(
            f"y_val must have labels of y, {classes}. Got {unknown} as well. Drop the "
            "rows with these labels."
        )
    return X_val, np.searchsorted(classes, y_val)


def check_classes(classes: Any, n_classes: int) -> Any:
    """Labels of the outputs of a network, by default 0, 1, 2 and so on."""
    labels = np.arange(n_classes) if classes is None else np.asarray(classes)
    check_labels("classes", labels)
    if (
        labels.shape != (n_classes,)
        or len(np.unique(labels)) != n_classes
        or (labels.dtype.kind == "f" and not np.isfinite(labels).all())
    ):
        raise ValueError(
            f"classes must be {n_classes} different labels, one for each output of "
            f"the model. Got {classes!r} instead."
        )
    return labels


def check_alpha(alpha: float, weight: Any, rows: Any, dtype: str) -> None:
    """Raise if `alpha` divided by the mean weight of a row overflows."""
    mean = (weight if rows is None else weight[rows]).mean()
    if float(alpha) / float(np.finfo(dtype).max) > mean:
        raise ValueError(
            f"alpha divided by the mean weight of the rows must be finite in {dtype}. "
            f"Got alpha={alpha:g} and a mean weight of {mean:g} instead. Use a smaller "
            "alpha, or scale sample_weight and class_weight to a mean of about 1."
        )
