"""The compiled training, held against plain Keras and against worked examples."""

import gc
from contextlib import nullcontext

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from tensorflow.python.eager.context import context
from tensorflow.python.framework.func_graph import FuncGraph

from skdigits import DigitMLPClassifier, fit_together
from skdigits._training.program_cache import programs

# Keras draws the seeds of a model's layers.
pytestmark = pytest.mark.changes("Python's random state")


def test_worked_example():
    # scikit-learn's example of one step of gradient descent, worked out by hand in
    # sklearn/neural_network/tests/test_mlp.py, from the same starting weights.
    X = np.array([[0.6, 0.8, 0.7]])
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(2, "sigmoid", dtype="float64"),
            keras.layers.Dense(1, dtype="float64"),
        ]
    )
    model.set_weights(
        [
            np.array([[0.1, 0.2], [0.3, 0.1], [0.5, 0]]),
            np.array([0.1, 0.1]),
            np.array([[0.1], [0.2]]),
            np.array([1.0]),
        ]
    )
    clf = DigitMLPClassifier.from_keras(model)
    clf.set_params(solver=keras.optimizers.SGD(0.1), alpha=0.1, random_state=0)
    clf.partial_fit(X, [0])
    expected = [[0.098, 0.195756], [0.2956664, 0.096008], [0.4939998, -0.002244]]
    np.testing.assert_allclose(clf.coefs_[0], expected, atol=5e-4)
    np.testing.assert_allclose(clf.coefs_[1], [[0.04706], [0.154089]], atol=5e-4)
    np.testing.assert_allclose(clf.intercepts_[0], [0.098333, 0.09626], atol=5e-4)
    np.testing.assert_allclose(clf.intercepts_[1], [0.9235], atol=5e-4)
    assert clf.predict_proba(X)[0, 1] == pytest.approx(0.739, abs=5e-4)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_trains_as_keras_does_on_the_same_batches(digits, solver, compiled, request):
    # float64, so that rounding cannot hide a difference; 400 rows are 13 batches,
    # the last one partial.
    n_epochs = 4
    if compiled:
        request.getfixturevalue("compile_all")
    X, y = digits
    X = X.astype(np.float64)
    params = {"solver": solver, "shuffle": False, "random_state": 0}
    start = DigitMLPClassifier(max_iter=1, learning_rate_init=1e-300, **params)
    model = start.fit(X, y).to_keras()
    clf = DigitMLPClassifier(max_iter=n_epochs, **params).fit(X, y)
    assert {"adam": "Adam", "sgd": "SGD"}[solver] == type(model.optimizer).__name__
    model.optimizer.learning_rate.assign(0.001)
    batches = tf.data.Dataset.from_tensor_slices((X, y)).batch(32)
    history = model.fit(batches, epochs=n_epochs, shuffle=False, verbose=0)
    np.testing.assert_allclose(clf.loss_curve_, history.history["loss"], rtol=1e-6)


