"""What DigitMLPClassifier refuses: the error says what is wrong, nothing changes."""

import contextlib
import copy
import pickle
import re
import signal

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import check_param_validation

from skdigits import DigitMLPClassifier
from skdigits.augmentation._random_distortion import RandomDistortion

# Keras draws the seeds of a model's layers.
pytestmark = pytest.mark.changes("Python's random state")


METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function"]


def quick(**params):
    return DigitMLPClassifier(
        **{"max_iter": 2, "learning_rate_init": 0.02, "random_state": 0, **params}
    )


@pytest.fixture(scope="module")
def fitted(digits):
    """Fitted; tests that may change it take a copy."""
    return quick().fit(*digits)


def fitted_part(clf):
    params = clf.get_params(deep=False)
    return {name: value for name, value in vars(clf).items() if name not in params}


@contextlib.contextmanager
def unchanged(clf):
    """Hold that a block leaves every attribute, and what is in it, as it was."""
    before, content = vars(clf).copy(), joblib.hash(fitted_part(clf))
    yield
    assert vars(clf).keys() == before.keys()
    for name, value in before.items():
        assert vars(clf)[name] is value, name
    assert joblib.hash(fitted_part(clf)) == content


def test_unchanged_would_notice(fitted):
    clf = copy.deepcopy(fitted)
    with pytest.raises(AssertionError, match="extra_"), unchanged(clf):
        clf.extra_ = 1
    clf = copy.deepcopy(fitted)
    with pytest.raises(AssertionError, match="n_iter_"), unchanged(clf):
        clf.n_iter_ = 3
    with pytest.raises(AssertionError, match="assert"), unchanged(clf):
        clf.coefs_[0][3, 3] += 1


# Data


def spoiled(array, value, dtype=None):
    array = np.array(array, dtype=dtype)
    array[(5,) * array.ndim] = value
    return array


def ones_but(value, n=400):
    return spoiled(np.ones(n), value)


# What is wrong, how arguments of fit are made of good X and y, what the error says.
BAD_DATA = {
    "X with NaN": (lambda X, y: (spoiled(X, np.nan), y), "Input X contains NaN"),
    "X with infinity": (
        lambda X, y: (spoiled(X, np.inf), y),
        "Input X contains infinity",
    ),
    "sparse X with NaN": (
        lambda X, y: (sp.csr_matrix(spoiled(X, np.nan)), y),
        "Input X contains NaN",
    ),
    "X without rows": (lambda X, y: (X[:0], y[:0]), r"0 sample\(s\)"),
    "X without columns": (lambda X, y: (X[:, :0], y), r"0 feature\(s\)"),
    "X with one dimension": (lambda X, y: (X[:, 0], y), "Expected 2D array, got 1D"),
    "X as images": (lambda X, y: (X.reshape(-1, 8, 8), y), "Found array with dim 3"),
    "complex X": (lambda X, y: (X + 1j, y), "Complex data not supported"),
    "X of strings": (
        lambda X, y: (X.astype(str), y),
        "dtype='numeric' is not compatible with arrays of bytes/strings",
    ),
    "X of words": (
        lambda X, y: (np.full(X.shape, "ink", dtype=object), y),
        "could not convert string to float: 'ink'",
    ),
    "X shorter than y": (lambda X, y: (X[:-1], y), "inconsistent numbers of samples"),
    "no y": (lambda X, y: (X, None), "requires y to be passed"),
    "y with NaN": (lambda X, y: (X, spoiled(y, np.nan, float)), "Input y contains NaN"),
    "y with infinity": (
        lambda X, y: (X, spoiled(y, np.inf, float)),
        "Input y contains infinity",
    ),
    "continuous y": (lambda X, y: (X, y + 0.5), "Unknown label type: continuous"),
    "mixed y": (lambda X, y: (X, spoiled(y, "five", object)), "Unknown label type"),
    "object y of int": (
        lambda X, y: (X, y.astype(object)),
        r"y must hold real numbers, .* Got an object array with 0 .*astype\(int\)",
    ),
    "object y with None": (
        lambda X, y: (X, spoiled(y.astype(str), None, object)),
        "y must hold real numbers, strings or booleans. Got an object array with None",
    ),
    **{
        f"y of dtype {dtype}": (
            lambda X, y, dtype=dtype: (X, y.astype(dtype)),
            re.escape(f"strings or booleans. Got dtype {np.dtype(dtype)} instead"),
        )
        for dtype in [
            "datetime64[D]",
            "timedelta64[s]",
            "complex128",
            [("digit", int)],
            *([np.dtypes.StringDType()] if hasattr(np.dtypes, "StringDType") else []),
        ]
    },
    "one-hot y": (
        lambda X, y: (X, np.eye(10)[y]),
        r"y should be a 1d array, got an array of shape \(400, 10\) instead. "
        r"Convert one-hot rows to labels with y.argmax\(axis=1\)",
    ),
    "multilabel y": (
        lambda X, y: (X, np.stack([y > 3, y < 6], axis=1)),
        r"y should be a 1d array, got an array of shape \(400, 2\)",
    ),
    "too few weights": (
        lambda X, y: (X, y, np.ones(399)),
        r"sample_weight.shape == \(399,\), expected \(400,\)",
    ),
    "weights in columns": (
        lambda X, y: (X, y, np.ones((400, 2))),
        "Sample weights must be 1D array or scalar",
    ),
    "negative weight": (
        lambda X, y: (X, y, ones_but(-1)),
        "Negative values in data passed to `sample_weight`",
    ),
    "NaN weight": (
        lambda X, y: (X, y, ones_but(np.nan)),
        "Input sample_weight contains NaN",
    ),
    "infinite weight": (
        lambda X, y: (X, y, ones_but(np.inf)),
        "Input sample_weight contains infinity",
    ),
    "zero weights": (
        lambda X, y: (X, y, np.zeros(400)),
        "(?i)sample.weights? must .* at least one (positive|non-zero)",
    ),
}

