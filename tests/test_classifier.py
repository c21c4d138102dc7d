"""What each parameter, method and attribute of DigitMLPClassifier does."""

import contextlib
import re

import joblib
import keras
import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from skdigits import DigitMLPClassifier
from skdigits._keras.optimizers import SOLVERS as KERAS_NAMES


def same_weights(one, other):
    return all(
        np.array_equal(a, b)
        for a, b in zip(
            one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True
        )
    )


# Defaults and attributes


def test_defaults_are_the_reference_job(digits):
    X, y = digits
    clf = DigitMLPClassifier(max_iter=2, random_state=0).fit(X, y)
    assert [coef.shape for coef in clf.coefs_] == [(64, 25), (25, 15), (15, 10)]
    assert [intercept.shape for intercept in clf.intercepts_] == [(25,), (15,), (10,)]
    assert DigitMLPClassifier().max_iter == 100
    assert DigitMLPClassifier().batch_size == 32
    assert DigitMLPClassifier().learning_rate_init == 0.001


def test_attributes_of_mlp_classifier_have_its_types(digits):
    X, y = digits
    params = {"max_iter": 3, "tol": 0.0, "early_stopping": True, "random_state": 0}
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        ours = DigitMLPClassifier(**params).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        theirs = MLPClassifier((25, 15), **params).fit(X, y)
    names = [name for name in vars(theirs) if name.endswith("_") and name[0] != "_"]
    assert len(names) > 12
    for name in names:
        value = getattr(theirs, name)
        # With NumPy 2.5, `loss_` is a float32.
        value = value.item() if isinstance(value, np.generic) else value
        assert isinstance(value, type(getattr(ours, name))), name
    for name in ["n_layers_", "n_outputs_", "out_activation_", "n_iter_", "t_"]:
        assert getattr(ours, name) == getattr(theirs, name)


def test_two_classes_have_one_logistic_output(digits):
    X, y = digits
    X, y = X[y < 2], y[y < 2]
    clf = DigitMLPClassifier(random_state=0).fit(X, y)
    log_odds = clf.decision_function(X)
    assert (clf.n_outputs_, clf.out_activation_) == (1, "logistic")
    assert log_odds.shape == y.shape
    P = clf.predict_proba(X)
    np.testing.assert_allclose(np.log(P[:, 1] / P[:, 0]), log_odds, rtol=1e-3)
    np.testing.assert_array_equal(clf.predict(X), (log_odds > 0).astype(int))


def test_log_proba_stays_finite_where_proba_rounds_to_zero(digits):
    X, y = digits
    clf = DigitMLPClassifier(random_state=0).fit(X, y)
    L = clf.predict_log_proba(100 * X)
    assert (clf.predict_proba(100 * X) == 0).any()
    assert np.isfinite(L).all()


def test_loss_is_the_cross_entropy_of_the_weights_at_a_learning_rate_of_nothing(digits):
    X, y = digits
    clf = DigitMLPClassifier(learning_rate_init=1e-20, max_iter=1, random_state=0).fit(
        X, y
    )
    expected = -clf.predict_log_proba(X)[np.arange(len(y)), y].mean()
    assert clf.loss_ == pytest.approx(expected, rel=1e-5)
    smooth = DigitMLPClassifier(
        learning_rate_init=1e-20,
        max_iter=1,
        label_smoothing=0.3,
        alpha=2.0,
        random_state=0,
    ).fit(X, y)
    L = smooth.predict_log_proba(X)
    cross_entropy = -(0.7 * L[np.arange(len(y)), y] + 0.3 * L.mean(axis=1)).mean()
    # The penalty is added to each of the 13 batches.
    penalty = 13 * sum((coef**2).sum() for coef in smooth.coefs_) / len(y)
    assert smooth.loss_ == pytest.approx(cross_entropy + penalty, rel=1e-5)


def test_larger_alpha_gives_smaller_weights(digits):
    X, y = digits
    norms = [
        sum((coef**2).sum() for coef in clf.coefs_)
        for clf in (
            DigitMLPClassifier(alpha=alpha, max_iter=30, random_state=0).fit(X, y)
            for alpha in (0.0, 0.1, 1.0)
        )
    ]
    assert norms[0] > norms[1] > norms[2]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_is_that_of_weights_and_probabilities(digits, dtype):
    X, y = digits
    clf = DigitMLPClassifier(dtype=dtype, max_iter=2, random_state=0).fit(X, y)
    assert {array.dtype.name for array in clf.coefs_ + clf.intercepts_} == {dtype}
    assert clf.predict_proba(X).dtype == dtype


