"""Loading MNIST from wherever it lies.

The test images are not ours to ship, so files are written here with images of our own,
and the checksums that are expected are replaced by theirs. What is read, and how it is
verified, is the real code.
"""

import dataclasses
import gzip
import hashlib
import json
import socket
import struct
import sys
import urllib.request
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

import skdigits
from skdigits import datasets
from skdigits.datasets import fetch_mnist

KEYS = ["x_train", "y_train", "x_test", "y_test"]
IDX = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]
DEVELOPMENT_DATA = Path(skdigits.__file__).parents[2] / "shared/data/mnist_train.npz"


def idx_header(array):
    return struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)


@pytest.fixture(scope="module")
def arrays():
    """As many images as MNIST has, almost empty so that they compress well."""
    rng = np.random.default_rng(0)
    made = {}
    for part, n in [("train", 60_000), ("test", 10_000)]:
        images = np.zeros((n, 28, 28), dtype=np.uint8)
        images[np.arange(n), 3, 5] = np.arange(n) % 251 + 1
        made[f"x_{part}"] = images
        made[f"y_{part}"] = rng.integers(10, size=n, dtype=np.uint8)
    return made


@pytest.fixture
def expected(arrays, monkeypatch):
    """Expect those images instead of MNIST's."""
    parts = tuple(
        dataclasses.replace(
            part,
            sha256=hashlib.sha256(
                idx_header(arrays[part.npz]) + arrays[part.npz].tobytes()
            ).hexdigest(),
        )
        for part in datasets._PARTS
    )
    monkeypatch.setattr(datasets, "_PARTS", parts)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no network in tests")

    monkeypatch.setattr("sklearn.datasets._openml.urlopen", refuse)
    monkeypatch.setattr("sklearn.datasets._openml.time.sleep", lambda seconds: None)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.fixture(scope="module")
def npz(arrays, tmp_path_factory):
    folder = tmp_path_factory.mktemp("npz")
    np.savez_compressed(folder / "mnist.npz", **arrays)
    return folder


def write_idx(folder, arrays, zipped=False, only=IDX):
    folder.mkdir(parents=True, exist_ok=True)
    for key, name in zip(KEYS, IDX, strict=True):
        if name in only:
            content = idx_header(arrays[key]) + arrays[key].tobytes()
            if zipped:
                content = gzip.compress(content, compresslevel=1)
            (folder / (name + ".gz" * zipped)).write_bytes(content)


def check(mnist, arrays):
    assert mnist.data.shape == (70_000, 784)
    assert mnist.data.dtype == mnist.images.dtype == np.uint8
    assert mnist.images.shape == (70_000, 28, 28)
    assert np.shares_memory(mnist.data, mnist.images)
    assert mnist.target.dtype == np.int64
    for part, rows in [("train", mnist.train_indices), ("test", mnist.test_indices)]:
        np.testing.assert_array_equal(mnist.images[rows], arrays[f"x_{part}"])
        np.testing.assert_array_equal(mnist.target[rows], arrays[f"y_{part}"])
    assert mnist.feature_names[0] == "pixel1"
    assert len(mnist.feature_names) == 784
    np.testing.assert_array_equal(mnist.target_names, np.arange(10))
    assert "LeCun" in mnist.DESCR


# Sources


def test_keras_file(npz, arrays, expected):
    before = sorted(npz.iterdir())
    check(fetch_mnist(data_home=npz), arrays)
    check(fetch_mnist(data_home=str(npz), download_if_missing=False), arrays)
    assert sorted(npz.iterdir()) == before


@pytest.mark.parametrize("folder", [".", "MNIST/raw"])
@pytest.mark.parametrize("zipped", [False, True])
def test_original_files(tmp_path, arrays, expected, zipped, folder):
    write_idx(tmp_path / folder, arrays, zipped)
    check(fetch_mnist(data_home=tmp_path), arrays)


def test_home_is_that_of_scikit_learn(npz, arrays, expected, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(npz))
    check(fetch_mnist(), arrays)


def test_home_of_the_user(npz, arrays, expected, monkeypatch):
    monkeypatch.setenv("HOME", str(npz.parent))
    check(fetch_mnist(data_home=f"~/{npz.name}"), arrays)


