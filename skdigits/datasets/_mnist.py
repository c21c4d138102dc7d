"""MNIST in the form of scikit-learn's datasets, from whatever file of it there is.

Keras, torchvision, scikit-learn and the database's authors each keep it in files of
their own. Any of them will do, and only where there is none something is downloaded.
"""

import os
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

from skdigits._sklearn_compat import check_pandas_support, validate_params
from skdigits.datasets import _mnist_files as files

__all__ = ["fetch_mnist"]

_IDX_FOLDERS = (".", "MNIST/raw")  # the second is torchvision's

# Where scikit-learn keeps what OpenML sent, in newer versions and in older ones.
_OPENML = "openml/openml.org/data/v1/download/52667"
_ARFF_FILES = (f"{_OPENML}/mnist_784.arff.gz", f"{_OPENML}.gz")

_DESCR = """\
MNIST database of handwritten digits
------------------------------------

70000 digits, written by high-school students and by employees of the US Census Bureau:
60000 to train on, and then 10000 by other writers to test on. Each is an image of
28 x 28 pixels, 0 for the paper up to 255 for the ink, with the digit's centre of mass
in the middle.

Creators: Yann LeCun, Corinna Cortes and Christopher J. C. Burges, from NIST's Special
Databases 1 and 3.

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
    *, data_home=None, download_if_missing=True, return_X_y=False, as_frame=False
):
    """Load the MNIST database of handwritten digits.

    It is read from a file in `data_home`, and downloaded where there is none.

    ====================   ==============
    Classes                            10
    Samples for training            60000
    Samples for testing             10000
    Dimensionality                    784
    Features               integers 0-255
    ====================   ==============

    Parameters
    ----------
    data_home : str or path-like, default=None
        The folder to look in, and to download to. None for scikit-learn's, which is
        `~/scikit_learn_data` unless the environment variable `SCIKIT_LEARN_DATA`
        names another.

    download_if_missing : bool, default=True
        Whether to download the data where no file has them, or to raise OSError.

    return_X_y : bool, default=False
        Whether to return `(data, target)` instead of a Bunch.

    as_frame : bool, default=False
        Whether `data` and `target` are a pandas DataFrame and Series.

    Returns
    -------
    mnist : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        data : ndarray or DataFrame of shape (70000, 784), dtype uint8
            A row of pixels an image; those for training come first.
        target : ndarray or Series of shape (70000,), dtype int64
            The digits, 0 to 9.
        images : ndarray of shape (70000, 28, 28), dtype uint8
            The pixels as images, in the memory of `data`.
        train_indices, test_indices : ndarray of shape (60000,) and (10000,)
            The rows for training and for testing.
        frame : DataFrame of shape (70000, 785)
            `data` and `target` side by side; None unless `as_frame`.
        feature_names : list of str
            `pixel1` to `pixel784`, as OpenML names them.
        target_names : ndarray of shape (10,)
            The digits.
        DESCR : str
            What the data are.

    (data, target) : tuple if `return_X_y`
        The two alone.

    Raises
    ------
    OSError
        If there is no file and the data are not to be downloaded, or cannot be. The
        message says which files to put where.
    ValueError
        If a file is damaged, or holds anything but MNIST.
    ImportError
        If `as_frame` is True and pandas is not installed.

    See Also
    --------
    sklearn.datasets.load_digits : A small set of digits of 8 x 8 pixels.
    sklearn.datasets.fetch_openml : Where the data are downloaded from.

    Notes
    -----
    The first of these files in `data_home` is read, and nothing else is touched:

    - ``mnist.npz``, as Keras downloads it: Keras's own is found with
      ``data_home="~/.keras/datasets"``;
    - ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
      ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, the files of the
      database itself, also with ``.gz`` or spelled ``train-images.idx3-ubyte``, and
      also in ``MNIST/raw``, where torchvision puts them;
    - what scikit-learn's ``fetch_openml("mnist_784")`` has downloaded.

    A download goes through `fetch_openml`: 15 MB that stay in `data_home`. The first
    call has them parsed there, which takes a while and more than 1 GB of memory; later
    calls read the file themselves, in a second or so.

    Wherever the data come from, they must have the SHA-256 checksums of the
    database's own files.

    References
    ----------
    .. [1] Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten
       digits", http://yann.lecun.com/exdb/mnist/
    .. [2] Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning
       applied to document recognition", Proceedings of the IEEE 86(11), 2278-2324,
       1998.

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
    home = _find_home(data_home)
    arrays = _load(home)
    if arrays is None:
        arrays = _download(home, download_if_missing)
    y_train, X_train, y_test, X_test = arrays
    images = np.concatenate([X_train, X_test])
    data = images.reshape(len(images), -1)
    target = np.concatenate([y_train, y_test], dtype=np.int64)
    rows = np.arange(len(images))
    names = [f"pixel{number}" for number in range(1, data.shape[1] + 1)]
    frame = None
    if as_frame:
        frame, data, target = _as_frame(data, target, names)
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


def _as_frame(data, target, names):
    import pandas as pd

    data = pd.DataFrame(data, columns=names, copy=False)
    target = pd.Series(target, name="target")
    return pd.concat([data, target], axis=1), data, target


# Finding


def _find_home(data_home):
    """scikit-learn's `get_data_home`, which would create the folder, without that."""
    if data_home is None:
        data_home = os.environ.get("SCIKIT_LEARN_DATA", "~/scikit_learn_data")
    return Path(os.path.expanduser(data_home))


def _load(home):
    """The arrays of files.PARTS from the first file that is there, or None."""
    if (home / "mnist.npz").exists():
        return files.read(home / "mnist.npz", files.parse_npz)
    for folder in _IDX_FOLDERS:
        paths = [_find_idx(home / folder, part) for part in files.PARTS]
        if all(paths):
            return [
                files.read(path, partial(files.parse_idx, part))
                for path, part in zip(paths, files.PARTS, strict=True)
            ]
    for name in _ARFF_FILES:
        if (home / name).exists():
            return files.read(home / name, files.parse_arff)
    return None


def _find_idx(folder, part):
    dotted = part.idx.replace("-idx", ".idx")
    names = (part.idx, f"{part.idx}.gz", dotted, f"{dotted}.gz")
    paths = [folder / name for name in names if (folder / name).exists()]
    # Some archives have the dotted files beside folders of the other names.
    return max(paths, key=Path.is_file, default=None)


def _download(home, allowed):
    if not allowed:
        raise OSError(_missing(home, "download_if_missing is False"))
    try:
        # The parser that needs no pandas.
        mnist = fetch_openml(
            "mnist_784", version=1, data_home=home, as_frame=False, parser="liac-arff"
        )
    except Exception as error:  # a login page in place of JSON, say
        reason = f"it could not be downloaded from OpenML ({error})"
        raise OSError(_missing(home, reason)) from error
    return files.parsed(home / f"{_OPENML}*", files.parse_openml, mnist)


def _missing(home, reason):
    names = [part.idx for part in files.PARTS]
    lines = [
        f"MNIST is not in {home}, and {reason}. Put one of these there, or give the "
        "folder that has it as data_home:",
        "- mnist.npz, from "
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz; where "
        'Keras has downloaded it, data_home="~/.keras/datasets" will do',
        f"- {', '.join(names)}, each with .gz or without, from "
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ]
    for folder in _IDX_FOLDERS:
        absent = [p.idx for p in files.PARTS if not _find_idx(home / folder, p)]
        if 0 < len(absent) < len(files.PARTS):
            lines.append(f"{home / folder} has some, but not {', '.join(absent)}.")
    return "\n".join(lines)