@pytest.mark.parametrize(
    ("given", "expected"),
    [("float64", "float64"), ("float32", "float32"), ("int64", "float32")],
)
def test_automatic_dtype_follows_X(digits, given, expected):
    X, y = digits
    clf = DigitMLPClassifier(max_iter=2, random_state=0).fit((16 * X).astype(given), y)
    assert clf.coefs_[0].dtype == expected


def assert_plain(value):
    if isinstance(value, dict):
        for key, item in value.items():
            assert_plain(key)
            assert_plain(item)
    elif isinstance(value, list | tuple):
        for item in value:
            assert_plain(item)
    elif isinstance(value, np.ndarray):
        assert type(value) is np.ndarray
        assert value.dtype.kind in "biufU"
    else:
        assert value is None or type(value) in (bool, int, float, str), value


@pytest.mark.parametrize("warm_start", [False, True])
def test_fitted_state_is_arrays_and_plain_values(digits, warm_start):
    clf = DigitMLPClassifier(
        batch_norm=True,
        dropout=0.1,
        ema=0.9,
        early_stopping=True,
        warm_start=warm_start,
        max_iter=2,
        random_state=0,
    ).fit(*digits)
    assert_plain(vars(clf))


# Regularisation


def test_batch_norm_works_after_a_single_epoch(digits):
    # Moving averages start far from the truth; predictions must not.
    X, y = digits
    clf = DigitMLPClassifier(
        (64,), batch_norm=True, learning_rate_init=0.02, max_iter=3, random_state=0
    ).fit(X, y)
    assert clf.score(X, y) > 0.9


def test_batch_norm_does_not_see_the_padding_of_the_last_batch(digits):
    # 40 rows are a batch of 32 and one of 8; repeated to 64 there is no padding.
    X, y = digits[0][:8], digits[1][:8]
    params = {
        "batch_norm": True,
        "shuffle": False,
        "max_iter": 20,
        "dtype": "float64",
        "random_state": 0,
    }
    alone = DigitMLPClassifier(batch_size=8, **params).fit(X, y)
    padded = DigitMLPClassifier(batch_size=32, **params).fit(X, y)
    np.testing.assert_allclose(alone.coefs_[0], padded.coefs_[0])


def test_dropout_changes_training_but_not_prediction(digits):
    X, y = digits
    params = {"max_iter": 5, "random_state": 0}
    without = DigitMLPClassifier(**params).fit(X, y)
    scalar = DigitMLPClassifier(dropout=0.5, **params).fit(X, y)
    same = DigitMLPClassifier(dropout=(0.0, 0.5, 0.5), **params).fit(X, y)
    on_input = DigitMLPClassifier(dropout=(0.5, 0.0, 0.0), **params).fit(X, y)
    assert not same_weights(without, scalar)
    assert same_weights(scalar, same)
    assert not same_weights(scalar, on_input)
    np.testing.assert_array_equal(scalar.predict_proba(X), scalar.predict_proba(X))


def test_dropout_masks_differ_between_epochs(digits):
    # Without shuffling and at a rate of nothing, only the masks can differ.
    X, y = digits
    clf = DigitMLPClassifier(
        dropout=0.5, learning_rate_init=1e-20, shuffle=False, max_iter=3, random_state=0
    ).fit(X, y)
    assert len(set(clf.loss_curve_)) == 3


def test_ema_keeps_the_average_of_the_weights(digits):
    X, y = digits
    params = {"shuffle": False, "batch_size": 400, "random_state": 0, "solver": "sgd"}
    steps = [
        DigitMLPClassifier(max_iter=n, **params).fit(X, y).coefs_[0] for n in (1, 2, 3)
    ]
    average = steps[0]
    for weights in steps[1:]:
        average = 0.6 * average + 0.4 * weights
    ema = DigitMLPClassifier(max_iter=3, ema=0.6, **params).fit(X, y)
    np.testing.assert_allclose(ema.coefs_[0], average, rtol=1e-4, atol=1e-6)


# Optimizers and learning rates


