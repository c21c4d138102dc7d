"""Which trainings go into one stack, and training a stack.

Networks that differ in what shapes the program (depth, activation, optimizer, batch
size and so on) can't be together; those that can, are, as far as memory allows.
"""

import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skdigits._course import Course
from skdigits._feeding import (
    Batches,
    RowsOnDevice,
    dtype_to_hand_over,
    padded_length,
)
from skdigits._packing import Packing, Place, pack
from skdigits._program_cache import programs
from skdigits._stack import StackProgram, StackSpec
from skdigits._tensorflow import load_keras
from skdigits._training import (
    choose_optimizer,
    effective_batch_size,
    is_worth_compiling,
    train,
    warn_not_converged,
    work_of_step,
)

# What a stack may take in memory: weights, gradients, what the optimizer keeps and
# the activations of a batch. All of it is gone through in every step, so what stays
# in the processor's cache is faster, and so is the next stack of the same program.
_STACK_BYTES = 8 * 2**20
# Rows up to this size are held on the device as a whole, else they go in chunks.
_RESIDENT_BYTES = 64 * 2**20
_CHUNK_BYTES = 16 * 2**20
# Weights and labels of so many rows of all networks are handed over in one call.
_CALL_BYTES = 32 * 2**20
_MOST_EPOCHS_IN_A_CALL = 16

# Seconds of a step and of an operation in it, roughly.
_STEP = 5e-5
_FLOP = 1.1e-11
# So long may one call take, or Ctrl-C would seem to be ignored.
_CALL = 0.5


@dataclass
class Stack:
    """Trainings to do together.

    Parameters
    ----------
    sources : list of {ndarray, CSR matrix, RowsOf}
        The data sets they train on, each once; `Job.data.X` is None meanwhile.
    jobs : list of Job
    source_of : list of int
        The source of each job.
    packing : Packing
        The place of each job.
    compiled, penalized, same_rate : bool
        As in StackSpec. Stacks that can share a program have them in common.
    """

    sources: list
    jobs: list
    source_of: list
    packing: Packing
    compiled: bool
    penalized: bool
    same_rate: bool


@dataclass
class RowsOf:
    """Some rows of an array, taken when they are asked for.

    Without the array, which is given later, a fold goes to another process as the
    numbers of its rows.
    """

    numbers: np.ndarray
    X: np.ndarray | None = None

    @property
    def shape(self):
        return len(self.numbers), *self.X.shape[1:]

    @property
    def dtype(self):
        return self.X.dtype

    def __getitem__(self, key):
        return self.X[self.numbers[key]]


