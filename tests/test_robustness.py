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
from hypothesis import given, settings
from hypothesis import strategies as st

from skdigits import DigitMLPClassifier

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


def quick(**params):
    return DigitMLPClassifier(
        **{"max_iter": 3, "learning_rate_init": 0.01, "random_state": 0, **params}
    )


def start(code, *arguments):
    """Run code in another Python process, where warnings are not errors."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )


# Damaged files

# Loads every file of a folder. Prints the outcome of each: an error, the probabilities
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

def load_skops(path):
    return skops.io.load(path, trusted=["skdigits.DigitMLPClassifier"])

loaders = {
    ".joblib": joblib.load,
    ".pickle": lambda path: pickle.loads(path.read_bytes()),
    ".skops": load_skops,
}
try:  # a damaged length must not fill the memory
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
except ImportError:
    pass
outcomes = {suffix: {} for suffix in loaders}
for suffix, load in loaders.items():
    for path in sorted(folder.glob("*" + suffix)):
        try:
            # Anything but a classifier has no `predict_proba`, which is an error here.
            P = load(path).predict_proba(data["X"])
            assert P.shape == data["P"].shape and np.isfinite(P).all(), P
            same = np.allclose(P, data["P"], rtol=1e-4, atol=1e-6)
            outcomes[suffix][path.stem] = "same" if same else "other"
        except Exception as error:
            outcomes[suffix][path.stem] = f"{type(error).__name__}: {error}"
print(json.dumps(outcomes))
"""
N_FLIPS = {".joblib": 60, ".pickle": 60, ".skops": 20}
N_TRUNCATED = 6


@pytest.fixture(scope="module")
def small(digits):
    """A fitted classifier whose files are small."""
    return quick(hidden_layer_sizes=(5, 4)).fit(*digits)


def truncated(data):
    """Some beginnings of a file."""
    for length in np.linspace(1, len(data) - 1, N_TRUNCATED).astype(int):
        yield data[:length]


def flipped(data, n, rng):
    """Copies of a file, each with one wrong bit."""
    for _ in range(n):
        copy = bytearray(data)
        copy[rng.integers(len(data))] ^= 1 << rng.integers(8)
        yield bytes(copy)


@pytest.fixture(scope="module")
def outcomes(digits, small, tmp_path_factory):
    """Outcomes of loading whole and damaged files, by format and name."""
    folder = tmp_path_factory.mktemp("damaged")
    X = digits[0][:20]
    np.savez(folder / "data.npz", X=X, P=small.predict_proba(X))
    joblib.dump(small, folder / "whole.joblib")
    (folder / "whole.pickle").write_bytes(pickle.dumps(small))
    skops.io.dump(small, folder / "whole.skops")
    whole = {suffix: (folder / f"whole{suffix}").read_bytes() for suffix in N_FLIPS}
    rng = np.random.default_rng(0)
    for suffix, data in whole.items():
        files = {"empty": b"", "text": b"not a model\n", "zeros": bytes(999)}
        files["list"] = pickle.dumps([1, 2, 3])
        files |= {f"wrong{other}": whole[other] for other in whole if other != suffix}
        for number, content in enumerate(truncated(data)):
            files[f"truncated {number}"] = content
        for number, content in enumerate(flipped(data, N_FLIPS[suffix], rng)):
            files[f"flipped {number}"] = content
        for name, content in files.items():
            (folder / f"{name}{suffix}").write_bytes(content)
    done = start(LOAD_ALL, folder)
    assert done.returncode == 0, done.stderr  # a signal, if the interpreter crashed
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(params=N_FLIPS)
def of_format(request, outcomes):
    return request.param, outcomes[request.param]


def test_undamaged_files_load(of_format):
    assert of_format[1]["whole"] == "same"


def test_files_of_another_kind_are_refused(of_format):
    suffix, outcomes = of_format
    # joblib loads a plain pickle, too.
    fine = {"wrong.pickle"} if suffix == ".joblib" else set()
    refused = ("empty", "text", "zeros", "wrong", "list", "truncated")
    others = [name for name in outcomes if name.startswith(refused)]
    assert len(others) == 6 + N_TRUNCATED
    for name in others:
        assert (outcomes[name] == "same") == (name in fine), (name, outcomes[name])
        assert outcomes[name] != "other", name


def test_flipped_bits_are_noticed_by_formats_with_checksums(of_format):
    suffix, outcomes = of_format
    flipped = [outcomes[name] for name in outcomes if name.startswith("flipped")]
    assert len(flipped) == N_FLIPS[suffix]
    if suffix == ".skops":
        assert "other" not in flipped
    else:
        # Pickles have no checksum: a flipped bit of a weight may go unnoticed.
        assert set(flipped) != {"other"}