ADAM = {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}
# Parameters, and the Keras optimizer that they make.
SOLVERS = {
    "adam": ({}, keras.optimizers.Adam(0.01, epsilon=1e-8)),
    "adam with numbers": (ADAM, keras.optimizers.Adam(0.01, **ADAM)),
    "adamw": ({}, keras.optimizers.AdamW(0.01, epsilon=1e-8)),
    "adamw with numbers": (ADAM, keras.optimizers.AdamW(0.01, **ADAM)),
    "sgd": ({}, keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)),
    "sgd without momentum": ({"momentum": 0}, keras.optimizers.SGD(0.01)),
    "sgd with classical momentum": (
        {"momentum": 0.5, "nesterovs_momentum": False},
        keras.optimizers.SGD(0.01, momentum=0.5),
    ),
    "rmsprop": ({}, keras.optimizers.RMSprop(0.01)),
    "adamax": ({}, keras.optimizers.Adamax(0.01)),
}


@pytest.mark.parametrize("name", SOLVERS)
def test_solver_by_name_is_the_keras_optimizer(digits, name):
    X, y = digits
    params, optimizer = SOLVERS[name]
    shared = {"max_iter": 2, "random_state": 0, "learning_rate_init": 0.01}
    solver = name.partition(" ")[0]
    by_name = DigitMLPClassifier(solver=solver, **params, **shared).fit(X, y)
    by_object = DigitMLPClassifier(solver=optimizer, **shared).fit(X, y)
    assert same_weights(by_name, by_object)


def test_every_name_of_a_solver_is_a_keras_optimizer():
    for kind in KERAS_NAMES.values():
        assert issubclass(getattr(keras.optimizers, kind), keras.optimizers.Optimizer)


@pytest.mark.parametrize(("n_rows", "size"), [(150, 150), (400, 200)])
def test_batch_size_auto_is_200_or_all_rows(digits, n_rows, size):
    X, y = digits[0][:n_rows], digits[1][:n_rows]
    params = {"max_iter": 2, "random_state": 0}
    auto = DigitMLPClassifier(batch_size="auto", **params).fit(X, y)
    same = DigitMLPClassifier(batch_size=size, **params).fit(X, y)
    np.testing.assert_allclose(auto.coefs_[0], same.coefs_[0], atol=1e-6)


def test_no_hidden_layer_is_softmax_regression(digits):
    X, y = digits
    clf = DigitMLPClassifier(
        (),
        learning_rate_init=0.05,
        alpha=1,
        batch_size=400,
        max_iter=500,
        random_state=0,
    ).fit(X, y)
    regression = LogisticRegression(C=1, max_iter=500).fit(X, y)
    assert [coef.shape for coef in clf.coefs_] == [(64, 10)]
    P, expected = (model.predict_proba(X) for model in (clf, regression))
    np.testing.assert_allclose(P, expected, atol=0.02)


def test_optimizer_given_as_solver_is_a_template(digits):
    X, y = digits
    optimizer = keras.optimizers.Adam(0.01, beta_2=0.9)
    clf = DigitMLPClassifier(solver=optimizer, max_iter=3, random_state=0).fit(X, y)
    assert clf.solver is optimizer
    assert int(optimizer.iterations.numpy()) == 0
    assert not optimizer.built
    assert same_weights(clf, DigitMLPClassifier(**clf.get_params()).fit(X, y))
    other = keras.optimizers.Adam(0.01, beta_2=0.999)
    clf.set_params(solver=other)
    assert not same_weights(clf, DigitMLPClassifier(**clf.get_params()).fit(X, y))


def test_used_optimizer_starts_afresh(digits):
    X, y = digits
    params = {"max_iter": 2, "random_state": 0}
    used, unused = (keras.optimizers.SGD(0.1, momentum=0.9) for _ in range(2))
    model = DigitMLPClassifier(**params).fit(X, y).to_keras()
    model.compile(used, "sparse_categorical_crossentropy")
    model.fit(X, y, verbose=0)
    steps = int(used.iterations.numpy())
    clf = DigitMLPClassifier(solver=used, **params).fit(X, y)
    assert same_weights(clf, DigitMLPClassifier(solver=unused, **params).fit(X, y))
    assert int(used.iterations.numpy()) == steps == 13


def test_optimizer_with_attributes_of_any_type(digits):
    class Custom(keras.optimizers.SGD):
        def __init__(self, **params):
            super().__init__(**params)
            self.factors = np.arange(3)
            self.names = {"b", "a"}
            self.sizes = (1, [2, {"three": np.float32(3)}])
            self.pattern = re.compile("kernel")
            self.other = keras.optimizers.schedules.CosineDecay(0.1, 10)
            self.function = np.sin
            self.circle = []
            self.circle.append(self.circle)

    clf = DigitMLPClassifier(solver=Custom(learning_rate=0.1), max_iter=2)
    losses = clf.set_params(random_state=0).fit(*digits).loss_curve_
    clf.set_params(solver=keras.optimizers.SGD(0.1))
    np.testing.assert_allclose(losses, clf.fit(*digits).loss_curve_)


