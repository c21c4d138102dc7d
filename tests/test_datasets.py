"""Tests of skdigits.datasets: the sources of MNIST, and damaged files."""

import gzip
import hashlib
import inspect
import io
import struct
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

from skdigits.datasets import _mnist, fetch_mnist

FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def idx(array):
    """An array as in the original files: magic number, shape, bytes."""
    header = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
    return header + array.tobytes()


def npz(arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def write_npz(home, arrays):
    (home / "mnist.npz").write_bytes(npz(arrays))


def write_idx(home, arrays, compress=lambda content: content, suffix=""):
    for key, name in FILES.items():
        (home / f"{name}{suffix}").write_bytes(compress(idx(arrays[key])))


SOURCES = {
    "npz": write_npz,
    "idx": write_idx,
    "idx.gz": lambda home, arrays: write_idx(home, arrays, gzip.compress, ".gz"),
    "unpacked idx.gz": lambda home, arrays: write_idx(home, arrays, suffix=".gz"),
}


@pytest.fixture
def arrays(monkeypatch):
    """Made-up arrays of 6 and 2 digits, whose checksums are expected."""
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(256, size=(6, 28, 28), dtype=np.uint8),
        "y_train": rng.integers(10, size=6, dtype=np.uint8),
        "x_test": rng.integers(256, size=(2, 28, 28), dtype=np.uint8),
        "y_test": rng.integers(10, size=2, dtype=np.uint8),
    }
    for key, name in FILES.items():
        sha256 = hashlib.sha256(idx(arrays[key])).hexdigest()
        monkeypatch.setitem(_mnist._SHA256, name, sha256)
    monkeypatch.setattr(_mnist, "_N_TRAIN", 6)
    return arrays


@pytest.fixture(autouse=True)
def openml(monkeypatch):
    """What OpenML answers: nothing, until a test sets "answer"."""
    openml = {"answer": OSError("no network"), "calls": 0}

    def fetch(*args, **kwargs):
        inspect.signature(fetch_openml).bind(*args, **kwargs)
        openml["calls"] += 1
        if isinstance(openml["answer"], Exception):
            raise openml["answer"]
        kwargs["data_home"].mkdir(parents=True, exist_ok=True)
        return openml["answer"]

    monkeypatch.setattr(_mnist, "fetch_openml", fetch)
    return openml


def table(arrays):
    """The data as `fetch_openml` returns them."""
    images = np.concatenate([arrays["x_train"], arrays["x_test"]])
    labels = np.concatenate([arrays["y_train"], arrays["y_test"]])
    data = images.reshape(len(images), -1).astype(np.int64)
    return Bunch(data=data, target=labels.astype(str).astype(object))


def assert_is(mnist, arrays):
    images = np.concatenate([arrays["x_train"], arrays["x_test"]])
    np.testing.assert_array_equal(mnist.images, images)
    np.testing.assert_array_equal(mnist.data, images.reshape(len(images), -1))
    labels = np.concatenate([arrays["y_train"], arrays["y_test"]])
    np.testing.assert_array_equal(mnist.target, labels)
    np.testing.assert_array_equal(mnist.train_indices, np.arange(6))
    np.testing.assert_array_equal(mnist.test_indices, [6, 7])


# The returned object


def test_bunch_and_return_X_y(tmp_path, arrays):
    write_npz(tmp_path, arrays)
    mnist = fetch_mnist(data_home=tmp_path)
    assert_is(mnist, arrays)
    assert mnist.data.dtype == mnist.images.dtype == np.uint8
    assert mnist.target.dtype == np.int64
    assert np.shares_memory(mnist.data, mnist.images)
    assert mnist.data.flags.c_contiguous
    assert mnist.data.flags.writeable
    assert mnist.feature_names == [f"pixel{i}" for i in range(1, 785)]
    np.testing.assert_array_equal(mnist.target_names, np.arange(10))
    assert mnist.frame is None
    assert "LeCun" in mnist.DESCR
    X, y = fetch_mnist(data_home=tmp_path, return_X_y=True)
    np.testing.assert_array_equal(X, mnist.data)
    np.testing.assert_array_equal(y, mnist.target)


def test_as_frame(tmp_path, arrays):
    pd = pytest.importorskip("pandas")
    write_npz(tmp_path, arrays)
    mnist = fetch_mnist(data_home=tmp_path, as_frame=True)
    assert_is(mnist, arrays)
    assert isinstance(mnist.data, pd.DataFrame)
    assert list(mnist.data.columns) == mnist.feature_names
    assert (mnist.data.dtypes == np.uint8).all()
    pd.testing.assert_frame_equal(mnist.frame.drop(columns="target"), mnist.data)
    pd.testing.assert_series_equal(mnist.frame["target"], mnist.target)


