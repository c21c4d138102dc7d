"""What is measured, as functions that run in a peer's own process.

Each takes the peer's name and returns a dict: "seconds" and whatever else the row
shows.
"""

import contextlib
import os
import pickle
import resource
import tempfile
import threading
import time
import warnings
from itertools import pairwise
from pathlib import Path

import joblib
import numpy as np

from benchmarks import data
from benchmarks.peers import MAKERS

warnings.simplefilter("ignore")

# What a process keeps between calls: fitted estimators to predict with.
_kept = {}


def _timed(function):
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def fit(peer, *, batch_size=32, epochs=100):
    """The reference job; accuracy is that of a fit that holds out 1000 digits."""
    X, y = data.reference_job()
    estimator = MAKERS[peer](batch_size=batch_size, epochs=epochs)
    _, seconds = _timed(lambda: estimator.fit(X, y))
    return {"seconds": seconds}


def accuracy(peer, *, batch_size=32, epochs=100, seed=0):
    """Held-out accuracy of the same network trained on 4000 of the digits."""
    X_train, X_test, y_train, y_test = data.reference()
    estimator = MAKERS[peer](batch_size=batch_size, epochs=epochs, seed=seed)
    estimator.fit(X_train, y_train)
    return {"accuracy": float(estimator.score(X_test, y_test))}


def import_library(peer):
    """Import the library of a peer. PyTorch may crash where TensorFlow is loaded."""
    if peer not in ("MLPClassifier", "skorch"):
        import tensorflow  # noqa: F401
    MAKERS[peer]()
    return {}


def cross_validation(peer, *, epochs=20):
    """`cross_val_score` over five folds."""
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    X, y = data.reference_job()
    estimator = MAKERS[peer](epochs=epochs)
    folds = StratifiedKFold(5)
    params = None
    if peer == "SKLearnClassifier":
        # What it was given for `fit` is lost when cross_val_score clones it.
        params = {"epochs": epochs, "batch_size": 32, "verbose": 0}
    scores, seconds = _timed(
        lambda: cross_val_score(estimator, X, y, cv=folds, params=params)
    )
    return {"seconds": seconds, "accuracy": float(scores.mean())}


def resampling(peer, *, function, together=False, epochs=20):
    """A function of scikit-learn that fits one classifier on several sets of rows."""
    from sklearn.ensemble import BaggingClassifier
    from sklearn.model_selection import cross_val_score, learning_curve
    from sklearn.pipeline import make_pipeline

    X, y = data.reference_job()
    estimator = MAKERS[peer](epochs=epochs)
    # In a Pipeline, the members of an ensemble get their rows instead of weights, of
    # which MLPClassifier cannot take all.
    call = {
        "cross_val_score": lambda: cross_val_score(estimator, X, y, cv=5),
        "learning_curve": lambda: learning_curve(estimator, X, y, cv=5),
        "bagging": lambda: BaggingClassifier(
            make_pipeline("passthrough", estimator), 20, random_state=0
        ).fit(X, y),
    }[function]
    with _context(together):
        _, seconds = _timed(call)
    return {"seconds": seconds}


def search(peer, *, together=False, n_jobs=None, epochs=20):
    """A grid search over twelve hidden sizes and five folds; accuracy is the best."""
    from sklearn.model_selection import GridSearchCV

    X, y = data.reference_job()
    estimator = MAKERS[peer](epochs=epochs)
    sizes = [(first, second) for first in (10, 25, 50, 100) for second in (10, 25, 50)]
    name, params = "hidden_layer_sizes", {}
    if peer == "SKLearnClassifier":
        name = "model_kwargs"
        sizes = [{"hidden": size} for size in sizes]
        params = {"epochs": epochs, "batch_size": 32, "verbose": 0}
    grid = GridSearchCV(estimator, {name: sizes}, cv=5, n_jobs=n_jobs, refit=False)
    with _context(together):
        _, seconds = _timed(lambda: grid.fit(X, y, **params))
    return {"seconds": seconds, "accuracy": float(grid.best_score_)}


def _context(together):
    if not together:
        return contextlib.nullcontext()
    from skdigits import fit_together

    return fit_together()