def test_subclass_of_an_optimizer_keeps_what_its_constructor_sets(digits):
    @keras.saving.register_keras_serializable("skdigits tests")
    class Excluding(keras.optimizers.AdamW):
        def __init__(self, **params):
            super().__init__(**params)
            self.exclude_from_weight_decay(var_names=["kernel", "bias"])

    X, y = digits
    config = {"learning_rate": 0.01, "weight_decay": 5.0}
    solvers = [
        Excluding(**config),
        clone(DigitMLPClassifier(solver=Excluding(**config), random_state=0)).solver,
        keras.optimizers.Adam(0.01),
        keras.optimizers.AdamW(**config),
    ]
    losses = [
        DigitMLPClassifier(solver=solver, max_iter=3, random_state=0).fit(X, y).loss_
        for solver in solvers
    ]
    assert losses[:2] == pytest.approx([losses[2]] * 2, rel=1e-5)
    assert losses[3] > losses[2] * 1.1


def test_schedule_need_not_be_registered(digits):
    class Halving(keras.optimizers.schedules.LearningRateSchedule):
        def __init__(self, initial):
            self.initial = initial

        def __call__(self, step):
            return self.initial * 0.5 ** keras.ops.cast(step // 13, "float32")

        def get_config(self):
            return {}  # short of an argument, which training does not need

    class Fixed(Halving):
        def __call__(self, step):
            return self.initial

    X, y = digits
    decay = keras.optimizers.schedules.ExponentialDecay
    for initial in (0.1, 0.2):
        ours, theirs = (
            DigitMLPClassifier(solver=solver, max_iter=3, random_state=0).fit(X, y)
            for solver in (
                keras.optimizers.SGD(Halving(initial)),
                keras.optimizers.SGD(decay(initial, 13, 0.5, staircase=True)),
            )
        )
        assert ours.loss_curve_ == pytest.approx(theirs.loss_curve_, rel=1e-5)
    fixed = keras.optimizers.SGD(Fixed(0.1))  # gives a plain float
    DigitMLPClassifier(solver=fixed, max_iter=1, random_state=0).fit(X, y)


def test_optimizer_may_keep_its_learning_rate_elsewhere_too(digits):
    class Relative(keras.optimizers.SGD):
        def __init__(self, learning_rate, **params):
            super().__init__(learning_rate, **params)
            self.scale = learning_rate / 0.1

        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient * self.scale, variable, learning_rate)

    X, y = digits
    params = {"max_iter": 2, "random_state": 0}
    for rate in (0.1, 0.2):
        optimizer = keras.optimizers.SGD(rate * rate / 0.1)
        plain = DigitMLPClassifier(solver=optimizer, **params).fit(X, y)
        clf = DigitMLPClassifier(solver=Relative(rate), **params).fit(X, y)
        assert clf.loss_curve_ == pytest.approx(plain.loss_curve_, rel=1e-5)


@pytest.mark.parametrize("number", [np.float32, np.float64, np.array])
def test_settings_of_an_optimizer_may_be_numpy_numbers(digits, number):
    X, y = digits
    params = {"max_iter": 2, "random_state": 0}
    optimizer = keras.optimizers.Adam(0.01, beta_1=number(0.5))
    clf = DigitMLPClassifier(solver=optimizer, **params).fit(X, y)
    optimizer = keras.optimizers.Adam(0.01, beta_1=0.5)
    plain = DigitMLPClassifier(solver=optimizer, **params).fit(X, y)
    np.testing.assert_allclose(clf.coefs_[0], plain.coefs_[0], rtol=1e-5, atol=1e-6)


def test_learning_rate_of_to_keras_may_be_any_number(digits):
    for rate in (1, np.float32(0.5)):
        clf = DigitMLPClassifier(
            learning_rate_init=rate, max_iter=1, random_state=0
        ).fit(*digits)
        assert float(clf.to_keras().optimizer.learning_rate.numpy()) == rate


