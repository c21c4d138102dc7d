"""MNIST in the form of scikit-learn's datasets."""

import gzip
import hashlib
import io
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

from skdigits._sklearn_compat import check_pandas_support, validate_params

__all__ = ["fetch_mnist"]


# SHA-256 checksums of the original files, in the order of the arrays in mnist.npz.
_CHECKSUMS = """\
ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5 train-labels-idx1-ubyte
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7 t10k-images-idx3-ubyte
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2 t10k-labels-idx1-ubyte
"""
_SHA256 = {file: sha256 for sha256, file in map(str.split, _CHECKSUMS.splitlines())}
_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_N_TRAIN = 60000

_DESCR = """\
MNIST database of handwritten digits
------------------------------------

70000 images of 28 x 28 pixels, from 0 for paper to 255 for ink: 60000 for training,
followed by 10000 of other writers for testing. The writers were high-school students
and employees of the US Census Bureau. The centre of mass is in the middle.

Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to
document recognition", Proceedings of the IEEE 86(11), 2278-2324, 1998.
"""


@validate_params(
    {
        "data_home": [str, os.PathLike, None],
        "download_if_missing": ["boolean"],
        "return_X_y": ["boolean"],
        "as_frame": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def fetch_mnist(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Bunch | tuple[Any, Any]:
    """Load the MNIST database of handwritten digits.

    The data are read from a file in `data_home`, or else downloaded from OpenML.

    MNIST has 60000 images for training and 10000 for testing, each of 28 x 28 pixels
    from 0 to 255, and 10 classes.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the data. If None, that of scikit-learn: `~/scikit_learn_data`, unless
        the environment variable `SCIKIT_LEARN_DATA` names another.

    download_if_missing : bool, default=True
        If False, raise an OSError instead of downloading the data.

    return_X_y : bool, default=False
        If True, return `(data, target)` instead of a Bunch.

    as_frame : bool, default=False
        If True, `data` is a pandas DataFrame and `target` a pandas Series.

    Returns
    -------
    mnist : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        data : ndarray or DataFrame of shape (70000, 784), dtype uint8
            One row of pixels per image; the training images come first.
        target : ndarray or Series of shape (70000,), dtype int64
            The digits, 0 to 9.
        images : ndarray of shape (70000, 28, 28), dtype uint8
            The images; unless `as_frame`, a view of `data`.
        train_indices, test_indices : ndarray of shape (60000,) and (10000,)
            The rows for training and for testing.
        frame : DataFrame of shape (70000, 785)
            `data` and `target`, only if `as_frame`, otherwise None.
        feature_names : list of str
            `pixel1` to `pixel784`, as in OpenML.
        target_names : ndarray of shape (10,)
            The digits.
        DESCR : str
            Description of the data.

    (data, target) : tuple if `return_X_y`
        Images and digits only.

    Raises
    ------
    OSError
        If there is no file, and the data cannot be downloaded or `download_if_missing`
        is False. The message lists the files to provide.
    ValueError
        If a file is damaged or is not MNIST.
    ImportError
        If `as_frame` is True and pandas is not installed.

    See Also
    --------
    sklearn.datasets.load_digits : 1797 digits of 8 x 8 pixels.
    sklearn.datasets.fetch_openml : Download from OpenML.

    Notes
    -----
    `data_home` may contain

    - ``mnist.npz``, which Keras stores in ``~/.keras/datasets``;
    - or the original files ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
      ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, with or without
      ``.gz``, which torchvision stores in ``MNIST/raw``.

    Otherwise :func:`~sklearn.datasets.fetch_openml` downloads 15 MB and parses them,
    which takes a while and more than 1 GB of memory. The result is stored as
    ``mnist.npz`` in `data_home`. The checksums of the original files are verified at
    every call, for every source.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning
       applied to document recognition", Proceedings of the IEEE 86(11), 1998.

    Examples
    --------
    >>> from skdigits.datasets import fetch_mnist
    >>> mnist = fetch_mnist()  # doctest: +SKIP
    >>> X_train = mnist.data[mnist.train_indices]  # doctest: +SKIP
    >>> X_train.shape  # doctest: +SKIP
    (60000, 784)
    """
    if as_frame:
        check_pandas_support("`fetch_mnist` with as_frame=True")
    if data_home is None:
        data_home = os.environ.get("SCIKIT_LEARN_DATA", "~/scikit_learn_data")
    X_train, y_train, X_test, y_test = _load(
        Path(data_home).expanduser(), download_if_missing
    )
    images = np.concatenate([X_train, X_test])
    data = images.reshape(len(images), -1)
    target = np.concatenate([y_train, y_test], dtype=np.int64)
    names = [f"pixel{number}" for number in range(1, data.shape[1] + 1)]
    rows = np.arange(len(images))
    frame = None
    if as_frame:
        import pandas as pd

        data = pd.DataFrame(data, columns=names)
        target = pd.Series(target, name="target")
        frame = pd.concat([data, target], axis=1)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        frame=frame,
        images=images,
        train_indices=rows[: len(X_train)],
        test_indices=rows[len(X_train) :],
        feature_names=names,
        target_names=np.arange(10),
        DESCR=_DESCR,
    )


def _load(home, download_if_missing):
    """The four arrays of MNIST, from the first source available."""
    npz = home / "mnist.npz"
    if npz.exists():
        return _parse(npz, _from_npz, npz.read_bytes())
    paths = [_find(home, file) for file in _SHA256]
    if all(paths):
        return [
            _parse(path, _from_idx, path.read_bytes(), file)
            for path, file in zip(paths, _SHA256, strict=True)
        ]
    if not download_if_missing:
        raise OSError(_missing(home, "download_if_missing is False"))
    return _download(home)


def _find(home, file):
    """Path of an original file, or None."""
    paths = [home / file, home / f"{file}.gz"]
    return next((path for path in paths if path.exists()), None)


def _parse(path, parse, *args):
    try:
        return parse(*args)
    except Exception as error:  # zipfile, gzip and NumPy raise a dozen types
        raise ValueError(
            f"{path} is damaged or is not MNIST. {str(error) or repr(error)}\n"
            "Delete it and fetch the data again."
        ) from error


def _from_npz(content):
    arrays = np.load(io.BytesIO(content), allow_pickle=False)
    return _verified(arrays[name] for name in _ARRAYS)


def _verified(arrays):
    contents = map(_to_idx, arrays)
    return [_from_idx(c, file) for c, file in zip(contents, _SHA256, strict=True)]


def _to_idx(array):
    """Content of an original file: magic number, shape and pixels or labels."""
    header = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
    return header + array.astype(np.uint8, casting="safe").tobytes()


def _from_idx(content, file):
    """The array in an original file whose checksum is right."""
    if content.startswith(b"\x1f\x8b"):  # browsers unpack, but keep the suffix .gz
        content = gzip.decompress(content)
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != _SHA256[file]:
        raise ValueError(
            f"The SHA-256 checksum of {file} must be {_SHA256[file]}. Got {sha256} "
            "instead."
        )
    n_dims = content[3]
    shape = np.frombuffer(content, ">u4", n_dims, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_dims).reshape(shape)


def _download(home):
    try:
        # The parser that does not need pandas.
        mnist = fetch_openml(
            "mnist_784", version=1, data_home=home, as_frame=False, parser="liac-arff"
        )
    except Exception as error:  # JSONDecodeError for a login page, for example
        reason = f"it could not be downloaded from OpenML ({error})"
        raise OSError(_missing(home, reason)) from error
    images = mnist.data.astype(np.uint8).reshape(-1, 28, 28)
    labels = mnist.target.astype(np.uint8)
    n = _N_TRAIN
    arrays = _parse(
        home / "openml", _verified, [images[:n], labels[:n], images[n:], labels[n:]]
    )
    temporary = home / f"mnist-{os.getpid()}.npz"
    np.savez_compressed(temporary, **dict(zip(_ARRAYS, arrays, strict=True)))
    os.replace(temporary, home / "mnist.npz")
    return arrays


def _missing(home, reason):
    absent = [file for file in _SHA256 if not _find(home, file)]
    return (
        f"MNIST is not in {home}, and {reason}. Missing: mnist.npz, or "
        f"{', '.join(absent)} (with or without .gz). Put them there, or pass the "
        'folder that contains them as data_home, such as "~/.keras/datasets".\n'
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz\n"
        "https://storage.googleapis.com/cvdf-datasets/mnist/"
    )
