"""Tests of what holds for a process as a whole, each in a process of its own."""

import json
import multiprocessing
import sys
import textwrap

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from utils import run_python

from skdigits import DigitMLPClassifier

# 171 and 2260 steps: XLA compiles the second, and not the first. That it does is
# held by the tests of an optimizer that XLA cannot compile.
FEW_STEPS = {"max_iter": 3}
MANY_STEPS = {"max_iter": 20, "batch_size": 16}

PRELUDE = """
import json
import os
import sys

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits

from skdigits import DigitMLPClassifier

X, y = load_digits(return_X_y=True)
"""

# Two processes may have other numbers of BLAS threads, and then sum in another order.
# Training in float64 makes at most this much of it.
ROUNDING = {"rtol": 1e-6, "atol": 1e-9}


def run(code, **env):
    """Run PRELUDE and `code` in a fresh Python; returns stdout and stderr."""
    return run_python("-c", PRELUDE + textwrap.dedent(code), env=env)


def weights(clf):
    return clf.coefs_ + clf.intercepts_


def assert_close_weights(actual, expected):
    for one, other in zip(actual, expected, strict=True):
        assert one.dtype == other.dtype
        assert_allclose(one, other, **ROUNDING)


@pytest.fixture(scope="module")
def all_digits():
    return load_digits(return_X_y=True)


@pytest.fixture(scope="module")
def fitted(all_digits, tmp_path_factory):
    """A file with a classifier fitted here, and the probabilities it gives."""
    clf = DigitMLPClassifier(**FEW_STEPS, random_state=0).fit(*all_digits)
    folder = tmp_path_factory.mktemp("fitted")
    joblib.dump(clf, folder / "classifier.joblib")
    np.save(folder / "proba.npy", clf.predict_proba(all_digits[0]))
    return {
        "CLASSIFIER": folder / "classifier.joblib",
        "PROBA": folder / "proba.npy",
    }


# Without TensorFlow


def test_import_and_prediction_load_neither_tensorflow_nor_matplotlib(fitted):
    run(
        """
        import skdigits.plotting

        from skdigits.augmentation import RandomDistortion
        from skdigits.datasets import fetch_mnist
        from skdigits.images import load_image

        with pytest.raises(OSError, match="MNIST is not in nowhere"):
            fetch_mnist(data_home="nowhere", download_if_missing=False)
        clf = joblib.load(os.environ["CLASSIFIER"])
        P = clf.predict_proba(X)
        assert_allclose(P, np.load(os.environ["PROBA"]), atol=1e-9)
        np.testing.assert_array_equal(clf.predict(X), P.argmax(axis=1))
        RandomDistortion().sample(X[:3], 2)
        load_image(np.zeros((2, 2)))
        loaded = {"keras", "matplotlib", "tensorflow"} & set(sys.modules)
        assert not loaded, loaded
        """,
        **fitted,
    )


def test_export_loads_neither_tensorflow_nor_matplotlib(fitted):
    run(
        """
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        from skdigits.export import to_onnx

        clf = joblib.load(os.environ["CLASSIFIER"])
        to_onnx(clf)
        to_onnx(make_pipeline(StandardScaler().fit(X), clf))
        loaded = {"keras", "matplotlib", "tensorflow"} & set(sys.modules)
        assert not loaded, loaded
        """,
        **fitted,
    )


