"""Tests of skdigits.datasets: where MNIST is found, and that nothing else passes."""

import gzip
import hashlib
import io
import json
import re
import struct
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlparse

import numpy as np
import pytest
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

from skdigits.datasets import _mnist_files
from skdigits.datasets._mnist import fetch_mnist

IDX_NAMES = {
    "y_train": "train-labels-idx1-ubyte",
    "x_train": "train-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
}
ARFF = "openml/openml.org/data/v1/download/52667/mnist_784.arff.gz"
OLDER_ARFF = "openml/openml.org/data/v1/download/52667.gz"
# One for each form the content of a file can have.
FORMS = ["npz", "idx", "OpenML"]


def idx(array, magic=None, shape=None):
    """An array as the database's authors write it: magic number, shape, bytes."""
    magic = 0x800 + array.ndim if magic is None else magic
    shape = array.shape if shape is None else shape
    header = struct.pack(f">{1 + len(shape)}I", magic, *shape)
    return header + array.astype(np.uint8).tobytes()


def npz(arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def arff(arrays, start="@RELATION mnist_784\n\n@DATA\n"):
    images = np.concatenate([arrays["x_train"], arrays["x_test"]])
    labels = np.concatenate([arrays["y_train"], arrays["y_test"]])
    table = np.column_stack([images.reshape(len(images), -1), labels])
    lines = [",".join(map(str, row)) for row in table.tolist()]
    return gzip.compress((start + "\n".join(lines) + "\n").encode())


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_idx(folder, arrays, compress=lambda content: content, suffix=""):
    for key, name in IDX_NAMES.items():
        write(folder / f"{name}{suffix}", compress(idx(arrays[key])))


def write_dotted(folder, arrays):
    for key, name in IDX_NAMES.items():
        write(folder / name.replace("-idx", ".idx"), idx(arrays[key]))


SOURCES = {
    "npz": lambda home, arrays: write(home / "mnist.npz", npz(arrays)),
    "idx": write_idx,
    "idx.gz": lambda home, arrays: write_idx(home, arrays, gzip.compress, ".gz"),
    "unpacked idx.gz": lambda home, arrays: write_idx(home, arrays, suffix=".gz"),
    "dotted idx": write_dotted,
    "torchvision": lambda home, arrays: write_idx(home / "MNIST" / "raw", arrays),
    "OpenML": lambda home, arrays: write(home / ARFF, arff(arrays)),
    "older OpenML": lambda home, arrays: write(home / OLDER_ARFF, arff(arrays)),
}


def expect(monkeypatch, arrays):
    """Have the library expect other arrays than those of MNIST.

    MNIST is no part of the project, and its files are slow to write and to damage by
    the dozen, so made-up arrays take its place: their checksums and sizes.
    """
    parts = [
        part._replace(
            shape=arrays[part.key].shape,
            sha256=hashlib.sha256(idx(arrays[part.key])).hexdigest(),
        )
        for part in _mnist_files.PARTS
    ]
    monkeypatch.setattr(_mnist_files, "PARTS", tuple(parts))


def made_up(n_train, n_test, rng):
    return {
        "y_train": rng.integers(10, size=n_train, dtype=np.uint8),
        "x_train": rng.integers(256, size=(n_train, 28, 28), dtype=np.uint8),
        "y_test": rng.integers(10, size=n_test, dtype=np.uint8),
        "x_test": rng.integers(256, size=(n_test, 28, 28), dtype=np.uint8),
    }


@pytest.fixture
def arrays(monkeypatch):
    """Arrays in the place of MNIST's, of 60 and 10 digits."""
    arrays = made_up(60, 10, np.random.default_rng(0))
    expect(monkeypatch, arrays)
    return arrays


@pytest.fixture(autouse=True)
def requests(monkeypatch):
    """The addresses asked for; the network is down."""
    requests = []

    def urlopen(request, *args, **kwargs):
        requests.append(request.full_url)
        raise URLError("no network")

    monkeypatch.setattr("sklearn.datasets._openml.urlopen", urlopen)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    return requests


def assert_is(mnist, arrays):
    n_train, n_test = len(arrays["y_train"]), len(arrays["y_test"])
    expected = np.concatenate([arrays["x_train"], arrays["x_test"]])
    np.testing.assert_array_equal(mnist.images, expected)
    np.testing.assert_array_equal(mnist.data, expected.reshape(len(expected), -1))
    labels = np.concatenate([arrays["y_train"], arrays["y_test"]])
    np.testing.assert_array_equal(mnist.target, labels)
    np.testing.assert_array_equal(mnist.train_indices, np.arange(n_train))
    np.testing.assert_array_equal(mnist.test_indices, n_train + np.arange(n_test))


def contents(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


# What is returned


def test_bunch(tmp_path, arrays):
    SOURCES["npz"](tmp_path, arrays)
    mnist = fetch_mnist(data_home=tmp_path)
    assert isinstance(mnist, Bunch)
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


def test_return_X_y(tmp_path, arrays):
    SOURCES["npz"](tmp_path, arrays)
    mnist = fetch_mnist(data_home=tmp_path)
    X, y = fetch_mnist(data_home=tmp_path, return_X_y=True)
    np.testing.assert_array_equal(X, mnist.data)
    np.testing.assert_array_equal(y, mnist.target)


def test_as_frame(tmp_path, arrays):
    pd = pytest.importorskip("pandas")
    SOURCES["npz"](tmp_path, arrays)
    mnist = fetch_mnist(data_home=tmp_path, as_frame=True)
    assert_is(mnist, arrays)
    assert isinstance(mnist.data, pd.DataFrame)
    assert isinstance(mnist.target, pd.Series)
    assert list(mnist.data.columns) == mnist.feature_names
    assert (mnist.data.dtypes == np.uint8).all()
    assert mnist.target.name == "target"
    pd.testing.assert_frame_equal(mnist.frame.drop(columns="target"), mnist.data)
    pd.testing.assert_series_equal(mnist.frame["target"], mnist.target)
    X, y = fetch_mnist(data_home=tmp_path, as_frame=True, return_X_y=True)
    pd.testing.assert_frame_equal(X, mnist.data)
    pd.testing.assert_series_equal(y, mnist.target)


def test_pandas_is_needed_for_frames_only(tmp_path, arrays, monkeypatch):
    SOURCES["OpenML"](tmp_path, arrays)
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert_is(fetch_mnist(data_home=tmp_path), arrays)
    with pytest.raises(ImportError, match="as_frame=True requires pandas"):
        fetch_mnist(data_home=tmp_path, as_frame=True)


@pytest.mark.parametrize(
    "params",
    [
        {"data_home": 3},
        {"download_if_missing": "no"},
        {"return_X_y": None},
        {"as_frame": "auto"},
    ],
)
def test_unsuitable_parameters(params):
    [name] = params
    with pytest.raises(ValueError, match=f"'{name}' parameter of fetch_mnist must be"):
        fetch_mnist(**params)


# Where it is found


@pytest.mark.parametrize("source", SOURCES)
def test_a_file_that_is_there_is_all_that_is_touched(
    tmp_path, arrays, requests, source
):
    SOURCES[source](tmp_path, arrays)
    before = contents(tmp_path)
    for download_if_missing in (False, True):
        mnist = fetch_mnist(data_home=tmp_path, download_if_missing=download_if_missing)
        assert_is(mnist, arrays)
    assert contents(tmp_path) == before
    assert requests == []


def test_order_of_search(tmp_path, arrays):
    # Damaged, so that what is looked at is told.
    write(tmp_path / ARFF, b"")
    for folder in (tmp_path / "MNIST" / "raw", tmp_path):
        for name in IDX_NAMES.values():
            write(folder / name, b"")
    write(tmp_path / "mnist.npz", b"")
    order = []
    for _ in range(4):
        with pytest.raises(ValueError, match="is damaged, or is not MNIST") as error:
            fetch_mnist(data_home=tmp_path)
        path = Path(str(error.value).partition(" is damaged")[0])
        order.append(path.relative_to(tmp_path).as_posix())
        path.unlink()
    name = IDX_NAMES["y_train"]
    assert order == ["mnist.npz", name, f"MNIST/raw/{name}", ARFF]


def test_default_folder_is_that_of_scikit_learn(tmp_path, arrays, monkeypatch):
    SOURCES["npz"](tmp_path / "elsewhere", arrays)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "elsewhere"))
    assert_is(fetch_mnist(), arrays)
    SOURCES["idx"](tmp_path / "scikit_learn_data", arrays)
    monkeypatch.delenv("SCIKIT_LEARN_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert_is(fetch_mnist(), arrays)


def test_folder_of_keras(tmp_path, arrays, monkeypatch):
    SOURCES["npz"](tmp_path / ".keras" / "datasets", arrays)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert_is(fetch_mnist(data_home="~/.keras/datasets"), arrays)


@pytest.mark.parametrize("files", ["idx", "dotted idx"])
def test_folders_beside_the_files(tmp_path, arrays, files):
    # Folders of the first names beside files of the others are Kaggle's.
    SOURCES[files](tmp_path, arrays)
    for name in IDX_NAMES.values():
        folder = name.replace("-idx", ".idx") if files == "idx" else name
        (tmp_path / folder).mkdir()
    assert_is(fetch_mnist(data_home=tmp_path), arrays)


# Downloads


class Response(io.BytesIO):
    def info(self):
        return {}


@pytest.fixture
def openml(arrays, monkeypatch):
    """What OpenML answers by path, served to scikit-learn; to be changed by tests."""
    content = gzip.decompress(
        arff(
            arrays,
            "@RELATION mnist_784\n"
            + "".join(f"@ATTRIBUTE pixel{i} REAL\n" for i in range(1, 785))
            + "@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}\n@DATA\n",
        )
    )
    column = {"is_target": "false", "is_ignore": "false", "is_row_identifier": "false"}
    column |= {"number_of_missing_values": "0"}
    features = [
        {"index": str(i), "name": f"pixel{i + 1}", "data_type": "numeric", **column}
        for i in range(784)
    ]
    features.append({**column, "index": "784", "name": "class", "is_target": "true"})
    features[-1]["data_type"] = "nominal"
    found = {"did": 554, "name": "mnist_784", "version": 1, "status": "active"}
    description = {
        **found,
        "id": "554",
        "description": "MNIST",
        "format": "ARFF",
        "file_id": "52667",
        "url": "https://api.openml.org/data/v1/download/52667/mnist_784.arff",
        "md5_checksum": hashlib.md5(content).hexdigest(),
    }
    n_rows = len(arrays["y_train"]) + len(arrays["y_test"])
    quality = [{"name": "NumberOfInstances", "value": f"{n_rows}.0"}]
    api = "/api/v1/json/data"
    answers = {
        f"{api}/list/data_name/mnist_784/limit/2/data_version/1": {
            "data": {"dataset": [found]}
        },
        f"{api}/554": {"data_set_description": description},
        f"{api}/features/554": {"data_features": {"feature": features}},
        f"{api}/qualities/554": {"data_qualities": {"quality": quality}},
    }
    answers = {path: json.dumps(answer).encode() for path, answer in answers.items()}
    answers |= dict.fromkeys(
        ["/data/v1/download/52667/mnist_784.arff", "/data/v1/download/52667"], content
    )

    def urlopen(request, *args, **kwargs):
        return Response(answers[urlparse(request.full_url).path])

    monkeypatch.setattr("sklearn.datasets._openml.urlopen", urlopen)
    return answers


@pytest.mark.parametrize("pandas", [True, False])
def test_download(tmp_path, arrays, openml, monkeypatch, pandas):
    if not pandas:
        monkeypatch.setitem(sys.modules, "pandas", None)
    home = tmp_path / "new" / "folder"
    mnist = fetch_mnist(data_home=home)
    assert_is(mnist, arrays)
    assert mnist.data.dtype == np.uint8
    assert mnist.target.dtype == np.int64
    # What scikit-learn keeps is read from then on.
    openml.clear()
    before = contents(home)
    assert_is(fetch_mnist(data_home=home, download_if_missing=False), arrays)
    assert contents(home) == before


def test_download_by_scikit_learn_itself_is_found(tmp_path, arrays, openml):
    fetch_openml(
        "mnist_784", version=1, data_home=tmp_path, as_frame=False, parser="liac-arff"
    )
    openml.clear()
    assert_is(fetch_mnist(data_home=tmp_path, download_if_missing=False), arrays)


def test_download_of_something_else(tmp_path, arrays, openml, monkeypatch):
    arrays["x_test"] = arrays["x_test"] ^ 1
    expect(monkeypatch, arrays)
    with pytest.raises(ValueError, match="x_test must have the SHA-256") as error:
        fetch_mnist(data_home=tmp_path)
    assert "52667" in str(error.value)
    arrays["x_test"] = arrays["x_test"][:-1]
    arrays["y_test"] = arrays["y_test"][:-1]
    expect(monkeypatch, arrays)
    (home := tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match=r"\(69, 784\). Got \(70, 784\)"):
        fetch_mnist(data_home=home)


HELP = [
    "mnist.npz, from https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    'data_home="~/.keras/datasets"',
    *IDX_NAMES.values(),
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
]


@pytest.mark.parametrize("folder", ["there", "not there"])
def test_nothing_is_found_and_nothing_downloaded(tmp_path, requests, folder):
    (tmp_path / "there").mkdir()
    home = tmp_path / folder
    with pytest.raises(OSError, match="download_if_missing is False") as error:
        fetch_mnist(data_home=home, download_if_missing=False)
    assert str(error.value).startswith(f"MNIST is not in {home}, and")
    assert all(text in str(error.value) for text in HELP)
    assert requests == []
    assert home.exists() == (folder == "there")
    assert not list((tmp_path / "there").iterdir())


@pytest.mark.filterwarnings("ignore:A network error occurred:UserWarning")
def test_no_network(tmp_path, requests):
    with pytest.raises(OSError, match="could not be downloaded") as error:
        fetch_mnist(data_home=tmp_path)
    assert isinstance(error.value.__cause__, URLError)
    assert "no network" in str(error.value)
    assert all(text in str(error.value) for text in HELP)
    assert all("openml.org/" in url for url in requests)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.filterwarnings("ignore:A network error occurred:UserWarning")
@pytest.mark.filterwarnings("ignore:Invalid cache:RuntimeWarning")
@pytest.mark.parametrize("status", [404, 412, 503])
def test_openml_refuses(tmp_path, monkeypatch, status):
    def urlopen(request, *args, **kwargs):
        raise HTTPError(request.full_url, status, "refused", {}, io.BytesIO())

    monkeypatch.setattr("sklearn.datasets._openml.urlopen", urlopen)
    with pytest.raises(OSError, match="could not be downloaded"):
        fetch_mnist(data_home=tmp_path)


@pytest.mark.filterwarnings("ignore:Invalid cache:RuntimeWarning")
def test_a_login_page_in_place_of_openml(tmp_path, openml):
    openml.update(dict.fromkeys(openml, b"<html>Log in</html>"))
    with pytest.raises(OSError, match="could not be downloaded"):
        fetch_mnist(data_home=tmp_path)


def test_folder_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="could not be downloaded"):
        fetch_mnist(data_home=tmp_path / "file")