@pytest.mark.parametrize(
    ("before", "now", "fits"),
    [
        ("Adam", {"beta_1": 0.9}, True),
        ("Adam", {"beta_1": 0.5}, True),
        ("Adam", {"amsgrad": True}, False),
        ("SGD", {}, False),
    ],
)
def test_warm_start_goes_on_with_the_optimizer_or_warns(digits, before, now, fits):
    X, y = digits
    now = keras.optimizers.Adam(0.01, **now)
    solver = getattr(keras.optimizers, before)(0.01)
    params = {"solver": solver, "max_iter": 2, "random_state": 0}
    kept = DigitMLPClassifier(warm_start=True, **params).fit(X, y)
    match = "state of the optimizer (Adam|SGD) does not fit .*a new state"
    with contextlib.nullcontext() if fits else pytest.warns(UserWarning, match=match):
        kept.set_params(solver=now).fit(X, y)
    without = DigitMLPClassifier(**params).fit(X, y)
    without.set_params(solver=now, warm_start=True).fit(X, y)
    assert same_weights(kept, without) == (not fits)


def test_optimizer_may_follow_its_own_schedule(digits):
    X, y = digits
    decay = keras.optimizers.schedules.PiecewiseConstantDecay([13], [0.01, 0.0])
    optimizer = keras.optimizers.SGD(decay)
    curve = (
        DigitMLPClassifier(solver=optimizer, max_iter=4, shuffle=False, random_state=0)
        .fit(X, y)
        .loss_curve_
    )
    assert curve[0] > curve[1]
    assert curve[2] == pytest.approx(curve[3])
    with pytest.raises(ValueError, match="learning rate schedule"):
        DigitMLPClassifier(
            solver=optimizer, learning_rate="cosine", random_state=0
        ).fit(X, y)


class Rates(keras.callbacks.Callback):
    """Notes the learning rate before and after every epoch."""

    def __init__(self):
        super().__init__()
        self.before, self.after = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.before.append(float(self.model.optimizer.learning_rate.numpy()))

    def on_epoch_end(self, epoch, logs=None):
        self.after.append(float(self.model.optimizer.learning_rate.numpy()))


def test_constant_learning_rate_is_constant(digits):
    rates = Rates()
    DigitMLPClassifier(max_iter=3, callbacks=[rates], random_state=0).fit(*digits)
    np.testing.assert_allclose(rates.before + rates.after, 0.001)


def test_cosine_learning_rate_falls_to_zero_over_max_iter(digits):
    rates = Rates()
    DigitMLPClassifier(
        learning_rate="cosine",
        learning_rate_init=0.2,
        max_iter=50,
        batch_size=400,
        callbacks=[rates],
        random_state=0,
    ).fit(*digits)
    expected = 0.1 * (1 + np.cos(np.pi * np.arange(50) / 50))
    np.testing.assert_allclose(rates.after, expected, rtol=1e-5)


def test_invscaling_learning_rate_depends_on_the_rows_so_far(digits):
    rates = Rates()
    clf = DigitMLPClassifier(
        solver="sgd",
        learning_rate="invscaling",
        learning_rate_init=0.2,
        power_t=0.3,
        max_iter=3,
        callbacks=[rates],
        random_state=0,
    ).fit(*digits)
    clf.partial_fit(*digits)
    t = 400 * np.arange(4)
    np.testing.assert_allclose(rates.after, 0.2 / (t + 1) ** 0.3, rtol=1e-5)


def test_invscaling_learning_rate_is_constant_without_sgd(digits):
    rates = Rates()
    DigitMLPClassifier(
        learning_rate="invscaling", max_iter=3, callbacks=[rates], random_state=0
    ).fit(*digits)
    np.testing.assert_allclose(rates.after, 0.001)


def test_adaptive_learning_rate_is_divided_by_five(digits):
    rates = Rates()
    clf = DigitMLPClassifier(
        learning_rate="adaptive",
        learning_rate_init=0.1,
        tol=1e9,
        n_iter_no_change=2,
        callbacks=[rates],
        random_state=0,
    ).fit(*digits)
    # The first epoch improves on infinity, then each three are one too many.
    np.testing.assert_allclose(rates.after[:4], 0.1)
    np.testing.assert_allclose(rates.after[4:7], 0.02)
    assert rates.after[-1] < 1e-6
    assert clf.n_iter_ < 100


def test_learning_rate_set_by_a_callback_is_used(digits):
    X, y = digits
    stop = keras.callbacks.LearningRateScheduler(lambda epoch: 0.0 if epoch else 0.01)
    one = DigitMLPClassifier(
        max_iter=1, learning_rate_init=0.01, random_state=0, batch_size=400
    ).fit(X, y)
    # Adam with a rate of 0 moves nothing.
    three = DigitMLPClassifier(
        max_iter=3, callbacks=[stop], random_state=0, batch_size=400
    ).fit(X, y)
    assert same_weights(one, three)