OPTIMIZERS = {
    "Adadelta": {"learning_rate": 1.0},
    "Adagrad": {},
    "Adam": {"amsgrad": True, "weight_decay": 1e-3},
    "AdamW": {"global_clipnorm": 1.0},
    "Adamax": {},
    "Ftrl": {"learning_rate": 0.1},
    "Lamb": {},  # treats each variable by itself
    "Lion": {"clipvalue": 0.1},
    "Nadam": {},
    "RMSprop": {"momentum": 0.9, "centered": True, "loss_scale_factor": 100.0},
    "SGD": {"momentum": 0.9, "clipnorm": 1.0},  # as does clipping each
    "ScheduleFreeAdamW": {"loss_scale_factor": 100.0},  # starts from the weights
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_keras_optimizer_trains_as_keras_does_and_resumes(digits, name):
    if not hasattr(keras.optimizers, name):
        pytest.skip(f"this Keras has no {name}")
    X, y = digits
    X = X.astype(np.float64)
    config = {"learning_rate": 0.01, **OPTIMIZERS[name]}

    def make(**params):
        solver = getattr(keras.optimizers, name)(**config)
        return DigitMLPClassifier(
            solver=solver, shuffle=False, random_state=0, **params
        )

    straight = make(max_iter=4).fit(X, y)
    still = DigitMLPClassifier(
        max_iter=1, learning_rate_init=1e-300, shuffle=False, random_state=0
    )
    model = still.fit(X, y).to_keras()
    optimizer = getattr(keras.optimizers, name)(**config)
    # `fit` builds it where what it copies of the weights does not come in.
    optimizer.build(model.trainable_variables)
    model.compile(
        optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    batches = tf.data.Dataset.from_tensor_slices((X, y)).batch(32)
    history = model.fit(batches, epochs=4, shuffle=False, verbose=0)
    np.testing.assert_allclose(straight.loss_curve_, history.history["loss"], 1e-5)

    # A callback, even if it does nothing, has the model brought up to date.
    watched = make(max_iter=2, warm_start=True, callbacks=[keras.callbacks.Callback()])
    watched = watched.fit(X, y).set_params(callbacks=None).fit(X, y)
    for a, b in zip(straight.coefs_, watched.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(not hasattr(keras.optimizers, "Muon"), reason="no Muon here")
def test_muon_trains_in_double_precision(digits):
    # Which Keras's own `fit` cannot do, nor check.
    X, y = digits
    single, double = (
        DigitMLPClassifier(
            solver=keras.optimizers.Muon(0.01), dtype=dtype, max_iter=3, random_state=0
        ).fit(X, y)
        for dtype in ("float32", "float64")
    )
    assert double.coefs_[0].dtype == np.float64
    np.testing.assert_allclose(double.loss_curve_, single.loss_curve_, rtol=1e-3)


def test_watched_or_not_the_weights_are_the_same(digits, compile_all):
    # Without a callback, several epochs are trained in one call.
    X, y = digits
    params = {"max_iter": 20, "random_state": 0}
    alone = DigitMLPClassifier(**params).fit(X, y)
    watched = DigitMLPClassifier(**params, callbacks=[keras.callbacks.Callback()])
    watched.fit(X, y, X_val=X[:10], y_val=y[:10])
    assert alone.loss_curve_ == watched.loss_curve_
    for a, b in zip(alone.coefs_, watched.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


# Keras seeds all generators at once.
@pytest.mark.changes("NumPy's random state")
def test_is_as_accurate_as_plain_keras():
    keras.utils.set_random_seed(0)
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, stratify=y, random_state=0
    )
    clf = DigitMLPClassifier(max_iter=20, random_state=0).fit(X_train, y_train)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(25, "relu"),
            keras.layers.Dense(15, "relu"),
            keras.layers.Dense(10),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.001),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    history = model.fit(X_train, y_train, epochs=20, batch_size=32, verbose=0)
    hits = model.predict(X_test, verbose=0).argmax(axis=1) == y_test
    # 360 digits leave a standard error of about 1.3 points on each side.
    assert clf.score(X_test, y_test) > hits.mean() - 0.04
    assert clf.loss_ == pytest.approx(history.history["loss"][-1], rel=0.3)


@pytest.mark.parametrize("together", [False, True])
def test_programs_that_are_no_longer_kept_are_freed(digits, monkeypatch, together):
    monkeypatch.setattr(programs, "max_size", 1)
    counts = []
    for width in (5, 6):
        clf = DigitMLPClassifier((width,), max_iter=1, random_state=0)
        if together:
            sizes = {"hidden_layer_sizes": [(width,), (4,)]}
            clf = GridSearchCV(clf, sizes, cv=2, refit=False)
        with fit_together() if together else nullcontext():
            clf.fit(*digits)
        gc.collect()
        n_graphs = list(map(type, gc.get_objects())).count(FuncGraph)
        counts.append((n_graphs, len(context().list_function_names())))
    assert counts[0] == counts[1]