@pytest.fixture(scope="module")
def openml(arrays, tmp_path_factory):
    """A cache as scikit-learn's fetch_openml leaves it."""
    home = tmp_path_factory.mktemp("openml")
    pixels = [f"pixel{number}" for number in range(1, 785)]
    lines = ["@RELATION mnist_784"]
    lines += [f"@ATTRIBUTE {name} INTEGER" for name in pixels]
    lines += ["@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}", "@DATA"]
    before, after = "0," * (3 * 28 + 5), "0," * (784 - (3 * 28 + 5) - 1)
    for part in ("train", "test"):
        ink, labels = arrays[f"x_{part}"][:, 3, 5], arrays[f"y_{part}"]
        lines += [f"{before}{i},{after}{k}" for i, k in zip(ink, labels, strict=True)]
    arff = "\n".join(lines).encode()
    path = "data/v1/download/52667/mnist_784.arff"
    features = [
        {
            "index": str(index),
            "name": name,
            "data_type": "nominal" if name == "class" else "numeric",
            "is_target": "true" if name == "class" else "false",
            "is_ignore": "false",
            "is_row_identifier": "false",
            "number_of_missing_values": "0",
        }
        for index, name in enumerate([*pixels, "class"])
    ]
    description = {
        "id": "554",
        "name": "mnist_784",
        "version": "1",
        "format": "ARFF",
        "status": "active",
        "description": "MNIST",
        "file_id": "52667",
        "url": f"https://www.openml.org/{path}",
        "md5_checksum": hashlib.md5(arff).hexdigest(),
    }
    qualities = [{"name": "NumberOfInstances", "value": "70000.0"}]
    for name, content in {
        "api/v1/json/data/554": {"data_set_description": description},
        "api/v1/json/data/features/554": {"data_features": {"feature": features}},
        "api/v1/json/data/qualities/554": {"data_qualities": {"quality": qualities}},
        path: arff,
    }.items():
        file = home / "openml/openml.org" / f"{name}.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        file.write_bytes(gzip.compress(content, compresslevel=1))
    return home


def test_copy_that_scikit_learn_has_kept(openml, arrays, expected, monkeypatch):
    check(fetch_mnist(data_home=openml, download_if_missing=False), arrays)
    # It is read once; from then on there is a file that is quicker to read.
    assert sorted(path.name for path in openml.iterdir()) == ["mnist.npz", "openml"]
    monkeypatch.setattr(datasets, "fetch_openml", None)
    check(fetch_mnist(data_home=openml), arrays)


def test_other_labels_at_openml_are_refused(tmp_path, arrays, expected, monkeypatch):
    def fetch_openml(**kwargs):
        X = np.concatenate([arrays["x_train"], arrays["x_test"]]).reshape(-1, 784)
        return X.astype(np.int64), np.full(70_000, "3", dtype=object)

    monkeypatch.setattr(datasets, "fetch_openml", fetch_openml)
    with pytest.raises(ValueError, match=r"openml\.org: the SHA-256 of train-labels"):
        fetch_mnist(data_home=tmp_path)
    assert list(tmp_path.iterdir()) == []


# Forms


def test_tuple(npz, arrays, expected):
    X, y = fetch_mnist(data_home=npz, return_X_y=True)
    assert X.shape == (70_000, 784)
    np.testing.assert_array_equal(y[60_000:], arrays["y_test"])


def test_frame(npz, arrays, expected):
    pd = pytest.importorskip("pandas")
    mnist = fetch_mnist(data_home=npz, as_frame=True)
    assert isinstance(mnist.data, pd.DataFrame)
    assert isinstance(mnist.target, pd.Series)
    assert list(mnist.data.columns) == mnist.feature_names
    assert mnist.frame.shape == (70_000, 785)
    assert (mnist.data.dtypes == np.uint8).all()
    X, y = fetch_mnist(data_home=npz, as_frame=True, return_X_y=True)
    assert X.equals(mnist.data)
    assert y.equals(mnist.target)


def test_frame_without_pandas(npz, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="requires pandas"):
        fetch_mnist(data_home=npz, as_frame=True)


# Nothing there


@pytest.mark.parametrize("download_if_missing", [True, False])
@pytest.mark.filterwarnings("ignore:A network error occurred")
def test_error_says_which_file_to_put_where(tmp_path, download_if_missing):
    with pytest.raises(OSError, match=r"mnist\.npz") as raised:
        fetch_mnist(data_home=tmp_path, download_if_missing=download_if_missing)
    message = str(raised.value)
    assert str(tmp_path) in message
    assert all(name in message for name in IDX)
    assert "data_home='~/.keras/datasets'" in message
    assert ("no network in tests" in message) == download_if_missing


def test_half_of_the_original_files(tmp_path, arrays):
    write_idx(tmp_path, arrays, only=IDX[:2])
    with pytest.raises(FileNotFoundError, match=f"but not {IDX[2]}, {IDX[3]}"):
        fetch_mnist(data_home=tmp_path)


# Damage

NOT_MNIST = r"This is damaged, or not MNIST: .*mnist\.npz"


@pytest.mark.parametrize(
    "content",
    [b"", b"no zip", b"PK\x03\x04 and then nothing"],
    ids=["empty", "text", "half a zip"],
)
def test_what_is_no_npz(tmp_path, content):
    (tmp_path / "mnist.npz").write_bytes(content)
    with pytest.raises(ValueError, match=NOT_MNIST):
        fetch_mnist(data_home=tmp_path)