# The same for the rows to validate on.
BAD_VALIDATION = {
    "X_val alone": (
        lambda X, y: {"X_val": X},
        "X_val and y_val must be passed together. Got only X_val",
    ),
    "y_val alone": (
        lambda X, y: {"y_val": y},
        "X_val and y_val must be passed together. Got only y_val",
    ),
    "narrow X_val": (
        lambda X, y: {"X_val": X[:, :10], "y_val": y},
        "X has 10 features, but DigitMLPClassifier is expecting 64 features",
    ),
    "X_val with NaN": (
        lambda X, y: {"X_val": spoiled(X, np.nan), "y_val": y},
        "Input X contains NaN",
    ),
    "no rows": (lambda X, y: {"X_val": X[:0], "y_val": y[:0]}, r"0 sample\(s\)"),
    "X_val shorter than y_val": (
        lambda X, y: {"X_val": X[:9], "y_val": y[:10]},
        "inconsistent numbers of samples",
    ),
    "unseen label": (
        lambda X, y: {"X_val": X[:3], "y_val": [0, 1, 77]},
        r"y_val must have labels of y, \[0 1 .*\]. Got \[77\] as well",
    ),
    "labels of another kind": (
        lambda X, y: {"X_val": X[:2], "y_val": ["zero", "one"]},
        "y_val must have labels of y, .*'one' 'zero'",
    ),
    "y_val of durations": (
        lambda X, y: {"X_val": X, "y_val": y.astype("timedelta64[D]")},
        "y_val must hold real numbers, strings or booleans. Got dtype timedelta64",
    ),
    "y_val with NaN": (
        lambda X, y: {"X_val": X[:2], "y_val": [0, np.nan]},
        "Input y contains NaN",
    ),
    "X_val too large": (
        lambda X, y: {"X_val": np.full((2, 64), 1e300), "y_val": [0, 1]},
        "value too large for dtype.'float32'",
    ),
}


@pytest.fixture(params=["unfitted", "fitted"])
def either(request):
    """A classifier that was never fitted, and one that was."""
    if request.param == "unfitted":
        return quick()
    return copy.deepcopy(request.getfixturevalue("fitted"))