def test_some_of_the_files_are_missing(tmp_path, arrays):
    write_idx(tmp_path, arrays)
    (tmp_path / IDX_NAMES["x_test"]).unlink()
    match = f"{re.escape(str(tmp_path))} has some, but not {IDX_NAMES['x_test']}"
    with pytest.raises(OSError, match=match):
        fetch_mnist(data_home=tmp_path, download_if_missing=False)


# What is refused


def assert_refused(home, path, match=None):
    """That the error names the file, says what is wrong with it and what to do."""
    with pytest.raises(ValueError, match=match) as error:
        fetch_mnist(data_home=home, download_if_missing=False)
    assert str(error.value).startswith(f"{path} is damaged, or is not MNIST. ")
    assert str(error.value).endswith("\nDelete it and fetch the data again.")


@pytest.mark.parametrize("source", FORMS)
@pytest.mark.parametrize("key", IDX_NAMES)
def test_one_wrong_number(tmp_path, arrays, source, key):
    arrays[key] = arrays[key].copy()
    arrays[key].flat[-1] = (arrays[key].flat[-1] + 1) % 10
    SOURCES[source](tmp_path, arrays)
    match = rf"{key} must have the SHA-256 checksum of {IDX_NAMES[key]}, \w{{64}}. Got"
    with pytest.raises(ValueError, match=match):
        fetch_mnist(data_home=tmp_path)


