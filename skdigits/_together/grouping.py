"""Groups of tasks that one program trains together.

Networks whose programs would differ (in depth, activation, optimizer, batch size and
so on) cannot be in one group. All others are, as far as memory allows.
"""

import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skdigits._keras.loading import load_keras
from skdigits._keras.optimizers import choose_optimizer
from skdigits._together.packing import Packing, pack
from skdigits._training.cost_model import (
    effective_batch_size,
    is_worth_compiling,
    step_seconds,
)
from skdigits._training.data_loader import transfer_dtype

# Bytes of weights, gradients, optimizer variables and activations of a group. Every
# step reads all of them, so a group that fits into the processor's cache is faster, and
# the next group of the same program reuses the cache. 8 MiB is a usual size of it.
_GROUP_BYTES = 8 * 2**20


@dataclass
class TaskGroup:
    """Tasks that one program trains together.

    Parameters
    ----------
    sources : list of {ndarray, CSR matrix}
        The data sets of the tasks.
    tasks : list of TrainingTask
        Their `data.X` is None, and their `data.number` an index into `sources`.
    packing : Packing
        The slot of each task.
    compiled, penalized, same_rate : bool
        As in GroupSpec. Equal in groups that can share a program.
    """

    sources: list
    tasks: list
    packing: Packing
    compiled: bool
    penalized: bool
    same_rate: bool

    @property
    def batch_size(self):
        return effective_batch_size(self.tasks[0].params, self.tasks[0].data.n_samples)

    @property
    def n_steps(self):
        """Steps of an epoch."""
        return -(-self.tasks[0].data.n_samples // self.batch_size)

    @property
    def epoch_seconds(self):
        """Estimated seconds per epoch."""
        sizes = sizes_of_block(self.tasks[0].network, self.packing)
        n_blocks = self.packing.n_row_groups * self.packing.n_blocks
        return self.n_steps * step_seconds(sizes, self.batch_size, n_blocks=n_blocks)


def make_groups(tasks, n_groups=1):
    """Divide tasks into groups that are trained together.

    Parameters
    ----------
    tasks : list of TrainingTask
        Tasks for which `can_be_grouped` is True. Those with equal `data.number` share
        their rows.
    n_groups : int, default=1
        Minimum number of groups, to be trained in parallel.

    Returns
    -------
    groups : list of (TaskGroup, list of int)
        A group, and the indices of its tasks in `tasks`.
    """
    keras = load_keras()
    alike = defaultdict(list)
    for index, task in enumerate(tasks):
        alike[_group_key(keras, task)].append(index)
    groups = []
    for indices in alike.values():
        groups += _split(keras, tasks, indices, -(-n_groups // len(alike)))
    return groups


def _split(keras, tasks, indices, n_groups):
    """Groups of one shape, made of tasks that have a key in common."""
    some = [tasks[index] for index in indices]
    packing = _pack(some)
    if packing.n_row_groups == len(some):
        # No rows are shared, which is what makes one program for all of them faster.
        shape = (1, 1)
    else:
        shape = _shape_of_group(some[0], packing, n_groups)
    tiles = defaultdict(list)
    for number, slot in enumerate(packing.slots):
        tiles[slot.row_group // shape[0], slot.block // shape[1]].append(number)
    rates = {
        (task.params.learning_rate, choose_optimizer(keras, task.params)[1])
        for task in some
    }
    common = {
        "compiled": is_worth_compiling(
            some[0], n_networks=1 if any(some[0].network.dropout) else len(some)
        ),
        "penalized": any(task.params.alpha > 0 for task in some),
        # One that adapts soon differs from the others.
        "same_rate": len(rates) == 1 and some[0].params.learning_rate != "adaptive",
    }
    groups = []
    for numbers in tiles.values():
        members = [some[number] for number in numbers]
        # Blocks too large to share a program's time need not share its shape.
        part = _pack(members) if shape == (1, 1) else packing.part(shape, numbers)
        group = TaskGroup(*_without_rows(members), part, **common)
        groups.append((group, [indices[number] for number in numbers]))
    return groups


def _shape_of_group(task, packing, n_groups):
    """Row groups per group and blocks per row group that fit into memory."""
    sizes = sizes_of_block(task.network, packing)
    n_weights = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    batch_size = effective_batch_size(task.params, task.data.n_samples)
    # Weights, gradients, two of the optimizer's, a copy; activations both ways.
    numbers = 5 * n_weights + 4 * batch_size * sum(sizes[1:])
    fitting = _GROUP_BYTES // (numbers * np.dtype(task.network.dtype).itemsize)
    S, C = packing.n_row_groups, packing.n_blocks
    for n_row_groups in range(S, 0, -1):
        enough = S // n_row_groups >= n_groups and n_row_groups * C <= fitting
        if S % n_row_groups == 0 and enough:
            return n_row_groups, C
    n_parts = max(-(-C // max(fitting, 1)), -(-n_groups // S))
    return 1, -(-C // min(n_parts, C))


def _without_rows(tasks):
    """The distinct data sets of tasks, and the tasks with indices into them."""
    sources = {task.data.number: task.data.X for task in tasks}
    index = {number: n for n, number in enumerate(sources)}
    without = [
        dataclasses.replace(
            task,
            data=dataclasses.replace(task.data, X=None, number=index[task.data.number]),
        )
        for task in tasks
    ]
    return list(sources.values()), without


def can_be_grouped(task):
    """Whether a task can be trained together with others."""
    params = task.params
    alone = (
        params.callbacks
        or params.warm_start
        or task.distortion is not None
        or task.network.batch_norm
        or any(task.network.dropout[:1])  # of the input, which then differs
    )
    if alone:
        return False
    try:
        optimizer, _ = choose_optimizer(load_keras(), params)
    except (TypeError, ValueError):
        return False  # training it alone raises the error
    return optimizer.elementwise and not optimizer.clips_globally


def _group_key(keras, task):
    """Key that the tasks of a group share."""
    params, network, data = task.params, task.network, task.data
    optimizer, _ = choose_optimizer(keras, params)
    batch_size = effective_batch_size(params, data.n_samples)
    dropout = any(network.dropout)
    return (
        dataclasses.replace(network, hidden_layer_sizes=(), dropout=()),
        len(network.hidden_layer_sizes),
        optimizer,
        params.max_iter,
        batch_size,
        -(-data.n_samples // batch_size),  # steps in an epoch
        transfer_dtype(data.X, network.dtype).name,
        dropout,
        # A compiled program draws other numbers for dropout.
        dropout and is_worth_compiling(task),
    )


def _pack(tasks):
    network = tasks[0].network
    sizes = [task.network.hidden_layer_sizes for task in tasks]
    networks = list(zip(_row_groups(tasks), sizes, strict=True))
    return pack(networks, network.n_features, network.n_outputs)


def _row_groups(tasks):
    """A number per task, equal for tasks with the same rows in the same order."""
    row_groups = {}
    numbers = []
    for task in tasks:
        data = task.data
        rows_and_order = (
            *(data.number, None if data.rows is None else data.rows.tobytes()),
            *(data.y.tobytes(), data.n_samples),
            *(task.checkpoint.seed, bool(task.params.shuffle)),
        )
        numbers.append(row_groups.setdefault(rows_and_order, len(row_groups)))
    return numbers


def sizes_of_block(network, packing):
    """Units of each layer of a block, inputs first."""
    n_outputs = packing.n_networks * network.n_outputs
    return (network.n_features, *packing.widths, n_outputs)
