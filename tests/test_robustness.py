"""What must hold when files are damaged, disks full, processes killed, inputs odd."""

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import skops.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from skdigits import DigitMLPClassifier

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


def quick(**params):
    return DigitMLPClassifier(
        **{"max_iter": 3, "learning_rate_init": 0.01, "random_state": 0, **params}
    )


def start(code, *arguments, **env):
    """Run code in a Python of its own, where warnings are no errors."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=300,
    )


# Damaged files

# Loads every file of a folder. Prints what came of each: an error, the probabilities
# of the undamaged model, or others. Nothing but an `Exception` may come out of it.
LOAD_ALL = """
import json, pathlib, pickle, sys, warnings
import joblib
import numpy as np
import skops.io
from skdigits import DigitMLPClassifier

warnings.simplefilter("ignore")
folder = pathlib.Path(sys.argv[1])
data = np.load(folder / "data.npz")

def load_keras(path):
    import keras
    return DigitMLPClassifier.from_keras(keras.saving.load_model(path))

def load_skops(path):
    return skops.io.load(path, trusted=["skdigits._classifier.DigitMLPClassifier"])

loaders = {
    ".joblib": joblib.load,
    ".pickle": lambda path: pickle.loads(path.read_bytes()),
    ".skops": load_skops,
    ".keras": load_keras,
}
if sys.argv[2] != ".keras":
    try:  # what a damaged length asks for is not to fill the memory
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    except ImportError:
        pass
outcomes = {}
for path in sorted(folder.glob("*" + sys.argv[2])):
    try:
        model = loaders[path.suffix](path)
        # Which classifiers have; anything else is no classifier, and says so here.
        P = model.predict_proba(data["X"])
        assert P.shape == data["P"].shape and np.isfinite(P).all(), P
        same = np.allclose(P, data["P"], rtol=1e-4, atol=1e-6)
        outcomes[path.stem] = "same" if same else "other"
    except Exception as error:
        outcomes[path.stem] = f"{type(error).__name__}: {error}"
print(json.dumps(outcomes))
"""
FORMATS = [".joblib", ".pickle", ".skops", ".keras"]
N_FLIPS = {".joblib": 300, ".pickle": 300, ".skops": 60, ".keras": 40}


@pytest.fixture(scope="module")
def whole(digits, tmp_path_factory):
    """A file in each format."""
    X, y = digits
    folder = tmp_path_factory.mktemp("whole")
    clf = quick(hidden_layer_sizes=(5, 4)).fit(X, y)
    joblib.dump(clf, folder / "whole.joblib")
    (folder / "whole.pickle").write_bytes(pickle.dumps(clf))
    skops.io.dump(clf, folder / "whole.skops")
    clf.to_keras().save(folder / "whole.keras")
    np.savez(folder / "data.npz", X=X[:20], P=clf.predict_proba(X[:20]))
    return folder


@pytest.fixture(scope="module", params=FORMATS)
def outcomes(request, whole, tmp_path_factory):
    """What loading damaged files of a format gave."""
    suffix = request.param
    folder = tmp_path_factory.mktemp("damaged")
    data = (whole / f"whole{suffix}").read_bytes()
    files = {"whole": data, "empty": b"", "text": b"not a model\n", "zeros": bytes(999)}
    for other in FORMATS:
        if other != suffix:
            files[f"wrong{other}"] = (whole / f"whole{other}").read_bytes()
    files["list"] = pickle.dumps([1, 2, 3])
    for number, length in enumerate(np.linspace(1, len(data) - 1, 25).astype(int)):
        files[f"truncated {number}"] = data[:length]
    rng = np.random.default_rng(0)
    for number in range(N_FLIPS[suffix]):
        flipped = bytearray(data)
        flipped[rng.integers(len(data))] ^= 1 << rng.integers(8)
        files[f"flipped {number}"] = bytes(flipped)
    for name, content in files.items():
        (folder / f"{name}{suffix}").write_bytes(content)
    (folder / "data.npz").write_bytes((whole / "data.npz").read_bytes())
    done = start(LOAD_ALL, folder, suffix)
    assert done.returncode == 0, done.stderr  # a signal, if the interpreter crashed
    outcomes = json.loads(done.stdout.splitlines()[-1])
    assert outcomes.keys() == {name.removesuffix(suffix) for name in files}
    return suffix, outcomes


def test_undamaged_files_load(outcomes):
    assert outcomes[1]["whole"] == "same"


def test_files_that_are_no_model_are_refused(outcomes):
    suffix, outcomes = outcomes
    # joblib loads a plain pickle, too.
    fine = {"wrong.pickle"} if suffix == ".joblib" else set()
    for name, outcome in outcomes.items():
        if name.startswith(("empty", "text", "zeros", "wrong", "list", "truncated")):
            assert (outcome == "same") == (name in fine), (name, outcome)
            assert outcome != "other", name


def test_flipped_bits_are_noticed_by_formats_with_checksums(outcomes):
    suffix, outcomes = outcomes
    flipped = {n: outcomes[n] for n in outcomes if n.startswith("flipped")}
    assert len(flipped) == N_FLIPS[suffix]
    changed = [name for name in flipped if flipped[name] == "other"]
    if suffix in (".skops", ".keras"):
        assert not changed
    else:
        # Of a weight's bits some are bound to go unnoticed; most flips are there.
        assert len(changed) < len(flipped)


# Full disks


@posix_only
def test_a_full_disk_is_told_and_the_old_file_can_be_kept(tmp_path):
    done = start(
        """
        import os, pathlib, resource, signal
        import joblib, skops.io, pickle
        import numpy as np
        from skdigits import DigitMLPClassifier

        def save(dump, model, path):
            # Beside, then renamed: at `path` is always a whole file.
            beside = path.with_name(path.name + ".part")
            dump(model, beside)
            os.replace(beside, path)

        def dump_pickle(model, path):
            with open(path, "wb") as file:
                pickle.dump(model, file)

        rng = np.random.default_rng(0)
        X, y = rng.random((100, 300)), np.arange(100) % 10
        small = DigitMLPClassifier((2,), max_iter=1).fit(X[:, :5], y)
        large = DigitMLPClassifier((200,), max_iter=1).fit(X, y)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        for dump in (joblib.dump, dump_pickle, skops.io.dump):
            path = pathlib.Path(f"{dump.__name__}.file")
            save(dump, small, path)
            before = path.read_bytes()
            try:
                save(dump, large, path)
            except OSError as error:
                assert "File too large" in str(error), error
            else:
                raise AssertionError("no error")
            assert path.read_bytes() == before
            assert large.predict(X).shape == (100,)
        """.replace("pathlib.Path(", f"pathlib.Path({str(tmp_path)!r}, ")
    )
    assert done.returncode == 0, done.stderr


# Killed processes

KILLED = {"dropout": 0.1, "batch_norm": True, "ema": 0.9, "learning_rate": "cosine"}
TRAINING = f"""
import os, pathlib, signal, sys
import joblib, keras
from sklearn.datasets import load_digits
from skdigits import DigitMLPClassifier