# Stopping and validation


def test_without_tol_exactly_max_iter_epochs_are_trained(digits):
    clf = DigitMLPClassifier(max_iter=7, learning_rate_init=1e-20, random_state=0).fit(
        *digits
    )
    assert clf.n_iter_ == len(clf.loss_curve_) == 7


def test_early_stopping_keeps_the_best_weights_on_a_stratified_split():
    X, y = load_digits(return_X_y=True)
    params = {"early_stopping": True, "learning_rate_init": 0.01, "random_state": 0}
    clf = DigitMLPClassifier(max_iter=30, n_iter_no_change=5, **params).fit(X / 16, y)
    assert clf.n_iter_ < 30
    assert len(clf.validation_scores_) == clf.n_iter_
    assert clf.best_validation_score_ == max(clf.validation_scores_)
    assert clf.best_epoch_ == 1 + int(np.argmax(clf.validation_scores_))
    assert clf.best_epoch_ < clf.n_iter_
    assert clf.best_loss_ is None
    assert clf.t_ == clf.n_iter_ * 1617
    shorter = DigitMLPClassifier(max_iter=clf.best_epoch_, **params).fit(X / 16, y)
    assert same_weights(clf, shorter)


def test_passed_validation_data_is_scored_each_epoch(digits):
    X, y = digits
    clf = DigitMLPClassifier(max_iter=5, random_state=0)
    clf.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert clf.validation_scores_[-1] == clf.score(X[300:], y[300:])
    last = -clf.predict_log_proba(X[300:])[np.arange(100), y[300:]].mean()
    assert clf.validation_loss_curve_[-1] == pytest.approx(last, rel=1e-5)
    alone = DigitMLPClassifier(max_iter=5, random_state=0).fit(X[:300], y[:300])
    assert same_weights(clf, alone)
    assert alone.validation_scores_ is alone.validation_loss_curve_ is None


def test_early_stopping_uses_passed_validation_data(digits):
    X, y = digits
    clf = DigitMLPClassifier(
        early_stopping=True, learning_rate_init=0.02, n_iter_no_change=3, random_state=0
    ).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert clf.t_ == clf.n_iter_ * 300
    assert clf.n_iter_ < 100
    assert clf.score(X[300:], y[300:]) == clf.best_validation_score_


def test_average_of_the_weights_is_what_is_validated(digits):
    X, y = digits
    clf = DigitMLPClassifier(max_iter=4, ema=0.99, random_state=0)
    clf.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert clf.validation_scores_[-1] == clf.score(X[300:], y[300:])


def test_tol_stops_and_warns_as_scikit_learn_does(digits):
    clf = DigitMLPClassifier(tol=1e9, n_iter_no_change=4, max_iter=50, random_state=0)
    clf.fit(*digits)
    assert clf.n_iter_ == 6
    clf.set_params(n_iter_no_change=np.inf, max_iter=8)
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(8\) reached"):
        assert clf.fit(*digits).n_iter_ == 8
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(5\) reached"):
        DigitMLPClassifier(tol=1e-9, max_iter=5, random_state=0).fit(*digits)


# Going on


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"solver": "sgd", "batch_norm": True, "ema": 0.9},
        {"dropout": 0.2, "dtype": "float64"},
    ],
    ids=["plain", "norm-and-average", "dropout"],
)
def test_stopping_and_going_on_is_the_same_as_never_stopping(digits, params, tmp_path):
    X, y = digits
    params = {**params, "random_state": 0}
    straight = DigitMLPClassifier(max_iter=6, **params).fit(X, y)
    warm = DigitMLPClassifier(max_iter=3, warm_start=True, **params).fit(X, y)
    joblib.dump(warm, tmp_path / "warm.joblib")
    warm = joblib.load(tmp_path / "warm.joblib").fit(X, y)
    assert same_weights(straight, warm)
    assert warm.n_iter_ == 3
    assert warm.loss_curve_ == straight.loss_curve_
    assert warm.t_ == straight.t_
    partial = DigitMLPClassifier(**params)
    for _ in range(6):
        partial.partial_fit(X, y, classes=range(10))
    assert same_weights(straight, partial)


def test_partial_fit_goes_on_from_fit(digits):
    X, y = digits
    clf = DigitMLPClassifier(max_iter=30, batch_norm=True, random_state=0).fit(X, y)
    loss = clf.loss_
    clf.partial_fit(X, y)
    assert clf.n_iter_ == 1
    assert len(clf.loss_curve_) == 31
    assert clf.loss_ < 1.2 * loss


