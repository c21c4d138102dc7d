"""Which trainings go into one stack.

Networks that differ in what shapes the program (depth, activation, optimizer, batch
size and so on) can't be together; those that can, are, as far as memory allows.
"""

import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skdigits._feeding import dtype_to_hand_over
from skdigits._packing import Packing, pack
from skdigits._tensorflow import load_keras
from skdigits._training import (
    choose_optimizer,
    effective_batch_size,
    is_worth_compiling,
    work_of_step,
)

# What a stack may take in memory: weights, gradients, what the optimizer keeps and
# the activations of a batch. All of it is gone through in every step, so what stays
# in the processor's cache is faster, and so is the next stack of the same program.
_STACK_BYTES = 8 * 2**20

# Seconds of a step and of an operation in it, roughly.
_STEP = 5e-5
_FLOP = 1.1e-11


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

    @property
    def batch_size(self):
        return effective_batch_size(self.jobs[0].params, self.jobs[0].data.n_samples)

    @property
    def n_steps(self):
        """Steps of an epoch."""
        return -(-self.jobs[0].data.n_samples // self.batch_size)

    @property
    def epoch_seconds(self):
        """Time of an epoch, roughly."""
        sizes = sizes_of_block(self.jobs[0].network, self.packing)
        n_blocks = self.packing.n_streams * self.packing.n_blocks
        work = n_blocks * work_of_step(sizes, self.batch_size)
        return self.n_steps * (_STEP + work * _FLOP)


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
    sizes = sizes_of_block(job.network, packing)
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
        or job.distortion is not None
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
    networks = list(zip(_streams(jobs), sizes, strict=True))
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


def sizes_of_block(network, packing):
    """Units of each layer of a block, inputs first."""
    n_outputs = packing.n_networks * network.n_outputs
    return (network.n_features, *packing.widths, n_outputs)