X, y = load_digits(return_X_y=True)
folder = pathlib.Path(sys.argv[1])

class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 4 and sys.argv[2] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)

def with_keras_callbacks():
    callbacks = [
        keras.callbacks.BackupAndRestore(str(folder / "backup")),
        keras.callbacks.ModelCheckpoint(str(folder / "checkpoint.keras")),
        Kill(),
    ]
    clf = DigitMLPClassifier(max_iter=7, random_state=0, callbacks=callbacks)
    clf.set_params(**{KILLED}).fit(X, y)
    joblib.dump(clf.set_params(callbacks=None), folder / "backup.joblib")

def in_rounds():
    path = folder / "rounds.joblib"
    clf = DigitMLPClassifier(max_iter=2, random_state=0, warm_start=True, dropout=0.1)
    if path.exists():
        clf = joblib.load(path)
    while not hasattr(clf, "coefs_") or len(clf.loss_curve_) < 8:
        clf.fit(X, y)
        joblib.dump(clf, folder / "part")
        os.replace(folder / "part", path)
        if len(clf.loss_curve_) == 4 and sys.argv[3] == "kill":
            clf.set_params(callbacks=[Kill()], max_iter=9)
            sys.argv[2] = "kill"
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A folder with what trainings have left that were killed and started again."""
    folder = tmp_path_factory.mktemp("killed")
    first = start(TRAINING + "with_keras_callbacks()", folder, "kill", "")
    assert first.returncode == -signal.SIGKILL, first.stderr
    (folder / "checkpoint.keras").rename(folder / "after_kill.keras")
    both = "with_keras_callbacks()\nin_rounds()"
    second = start(TRAINING + both, folder, "", "kill")
    assert second.returncode == -signal.SIGKILL, second.stderr
    third = start(TRAINING + "in_rounds()", folder, "", "")
    assert third.returncode == 0, third.stderr
    return folder


def assert_same_weights(one, other):
    for actual, expected in zip(
        one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True
    ):
        np.testing.assert_array_equal(actual, expected)


@posix_only
def test_killed_training_goes_on_with_backup_and_restore(killed):
    X, y = load_digits(return_X_y=True)
    clf = joblib.load(killed / "backup.joblib")
    uninterrupted = DigitMLPClassifier(max_iter=7, random_state=0, **KILLED).fit(X, y)
    assert_same_weights(clf, uninterrupted)
    # The losses of the first four epochs went with the process.
    assert np.isnan(clf.loss_curve_[:4]).all()
    assert clf.loss_curve_[4:] == uninterrupted.loss_curve_[4:]
    for name in ("n_iter_", "t_", "loss_", "best_loss_", "best_epoch_"):
        assert getattr(clf, name) == getattr(uninterrupted, name)


@posix_only
def test_killed_training_goes_on_from_a_saved_classifier(killed):
    X, y = load_digits(return_X_y=True)
    clf = joblib.load(killed / "rounds.joblib")
    uninterrupted = DigitMLPClassifier(max_iter=8, random_state=0, dropout=0.1)
    assert_same_weights(clf, uninterrupted.fit(X, y))
    assert clf.loss_curve_ == uninterrupted.loss_curve_


@posix_only
def test_checkpoint_of_a_killed_training_is_a_model_to_go_on_with(killed):
    import keras

    X, y = load_digits(return_X_y=True)
    model = keras.saving.load_model(killed / "after_kill.keras")
    clf = DigitMLPClassifier.from_keras(model)
    expected = keras.ops.softmax(model(X)).numpy()
    np.testing.assert_allclose(clf.predict_proba(X), expected, atol=1e-5)
    clf.set_params(warm_start=True, max_iter=10, random_state=0)
    before = clf.score(X, y)
    assert clf.fit(X, y).score(X, y) > before
    assert clf.n_iter_ == 10


def test_restored_epochs_count_where_scores_are_watched(digits, tmp_path):
    import keras

    def interrupted(**params):
        class Stop(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                if epoch == 2:
                    raise InterruptedError

        folder = tmp_path / str(params)
        for extra in ([Stop()], []):
            # Keras's own callback would delete what it has saved after a normal end.
            backup = keras.callbacks.BackupAndRestore(str(folder))
            clf = quick(max_iter=6, callbacks=[backup, *extra], **params)
            if not extra:
                return clf.fit(*digits)
            with pytest.raises(InterruptedError):
                clf.fit(*digits)

    clf = interrupted(early_stopping=True, warm_start=True)
    assert np.isnan(clf.validation_scores_).tolist() == [True] * 3 + [False] * 3
    assert clf.best_validation_score_ == max(clf.validation_scores_[3:])
    assert clf.validation_scores_[clf.best_epoch_ - 1] == clf.best_validation_score_
    clf.set_params(callbacks=None).fit(*digits)
    assert len(clf.loss_curve_) == 12
    assert clf.best_validation_score_ == np.nanmax(clf.validation_scores_)
    whole = quick(max_iter=6, batch_norm=True).fit(*digits)
    assert_same_weights(interrupted(batch_norm=True), whole)


# Threads


def test_eight_threads_predict_while_another_fits(digits):
    X, y = digits
    clf = quick(batch_norm=True).fit(X, y)
    expected = clf.predict_proba(X)
    alone = quick(dropout=0.1, max_iter=30).fit(X, y)
    other = quick(dropout=0.1, max_iter=30)
    fitting = threading.Thread(target=other.fit, args=(X, y))
    wrong, n_predictions = [], []

    def predict():
        number = 0
        while fitting.is_alive() or number < 10:
            if not np.array_equal(clf.predict_proba(X), expected):
                wrong.append(number)
            number += 1
        n_predictions.append(number)

    fitting.start()
    threads = [threading.Thread(target=predict) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in [fitting, *threads]:
        thread.join()
    assert len(n_predictions) == 8
    assert not wrong
    assert_same_weights(other, alone)


def test_two_fits_of_one_classifier_leave_the_result_of_one(digits):
    X, y = digits
    data = [(X, y), (X[y < 2][:, :30], np.where(y[y < 2], "one", "zero"))]
    results = [vars(quick().fit(*part)) for part in data]
    for _ in range(5):
        clf = quick()
        threads = [threading.Thread(target=clf.fit, args=part) for part in data]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        last = results[len(clf.classes_) == 2]
        assert vars(clf).keys() == last.keys()
        for name, value in last.items():
            if isinstance(value, list):
                for one, other in zip(vars(clf)[name], value, strict=True):
                    np.testing.assert_array_equal(one, other)
            else:
                np.testing.assert_array_equal(vars(clf)[name], value)


def test_a_callback_finds_the_classifier_as_it_was(digits):
    import keras

    X, y = digits
    clf = quick().fit(X, y)
    expected = clf.predict_proba(X)
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            clf.set_params(callbacks=None)
            seen.append(pickle.loads(pickle.dumps(clf)).predict_proba(X))

    clf.set_params(callbacks=[Look()]).fit(X[:, :30], y > 4)
    assert len(seen) == 3
    for P in seen:
        np.testing.assert_array_equal(P, expected)
    assert clf.classes_.tolist() == [False, True]


# Inputs of all kinds

N_FEATURES = 6
DTYPES = ["f2", "<f4", ">f4", "<f8", ">f8", "g", "u1", "i1", "<i2", ">i4", "<i8", "u8"]
ODD_DTYPES = ["?", "c8", "O", "U5", "S3", "M8[s]"]
# Those that no dtype can hold become infinite, and are refused.
VALUES = [0, 1, -1, 0.5, 16, 255, 1e-45, 1e-320, 1e4, 6e4, 1e30, 1e39, 1e300, -1e308]
VALUES += [np.inf, -np.inf, np.nan, -0.0, 2.0**31, 2.0**63]


def as_is(X):
    return X


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def every_other(X):
    """A view with gaps between the values."""
    wide = np.zeros([2 * n for n in X.shape], X.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in X.shape)]
    view[...] = X
    return view


def not_aligned(X):
    buffer = np.zeros(X.nbytes + 1, np.uint8)
    view = buffer[1 : X.nbytes + 1].view(X.dtype).reshape(X.shape)
    view[...] = X
    return view


def backwards(X):
    return X[::-1].copy()[::-1]


def masked(X):
    return np.ma.MaskedArray(X, mask=np.arange(X.size).reshape(X.shape) % 7 == 0)


CONTAINERS = {
    "array": as_is,
    "Fortran": np.asfortranarray,
    "read-only": read_only,
    "strided": every_other,
    "backwards": backwards,
    "not aligned": not_aligned,
    "not masked": np.ma.MaskedArray,
    "masked": masked,
    "list": np.ndarray.tolist,
    "frame": pd.DataFrame,
    "csr": sp.csr_matrix,
    "csc": sp.csc_array,
    "coo": sp.coo_matrix,
}


@st.composite
def images(draw, fewest, most):
    """Rows of right or wrong shape, and in which container they are to be."""
    shape = (
        draw(st.integers(fewest, most)),
        draw(st.sampled_from([N_FEATURES] * 26 + [0, 1, 5, 7])),
    )
    shape = draw(st.sampled_from([shape] * 27 + [(), shape[1:], (*shape, 2)]))
    dtype = draw(st.sampled_from(DTYPES * 3 + ODD_DTYPES))
    n_odd = draw(st.sampled_from([0, 0, 0, 0, 1, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    X = rng.integers(0, 17, shape).astype(float)
    odd = [draw(st.sampled_from(VALUES)) for _ in range(n_odd)]
    if X.size:
        X.ravel()[rng.integers(X.size, size=n_odd)] = odd
    with np.errstate(all="ignore"):
        X = X.astype("i8").astype(dtype) if dtype == "M8[s]" else X.astype(dtype)
    return X, draw(st.sampled_from(list(CONTAINERS)))


def put_in(X, container):
    if X.ndim != 2 and container in ("frame", "csr", "csc", "coo"):
        return X  # these would make two axes of it
    try:
        return CONTAINERS[container](X)
    except (IndexError, TypeError, ValueError):  # a sparse matrix of strings, say
        return X


def is_fine(X, container):
    """Whether there is nothing about the rows that could be refused."""
    numeric = X.dtype.kind in "fiub"
    shaped = X.ndim == 2 and X.shape[1] == N_FEATURES and len(X) > 0
    if not (numeric and shaped) or container == "masked":
        return False
    # scipy.sparse has neither float16 nor, everywhere, long double.
    if container in ("csr", "csc", "coo") and X.dtype.char in "eg":
        return False
    return bool((np.abs(X.astype(np.float64)) <= 1e6).all())


def reference_logits(clf, X):
    """Logits in double precision, and how far rounding may take others from them."""
    Z = X.astype(np.float64)
    size = np.abs(Z)
    last = len(clf.coefs_) - 1
    for layer, (W, b) in enumerate(zip(clf.coefs_, clf.intercepts_, strict=True)):
        W, b = W.astype(np.float64), b.astype(np.float64)
        Z, size = Z @ W + b, size @ np.abs(W) + np.abs(b)
        if layer < last:
            Z = np.maximum(Z, 0)
    eps = np.finfo(clf.coefs_[0].dtype).eps
    return Z, 100 * eps * size + 1e-30


def assert_correct(clf, given, X):
    with np.errstate(all="ignore"):
        Z, error = reference_logits(clf, X)
    got = clf.decision_function(given)
    if got.ndim == 1:
        got = np.column_stack([np.zeros_like(got), got])
        Z = np.column_stack([np.zeros(len(Z)), Z])
        error = np.column_stack([error, error])
    assert got.dtype == clf.coefs_[0].dtype
    assert (np.abs(got - Z) <= error).all()
    P = clf.predict_proba(given)
    np.testing.assert_allclose(P.sum(axis=1), 1, atol=1e-5)
    predicted = np.searchsorted(clf.classes_, clf.predict(given))
    rows = np.arange(len(Z))
    assert (Z[rows, predicted] >= Z.max(axis=1) - 2 * error.max(axis=1)).all()


@pytest.fixture(scope="module")
def readers():
    """Fitted classifiers, in float32 and in float64."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 17, (60, N_FEATURES)).astype(float), np.arange(60) % 3
    return [
        quick(hidden_layer_sizes=(4,), dtype=dtype).fit(X, y)
        for dtype in ("float32", "float64")
    ]