def _fitted(peer):
    if peer not in _kept:
        _kept[peer] = MAKERS[peer](epochs=2).fit(*data.reference_job())
    return _kept[peer]


def predict(peer, *, n_rows):
    """`predict_proba` on so many rows; the best of several calls in a row."""
    estimator = _fitted(peer)
    X, _ = data.reference_job()
    X = np.ascontiguousarray(X[np.arange(n_rows) % len(X)])
    n_calls = max(5, min(200, 20_000 // n_rows))
    if peer == "Keras":
        n_calls = 5
    estimator.predict_proba(X)
    seconds = [_timed(lambda: estimator.predict_proba(X))[1] for _ in range(n_calls)]
    return {"seconds": float(np.median(seconds))}


def partial_fit(peer, *, n_calls=200):
    """`partial_fit` on one row; the median of several calls after the first."""
    X, y = data.reference_job()
    estimator = MAKERS[peer]()
    estimator.partial_fit(X[:1], y[:1], classes=np.unique(y))
    seconds = [
        _timed(lambda row=row: estimator.partial_fit(X[row], y[row]))[1]
        for row in (slice(n, n + 1) for n in range(1, n_calls))
    ]
    return {"seconds": float(np.median(seconds))}


def save(peer, *, path):
    """Save a fitted estimator in the format that the file's suffix names."""
    estimator = _fitted(peer)
    suffix = Path(path).suffix
    if suffix == ".keras":
        model = estimator.model if peer == "Keras" else estimator.to_keras()
        model.save(path)
    elif suffix == ".pickle":
        Path(path).write_bytes(pickle.dumps(estimator))
    elif suffix == ".skops":
        import skops.io

        skops.io.dump(estimator, path)
    elif suffix == ".onnx":
        from skdigits.export import to_onnx

        to_onnx(estimator, path)
    else:
        joblib.dump(estimator, path)
    n_weights = 400 * 25 + 25 + 25 * 15 + 15 + 15 * 10 + 10
    return {"of_weights": os.path.getsize(path) / (4 * n_weights)}


def epoch(
    peer,
    *,
    n_rows=60_000,
    hidden=(512, 512),
    batch_size=128,
    epochs=2,
    distorted=False,
    **others,
):
    """An epoch on MNIST-sized uint8 images, from the difference of two fits."""
    X, y = data.repeated(n_rows)
    if peer == "MLPClassifier":
        # It has no rescaling inside; the copy is made before the clock starts.
        X = X.astype(np.float32) / 255
    settings = {"hidden": hidden, "batch_size": batch_size, "rescale": 1 / 255}
    settings |= others
    if distorted:
        from skdigits.augmentation._random_distortion import RandomDistortion

        settings["augment"] = RandomDistortion()
    MAKERS[peer](epochs=1, **settings).fit(X, y)  # imports, compiling
    _, one = _timed(lambda: MAKERS[peer](epochs=1, **settings).fit(X, y))
    estimator = MAKERS[peer](epochs=1 + epochs, **settings)
    _, more = _timed(lambda: estimator.fit(X, y))
    return {"seconds": (more - one) / epochs}


def sgemm(peer, *, hidden=(512, 512), batch_size=128):
    """The rate of NumPy's float32 matmuls at the shapes of an epoch's steps."""
    sizes = [784, *hidden, 10]
    rng = np.random.default_rng(0)
    shapes = []
    for n_in, n_out in pairwise(sizes):
        shapes += [(batch_size, n_in, n_out), (n_in, batch_size, n_out)]
        if n_in != sizes[0]:  # no gradient with respect to the images
            shapes.append((batch_size, n_out, n_in))
    pairs = [
        (
            rng.random((n, k), dtype=np.float32),
            rng.random((k, m), dtype=np.float32),
            np.empty((n, m), dtype=np.float32),
        )
        for n, k, m in shapes
    ]

    def step():
        for A, B, C in pairs:
            np.matmul(A, B, out=C)

    step()
    seconds = min(_timed(lambda: [step() for _ in range(50)])[1] for _ in range(5))
    return {"seconds": seconds / 50 * -(-60_000 // batch_size)}


def products(peer, *, dtype, compiled):
    """A step's matrix products at MNIST's shapes in a dtype, from 100 of them."""
    from benchmarks import limits

    run = limits.products(dtype, compiled=compiled)
    run()
    return {"seconds": _timed(run)[1] / 100}


def growth(peer, *, n_rows=5000, hidden=(25, 15), batch_size=32):
    """Time of an epoch for so many rows and units, from the difference of fits.

    An epoch reads all rows in random order. `gather_seconds` is the time NumPy takes
    for this alone, which the memory bounds.
    """
    X, y = data.repeated(n_rows)
    X = X.astype(np.float32) / 255
    epochs = -(-2100 // -(-n_rows // batch_size))  # enough to be compiled

    def train(n):
        estimator = MAKERS[peer](hidden=hidden, batch_size=batch_size, epochs=n)
        return _timed(lambda: estimator.fit(X, y))[1]

    train(epochs)
    order = np.random.default_rng(0).permutation(n_rows)
    return {
        "seconds": (train(2 * epochs) - train(epochs)) / epochs,
        "gather_seconds": min(_timed(lambda: X[order])[1] for _ in range(5)),
    }


def many_fits(peer, *, n_fits=100):
    """Seconds and resident memory of each of many fits of alternating shapes."""
    X, y = data.reference_job()
    seconds, resident = [], []
    for number in range(n_fits):
        n_features = (400, 300, 200)[number % 3]
        estimator = MAKERS[peer](epochs=20)
        part = np.ascontiguousarray(X[:, :n_features])
        seconds.append(_timed(lambda e=estimator, p=part: e.fit(p, y))[1])
        resident.append(_resident_bytes())
    return {
        "first": float(np.median(seconds[10:20])),
        "seconds": float(np.median(seconds[-10:])),
        "growth_mib": (resident[-1] - resident[9]) / 2**20,
    }


def many_shapes(peer, *, epochs, together=False, n_fits=100, **settings):
    """Growth of resident memory over fits of networks of as many different widths."""
    from benchmarks import limits

    X, y = (part[:1000] for part in data.reference_job())
    seconds, resident = [], []
    for number in range(n_fits):
        hidden = (10 + number, 10)
        estimator = MAKERS[peer](hidden=hidden, epochs=epochs, **settings)
        if together:
            from sklearn.model_selection import GridSearchCV

            sizes = {"hidden_layer_sizes": [hidden, (8 + number, 8)]}
            estimator = GridSearchCV(estimator, sizes, cv=2, refit=False)
        with _context(together):
            seconds.append(_timed(lambda e=estimator: e.fit(X, y))[1])
        limits.loop.cache_clear()  # TensorFlow may free a bare loop's function
        resident.append(_resident_bytes())
    half = n_fits // 2
    return {
        "seconds": float(np.median(seconds)),
        "growth_mib": (resident[-1] - resident[0]) / 2**20,
        "late_growth_mib": (resident[-1] - resident[half - 1]) / 2**20,
    }


def _resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


class _PeakMemory:
    """The largest resident memory while it is open, sampled."""

    def __enter__(self):
        self.peak = _resident_bytes()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self):
        while not self._done.wait(0.002):
            self.peak = max(self.peak, _resident_bytes())

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()
        self.peak = max(self.peak, _resident_bytes())


def memory(peer, *, n_rows):
    """Peak resident memory of one epoch on uint8 images, beyond an empty fit's.

    An empty fit is one of the same network on a handful of rows.
    """
    settings = {"epochs": 1, "batch_size": 200}
    if peer == "skdigits":
        settings["rescale"] = 1 / 255
    few, few_labels = data.repeated(1000)
    MAKERS[peer](**settings).fit(few, few_labels)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "X")
        y = data.write_memmap(path, n_rows)
        X = np.memmap(path, dtype=np.uint8, mode="r", shape=(n_rows, 784))
        if n_rows <= 60_000:
            X = np.array(X)
        x_bytes = X.nbytes
        base = _resident_bytes() - (0 if isinstance(X, np.memmap) else x_bytes)
        with _PeakMemory() as memory:
            _, seconds = _timed(lambda: MAKERS[peer](**settings).fit(X, y))
    return {
        "seconds": seconds,
        "x_mib": x_bytes / 2**20,
        "peak_mib": (memory.peak - base) / 2**20,
    }
