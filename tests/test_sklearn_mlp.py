"""scikit-learn's own tests of MLPClassifier, run on DigitMLPClassifier.

The functions are scikit-learn's; only the classes that they look up are replaced, by
one with MLPClassifier's defaults, so that the same arguments mean the same. Tests of a
regressor run on a classifier of the sign of the target. What is left out, and why, is
in LEFT_OUT.
"""

import inspect
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from sklearn.neural_network.tests import test_mlp
from threadpoolctl import threadpool_limits

from skdigits import DigitMLPClassifier

# Not every test of scikit-learn's sets a seed.
pytestmark = pytest.mark.changes("NumPy's random state")


class RateRecorder(keras.callbacks.Callback):
    """Notes the learning rate after each epoch."""

    def on_epoch_end(self, epoch, logs=None):
        self.rate = float(self.model.optimizer.learning_rate.numpy())


class Swapped(DigitMLPClassifier):
    """Shows, from public attributes, what the tests look up under private names."""

    @property
    def _no_improvement_count(self):
        count, best = 0, np.inf
        for loss in self.loss_curve_:
            count = count + 1 if loss > best - self.tol else 0
            best = min(best, loss)
        return count

    @property
    def _optimizer(self):
        return SimpleNamespace(learning_rate=self.callbacks[0].rate)


def swapped(**params):
    """A classifier with MLPClassifier's defaults, and 'adam' instead of 'lbfgs'."""
    params = MLPClassifier().get_params() | params
    if params["solver"] == "lbfgs":
        params |= {"solver": "adam", "learning_rate_init": 0.01}
    if params["learning_rate"] == "adaptive":
        params["callbacks"] = [RateRecorder()]
    return Swapped(**params)