@pytest.mark.parametrize("source", FORMS)
def test_labels_out_of_range(tmp_path, arrays, source):
    arrays["y_test"] = arrays["y_test"].copy()
    arrays["y_test"][3] = 10
    SOURCES[source](tmp_path, arrays)
    with pytest.raises(ValueError, match=r"y_test must be digits, 0 to 9\. Got 10\."):
        fetch_mnist(data_home=tmp_path)


@pytest.mark.parametrize("source", FORMS)
def test_images_in_another_order(tmp_path, arrays, source):
    for key in ("x_train", "y_train"):
        arrays[key] = arrays[key][::-1]
    SOURCES[source](tmp_path, arrays)
    with pytest.raises(ValueError, match="y_train must have the SHA-256 checksum"):
        fetch_mnist(data_home=tmp_path)


@pytest.mark.parametrize("source", FORMS)
def test_a_file_of_another_kind(tmp_path, arrays, source):
    SOURCES[source](tmp_path, arrays)
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        whole = path.read_bytes()
        path.write_bytes(b"<html>Not found</html>")
        assert_refused(tmp_path, path)
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["mnist.npz", IDX_NAMES["x_test"], ARFF])
def test_folder_in_the_place_of_a_file(tmp_path, arrays, name):
    if name in IDX_NAMES.values():
        write_idx(tmp_path, arrays)
        (tmp_path / name).unlink()
    (tmp_path / name).mkdir(parents=True)
    match = f"{re.escape(str(tmp_path / name))} must be a file. Got a folder"
    with pytest.raises(OSError, match=match):
        fetch_mnist(data_home=tmp_path)


