"""Transfer of training rows to the program: small data at once, other data in chunks.

Small data is copied to the device once, and batches are gathered there. Larger data,
memory maps and sparse matrices stay in place: chunks of rows are copied in the order of
the epoch, so training needs little memory beyond X itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skdigits._keras.loading import load_tensorflow
from skdigits._network import Array
from skdigits._network.inference import cast
from skdigits.augmentation._warp import Distortion

# Maximum bytes of data that are held on the device as a whole.
_RESIDENT_BYTES = 16 * 2**20
# Bytes of a chunk of larger data.
_CHUNK_BYTES = 8 * 2**20
# TensorFlow shares memory without a copy if it is aligned to this number of bytes.
_ALIGNMENT = 64
# Rows; see `padded_length`.
_ROW_BUCKET = 1024


def padded_length(n_rows: int) -> int:
    """Number of rows that a compiled program is made for.

    It is rounded up so that the folds of a cross-validation, which may differ by one
    row, share a program.
    """
    return -(-n_rows // _ROW_BUCKET) * _ROW_BUCKET


def transfer_dtype(X: Any, dtype: Any) -> np.dtype[Any]:
    """Dtype on the device: uint8 for X of uint8, else `dtype`, that of the network."""
    return np.dtype(np.uint8 if X.dtype == np.uint8 else dtype)


@dataclass
class Batches:
    """Rows in the order of training, with a whole number of batches per epoch.

    An epoch, or a chunk of it, is padded with rows of weight 0. The shapes are those
    of one network; see `GroupProgram.run` for those of a group.

    Parameters
    ----------
    X : tensor of shape (n_rows, n_features)
    index : ndarray of int32 of shape (n_batches * batch_size,)
        Row of X at each position.
    y : ndarray of int32 of shape (n_batches * batch_size,)
        Class index at each position.
    weight : ndarray of shape (n_batches * batch_size,)
        Weight at each position, divided by the number of rows in its batch.
    n_in_batch : ndarray of int of shape (n_batches_per_epoch,)
        Rows in each batch of an epoch, padding excluded.
    start : int
        Number of batches of the epoch that precede these.
    n_epochs : int
    coefficients : ndarray of shape (n_batches * batch_size, 2, n_terms) or None
        Coefficients of the distortion of the image at each position.
    """

    X: Any
    index: Array
    y: Array
    weight: Array
    n_in_batch: Array
    start: int
    n_epochs: int
    coefficients: Array | None = None


class DeviceBuffer:
    """A tensor of rows that shares its memory with a NumPy array.

    TensorFlow copies a NumPy array twice, into new memory every time, which takes
    longer than training a small network on it.

    Parameters
    ----------
    shape : tuple of int
        (capacity, n_features)
    dtype : dtype

    Attributes
    ----------
    tensor : tensor of that shape and dtype
        Must not be read while `fill` runs.
    """

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        tf = load_tensorflow()
        n_bytes = int(np.prod(shape)) * dtype.itemsize
        memory = np.zeros(n_bytes + _ALIGNMENT, dtype=np.uint8)
        start = -memory.ctypes.data % _ALIGNMENT
        aligned = memory[start : start + n_bytes]
        self._array = aligned.view(dtype).reshape(shape)
        self.tensor = tf.experimental.dlpack.from_dlpack(self._array.__dlpack__())

    def fill(self, X: Any, index: Array | slice, start: int = 0) -> int:
        """Copy rows of `X` to the buffer, the first to `start`.

        Parameters
        ----------
        X : {ndarray, CSR matrix} of shape (n_samples, n_features)
        index : ndarray of int of shape (n_rows,) or slice
        start : int, default=0

        Returns
        -------
        stop : int
            Position after the last row.

        Raises
        ------
        ValueError
            If a value is too large for the tensor's dtype.
        """
        if isinstance(index, slice):
            n_rows = len(range(*index.indices(X.shape[0])))
        else:
            n_rows = len(index)
        place = self._array[start : start + n_rows]
        if isinstance(index, np.ndarray) and _needs_no_cast(X, place.dtype):
            # In its other modes, `np.take` copies to a temporary array first.
            np.take(X, index, axis=0, out=place, mode="clip")
        else:
            some = X[index]
            place[...] = cast(
                some.toarray() if hasattr(some, "toarray") else some, place.dtype
            )
        return start + n_rows


def _needs_no_cast(X: Any, dtype: np.dtype[Any]) -> bool:
    return isinstance(X, np.ndarray) and X.dtype == dtype and X.flags.c_contiguous


class DataLoader:
    """Loads the rows of a training set in the order of each epoch.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        Class indices.
    weight : ndarray of shape (n_samples,)
    rows : ndarray of int or None
        Indices of the training rows; None for all.
    batch_size : int
    n_epochs : int
        Maximum number of epochs per call of the program.
    dtype : dtype
        Dtype of the network. X is cast to it, unless it is uint8.
    padded : bool
        Whether all `Batches` have the same shape, for a compiled program.
    distortion : Distortion, default=None
        Distortion of the images.

    Attributes
    ----------
    n_samples : int
        Number of rows in an epoch.
    n_epochs : int
        Maximum number of epochs per call of the program: 1 for rows in chunks.
    x_dtype : dtype
        Dtype of the rows on the device.
    n_rows, n_batches : int or None
        Rows of X and batches in every `Batches`, if padded.
    """

    def __init__(
        self,
        X: Any,
        y: Array,
        weight: Array,
        *,
        rows: Array | None,
        batch_size: int,
        n_epochs: int,
        dtype: np.dtype[Any],
        padded: bool,
        distortion: Distortion | None = None,
    ) -> None:
        self._X, self._y = X, y.astype(np.int32, copy=False)
        self._weight = weight.astype(dtype, copy=False)
        self._rows = rows
        self._batch_size = batch_size
        self.x_dtype = transfer_dtype(X, dtype)
        self._distortion = distortion
        self._buffer: DeviceBuffer | None = None
        self.n_samples = X.shape[0] if rows is None else len(rows)
        row_bytes = X.shape[1] * self.x_dtype.itemsize
        self._resident = self.n_samples * row_bytes <= _RESIDENT_BYTES
        self.n_epochs = n_epochs if self._resident else 1
        if self._resident:
            self._capacity = padded_length(self.n_samples)
        else:
            batches = max(1, _CHUNK_BYTES // (row_bytes * batch_size))
            self._capacity = batches * batch_size
        self.n_rows = self._capacity if padded else None
        self.n_batches: int | None = None
        if padded:
            self.n_batches = self.n_epochs * -(-self._capacity // batch_size)

    def batches(
        self,
        orders: Array,
        distortions: Sequence[tuple[np.random.Generator, float]] | None = None,
    ) -> Iterator[Batches]:
        """Yield the rows of some epochs, in one chunk or in several.

        Parameters
        ----------
        orders : ndarray of int of shape (n_epochs, n_samples)
            A permutation of range(n_samples) for each epoch.
        distortions : list of (Generator, float), default=None
            Random numbers and strength of the distortions, for each epoch.

        Yields
        ------
        batches : Batches
        """
        index = orders if self._rows is None else self._rows[orders]
        if self._buffer is None:
            shape = self._capacity, self._X.shape[1]
            self._buffer = DeviceBuffer(shape, self.x_dtype)
            if self._resident:
                every = slice(None) if self._rows is None else self._rows
                self._buffer.fill(self._X, every)
        X = self._buffer.tensor
        if self._resident:
            yield self._batches(X, orders, index, 0, distortions)
            return
        for start in range(0, self.n_samples, self._capacity):
            chunk = index[:, start : start + self._capacity]
            in_turn = np.arange(chunk.shape[1])[None]
            self._buffer.fill(self._X, chunk[0])
            first = start // self._batch_size
            yield self._batches(X, in_turn, chunk, first, distortions)

    def _batches(
        self,
        X: Any,
        positions: Array,
        index: Array,
        start: int,
        distortions: Sequence[tuple[np.random.Generator, float]] | None,
    ) -> Batches:
        n_epochs, n_rows = index.shape
        n_in_batch = np.full(-(-n_rows // self._batch_size), self._batch_size)
        n_in_batch[-1] -= len(n_in_batch) * self._batch_size - n_rows
        weight = self._weight[index] / np.repeat(n_in_batch, n_in_batch)
        coefficients = None
        if distortions is not None and self._distortion is not None:
            drawn = [self._distortion.coefficients(n_rows, *d) for d in distortions]
            coefficients = self._pad(np.stack(drawn), self._distortion.dtype)
        return Batches(
            X,
            self._pad(positions, np.int32),
            self._pad(self._y[index], np.int32),
            self._pad(weight, self._weight.dtype),
            n_in_batch,
            start,
            n_epochs,
            coefficients,
        )

    def _pad(self, values: Array, dtype: Any) -> Array:
        """Pad each epoch to whole batches, and to a fixed number of them if padded."""
        n_epochs, n_rows, *shape = values.shape
        n_batches = -(-n_rows // self._batch_size)
        length = (self.n_batches or n_epochs * n_batches) * self._batch_size
        filled = np.zeros((length, *shape), dtype=dtype)
        epochs = filled[: n_epochs * n_batches * self._batch_size]
        epochs.reshape(n_epochs, -1, *shape)[:, :n_rows] = values
        return filled