@pytest.mark.parametrize(("spoil", "message"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_data_is_refused_by_fit(digits, either, spoil, message):
    with unchanged(either), pytest.raises(ValueError, match=message):
        either.fit(*spoil(*digits))


@pytest.mark.parametrize(("spoil", "message"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_data_is_refused_by_partial_fit(digits, fitted, spoil, message):
    X, y, *weight = spoil(*digits)
    params = {"sample_weight": weight[0]} if weight else {}
    clf = quick()
    with unchanged(clf), pytest.raises(ValueError, match=message):
        clf.partial_fit(X, y, classes=np.arange(10), **params)
    clf = copy.deepcopy(fitted)
    with unchanged(clf), pytest.raises(ValueError, match=message):
        clf.partial_fit(X, y, **params)


@pytest.mark.parametrize(
    ("spoil", "message"), BAD_VALIDATION.values(), ids=BAD_VALIDATION
)
def test_bad_validation_rows_are_refused(digits, either, spoil, message):
    either.set_params(dtype="float32")
    with unchanged(either), pytest.raises(ValueError, match=message):
        either.fit(*digits, **spoil(*digits))


def test_column_of_labels_is_taken_with_a_warning(digits, fitted):
    X, y = digits
    with pytest.warns(UserWarning, match="A column-vector y was passed"):
        clf = quick().fit(X, y[:, None])
    np.testing.assert_array_equal(clf.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix])
def test_values_too_large_for_float32_are_refused(digits, either, container):
    X, y = digits
    too_large = container(np.full((400, 64), 1e39))
    message = (
        "too large for dtype.'float32'.*Got X of dtype.'float64'. with values up to "
        "1e[+]39 instead. Scale X, or fit with dtype='float64'"
    )
    either.set_params(dtype="float32")
    with unchanged(either), pytest.raises(ValueError, match=message):
        either.fit(too_large, y)
    clf = quick().fit(X, y)
    for method in METHODS:
        with unchanged(clf), pytest.raises(ValueError, match=message):
            getattr(clf, method)(too_large)


@pytest.mark.parametrize("method", METHODS)
def test_no_probabilities_that_are_not_finite(digits, fitted, method):
    huge = np.full((2, 64), 3e38, dtype=np.float32)
    with pytest.raises(ValueError, match="output of the network is not finite"):
        getattr(fitted, method)(huge)
    with pytest.raises(ValueError, match="output of the network is not finite"):
        getattr(fitted, method)(sp.csr_matrix(huge))
    assert np.isfinite(fitted.predict_proba(np.full((2, 64), 1e30))).all()


BAD_ROWS = {
    "NaN": (lambda X: spoiled(X, np.nan), "Input X contains NaN"),
    "infinity": (lambda X: spoiled(X, np.inf), "Input X contains infinity"),
    "narrow": (lambda X: X[:, :10], "X has 10 features, but .* expecting 64 features"),
    "narrow and sparse": (
        lambda X: sp.csr_matrix(X[:, :10]),
        "X has 10 features, but .* expecting 64 features",
    ),
    "no rows": (lambda X: X[:0], r"0 sample\(s\)"),
    "one dimension": (lambda X: X[0], "Expected 2D array, got 1D array"),
    "images": (lambda X: X.reshape(-1, 8, 8), "Found array with dim 3"),
    "complex": (lambda X: X + 1j, "Complex data not supported"),
    "strings": (lambda X: X.astype(str), "arrays of bytes/strings"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("make", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_rows_are_refused_by_every_prediction(
    digits, fitted, method, make, message
):
    with unchanged(fitted), pytest.raises(ValueError, match=message):
        getattr(fitted, method)(make(digits[0]))


@pytest.mark.parametrize("method", [*METHODS, "to_keras", "score"])
def test_unfitted_is_told_to_fit(digits, method):
    arguments = {"to_keras": (), "score": digits}.get(method, digits[:1])
    with pytest.raises(NotFittedError, match=r"This DigitMLPClassifier .* not fitted"):
        getattr(quick(), method)(*arguments)


# Parameters


def test_scikit_learns_check_of_parameters():
    check_param_validation("DigitMLPClassifier", DigitMLPClassifier())


BAD_PARAMETERS = {
    "hidden_layer_sizes": [None, 0, -1, 2.5, "abc", np.nan],
    "activation": [None, "softmax", "RELU", 1],
    "solver": [None, "Adam", "momentum", 1, object()],
    "alpha": [None, "0.1", -0.1, np.nan, np.inf],
    "dropout": [None, "abc", -0.1, 1, 1.0, np.nan],
    "batch_norm": [None, "yes", 1],
    "label_smoothing": [None, "0.1", -0.1, 1, 1.0, np.nan],
    "augment": [True, "distort", 1.0, RandomDistortion],
    "ema": ["0.9", 0, 0.0, 1, 1.0, -0.5, np.nan],
    "rescale": ["1/255", 0, -1.0, np.nan, np.inf],
    "batch_size": [None, "all", 0, -1, 32.0],
    "learning_rate": [None, "optimal", 0.001],
    "learning_rate_init": [None, "0.1", 0, 0.0, -0.1, np.nan, np.inf],
    "power_t": [None, "0.5", -0.5, np.nan, np.inf],
    "momentum": [None, "0.9", -0.1, 1.1, np.nan],
    "nesterovs_momentum": [None, "yes", 1],
    "beta_1": [None, "0.9", -0.1, 1, 1.0, np.nan],
    "beta_2": [None, "0.9", -0.1, 1, 1.0, np.nan],
    "epsilon": [None, "1e-8", 0, 0.0, -1e-8, np.nan, np.inf],
    "max_iter": [None, "100", 0, -1, 10.0, np.inf],
    "shuffle": [None, "yes", 1],
    "class_weight": ["unbalanced", [1.0, 2.0], 2.0],
    "early_stopping": [None, "yes", 1],
    "validation_fraction": [None, "0.1", 1, 1.0, -0.1, np.nan],
    "n_iter_no_change": [None, "10", 0, -1, 2.5, -np.inf, np.nan],
    "tol": ["1e-4", -1e-4, np.nan],
    "warm_start": [None, "yes", 1],
    "random_state": ["seed", -1, 0.5, np.random.default_rng(0)],
    "callbacks": ["abc", 1, object()],
    "dtype": [None, "float16", "double", np.float32, float],
    "verbose": [None, "yes", -1, 0.5],
    "max_fun": [None, "15000", 0, 1.5],
}


def test_every_parameter_is_spoiled_here():
    assert BAD_PARAMETERS.keys() == DigitMLPClassifier().get_params().keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in BAD_PARAMETERS.items() for value in values],
)
def test_bad_parameter_is_refused(digits, either, name, value):
    either.set_params(**{name: value})
    message = rf"^The '{name}' parameter of DigitMLPClassifier must be .* Got "
    message += re.escape(repr(value)) + " instead"
    with unchanged(either), pytest.raises(ValueError, match=message):
        either.fit(*digits)
    if not hasattr(either, "coefs_"):  # later calls trust parameters, as everywhere
        with unchanged(either), pytest.raises(ValueError, match=message):
            either.partial_fit(*digits, classes=np.arange(10))


@pytest.mark.parametrize(
    "sizes",
    [
        (0,),
        (5, 0),
        (-1, 3),
        (2.5,),
        (25.0, 15.0),
        (np.nan,),
        (np.inf, 3),
        ("25", "15"),
        (5, None),
        (True, 2),
        ((3, 2),),
        ((3, 2), 4),
        np.ones((2, 2), dtype=int),
        np.array(["a"]),
        np.array(2.5),
    ],
    ids=repr,
)
def test_bad_hidden_layer_sizes_are_refused(digits, either, sizes):
    either.set_params(hidden_layer_sizes=sizes)
    message = "hidden_layer_sizes.* must be .*int.* Got " + re.escape(repr(sizes))
    with unchanged(either), pytest.raises(ValueError, match=message):
        either.fit(*digits)


@pytest.mark.parametrize(
    "rates",
    [
        (),
        (0.1,),
        (0.1, 0.1),
        (0.1, 0.1, 0.1, 0.1),
        (0.1, 0.1, 1.0),
        (-0.1, 0.1, 0.1),
        (0.1, np.nan, 0.1),
        (0.1, None, 0.1),
        ("0.1", "0.1", "0.1"),
        ((0.1, 0.1, 0.1),),
        ((0.1, 0.2), 0.1, 0.1),
        pytest.param({0.1, 0.2, 0.3}, id="set"),
        {0.1: 0, 0.2: 0, 0.3: 0},
        np.array(1.0),
    ],
    ids=repr,
)
def test_bad_dropout_rates_are_refused(digits, either, rates):
    either.set_params(dropout=rates)
    message = r"dropout must be a number in \[0, 1\).* 2 hidden layers, 3 in all. Got "
    with (
        unchanged(either),
        pytest.raises(ValueError, match=message + re.escape(repr(rates))),
    ):
        either.fit(*digits)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"solver": "lbfgs"}, "solver='lbfgs' is not available.* Use solver='adam'"),
        ({"max_fun": 10}, "Got max_fun=10 .* Leave it out, and limit .* by max_iter"),
    ],
    ids=["solver", "max_fun"],
)
def test_lbfgs_is_refused_with_what_to_use(digits, either, params, message):
    either.set_params(**params)
    with unchanged(either), pytest.raises(ValueError, match=message):
        either.fit(*digits)
    with unchanged(either), pytest.raises(ValueError, match=message):
        either.partial_fit(*digits, classes=np.arange(10))


