"""Handing training rows to the program: all at once if few, else in chunks.

Small data is put on the device once and each batch gathered there. Larger data,
memory maps and sparse matrices stay where they are: a chunk of rows at a time is
taken in the epoch's order, so that training needs little memory beyond X itself.
"""

import numpy as np

from skdigits._forward import cast

# Data up to this size is held on the device as a whole.
_RESIDENT_BYTES = 16 * 2**20
# Larger data goes there in chunks of this size.
_CHUNK_BYTES = 4 * 2**20
# Compiled programs are made for a multiple of this many rows, so that the folds of
# a cross-validation, a row more or less, share one.
_ROW_BUCKET = 1024


class RowFeed:
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
    dtype : dtype
        The network's. X of uint8 is handed over as it is, other X in this dtype.
    padded : bool
        Whether the number of rows handed over is rounded up, for a compiled program.

    Attributes
    ----------
    n_samples : int
        Number of rows in an epoch.
    x_dtype : dtype
        Of the rows that are handed over.
    n_rows, n_order : int or None
        Rows and length of the order in every call, if padded.
    """

    def __init__(self, X, y, weight, rows, batch_size, dtype, padded):
        self._X, self._y = X, y.astype(np.int32, copy=False)
        self._weight = weight.astype(dtype, copy=False)
        self._rows = rows
        self._batch_size = batch_size
        self.x_dtype = np.dtype(np.uint8 if X.dtype == np.uint8 else dtype)
        self._padded = padded
        self._held = None
        self.n_samples = X.shape[0] if rows is None else len(rows)
        row_bytes = X.shape[1] * self.x_dtype.itemsize
        self._resident = self.n_samples * row_bytes <= _RESIDENT_BYTES
        if self._resident:
            self._capacity = -(-self.n_samples // _ROW_BUCKET) * _ROW_BUCKET
        else:
            batches = max(1, _CHUNK_BYTES // (row_bytes * batch_size))
            self._capacity = batches * batch_size
        self.n_rows = self._capacity if padded else None
        self.n_order = _round_up(self._capacity, batch_size) if padded else None

    def chunks(self, order):
        """The rows of an epoch as arguments for `EpochProgram.run`.

        Parameters
        ----------
        order : ndarray of int of shape (n_samples,)
            A permutation of range(n_samples).

        Yields
        ------
        rows : tuple of (X, y, weight, order, n_rows)
        """
        if self._resident:
            if self._held is None:
                self._held = self._take(
                    slice(None) if self._rows is None else self._rows
                )
            yield *self._held, self._pad_order(order), len(order)
            return
        index = order if self._rows is None else self._rows[order]
        for start in range(0, len(index), self._capacity):
            chosen = index[start : start + self._capacity]
            in_turn = self._pad_order(np.arange(len(chosen)))
            yield *self._take(chosen), in_turn, len(chosen)

    def _take(self, index):
        import tensorflow as tf

        X = self._X[index]
        if hasattr(X, "toarray"):
            X = X.toarray()
        X = cast(X, self.x_dtype)
        taken = X, self._y[index], self._weight[index]
        missing = self._capacity - len(X)
        if self._padded and missing:
            taken = [
                np.concatenate([a, np.zeros((missing, *a.shape[1:]), dtype=a.dtype)])
                for a in taken
            ]
        return tuple(tf.constant(array) for array in taken)

    def _pad_order(self, order):
        length = self.n_order or _round_up(len(order), self._batch_size)
        padded = np.zeros(length, dtype=np.int32)
        padded[: len(order)] = order
        return padded


def _round_up(number, multiple):
    return -(-number // multiple) * multiple