def test_only_as_frame_needs_pandas(tmp_path, arrays, monkeypatch):
    write_npz(tmp_path, arrays)
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert_is(fetch_mnist(data_home=tmp_path), arrays)
    with pytest.raises(ImportError, match="as_frame=True requires pandas"):
        fetch_mnist(data_home=tmp_path, as_frame=True)


def test_parameters_are_validated():
    with pytest.raises(ValueError, match="'data_home' parameter of fetch_mnist must"):
        fetch_mnist(data_home=3)


# Sources


@pytest.mark.parametrize("source", SOURCES)
def test_files_are_read_and_nothing_is_written(tmp_path, arrays, openml, source):
    SOURCES[source](tmp_path, arrays)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert_is(fetch_mnist(data_home=tmp_path), arrays)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert not openml["calls"]


def test_default_data_home_is_that_of_scikit_learn(tmp_path, arrays, monkeypatch):
    (tmp_path / "scikit_learn_data").mkdir()
    write_npz(tmp_path / "scikit_learn_data", arrays)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit_learn_data"))
    assert_is(fetch_mnist(), arrays)
    monkeypatch.delenv("SCIKIT_LEARN_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert_is(fetch_mnist(), arrays)
    assert_is(fetch_mnist(data_home="~/scikit_learn_data"), arrays)


def test_download_is_stored_as_npz(tmp_path, arrays, openml):
    openml["answer"] = table(arrays)
    home = tmp_path / "new" / "folder"
    assert_is(fetch_mnist(data_home=home), arrays)
    assert [path.name for path in home.iterdir()] == ["mnist.npz"]
    assert_is(fetch_mnist(data_home=home, download_if_missing=False), arrays)
    assert openml["calls"] == 1


def test_download_of_other_data(tmp_path, arrays, openml):
    arrays["x_test"] = arrays["x_test"] ^ 1
    openml["answer"] = table(arrays)
    with pytest.raises(ValueError, match="checksum of t10k-images") as error:
        fetch_mnist(data_home=tmp_path)
    assert str(error.value).startswith(str(tmp_path / "openml"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("download", "reason"),
    [(True, r"OpenML \(no network\)"), (False, "download_if_missing is False")],
)
def test_error_lists_the_files_that_are_missing(tmp_path, arrays, download, reason):
    write_idx(tmp_path, arrays)
    (tmp_path / FILES["x_test"]).unlink()
    with pytest.raises(OSError, match=reason) as error:
        fetch_mnist(data_home=tmp_path, download_if_missing=download)
    message = str(error.value)
    assert f"mnist.npz, or {FILES['x_test']} (with or without .gz)" in message
    assert FILES["x_train"] not in message
    home = tmp_path / "nowhere"
    with pytest.raises(OSError, match="|".join(FILES.values())):
        fetch_mnist(data_home=home, download_if_missing=download)
    assert not home.exists()


# Damaged files


def assert_refused(home, path):
    with pytest.raises(ValueError, match="is damaged or is not MNIST") as error:
        fetch_mnist(data_home=home)
    assert str(error.value).startswith(str(path))
    assert str(error.value).endswith("Delete it and fetch the data again.")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("key", FILES)
def test_wrong_checksum_is_refused(tmp_path, arrays, source, key):
    SOURCES[source](tmp_path, {**arrays, key: (arrays[key] + 1) % 10})
    path = "mnist.npz" if source == "npz" else FILES[key]
    assert_refused(tmp_path, tmp_path / path)


@pytest.mark.parametrize("source", ["npz", "idx", "idx.gz"])
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_truncated_and_other_files_are_refused(tmp_path, arrays, source, data):
    SOURCES[source](tmp_path, arrays)
    path = data.draw(st.sampled_from(sorted(tmp_path.iterdir())))
    whole = path.read_bytes()
    others = [b"<html>Not found</html>", b"PK\x03\x04", b"\x1f\x8b\x08\x00"]
    truncated = st.integers(0, len(whole) - 1).map(lambda size: whole[:size])
    path.write_bytes(data.draw(truncated | st.sampled_from(others)))
    assert_refused(tmp_path, path)


@pytest.mark.parametrize(
    "change",
    [lambda X: X / 255, lambda X: X.reshape(6, -1), lambda X: X.astype(object)],
    ids=["float", "shape", "pickle"],
)
def test_npz_with_other_arrays_is_refused(tmp_path, arrays, change):
    write_npz(tmp_path, {**arrays, "x_train": change(arrays["x_train"])})
    assert_refused(tmp_path, tmp_path / "mnist.npz")


def test_checksum_of_the_original_training_labels(development_data, tmp_path):
    with np.load(development_data / "mnist_train.npz") as arrays:
        labels = idx(arrays["y"])
    name = FILES["y_train"]
    assert hashlib.sha256(labels).hexdigest() == _mnist._SHA256[name]
    np.testing.assert_array_equal(_mnist._from_idx(labels, name)[:3], [5, 0, 4])