def test_class_of_an_optimizer_is_refused(digits, either):
    import keras

    either.set_params(solver=keras.optimizers.Adam)
    message = (
        "'solver' .* must be .* an instance of keras.optimizers.Optimizer. Got <cl"
    )
    with unchanged(either), pytest.raises(TypeError, match=message):
        either.fit(*digits)


def lossy(kind):
    """An optimizer of which Keras makes copies that are different."""
    import keras

    class Scaled(keras.optimizers.SGD):
        def __init__(self, learning_rate=0.1, factor=1.0, **params):
            super().__init__(learning_rate, **params)
            self.factor = factor

    class Needing(keras.optimizers.SGD):
        def __init__(self, factor, **params):
            super().__init__(**params)

    class Constant(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1

    if kind == "exclusions":
        optimizer = keras.optimizers.AdamW(0.01)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return optimizer
    if kind == "changed":
        optimizer = keras.optimizers.SGD(0.1)
        optimizer.factor = 3.0
        return optimizer
    return {
        "argument": lambda: Scaled(factor=3.0),
        "needed argument": lambda: Needing(3.0),
        "schedule": lambda: keras.optimizers.SGD(Constant()),
        "function": lambda: keras.optimizers.SGD(lambda: 0.1),
        "wrapper": lambda: keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(0.1)
        ),
    }[kind]()


@pytest.mark.parametrize(
    ("kind", "reason"),
    {
        "exclusions": "a copy differs in .*_exclude_from_weight_decay_pattern",
        "changed": "a copy differs in factor",
        "argument": "a copy differs in factor",
        "needed argument": "missing 1 required positional argument: 'factor'",
        "schedule": r"'Constant' must override `get_config\(\)`",
        "function": "copying it fails",
        "wrapper": "its get_config has no 'learning_rate'",
    }.items(),
)
def test_optimizer_that_cannot_be_copied_is_refused(digits, either, kind, reason):
    # Neither training nor a clone or file quietly goes on with another one.
    either.set_params(solver=lossy(kind))
    message = f"The optimizer .* given as `solver` cannot be copied: .*{reason}"
    for use in (lambda clf: clf.fit(*digits), clone, pickle.dumps):
        with pytest.raises(ValueError, match=message):
            use(either)


def test_schedule_in_the_optimizer_and_another_one_are_refused(digits, either):
    import keras

    decay = keras.optimizers.schedules.CosineDecay(0.01, 100)
    either.set_params(solver=keras.optimizers.Adam(decay), learning_rate="cosine")
    message = "learning_rate must be 'constant' if `solver` .* Got 'cosine' instead"
    with unchanged(either), pytest.raises(ValueError, match=message):
        either.fit(*digits)


@pytest.mark.parametrize("kind", ["number", "function", "class", "None"])
def test_what_is_no_callback_is_refused(digits, either, kind):
    import keras

    bad = {
        "number": 5,
        "function": print,
        "class": keras.callbacks.Callback,
        "None": None,
    }[kind]
    either.set_params(callbacks=[keras.callbacks.History(), bad])
    message = (
        "'callbacks' .* must be a list of keras.callbacks.Callback instances. Got "
    )
    with (
        unchanged(either),
        pytest.raises(TypeError, match=message + re.escape(repr(bad))),
    ):
        either.fit(*digits)


def test_backup_and_restore_among_the_callbacks_is_refused(digits, either, tmp_path):
    import keras

    either.set_params(callbacks=[keras.callbacks.BackupAndRestore(str(tmp_path))])
    with (
        unchanged(either),
        pytest.raises(ValueError, match=r"BackupAndRestore.*set warm_start=True"),
    ):
        either.fit(*digits)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        pytest.param({77: 2.0}, "class_weight.*77|77.*class_weight", id="unknown"),
        pytest.param({0: 2.0, 77: 2.0}, "class_weight.*77|77.*class_weight", id="one"),
        pytest.param({0: -1.0}, "class_weight", id="negative"),
        pytest.param({0: np.nan}, "class_weight", id="NaN"),
        pytest.param({0: np.inf}, "class_weight", id="infinite"),
        pytest.param({0: None}, "class_weight", id="None"),
        pytest.param({0: "heavy"}, "class_weight", id="string"),
        pytest.param({0: 10**400}, "class_weight", id="too large for a float"),
        pytest.param(dict.fromkeys(range(10), 0.0), "class_weight", id="all zero"),
    ],
)
def test_bad_class_weight_is_refused(digits, either, class_weight, message):
    either.set_params(class_weight=class_weight)
    with unchanged(either), pytest.raises(ValueError, match=message):
        either.fit(*digits)


def test_unknown_parameters_are_refused():
    with pytest.raises(ValueError, match="Invalid parameter 'hidden_layers'"):
        DigitMLPClassifier().set_params(hidden_layers=(5,))
    with pytest.raises(TypeError, match="unexpected keyword argument 'epochs'"):
        DigitMLPClassifier(epochs=5)


@pytest.mark.parametrize(
    "params",
    [
        {"label_smoothing": 0.999},
        {"dropout": (0.999, 0, np.float32(0.5))},
        {"ema": 1 - 1e-9},
        {"rescale": 1e-30},
        {"learning_rate_init": 1e-300},
        {"batch_size": 10**12},
        {"hidden_layer_sizes": 1},
        {"hidden_layer_sizes": [1, 1, 1, 1]},
        {"n_iter_no_change": 10**20},
        {"callbacks": ()},
        {"class_weight": {}},
    ],
    ids=repr,
)
def test_extreme_parameters_are_taken(digits, params):
    X, y = digits
    clf = quick(**params).fit(X, y)
    P = clf.predict_proba(X)
    assert P.shape == (400, 10)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-5)
    assert np.isfinite(clf.loss_curve_).all()


