"""The forms MNIST comes in, and whether what is in one is MNIST.

Whatever the form, the content must have the checksums of the database's own files. All
that can be wrong with it is a ValueError; an OSError means that it cannot be read.
"""

import gzip
import hashlib
import io
import struct
import zipfile
from math import prod
from typing import NamedTuple

import numpy as np


class Part(NamedTuple):
    """A file of the database, and the array in it."""

    key: str  # the array's name in Keras's file
    idx: str  # the file's name
    shape: tuple
    sha256: str  # of the file


PARTS = (
    Part(
        "y_train",
        "train-labels-idx1-ubyte",
        (60000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    Part(
        "x_train",
        "train-images-idx3-ubyte",
        (60000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    Part(
        "y_test",
        "t10k-labels-idx1-ubyte",
        (10000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    Part(
        "x_test",
        "t10k-images-idx3-ubyte",
        (10000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
)

# No file is read further: the largest form, unpacked images, has 45 MiB.
_LIMIT = 64 * 2**20


def read(path, parse):
    """What `parse` makes of the content of a file."""
    if path.is_dir():
        raise OSError(f"{path} must be a file. Got a folder instead. Remove it.")
    with open(path, "rb") as file:
        # It sets aside as much memory as it is told to read.
        content = file.read(min(_LIMIT, path.stat().st_size))
    return parsed(path, parse, content)


def parsed(name, parse, content):
    """What `parse` makes of content; whatever is wrong with that is a ValueError."""
    try:
        return parse(content)
    except MemoryError:
        raise
    except Exception as error:  # zipfile, gzip and NumPy have a dozen for damage
        raise ValueError(
            f"{name} is damaged, or is not MNIST. {str(error) or repr(error)}\n"
            "Delete it and fetch the data again."
        ) from error


def parse_npz(content):
    """The arrays of PARTS in Keras's file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        keys = [name.removesuffix(".npy") for name in archive.namelist()]
        missing = [part.key for part in PARTS if part.key not in keys]
        if missing:
            raise ValueError(f"It must hold {', '.join(missing)}. Got {keys} instead.")
        return [_npy_array(archive, part) for part in PARTS]


def _npy_array(archive, part):
    # read_array allocates what the header says, so that is looked at first.
    with archive.open(f"{part.key}.npy") as file:
        if np.lib.format.read_magic(file) == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    if (shape, dtype) != (part.shape, np.uint8):
        raise ValueError(
            f"{part.key} must be uint8 of shape {part.shape}. Got {dtype} of shape "
            f"{shape} instead."
        )
    with archive.open(f"{part.key}.npy") as file:
        return _checked(np.lib.format.read_array(file, allow_pickle=False), part)


def parse_idx(part, content):
    """The array in a file of the database, compressed or not."""
    header = _idx_header(part)
    size = len(header) + prod(part.shape)
    # Not told by the name: browsers unpack what they download and leave its name.
    if content.startswith(b"\x1f\x8b"):
        with gzip.open(io.BytesIO(content)) as file:
            content = file.read(size + 1)
    if not content.startswith(header):
        raise ValueError(
            f"It must start with the magic number and shape {_numbers(header)}. Got "
            f"{_numbers(content[: len(header)])} instead."
        )
    if len(content) != size:
        got = "more" if len(content) > size else len(content)
        raise ValueError(f"It must have {size} bytes, unpacked. Got {got} instead.")
    array = np.frombuffer(content, np.uint8, offset=len(header))
    return _checked(array.reshape(part.shape), part)


def _idx_header(part):
    """Two zeros, 8 for uint8 and the number of dimensions; then the shape."""
    n_dims = len(part.shape)
    return struct.pack(f">4B{n_dims}I", 0, 0, 8, n_dims, *part.shape)


def _numbers(header):
    whole = header[: len(header) // 4 * 4]
    return np.frombuffer(whole, ">u4").tolist()


def parse_arff(content):
    """The arrays of PARTS in what scikit-learn keeps of OpenML: a compressed ARFF."""
    with gzip.open(io.BytesIO(content), "rt", encoding="utf-8") as lines:
        if not any(line.strip().lower() == "@data" for line in lines):
            raise ValueError("It must have a line @DATA. Got none.")
        # A row more than there may be, so that it is seen.
        n_rows = _table_shape()[0] + 1
        table = np.loadtxt(lines, np.uint8, delimiter=",", ndmin=2, max_rows=n_rows)
    return _split(table[:, :-1], table[:, -1])


def parse_openml(mnist):
    """The arrays of PARTS in what scikit-learn makes of OpenML's data."""
    return _split(mnist.data, mnist.target)


def _split(data, target):
    """The arrays of PARTS from rows to train on and, after them, to test on."""
    if data.shape != _table_shape():
        raise ValueError(
            f"It must have rows and pixels {_table_shape()}. Got {data.shape} instead."
        )
    data, target = data.astype(np.uint8), target.astype(np.uint8)
    [n_train] = PARTS[0].shape
    arrays = target[:n_train], data[:n_train], target[n_train:], data[n_train:]
    return [
        _checked(array.reshape(part.shape), part)
        for array, part in zip(arrays, PARTS, strict=True)
    ]


def _table_shape():
    y_train, X_train, y_test, _ = (part.shape for part in PARTS)
    return y_train[0] + y_test[0], prod(X_train[1:])


def _checked(array, part):
    """The array, if it is the one in the database's file."""
    if array.ndim == 1 and array.max() > 9:
        raise ValueError(f"{part.key} must be digits, 0 to 9. Got {array.max()}.")
    digest = hashlib.sha256(_idx_header(part))
    digest.update(array.ravel())
    if digest.hexdigest() != part.sha256:
        raise ValueError(
            f"{part.key} must have the SHA-256 checksum of {part.idx}, {part.sha256}. "
            f"Got {digest.hexdigest()} instead."
        )
    return array