def test_npz_without_all_arrays(tmp_path, arrays):
    path = tmp_path / "mnist.npz"
    write(path, npz({"x_train": arrays["x_train"], "train_labels": arrays["y_train"]}))
    match = r"must hold y_train, y_test, x_test. Got \['x_train', 'train_labels'\]"
    assert_refused(tmp_path, path, match)


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda x: x.reshape(len(x), -1), r"uint8 of shape \(60, 784\)"),
        (lambda x: x[:50], r"uint8 of shape \(50, 28, 28\)"),
        (lambda x: x / 255, r"float64 of shape \(60, 28, 28\)"),
        (lambda x: x.astype(object), r"object of shape \(60, 28, 28\)"),
    ],
)
def test_npz_with_an_array_of_another_kind(tmp_path, arrays, change, got):
    arrays["x_train"] = change(arrays["x_train"])
    SOURCES["npz"](tmp_path, arrays)
    match = rf"x_train must be uint8 of shape \(60, 28, 28\). Got {got} instead"
    assert_refused(tmp_path, tmp_path / "mnist.npz", match)


def test_npz_in_fortran_order(tmp_path, arrays):
    in_fortran_order = {key: np.asfortranarray(arrays[key]) for key in arrays}
    SOURCES["npz"](tmp_path, in_fortran_order)
    mnist = fetch_mnist(data_home=tmp_path)
    assert_is(mnist, arrays)
    assert mnist.data.flags.c_contiguous