def test_where_tensorflow_is_not_installed(fitted):
    # The import system is made to say what it says where TensorFlow is missing;
    # really to be without it would take a second environment.
    run(
        """
        import importlib.abc

        class WithoutTensorFlow(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "tensorflow":
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        sys.meta_path.insert(0, WithoutTensorFlow())

        def check_predictions(clf):
            P = clf.predict_proba(X)
            assert_allclose(P, np.load(os.environ["PROBA"]), atol=1e-9)

        clf = joblib.load(os.environ["CLASSIFIER"])
        check_predictions(clf)
        attributes = vars(clf).copy()
        match = "'tensorflow' is not installed.*`pip install tensorflow`"
        with pytest.raises(ImportError, match=match):
            clf.fit(X[:, :30], y)
        assert vars(clf).keys() == attributes.keys()
        assert all(vars(clf)[name] is attributes[name] for name in attributes)
        check_predictions(clf)
        with pytest.raises(ImportError, match=match):
            clf.to_keras()

        clf = DigitMLPClassifier()
        with pytest.raises(ImportError, match=match):
            clf.fit(X, y)
        assert vars(clf) == DigitMLPClassifier().get_params()
        """,
        **fitted,
    )


# Other backends of Keras, other versions


def test_another_keras_backend_is_refused_and_predicts(fitted):
    run(
        """
        clf = joblib.load(os.environ["CLASSIFIER"])
        match = "needs Keras on its 'tensorflow' backend. Got 'jax'"
        with pytest.raises(RuntimeError, match=match):
            clf.fit(X, y)
        # At once: nobody has to wait for TensorFlow to load first.
        assert not {"keras", "tensorflow"} & set(sys.modules)
        P = clf.predict_proba(X)
        assert_allclose(P, np.load(os.environ["PROBA"]), atol=1e-9)
        """,
        KERAS_BACKEND="jax",
        **fitted,
    )


@pytest.mark.parametrize(
    ("version", "backend", "error", "match"),
    [
        ("3.12.0", "jax", RuntimeError, "'tensorflow' backend. Got 'jax'"),
        ("2.15.0", "tensorflow", ImportError, "needs Keras 3. Got keras 2.15.0"),
    ],
)
def test_an_unsuitable_keras_is_loaded_already(
    monkeypatch, fitted, all_digits, version, backend, error, match
):
    # A stand-in: the real one loads with no other backend unless JAX or PyTorch is
    # installed, not even with its "numpy" one.
    keras = type(sys)("keras")
    keras.__version__ = version
    keras.config = type(sys)("keras.config")
    keras.config.backend = lambda: backend
    monkeypatch.setitem(sys.modules, "keras", keras)
    clf = joblib.load(fitted["CLASSIFIER"])
    with pytest.raises(error, match=match):
        clf.fit(*all_digits)
    P = clf.predict_proba(all_digits[0])
    assert_allclose(P, np.load(fitted["PROBA"]), atol=1e-9)


# Forks and threads


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork here"
)
def test_fork_after_training_is_told_and_predicts():
    # What is under test is that nothing hangs: hence the timeouts.
    run(
        """
        import multiprocessing
        import warnings

        # Python 3.12 and later warn of any fork of a process with threads.
        warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)

        clf = DigitMLPClassifier(max_iter=2).fit(X, y)
        match = "forked from one that had already loaded TensorFlow.*'loky'"

        def train():
            return DigitMLPClassifier(max_iter=2).fit(X, y)

        def train_further():
            return clf.partial_fit(X, y)

        def predict():
            return clf.predict_proba(X)

        # Not terminated: a killed worker may still hold the lock of the results. The
        # pool would then wait for it forever, as joblib's may.
        pool = multiprocessing.get_context("fork").Pool(1)
        for job in (train, train_further):
            with pytest.raises(RuntimeError, match=match):
                pool.apply_async(job).get(timeout=60)
        P = pool.apply_async(predict).get(timeout=60)
        assert_allclose(P, clf.predict_proba(X), atol=1e-9)
        pool.close()
        pool.join()

        clf.fit(X, y)  # the parent goes on
        """
    )


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells of threads")
def test_fork_before_the_import_of_skdigits_is_told():
    # As a server does that loads TensorFlow, forks, and imports in its workers.
    code = """
        import os
        import sys
        import warnings

        import keras

        keras.ops.ones(3) + 1
        # Python 3.12 and later warn of any fork of a process with threads.
        warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
        if not os.fork():
            from skdigits import DigitMLPClassifier

            try:
                DigitMLPClassifier(max_iter=2).fit([[0.0], [1.0]], [0, 1])
            except RuntimeError as error:
                print(error, flush=True)
            os._exit(0)
        os.wait()
        assert "skdigits" not in sys.modules

        from skdigits import DigitMLPClassifier

        DigitMLPClassifier(max_iter=2).fit([[0.0], [1.0]], [0, 1])
        print("the parent trains")
        """
    out, _ = run_python("-c", textwrap.dedent(code))
    assert "forked from one that had already loaded TensorFlow" in out
    assert "the parent trains" in out


