"""Writes the files of a release that later releases must be able to load.

Run once per release, in an environment in which the clone is installed, such as that of
``make test``::

    .venv/bin/python tests/golden/make.py

It makes a folder next to this file, named after the version. With ``--suffix oldest``,
run by ``.venv-oldest/bin/python``, another one is made by the oldest dependencies.
`tests/test_golden_files.py` loads the files of all folders.
"""

import argparse
import importlib.metadata
import json
import pickle
import zipfile
from pathlib import Path

import joblib
import numpy as np
import skops.io
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdigits
from skdigits import DigitMLPClassifier, make_accurate_classifier
from skdigits.augmentation import RandomDistortion

PACKAGES = ["joblib", "keras", "numpy", "scikit-learn", "skops", "tensorflow"]


def small(**params):
    return DigitMLPClassifier(
        (5, 4), max_iter=10, learning_rate_init=0.01, random_state=0, **params
    )


def models(X, y):
    """A fitted model of each kind, by name."""
    binary = np.where(y < 5, "low", "high")
    distortion = RandomDistortion(
        translation=0.5, elastic_sigma=2, elastic_std=0.3, image_shape=(4, 8)
    )
    accurate = make_accurate_classifier(
        hidden_layer_sizes=(5, 4), augment=distortion, max_iter=10, random_state=0
    )
    batch_norm = small(batch_norm=True, dropout=0.1, dtype="float64").fit(X, y)
    return {
        "ten_classes": small(rescale=1 / 16).fit(X, y),
        "two_strings": small(activation="tanh", early_stopping=True).fit(X, binary),
        "batch_norm": batch_norm,
        "accurate": accurate.fit(X, y),
        # As the result of `fine_tune_reader`, which has megabytes of weights.
        "from_keras": DigitMLPClassifier.from_keras(batch_norm.to_keras()),
        "warm_start": small(warm_start=True, ema=0.9).fit(X, y),
        "partial_fit": small(solver="sgd").partial_fit(X, y, range(10)),
        "pipeline": make_pipeline(StandardScaler(), small()).fit(X, y),
    }


def resume(model, X, y):
    """Train a loaded model further."""
    return model.fit(X, y) if model.warm_start else model.partial_fit(X, y)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suffix", default="", help="added to the folder's name")
    suffix = parser.parse_args().suffix
    name = "-".join(part for part in (skdigits.__version__, suffix) if part)
    folder = Path(__file__).parent / name
    folder.mkdir(exist_ok=True)

    X, y = load_digits(return_X_y=True)
    X, y = X[:300, 16:48].astype(np.float32), y[:300]  # half an image is enough
    arrays = {"X": X[:50].astype(np.uint8)}
    for kind, model in models(X, y).items():
        joblib.dump(model, folder / f"{kind}.joblib")
        (folder / f"{kind}.pickle").write_bytes(pickle.dumps(model))
        path = folder / f"{kind}.skops"
        skops.io.dump(model, path, compression=zipfile.ZIP_DEFLATED)
        arrays[f"{kind}_proba"] = model.predict_proba(arrays["X"])
        arrays[f"{kind}_predicted"] = model.predict(arrays["X"])
    for kind in ("warm_start", "partial_fit"):
        resumed = resume(joblib.load(folder / f"{kind}.joblib"), X, y)
        arrays[f"{kind}_resumed_proba"] = resumed.predict_proba(arrays["X"])
    np.savez_compressed(folder / "predictions.npz", **arrays)
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    versions["skdigits"] = skdigits.__version__
    text = json.dumps(versions, indent=2, sort_keys=True)
    (folder / "versions.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