def test_pickles_in_npz_are_not_opened(tmp_path, arrays):
    class Bomb:
        def __reduce__(self):
            return (tmp_path / "exploded").touch, ()

    arrays["y_test"] = np.array([Bomb()] * 10, dtype=object)
    SOURCES["npz"](tmp_path, arrays)
    assert_refused(tmp_path, tmp_path / "mnist.npz", "y_test must be uint8.*Got object")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (lambda x: idx(x, magic=2049), r"\[2051, 60, 28, 28\]. Got \[2049, 60, 28,"),
        (
            lambda x: idx(x[:50]),
            r"\[2051, 60, 28, 28\]. Got \[2051, 50, 28, 28\]",
        ),
        (
            lambda x: idx(x)[:10],
            r"\[2051, 60, 28, 28\]. Got \[2051, 60\] instead",
        ),
        (lambda x: idx(x)[:-1], "must have 47056 bytes, unpacked. Got 47055 instead"),
        (lambda x: idx(x) + b"0", "must have 47056 bytes, unpacked. Got more instead"),
    ],
)
def test_idx_files_of_another_kind(tmp_path, arrays, content, match):
    write_idx(tmp_path, arrays)
    path = tmp_path / IDX_NAMES["x_train"]
    write(path, gzip.compress(content(arrays["x_train"])))
    assert_refused(tmp_path, path, match)


