"""The rows of the comparison: who takes part, what is run, what is aimed for."""

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import data
from benchmarks.processes import Service, Worker, whole_process

EVERYONE = [
    "skdigits",
    "MLPClassifier",
    "Keras",
    "SKLearnClassifier",
    "scikeras",
    "skorch",
]


@dataclass
class Row:
    """One comparison.

    Parameters
    ----------
    title, work : str
        What is measured.
    peers : list of str
    measure : callable
        Takes the row and a number of repeats; returns {peer: [answers]}.
    targets : dict
        Least ratio of a peer's time to ours.
    repeats : int
    settings : dict
        Passed to the task.
    accuracy : dict or None
        Settings of the task that tells held-out accuracy; None for none.
    """

    title: str
    work: str
    peers: list
    measure: Callable
    targets: dict = field(default_factory=dict)
    repeats: int = 5
    settings: dict = field(default_factory=dict)
    accuracy: dict | None = None


# Seconds from which on a measurement is long and made only once: it varies less than a
# short one, and most of an hour would go into repeating those of Keras.
LONG = 15


def in_turns(measurements, repeats):
    """Answers of functions that measure, by name, taking turns."""
    answers = {name: [] for name in measurements}
    for _ in range(repeats):
        for name, measure in measurements.items():
            if not any(answer.get("seconds", 0) > LONG for answer in answers[name]):
                answers[name].append(measure())
    return answers


def alternating(task):
    """Measure a task in one process a peer, taking turns."""

    def measure(row, repeats):
        with ExitStack() as stack:
            workers = {peer: stack.enter_context(Worker(peer)) for peer in row.peers}
            for peer, worker in workers.items():
                if task == "fit":  # compiled and warm
                    worker.call(task, **{**row.settings, "epochs": 3})
                    if peer == "skdigits":
                        worker.call(task, **row.settings)
            calls = {
                peer: partial(worker.call, task, **row.settings)
                for peer, worker in workers.items()
            }
            return in_turns(calls, repeats)

    return measure


def first_in_process(task, variants=None):
    """Measure a task in a fresh process that has imported its library.

    `variants` are {name: (peer, more settings)}, for names that are not of a peer.
    """
    variants = variants or {}

    def call(row, name):
        peer, settings = variants.get(name, (name, {}))
        with Worker(peer) as worker:
            worker.call("import_library")
            return worker.call(task, **row.settings, **settings)

    def measure(row, repeats):
        return in_turns({name: partial(call, row, name) for name in row.peers}, repeats)

    return measure


_SCRIPT = """
import numpy as np
from benchmarks.peers import MAKERS
with np.load({path!r}) as file:
    X, y = file["X"], file["y"]
MAKERS[{peer!r}](epochs={epochs}).fit(X, y)
"""

# What a script of ours imports that trains, and one that loads and predicts.
_IMPORTS = {
    "train": "import numpy, sklearn.base, tensorflow, keras",
    "predict": "import numpy, joblib, sklearn.base",
}

_X = "import numpy as np; x = np.zeros((1, 400), dtype=np.float32)"

# By suffix, how a file is read and one row predicted.
_LOADING = {
    ".joblib": "import joblib; joblib.load(path).predict_proba(x)",
    ".pickle": "import pickle; pickle.load(open(path, 'rb')).predict_proba(x)",
    ".skops": "import skops.io; "
    "trusted = skops.io.get_untrusted_types(file=path); "
    "skops.io.load(path, trusted=trusted).predict_proba(x)",
    ".onnx": "import onnxruntime; "
    "onnxruntime.InferenceSession(path).run(None, {'X': x})",
    ".keras": "import keras; keras.models.load_model(path).predict(x, verbose=0)",
}


def _loading(path):
    """A program that loads a file and predicts one row."""
    return f"path = {path!r}\n{_X}\n{_LOADING[Path(path).suffix]}"


# Who saves, the suffix, what loading needs, and what a file from a stranger may do.
_FORMATS = {
    "joblib": ("skdigits", ".joblib", "scikit-learn", "run any code"),
    "pickle": ("skdigits", ".pickle", "scikit-learn", "run any code"),
    "skops": ("skdigits", ".skops", "scikit-learn, skops", "only what you trust"),
    "ONNX": ("skdigits", ".onnx", "onnxruntime", "only predict"),
    "Keras": ("skdigits", ".keras", "TensorFlow", "only predict, in safe mode"),
    "MLPClassifier, joblib": (
        "MLPClassifier",
        ".joblib",
        "scikit-learn",
        "run any code",
    ),
    "Keras itself": ("Keras", ".keras", "TensorFlow", "only predict, in safe mode"),
}


