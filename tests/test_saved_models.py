"""Saved classifiers: what a file holds, and what comes out of it again."""

import copy
import io
import pickle
from types import NoneType

import cloudpickle
import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from utils import run_python

import skdigits
from skdigits import DigitMLPClassifier

OURS = {"skdigits.DigitMLPClassifier"}


def through_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


def through_pickle(model):
    return pickle.loads(pickle.dumps(model))


def through_cloudpickle(model):
    return cloudpickle.loads(cloudpickle.dumps(model))


def through_skops(model):
    # Nothing is trusted but the classifier itself.
    return skops.io.loads(skops.io.dumps(model), trusted=sorted(OURS))


WAYS = [
    through_joblib,
    through_pickle,
    through_cloudpickle,
    through_skops,
    copy.deepcopy,
]


def quick(**params):
    return DigitMLPClassifier(
        **{"max_iter": 3, "learning_rate_init": 0.01, "random_state": 0, **params}
    )


PARAMETERS = {
    "plain": {},
    "batch_norm": {"batch_norm": True, "dropout": (0.1, 0.0, 0.2)},
    "float64": {"dtype": "float64", "rescale": 1 / 16, "activation": "tanh"},
    "early_stopping": {"early_stopping": True, "max_iter": 30},
    "class_weight": {"class_weight": {0: 2.0, 1: 0.5}, "hidden_layer_sizes": [9, 7]},
    "numpy parameters": {
        "hidden_layer_sizes": np.array([9, 7]),
        "alpha": np.float64(0.01),
        "batch_size": np.int64(50),
    },
    "random state": {"random_state": np.random.RandomState(0), "warm_start": True},
    "warm_start": {"warm_start": True, "ema": 0.9, "learning_rate": "adaptive"},
    "warm_start with norms": {"warm_start": True, "batch_norm": True, "solver": "sgd"},
}


@pytest.fixture(scope="module")
def plain(digits):
    return quick().fit(*digits)


@pytest.fixture(scope="module", params=PARAMETERS)
def fitted(request, digits):
    return quick(**copy.deepcopy(PARAMETERS[request.param])).fit(*digits)


def assert_same_state(actual, expected):
    assert type(actual) is type(expected)
    if isinstance(expected, dict):
        assert actual.keys() == expected.keys()
        for key in expected:
            assert_same_state(actual[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_same_state(one, other)
    elif isinstance(expected, np.random.RandomState):
        assert_same_state(actual.get_state(), expected.get_state())
    else:
        assert getattr(actual, "dtype", None) == getattr(expected, "dtype", None)
        np.testing.assert_array_equal(actual, expected)


# Every way of saving


@pytest.mark.parametrize("through", WAYS)
def test_all_there_is_comes_out_again(fitted, digits, through):
    loaded = through(fitted)
    assert_same_state(vars(loaded), vars(fitted))
    np.testing.assert_array_equal(
        loaded.predict_proba(digits[0]), fitted.predict_proba(digits[0])
    )


def test_arrays_can_stay_on_disk(fitted, digits, tmp_path):
    joblib.dump(fitted, tmp_path / "clf.joblib")
    loaded = joblib.load(tmp_path / "clf.joblib", mmap_mode="r")
    assert isinstance(loaded.coefs_[0], np.memmap)
    P = loaded.predict_proba(digits[0])
    np.testing.assert_array_equal(P, fitted.predict_proba(digits[0]))
    loaded.fit(*digits)


def test_two_classes_of_strings_in_a_pipeline(digits):
    X, y = digits
    model = make_pipeline(StandardScaler(), quick()).fit(X, np.where(y < 5, "low", "é"))
    for through in WAYS:
        np.testing.assert_array_equal(through(model).predict(X), model.predict(X))


@pytest.mark.parametrize("through", WAYS)
def test_a_classifier_that_is_not_fitted(digits, through):
    clf = through(quick(alpha=0.5))
    assert clf.get_params() == quick(alpha=0.5).get_params()
    with pytest.raises(NotFittedError):
        clf.predict(digits[0])


@pytest.mark.parametrize(
    "name", ["warm_start", "warm_start with norms", "random state"]
)
def test_resumed_training_is_that_of_the_original(digits, name):
    # All that is saved comes out of every way of saving; see above.
    clf = quick(**copy.deepcopy(PARAMETERS[name])).fit(*digits)
    loaded = through_skops(clf)
    assert_same_state(vars(loaded.fit(*digits)), vars(clf.fit(*digits)))


def test_training_a_copy_leaves_the_original_alone(digits):
    clf = quick(warm_start=True).fit(*digits)
    before = through_pickle(clf)
    copy.deepcopy(clf).fit(*digits)
    copy.copy(clf).fit(*digits)
    assert_same_state(vars(clf), vars(before))


def test_clone_is_not_fitted_and_fits_the_same(digits):
    clf = quick(warm_start=True).fit(*digits)
    cloned = clone(through_pickle(clf))
    assert not hasattr(cloned, "coefs_")
    assert_same_state(cloned.fit(*digits).coefs_, clf.coefs_)


# What a file holds


def test_state_is_arrays_and_plain_values(fitted):
    state = {k: v for k, v in vars(fitted).items() if k not in fitted.get_params()}
    plain = int, float, str, bool, NoneType

    def check(name, value):
        if isinstance(value, dict | list | tuple):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in items:
                check(f"{name}.{key}", item)
        elif isinstance(value, np.ndarray):
            assert value.dtype.kind in "fiuU", name
        else:
            assert type(value) in plain, (name, type(value))

    check("state", state)


def size_and_limit(clf):
    file = io.BytesIO()
    joblib.dump(clf, file)
    weights = sum(array.nbytes for array in clf.coefs_ + clf.intercepts_)
    return file.tell(), 1.1 * weights + 8192


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"batch_norm": True, "hidden_layer_sizes": (300, 200)},
        {"max_iter": 40, "early_stopping": True, "n_iter_no_change": 40},
        {"dtype": "float64", "ema": 0.9, "solver": "adamw"},
    ],
)
def test_a_file_is_as_large_as_the_weights(digits, params):
    clf = quick(**params).fit(*digits)
    size, limit = size_and_limit(clf)
    assert size <= limit
    size_again, _ = size_and_limit(through_pickle(clf))
    assert size_again <= limit


