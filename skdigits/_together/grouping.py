"""Groups of tasks that are trained by one program, and programs of single tasks.

Networks whose programs would differ (in depth, activation, optimizer, batch size and
so on) cannot be in one group. All others can, as far as memory allows.
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
    COMPILED,
    GROUP_COMPILED,
    GROUP_PLAIN,
    PLAIN,
    effective_batch_size,
    epoch_seconds,
    is_worth_compiling,
    parallel_seconds,
)
from skdigits._training.data_loader import transfer_dtype
from skdigits._training.trainer import SharedProgram

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
    shared : SharedProgram, default=None
        Program of a single task.
    """

    sources: list
    tasks: list
    packing: Packing
    compiled: bool
    penalized: bool
    same_rate: bool
    shared: SharedProgram | None = None

    @property
    def batch_size(self):
        return effective_batch_size(self.tasks[0].params, self.tasks[0].data.n_samples)

    @property
    def n_steps(self):
        """Steps of an epoch."""
        return -(-self.tasks[0].data.n_samples // self.batch_size)

    @property
    def costs(self):
        """Costs of its program."""
        if len(self.tasks) == 1:
            return COMPILED if self.compiled else PLAIN
        return GROUP_COMPILED if self.compiled else GROUP_PLAIN

    @property
    def epoch_seconds(self):
        """Estimated seconds of an epoch."""
        if len(self.tasks) == 1:
            return epoch_seconds(self.tasks[0], self.costs)
        return self.n_steps * self.costs.step_seconds(
            sizes_of_block(self.tasks[0].network, self.packing),
            self.batch_size,
            n_blocks=self.packing.n_row_groups * self.packing.n_blocks,
        )

    @property
    def seconds(self):
        """Estimated seconds of the training."""
        return self.epoch_seconds * self.tasks[0].params.max_iter


def make_groups(tasks, n_threads, n_groups=1):
    """Divide tasks into groups, one for each program that is run.

    Parameters
    ----------
    tasks : list of TrainingTask
        Tasks for which `can_be_grouped` is True. Those with equal `data.number` share
        their rows.
    n_threads : int
        Number of groups that can be trained at a time.
    n_groups : int, default=1
        Minimum number of groups.

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
        some = [tasks[index] for index in indices]
        parts = _split(keras, some, n_threads, -(-n_groups // len(alike)))
        groups += [(group, [indices[n] for n in numbers]) for group, numbers in parts]
    _share_programs(keras, [group for group, _ in groups if len(group.tasks) == 1])
    return groups


def _split(keras, tasks, n_threads, n_groups):
    """Groups of tasks that have a key in common, in the form that takes less time.

    One program for many tasks is made once, and joins the first layers of networks that
    share rows. The program of a single task has less to do in a step, and several can
    run at a time.
    """
    alone = _parts(keras, tasks, [[number] for number in range(len(tasks))])
    _share_programs(keras, [group for group, _ in alone])
    if _needs_own_program(choose_optimizer(keras, tasks[0].params)[0], tasks[0]):
        return alone
    packing = _pack(tasks)
    forms = [alone]
    if packing.n_row_groups < len(tasks):
        shape = _shape_of_group(tasks[0], packing, n_groups)
        tiles = defaultdict(list)
        for number, slot in enumerate(packing.slots):
            tiles[slot.row_group // shape[0], slot.block // shape[1]].append(number)
        forms += [
            _parts(keras, tasks, tiles.values(), packing, shape, compiled)
            for compiled in _forms_of_program(tasks)
        ]
    return min(forms, key=lambda parts: _seconds(parts, n_threads))


def _forms_of_program(tasks):
    """Whether the program of many tasks may be compiled, and whether it need not be."""
    form = _form_of_dropout(tasks[0])
    return [False, True] if form is None else [form]


def _parts(keras, tasks, tiles, packing=None, shape=None, compiled=False):
    """A group for each tile, a list of numbers of tasks."""
    rates = {
        (task.params.learning_rate, choose_optimizer(keras, task.params)[1])
        for task in tasks
    }
    parts = []
    for numbers in tiles:
        members = [tasks[number] for number in numbers]
        # Blocks too large to share a program's time need not share its shape.
        whole = packing is None or shape == (1, 1)
        group = TaskGroup(
            *_without_rows(members),
            _pack(members) if whole else packing.part(shape, numbers),
            compiled=compiled,
            penalized=any(task.params.alpha > 0 for task in tasks),
            # An adaptive rate soon differs, and "invscaling" depends on the number of
            # rows.
            same_rate=len(rates) == 1
            and tasks[0].params.learning_rate not in ("adaptive", "invscaling"),
        )
        parts.append((group, numbers))
    return parts


def _seconds(parts, n_threads):
    """Estimated seconds to make the programs of groups, and to train."""
    groups = [group for group, _ in parts]
    programs = {
        (len(group.tasks) == 1, group.compiled, group.packing.shape): group.costs.making
        for group in groups
    }
    seconds = sum(group.seconds for group in groups)
    return sum(programs.values()) + parallel_seconds(seconds, len(groups), n_threads)


def _share_programs(keras, groups):
    """Let single tasks that differ only in rows and epochs share a program."""
    alike = defaultdict(list)
    for group in groups:
        [task], [X] = group.tasks, group.sources
        alike[_program_key(keras, task, X), task.network].append(group)
    for some in alike.values():
        tasks = [group.tasks[0] for group in some]
        form = _form_of_dropout(tasks[0])
        compiled = is_worth_compiling(tasks) if form is None else form
        for group in some:
            group.compiled = compiled
        seconds = max(group.epoch_seconds for group in some)
        n_rows = max(group.sources[0].shape[0] for group in some)
        for group in some:
            group.shared = SharedProgram(compiled, seconds, n_rows)


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
    """Whether a task can be trained with others, or at the same time in a thread."""
    params = task.params
    if params.callbacks or params.warm_start or not task.network.hidden_layer_sizes:
        return False
    try:
        choose_optimizer(load_keras(), params)
    except (TypeError, ValueError):
        return False  # training it alone raises the error
    return True


def _needs_own_program(optimizer, task):
    """Whether a task cannot be trained by one program with others."""
    return (
        task.distortion is not None
        or task.network.batch_norm
        or any(task.network.dropout[:1])  # of the input, which then differs
        or not optimizer.elementwise
        or optimizer.clips_globally
    )


def _group_key(keras, task):
    """Key that the tasks of a group share."""
    network, data = task.network, task.data
    batch_size = effective_batch_size(task.params, data.n_samples)
    optimizer, *others = _program_key(keras, task, data.X)
    return (
        (optimizer, *others),
        _needs_own_program(optimizer, task),
        dataclasses.replace(network, hidden_layer_sizes=(), dropout=()),
        len(network.hidden_layer_sizes),
        task.params.max_iter,
        -(-data.n_samples // batch_size),  # steps in an epoch
    )


def _program_key(keras, task, X):
    """Key that tasks share if one program can train them, all or one at a time."""
    params = task.params
    return (
        choose_optimizer(keras, params)[0],
        effective_batch_size(params, task.data.n_samples),
        transfer_dtype(X, task.network.dtype).name,
        _form_of_dropout(task),
    )


def _form_of_dropout(task):
    """Whether a network with dropout is compiled, as it would be alone; else None.

    A compiled program draws other random numbers for dropout.
    """
    return is_worth_compiling([task]) if any(task.network.dropout) else None


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
