"""scikit-learn's own tests of MLPClassifier, run on DigitMLPClassifier.

The functions are scikit-learn's; only the class that they look up is replaced, by
one with MLPClassifier's defaults, so that the same arguments mean the same. What is
left out, and why, is in LEFT_OUT.
"""

import inspect
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier
from sklearn.neural_network.tests import test_mlp

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
    theirs = MLPClassifier().get_params()
    shared = {name: theirs[name] for name in theirs.keys() & ours.keys()}
    shared["batch_size"] = 200  # which "auto" is at most
    if params.get("learning_rate") == "adaptive":
        shared["callbacks"] = [RateRecorder()]
    return Swapped(**shared | params)


ours = DigitMLPClassifier().get_params()

RUN = {
    "test_adaptive_learning_rate": [{}],
    "test_alpha": [{}],
    "test_early_stopping": [{"MLPEstimator": swapped}],
    "test_mlp_classifier_dtypes_casting": [{}],
    "test_mlp_early_stopping_string_labels": [{}],
    "test_mlp_param_dtypes": [
        {"dtype": np.float32, "Estimator": swapped},
        {"dtype": np.float64, "Estimator": swapped},
    ],
    "test_mlp_partial_fit_after_fit": [{"MLPEstimator": swapped}],
    "test_mlp_warm_start_no_convergence": [
        {"MLPEstimator": swapped, "solver": "sgd"},
        {"MLPEstimator": swapped, "solver": "adam"},
    ],
    "test_mlp_warm_start_with_early_stopping": [{"MLPEstimator": swapped}],
    "test_n_iter_no_change": [{}],
    "test_partial_fit_classes_error": [{}],
    "test_partial_fit_classification": [{}],
    "test_partial_fit_unseen_classes": [{}],
    "test_predict_proba_binary": [{}],
    "test_predict_proba_multiclass": [{}],
    "test_preserve_feature_names": [{"Estimator": swapped}],
    "test_tolerance": [{}],
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
        "sets MLPClassifier's private state and `momentum`, which is part of a Keras "
        "optimizer here; test_training.py works the same example with one"
    ),
    "test_gradient": LBFGS,
    "test_lbfgs_classification": LBFGS,
    "test_lbfgs_classification_maxfun": LBFGS,
    "test_lbfgs_regression": LBFGS,
    "test_lbfgs_regression_maxfun": LBFGS,
    "test_learning_rate_warmstart": "needs learning_rate='invscaling' and `power_t`",
    "test_minimum_input_sample_size": REGRESSION,
    "test_mlp_diverging_loss": REGRESSION,
    "test_mlp_loading_from_joblib_partial_fit": REGRESSION,
    "test_mlp_regressor_dtypes_casting": REGRESSION,
    "test_mlp_sample_weight_with_early_stopping": REGRESSION,
    "test_mlp_vs_poisson_glm_equivalent": REGRESSION,
    "test_multilabel_classification": "is about multilabel targets",
    "test_multioutput_regression": REGRESSION,
    "test_n_iter_no_change_inf": (
        "trains 3000 epochs; test_classifier.py has the same with few"
    ),
    "test_nonfinite_params": REGRESSION,
    "test_partial_fit_errors": "its second half " + LBFGS,
    "test_partial_fit_regression": REGRESSION,
    "test_predict_proba_multilabel": "is about multilabel targets",
    "test_shuffle": REGRESSION,
    "test_sparse_matrices": LBFGS,
    "test_verbose_sgd": "expects printed lines; verbose is a progress bar here",
    "test_warm_start": LBFGS,
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
    getattr(test_mlp, name)(**arguments)


def test_every_test_is_run_or_left_out_with_a_reason():
    theirs = {
        name
        for name, function in vars(test_mlp).items()
        if name.startswith("test_") and inspect.isfunction(function)
    }
    assert not RUN.keys() & LEFT_OUT.keys()
    assert theirs <= RUN.keys() | LEFT_OUT.keys()