# Output and global state where the user has loaded TensorFlow


@pytest.fixture(scope="module")
def after_tensorflow():
    """What fits change in a process that had loaded TensorFlow for its own ends."""
    return run(
        f"""
        import random
        import warnings

        import keras
        import tensorflow as tf

        def state():
            # Nothing that would start up TensorFlow: that is left to the first fit.
            _, keys, *rest = np.random.get_state()
            return {{
                "NumPy's random state": (keys.tolist(), rest),
                "Python's random state": random.getstate(),
                "NumPy's error handling": np.geterr(),
                "warning filters": list(warnings.filters),
                "environment": dict(os.environ),
                "eager functions": tf.config.functions_run_eagerly(),
                "TensorFlow's logger": tf.get_logger().level,
                "floatx": keras.config.floatx(),
                "dtype policy": keras.config.dtype_policy().name,
                "image data format": keras.config.image_data_format(),
            }}

        def train(units):
            clf = DigitMLPClassifier((units, 8), dropout=0.1, batch_norm=True)
            clf.set_params(random_state=0)
            clf.set_params(**{FEW_STEPS}).fit(X, y).to_keras()
            clf.set_params(**{MANY_STEPS}).fit(X, y).to_keras()

        threading = tf.config.threading
        threading.set_inter_op_parallelism_threads(2)
        threading.set_intra_op_parallelism_threads(1)
        before = state()
        sys.stderr.write("begin\\n")
        train(units=10)
        sys.stderr.write("end\\n")
        after = state()

        def draw(train, **shape):
            keras.utils.clear_session()  # in older Keras a generator outlives the seed
            keras.utils.set_random_seed(0)  # TensorFlow's global seed, too
            uniform = {{"tensorflow": tf.random.uniform, "keras": keras.random.uniform}}
            drawn = {{name: [float(uniform[name](()))] for name in uniform}}
            train(**shape)
            for name in uniform:
                drawn[name].append(float(uniform[name](())))
            return drawn

        results = {{
            "changed": [name for name in before if before[name] != after[name]],
            "threads": [
                threading.get_inter_op_parallelism_threads(),
                threading.get_intra_op_parallelism_threads(),
            ],
            "drawn": draw(lambda: None),
            # Another number of units, so that nothing is found in a cache.
            "drawn around a fit": draw(train, units=11),
        }}
        print(json.dumps(results))
        """
    )


def test_nothing_is_printed_after_tensorflow_was_loaded(after_tensorflow):
    out, err = after_tensorflow
    during = err.partition("begin\n")[2].partition("end\n")[0]
    assert during == ""
    assert out.count("\n") == 1


def test_global_state_is_left_alone(after_tensorflow):
    out, _ = after_tensorflow
    results = json.loads(out)
    assert results["changed"] == []
    assert results["threads"] == [2, 1]


def test_global_random_numbers_go_on(after_tensorflow):
    out, _ = after_tensorflow
    results = json.loads(out)
    assert results["drawn around a fit"] == results["drawn"]


# Reproducible weights