@pytest.mark.parametrize(
    "params",
    [
        {"hidden_layer_sizes": np.int64(5)},
        {"hidden_layer_sizes": np.array(5), "dropout": np.array(0.5)},
        {"alpha": np.float32(0.5)},
        {"dropout": np.float32(0.5)},
        {"label_smoothing": np.float32(0.5)},
        {"ema": np.float32(0.5)},
        {"rescale": np.float32(0.5)},
        {"batch_size": np.int64(50)},
        {"learning_rate_init": np.float32(0.5)},
        {"max_iter": np.int64(1)},
        {"early_stopping": np.True_, "validation_fraction": np.float32(0.5)},
        {"tol": np.float32(0.5), "n_iter_no_change": np.int64(1), "max_iter": 9},
        {"random_state": np.int64(1)},
        {"batch_norm": np.True_, "shuffle": np.False_},
        {"class_weight": {np.int64(3): np.float32(0.5)}},
    ],
    ids=repr,
)
def test_numpy_scalars_are_as_good_as_python_ones(digits, params):
    # A search over a NumPy array or a SciPy distribution sets them.
    X, y = digits
    plain = {
        name: value.item() if isinstance(value, np.generic | np.ndarray) else value
        for name, value in params.items()
    }
    clf = quick(**params).fit(X, y)
    np.testing.assert_array_equal(
        clf.predict_proba(X), quick(**plain).fit(X, y).predict_proba(X)
    )


@pytest.mark.parametrize("scale", [1e-300, 1e-40, 1e40, 1e300])
def test_the_scale_of_weights_does_not_matter(digits, fitted, scale):
    X, y = digits
    clf = quick().fit(X, y, sample_weight=np.full(400, scale))
    np.testing.assert_allclose(
        clf.predict_proba(X), fitted.predict_proba(X), rtol=1e-3, atol=1e-6
    )


OUT_OF_RANGE = (
    "sample_weight times class_weight, must add up to a positive, finite number"
)


@pytest.mark.parametrize(
    ("weights", "params", "message"),
    [
        (1e200, {"class_weight": dict.fromkeys(range(10), 1e200)}, OUT_OF_RANGE),
        (1e-200, {"class_weight": dict.fromkeys(range(10), 1e-200)}, OUT_OF_RANGE),
        (1e308, {}, OUT_OF_RANGE),
        (1e308, {"class_weight": "balanced"}, OUT_OF_RANGE),
        ([5e-324] * 40 + [1] * 360, {"class_weight": {0: 1e-9}}, None),
        (1e-100, {"alpha": 1.0}, "alpha divided by the mean weight .* in float32. Got"),
        (1e-100, {"alpha": 1.0, "dtype": "float64"}, None),
        (1e-320, {"alpha": 1.0, "dtype": "float64"}, "must be finite in float64"),
        (1.0, {"alpha": 1e300}, "Got alpha=1e[+]300 and a mean weight of 1 instead"),
    ],
)
def test_weights_out_of_range_are_told_from_divergence(
    digits, weights, params, message
):
    X, y = digits
    weights = np.broadcast_to(weights, y.shape).astype(float)
    clf = quick(**{"dtype": "float32", "max_iter": 1, **params})
    if message is None:
        clf.fit(X, y, weights)
        return
    with unchanged(clf), pytest.raises(ValueError, match=message):
        clf.fit(X, y, weights)


def test_a_block_without_weight_is_refused(digits, fitted):
    # As SGDClassifier and MLPClassifier refuse it.
    X, y = digits
    clf = copy.deepcopy(fitted).set_params(class_weight={3: 0.0})
    message = f"{OUT_OF_RANGE}. Got weights that are all 0 .* Drop"
    with unchanged(clf), pytest.raises(ValueError, match=message):
        clf.partial_fit(X[y == 3], y[y == 3])


# The split for early stopping


@pytest.mark.parametrize(
    ("rows", "fraction", "what"),
    [
        (slice(0, 20), 0.1, "fewer held-out rows than classes"),
        (slice(0, 11), 0.5, "a class with a single row"),
        (slice(0, 400), 0.999, "nothing to train on"),
        (slice(0, 1), 0.1, "a single row"),
        (slice(0, 400), 0, "no rows to hold out"),
    ],
)
def test_impossible_split_says_what_asked_for_it(digits, either, rows, fraction, what):
    X, y = digits
    either.set_params(early_stopping=True, validation_fraction=fraction)
    with (
        unchanged(either),
        pytest.raises(ValueError, match=r"validation_fraction|early_stopping"),
    ):
        either.fit(X[rows], y[rows])


def test_validation_set_of_one_row_is_too_small(digits, either):
    X, _ = digits
    either.set_params(early_stopping=True)
    with (
        unchanged(either),
        pytest.raises(ValueError, match="validation set is too small"),
    ):
        either.fit(X[:5], np.zeros(5))


def test_split_without_weight_is_refused(digits, either):
    X, y = digits
    either.set_params(early_stopping=True)
    weight = np.zeros(400)
    weight[7] = 1.0
    with (
        unchanged(either),
        pytest.raises(
            ValueError, match=r"All weights of the (validation|training) part .* are 0"
        ),
    ):
        either.fit(X, y, sample_weight=weight)


# partial_fit and warm_start


def test_first_partial_fit_needs_the_classes(digits):
    clf = quick()
    with (
        unchanged(clf),
        pytest.raises(ValueError, match="classes must be passed on the first call"),
    ):
        clf.partial_fit(*digits)


def test_label_out_of_no_class_is_refused(digits, fitted):
    X, y = digits
    message = r"not in `self.classes_`: \[7 8 9\]. Expected labels out of \[0 1"
    clf = quick()
    with unchanged(clf), pytest.raises(ValueError, match=message):
        clf.partial_fit(X, y, classes=np.arange(7))
    clf = copy.deepcopy(fitted)
    with (
        unchanged(clf),
        pytest.raises(ValueError, match=r"not in `self.classes_`: \[77\]"),
    ):
        clf.partial_fit(X, spoiled(y, 77))


