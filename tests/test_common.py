"""scikit-learn's checks of estimators."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import (
    check_estimator,
    check_param_validation,
    parametrize_with_checks,
)

from skdigits import DigitMLPClassifier


def test_check_estimator_at_the_defaults():
    check_estimator(DigitMLPClassifier(), on_skip=None)


CONFIGURED = [
    DigitMLPClassifier(
        hidden_layer_sizes=(30,),
        activation="tanh",
        solver="sgd",
        learning_rate="adaptive",
        learning_rate_init=0.05,
        batch_size=200,
        dtype="float64",
    ),
    DigitMLPClassifier(
        hidden_layer_sizes=(30, 20),
        batch_norm=True,
        ema=0.9,
        learning_rate_init=0.01,
        dtype="float64",
    ),
    DigitMLPClassifier(
        hidden_layer_sizes=(30, 20, 10),
        activation="logistic",
        solver="adamw",
        learning_rate="cosine",
        learning_rate_init=0.02,
        dtype="float64",
    ),
    DigitMLPClassifier(
        hidden_layer_sizes=30,
        label_smoothing=0.1,
        alpha=0.01,
        rescale=0.5,
        learning_rate_init=0.01,
        tol=1e-9,
        n_iter_no_change=np.inf,
    ),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks(CONFIGURED)
def test_configured_estimators(estimator, check):
    check(estimator)


def test_every_parameter_is_validated():
    check_param_validation("DigitMLPClassifier", DigitMLPClassifier())
