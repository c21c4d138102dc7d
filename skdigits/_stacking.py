"""Which trainings go into one stack, and training a stack.

Networks that differ in what shapes the program (depth, activation, optimizer, batch
size and so on) can't be together; of those that can, networks of very different
width shouldn't, because all are padded to the widest.
"""

import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skdigits._course import Course
from skdigits._feeding import Batches, dtype_to_hand_over, padded_length
from skdigits._forward import cast
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
# the activations of a batch.
_STACK_BYTES = 512 * 2**20
# Rows up to this size are held on the device as a whole, else they go in chunks.
_RESIDENT_BYTES = 64 * 2**20
_CHUNK_BYTES = 16 * 2**20
# Weights and labels of so many rows of all networks are handed over in one call.
_CALL_BYTES = 32 * 2**20
_MOST_EPOCHS_IN_A_CALL = 16

# Seconds, for deciding what to train together; only their ratio matters.
_COMPILING = 1.2
_STEP = 5e-5
_NETWORK_STEP = 3e-6
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
    """

    sources: list
    jobs: list
    source_of: list


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
    divided = []
    for places in groups.values():
        for similar in _divide_by_width(jobs, places):
            divided += _divide_by_memory(jobs, similar)
    while len(divided) < n_stacks:
        largest = max(divided, key=len)
        if len(largest) == 1:
            break
        divided.remove(largest)
        half = len(largest) // 2
        divided += [largest[:half], largest[half:]]
    return [(_stack_of([jobs[place] for place in some]), some) for some in divided]


def _stack_of(jobs):
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
    return Stack(sources, without, source_of)


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
        batch_size,
        -(-data.n_samples // batch_size),  # steps in an epoch
        dtype_to_hand_over(data.X, network.dtype).name,
        dropout,
        dropout and network.dropout[0] > 0,
        # A compiled program draws other numbers for dropout.
        dropout and is_worth_compiling(job),
    )


def _padded_sizes(network, widths):
    return (network.n_features, *widths, network.n_outputs)


def _step_seconds(n_networks, work):
    return _STEP + n_networks * (_NETWORK_STEP + work * _FLOP)


def _divide_by_width(jobs, places):
    """Groups of similar width, so that padding wastes less than compiling costs."""
    by_widths = defaultdict(list)
    for place in places:
        by_widths[jobs[place].network.hidden_layer_sizes].append(place)
    widths = sorted(by_widths)
    job = jobs[places[0]]
    batch_size = effective_batch_size(job.params, job.data.n_samples)
    steps = -(-job.data.n_samples // batch_size)

    def cost(start, stop):
        group = widths[start:stop]
        n_networks = sum(len(by_widths[width]) for width in group)
        epochs = max(jobs[by_widths[width][0]].params.max_iter for width in group)
        sizes = _padded_sizes(job.network, np.max(group, axis=0))
        work = work_of_step(sizes, batch_size)
        return _COMPILING + epochs * steps * _step_seconds(n_networks, work)

    # The cheapest way to cut the sorted widths into groups.
    best = [(0.0, [])]
    for stop in range(1, len(widths) + 1):
        best.append(
            min(
                (best[start][0] + cost(start, stop), [*best[start][1], stop])
                for start in range(stop)
            )
        )
    cuts = [0, *best[-1][1]]
    return [
        [place for width in widths[start:stop] for place in by_widths[width]]
        for start, stop in pairwise(cuts)
    ]


def _divide_by_memory(jobs, places):
    job = jobs[places[0]]
    widths = np.max([jobs[p].network.hidden_layer_sizes for p in places], axis=0)
    sizes = _padded_sizes(job.network, widths)
    n_weights = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    batch_size = effective_batch_size(job.params, job.data.n_samples)
    # Weights, gradients, two of the optimizer's, a copy; activations both ways.
    numbers = 5 * n_weights + 4 * batch_size * sum(sizes[1:])
    n_networks = max(
        1, _STACK_BYTES // (numbers * np.dtype(job.network.dtype).itemsize)
    )
    n_parts = -(-len(places) // n_networks)
    return [part.tolist() for part in np.array_split(places, n_parts)]


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
        data = dataclasses.replace(job.data, X=stack.sources[0][:])
        try:
            outcome = train(dataclasses.replace(job, data=data))
        except Exception as error:
            outcome = error
        if notify is not None:
            notify(job.params.max_iter)
        return [outcome]
    return _StackRun(stack, notify).train()


@dataclass
class _Member:
    """A network of a stack: its place, its course, how it came out."""

    place: tuple
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
        self.members = self._arrange(keras, stack)
        self.streams = defaultdict(list)
        for member in self.members:
            self.streams[member.place[0]].append(member)
        self.n_networks = max(map(len, self.streams.values()))
        self.n_steps = -(-first.data.n_samples // self.batch_size)
        self.spec = self._make_spec(keras)

    def _arrange(self, keras, stack):
        """A place in the rectangle for every network."""
        streams = {}
        members = []
        taken = defaultdict(int)
        for number, (job, source) in enumerate(
            zip(stack.jobs, stack.source_of, strict=True)
        ):
            _, rate = choose_optimizer(keras, job.params)
            rows = None if job.data.rows is None else job.data.rows.tobytes()
            rows_and_order = (
                *(source, rows, job.data.y.tobytes(), job.data.n_samples),
                *(job.progress.seed, bool(job.params.shuffle)),
            )
            if any(job.network.dropout[:1]):
                rows_and_order = number  # its inputs are its own
            stream = streams.setdefault(rows_and_order, len(streams))
            place = stream, taken[stream]
            taken[stream] += 1
            members.append(_Member(place, Course(job, rate), source))
        return members

    def _make_spec(self, keras):
        network, members = self.network, self.members
        sizes = [member.job.network.hidden_layer_sizes for member in members]
        widths = tuple(int(width) for width in np.max(sizes, axis=0))
        dropouts = tuple(
            (*member.place, layer, member.job.network.layer_sizes[layer], rate)
            for member in members
            for layer, rate in enumerate(member.job.network.dropout)
            if rate
        )
        n_streams, n_networks = len(self.streams), self.n_networks
        compiled = is_worth_compiling(
            members[0].job, n_networks=1 if dropouts else len(members)
        )
        self.x_dtype = dtype_to_hand_over(self.sources[0], network.dtype)
        row_bytes = network.n_features * self.x_dtype.itemsize
        n_rows = sum(X.shape[0] for X in self.sources)
        self.resident = n_rows * row_bytes <= _RESIDENT_BYTES
        itemsize = np.dtype(network.dtype).itemsize
        batch_bytes = n_streams * self.batch_size * (n_networks * itemsize + 8)
        if self.resident:
            self.capacity = n_rows
            fitting = _CALL_BYTES / (batch_bytes * self.n_steps)
            work = work_of_step(_padded_sizes(network, widths), self.batch_size)
            seconds = self.n_steps * _step_seconds(len(members), work)
            self.n_epochs = int(
                np.clip(min(fitting, _CALL / seconds), 1, _MOST_EPOCHS_IN_A_CALL)
            )
            self.n_batches = self.n_epochs * self.n_steps
        else:
            rows_in_chunk = _CHUNK_BYTES // (row_bytes * n_streams * self.batch_size)
            self.n_batches = int(np.clip(rows_in_chunk, 1, self.n_steps))
            self.capacity = self.n_batches * self.batch_size * n_streams
            self.n_epochs = 1
        if compiled:
            self.capacity = padded_length(self.capacity)
        return StackSpec(
            n_streams=n_streams,
            n_networks=n_networks,
            n_features=network.n_features,
            widths=widths,
            n_outputs=network.n_outputs,
            out_activation=network.out_activation,
            activation=network.activation,
            rescale=network.rescale,
            dtype=network.dtype,
            x_dtype=self.x_dtype.name,
            dropouts=dropouts,
            optimizer=self.optimizer,
            batch_size=self.batch_size,
            penalized=any(member.job.params.alpha > 0 for member in members),
            compiled=compiled,
            floatx=keras.config.floatx(),
            n_epochs=self.n_epochs,
            n_rows=self.capacity,
            n_batches=self.n_batches,
        )

    def train(self):
        with programs.checkout(self.spec, StackProgram) as program:
            self.program = program
            program.load({m.place: m.job.progress.arrays for m in self.members})
            self.held = None
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
                some = losses[:, *member.place] / member.job.data.n_samples
                member.course.add_epochs(some.tolist(), self.n_steps)
            except ValueError as error:
                member.outcome = error
        self._validate([m for m in active if m.outcome is None])
        self._finish([m for m in active if m.outcome is None and self._is_done(m)])
        self.notify(n_epochs * len(active))

    def _train_epochs(self, active, n_epochs):
        spec = self.spec
        shape = spec.n_streams, spec.n_networks
        alpha, smoothing = np.zeros(shape), np.zeros(shape)
        rates = np.zeros((n_epochs, self.n_steps, *shape))
        for member in active:
            alpha[member.place] = member.course.alpha
            smoothing[member.place] = member.job.params.label_smoothing
            for ahead in range(n_epochs):
                rates[ahead, :, *member.place] = member.course.rates(
                    self.n_steps, ahead
                )
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
        for stream, network, *_ in self.spec.dropouts:
            rng = streams.get((stream, network))  # None where it has stopped
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
        weight = np.zeros((*positions.shape, spec.n_networks), dtype=spec.dtype)
        n_in_batch = np.full((self.n_steps, n_streams), B)
        going = defaultdict(list)
        for member in active:
            going[member.place[0]].append(member)
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
                weight[:, :n_samples, stream, member.place[1]] = (
                    member.course.weight[rows] * share
                )
        if self.resident:
            if self.held is None:
                self.held = self._to_device(self.sources)
            starts = np.cumsum([0, *(X.shape[0] for X in self.sources)])
            offsets = [starts[self.streams[s][0].source] for s in range(n_streams)]
            yield self._package(
                self.held, positions + np.array(offsets), y, weight, n_in_batch, 0
            )
            return
        for start in range(0, self.n_steps, self.n_batches):
            chunk = slice(start * B, (start + self.n_batches) * B)
            rows = positions[0, chunk]
            X = self._to_device(
                [
                    self.sources[self.streams[s][0].source][rows[:, s]]
                    for s in range(n_streams)
                ]
            )
            in_turn = np.arange(rows.size).reshape(n_streams, -1).T[None]
            yield self._package(
                X,
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

    def _to_device(self, parts):
        import tensorflow as tf

        dense = [X.toarray() if hasattr(X, "toarray") else X[:] for X in parts]
        n_rows = self.capacity if self.spec.compiled else sum(map(len, dense))
        X = np.zeros((n_rows, self.network.n_features), dtype=self.x_dtype)
        start = 0
        for part in dense:
            X[start : start + len(part)] = cast(part, self.x_dtype)
            start += len(part)
        return tf.constant(X)

    def _validate(self, members):
        validated = [m for m in members if m.job.data.validation is not None]
        if not validated:
            return
        shapes = {m.place: m.shapes for m in validated}
        arrays = self.program.averaged_arrays(shapes)
        for member in validated:
            try:
                member.course.validate(arrays[member.place])
            except ValueError as error:
                member.outcome = error

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
        shapes = {m.place: m.shapes for m in members}
        arrays = self.program.averaged_arrays(shapes)
        for member in members:
            try:
                member.outcome = member.course.finish(arrays[member.place])
            except ValueError as error:
                member.outcome = error
