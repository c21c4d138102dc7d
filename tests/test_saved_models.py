"""Saved classifiers: what a file holds, and what comes out of it again."""

import copy
import io
import pickle
import subprocess
import sys
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

from skdigits import DigitMLPClassifier

OURS = {"skdigits._classifier.DigitMLPClassifier"}


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


@pytest.mark.parametrize("through", WAYS)
def test_two_classes_of_strings_in_a_pipeline(digits, through):
    X, y = digits
    model = make_pipeline(StandardScaler(), quick()).fit(X, np.where(y < 5, "low", "é"))
    np.testing.assert_array_equal(through(model).predict(X), model.predict(X))


@pytest.mark.parametrize("through", WAYS)
def test_a_classifier_that_is_not_fitted(digits, through):
    clf = through(quick(alpha=0.5))
    assert clf.get_params() == quick(alpha=0.5).get_params()
    with pytest.raises(NotFittedError):
        clf.predict(digits[0])


@pytest.mark.parametrize("through", WAYS)
@pytest.mark.parametrize(
    "name", ["warm_start", "warm_start with norms", "random state"]
)
def test_going_on_is_never_having_stopped(digits, through, name):
    clf = quick(**copy.deepcopy(PARAMETERS[name])).fit(*digits)
    loaded = through(clf)
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


def size_and_limit(clf, dump):
    file = io.BytesIO()
    dump(clf, file)
    weights = sum(array.nbytes for array in clf.coefs_ + clf.intercepts_)
    return file.tell(), 1.1 * weights + 8192


@pytest.mark.parametrize("dump", [joblib.dump, pickle.dump])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"hidden_layer_sizes": (300, 200)},
        {"batch_norm": True, "hidden_layer_sizes": (300, 200)},
        {"max_iter": 100, "early_stopping": True, "n_iter_no_change": 100},
        {"dtype": "float64", "ema": 0.9, "solver": "adamw"},
    ],
)
def test_a_file_is_as_large_as_the_weights(digits, dump, params):
    clf = quick(**params).fit(*digits)
    size, limit = size_and_limit(clf, dump)
    assert size <= limit
    size_again, _ = size_and_limit(through_pickle(clf), dump)
    assert size_again <= limit


def test_the_optimizer_is_kept_only_where_training_is_resumed(digits):
    clf = quick(hidden_layer_sizes=(200,), warm_start=True).fit(*digits)
    size, limit = size_and_limit(clf, joblib.dump)
    assert size > limit
    size, limit = size_and_limit(
        clf.set_params(warm_start=False).fit(*digits), joblib.dump
    )
    assert size <= limit
    size, limit = size_and_limit(clf.partial_fit(*digits), joblib.dump)
    assert size > limit


def test_a_file_of_what_keras_trained(digits):
    keras_model = quick(hidden_layer_sizes=(100,)).fit(*digits).to_keras()
    clf = DigitMLPClassifier.from_keras(keras_model)
    size, limit = size_and_limit(clf, joblib.dump)
    assert size <= limit
    assert_same_state(vars(through_skops(clf)), vars(clf))


# skops


def test_skops_has_only_the_classifier_to_trust(fitted):
    for model in (fitted, make_pipeline(StandardScaler(), fitted)):
        untrusted = skops.io.get_untrusted_types(data=skops.io.dumps(model))
        assert set(untrusted) == OURS


def test_skops_loads_nothing_that_is_not_trusted(fitted):
    with pytest.raises(skops.io.exceptions.UntrustedTypesFoundException):
        skops.io.loads(skops.io.dumps(fitted))


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

    X, y = digits
    clf = quick(callbacks=[Notebook()]).fit(X, y)
    (tmp_path / "clf.pickle").write_bytes(cloudpickle.dumps(clf))
    np.savez(tmp_path / "data.npz", X=X, y=y, P=clf.predict_proba(X))
    code = """
import pickle, sys
import numpy as np
clf = pickle.load(open("clf.pickle", "rb"))
data = np.load("data.npz")
np.testing.assert_array_equal(clf.predict_proba(data["X"]), data["P"])
clf.fit(data["X"], data["y"])
assert clf.callbacks[0].epochs == 6
np.testing.assert_array_equal(clf.predict_proba(data["X"]), data["P"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stderr.decode()


# Formats


@pytest.fixture
def saved(digits):
    """A fitted classifier's state, as it is saved."""
    return quick().fit(*digits).__getstate__()


