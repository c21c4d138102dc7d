"""Training of groups of networks, in threads if that is faster."""

import dataclasses
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, repeat

import joblib
import numpy as np

from skdigits._keras.loading import load_keras
from skdigits._keras.optimizers import choose_optimizer
from skdigits._together.program import GroupProgram, GroupSpec
from skdigits._training.cost_model import epochs_per_call, worthwhile_threads
from skdigits._training.data_loader import DataLoader
from skdigits._training.program_cache import programs
from skdigits._training.trainer import Trainer, train
from skdigits._training.trainer_state import Member, TrainerState


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
    worthwhile = worthwhile_threads(sum(group.seconds for group in groups))
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
            return [_train_alone(group.tasks[0], group.sources, stopped, group.shared)]
        return _train_as_one(group, stopped)
    except Exception as error:
        return [error] * len(group.tasks)


def _train_alone(task, sources, stopped, shared=None):
    data = dataclasses.replace(task.data, X=sources[task.data.number], number=0)
    try:
        task = dataclasses.replace(task, data=data)
        return train(task, stopped=stopped, shared=shared)
    except Exception as error:
        return error


def _train_as_one(group, stopped):
    keras = load_keras()
    first, packing = group.tasks[0], group.packing
    network = first.network
    optimizer, _ = choose_optimizer(keras, first.params)
    members = [
        Member(TrainerState(task, choose_optimizer(keras, task.params)[1]), slot)
        for task, slot in zip(group.tasks, packing.slots, strict=True)
    ]
    slots_shape = packing.n_row_groups, packing.n_blocks, packing.n_networks
    loader = DataLoader(
        group.sources,
        members,
        slots_shape,
        batch_size=group.batch_size,
        max_epochs=epochs_per_call(group.epoch_seconds),
        padded=True,
    )
    spec = GroupSpec(
        *slots_shape,
        n_features=network.n_features,
        widths=packing.widths,
        n_outputs=network.n_outputs,
        out_activation=network.out_activation,
        activation=network.activation,
        rescale=network.rescale,
        dtype=network.dtype,
        x_dtype=loader.x_dtype.name,
        dropouts=tuple(
            (member.slot, layer, member.task.network.layer_sizes[layer], rate)
            for member in members
            for layer, rate in enumerate(member.task.network.dropout)
            if rate
        ),
        optimizer=optimizer,
        batch_size=group.batch_size,
        penalized=group.penalized,
        same_rate=group.same_rate,
        compiled=group.compiled,
        floatx=keras.config.floatx(),
        n_epochs=loader.n_epochs,
        n_rows=loader.n_rows,
        n_batches=loader.n_batches,
    )
    with programs.checkout(spec, GroupProgram) as program:
        program.load({m.slot: m.task.checkpoint.arrays for m in members})
        _GroupTrainer(members, loader, program, group.sources, stopped).train_epochs()
    return [member.outcome for member in members]


class _GroupTrainer(Trainer):
    """Trains the networks of a group."""

    def __init__(self, members, loader, program, sources, stopped):
        super().__init__(members, loader, program, stopped)
        self.sources = sources
        self.blocks = defaultdict(list)
        for member in members:
            self.blocks[member.slot.block_index].append(member)

    def _weights(self, members):
        shapes = {member.slot: _layer_shapes(member.task) for member in members}
        arrays = self.program.averaged_arrays(shapes)
        return [arrays[member.slot] for member in members]

    def _finish(self, members):
        if not members:
            return
        blocks = {member.slot.block_index for member in members}
        going = [m for b in blocks for m in self.blocks[b] if m.outcome is None]
        weights = dict(zip((m.slot for m in going), self._weights(going), strict=True))
        for member in going:
            shared = self.loader.slots_shape[2] > 1 and member.outcome is None
            if shared and not _are_finite(weights[member.slot]):
                self._diverged(member)
        for member in members:
            if member.outcome is None:
                try:
                    member.outcome = member.state.finish(weights[member.slot])
                except ValueError as error:
                    self._diverged(member, error)

    def _diverged(self, member, error=None):
        # Infinity times 0 is NaN, so a network that diverges can make the others of its
        # block diverge. They are trained again, each alone.
        for other in self.blocks[member.slot.block_index]:
            if other.outcome is None:
                other.outcome = _train_alone(other.task, self.sources, self.stopped)


def _layer_shapes(task):
    """Shapes of the layer arrays of a network."""
    pairs = pairwise(task.network.layer_sizes)
    return [shape for n_in, n_out in pairs for shape in ((n_in, n_out), (n_out,))]


def _are_finite(arrays):
    return all(np.isfinite(array).all() for array in arrays)
