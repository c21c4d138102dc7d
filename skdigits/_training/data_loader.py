"""Transfer of training rows to the program: small data at once, other data in chunks.

Small data is copied to the device once, and batches are gathered there. Larger data,
memory maps and sparse matrices stay in place: chunks of rows are copied in the order of
the epoch, so training needs little memory beyond X itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skdigits._keras.loading import load_tensorflow
from skdigits._network import Array
from skdigits._network.inference import cast
from skdigits._training.trainer_state import Member

# Maximum bytes of data that are held on the device as a whole, per row group.
_RESIDENT_BYTES = 16 * 2**20
# Bytes of a chunk of larger data.
_CHUNK_BYTES = 8 * 2**20
# Maximum bytes of the labels and sample weights of one call.
_CALL_BYTES = 32 * 2**20
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

    An epoch, or a chunk of it, is padded with rows of weight 0.

    Parameters
    ----------
    X : tensor of shape (n_rows, n_features)
    index : ndarray of int32 of shape (n_batches, n_row_groups, batch_size)
        Row of X at each position.
    y : ndarray of int32 of shape (n_batches, n_row_groups, batch_size)
        Class index at each position.
    weight : ndarray of shape (n_batches, n_row_groups, n_blocks, n_networks, \
            batch_size)
        Weight at each position, divided by the number of rows in its batch.
    n_in_batch : ndarray of int of shape (n_batches_per_epoch, n_row_groups)
        Rows in each batch of an epoch, padding excluded.
    start : int
        Number of batches of the epoch that precede these.
    n_epochs : int
    coefficients : ndarray of shape (n_batches, 1, batch_size, 2, n_terms) or None
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
    """Loads the rows of one or more networks in the order of each epoch.

    Parameters
    ----------
    sources : list of {ndarray, CSR matrix} of shape (n_samples, n_features)
        The data sets; `task.data.number` is an index into them.
    members : list of Member
        The networks. All have the same number of batches in an epoch, and those of a
        row group the same rows in the same order.
    slots_shape : tuple of int
        (n_row_groups, n_blocks, n_networks), see `Slot`.
    batch_size : int
    max_epochs : int
        Maximum number of epochs per call of the program.
    padded : bool
        Whether all `Batches` have the same shape, for a compiled program.
    min_rows : int, default=0
        Number of rows that the program has at least, to be shared with larger data.

    Attributes
    ----------
    n_steps : int
        Number of batches in an epoch.
    n_epochs : int
        Maximum number of epochs per call of the program: 1 for rows in chunks.
    x_dtype : dtype
        Dtype of the rows on the device.
    n_rows, n_batches : int or None
        Rows of X and batches in every `Batches`, if padded.
    """

    def __init__(
        self,
        sources: Sequence[Any],
        members: Sequence[Member],
        slots_shape: tuple[int, int, int] = (1, 1, 1),
        *,
        batch_size: int,
        max_epochs: int,
        padded: bool,
        min_rows: int = 0,
    ) -> None:
        self.slots_shape = slots_shape
        self._sources = sources
        self._batch_size = batch_size
        dtype = np.dtype(members[0].task.network.dtype)
        self.x_dtype = transfer_dtype(sources[0], dtype)
        n_row_groups = slots_shape[0]
        n_samples = {m.slot.row_group: m.task.data.n_samples for m in members}
        self.n_steps = -(-members[0].task.data.n_samples // batch_size)
        self._n_in_batch = np.full((self.n_steps, n_row_groups), batch_size)
        for row_group, n in n_samples.items():
            self._n_in_batch[-1, row_group] = n - (self.n_steps - 1) * batch_size
        row_bytes = sources[0].shape[1] * self.x_dtype.itemsize
        n_rows = max(min_rows, sum(X.shape[0] for X in sources))
        self._resident = n_rows * row_bytes <= n_row_groups * _RESIDENT_BYTES
        if self._resident:
            most = max(min_rows, *n_samples.values())
            max_steps = -(-padded_length(most) // batch_size)
            item_bytes = 8 * n_row_groups + int(np.prod(slots_shape)) * dtype.itemsize
            fitting = _CALL_BYTES // (max_steps * batch_size * item_bytes)
            self.n_epochs = int(np.clip(fitting, 1, max_epochs))
            self._chunk = self.n_steps
            capacity = padded_length(n_rows)
            n_batches = self.n_epochs * max_steps
        else:
            self.n_epochs = 1
            chunk = _CHUNK_BYTES // (row_bytes * n_row_groups * batch_size)
            n_batches = self._chunk = max(1, chunk)
            capacity = n_batches * batch_size * n_row_groups
        self.n_rows = capacity if padded else None
        self.n_batches = n_batches if padded else None
        self._shape = capacity, sources[0].shape[1]
        self._buffer: DeviceBuffer | None = None

    def batches(self, members: Sequence[Member], n_epochs: int) -> Iterator[Batches]:
        """Yield the rows of the next epochs, in one chunk or in several.

        Parameters
        ----------
        members : list of Member
            The networks that are still trained.
        n_epochs : int
            At most the attribute `n_epochs`.

        Yields
        ------
        batches : Batches
        """
        dtype = np.dtype(members[0].task.network.dtype)
        # One member of each row group, for what its members have in common.
        firsts = {(m.slot.row_group,): m for m in reversed(members)}
        rows = {s: member.state.rows(n_epochs) for s, member in firsts.items()}
        distortion = members[0].task.distortion
        streams = [] if distortion is None else members[0].state.distortions(n_epochs)
        streams = list(streams)
        for start in range(0, self.n_steps, self._chunk):
            n_in_batch = self._n_in_batch[start : start + self._chunk]
            first = start * self._batch_size
            part = slice(first, first + len(n_in_batch) * self._batch_size)
            chunk = {s: of_group[:, part] for s, of_group in rows.items()}
            numbers = {s: member.task.data.number for s, member in firsts.items()}
            X, index = self._on_device(chunk, numbers)
            weight = {}
            for m in members:
                n = n_in_batch[:, m.slot.row_group]
                own = m.state.weight[chunk[m.slot.row_group,]].astype(dtype)
                weight[m.slot.index] = own / np.repeat(n, n)
            y = {s: member.task.data.y[chunk[s]] for s, member in firsts.items()}
            coefficients = None
            if distortion is not None:
                n_rows = index[0,].shape[1]
                drawn = [distortion.coefficients(n_rows, *draw) for draw in streams]
                coefficients = self._by_batch({(0,): np.stack(drawn)}, dtype)
            yield Batches(
                X,
                self._by_batch(index, np.int32),
                self._by_batch(y, np.int32),
                self._by_batch(weight, dtype),
                n_in_batch,
                start,
                n_epochs,
                coefficients,
            )

    def _on_device(
        self, rows: dict[tuple[int], Array], numbers: dict[tuple[int], int]
    ) -> tuple[Any, dict[tuple[int], Array]]:
        """The tensor with some rows of each row group, and their positions in it."""
        if self._buffer is None:
            self._buffer = DeviceBuffer(self._shape, self.x_dtype)
            stop = 0
            for X in self._sources if self._resident else ():
                stop = self._buffer.fill(X, slice(None), stop)
        if self._resident:
            starts = np.cumsum([0, *(X.shape[0] for X in self._sources)])
            index = {s: starts[numbers[s]] + of_group for s, of_group in rows.items()}
            return self._buffer.tensor, index
        index, stop = {}, 0
        for s, (of_epoch,) in rows.items():
            start = stop
            stop = self._buffer.fill(self._sources[numbers[s]], of_epoch, start)
            index[s] = np.arange(start, stop)[None]
        return self._buffer.tensor, index

    def _by_batch(self, values: Mapping[Any, Array], dtype: Any) -> Array:
        """Divide each epoch into batches, padded with zeros.

        Parameters
        ----------
        values : dict
            Arrays of shape (n_epochs, n_rows, ...), by row group or by slot.
        dtype : dtype
        """
        slot, first = next(iter(values.items()))
        n_epochs, n_rows, *inner = first.shape
        n_steps = -(-n_rows // self._batch_size)
        outer, n_used = self.slots_shape[: len(slot)], n_epochs * n_steps
        shape = *outer, self._batch_size, *inner
        every = np.zeros((self.n_batches or n_used, *shape), dtype=dtype)
        used = every[:n_used].reshape(n_epochs, n_steps, *shape)
        for slot, own in values.items():
            filled = np.zeros((n_epochs, n_steps * self._batch_size, *inner), dtype)
            filled[:, : own.shape[1]] = own
            used[:, :, *slot] = filled.reshape(n_epochs, n_steps, -1, *inner)
        return every