SETTINGS = {
    "graph": FEW_STEPS,
    "graph, all random": {
        **FEW_STEPS,
        "dropout": 0.2,
        "early_stopping": True,
    },
    "compiled": MANY_STEPS,
    "compiled, all random": {
        **MANY_STEPS,
        "dropout": 0.2,
        "early_stopping": True,
        "n_iter_no_change": 5,
        "max_iter": 25,
    },
}


RESUMED = {
    "graph": {**FEW_STEPS, "dropout": 0.2, "verbose": 1},
    "averages": {**FEW_STEPS, "batch_norm": True, "ema": 0.99, "solver": "sgd"},
    "compiled": {**MANY_STEPS, "dropout": 0.2},
}


@pytest.fixture(scope="module")
def elsewhere(all_digits, tmp_path_factory):
    """Another process: weights after SETTINGS, RESUMED at their ends, its output."""
    folder = tmp_path_factory.mktemp("elsewhere")
    half = {
        name: DigitMLPClassifier(warm_start=True, random_state=0, **settings)
        for name, settings in RESUMED.items()
    }
    for clf in half.values():
        verbose = clf.verbose
        clf.set_params(verbose=0).fit(*all_digits).set_params(verbose=verbose)
    half["partial_fit"] = DigitMLPClassifier(dropout=0.2, random_state=0)
    half["partial_fit"].partial_fit(*all_digits, classes=np.arange(10))
    joblib.dump(half, folder / "half.joblib")
    out, err = run(
        """
        import threading
        import time
        from pathlib import Path

        # The first fits are in two threads.
        clf = DigitMLPClassifier(max_iter=2, random_state=0)
        thread = threading.Thread(target=clf.fit, args=(X, y))
        thread.start()
        # Keras is being imported by the other thread, and is not complete yet.
        while "keras" not in sys.modules and thread.is_alive():
            time.sleep(0.001)
        other = DigitMLPClassifier(max_iter=2, random_state=0).fit(X, y)
        thread.join()
        np.testing.assert_array_equal(clf.coefs_[0], other.coefs_[0])

        weights = {}
        for name, settings in json.loads(os.environ["SETTINGS"]).items():
            clf = DigitMLPClassifier(**settings, random_state=0).fit(X, y)
            weights[name] = clf.coefs_ + clf.intercepts_
            clf.to_keras()

        sys.stderr.write("resumed\\n")
        folder = Path(os.environ["FOLDER"])
        classifiers = joblib.load(folder / "half.joblib")
        for name, clf in classifiers.items():
            clf.partial_fit(X, y) if name == "partial_fit" else clf.fit(X, y)
        joblib.dump((weights, classifiers), folder / "results.joblib")
        """,
        SETTINGS=json.dumps(SETTINGS),
        FOLDER=folder,
    )
    return *joblib.load(folder / "results.joblib"), out, err


def test_nothing_is_printed(elsewhere):
    # Although TensorFlow announces that it is loaded, starts up and compiles.
    _, _, out, err = elsewhere
    assert out == ""
    assert err.partition("resumed\n")[0] == ""