def exhaustively(n):
    return settings(
        max_examples=n,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


# scikit-learn's own check of values, where both infinities are among them.
both_infinities = pytest.mark.filterwarnings(
    "ignore:invalid value encountered in reduce:RuntimeWarning"
)


@both_infinities
@exhaustively(1900)
@given(drawn=images(0, 40), double=st.booleans())
def test_any_input_is_predicted_correctly_or_refused(readers, drawn, double):
    clf = readers[double]
    X, container = drawn
    given = put_in(X, container)
    try:
        clf.predict(given)
    except (TypeError, ValueError):
        assert not is_fine(X, container)
        return
    assert_correct(clf, given, X)


LABELS = {
    "int": [3, 7, 9],
    "str": ["c", "a", "b"],
    "bool": [True, False],
    "float": [0.0, 2.0],
    "object": ["x", "y"],
    "fraction": [0.1, 0.2],
    "nan": [np.nan, 1.0],
    "mixed": [1, "x"],
    "None": [None, 1],
}


@st.composite
def training_sets(draw):
    X, container = draw(images(2, 8))
    labels = draw(st.sampled_from(["int"] * 4 + ["str"] * 3 + list(LABELS)))
    n_labels = len(X) if X.ndim and draw(st.integers(0, 9)) else 3
    values = [LABELS[labels][i % len(LABELS[labels])] for i in range(n_labels)]
    dtype = object if labels in ("object", "mixed", "None") else None
    return X, container, np.array(values, dtype=dtype), labels


@both_infinities
@exhaustively(100)
@given(drawn=training_sets())
def test_any_training_set_is_learned_correctly_or_refused(drawn):
    X, container, y, labels = drawn
    given = put_in(X, container)

    def fit(X):
        return quick(hidden_layer_sizes=(4,), max_iter=1).fit(X, y)

    try:
        clf = fit(given)
    except (TypeError, ValueError):
        fine_labels = labels not in ("fraction", "nan", "mixed", "None")
        assert not (is_fine(X, container) and fine_labels and len(y) == len(X))
        return
    assert_correct(clf, given, X)
    # The container and the order of bytes in it make no difference.
    native = np.array(X.tolist()) if container == "list" or X.dtype == object else X
    native = np.array(native, dtype=native.dtype.newbyteorder("="), order="C")
    assert_same_weights(clf, fit(native))


def test_masked_values_are_refused(digits):
    X, y = digits
    clf = quick().fit(X, y)
    hidden = np.ma.MaskedArray(X, mask=X == 0)
    for train_or_predict in (
        lambda: clf.predict(hidden),
        lambda: clf.fit(hidden, y),
        lambda: clf.fit(X, np.ma.MaskedArray(y, mask=y == 3)),
    ):
        with pytest.raises(ValueError, match=r"[Xy] has masked values.*filled"):
            train_or_predict()
    np.testing.assert_array_equal(clf.predict(np.ma.MaskedArray(X)), clf.predict(X))


def test_the_order_of_bytes_makes_no_difference(digits):
    X, y = digits
    clf = quick().fit(X.astype(">f8"), y.astype(">i8"))
    assert clf.coefs_[0].dtype == np.float64
    assert_same_weights(clf, quick().fit(X.astype("<f8"), y))