def test_partial_fit_learns_from_parts(digits):
    X, y = digits
    clf = DigitMLPClassifier(random_state=0, learning_rate_init=0.01)
    for _ in range(20):
        for rows in np.array_split(np.arange(len(y)), 4):
            clf.partial_fit(X[rows], y[rows], classes=np.arange(10))
    assert clf.score(X, y) > 0.95
    assert clf.t_ == 20 * len(y)


def test_without_warm_start_fit_begins_anew(digits):
    X, y = digits
    clf = DigitMLPClassifier(max_iter=3, random_state=0)
    first = [coef.copy() for coef in clf.fit(X, y).coefs_]
    again = clf.fit(X, y).coefs_
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len(clf.loss_curve_) == 3


@pytest.mark.changes("NumPy's random state")
def test_random_state_decides_everything(digits):
    X, y = digits
    params = {"max_iter": 3, "dropout": 0.1, "early_stopping": True}
    fits = [
        DigitMLPClassifier(random_state=state, **params).fit(X, y)
        for state in (0, 0, 1, None, None, np.random.RandomState(0))
    ]
    assert same_weights(fits[0], fits[1])
    assert same_weights(fits[0], fits[5])
    assert not same_weights(fits[0], fits[2])
    assert not same_weights(fits[3], fits[4])


def test_shuffle_takes_rows_in_another_order(digits):
    X, y = digits
    params = {"max_iter": 1, "random_state": 0, "batch_size": 8}
    shuffled = DigitMLPClassifier(shuffle=True, **params).fit(X, y)
    ordered = DigitMLPClassifier(shuffle=False, **params).fit(X, y)
    assert not same_weights(shuffled, ordered)


# Large and sparse data, which is handed over a chunk at a time