@pytest.mark.filterwarnings("ignore")  # zipfile's
def test_damaged_keras_files_are_refused_or_the_same(digits, small, tmp_path):
    import keras

    X, _ = digits
    path = tmp_path / "model.keras"
    small.to_keras().save(path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    outcomes = []
    for content in [whole, b"", *truncated(whole), *flipped(whole, 5, rng)]:
        path.write_bytes(content)
        try:
            clf = DigitMLPClassifier.from_keras(keras.saving.load_model(path))
        except Exception:
            outcomes.append("refused")
        else:
            P = clf.predict_proba(X)
            np.testing.assert_allclose(P, small.predict_proba(X), atol=1e-6)
            outcomes.append("same")
    assert outcomes[: N_TRUNCATED + 2] == ["same"] + ["refused"] * (N_TRUNCATED + 1)


# Full disks


def dump_pickle(model, path):
    with open(path, "wb") as file:
        pickle.dump(model, file)


@posix_only
@pytest.mark.parametrize("dump", [joblib.dump, dump_pickle, skops.io.dump])
def test_a_full_disk_is_reported_and_the_old_file_can_be_kept(digits, tmp_path, dump):
    import resource

    X, y = digits
    small, large = (quick(hidden_layer_sizes=(n,), max_iter=1) for n in (2, 200))
    small.fit(X, y)
    large.fit(X, y)

    def save(model):
        # First beside it, then renamed: there is always a whole file at `path`.
        path, part = tmp_path / "model", tmp_path / "model.part"
        dump(model, part)
        os.replace(part, path)
        return path.read_bytes()

    before = save(small)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save(large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "model").read_bytes() == before
    assert large.predict(X).shape == (400,)


# Killed processes

TRAINING = """
import os, pathlib, signal, sys
import joblib, keras
import numpy as np
from skdigits import DigitMLPClassifier

folder = pathlib.Path(sys.argv[1])
X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")

class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 4:
            os.kill(os.getpid(), signal.SIGKILL)

clf = DigitMLPClassifier(max_iter=2, random_state=0, warm_start=True, dropout=0.1)
for _ in range(2):
    joblib.dump(clf.fit(X, y), folder / "rounds.joblib")
callbacks = [
    keras.callbacks.ModelCheckpoint(str(folder / "checkpoint.keras")),
    Kill(),
]
clf = DigitMLPClassifier(max_iter=7, random_state=0, callbacks=callbacks).fit(X, y)
"""


@pytest.fixture(scope="module")
def killed(digits, tmp_path_factory):
    """A folder with the files of trainings whose process was killed."""
    folder = tmp_path_factory.mktemp("killed")
    np.save(folder / "X.npy", digits[0])
    np.save(folder / "y.npy", digits[1])
    done = start(TRAINING, folder)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return folder


def assert_same_weights(one, other, **tolerance):
    """Hold that weights are equal; those of two processes up to rounding."""
    for actual, expected in zip(
        one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_, strict=True
    ):
        np.testing.assert_allclose(actual, expected, **{"rtol": 0, **tolerance})


@posix_only
def test_killed_training_is_resumed_from_a_saved_classifier(digits, killed):
    clf = joblib.load(killed / "rounds.joblib")
    assert len(clf.loss_curve_) == 4
    clf.fit(*digits)
    uninterrupted = DigitMLPClassifier(max_iter=6, random_state=0, dropout=0.1)
    assert_same_weights(clf, uninterrupted.fit(*digits), atol=1e-4)
    np.testing.assert_allclose(clf.loss_curve_, uninterrupted.loss_curve_, rtol=1e-3)


@posix_only
def test_checkpoint_of_a_killed_training_can_be_trained_further(digits, killed):
    import keras

    X, y = digits
    model = keras.saving.load_model(killed / "checkpoint.keras")
    clf = DigitMLPClassifier.from_keras(model)
    expected = keras.ops.softmax(model(X)).numpy()
    np.testing.assert_allclose(clf.predict_proba(X), expected, atol=1e-5)
    clf.set_params(warm_start=True, max_iter=10, random_state=0)
    before = clf.score(X, y)
    assert clf.fit(X, y).score(X, y) > before
    assert clf.n_iter_ == 10


# Threads


def test_eight_threads_predict_while_another_fits(digits):
    X, y = digits
    clf = quick(batch_norm=True).fit(X, y)
    expected = clf.predict_proba(X)
    alone = quick(dropout=0.1, max_iter=10).fit(X, y)
    other = quick(dropout=0.1, max_iter=10)
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
    for _ in range(3):
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


# scikit-learn's own check of values, where both infinities are among them.
both_infinities = pytest.mark.filterwarnings(
    "ignore:invalid value encountered in reduce:RuntimeWarning"
)


@both_infinities
@settings(max_examples=200)
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
@pytest.mark.filterwarnings("ignore:X has values from:UserWarning")
@settings(max_examples=15)
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