def test_the_optimizer_is_kept_only_where_training_is_resumed(digits):
    clf = quick(hidden_layer_sizes=(200,), warm_start=True).fit(*digits)
    size, limit = size_and_limit(clf)
    assert size > limit
    size, limit = size_and_limit(clf.set_params(warm_start=False).fit(*digits))
    assert size <= limit
    size, limit = size_and_limit(clf.partial_fit(*digits))
    assert size > limit


def test_a_file_of_what_keras_trained(plain):
    clf = DigitMLPClassifier.from_keras(plain.to_keras())
    size, limit = size_and_limit(clf)
    assert size <= limit
    assert_same_state(vars(through_skops(clf)), vars(clf))


# skops


def test_skops_has_only_the_classifier_to_trust(fitted):
    for model in (fitted, make_pipeline(StandardScaler(), fitted)):
        untrusted = skops.io.get_untrusted_types(data=skops.io.dumps(model))
        assert set(untrusted) == OURS


def test_skops_loads_nothing_that_is_not_trusted(plain):
    with pytest.raises(skops.io.exceptions.UntrustedTypesFoundException):
        skops.io.loads(skops.io.dumps(plain))


# Keras objects as parameters


def test_keras_objects_are_pickled_and_go_on(digits):
    import keras

    optimizer = keras.optimizers.RMSprop(0.01)
    callbacks = [keras.callbacks.History()]
    clf = quick(solver=optimizer, callbacks=callbacks, warm_start=True).fit(*digits)
    loaded = through_pickle(clf)
    assert loaded.solver.get_config() == optimizer.get_config()
    assert loaded.callbacks[0].history == callbacks[0].history
    assert_same_state(loaded.fit(*digits).coefs_, clf.fit(*digits).coefs_)


def test_callbacks_are_left_out_by_hand_for_skops(digits):
    import keras

    clf = quick(callbacks=[keras.callbacks.History()]).fit(*digits)
    untrusted = skops.io.get_untrusted_types(data=skops.io.dumps(clf))
    assert set(untrusted) - OURS
    clf.set_params(callbacks=None)
    np.testing.assert_array_equal(
        through_skops(clf).predict(digits[0]), clf.predict(digits[0])
    )


def test_cloudpickle_takes_a_local_callback_to_another_process(digits, tmp_path):
    import keras

    class Notebook(keras.callbacks.Callback):
        epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epochs += 1

    X, _ = digits
    clf = quick(callbacks=[Notebook()]).fit(*digits)
    (tmp_path / "clf.pickle").write_bytes(cloudpickle.dumps(clf))
    np.savez(tmp_path / "data.npz", X=X, P=clf.predict_proba(X))
    code = """
import pickle, sys
import numpy as np
clf = pickle.load(open("clf.pickle", "rb"))
data = np.load("data.npz")
np.testing.assert_allclose(clf.predict_proba(data["X"]), data["P"], atol=1e-5)
clf.callbacks[0].on_epoch_end(3)
assert clf.callbacks[0].epochs == 4
"""
    run_python("-c", code, cwd=tmp_path)


# Formats


def test_a_file_says_what_wrote_it(plain):
    state = plain.__getstate__()
    assert state["_skdigits_version"] == skdigits.__version__
    assert state["_skdigits_format"] == 1
    loaded = through_pickle(plain)
    assert not [name for name in vars(loaded) if "skdigits" in name]


@pytest.mark.parametrize("through", [through_pickle, through_joblib, through_skops])
def test_a_newer_format_is_warned_of(plain, digits, monkeypatch, through):
    newer = {"_skdigits_format": 7, "_skdigits_version": "9.9.0"}
    monkeypatch.setattr("skdigits._classifier.version_stamp", lambda: newer)
    match = "by skdigits 9.9.0 in format 7.*knows formats up to 1.*Upgrade skdigits"
    with pytest.warns(UserWarning, match=match):
        loaded = through(plain)
    np.testing.assert_array_equal(loaded.predict(digits[0]), plain.predict(digits[0]))


def test_parts_that_do_not_fit_together_are_refused(plain):
    damaged = copy.copy(plain)
    damaged.classes_ = plain.classes_[:9]
    with pytest.raises(ValueError, match=r"Cannot load this.*its classes are"):
        through_pickle(damaged)
