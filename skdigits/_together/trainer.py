"""The training loop of groups of networks, in threads if that is faster."""

import dataclasses
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise, repeat

import joblib
import numpy as np

from skdigits._keras.loading import load_keras
from skdigits._keras.optimizers import choose_optimizer
from skdigits._together.packing import Slot
from skdigits._together.program import GroupProgram, GroupSpec
from skdigits._training.cost_model import MAX_EPOCHS_PER_CALL
from skdigits._training.data_loader import (
    Batches,
    DeviceBuffer,
    padded_length,
    transfer_dtype,
)
from skdigits._training.program_cache import programs
from skdigits._training.trainer import train
from skdigits._training.trainer_state import TrainerState

# Maximum bytes of data held on the device as a whole, and bytes of a chunk otherwise.
_RESIDENT_BYTES = 64 * 2**20
_CHUNK_BYTES = 16 * 2**20
# Maximum bytes of the sample weights and labels of one call.
_CALL_BYTES = 32 * 2**20
# Maximum seconds of one call, so that Ctrl-C does not seem to be ignored.
_CALL = 0.5
# Minimum seconds of training per thread. A step of small networks leaves cores idle, so
# groups are trained in parallel, each with its own variables and buffers.
_SECONDS_FOR_A_THREAD = 1.2


def train_groups(groups):
    """Train groups in this process.

    Parameters
    ----------
    groups : list of TaskGroup

    Yields
    ------
    outcomes : list of TrainingResult or Exception
        Outcomes of the next group, see `train_group`.
    """
    n_threads = _threads_for(groups)
    if n_threads < 2:
        yield from map(train_group, groups)
        return
    stopped = threading.Event()
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            yield from pool.map(train_group, groups, repeat(stopped))
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)


def _threads_for(groups):
    seconds = sum(
        group.epoch_seconds * group.tasks[0].params.max_iter for group in groups
    )
    worthwhile = int(seconds / _SECONDS_FOR_A_THREAD)
    return min(len(groups), joblib.cpu_count(), worthwhile)


def train_group(group, stopped=None):
    """Train a group.

    Parameters
    ----------
    group : TaskGroup
    stopped : threading.Event, default=None
        Set by another thread to end training early.

    Returns
    -------
    outcomes : list of TrainingResult or Exception
        Outcome of each task, in their order.
    """
    try:
        if len(group.tasks) == 1:
            return [_train_alone(group.tasks[0], group.sources[0], stopped)]
        return GroupTrainer(group, stopped).train()
    except Exception as error:
        return [error] * len(group.tasks)


def _train_alone(task, X, stopped):
    data = dataclasses.replace(task.data, X=X)
    try:
        return train(dataclasses.replace(task, data=data), stopped=stopped)
    except Exception as error:
        return error


@dataclass
class _Member:
    """A network of a group: its slot, its state and its outcome."""

    slot: Slot
    state: TrainerState
    source: int
    outcome: object = None

    @property
    def task(self):
        return self.state.task

    @property
    def shapes(self):
        """Shapes of its layer arrays."""
        sizes = self.task.network.layer_sizes
        pairs = [((n_in, n_out), (n_out,)) for n_in, n_out in pairwise(sizes)]
        return [shape for pair in pairs for shape in pair]


