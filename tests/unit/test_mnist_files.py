"""MNIST's files: damaged ones are refused, whatever the damage."""

import gzip
import hashlib
import io
import struct
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdigits.datasets import _mnist_files as files

RNG = np.random.default_rng(0)
# Few made-up digits in the place of MNIST's.
ARRAYS = {
    "y_train": RNG.integers(10, size=6, dtype=np.uint8),
    "x_train": RNG.integers(256, size=(6, 28, 28), dtype=np.uint8),
    "y_test": RNG.integers(10, size=2, dtype=np.uint8),
    "x_test": RNG.integers(256, size=(2, 28, 28), dtype=np.uint8),
}


def idx(array):
    header = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
    return header + array.tobytes()


PARTS = tuple(
    part._replace(
        shape=ARRAYS[part.key].shape,
        sha256=hashlib.sha256(idx(ARRAYS[part.key])).hexdigest(),
    )
    for part in files.PARTS
)
IMAGES = PARTS[1]


def npz():
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **ARRAYS)
    return buffer.getvalue()


def arff():
    images = np.concatenate([ARRAYS["x_train"], ARRAYS["x_test"]]).reshape(8, -1)
    labels = np.concatenate([ARRAYS["y_train"], ARRAYS["y_test"]])
    table = np.column_stack([images, labels])
    rows = "\n".join(",".join(map(str, row)) for row in table.tolist())
    return gzip.compress(f"@RELATION mnist_784\n\n@DATA\n{rows}\n".encode())


EXPECTED = [ARRAYS[part.key] for part in PARTS]
FORMATS = {
    "npz": (files.parse_npz, npz(), EXPECTED),
    "idx": (partial(files.parse_idx, IMAGES), idx(ARRAYS["x_train"]), EXPECTED[1:2]),
    "labels": (partial(files.parse_idx, PARTS[0]), idx(EXPECTED[0]), EXPECTED[:1]),
    "idx.gz": (
        partial(files.parse_idx, IMAGES),
        gzip.compress(idx(ARRAYS["x_train"])),
        EXPECTED[1:2],
    ),
    "ARFF": (files.parse_arff, arff(), EXPECTED),
}


def is_read(name, content):
    """Whether a file is read, as the arrays expected, and not refused."""
    read, _, expected = FORMATS[name]
    with patch.object(files, "PARTS", PARTS):
        try:
            arrays = files.parsed("the file", read, content)
        except ValueError as error:
            message = str(error)
        else:
            arrays = arrays if isinstance(arrays, list) else [arrays]
            for got, array in zip(arrays, expected, strict=True):
                np.testing.assert_array_equal(got, array)
            return True
    assert message.startswith("the file is damaged, or is not MNIST. ")
    assert message.endswith("\nDelete it and fetch the data again.")
    return False


def position(draw, size):
    """Anywhere in a file, or near its ends, where the structure is."""
    near = draw(st.integers(-64, 63))
    return draw(st.sampled_from([near % size, draw(st.integers(0, size - 1))]))


@pytest.mark.parametrize("name", FORMATS)
def test_a_whole_file_is_read(name):
    assert is_read(name, FORMATS[name][1])


@pytest.mark.parametrize("name", FORMATS)
@given(st.data())
def test_a_changed_byte_is_noticed_or_means_nothing(name, data):
    content = bytearray(FORMATS[name][1])
    place = position(data.draw, len(content))
    content[place] ^= data.draw(st.integers(1, 255))
    read = is_read(name, bytes(content))
    # Compressed files have bytes that do not matter, such as a time stamp.
    assert not read or name not in ("idx", "labels")


@pytest.mark.parametrize("name", FORMATS)
@given(st.data())
def test_a_file_cut_off_is_refused(name, data):
    content = FORMATS[name][1]
    assert not is_read(name, content[: position(data.draw, len(content))])


@pytest.mark.parametrize("name", FORMATS)
@given(st.data())
def test_other_files_are_refused(name, data):
    others = [content for other, (_, content, _) in FORMATS.items() if other != name]
    others += [b"<html>Not found</html>", b"PK\x03\x04", b"\x1f\x8b\x08\x00", b""]
    content = data.draw(st.one_of(st.sampled_from(others), st.binary(max_size=60)))
    # Whether an IDX file is compressed does not depend on its name.
    fits = {content for other, (_, content, _) in FORMATS.items() if other[:3] == "idx"}
    assert is_read(name, content) == (name[:3] == "idx" and content in fits)