def test_compressed_file_cut_off(tmp_path, arrays):
    SOURCES["idx.gz"](tmp_path, arrays)
    path = tmp_path / f"{IDX_NAMES['x_test']}.gz"
    path.write_bytes(path.read_bytes()[:-4])
    assert_refused(tmp_path, path, "ended before the end-of-stream marker")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda text: text.replace(b"@DATA", b""), "must have a line @DATA. Got none"),
        (lambda text: text + text.splitlines()[-1], r"\(70, 784\). Got \(71, 784\)"),
        (lambda text: text[: text.rindex(b"\n", 0, -1)], r"Got \(69, 784\) instead"),
        (lambda text: text[:-1] + b"x", "could not convert string"),
        (lambda text: text[: text.index(b"@DATA") + 6] + b"1,2\n", r"Got \(1, 1\)"),
    ],
)
def test_arff_of_another_kind(tmp_path, arrays, change, match):
    text = gzip.decompress(arff(arrays))
    write(tmp_path / ARFF, gzip.compress(change(text)))
    assert_refused(tmp_path, tmp_path / ARFF, match)


# Sizes that are not what they seem


@pytest.fixture
def memory():
    """A call gives the most memory that was used at a time since, in MB."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()


def test_headers_that_claim_a_huge_size(tmp_path, arrays, memory):
    huge = (2**32 - 1, 28, 28)
    write_idx(tmp_path, arrays)
    path = tmp_path / IDX_NAMES["x_train"]
    write(path, idx(arrays["x_train"], shape=huge))
    assert_refused(tmp_path, path, r"Got \[2051, 4294967295, 28, 28\]")

    SOURCES["npz"](tmp_path, arrays)
    path = tmp_path / "mnist.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for key in arrays:
            header = io.BytesIO()
            kind = {"descr": "|u1", "fortran_order": False, "shape": huge}
            np.lib.format.write_array_header_1_0(header, kind)
            archive.writestr(f"{key}.npy", header.getvalue())
    assert_refused(tmp_path, path, r"Got uint8 of shape \(4294967295, 28, 28\)")
    assert memory() < 10


def test_files_that_unpack_to_a_huge_size(tmp_path, arrays, memory):
    zeros = np.zeros((30_000, 28, 28), dtype=np.uint8)
    packed = gzip.compress(idx(arrays["x_train"]) + zeros.tobytes(), compresslevel=1)
    packed_zeros = npz({**arrays, "x_train": zeros})
    del zeros
    tracemalloc.reset_peak()
    SOURCES["idx"](tmp_path, arrays)
    path = tmp_path / IDX_NAMES["x_train"]
    write(path, packed)
    assert_refused(tmp_path, path, "must have 47056 bytes, unpacked. Got more")
    path = tmp_path / "mnist.npz"
    write(path, packed_zeros)
    assert_refused(tmp_path, path, r"Got uint8 of shape \(30000, 28, 28\)")
    assert memory() < 10


# The real size, and the real thing


def test_real_size(tmp_path, monkeypatch, memory):
    keys = _mnist_files.PARTS
    arrays = {part.key: np.zeros(part.shape, dtype=np.uint8) for part in keys}
    arrays["x_test"][-1, -1, -1] = 255
    expect(monkeypatch, arrays)
    SOURCES["npz"](tmp_path, arrays)
    tracemalloc.reset_peak()
    before = memory()
    mnist = fetch_mnist(data_home=tmp_path)
    assert memory() - before < 130  # 55 for the data, and the parts they are made of
    assert mnist.data.shape == (70_000, 784)
    assert mnist.images.shape == (70_000, 28, 28)
    assert mnist.target.shape == (70_000,)
    assert mnist.data[-1, -1] == 255
    assert (mnist.train_indices[[0, -1]] == [0, 59_999]).all()
    assert (mnist.test_indices[[0, -1]] == [60_000, 69_999]).all()


def test_checksum_of_the_training_labels(development_data, tmp_path):
    # The labels are MNIST's; the images lost a grey level on their way.
    with np.load(development_data / "mnist_train.npz") as arrays:
        x_train, y_train = arrays["x"], arrays["y"]
    zeros = np.zeros((10_000, 28, 28), dtype=np.uint8)
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": zeros}
    write_idx(tmp_path, {**arrays, "y_test": zeros[:, 0, 0]})
    path = tmp_path / IDX_NAMES["x_train"]
    assert_refused(tmp_path, path, "x_train must have the SHA-256 checksum")
    path = tmp_path / IDX_NAMES["y_train"]
    write(path, idx(y_train[::-1]))
    assert_refused(tmp_path, path, "y_train must have the SHA-256 checksum")
