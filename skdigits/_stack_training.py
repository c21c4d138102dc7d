"""Training stacks of networks, several at a time where that pays."""

import dataclasses
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import joblib
import numpy as np

from skdigits._course import Course
from skdigits._feeding import (
    Batches,
    RowsOnDevice,
    dtype_to_hand_over,
    padded_length,
)
from skdigits._packing import Place
from skdigits._program_cache import programs
from skdigits._stack import StackProgram, StackSpec
from skdigits._tensorflow import load_keras
from skdigits._training import (
    MOST_EPOCHS_IN_A_CALL,
    choose_optimizer,
    train,
    warn_not_converged,
)

# Rows up to this size are held on the device as a whole, else they go in chunks.
_RESIDENT_BYTES = 64 * 2**20
_CHUNK_BYTES = 16 * 2**20
# Weights and labels of so many rows of all networks are handed over in one call.
_CALL_BYTES = 32 * 2**20
# So long may one call take, or Ctrl-C would seem to be ignored.
_CALL = 0.5
# Where stacks take at least so long for each thread, they are trained side by side: a
# step of small networks leaves cores idle. Each has variables and buffers of its own.
_SECONDS_FOR_A_THREAD = 1.2


class _Stopped(Exception):
    """Nobody waits for the stack any more."""


def train_stacks(stacks, notify):
    """Train stacks in this process.

    Parameters
    ----------
    stacks : list of Stack
    notify : callable
        Called with the number of epochs of single networks done since the last call.

    Yields
    ------
    outcomes : list of Trained or Exception
        What came of each training of the next stack, in the order of its jobs.
    seconds : float
    """
    stacked = [stack for stack in stacks if len(stack.jobs) > 1]
    n_threads = _threads_for(stacked)
    if n_threads < 2:
        for stack in stacks:
            yield train_stack(stack, notify)
        return
    lock, stopped = threading.Lock(), threading.Event()

    def notify_in_turn(n_epochs):
        if stopped.is_set():
            raise _Stopped
        with lock:
            notify(n_epochs)

    with ThreadPoolExecutor(n_threads) as pool:
        answers = {
            id(stack): pool.submit(train_stack, stack, notify_in_turn)
            for stack in stacked
        }
        try:
            for stack in stacks:
                if id(stack) in answers:
                    yield answers[id(stack)].result()
                else:  # with callbacks, perhaps, that belong into the main thread
                    yield train_stack(stack, notify_in_turn)
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)


def _threads_for(stacks):
    seconds = sum(
        stack.epoch_seconds * stack.jobs[0].params.max_iter for stack in stacks
    )
    worthwhile = int(seconds / _SECONDS_FOR_A_THREAD)
    return min(len(stacks), joblib.cpu_count(), worthwhile)


def train_stack(stack, notify=None):
    """Train a stack.

    Parameters
    ----------
    stack : Stack
    notify : callable, default=None
        As in `train_stacks`.

    Returns
    -------
    outcomes : list of Trained or Exception
        What came of each training, in the order of the jobs.
    seconds : float
    """
    start = time.perf_counter()
    notify = notify or (lambda n_epochs: None)
    if len(stack.jobs) == 1:
        (job,) = stack.jobs
        outcomes = [_train_alone(job, stack.sources[0])]
        notify(job.params.max_iter)
    else:
        outcomes = _StackRun(stack, notify).train()
    return outcomes, time.perf_counter() - start


def _train_alone(job, X):
    data = dataclasses.replace(job.data, X=X[:])
    try:
        return train(dataclasses.replace(job, data=data))
    except Exception as error:
        return error


@dataclass
class _Member:
    """A network of a stack: its place, its course, how it came out."""

    place: Place
    course: Course
    source: int
    outcome: object = None

    @property
    def job(self):
        return self.course.job

    @property
    def shapes(self):
        """Shapes of its layer arrays."""
        sizes = self.job.network.layer_sizes
        pairs = [((n_in, n_out), (n_out,)) for n_in, n_out in pairwise(sizes)]
        return [shape for pair in pairs for shape in pair]


