"""Fitted classifiers as Keras models, and Keras models as fitted classifiers."""

import keras
import numpy as np
import pytest
from sklearn.metrics import get_scorer

from skdigits import DigitMLPClassifier

# Keras draws the seeds of a model's layers.
pytestmark = pytest.mark.changes("Python's random state")


def outputs(model, X):
    """The outputs of `model.predict`, without compiling a function for it."""
    return keras.ops.convert_to_numpy(model(X, training=False))


@pytest.fixture(scope="module")
def many_classes(digits):
    X, y = digits
    return X, np.array([f"digit {label}" for label in y])


@pytest.mark.parametrize(
    ("activation", "batch_norm", "rescale"),
    [
        ("relu", False, None),
        ("tanh", True, None),
        ("logistic", True, 1 / 255),
        ("identity", False, 1 / 255),
    ],
)
def test_to_keras_predicts_the_same(many_classes, activation, batch_norm, rescale):
    X, y = many_classes
    if rescale is not None:
        X = (255 * X).astype(np.uint8)
    clf = DigitMLPClassifier(
        activation=activation,
        batch_norm=batch_norm,
        rescale=rescale,
        learning_rate_init=0.01,
        max_iter=5,
        random_state=0,
    ).fit(X, y)
    Z = clf.decision_function(X)
    keras_Z = outputs(clf.to_keras(), X.astype(np.float32))
    assert Z.dtype == np.float32
    np.testing.assert_allclose(Z, keras_Z, atol=1e-6 * np.abs(Z).max())
    keras_P = keras.ops.softmax(keras_Z).numpy()
    np.testing.assert_allclose(clf.predict_proba(X), keras_P, atol=1e-6)
    np.testing.assert_array_equal(clf.classes_[keras_P.argmax(axis=1)], clf.predict(X))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_to_keras_of_dtype_float64(many_classes, batch_norm):
    X, y = many_classes
    clf = DigitMLPClassifier(
        batch_norm=batch_norm, dtype="float64", max_iter=5, random_state=0
    ).fit(X, y)
    keras_Z = outputs(clf.to_keras(), X.astype(np.float64))
    np.testing.assert_allclose(clf.decision_function(X), keras_Z, atol=1e-12)


def test_to_keras_is_saved_and_trained_further(digits, tmp_path):
    X, y = digits
    clf = DigitMLPClassifier(
        batch_norm=True, dropout=0.1, rescale=2.0, max_iter=5, random_state=0
    ).fit(X, y)
    model = clf.to_keras()
    kinds = {type(layer).__name__ for layer in model.layers}
    assert kinds == {
        "Activation",
        "BatchNormalization",
        "Dense",
        "Dropout",
        "Rescaling",
    }
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(outputs(loaded, X), outputs(model, X))
    before, _ = model.evaluate(X, y, verbose=0)
    model.fit(X, y, epochs=3, verbose=0)
    after, _ = model.evaluate(X, y, verbose=0)
    assert after < before


def test_to_keras_of_two_classes_has_one_logit(digits):
    X, y = digits
    X, y = X[y < 2], y[y < 2]
    clf = DigitMLPClassifier(max_iter=20, random_state=0).fit(X, y)
    model = clf.to_keras()
    np.testing.assert_allclose(
        outputs(model, X)[:, 0], clf.decision_function(X), atol=1e-5
    )
    _, accuracy = model.evaluate(X, y, verbose=0)
    assert accuracy == pytest.approx(clf.score(X, y))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_to_keras_and_from_keras(digits, batch_norm):
    X, y = digits
    clf = DigitMLPClassifier(
        (20, 10),
        activation="tanh",
        batch_norm=batch_norm,
        rescale=0.5,
        max_iter=5,
        random_state=0,
    ).fit(X, y)
    back = DigitMLPClassifier.from_keras(clf.to_keras())
    np.testing.assert_allclose(back.predict_proba(X), clf.predict_proba(X), atol=1e-6)
    assert back.hidden_layer_sizes == (20, 10)
    assert (back.activation, back.rescale) == ("tanh", 0.5)


LAYERS = keras.layers
NETWORKS = {
    "reference script": [LAYERS.Dense(9, "relu"), LAYERS.Dense(8, "relu")],
    "flatten first": [LAYERS.Flatten(), LAYERS.Dense(9, "relu")],
    "activation layers": [LAYERS.Dense(9), LAYERS.Activation("tanh")],
    "ReLU layer": [LAYERS.Dense(9), LAYERS.ReLU(), LAYERS.Dropout(0.5)],
    "norm before": [
        LAYERS.Dense(9, use_bias=False),
        LAYERS.BatchNormalization(),
        LAYERS.Activation("relu"),
    ],
    "norm after": [LAYERS.Dense(9, "sigmoid"), LAYERS.BatchNormalization()],
    "norm first": [LAYERS.BatchNormalization(), LAYERS.Dense(9, "relu")],
    "rescaling with offset": [
        LAYERS.Rescaling(2.0, offset=-1.0),
        LAYERS.Dense(9, "relu"),
        LAYERS.Dense(7, "relu"),
    ],
    "rescaling, then norm": [
        LAYERS.Rescaling(0.1),
        LAYERS.BatchNormalization(),
        LAYERS.Dense(9, "relu"),
    ],
    "norm, then rescaling": [
        LAYERS.BatchNormalization(),
        LAYERS.Rescaling(0.1),
        LAYERS.Dense(9, "relu"),
    ],
    "linear layers": [LAYERS.Dense(9), LAYERS.Dense(8)],
    "no hidden layer": [],
}