def test_single_array_in_the_place_of_an_npz(tmp_path):
    with open(tmp_path / "mnist.npz", "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match=NOT_MNIST):
        fetch_mnist(data_home=tmp_path)


def test_folder_in_the_place_of_an_npz(tmp_path):
    (tmp_path / "mnist.npz").mkdir()
    with pytest.raises(OSError, match=r"mnist\.npz"):
        fetch_mnist(data_home=tmp_path)


def test_truncated_npz(npz, tmp_path):
    content = (npz / "mnist.npz").read_bytes()
    (tmp_path / "mnist.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=NOT_MNIST):
        fetch_mnist(data_home=tmp_path)


def test_pickle_inside_is_not_run(tmp_path, arrays):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    objects = np.array([Evil()], dtype=object)
    np.savez(tmp_path / "mnist.npz", **{**arrays, "y_test": objects})
    with pytest.raises(ValueError, match=NOT_MNIST):
        fetch_mnist(data_home=tmp_path)
    assert not (tmp_path / "ran").exists()


SPOILED = {
    "a missing array": ({"y_test": None}, "the arrays x_train, y_train"),
    "other shape": (
        {"x_test": np.zeros((10_000, 784), np.uint8)},
        r"uint8 of shape \(10000, 28, 28\) is expected, it has uint8 of shape "
        r"\(10000, 784\)",
    ),
    "other dtype": (
        {"y_test": np.zeros(10_000)},
        r"uint8 of shape \(10000,\) is expected, it has float64",
    ),
    "labels of letters": (
        {"y_test": np.full(10_000, 25, np.uint8)},
        "labels of 0 to 9 are expected, it has 25",
    ),
    "other labels": (
        {"y_test": np.zeros(10_000, np.uint8)},
        f"the SHA-256 of {IDX[3]} is [0-9a-f]*, where",
    ),
    "other images": (
        {"x_test": np.zeros((10_000, 28, 28), np.uint8)},
        f"the SHA-256 of {IDX[2]} is",
    ),
}


@pytest.mark.parametrize(("changes", "message"), SPOILED.values(), ids=SPOILED)
def test_other_content(tmp_path, arrays, expected, changes, message):
    changed = {**arrays, **changes}
    saved = {key: array for key, array in changed.items() if array is not None}
    np.savez(tmp_path / "mnist.npz", **saved)
    with pytest.raises(ValueError, match=message):
        fetch_mnist(data_home=tmp_path)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content[:-1], "47040016 bytes are expected, it has 47040015"),
        (lambda content: content + b"\0", "it has more"),
        (lambda content: b"", "it begins with"),
        # A header that promises four thousand million images.
        (
            lambda content: content[:4] + b"\xff" * 4 + content[8:100],
            "00000803ffffffff",
        ),
        (lambda content: b"\0\0\x0d\3" + content[4:], "00000d03"),
        (lambda content: content[:-9] + b"\1" + content[-8:], "SHA-256"),
    ],
    ids=["short", "long", "empty", "huge header", "floats", "another pixel"],
)
def test_spoiled_original_file(tmp_path, arrays, expected, spoil, message, zipped):
    write_idx(tmp_path, arrays, zipped)
    path = tmp_path / (IDX[0] + ".gz" * zipped)
    content = path.read_bytes()
    if zipped:
        content = gzip.compress(spoil(gzip.decompress(content)), compresslevel=1)
    else:
        content = spoil(content)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        fetch_mnist(data_home=tmp_path)


def test_truncated_gzip(tmp_path, arrays, expected):
    write_idx(tmp_path, arrays, zipped=True)
    path = tmp_path / f"{IDX[2]}.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=f"This is damaged, or not MNIST: .*{IDX[2]}"):
        fetch_mnist(data_home=tmp_path)
    path.write_bytes(b"no gzip")
    with pytest.raises(ValueError, match=f"This is damaged, or not MNIST: .*{IDX[2]}"):
        fetch_mnist(data_home=tmp_path)


# The real thing


def test_expected_checksum_is_that_of_the_real_labels():
    if not DEVELOPMENT_DATA.exists():
        pytest.skip("needs MNIST's training labels in ../shared/data")
    labels = np.load(DEVELOPMENT_DATA)["y"]
    checksum = hashlib.sha256(idx_header(labels) + labels.tobytes()).hexdigest()
    assert checksum == datasets._PARTS[1].sha256


def test_images_of_less_than_the_real_ones_are_refused(tmp_path, arrays):
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(ValueError, match="the SHA-256 of train-images-idx3-ubyte is"):
        fetch_mnist(data_home=tmp_path)