class GroupTrainer:
    """Runs the epochs of one group with a program."""

    def __init__(self, group, stopped):
        keras = load_keras()
        self.stopped = stopped
        self.sources = group.sources
        first = group.tasks[0]
        self.optimizer, _ = choose_optimizer(keras, first.params)
        self.batch_size, self.n_steps = group.batch_size, group.n_steps
        self.network = first.network
        self.members = [
            _Member(
                slot,
                TrainerState(task, choose_optimizer(keras, task.params)[1]),
                source,
            )
            for task, source, slot in zip(
                group.tasks, group.source_of, group.packing.slots, strict=True
            )
        ]
        # The data set of each row group, and the networks of each block.
        self.source_of = [0] * group.packing.n_row_groups
        self.blocks = defaultdict(list)
        for member in self.members:
            self.source_of[member.slot.row_group] = member.source
            self.blocks[member.slot.block_index].append(member)
        self.spec = self._make_spec(keras, group)

    def _make_spec(self, keras, group):
        network, members, packing = self.network, self.members, group.packing
        dropouts = tuple(
            (member.slot, layer, member.task.network.layer_sizes[layer], rate)
            for member in members
            for layer, rate in enumerate(member.task.network.dropout)
            if rate
        )
        n_row_groups = packing.n_row_groups
        self.x_dtype = transfer_dtype(self.sources[0], network.dtype)
        row_bytes = network.n_features * self.x_dtype.itemsize
        n_rows = sum(X.shape[0] for X in self.sources)
        self.resident = n_rows * row_bytes <= _RESIDENT_BYTES
        itemsize = np.dtype(network.dtype).itemsize
        n_in_row_group = packing.n_blocks * packing.n_networks
        batch_bytes = n_row_groups * self.batch_size * (n_in_row_group * itemsize + 8)
        if self.resident:
            self.capacity = n_rows
            fitting = _CALL_BYTES / (batch_bytes * self.n_steps)
            self.n_epochs = int(
                np.clip(
                    min(fitting, _CALL / group.epoch_seconds),
                    1,
                    MAX_EPOCHS_PER_CALL,
                )
            )
            self.n_batches = self.n_epochs * self.n_steps
        else:
            rows_in_chunk = _CHUNK_BYTES // (row_bytes * n_row_groups * self.batch_size)
            self.n_batches = int(np.clip(rows_in_chunk, 1, self.n_steps))
            self.capacity = self.n_batches * self.batch_size * n_row_groups
            self.n_epochs = 1
        self.capacity = padded_length(self.capacity)
        return GroupSpec(
            n_row_groups=n_row_groups,
            n_blocks=packing.n_blocks,
            n_networks=packing.n_networks,
            n_features=network.n_features,
            widths=packing.widths,
            n_outputs=network.n_outputs,
            out_activation=network.out_activation,
            activation=network.activation,
            rescale=network.rescale,
            dtype=network.dtype,
            x_dtype=self.x_dtype.name,
            dropouts=dropouts,
            optimizer=self.optimizer,
            batch_size=self.batch_size,
            penalized=group.penalized,
            same_rate=group.same_rate,
            compiled=group.compiled,
            floatx=keras.config.floatx(),
            n_epochs=self.n_epochs,
            n_rows=self.capacity,
            n_batches=self.n_batches,
        )

    def train(self):
        with programs.checkout(self.spec, GroupProgram) as program:
            self.program = program
            program.load({m.slot: m.task.checkpoint.arrays for m in self.members})
            shape = self.capacity, self.network.n_features
            self.buffer = DeviceBuffer(shape, self.x_dtype)
            if self.resident:
                self._put_on_device((X, slice(None)) for X in self.sources)
            while active := [m for m in self.members if m.outcome is None]:
                if self.stopped is not None and self.stopped.is_set():
                    break
                self._train_some(active)
        return [member.outcome for member in self.members]

    def _train_some(self, active):
        """Train until weights or losses are needed, and use them."""
        looked_at = any(m.state.looks_between_epochs for m in active)
        n_epochs = min(m.state.max_iter - m.state.n_epochs for m in active)
        if looked_at or self.spec.dropouts:
            n_epochs = min(n_epochs, 1)
        n_epochs = min(n_epochs, self.n_epochs)
        losses = self._train_epochs(active, n_epochs)
        for member in active:
            try:
                some = losses[:, *member.slot.index] / member.task.data.n_samples
                member.state.add_epochs(some.tolist(), self.n_steps)
            except ValueError:
                self._give_up(member)
        self._validate([m for m in active if m.outcome is None])
        self._finish([m for m in active if m.outcome is None and self._is_done(m)])

    def _train_epochs(self, active, n_epochs):
        spec = self.spec
        shape = spec.n_row_groups, spec.n_blocks, spec.n_networks
        alpha, smoothing = np.zeros(shape), np.zeros(shape)
        rates = np.zeros((n_epochs, self.n_steps, *shape))
        for member in active:
            slot = member.slot.index
            alpha[slot] = member.state.alpha
            smoothing[slot] = member.task.params.label_smoothing
            for ahead in range(n_epochs):
                rates[ahead, :, *slot] = member.state.rates(self.n_steps, ahead)
        if spec.same_rate:
            rates[:] = rates[:, :, *active[0].slot.index, None, None, None]
        seeds = self._dropout_seeds(active)
        losses = 0
        for batches in self._batches(active, n_epochs):
            some = slice(batches.start, batches.start + len(batches.n_in_batch))
            losses = losses + self.program.run(
                batches, rates[:, some], alpha, smoothing, seeds
            )
        return losses

    def _dropout_seeds(self, active):
        """Seeds of dropout, as for the Dropout layers of Keras."""
        streams = {m.slot: m.state.dropout_stream() for m in active}
        seeds = []
        for slot, *_ in self.spec.dropouts:
            rng = streams.get(slot)  # None if it has stopped
            none = np.zeros(2, dtype=np.uint32)
            drawn = (
                none if rng is None else rng.integers(2**32, size=2, dtype=none.dtype)
            )
            seeds.append(drawn)
        return np.array(seeds).reshape(-1, 2)

    def _batches(self, active, n_epochs):
        """Yield the rows of the next epochs for every row group."""
        spec, B = self.spec, self.batch_size
        n_row_groups = spec.n_row_groups
        positions = np.zeros((n_epochs, self.n_steps * B, n_row_groups), dtype=np.int64)
        y = np.zeros(positions.shape, dtype=np.int32)
        weight = np.zeros(
            (*positions.shape, spec.n_blocks, spec.n_networks), dtype=spec.dtype
        )
        n_in_batch = np.full((self.n_steps, n_row_groups), B)
        going = defaultdict(list)
        for member in active:
            going[member.slot.row_group].append(member)
        for row_group, members in going.items():
            task = members[0].task
            n_samples = task.data.n_samples
            n_in_batch[-1, row_group] -= self.n_steps * B - n_samples
            rows = np.stack([members[0].state.row_order(i) for i in range(n_epochs)])
            if task.data.rows is not None:
                rows = task.data.rows[rows]
            positions[:, :n_samples, row_group] = rows
            y[:, :n_samples, row_group] = task.data.y[rows]
            share = 1 / np.repeat(n_in_batch[:, row_group], B)[:n_samples]
            for member in members:
                weight[:, :n_samples, *member.slot.index] = (
                    member.state.weight[rows] * share
                )
        if self.resident:
            first_rows = np.cumsum([0, *(X.shape[0] for X in self.sources)])
            index = positions + first_rows[self.source_of]
            yield self._package(index, y, weight, n_in_batch, 0)
            return
        for start in range(0, self.n_steps, self.n_batches):
            chunk = slice(start * B, (start + self.n_batches) * B)
            rows = positions[0, chunk]
            self._put_on_device(
                (self.sources[source], rows[:, row_group])
                for row_group, source in enumerate(self.source_of)
            )
            in_turn = np.arange(rows.size).reshape(n_row_groups, -1).T[None]
            some = n_in_batch[start : start + self.n_batches]
            yield self._package(in_turn, y[:, chunk], weight[:, chunk], some, start)

    def _package(self, index, y, weight, n_in_batch, start):
        """Pad to the number of batches of the program."""
        n_epochs, n_rows = index.shape[:2]
        n_steps = n_epochs * n_rows // self.batch_size

        def by_batch(values, dtype):
            values = values.reshape(n_steps, self.batch_size, *values.shape[2:])
            filled = np.zeros(
                (self.n_batches, *values.shape[2:], self.batch_size), dtype=dtype
            )
            filled[:n_steps] = np.moveaxis(values, 1, -1)
            return filled

        return Batches(
            self.buffer.tensor,
            by_batch(index, np.int32),
            by_batch(y, np.int32),
            by_batch(weight, weight.dtype),
            n_in_batch,
            start,
            n_epochs,
        )

    def _put_on_device(self, parts):
        """Copy the parts, (X, index), one after the other."""
        stop = 0
        for X, index in parts:
            stop = self.buffer.fill(X, index, stop)

    def _validate(self, members):
        validated = [m for m in members if m.task.data.validation is not None]
        if not validated:
            return
        arrays = self._weights(validated)
        for member in validated:
            try:
                member.state.validate(arrays[member.slot])
            except ValueError:
                self._give_up(member)

    def _weights(self, members):
        return self.program.averaged_arrays({m.slot: m.shapes for m in members})

    def _is_done(self, member):
        state = member.state
        state.stopped = state.is_over()
        return state.stopped or state.n_epochs >= state.max_iter

    def _finish(self, members):
        if not members:
            return
        blocks = {m.slot.block_index for m in members}
        going = [m for b in blocks for m in self.blocks[b] if m.outcome is None]
        arrays = self._weights(going)
        for member in going:
            shared = self.spec.n_networks > 1 and member.outcome is None
            if shared and not _are_finite(arrays[member.slot]):
                self._give_up(member)
        for member in members:
            if member.outcome is None:
                try:
                    member.outcome = member.state.finish(arrays[member.slot])
                except ValueError:
                    self._give_up(member)

    def _give_up(self, member):
        """End the training of a network whose numbers are no longer finite."""
        # Infinity times 0 is NaN, so a network that diverges can make the others of its
        # block diverge. They are trained again, each alone.
        for other in self.blocks[member.slot.block_index]:
            if other.outcome is None:
                other.outcome = _train_alone(
                    other.task, self.sources[other.source], self.stopped
                )


def _are_finite(arrays):
    return all(np.isfinite(array).all() for array in arrays)