def loaded_from(state):
    clf = DigitMLPClassifier.__new__(DigitMLPClassifier)
    clf.__setstate__(state)
    return clf


def test_a_file_says_what_wrote_it(saved):
    import skdigits

    assert saved["_skdigits_version"] == skdigits.__version__
    assert saved["_skdigits_format"] == 1
    assert not [name for name in vars(loaded_from(saved)) if "skdigits" in name]


@pytest.mark.parametrize("through", [through_pickle, through_joblib, through_skops])
def test_a_newer_format_is_warned_of(digits, monkeypatch, through):
    newer = {"_skdigits_format": 7, "_skdigits_version": "9.9.0"}
    clf = quick().fit(*digits)
    monkeypatch.setattr("skdigits._classifier.stamp", lambda: newer)
    match = "by skdigits 9.9.0 in format 7.*knows formats up to 1.*Upgrade skdigits"
    with pytest.warns(UserWarning, match=match):
        loaded = through(clf)
    np.testing.assert_array_equal(loaded.predict(digits[0]), clf.predict(digits[0]))


DAMAGE = {
    "format": ({"_skdigits_format": "1"}, "its format is '1'"),
    "no weights": ({"coefs_": []}, "coefs_ and intercepts_"),
    "layers": ({"coefs_": [np.zeros((64, 25), "f4")]}, "same length"),
    "tuple": ({"coefs_": ()}, "coefs_ and intercepts_"),
    "features": ({"n_features_in_": 65}, r"shape \(64, 25\) where \(65, 25\) fits"),
    "outputs": ({"n_outputs_": 9}, "9 outputs"),
    "no outputs": ({"n_outputs_": []}, "outputs"),
    "output activation": ({"out_activation_": "logistic"}, "outputs"),
    "classes": ({"classes_": np.arange(9)}, "its classes are"),
    "list of classes": ({"classes_": list(range(10))}, "its classes are"),
    "activation": ({"_activation": "rely"}, "its activation is 'rely'"),
    "no activation": ({"_activation": []}, "its activation is"),
    "rescale": ({"_rescale": -1.0}, "its rescale is -1.0"),
    "training": ({"_training_state": {"seed": 0}}, "_training_state"),
}


@pytest.mark.parametrize(("changes", "message"), DAMAGE.values(), ids=DAMAGE)
def test_parts_that_do_not_fit_together_are_refused(saved, changes, message):
    with pytest.raises(ValueError, match=f"Cannot load this.*{message}"):
        loaded_from({**saved, **changes})


@pytest.mark.parametrize("name", ["intercepts_", "classes_", "_activation"])
def test_a_missing_part_is_named(saved, name):
    del saved[name]
    with pytest.raises(ValueError, match=f"Cannot load this.*{name}"):
        loaded_from(saved)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda array: array.astype("f2"), "dtype float16"),
        (lambda array: array.astype("f8"), "dtype float64"),
        (lambda array: array[0], "dimensions"),
        (lambda array: array.tolist(), "dimensions"),
        (lambda array: array * np.float32(np.nan), "not finite"),
    ],
)
@pytest.mark.parametrize("name", ["coefs_", "intercepts_"])
def test_spoiled_weights_are_refused(saved, name, spoil, message):
    saved[name] = [*saved[name][:-1], spoil(saved[name][-1])]
    with pytest.raises(ValueError, match=f"Cannot load this.*{name}.*{message}"):
        loaded_from(saved)
