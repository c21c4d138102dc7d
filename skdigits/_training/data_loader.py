"""Handing training rows to the program: all at once if few, else in chunks.

Small data is put on the device once and each batch gathered there. Larger data,
memory maps and sparse matrices stay where they are: a chunk of rows at a time is
taken in the epoch's order, so that training needs little memory beyond X itself.
"""

from dataclasses import dataclass

import numpy as np

from skdigits._keras.loading import load_tensorflow
from skdigits._network.inference import cast

# Data up to this size is held on the device as a whole.
_RESIDENT_BYTES = 16 * 2**20
# Larger data goes there in chunks of this size.
_CHUNK_BYTES = 8 * 2**20
# TensorFlow copies what doesn't start at a multiple of so many bytes.
_ALIGNMENT = 64
# See `padded_length`.
_ROW_BUCKET = 1024


def padded_length(n_rows):
    """Rows that a compiled program is made for, to hold so many.

    It is rounded up, so that the folds of a cross-validation, a row more or less,
    share a program.
    """
    return -(-n_rows // _ROW_BUCKET) * _ROW_BUCKET


def transfer_dtype(X, dtype):
    """uint8 for rows of uint8, `dtype`, the network's, for others."""
    return np.dtype(np.uint8 if X.dtype == np.uint8 else dtype)


@dataclass
class Batches:
    """Rows in the order of training, a whole number of batches an epoch.

    An epoch, or a chunk of one, is filled up with rows of weight 0. Shapes are those
    for one network; `GroupProgram.run` says what they are for a stack.

    Parameters
    ----------
    X : tensor of shape (n_rows, n_features)
    index : ndarray of int32 of shape (n_batches * batch_size,)
        A row of X for each position.
    y : ndarray of int32 of shape (n_batches * batch_size,)
        Class index at each position.
    weight : ndarray of shape (n_batches * batch_size,)
        Weight at each position, divided by the number of rows in its batch.
    n_in_batch : ndarray of int of shape (n_batches_per_epoch,)
        Rows in each batch of an epoch, without what fills it up.
    start : int
        Batches of the epoch before these.
    n_epochs : int
    coefficients : ndarray of shape (n_batches * batch_size, 2, n_terms) or None
        Of the distortion of the image at each position.
    """

    X: object
    index: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    n_in_batch: np.ndarray
    start: int
    n_epochs: int
    coefficients: np.ndarray | None = None


class DeviceBuffer:
    """A tensor of rows, filled anew again and again without a copy on the way.

    TensorFlow would copy a NumPy array twice, into fresh memory every time, which
    takes longer than training a small network on it.

    Parameters
    ----------
    shape : tuple of int
        (capacity, n_features)
    dtype : dtype

    Attributes
    ----------
    tensor : tensor of that shape and dtype
        Not to be read while `take` runs.
    """

    def __init__(self, shape, dtype):
        tf = load_tensorflow()
        n_bytes = int(np.prod(shape)) * dtype.itemsize
        memory = np.zeros(n_bytes + _ALIGNMENT, dtype=np.uint8)
        start = -memory.ctypes.data % _ALIGNMENT
        aligned = memory[start : start + n_bytes]
        self._array = aligned.view(dtype).reshape(shape)
        self.tensor = tf.experimental.dlpack.from_dlpack(self._array.__dlpack__())

    def take(self, X, index, start=0):
        """Put rows of `X` there, the first at `start`.

        Parameters
        ----------
        X : {ndarray, CSR matrix} of shape (n_samples, n_features)
        index : ndarray of int of shape (n_rows,) or slice
        start : int, default=0

        Returns
        -------
        stop : int
            Where the next row would go.

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
        if isinstance(index, np.ndarray) and _can_be_taken_straight(X, place.dtype):
            # In any other mode NumPy takes the rows into a copy of `place` first.
            np.take(X, index, axis=0, out=place, mode="clip")
        else:
            some = X[index]
            place[...] = cast(
                some.toarray() if hasattr(some, "toarray") else some, place.dtype
            )
        return start + n_rows


def _can_be_taken_straight(X, dtype):
    return isinstance(X, np.ndarray) and X.dtype == dtype and X.flags.c_contiguous


class DataLoader:
    """Rows of a training set, in any order asked for.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        Class indices.
    weight : ndarray of shape (n_samples,)
    rows : ndarray of int or None
        The rows to train on; None for all.
    batch_size : int
    n_epochs : int
        Epochs to hand over at once, at most.
    dtype : dtype
        The network's. X of uint8 is handed over as it is, other X in this dtype.
    padded : bool
        Whether what is handed over always has the same shape, for a compiled
        program.
    distortion : Distortion, default=None
        What to do with the images.

    Attributes
    ----------
    n_samples : int
        Number of rows in an epoch.
    n_epochs : int
        Epochs handed over at once, at most: 1 if the rows come in chunks.
    x_dtype : dtype
        Of the rows that are handed over.
    n_rows, n_batches : int or None
        Rows of X and batches in every `Batches`, if padded.
    """

    def __init__(
        self, X, y, weight, rows, batch_size, n_epochs, dtype, padded, distortion=None
    ):
        self._X, self._y = X, y.astype(np.int32, copy=False)
        self._weight = weight.astype(dtype, copy=False)
        self._rows = rows
        self._batch_size = batch_size
        self.x_dtype = transfer_dtype(X, dtype)
        self._distortion = distortion
        self._buffer = None
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
        self.n_batches = None
        if padded:
            self.n_batches = self.n_epochs * -(-self._capacity // batch_size)

    def batches(self, orders, distortions=None):
        """The rows of some epochs, in one piece or in several.

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
                self._buffer.take(self._X, every)
        X = self._buffer.tensor
        if self._resident:
            yield self._batches(X, orders, index, 0, distortions)
            return
        for start in range(0, self.n_samples, self._capacity):
            chunk = index[:, start : start + self._capacity]
            in_turn = np.arange(chunk.shape[1])[None]
            self._buffer.take(self._X, chunk[0])
            first = start // self._batch_size
            yield self._batches(X, in_turn, chunk, first, distortions)

    def _batches(self, X, positions, index, start, distortions):
        n_epochs, n_rows = index.shape
        n_in_batch = np.full(-(-n_rows // self._batch_size), self._batch_size)
        n_in_batch[-1] -= len(n_in_batch) * self._batch_size - n_rows
        weight = self._weight[index] / np.repeat(n_in_batch, n_in_batch)
        coefficients = None
        if distortions is not None:
            drawn = [self._distortion.coefficients(n_rows, *d) for d in distortions]
            coefficients = self._fill_up(np.stack(drawn), self._distortion.dtype)
        return Batches(
            X,
            self._fill_up(positions, np.int32),
            self._fill_up(self._y[index], np.int32),
            self._fill_up(weight, self._weight.dtype),
            n_in_batch,
            start,
            n_epochs,
            coefficients,
        )

    def _fill_up(self, values, dtype):
        """Whole batches in each epoch, and as many of them as always if padded."""
        n_epochs, n_rows, *shape = values.shape
        n_batches = -(-n_rows // self._batch_size)
        length = (self.n_batches or n_epochs * n_batches) * self._batch_size
        filled = np.zeros((length, *shape), dtype=dtype)
        epochs = filled[: n_epochs * n_batches * self._batch_size]
        epochs.reshape(n_epochs, -1, *shape)[:, :n_rows] = values
        return filled
