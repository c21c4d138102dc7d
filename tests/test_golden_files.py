"""Files of every release are loaded and predict what they did.

`tests/golden/make.py` makes them.
"""

import importlib.util
import json
import pickle
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops
import skops.io
from packaging.version import Version
from sklearn.datasets import load_digits
from sklearn.exceptions import InconsistentVersionWarning

import skdigits

GOLDEN = Path(__file__).parent / "golden"
RELEASES = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())
# Releases have files of all kinds that existed.
FILES = sorted(
    (path.parent.name, path.stem, path.suffix[1:])
    for path in GOLDEN.glob("*/*.*")
    if path.suffix[1:] in ("joblib", "pickle", "skops")
)
OURS = {"skdigits.DigitMLPClassifier"}
# Further types in files of some kinds.
OTHERS = {"accurate": {"skdigits.augmentation.RandomDistortion"}}


def unpickle(path):
    return pickle.loads(path.read_bytes())


def load_skops(path):
    untrusted = skops.io.get_untrusted_types(file=path)
    assert set(untrusted) == OURS | OTHERS.get(path.stem, set())
    return skops.io.load(path, trusted=untrusted)


LOADERS = {"joblib": joblib.load, "pickle": unpickle, "skops": load_skops}


def load(release, kind, form):
    folder = GOLDEN / release
    versions = json.loads((folder / "versions.json").read_text("utf-8"))
    if form == "skops" and Version(skops.__version__) < Version(versions["skops"]):
        pytest.skip("skops reads no files of a newer skops")
    # numpy._core came with NumPy 1.26.1, so that pickles of NumPy 2 can be read. The
    # StandardScaler of the pipeline has pickled scalars in joblib's files, too.
    pickled = form == "pickle" or (form, kind) == ("joblib", "pipeline")
    of_numpy_2 = Version(versions["numpy"]) >= Version("2")
    if pickled and of_numpy_2 and not importlib.util.find_spec("numpy._core"):
        pytest.skip("this NumPy reads no pickles of NumPy 2")
    with warnings.catch_warnings():
        if kind == "pipeline":  # scikit-learn's own step is of another version
            warnings.simplefilter("ignore", InconsistentVersionWarning)
        return LOADERS[form](folder / f"{kind}.{form}")


def predictions(release):
    return np.load(GOLDEN / release / "predictions.npz")


def test_this_release_is_among_them():
    version = skdigits.__version__
    assert version in RELEASES or Version(version).is_devrelease


def test_they_stay_small():
    files = [path for path in GOLDEN.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 170_000 * len(RELEASES)


@pytest.mark.parametrize(("release", "kind", "form"), FILES)
def test_predictions_are_as_they_were(release, kind, form):
    model = load(release, kind, form)
    expected = predictions(release)
    X = expected["X"]
    np.testing.assert_array_equal(model.predict(X), expected[f"{kind}_predicted"])
    P = model.predict_proba(X)
    assert P.dtype == expected[f"{kind}_proba"].dtype
    np.testing.assert_allclose(P, expected[f"{kind}_proba"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", LOADERS)
@pytest.mark.parametrize("kind", ["warm_start", "partial_fit"])
@pytest.mark.parametrize("release", RELEASES)
def test_training_resumes(release, kind, form):
    X, y = load_digits(return_X_y=True)
    model = load(release, kind, form)
    n_epochs = len(model.loss_curve_)
    resume = model.fit if kind == "warm_start" else model.partial_fit
    resume(X[:300, 16:48].astype(np.float32), y[:300])
    assert len(model.loss_curve_) == 2 * n_epochs
    expected = predictions(release)
    # Another TensorFlow and another processor round differently.
    P = model.predict_proba(expected["X"])
    np.testing.assert_allclose(P, expected[f"{kind}_resumed_proba"], atol=0.01)