@pytest.mark.parametrize(
    ("name", "output"),
    [(name, "linear") for name in NETWORKS]
    + [("flatten first", output) for output in ("softmax", "softmax layer", "sigmoid")]
    + [("flatten first", "two outputs"), ("no hidden layer", "softmax")],
)
def test_from_keras_predicts_the_same(digits, name, output):
    X, _ = digits
    layers = [type(layer).from_config(layer.get_config()) for layer in NETWORKS[name]]
    layers += {
        "linear": [LAYERS.Dense(10)],
        "softmax": [LAYERS.Dense(10, "softmax")],
        "softmax layer": [LAYERS.Dense(10), LAYERS.Softmax()],
        "sigmoid": [LAYERS.Dense(1, "sigmoid")],
        "two outputs": [LAYERS.Dense(2, "softmax")],
    }[output]
    binary = output in ("sigmoid", "two outputs")
    model = keras.Sequential([keras.Input((64,)), *layers])
    rng = np.random.default_rng(0)
    # Weights as if trained; variances are positive.
    model.set_weights([rng.uniform(0.1, 1, w.shape) - 0.05 for w in model.weights])
    clf = DigitMLPClassifier.from_keras(model)
    out = outputs(model, X)
    if output == "linear":
        np.testing.assert_allclose(clf.decision_function(X), out, rtol=1e-4, atol=1e-4)
    elif binary:
        np.testing.assert_allclose(clf.predict_proba(X)[:, 1:], out[:, -1:], atol=1e-4)
        assert clf.decision_function(X).shape == (len(X),)
    else:
        np.testing.assert_allclose(clf.predict_proba(X), out, atol=1e-4)
    assert list(clf.classes_) == ([0, 1] if binary else list(range(10)))


def test_from_keras_classes_name_the_outputs(digits):
    X, _ = digits
    model = keras.Sequential(
        [keras.Input((64,)), LAYERS.Dense(9, "relu"), LAYERS.Dense(3)]
    )
    # Where every hidden unit is off, only the bias tells the outputs apart.
    model.layers[-1].bias.assign([0.1, 0.2, 0.0])
    clf = DigitMLPClassifier.from_keras(model, classes=["two", "one", "three"])
    best = outputs(model, X).argmax(axis=1)
    assert list(clf.classes_) == ["one", "three", "two"]
    np.testing.assert_array_equal(
        clf.predict(X), np.array(["two", "one", "three"])[best]
    )


def test_from_keras_takes_a_functional_chain(digits, tmp_path):
    X, _ = digits
    rows = keras.Input((64,))
    hidden = LAYERS.Dropout(0.1)(LAYERS.Dense(20, "relu")(rows))
    model = keras.Model(rows, LAYERS.Dense(10)(hidden))
    model.save(tmp_path / "model.keras")
    for chain in (
        model,
        keras.models.load_model(tmp_path / "model.keras"),
        keras.Model(rows, LAYERS.Dense(3)(hidden)),  # shares layers with the first
    ):
        clf = DigitMLPClassifier.from_keras(chain)
        Z = clf.decision_function(X)
        np.testing.assert_allclose(Z, outputs(chain, X), atol=1e-5)
        assert clf.dropout == (0.0, 0.1)


def test_from_keras_orders_two_outputs_by_classes(digits):
    X, y = digits
    model = keras.Sequential(
        [keras.Input((64,)), LAYERS.Dense(20, "relu"), LAYERS.Dense(2, "softmax")]
    )
    clf = DigitMLPClassifier.from_keras(model, classes=["odd", "even"])
    P = clf.predict_proba(X)
    np.testing.assert_allclose(P[:, ::-1], outputs(model, X), atol=1e-5)
    labels = np.where(y % 2, "odd", "even")
    assert 0 < get_scorer("roc_auc")(clf, X, labels) < 1
    clf.set_params(learning_rate_init=0.01, random_state=0)
    for _ in range(8):
        clf.partial_fit(X, labels)
    assert clf.score(X, labels) > 0.8


@pytest.mark.parametrize("n_hidden", [0, 1])
def test_from_keras_and_partial_fit(digits, n_hidden):
    X, y = digits
    hidden = [LAYERS.Dense(20, "relu")] * n_hidden
    model = keras.Sequential([keras.Input((64,)), *hidden, LAYERS.Dense(10)])
    clf = DigitMLPClassifier.from_keras(model)
    clf.set_params(learning_rate_init=0.01, random_state=0)
    before = clf.score(X, y)
    for _ in range(8):
        clf.partial_fit(X, y)
    assert clf.score(X, y) > max(before, 0.8)
