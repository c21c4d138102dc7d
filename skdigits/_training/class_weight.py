"""Sample weights from `class_weight` and `sample_weight`."""

import sys
from numbers import Real
from typing import Any

import numpy as np

from skdigits._network import Array


def row_weights(class_weight: Any, classes: Array, y: Array, weight: Array) -> Array:
    """Sample weights multiplied with class weights."""
    with np.errstate(all="ignore"):
        product = weight * _class_weights(class_weight, classes, y, weight)[y]
        total = product.sum()
    if not 0 < total < np.inf:
        problem = "are all 0" if total == 0 else f"add up to {total}"
        raise ValueError(
            "The weights of the rows, sample_weight times class_weight, must add up to "
            f"a positive, finite number. Got weights that {problem} instead. Drop rows "
            "of weight 0, and scale the weights to a mean of about 1."
        )
    return product


def _class_weights(class_weight: Any, classes: Array, y: Array, weight: Array) -> Array:
    """Weight of each class; "balanced" gives every class the same total."""
    if class_weight is None:
        return np.ones(len(classes))
    if isinstance(class_weight, dict):
        return _listed_class_weights(class_weight, classes)
    totals = np.bincount(y, weights=weight, minlength=len(classes))
    present = totals > 0
    balanced = np.zeros(len(classes))
    balanced[present] = totals.sum() / (present.sum() * totals[present])
    return balanced


def _listed_class_weights(class_weight: Any, classes: Array) -> Array:
    labels = classes.tolist()
    weights = [class_weight.get(label, 1.0) for label in labels]
    valid = (
        all(label in labels for label in class_weight)
        and all(isinstance(weight, Real) for weight in weights)
        and all(0 <= weight <= sys.float_info.max for weight in weights)  # not NaN
        and any(weights)
    )
    if not valid:
        raise ValueError(
            f"class_weight must map labels of {labels} to finite weights >= 0, "
            f"at least one of them positive. Got {class_weight} instead."
        )
    return np.array(weights, dtype=float)