class _StackRun:
    """One stack, with a program at hand."""

    def __init__(self, stack, notify):
        keras = load_keras()
        self.notify = notify
        self.sources = stack.sources
        first = stack.jobs[0]
        self.optimizer, _ = choose_optimizer(keras, first.params)
        self.batch_size, self.n_steps = stack.batch_size, stack.n_steps
        self.network = first.network
        self.members = [
            _Member(place, Course(job, choose_optimizer(keras, job.params)[1]), source)
            for job, source, place in zip(
                stack.jobs, stack.source_of, stack.packing.places, strict=True
            )
        ]
        # The data set of each stream, and the networks of each block.
        self.source_of = [0] * stack.packing.n_streams
        self.blocks = defaultdict(list)
        for member in self.members:
            self.source_of[member.place.stream] = member.source
            self.blocks[member.place.block_index].append(member)
        self.spec = self._make_spec(keras, stack)

    def _make_spec(self, keras, stack):
        network, members, packing = self.network, self.members, stack.packing
        dropouts = tuple(
            (member.place, layer, member.job.network.layer_sizes[layer], rate)
            for member in members
            for layer, rate in enumerate(member.job.network.dropout)
            if rate
        )
        n_streams = packing.n_streams
        self.x_dtype = dtype_to_hand_over(self.sources[0], network.dtype)
        row_bytes = network.n_features * self.x_dtype.itemsize
        n_rows = sum(X.shape[0] for X in self.sources)
        self.resident = n_rows * row_bytes <= _RESIDENT_BYTES
        itemsize = np.dtype(network.dtype).itemsize
        n_in_stream = packing.n_blocks * packing.n_networks
        batch_bytes = n_streams * self.batch_size * (n_in_stream * itemsize + 8)
        if self.resident:
            self.capacity = n_rows
            fitting = _CALL_BYTES / (batch_bytes * self.n_steps)
            self.n_epochs = int(
                np.clip(
                    min(fitting, _CALL / stack.epoch_seconds),
                    1,
                    MOST_EPOCHS_IN_A_CALL,
                )
            )
            self.n_batches = self.n_epochs * self.n_steps
        else:
            rows_in_chunk = _CHUNK_BYTES // (row_bytes * n_streams * self.batch_size)
            self.n_batches = int(np.clip(rows_in_chunk, 1, self.n_steps))
            self.capacity = self.n_batches * self.batch_size * n_streams
            self.n_epochs = 1
        self.capacity = padded_length(self.capacity)
        return StackSpec(
            n_streams=n_streams,
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
            penalized=stack.penalized,
            same_rate=stack.same_rate,
            compiled=stack.compiled,
            floatx=keras.config.floatx(),
            n_epochs=self.n_epochs,
            n_rows=self.capacity,
            n_batches=self.n_batches,
        )

    def train(self):
        with programs.checkout(self.spec, StackProgram) as program:
            self.program = program
            program.load({m.place: m.job.progress.arrays for m in self.members})
            shape = self.capacity, self.network.n_features
            self.rows_on_device = RowsOnDevice(shape, self.x_dtype)
            if self.resident:
                self._put_on_device((X, slice(None)) for X in self.sources)
            while active := [m for m in self.members if m.outcome is None]:
                self._train_some(active)
        return [member.outcome for member in self.members]

    def _train_some(self, active):
        """Train as many epochs as nothing looks between, and look."""
        looked_at = any(m.course.looks_between_epochs for m in active)
        n_epochs = min(m.course.max_iter - m.course.n_epochs for m in active)
        if looked_at or self.spec.dropouts:
            n_epochs = min(n_epochs, 1)
        n_epochs = min(n_epochs, self.n_epochs)
        losses = self._train_epochs(active, n_epochs)
        for member in active:
            try:
                some = losses[:, *member.place.index] / member.job.data.n_samples
                member.course.add_epochs(some.tolist(), self.n_steps)
            except ValueError as error:
                self._give_up(member, error)
        self._validate([m for m in active if m.outcome is None])
        self._finish([m for m in active if m.outcome is None and self._is_done(m)])
        self.notify(n_epochs * len(active))

    def _train_epochs(self, active, n_epochs):
        spec = self.spec
        shape = spec.n_streams, spec.n_blocks, spec.n_networks
        alpha, smoothing = np.zeros(shape), np.zeros(shape)
        rates = np.zeros((n_epochs, self.n_steps, *shape))
        for member in active:
            place = member.place.index
            alpha[place] = member.course.alpha
            smoothing[place] = member.job.params.label_smoothing
            for ahead in range(n_epochs):
                rates[ahead, :, *place] = member.course.rates(self.n_steps, ahead)
        if spec.same_rate:
            rates[:] = rates[:, :, *active[0].place.index, None, None, None]
        seeds = self._dropout_seeds(active)
        losses = 0
        for batches in self._batches(active, n_epochs):
            some = slice(batches.start, batches.start + len(batches.n_in_batch))
            losses = losses + self.program.run(
                batches, rates[:, some], alpha, smoothing, seeds
            )
        return losses

    def _dropout_seeds(self, active):
        """Seeds of the dropouts, as Keras's layers would be given them."""
        streams = {m.place: m.course.dropout_stream() for m in active}
        seeds = []
        for place, *_ in self.spec.dropouts:
            rng = streams.get(place)  # None where it has stopped
            none = np.zeros(2, dtype=np.uint32)
            drawn = (
                none if rng is None else rng.integers(2**32, size=2, dtype=none.dtype)
            )
            seeds.append(drawn)
        return np.array(seeds).reshape(-1, 2)

    def _batches(self, active, n_epochs):
        """The rows of the next epochs for every stream."""
        spec, B = self.spec, self.batch_size
        n_streams = spec.n_streams
        positions = np.zeros((n_epochs, self.n_steps * B, n_streams), dtype=np.int64)
        y = np.zeros(positions.shape, dtype=np.int32)
        weight = np.zeros(
            (*positions.shape, spec.n_blocks, spec.n_networks), dtype=spec.dtype
        )
        n_in_batch = np.full((self.n_steps, n_streams), B)
        going = defaultdict(list)
        for member in active:
            going[member.place.stream].append(member)
        for stream, members in going.items():
            job = members[0].job
            n_samples = job.data.n_samples
            n_in_batch[-1, stream] -= self.n_steps * B - n_samples
            rows = np.stack([members[0].course.row_order(i) for i in range(n_epochs)])
            if job.data.rows is not None:
                rows = job.data.rows[rows]
            positions[:, :n_samples, stream] = rows
            y[:, :n_samples, stream] = job.data.y[rows]
            share = 1 / np.repeat(n_in_batch[:, stream], B)[:n_samples]
            for member in members:
                weight[:, :n_samples, *member.place.index] = (
                    member.course.weight[rows] * share
                )
        if self.resident:
            starts = np.cumsum([0, *(X.shape[0] for X in self.sources)])
            offsets = [starts[source] for source in self.source_of]
            index = positions + np.array(offsets)
            yield self._package(index, y, weight, n_in_batch, 0)
            return
        for start in range(0, self.n_steps, self.n_batches):
            chunk = slice(start * B, (start + self.n_batches) * B)
            rows = positions[0, chunk]
            self._put_on_device(
                (self.sources[source], rows[:, stream])
                for stream, source in enumerate(self.source_of)
            )
            in_turn = np.arange(rows.size).reshape(n_streams, -1).T[None]
            some = n_in_batch[start : start + self.n_batches]
            yield self._package(in_turn, y[:, chunk], weight[:, chunk], some, start)

    def _package(self, index, y, weight, n_in_batch, start):
        """Whole batches on the leading axis, as many as the program is made for."""
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
            self.rows_on_device.tensor,
            by_batch(index, np.int32),
            by_batch(y, np.int32),
            by_batch(weight, weight.dtype),
            n_in_batch,
            start,
            n_epochs,
        )

    def _put_on_device(self, parts):
        """One part, (X, index), behind the other."""
        stop = 0
        for X, index in parts:
            stop = self.rows_on_device.take(X, index, stop)

    def _validate(self, members):
        validated = [m for m in members if m.job.data.validation is not None]
        if not validated:
            return
        arrays = self._weights(validated)
        for member in validated:
            try:
                member.course.validate(arrays[member.place])
            except ValueError as error:
                self._give_up(member, error)

    def _weights(self, members):
        return self.program.averaged_arrays({m.place: m.shapes for m in members})

    def _is_done(self, member):
        course = member.course
        if course.is_over():
            return True
        if course.n_epochs < course.max_iter:
            return False
        warn_not_converged(member.job.params)
        return True

    def _finish(self, members):
        if not members:
            return
        blocks = {m.place.block_index for m in members}
        going = [m for b in blocks for m in self.blocks[b] if m.outcome is None]
        arrays = self._weights(going)
        for member in going:
            shared = self.spec.n_networks > 1 and member.outcome is None
            if shared and not _are_finite(arrays[member.place]):
                self._give_up(member)
        for member in members:
            if member.outcome is None:
                try:
                    member.outcome = member.course.finish(arrays[member.place])
                except ValueError as error:
                    self._give_up(member, error)

    def _give_up(self, member, error=None):
        """End the training of a network whose numbers are no longer finite."""
        if self.spec.n_networks == 1:
            member.outcome = error
            return
        # Infinity times its neighbours' zeros is no number, so they may be spoilt,
        # or it by one of them. Alone, each comes out as it should.
        for other in self.blocks[member.place.block_index]:
            if other.outcome is None:
                other.outcome = _train_alone(other.job, self.sources[other.source])


def _are_finite(arrays):
    return all(np.isfinite(array).all() for array in arrays)