@pytest.mark.parametrize("dtype", ["datetime64[D]", "complex64", object])
def test_classes_of_a_strange_type_are_refused(digits, fitted, dtype):
    X, y = digits
    classes = np.arange(10).astype(dtype)
    message = (
        "classes must hold real numbers, strings or booleans. Got (dtype|an object)"
    )
    with pytest.raises(ValueError, match=message):
        quick().partial_fit(X, y, classes=classes)
    with pytest.raises(ValueError, match=message):
        DigitMLPClassifier.from_keras(fitted.to_keras(), classes=classes)


def test_other_classes_than_before_are_refused(digits):
    X, y = digits
    clf = quick().partial_fit(X, y, classes=np.arange(10))
    with unchanged(clf), pytest.raises(ValueError, match="is not the same as on last"):
        clf.partial_fit(X, y, classes=np.arange(11))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"early_stopping": True},
            "partial_fit does not support early_stopping=True.* use fit",
        ),
        (
            {"class_weight": "balanced"},
            "partial_fit does not support class_weight='balanced'.* as a dict",
        ),
    ],
)
def test_what_partial_fit_cannot_do(digits, either, params, message):
    either.set_params(**params)
    with unchanged(either), pytest.raises(ValueError, match=message):
        either.partial_fit(*digits, classes=np.arange(10))


def test_other_number_of_features_in_partial_fit(digits, fitted):
    X, y = digits
    clf = copy.deepcopy(fitted)
    with (
        unchanged(clf),
        pytest.raises(ValueError, match=r"X has 10 features, but .* expecting 64"),
    ):
        clf.partial_fit(X[:, :10], y)


@pytest.mark.parametrize(
    "params",
    [
        {"hidden_layer_sizes": (25, 16)},
        {"hidden_layer_sizes": (25,)},
        {"activation": "tanh"},
        {"batch_norm": True},
        {"rescale": 0.5},
        {"dtype": "float64"},
    ],
    ids=repr,
)
def test_another_network_cannot_go_on(digits, fitted, params):
    clf = copy.deepcopy(fitted).set_params(warm_start=True, **params)
    [(name, value)] = params.items()
    message = re.escape(f"Got {name}={value!r} instead")
    message = f"Cannot resume training .* fitted with {name}=.*{message}.*warm_start"
    with unchanged(clf), pytest.raises(ValueError, match=message):
        clf.fit(*digits)
    with unchanged(clf), pytest.raises(ValueError, match=message):
        clf.partial_fit(*digits)


def test_warm_start_needs_the_same_classes(digits, fitted):
    X, y = digits
    clf = copy.deepcopy(fitted).set_params(warm_start=True)
    message = "warm_start can only be used where `y` has the same classes"
    with unchanged(clf), pytest.raises(ValueError, match=message):
        clf.fit(X, spoiled(y, 77))
    with unchanged(clf), pytest.raises(ValueError, match=message):
        clf.fit(X[y < 9], y[y < 9])


def test_warm_start_needs_the_same_features(digits, fitted):
    X, y = digits
    clf = copy.deepcopy(fitted).set_params(warm_start=True)
    with unchanged(clf), pytest.raises(ValueError, match="X has 10 features"):
        clf.fit(X[:, :10], y)


def test_warm_start_needs_the_same_feature_names(digits):
    X, y = digits
    clf = quick(warm_start=True).fit(pd.DataFrame(X).add_prefix("pixel_"), y)
    with unchanged(clf), pytest.raises(ValueError, match="feature names should match"):
        clf.fit(pd.DataFrame(X).add_prefix("p"), y)


# Training that fails


@pytest.mark.parametrize(
    "params",
    [
        {"learning_rate_init": 1e30},
        {"learning_rate_init": 1e30, "early_stopping": True},
        {"learning_rate_init": 1e30, "batch_norm": True, "ema": 0.9},
        {"learning_rate_init": 1e300, "dtype": "float64"},
        {"alpha": 1e30},
    ],
    ids=repr,
)
def test_diverged_training_leaves_no_trace(digits, either, params):
    X, y = digits
    P = either.predict_proba(X) if hasattr(either, "coefs_") else None
    either.set_params(max_iter=20, **params)
    message = (
        "Training diverged: .* Expected finite values. Use a smaller learning rate"
    )
    with unchanged(either), pytest.raises(ValueError, match=message):
        either.fit(X, y)
    if P is not None:
        np.testing.assert_array_equal(either.predict_proba(X), P)


def test_values_that_overflow_the_network_diverge(digits, either):
    X, y = digits
    with unchanged(either), pytest.raises(ValueError, match=r"diverged.* or scale X"):
        either.fit(X * np.float32(3e38), y)


def test_diverged_partial_fit_leaves_what_was_learned(digits):
    X, y = digits
    clf = quick().partial_fit(X, y, classes=np.arange(10))
    P = clf.predict_proba(X)
    clf.set_params(learning_rate_init=1e30)
    with unchanged(clf), pytest.raises(ValueError, match="Training diverged"):
        clf.partial_fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), P)
    again = quick().partial_fit(X, y, classes=np.arange(10)).partial_fit(X, y)
    clf.set_params(learning_rate_init=0.02).partial_fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), again.predict_proba(X))


class Failure(Exception):
    """What a callback of these tests fails with."""


@pytest.fixture
def failing():
    """Make a callback that fails at a hook, the `at`-th time it is called."""
    import keras

    def make(hook, at):
        n_calls = 0

        def fail(*arguments):
            nonlocal n_calls
            n_calls += 1
            if n_calls >= at:
                raise Failure("failed on purpose")

        return keras.callbacks.LambdaCallback(**{hook: fail})

    return make


