"""Handwritten digits to train on."""

import gzip
import hashlib
import os
import struct
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml, get_data_home
from sklearn.utils import Bunch
from sklearn.utils._optional_dependencies import check_pandas_support

__all__ = ["fetch_mnist"]


@dataclass(frozen=True)
class _Part:
    """One of the four arrays that MNIST is.

    `idx` is the name of its IDX file and `npz` its key in Keras's mnist.npz. `sha256`
    is the checksum of the uncompressed IDX file, which the array alone decides.
    """

    idx: str
    npz: str
    shape: tuple
    sha256: str

    @property
    def header(self):
        """The first bytes of the IDX file: dtype, dimensions, shape."""
        magic = 0x0800 + len(self.shape)  # 0x08 is uint8
        return struct.pack(f">{1 + len(self.shape)}I", magic, *self.shape)


# Checksums of the files at yann.lecun.com/exdb/mnist and at its mirrors, unpacked.
_PARTS = (
    _Part(
        "train-images-idx3-ubyte",
        "x_train",
        (60_000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    _Part(
        "train-labels-idx1-ubyte",
        "y_train",
        (60_000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    _Part(
        "t10k-images-idx3-ubyte",
        "x_test",
        (10_000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    _Part(
        "t10k-labels-idx1-ubyte",
        "y_test",
        (10_000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)

# Of `mnist_784`, version 1, at OpenML: the data set's number and its file's.
_OPENML_ID = 554
_OPENML_FILE = 52667

_DESCRIPTION = """\
The MNIST database of handwritten digits (LeCun, Cortes and Burges, 1998)

70,000 images of 28 x 28 pixels, 0 for the paper to 255 for ink. Each digit is scaled to
fit into 20 x 20 pixels and placed by its centre of mass. The first 60,000 images are
for training, the last 10,000, by other writers, for testing.

Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to
document recognition", Proceedings of the IEEE 86 (1998).
"""


def fetch_mnist(
    *, data_home=None, download_if_missing=True, return_X_y=False, as_frame=False
):
    """Load MNIST: 70,000 handwritten digits of 28 x 28 pixels.

    Read from the first of these that is in `data_home`; what is read is verified
    against the checksums of the original files:

    - `mnist.npz`, as Keras keeps it in ``~/.keras/datasets``;
    - the four original files `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
      `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each with or without
      `.gz`, there or in `MNIST/raw`, where torchvision keeps them;
    - a copy that :func:`sklearn.datasets.fetch_openml` has kept, from which a
      `mnist.npz` is made.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder to look in and to keep a download in. None for scikit-learn's, which is
        ``~/scikit_learn_data`` unless told otherwise.

    download_if_missing : bool, default=True
        Whether to fetch `mnist_784` from OpenML where none is found.

    return_X_y : bool, default=False
        Whether to return only ``(data, target)``.

    as_frame : bool, default=False
        Whether `data` and `target` are a pandas DataFrame and Series.

    Returns
    -------
    sklearn.utils.Bunch or tuple of (data, target)
        The bunch has:

        - data : {ndarray, DataFrame} of uint8 of shape (70000, 784)
        - target : {ndarray, Series} of int64 of shape (70000,), from 0 to 9
        - images : ndarray of uint8 of shape (70000, 28, 28)
        - train_indices : ndarray of shape (60000,), the training set's rows
        - test_indices : ndarray of shape (10000,), the test set's
        - feature_names : list of str, `pixel1` to `pixel784` as OpenML has them
        - target_names : ndarray of shape (10,), the digits
        - frame : DataFrame of `data` and `target`; only with `as_frame`
        - DESCR : str

    Raises
    ------
    OSError
        If there is none and it may or can not be downloaded. The message says which
        file to put where.
    ValueError
        If a file is damaged, or holds something else.
    ImportError
        If pandas is not installed, which `as_frame` needs.

    Notes
    -----
    Reading OpenML's format takes about half a minute and 1.2 GB of memory, once.

    References
    ----------
    .. [1] Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten
       digits", 1998.

    Examples
    --------
    >>> from skdigits.datasets import fetch_mnist
    >>> mnist = fetch_mnist()  # doctest: +SKIP
    >>> X_train = mnist.data[mnist.train_indices]  # doctest: +SKIP
    >>> y_train = mnist.target[mnist.train_indices]  # doctest: +SKIP
    """
    if as_frame:
        check_pandas_support("fetch_mnist with as_frame=True")
    home = Path(get_data_home(data_home))
    train_images, train_labels, test_images, test_labels = (
        _from_npz(home) or _from_idx(home) or _from_openml(home, download_if_missing)
    )
    images = np.concatenate([train_images, test_images])
    data = images.reshape(len(images), -1)
    target = np.concatenate([train_labels, test_labels]).astype(np.int64)
    feature_names = [f"pixel{number}" for number in range(1, data.shape[1] + 1)]
    frame = None
    if as_frame:
        import pandas as pd

        data = pd.DataFrame(data, columns=feature_names)
        target = pd.Series(target, name="class")
        frame = pd.concat([data, target], axis=1)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        frame=frame,
        images=images,
        train_indices=np.arange(60_000),
        test_indices=np.arange(60_000, 70_000),
        feature_names=feature_names,
        target_names=np.arange(10),
        DESCR=_DESCRIPTION,
    )


def _from_npz(home):
    """The four arrays out of Keras's file, or None where there is none."""
    path = home / "mnist.npz"
    if not path.exists():
        return None
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = [file[part.npz] for part in _PARTS]
    except (EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        keys = ", ".join(part.npz for part in _PARTS)
        raise _damaged(path, f"it is no .npz file of the arrays {keys}") from error
    except zlib.error as error:
        raise _damaged(path, str(error)) from error
    return [
        _verified(array, part, f"{part.npz} in {path}")
        for array, part in zip(arrays, _PARTS, strict=True)
    ]


def _from_idx(home):
    """The four arrays out of the original files, or None where they are not there."""
    for folder in (home, home / "MNIST" / "raw"):
        paths = [_idx_path(folder, part) for part in _PARTS]
        if all(paths):
            return [_read_idx(*both) for both in zip(paths, _PARTS, strict=True)]
        if any(paths):
            missing = [
                part.idx for part, path in zip(_PARTS, paths, strict=True) if not path
            ]
            raise FileNotFoundError(
                f"Some of MNIST's files are in {folder}, but not {', '.join(missing)}. "
                "Expected all four. Put them there, or remove the others."
            )
    return None


def _idx_path(folder, part):
    for suffix in ("", ".gz"):
        path = folder / (part.idx + suffix)
        if path.exists():
            return path
    return None


def _read_idx(path, part):
    n_bytes = len(part.header) + int(np.prod(part.shape))
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            content = file.read(n_bytes + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, str(error)) from error
    header = content[: len(part.header)]
    if header != part.header:
        expected = part.header.hex()
        raise _damaged(path, f"{expected} is expected, it begins with {header.hex()}")
    if len(content) != n_bytes:
        found = "more" if len(content) > n_bytes else f"{len(content)} bytes"
        raise _damaged(path, f"{n_bytes} bytes are expected, it has {found}")
    array = np.frombuffer(content, dtype=np.uint8, offset=len(part.header))
    return _verified(array.reshape(part.shape), part, path)


def _from_openml(home, download_if_missing):
    """The four arrays out of scikit-learn's cache, or from OpenML."""
    cache = home / "openml" / "openml.org"
    of_api = cache / "api" / "v1" / "json" / "data"
    described = [
        of_api / kind / f"{_OPENML_ID}.gz" for kind in (".", "features", "qualities")
    ]
    cached = all(path.exists() for path in described)
    cached = cached and any(cache.glob(f"data/**/{_OPENML_FILE}*"))
    if not cached and not download_if_missing:
        raise FileNotFoundError(_where_to_get_it("MNIST is not there", home))
    try:
        X, y = fetch_openml(
            data_id=_OPENML_ID,
            data_home=home,
            return_X_y=True,
            as_frame=False,
            # pandas 3.1 reads the labels as numbers, which scikit-learn 1.9 fails on.
            parser="liac-arff",
        )
    except OSError as error:
        reason = f"MNIST could not be fetched from OpenML ({error})"
        raise OSError(_where_to_get_it(reason, home)) from error
    where = f"OpenML's copy in {cache}"
    with np.errstate(invalid="ignore"):
        pixels, labels = X.astype(np.uint8), y.astype(np.float64).astype(np.uint8)
    arrays, start = [], 0
    for images, of_images in zip(_PARTS[0::2], _PARTS[1::2], strict=True):
        rows = slice(start, start + of_images.shape[0])
        start = rows.stop
        for values, part in [(pixels, images), (labels, of_images)]:
            some = values[rows]
            if some.size == np.prod(part.shape):
                some = some.reshape(part.shape)
            arrays.append(_verified(some, part, where))
    with suppress(OSError):  # a folder that is not ours to write to
        _keep(home / "mnist.npz", arrays)
    return arrays


def _keep(path, arrays):
    """Write a file that is read in a second; what OpenML has takes half a minute."""
    part = path.with_suffix(f".part-{os.getpid()}")
    try:
        with open(part, "wb") as file:
            keys = [one.npz for one in _PARTS]
            np.savez_compressed(file, **dict(zip(keys, arrays, strict=True)))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _verified(array, part, where):
    """The array, if it is the original one."""
    if array.shape != part.shape or array.dtype != np.uint8:
        raise _damaged(
            where,
            f"uint8 of shape {part.shape} is expected, it has {array.dtype} of shape "
            f"{array.shape}",
        )
    if array.ndim == 1 and array.max() > 9:
        raise _damaged(where, f"labels of 0 to 9 are expected, it has {array.max()}")
    checksum = hashlib.sha256(part.header)
    checksum.update(np.ascontiguousarray(array))
    if checksum.hexdigest() != part.sha256:
        raise _damaged(
            where,
            f"the SHA-256 of {part.idx} is {checksum.hexdigest()}, where {part.sha256} "
            "is expected",
        )
    return array


def _damaged(where, what):
    return ValueError(
        f"This is damaged, or not MNIST: {where}: {what}. Delete it and fetch it again."
    )


def _where_to_get_it(reason, home):
    names = ", ".join(part.idx for part in _PARTS)
    return (
        f"{reason}. Looked in {home} for mnist.npz and for {names} (or with .gz). Put "
        "one or the other there, or pass the folder that has them as data_home, such "
        "as data_home='~/.keras/datasets' where Keras has loaded MNIST before; or call "
        "fetch_mnist() with download_if_missing=True while the network can be reached."
    )