def wide_data():
    """20,000 images that differ in their first 150 pixels only, and their labels."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 20_000)
    X = np.zeros((20_000, 1024), dtype=np.uint8)
    X[np.arange(20_000), 50 * y + rng.integers(0, 50, 20_000)] = 255
    return X, y


def starting_at(coefs):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Dense(8, "relu")]
    model = keras.Sequential(
        [keras.Input((len(coefs[0]),)), *layers, keras.layers.Dense(3)]
    )
    model.set_weights([coefs[0], np.zeros(8), coefs[1], np.zeros(3)])
    clf = DigitMLPClassifier.from_keras(model)
    return clf.set_params(random_state=0, learning_rate_init=0.01, batch_size=500)


@pytest.mark.changes("Python's random state")  # Keras draws the seeds of layers
def test_large_data_trains_as_small_data_does():
    # As a whole the images are handed over in chunks; without the empty pixels they
    # are few enough to be held at once. Weights of empty pixels make no difference.
    X, y = wide_data()
    rng = np.random.default_rng(0)
    coefs = [rng.normal(0, 0.1, (1024, 8)), rng.normal(0, 0.1, (8, 3))]
    large = starting_at(coefs).partial_fit(X, y)
    small = starting_at([coefs[0][:150], coefs[1]]).partial_fit(X[:, :150], y)
    np.testing.assert_allclose(large.coefs_[0][:150], small.coefs_[0], atol=1e-5)
    np.testing.assert_array_equal(large.coefs_[0][150:], coefs[0][150:].astype("f4"))


@pytest.mark.parametrize("kind", ["float32", "int16", "sparse", "memmap"])
def test_images_of_any_kind_train_the_same(kind, tmp_path):
    X, y = wide_data()
    if kind == "sparse":
        other = csr_matrix(X)
    elif kind == "memmap":
        other = np.memmap(tmp_path / "X", dtype=np.uint8, mode="w+", shape=X.shape)
        other[:] = X
    else:
        other = X.astype(kind)
    params = {
        "rescale": 1 / 255,
        "learning_rate_init": 0.02,
        "max_iter": 2,
        "batch_size": 500,
        "random_state": 0,
    }
    clf = DigitMLPClassifier((8, 8), **params).fit(X, y)
    clf_other = DigitMLPClassifier((8, 8), **params).fit(other, y)
    assert clf.score(X, y) > 0.95
    np.testing.assert_allclose(clf.coefs_[0], clf_other.coefs_[0], atol=1e-5)
    np.testing.assert_allclose(
        clf.predict_proba(X), clf_other.predict_proba(other), atol=1e-5
    )


# Callbacks


class Journal(keras.callbacks.Callback):
    """Notes what is called, with which model and logs."""

    def __init__(self):
        super().__init__()
        self.calls, self.logs, self.kinds = [], [], set()

    def note(self, name):
        self.calls.append(name)
        self.kinds.add(type(self.model))

    def on_train_begin(self, logs=None):
        self.note("train begins")

    def on_epoch_begin(self, epoch, logs=None):
        self.note(f"{epoch} begins")

    def on_epoch_end(self, epoch, logs=None):
        self.note(f"{epoch} ends")
        self.logs.append(dict(logs))

    def on_train_end(self, logs=None):
        self.note("train ends")


def test_callbacks_are_called_once_an_epoch_with_an_ordinary_model(digits):
    X, y = digits
    journal = Journal()
    clf = DigitMLPClassifier(max_iter=2, callbacks=[journal], random_state=0)
    clf.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert journal.calls == [
        "train begins",
        "0 begins",
        "0 ends",
        "1 begins",
        "1 ends",
        "train ends",
    ]
    assert journal.kinds == {keras.Sequential}
    assert [log["loss"] for log in journal.logs] == clf.loss_curve_
    assert all(0 < log["accuracy"] < 1 for log in journal.logs)
    assert [log["val_accuracy"] for log in journal.logs] == clf.validation_scores_
    assert [log["val_loss"] for log in journal.logs] == clf.validation_loss_curve_
    assert journal.model is None


def test_keras_early_stopping_restores_its_weights(digits):
    X, y = digits
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=2, restore_best_weights=True
    )
    clf = DigitMLPClassifier(
        learning_rate_init=0.05, callbacks=[stopping], random_state=0
    ).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert clf.n_iter_ < 100
    best = -clf.predict_log_proba(X[300:])[np.arange(100), y[300:]].mean()
    assert best == pytest.approx(min(clf.validation_loss_curve_), rel=1e-5)


@pytest.mark.parametrize("n_classes", [2, 10])
def test_callbacks_get_the_accuracy(digits, n_classes):
    X, y = digits[0], digits[1] % n_classes
    journal = Journal()
    # A rate so small that the weights hardly change within an epoch.
    params = {"learning_rate_init": 1e-9, "random_state": 0, "max_iter": 1}
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    clf = DigitMLPClassifier(callbacks=[journal], **params).fit(X, y, weight)
    expected = clf.score(X, y, sample_weight=weight)
    assert journal.logs[0]["accuracy"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("monitor", ["accuracy", "val_accuracy"])
def test_callbacks_monitor_the_accuracy(digits, monitor, tmp_path):
    X, y = digits
    journal = Journal()
    callbacks = [
        journal,
        keras.callbacks.EarlyStopping(monitor, patience=2),
        keras.callbacks.ReduceLROnPlateau(monitor, patience=1),
        keras.callbacks.ModelCheckpoint(
            tmp_path / "best.keras", monitor=monitor, save_best_only=True
        ),
    ]
    clf = DigitMLPClassifier(
        learning_rate_init=0.01, callbacks=callbacks, random_state=0
    ).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    values = [log[monitor] for log in journal.logs]
    assert clf.n_iter_ < 100
    assert np.argmax(values) == len(values) - 3
    best = keras.models.load_model(tmp_path / "best.keras")
    if monitor == "val_accuracy":
        _, accuracy = best.evaluate(X[300:], y[300:], verbose=0)
        assert accuracy == pytest.approx(max(values))


def test_checkpoint_of_a_callback_is_a_keras_model(digits, tmp_path):
    X, y = digits
    path = tmp_path / "model.keras"
    checkpoint = keras.callbacks.ModelCheckpoint(path, verbose=0)
    clf = DigitMLPClassifier(max_iter=2, callbacks=[checkpoint], random_state=0).fit(
        X, y
    )
    model = keras.models.load_model(path)
    np.testing.assert_allclose(
        model.predict(X, verbose=0), clf.decision_function(X), atol=1e-5
    )


def test_verbose_shows_a_bar_on_standard_error(digits, capsys):
    DigitMLPClassifier(max_iter=2, verbose=1, random_state=0).fit(*digits)
    out, err = capsys.readouterr()
    assert out == ""
    assert "2/2" in err
    assert "loss=" in err
    DigitMLPClassifier(max_iter=2, random_state=0).fit(*digits)
    assert capsys.readouterr() == ("", "")