@pytest.mark.parametrize(
    ("hook", "at"),
    [
        ("on_train_begin", 1),
        ("on_epoch_begin", 1),
        ("on_epoch_begin", 3),
        ("on_epoch_end", 3),
        ("on_train_end", 1),
    ],
)
def test_failing_callback_leaves_no_trace(digits, fitted, either, failing, hook, at):
    X, y = digits
    either.set_params(max_iter=5, callbacks=[failing(hook, at=at)])
    with unchanged(either), pytest.raises(Failure, match="failed on purpose"):
        either.fit(X, y)
    # Nor does it leave one in what is fitted next.
    either.set_params(callbacks=None, max_iter=2).fit(X, y)
    np.testing.assert_array_equal(either.predict_proba(X), fitted.predict_proba(X))


def test_callback_that_spoils_the_weights(digits, either):
    import keras

    class Spoil(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            kernel = self.model.layers[0].kernel
            kernel.assign(np.full(kernel.shape, np.nan))

    either.set_params(callbacks=[Spoil()])
    with (
        unchanged(either),
        pytest.raises(ValueError, match="weights are no longer fin"),
    ):
        either.fit(*digits)


# Training that is interrupted


def raise_keyboard_interrupt():
    raise KeyboardInterrupt


def send_sigint():
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def interrupting():
    """Make a callback that presses Ctrl-C, in one way or another, at an epoch."""
    import keras

    def make(press, epoch, hook="on_epoch_end"):
        def maybe_press(current, logs=None):
            if current == epoch:
                press()

        return keras.callbacks.LambdaCallback(**{hook: maybe_press})

    # What a shell starts in the background ignores SIGINT.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield make
    signal.signal(signal.SIGINT, handler)


@pytest.mark.parametrize("press", [raise_keyboard_interrupt, send_sigint])
def test_interrupted_fit_keeps_the_epochs_done(digits, interrupting, press):
    X, y = digits
    clf = quick(max_iter=50, callbacks=[interrupting(press, epoch=2)])
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        assert clf.fit(X, y) is clf
    assert clf.n_iter_ == len(clf.loss_curve_) == 3
    assert clf.t_ == 3 * 400
    three_epochs = quick(max_iter=3).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), three_epochs.predict_proba(X))
    assert clf.loss_curve_ == three_epochs.loss_curve_


def test_interrupted_before_the_first_epoch(digits, interrupting):
    X, y = digits
    callback = interrupting(raise_keyboard_interrupt, 0, "on_epoch_begin")
    for params in ({}, {"early_stopping": True}, {"batch_norm": True, "ema": 0.9}):
        clf = quick(callbacks=[callback], **params)
        with pytest.warns(UserWarning, match="interrupted"):
            clf.fit(X, y)
        assert clf.n_iter_ == clf.t_ == 0
        assert clf.loss_curve_ == []
        assert set(clf.predict(X)) <= set(range(10))


def test_interrupted_early_stopping_keeps_the_best_epoch(digits, interrupting):
    X, y = digits
    callback = interrupting(raise_keyboard_interrupt, 3)
    clf = quick(max_iter=50, early_stopping=True, callbacks=[callback])
    with pytest.warns(UserWarning, match="interrupted"):
        clf.fit(X, y)
    assert clf.n_iter_ == len(clf.validation_scores_) == 4
    assert clf.best_validation_score_ == max(clf.validation_scores_)


def test_interrupted_training_can_go_on(digits, interrupting):
    X, y = digits
    callback = interrupting(raise_keyboard_interrupt, 2)
    clf = quick(max_iter=6, warm_start=True, dropout=0.1, callbacks=[callback])
    with pytest.warns(UserWarning, match="interrupted"):
        clf.fit(X, y)
    clf.set_params(max_iter=3, callbacks=None).fit(X, y)
    straight = quick(max_iter=6, dropout=0.1).fit(X, y)
    assert len(clf.loss_curve_) == 6
    np.testing.assert_array_equal(clf.predict_proba(X), straight.predict_proba(X))


def test_interrupted_partial_fit(digits, interrupting):
    X, y = digits
    clf = quick(callbacks=[interrupting(raise_keyboard_interrupt, 0)])
    with pytest.warns(UserWarning, match="interrupted"):
        clf.partial_fit(X, y, classes=np.arange(10))
    assert clf.n_iter_ == len(clf.loss_curve_) == 1
    assert clf.score(X, y) > 0.1


# Models from Keras


def sequential(keras, *layers, shape=(4,)):
    return keras.Sequential([keras.Input(shape), *layers])


def dense_subclass(keras):
    class Shifted(keras.layers.Dense):
        def call(self, inputs):
            return super().call(inputs) + 7

    return Shifted(3, name="odd")


def quantized(keras):
    dense = keras.layers.Dense
    model = sequential(keras, dense(3, "relu", name="odd"), dense(3))
    model.layers[0].quantize("int8")
    return model


def square(x):
    return x * x


def relu(x):
    return 2 * x


# Layers that there is no counterpart for, each called "odd", before the last layer.
ODD_LAYERS = {
    "LeakyReLU": lambda k: [k.layers.Dense(3), k.layers.LeakyReLU(name="odd")],
    "ReLU6": lambda k: [k.layers.Dense(3), k.layers.ReLU(max_value=6, name="odd")],
    "noise": lambda k: [
        k.layers.GaussianNoise(0.1, name="odd"),
        k.layers.Dense(3, "relu"),
    ],
    "nested model": lambda k: [
        k.Sequential([k.layers.Dense(3, "relu")], name="odd"),
        k.layers.Dense(3, "relu"),
    ],
    "activation without Dense": lambda k: [
        k.layers.Activation("relu", name="odd"),
        k.layers.Dense(3, "relu"),
    ],
    "activation of another name": lambda k: [k.layers.Dense(3, "elu", name="odd")],
    "two activations": lambda k: [
        k.layers.Dense(3, "relu"),
        k.layers.Dense(3, "tanh", name="odd"),
    ],
    "softmax in the middle": lambda k: [k.layers.Dense(3, "softmax", name="odd")],
    "activation that is a function": lambda k: [k.layers.Dense(3, square, name="odd")],
    "function called as a known one": lambda k: [k.layers.Dense(3, relu, name="odd")],
    "subclass of Dense": lambda k: [dense_subclass(k), k.layers.ReLU()],
}