def formats(row, repeats):
    """Measure fresh processes that load each format, and the size of the file."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        codes, facts, workers = {}, {}, {}
        for name, (peer, suffix, needs, stranger) in _FORMATS.items():
            if peer not in workers:
                workers[peer] = stack.enter_context(Worker(peer))
            path = str(Path(folder, f"{name}{suffix}"))
            size = workers[peer].call("save", path=path)
            codes[name] = _loading(path)
            facts[name] = size | {"needs": needs, "a file can": stranger}
        answers = _processes(codes, repeats)
    return {
        name: [answer | facts[name] for answer in given]
        for name, given in answers.items()
    }


def _processes(codes, repeats):
    """Seconds of whole processes, by name."""
    calls = {name: partial(whole_process, code) for name, code in codes.items()}
    return in_turns(calls, repeats)


def script(row, repeats):
    """Measure the reference job as a whole process."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "digits.npz"))
        X, y = data.reference_job()
        np.savez(path, X=X, y=y)
        codes = {
            peer: _SCRIPT.format(peer=peer, path=path, **row.settings)
            for peer in row.peers
        }
        return _processes({**codes, "our imports alone": _IMPORTS["train"]}, repeats)


def load_and_predict(row, repeats):
    """Measure a fresh process that loads a saved classifier and predicts once."""
    with tempfile.TemporaryDirectory() as folder:
        codes = {}
        for peer in row.peers:
            suffix = "keras" if peer == "Keras" else "joblib"
            path = str(Path(folder, f"{peer}.{suffix}"))
            with Worker(peer) as worker:
                worker.call("save", path=path)
            codes[peer] = _loading(path)
        return _processes({**codes, "our imports alone": _IMPORTS["predict"]}, repeats)


def service(row, repeats, *, n_clients=8, seconds=30):
    """Measure the example service under load."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "digits.skops"))
        with Worker("skdigits") as worker:
            worker.call("save", path=path)
        answers = []
        for _ in range(repeats):
            with Service(path) as running, ThreadPoolExecutor(n_clients) as pool:
                clients = [
                    pool.submit(running.ask_for, seconds) for _ in range(n_clients)
                ]
                counts = [client.result() for client in clients]
            n_requests, n_errors = map(sum, zip(*counts, strict=True))
            answers.append(
                {
                    "seconds": running.seconds_to_start,
                    "requests per second": n_requests / seconds,
                    "errors": n_errors,
                }
            )
    return {"skdigits": answers}


_PRODUCTS = {
    "float32": {"dtype": "float32", "compiled": True},
    "bfloat16": {"dtype": "bfloat16", "compiled": True},
    "float32, not compiled": {"dtype": "float32", "compiled": False},
    "bfloat16, not compiled": {"dtype": "bfloat16", "compiled": False},
}


def products(row, repeats):
    """Measure matrix products in several dtypes, in turns in one process."""
    with Worker("skdigits") as worker:
        calls = {
            name: partial(worker.call, "products", **settings)
            for name, settings in _PRODUCTS.items()
        }
        return in_turns(calls, repeats)


# Who searches, and how.
_SEARCHES = {
    "skdigits": ("skdigits", {"together": True}),
    "skdigits, GridSearchCV": ("skdigits", {}),
    "MLPClassifier": ("MLPClassifier", {}),
    "MLPClassifier, n_jobs=2": ("MLPClassifier", {"n_jobs": 2}),
    "SKLearnClassifier": ("SKLearnClassifier", {}),
}


# Who fits on several sets of rows, and how.
_RESAMPLERS = {
    "skdigits": ("skdigits", {"together": True}),
    "skdigits, separate fits": ("skdigits", {}),
    "MLPClassifier": ("MLPClassifier", {}),
}


def _resampling_row(title, function, work, target, epochs=20):
    return Row(
        title,
        f"{work}, {epochs} epochs, compiling included; for skdigits in `fit_together`",
        list(_RESAMPLERS),
        first_in_process("resampling", _RESAMPLERS),
        {"skdigits, separate fits": 0.9, "MLPClassifier": target},
        repeats=3,
        settings={"function": function, "epochs": epochs},
    )


def distortion(row, repeats):
    """Measure an epoch on distorted and on other images, in turns in one process."""
    with Worker("skdigits") as worker:
        calls = {
            peer: partial(
                worker.call, "epoch", **row.settings, distorted=peer == "skdigits"
            )
            for peer in row.peers
        }
        return in_turns(calls, repeats)


def epoch_and_sgemm(row, repeats):
    """Measure an epoch, and the machine's matmuls at its shapes, in turns."""

    def call(peer, task, **settings):
        # A process each: what MLPClassifier takes in memory is given back.
        with Worker(peer) as worker:
            return worker.call(task, **settings)

    calls = {peer: partial(call, peer, "epoch", **row.settings) for peer in row.peers}
    return in_turns({**calls, "sgemm": partial(call, "skdigits", "sgemm")}, repeats)