@pytest.mark.parametrize("name", list(reversed(SETTINGS)))
def test_same_weights_in_another_process_whatever_came_before(
    all_digits, elsewhere, name
):
    X, y = all_digits
    expected = elsewhere[0][name]
    clf = DigitMLPClassifier(**SETTINGS[name], random_state=0)
    other_shape = DigitMLPClassifier(**SETTINGS[name], random_state=0)
    other_seed = DigitMLPClassifier(**SETTINGS[name], random_state=1)
    first = weights(clf.fit(X, y))
    assert_close_weights(first, expected)
    other_shape.fit(X[:900, :40], y[:900])
    other_seed.fit(X, y)
    # Within a process it is bit for bit.
    for one, other in zip(weights(clf.fit(X, y)), first, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(clf.coefs_[0], other_seed.coefs_[0])


# What XLA has no kernel for


@pytest.fixture(scope="module")
def not_compilable():
    return run(
        f"""
        import warnings

        import keras
        import tensorflow as tf

        class Compilable(keras.optimizers.SGD):
            def update_step(self, gradient, variable, learning_rate):
                print("written while compiling", file=sys.stderr)
                super().update_step(gradient, variable, learning_rate)

        class NotCompilable(keras.optimizers.SGD):
            def update_step(self, gradient, variable, learning_rate):
                same = tf.numpy_function(lambda g: g, [gradient], gradient.dtype)
                same.set_shape(gradient.shape)
                super().update_step(same, variable, learning_rate)

        def fit(optimizer, X=X, y=y):
            solver = optimizer(learning_rate=0.01, momentum=0.9)
            settings = {MANY_STEPS}
            clf = DigitMLPClassifier(solver=solver, random_state=0)
            clf.set_params(**settings)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                clf.fit(X / 16, y)
            return {{
                "loss_curve": clf.loss_curve_,
                "score": clf.score(X / 16, y),
                "n_iter": clf.n_iter_,
                "warnings": [(w.category.__name__, str(w.message)) for w in caught],
            }}

        results = {{
            "compiled": fit(Compilable),
            "first": fit(NotCompilable),
            "again": fit(NotCompilable),
            "other shape": fit(NotCompilable, X[:, :50]),
        }}
        print(json.dumps(results))
        """
    )


def test_one_warning_where_xla_cannot_compile(not_compilable):
    results = json.loads(not_compilable[0])
    assert results["compiled"]["warnings"] == []
    [(category, message)] = results["first"]["warnings"]
    assert category == "RuntimeWarning"
    assert message.startswith("XLA could not compile the training program")
    assert results["again"]["warnings"] == []
    assert results["other shape"]["warnings"] == []


def test_training_where_xla_cannot_compile(not_compilable):
    results = json.loads(not_compilable[0])
    first = results["first"]
    assert first["n_iter"] == MANY_STEPS["max_iter"]
    assert first["score"] > 0.9
    # Only rounding tells a compiled fit from one that is not, in double precision.
    np.testing.assert_allclose(
        first["loss_curve"], results["compiled"]["loss_curve"], rtol=1e-6
    )
    assert results["again"]["loss_curve"] == first["loss_curve"]
    assert results["other shape"]["score"] > 0.9


def test_what_users_write_while_tensorflow_is_kept_quiet_comes_out(not_compilable):
    assert "written while compiling\n" in not_compilable[1]


# Resuming in another process


@pytest.mark.parametrize("name", RESUMED)
def test_warm_start_resumes_in_another_process(all_digits, elsewhere, name):
    settings = {**RESUMED[name], "max_iter": 2 * RESUMED[name]["max_iter"]}
    whole = DigitMLPClassifier(random_state=0, **settings)
    whole.set_params(verbose=0).fit(*all_digits)
    clf = elsewhere[1][name]
    assert_close_weights(weights(clf), weights(whole))
    assert_allclose(clf.loss_curve_, whole.loss_curve_, **ROUNDING)
    assert clf.t_ == whole.t_


def test_partial_fit_resumes_in_another_process(all_digits, elsewhere):
    whole = DigitMLPClassifier(dropout=0.2, random_state=0)
    for _ in range(2):
        whole.partial_fit(*all_digits, classes=np.arange(10))
    clf = elsewhere[1]["partial_fit"]
    assert_close_weights(weights(clf), weights(whole))


def test_verbose_is_one_bar_on_stderr(elsewhere):
    *_, out, err = elsewhere
    err = err.partition("resumed\n")[2]
    assert out == ""
    assert err.count("\n") == 1
    assert err.endswith("\n")
    *_, last = states = err.strip().split("\r")
    assert all(state.startswith("DigitMLPClassifier: ") for state in states)
    assert f"{FEW_STEPS['max_iter']}/{FEW_STEPS['max_iter']} " in last
    assert "epoch" in last
    assert "loss=" in last