@pytest.mark.parametrize("make", ODD_LAYERS.values(), ids=ODD_LAYERS)
def test_layer_without_counterpart_is_named(make):
    import keras

    model = sequential(keras, *make(keras), keras.layers.Dense(3))
    with pytest.raises(ValueError, match=r"Cannot take the layer 'odd'.*xpected "):
        DigitMLPClassifier.from_keras(model)


# Whole models that cannot be taken, and what the error says.
ODD_MODELS = {
    "convolution": (
        lambda k: sequential(
            k,
            k.layers.Conv2D(2, 3, name="odd"),
            k.layers.Flatten(),
            k.layers.Dense(3, "relu"),
            k.layers.Dense(3),
            shape=(8, 8, 1),
        ),
        r"Cannot take the layer 'odd' \(Conv2D\)",
    ),
    "unbuilt": (
        lambda k: k.Sequential([k.layers.Dense(3, "relu"), k.layers.Dense(3)]),
        "model must be built and trained.* Call it on data, or fit it, first",
    ),
    "empty": (lambda k: k.Sequential(), "model must be built and trained"),
    "no Dense layer": (
        lambda k: sequential(k, k.layers.BatchNormalization()),
        "model must have a Dense layer, the output. Got none",
    ),
    "operation between layers": (
        lambda k: k.Model(rows := k.Input((4,)), k.layers.Dense(3)(rows / 2)),
        "model must be a chain of layers.* or with operations between layers",
    ),
    "layer used twice": (
        lambda k: k.Model(rows := k.Input((4,)), (d := k.layers.Dense(4))(d(rows))),
        "model must be a chain of layers.* with layers used twice",
    ),
    "branches": (
        lambda k: k.Model(
            rows := k.Input((4,)),
            k.layers.Add()([k.layers.Dense(3)(rows), k.layers.Dense(3)(rows)]),
        ),
        "model must be a chain of layers.* Got a model with branches",
    ),
    "two outputs of a chain": (
        lambda k: k.Model(
            rows := k.Input((4,)),
            [hidden := k.layers.Dense(3)(rows), k.layers.Dense(3)(hidden)],
        ),
        "model must be a chain of layers",
    ),
    "output of relu": (
        lambda k: sequential(
            k, k.layers.Dense(3, "relu"), k.layers.Dense(3, "relu", name="odd")
        ),
        "Cannot take the output layer 'odd': expected logits.* Got 3 units with relu",
    ),
    "many sigmoid units": (
        lambda k: sequential(
            k, k.layers.Dense(3, "relu"), k.layers.Dense(3, "sigmoid", name="odd")
        ),
        "Cannot take the output layer 'odd': .* Got 3 units with sigmoid",
    ),
    "layer after softmax": (
        lambda k: sequential(
            k,
            k.layers.Dense(3, "relu"),
            k.layers.Dense(3, "softmax"),
            k.layers.BatchNormalization(name="odd"),
        ),
        "Cannot take the layer 'odd' .*: nothing may follow the softmax",
    ),
    "softmax over the rows": (
        lambda k: sequential(
            k,
            k.layers.Dense(3, "relu"),
            k.layers.Dense(3),
            k.layers.Softmax(axis=0, name="odd"),
        ),
        "Cannot take the layer 'odd'",
    ),
    "images without Flatten": (
        lambda k: sequential(
            k, k.layers.Dense(3, "relu"), k.layers.Dense(3), shape=(8, 8)
        ),
        "Flatten",
    ),
    "normalised columns of an image": (
        lambda k: sequential(
            k,
            k.layers.BatchNormalization(name="odd"),
            k.layers.Flatten(),
            k.layers.Dense(3, "relu"),
            k.layers.Dense(3),
            shape=(8, 8),
        ),
        "Cannot take the layer 'odd'",
    ),
    "quantized": (quantized, "Cannot take the layer 'odd'"),
}


@pytest.mark.parametrize(("make", "message"), ODD_MODELS.values(), ids=ODD_MODELS)
def test_model_without_counterpart_is_refused(make, message):
    import keras

    with pytest.raises(ValueError, match=message):
        DigitMLPClassifier.from_keras(make(keras))


def test_from_keras_refuses_other_types():
    import keras

    class Custom(keras.Model):
        def call(self, inputs):
            return inputs

    for model in [Custom(), None, "model.keras", quick(), keras.Sequential]:
        message = f"must be a trained keras.Sequential.* Got {type(model).__name__}"
        with pytest.raises(TypeError, match=message):
            DigitMLPClassifier.from_keras(model)


def test_weights_that_are_not_finite_are_refused():
    import keras

    dense = keras.layers.Dense
    model = sequential(keras, dense(3, "relu"), dense(3, name="odd"))
    model.layers[1].bias.assign([0.0, np.nan, 0.0])
    with pytest.raises(ValueError, match=r"odd.*finite|finite.*odd"):
        DigitMLPClassifier.from_keras(model)


@pytest.fixture(scope="module", params=[1, 3])
def model(request):
    """A model with that many outputs."""
    import keras

    dense = keras.layers.Dense
    return sequential(keras, dense(3, "relu"), dense(request.param))


@pytest.mark.parametrize(
    "classes",
    [
        [],
        ["a"],
        ["a"] * 3,
        ["a"] * 2,
        list("abcd"),
        "abc",
        3,
        [[1, 2], [3, 4]],
        [1.0, np.nan, 2.0],
        [np.nan, 1.0],
    ],
    ids=repr,
)
def test_classes_that_do_not_fit_the_outputs(model, classes):
    n_classes = max(2, model.output_shape[1])
    message = f"classes must be {n_classes} different labels"
    with pytest.raises(ValueError, match=message):
        DigitMLPClassifier.from_keras(model, classes=classes)