# What fits of many shapes are done by. 63 epochs are worth compiling, 5 are not.
_SHAPES = {
    "skdigits": ("skdigits", {"epochs": 63}),
    "skdigits, not compiled": ("skdigits", {"epochs": 5}),
    "skdigits, together": ("skdigits", {"epochs": 63, "together": True}),
    "skdigits, together, not compiled": ("skdigits", {"epochs": 5, "together": True}),
    "bare loop": ("bare loop", {"epochs": 63}),
    "bare loop, not compiled": ("bare loop", {"epochs": 5, "compiled": False}),
}


ROWS = {
    "fit-warm": Row(
        "Training, program already compiled",
        "the defaults: 5000 x 400 float32, 25-15-10, Adam, batch 32, 100 epochs, "
        "program already compiled",
        [*EVERYONE, "bare loop"],
        alternating("fit"),
        {"MLPClassifier": 4, "Keras": 15},
        repeats=3,
        accuracy={},
    ),
    "fit-first": Row(
        "Training, first fit of a process",
        "the same, first fit of a process in which TensorFlow is imported, compiling "
        "included",
        ["skdigits", "MLPClassifier", "Keras", "bare loop"],
        first_in_process("fit"),
        {"MLPClassifier": 2},
        repeats=3,
        accuracy={},
    ),
    "script": Row(
        "Training as a whole script",
        "the same as a whole process, imports included",
        ["skdigits", "MLPClassifier", "Keras", "bare loop"],
        script,
        {"MLPClassifier": 1, "Keras": 4},
        repeats=3,
        settings={"epochs": 100},
        accuracy={},
    ),
    "fit-batch-200": Row(
        "Training with batches of 200",
        "the defaults with batches of 200, MLPClassifier's default",
        ["skdigits", "MLPClassifier", "Keras", "skorch", "bare loop"],
        alternating("fit"),
        {"MLPClassifier": 1.5},
        settings={"batch_size": 200},
        accuracy={"batch_size": 200},
    ),
    "cross-validation": Row(
        "Cross-validation",
        "`cross_val_score`, 5 folds, 20 epochs, `n_jobs=1`, compiling included",
        [
            "skdigits",
            "MLPClassifier",
            "SKLearnClassifier",
            "scikeras",
            "skorch",
            "bare loop",
        ],
        first_in_process("cross_validation"),
        {"MLPClassifier": 3, "SKLearnClassifier": 15},
        repeats=3,
    ),
    "predict-one": Row(
        "Prediction of one image",
        "`predict_proba` on one row",
        ["skdigits", "MLPClassifier", "Keras", "skorch"],
        alternating("predict"),
        {"MLPClassifier": 1, "Keras": 300},
        settings={"n_rows": 1},
    ),
    "predict-5000": Row(
        "Prediction of 5000 images",
        "`predict_proba` on 5000 rows",
        ["skdigits", "MLPClassifier", "Keras", "skorch"],
        alternating("predict"),
        {"MLPClassifier": 1, "Keras": 10},
        settings={"n_rows": 5000},
    ),
    "predict-60000": Row(
        "Prediction of 60,000 images",
        "`predict_proba` on 60,000 rows",
        ["skdigits", "MLPClassifier", "Keras", "skorch"],
        alternating("predict"),
        {"MLPClassifier": 1},
        settings={"n_rows": 60_000},
    ),
    "partial-fit": Row(
        "Partial fit of one image",
        "`partial_fit` on one row, after the first call",
        ["skdigits", "MLPClassifier"],
        alternating("partial_fit"),
        {"MLPClassifier": 0.5},
    ),
    "load": Row(
        "Loading a saved classifier",
        "a fresh process that loads a saved classifier and predicts one row",
        ["skdigits", "MLPClassifier", "Keras"],
        load_and_predict,
        {"MLPClassifier": 1 / 1.1, "Keras": 4},
    ),
    "formats": Row(
        "File formats",
        "a fresh process that loads a file of each format and predicts one row; "
        "the size is that of the file divided by that of the weights",
        list(_FORMATS),
        formats,
    ),
    "service": Row(
        "Web service",
        "`examples/programs/serve_digits.py`, from its start to its first answer, then "
        "eight clients at once for 30 s, one digit per request",
        ["skdigits"],
        service,
        repeats=1,
    ),
    "mnist-epoch": Row(
        "An epoch on MNIST",
        "60,000 x 784 uint8 with `rescale=1/255`, 512-512, batch 128",
        ["skdigits", "MLPClassifier", "Keras", "skorch"],
        epoch_and_sgemm,
        {"MLPClassifier": 1.5, "Keras": 1.5, "skorch": 1.5, "sgemm": 0.6},
        repeats=3,
    ),
    "distortion": Row(
        "An epoch on distorted images",
        "MNIST with `augment=RandomDistortion()` and without, 1000-500, batch "
        "normalisation, batch 512",
        ["skdigits", "skdigits, not distorted"],
        distortion,
        {"skdigits, not distorted": 0.77},
        settings={
            "hidden": (1000, 500),
            "batch_size": 512,
            "batch_norm": True,
            "epochs": 4,
        },
    ),
    **{
        f"growth-rows-{factor}": Row(
            f"growth, {factor} x rows",
            f"an epoch of {5000 * factor} x 784, 25-15-10, batch 32",
            ["skdigits"],
            alternating("growth"),
            settings={"n_rows": 5000 * factor},
            repeats=3,
        )
        for factor in (1, 2, 4, 8)
    },
    **{
        f"growth-width-{factor}": Row(
            f"growth, {factor} x width",
            f"an epoch of 5000 x 784, {100 * factor}-{50 * factor}-10, batch 32",
            ["skdigits"],
            alternating("growth"),
            settings={"hidden": (100 * factor, 50 * factor)},
            repeats=3,
        )
        for factor in (1, 2, 4, 8)
    },
    "bfloat16": Row(
        "bfloat16 instead of float32",
        "the matrix products of a training step of 784-512-512 at batch 128 in "
        "TensorFlow, with and without XLA, compared with float32",
        list(_PRODUCTS),
        products,
    ),
    "many-fits": Row(
        "100 fits in one process",
        "20 epochs each, alternating three shapes: time of the last ten fits and of "
        "the second ten, and growth of the process after the first ten",
        ["skdigits"],
        alternating("many_fits"),
        repeats=1,
    ),
    "many-shapes": Row(
        "100 fits of different widths",
        "1000 x 400, all in one process, and growth of the process after the first "
        "fit; together, each is a search over two widths and two folds",
        list(_SHAPES),
        first_in_process("many_shapes", _SHAPES),
        repeats=1,
    ),
    **{
        f"memory-{n_rows}": Row(
            f"Memory for {n_rows:,} images",
            f"peak memory of a fit on {n_rows:,} x 784 uint8, beyond that of a fit on "
            "1000 rows",
            ["skdigits", "MLPClassifier"],
            first_in_process("memory"),
            settings={"n_rows": n_rows},
            repeats=1,
        )
        for n_rows in (60_000, 1_000_000)
    },
    "search": Row(
        "Grid search",
        "grid of 12 hidden sizes, (10, 10) to (100, 50), over 5 folds and 20 epochs, "
        "compiling included: `GridSearchCV` of each, for skdigits in `fit_together`",
        list(_SEARCHES),
        first_in_process("search", _SEARCHES),
        {
            "skdigits, GridSearchCV": 2.5,
            "MLPClassifier": 8,
            "MLPClassifier, n_jobs=2": 4,
            "SKLearnClassifier": 30,
        },
        repeats=3,
    ),
    "folds": _resampling_row(
        "Cross-validation in fit_together",
        "cross_val_score",
        "`cross_val_score`, 5 folds",
        3,
    ),
    "folds-100": _resampling_row(
        "Cross-validation in fit_together, 100 epochs",
        "cross_val_score",
        "`cross_val_score`, 5 folds",
        5,
        epochs=100,
    ),
    "learning-curve": _resampling_row(
        "Learning curve",
        "learning_curve",
        "`learning_curve`, 5 sizes and 5 folds",
        3,
    ),
    "bagging": _resampling_row(
        "Bagging", "bagging", "`BaggingClassifier` of 20 networks", 6
    ),
}
