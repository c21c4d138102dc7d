"""Searches spread over workers by joblib's backends."""

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
)

from skdigits import DigitMLPClassifier
from skdigits.model_selection import StackedGridSearchCV

GRID = {"hidden_layer_sizes": [(5, 5), (9, 4), (20, 10)]}


def searches(n_jobs=None):
    estimator = DigitMLPClassifier(max_iter=8, random_state=0, dtype="float64")
    settings = {"cv": 2, "n_jobs": n_jobs, "refit": False}
    return {
        "stacked": StackedGridSearchCV(estimator, GRID, **settings),
        "grid": GridSearchCV(estimator, GRID, **settings),
        "randomized": RandomizedSearchCV(
            estimator, GRID, n_iter=2, random_state=0, **settings
        ),
        "halving": HalvingGridSearchCV(
            estimator, GRID, random_state=0, cv=2, n_jobs=n_jobs
        ),
    }


def scores(search):
    return search.cv_results_["mean_test_score"]


@pytest.fixture(scope="module")
def expected():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    X, y = (X[:400] / 16).astype(np.float32), y[:400]
    return {
        name: scores(search.fit(X, y)) for name, search in searches(n_jobs=1).items()
    }


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("name", ["stacked", "grid", "randomized", "halving"])
def test_joblib_backends(digits, expected, backend, name):
    with joblib.parallel_config(backend=backend):
        search = searches(n_jobs=2)[name].fit(*digits)
    assert_allclose(scores(search), expected[name], atol=1e-12)
