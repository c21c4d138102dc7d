"""scikit-learn's checks of estimators, on each public one."""

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import (
    estimator_checks_generator,
    parametrize_with_checks,
)

from skdigits import DigitMLPClassifier
from skdigits.augmentation import RandomDistortion
from skdigits.images import DigitImageTransformer

pytestmark = [
    # Not every check sets a seed.
    pytest.mark.changes("NumPy's random state"),
    pytest.mark.filterwarnings("ignore:y has a single class"),
]


def name_of(thing):
    return getattr(thing, "__name__", type(thing).__name__)


@parametrize_with_checks([DigitMLPClassifier()])
def test_estimators(estimator, check):
    check(estimator)


# Every other kind of network, solver, learning rate and penalty, for as many epochs as
# the checks need to find them accurate.
CONFIGURED = [
    DigitMLPClassifier(
        hidden_layer_sizes=30,
        activation="tanh",
        solver="sgd",
        alpha=0.01,
        batch_norm=True,
        rescale=0.5,
        learning_rate="adaptive",
        learning_rate_init=0.1,
        max_iter=10,
        tol=0.01,
        dtype="float64",
    ),
    DigitMLPClassifier(
        hidden_layer_sizes=(30, 20, 10),
        activation="logistic",
        solver="adamw",
        label_smoothing=0.1,
        ema=0.9,
        learning_rate="cosine",
        learning_rate_init=0.05,
        max_iter=20,
        tol=0.001,
        dtype="float64",
    ),
]

# Other checks concern the handling of parameters and data, which all of them share.
ABOUT_TRAINING = [
    "check_classifiers_classes",
    "check_classifiers_one_label",
    "check_classifiers_one_label_sample_weights",
    "check_classifiers_train",
    "check_decision_proba_consistency",
    "check_estimator_sparse_array",
    "check_estimators_dtypes",
    "check_estimators_partial_fit_n_features",
    "check_estimators_pickle",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_non_transformer_estimators_n_iter",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ABOUT_TRAINING)
@pytest.mark.parametrize("estimator", CONFIGURED, ids=["sgd", "adamw"])
def test_training_of_configured_estimators(estimator, name):
    checks = [
        check
        for _, check in estimator_checks_generator(estimator)
        if check.func.__name__ == name
    ]
    assert checks
    for check in checks:
        check(estimator)


@pytest.mark.parametrize(
    "estimator", [DigitMLPClassifier(), DigitImageTransformer()], ids=name_of
)
def test_every_parameter_is_validated(estimator):
    estimator_checks.check_param_validation(type(estimator).__name__, estimator)


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_mixin_order,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_set_params,
        estimator_checks.check_valid_tag_types,
    ],
    ids=name_of,
)
@pytest.mark.parametrize(
    "estimator", [DigitImageTransformer(), RandomDistortion()], ids=name_of
)
def test_estimators_that_take_no_rows(estimator, check):
    # One takes a list of images and the other has no fit, which rules out most checks.
    check(type(estimator).__name__, estimator)