class SwappedRegressor(Swapped):
    """In place of a regressor: predicts whether a target is positive."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, np.asarray(y) > 0, sample_weight)

    def partial_fit(self, X, y, sample_weight=None):
        return super().partial_fit(X, np.asarray(y) > 0, [False, True], sample_weight)

    def score(self, X, y):
        return super().score(X, np.asarray(y) > 0)


def swapped_regressor(**params):
    return SwappedRegressor(**MLPClassifier().get_params() | params)


RUN = {
    "test_adaptive_learning_rate": [{}],
    "test_alpha": [{}],
    "test_early_stopping": [{"MLPEstimator": swapped}],
    "test_lbfgs_classification": [
        {"X": X, "y": y} for X, y in test_mlp.classification_datasets
    ],
    "test_mlp_classifier_dtypes_casting": [{}],
    "test_mlp_early_stopping_string_labels": [{}],
    "test_mlp_param_dtypes": [
        {"dtype": np.float32, "Estimator": swapped},
        {"dtype": np.float64, "Estimator": swapped},
    ],
    "test_mlp_partial_fit_after_fit": [{"MLPEstimator": swapped}],
    "test_mlp_sample_weight_with_early_stopping": [{}],
    "test_mlp_warm_start_no_convergence": [
        {"MLPEstimator": swapped, "solver": "sgd"},
        {"MLPEstimator": swapped, "solver": "adam"},
    ],
    "test_mlp_warm_start_with_early_stopping": [{"MLPEstimator": swapped}],
    "test_n_iter_no_change": [{}],
    "test_partial_fit_classes_error": [{}],
    "test_partial_fit_classification": [{}],
    "test_partial_fit_regression": [{}],
    "test_partial_fit_unseen_classes": [{}],
    "test_predict_proba_binary": [{}],
    "test_predict_proba_multiclass": [{}],
    "test_shuffle": [{}],
    "test_sparse_matrices": [{"csr_container": csr_array}],
    "test_tolerance": [{}],
    "test_warm_start": [{}],
    "test_warm_start_full_iteration": [{"MLPEstimator": swapped}],
}

REGRESSION = "is about a regressor"
LBFGS = "needs the solver 'lbfgs'"
LEFT_OUT = {
    "test_early_stopping_stratified": (
        "expects the message to quote MLPClassifier's internal label 'True'; ours "
        "names the label of y, see test_bad_input.py"
    ),
    "test_fit": (
        "sets MLPClassifier's private state; test_training.py works the same example "
        "from public parameters"
    ),
    "test_gradient": LBFGS,
    "test_lbfgs_classification_maxfun": LBFGS,
    "test_lbfgs_regression": LBFGS,
    "test_lbfgs_regression_maxfun": LBFGS,
    "test_learning_rate_warmstart": (
        "reads the rate of the epoch to come; test_classifier.py compares the rates "
        "of 'invscaling' with the same formula"
    ),
    "test_minimum_input_sample_size": (
        "splits two rows without classes; test_bad_input.py has the same message"
    ),
    "test_mlp_loading_from_joblib_partial_fit": (
        "changes a target that is a number; test_saved_models.py trains a loaded one"
    ),
    "test_mlp_diverging_loss": (
        "expects a score of NaN; ours raises an error, see test_bad_input.py"
    ),
    "test_mlp_regressor_dtypes_casting": REGRESSION,
    "test_mlp_vs_poisson_glm_equivalent": REGRESSION,
    "test_multilabel_classification": "is about multilabel targets",
    "test_multioutput_regression": REGRESSION,
    "test_n_iter_no_change_inf": (
        "trains 3000 epochs; test_classifier.py has the same with few"
    ),
    "test_nonfinite_params": "expects another message, see test_bad_input.py",
    "test_partial_fit_errors": "its second half " + LBFGS,
    "test_predict_proba_multilabel": "is about multilabel targets",
    "test_verbose_sgd": "expects printed lines; verbose is a progress bar here",
    "test_preserve_feature_names": (
        "fits a single class without a warning, where ours warns; see "
        "test_integration.py"
    ),
}

CASES = [
    pytest.param(name, arguments, id=f"{name}-{number}" if number else name)
    for name, variants in RUN.items()
    for number, arguments in enumerate(variants)
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_holds_for_digit_mlp_classifier(name, arguments, monkeypatch):
    if not hasattr(test_mlp, name):
        pytest.skip("not in this version of scikit-learn")
    monkeypatch.setattr(test_mlp, "MLPClassifier", swapped)
    monkeypatch.setattr(test_mlp, "MLPRegressor", swapped_regressor)
    getattr(test_mlp, name)(**arguments)


def test_every_test_is_run_or_left_out_with_a_reason():
    theirs = {
        name
        for name, function in vars(test_mlp).items()
        if name.startswith("test_") and inspect.isfunction(function)
    }
    assert not RUN.keys() & LEFT_OUT.keys()
    assert theirs <= RUN.keys() | LEFT_OUT.keys()


def layers(clf):
    return [*clf.coefs_, *clf.intercepts_]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"alpha": 1.0, "activation": "logistic", "beta_2": 0.99},
        {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5},
        {"solver": "sgd", "momentum": 0.5, "nesterovs_momentum": False, "alpha": 1.0},
    ],
    ids=["adam", "adam with numbers", "sgd invscaling", "sgd classical momentum"],
)
def test_get_params_of_mlp_classifier_give_its_network(changes):
    X, y = load_digits(return_X_y=True)
    X, y = X[:450] / 16, y[:450]  # batches of 200, 200 and 50 rows
    mlp = MLPClassifier(
        20, max_iter=1, shuffle=False, warm_start=True, random_state=0, **changes
    )
    params = mlp.get_params() | {"warm_start": False}
    start = DigitMLPClassifier(**params | {"learning_rate_init": 1e-30}).fit(X, y)
    clf = DigitMLPClassifier(**params | {"max_iter": 10}).fit(X, y)
    with threadpool_limits(1):  # its threads wait for each other on a busy machine
        mlp.fit(X, y)
        # Both start from our initial weights, so that only the training is compared.
        for array, initial in zip(layers(mlp), layers(start), strict=True):
            array[:] = initial
        mlp.t_, mlp.loss_curve_ = 0, []
        mlp.set_params(max_iter=10).fit(X, y)
    np.testing.assert_allclose(clf.loss_curve_, mlp.loss_curve_, rtol=1e-4)
    for ours, theirs in zip(layers(clf), layers(mlp), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert clf.score(X, y) == pytest.approx(mlp.score(X, y), abs=0.005)