def make_stacks(jobs, n_stacks=1):
    """Put trainings that go well together into stacks.

    Parameters
    ----------
    jobs : list of Job
    n_stacks : int, default=1
        How many stacks there should be at least, to be trained side by side.

    Returns
    -------
    stacks : list of (Stack, list of int)
        With the places of its trainings in `jobs`.
    """
    keras = load_keras()
    groups = defaultdict(list)
    for place, job in enumerate(jobs):
        groups[_common(keras, job, place)].append(place)
    stacks = []
    for places in groups.values():
        stacks += _stacks_of(keras, jobs, places, -(-n_stacks // len(groups)))
    return stacks


def _stacks_of(keras, jobs, places, n_stacks):
    """Stacks of one shape, of networks that go together."""
    some = [jobs[place] for place in places]
    packing = _pack(some)
    shape = _shape_of_stack(some[0], packing, n_stacks)
    tiles = defaultdict(list)
    for number, place in enumerate(packing.places):
        tiles[place.stream // shape[0], place.block // shape[1]].append(number)
    rates = {
        (job.params.learning_rate, choose_optimizer(keras, job.params)[1])
        for job in some
    }
    common = {
        "compiled": is_worth_compiling(
            some[0], n_networks=1 if any(some[0].network.dropout) else len(some)
        ),
        "penalized": any(job.params.alpha > 0 for job in some),
        # One that adapts soon differs from the others.
        "same_rate": len(rates) == 1 and some[0].params.learning_rate != "adaptive",
    }
    stacks = []
    for numbers in tiles.values():
        members = [some[number] for number in numbers]
        # Blocks too large to share a program's time need not share its shape.
        part = _pack(members) if shape == (1, 1) else packing.part(shape, numbers)
        stack = Stack(*_without_rows(members), part, **common)
        stacks.append((stack, [places[number] for number in numbers]))
    return stacks


def _shape_of_stack(job, packing, n_stacks):
    """Streams in a stack, and blocks in each: what fits, and leaves so many stacks."""
    sizes = _sizes_of_block(job.network, packing)
    n_weights = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    batch_size = effective_batch_size(job.params, job.data.n_samples)
    # Weights, gradients, two of the optimizer's, a copy; activations both ways.
    numbers = 5 * n_weights + 4 * batch_size * sum(sizes[1:])
    fitting = _STACK_BYTES // (numbers * np.dtype(job.network.dtype).itemsize)
    S, C = packing.n_streams, packing.n_blocks
    for n_streams in range(S, 0, -1):
        enough = S // n_streams >= n_stacks and n_streams * C <= fitting
        if S % n_streams == 0 and enough:
            return n_streams, C
    n_parts = max(-(-C // max(fitting, 1)), -(-n_stacks // S))
    return 1, -(-C // min(n_parts, C))


def _without_rows(jobs):
    """What makes up a stack's rows, its jobs without them, the source of each job."""
    sources, source_of = [], []
    for job in jobs:
        X = job.data.X
        number = next((n for n, other in enumerate(sources) if other is X), None)
        if number is None:
            number = len(sources)
            sources.append(X)
        source_of.append(number)
    without = [
        dataclasses.replace(job, data=dataclasses.replace(job.data, X=None))
        for job in jobs
    ]
    return sources, without, source_of


def _common(keras, job, place):
    """What networks of a stack have in common; `place` for one that is for itself."""
    params, network, data = job.params, job.network, job.data
    try:
        optimizer, _ = choose_optimizer(keras, params)
    except (TypeError, ValueError):
        return place  # training it alone tells
    for_itself = (
        params.callbacks
        or network.batch_norm
        or not optimizer.elementwise
        or optimizer.clips_globally
    )
    if for_itself:
        return place
    batch_size = effective_batch_size(params, data.n_samples)
    dropout = any(network.dropout)
    return (
        dataclasses.replace(network, hidden_layer_sizes=(), dropout=()),
        len(network.hidden_layer_sizes),
        optimizer,
        params.max_iter,
        batch_size,
        -(-data.n_samples // batch_size),  # steps in an epoch
        dtype_to_hand_over(data.X, network.dtype).name,
        dropout,
        dropout and network.dropout[0] > 0,
        # A compiled program draws other numbers for dropout.
        dropout and is_worth_compiling(job),
    )


def _pack(jobs):
    network = jobs[0].network
    sizes = [job.network.hidden_layer_sizes for job in jobs]
    networks = tuple(zip(_streams(jobs), sizes, strict=True))
    return pack(networks, network.n_features, network.n_outputs)


def _streams(jobs):
    """A number for each job, equal for those with the same rows in the same order."""
    streams = {}
    numbers = []
    for job in jobs:
        data = job.data
        if any(job.network.dropout[:1]):
            rows_and_order = len(streams)  # its inputs are its own
        else:
            rows_and_order = (
                *(id(data.X), None if data.rows is None else data.rows.tobytes()),
                *(data.y.tobytes(), data.n_samples),
                *(job.progress.seed, bool(job.params.shuffle)),
            )
        numbers.append(streams.setdefault(rows_and_order, len(streams)))
    return numbers


def _sizes_of_block(network, packing):
    n_outputs = packing.n_networks * network.n_outputs
    return (network.n_features, *packing.widths, n_outputs)


def train_stack(stack, notify=None):
    """Train a stack.

    Parameters
    ----------
    stack : Stack
    notify : callable, default=None
        Called with the number of epochs of single networks done since the last call.

    Returns
    -------
    outcomes : list of Trained or Exception
        What came of each training, in the order of the jobs.
    """
    if len(stack.jobs) == 1:
        (job,) = stack.jobs
        outcome = _train_alone(job, stack.sources[0])
        if notify is not None:
            notify(job.params.max_iter)
        return [outcome]
    return _StackRun(stack, notify).train()


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
        self.notify = notify or (lambda n_epochs: None)
        self.sources = stack.sources
        first = stack.jobs[0]
        self.optimizer, _ = choose_optimizer(keras, first.params)
        self.batch_size = effective_batch_size(first.params, first.data.n_samples)
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
        self.n_steps = -(-first.data.n_samples // self.batch_size)
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
            work = work_of_step(_sizes_of_block(network, packing), self.batch_size)
            work *= n_streams * packing.n_blocks
            seconds = self.n_steps * (_STEP + work * _FLOP)
            self.n_epochs = int(
                np.clip(min(fitting, _CALL / seconds), 1, _MOST_EPOCHS_IN_A_CALL)
            )
            self.n_batches = self.n_epochs * self.n_steps
        else:
            rows_in_chunk = _CHUNK_BYTES // (row_bytes * n_streams * self.batch_size)
            self.n_batches = int(np.clip(rows_in_chunk, 1, self.n_steps))
            self.capacity = self.n_batches * self.batch_size * n_streams
            self.n_epochs = 1
        if stack.compiled:
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
            yield self._package(
                self.rows_on_device.tensor,
                positions + np.array(offsets),
                y,
                weight,
                n_in_batch,
                0,
            )
            return
        for start in range(0, self.n_steps, self.n_batches):
            chunk = slice(start * B, (start + self.n_batches) * B)
            rows = positions[0, chunk]
            self._put_on_device(
                (self.sources[source], rows[:, stream])
                for stream, source in enumerate(self.source_of)
            )
            in_turn = np.arange(rows.size).reshape(n_streams, -1).T[None]
            yield self._package(
                self.rows_on_device.tensor,
                in_turn,
                y[:, chunk],
                weight[:, chunk],
                n_in_batch[start : start + self.n_batches],
                start,
            )

    def _package(self, X, index, y, weight, n_in_batch, start):
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
            X,
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
        arrays = self._weights([m for m in self.members if m.outcome is None])
        for block in {m.place.block_index for m in members}:
            going = [m for m in self.blocks[block] if m.outcome is None]
            for member in going:
                if not all(np.isfinite(array).all() for array in arrays[member.place]):
                    self._give_up(member, ValueError("weights are no longer finite"))
        for member in members:
            if member.outcome is None:
                member.outcome = member.course.finish(arrays[member.place])

    def _give_up(self, member, error):
        """End the training of a network whose numbers are no longer finite."""
        if self.spec.n_networks == 1:
            member.outcome = error
            return
        # Infinity times its neighbours' zeros is no number, so they may be spoilt,
        # or it by one of them. Alone, each comes out as it should.
        for other in self.blocks[member.place.block_index]:
            if other.outcome is None:
                other.outcome = _train_alone(other.job, self.sources[other.source])
