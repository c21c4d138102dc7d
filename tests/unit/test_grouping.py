"""Grouping networks that can be trained by one program."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skdigits import DigitMLPClassifier
from skdigits._network.architecture import Network
from skdigits._together import grouping
from skdigits._together.grouping import can_be_grouped, make_groups
from skdigits._training.task import Checkpoint, TrainingData, TrainingTask

RNG = np.random.default_rng(0)
# Two folds of 40 rows, of which the second differs in type, and a longer one.
FOLDS = [
    RNG.normal(size=(40, 4)).astype("f4"),
    sp.csr_matrix(RNG.normal(size=(40, 4)).astype("f4")),
    RNG.normal(size=(70, 4)).astype("f4"),
]
# Parameters that shape a program; the others are its arguments.
SHAPING = {
    "activation": ["relu", "tanh"],
    "batch_size": [16, 32],
    "max_iter": [5, 6],
    "solver": ["adam", "sgd"],
}
OTHERS = {
    "alpha": [0.0, 0.1],
    "learning_rate": ["constant", "cosine"],
    "learning_rate_init": [0.01, 0.02],
    "label_smoothing": [0.0, 0.1],
}


def make_task(fold=0, sizes=(3,), dropout=(), batch_norm=False, seed=0, **params):
    X = FOLDS[fold]
    n_rows = X.shape[0]
    network = Network(
        4,
        sizes,
        3,
        "softmax",
        params.get("activation", "relu"),
        dropout=dropout,
        batch_norm=batch_norm,
    )
    params = DigitMLPClassifier(**{"max_iter": 5, **params})
    data = TrainingData(X, np.arange(n_rows) % 3, np.ones(n_rows), number=fold)
    return TrainingTask(network, params, data, Checkpoint.start(network, seed))


@st.composite
def tasks(draw):
    n_layers = draw(st.integers(1, 2))
    options = {
        "fold": draw(st.integers(0, len(FOLDS) - 1)),
        "sizes": draw(st.tuples(*[st.sampled_from([2, 5, 30])] * n_layers)),
        "seed": draw(st.integers(0, 1)),
    }
    if draw(st.booleans()):
        options["dropout"] = draw(st.sampled_from([0.0, 0.2])), *[0.1] * n_layers
    for name, values in (SHAPING | OTHERS).items():
        # Mostly the same, or hardly any would go together.
        options[name] = draw(st.sampled_from([values[0]] * 3 + values[1:]))
    return make_task(**options)


def shaping(task):
    """What must be the same where networks share a program."""
    network = task.network
    return (
        *(getattr(task.params, name) for name in SHAPING),
        *(network.activation, network.dtype, len(network.hidden_layer_sizes)),
        -(-task.data.n_samples // task.params.batch_size),
    )


@given(st.lists(tasks(), min_size=1, max_size=12), st.integers(1, 4))
def test_every_training_is_in_one_group_with_its_rows(tasks, n_groups):
    groups = make_groups(tasks, 2, n_groups)
    assert sorted(n for _, numbers in groups for n in numbers) == [*range(len(tasks))]
    for group, numbers in groups:
        members = [tasks[number] for number in numbers]
        assert len(group.tasks) == len(group.packing.slots) == len(members)
        assert len({shaping(task) for task in members}) == 1
        assert group.penalized or not any(task.params.alpha for task in members)
        for member, task, slot in zip(
            members, group.tasks, group.packing.slots, strict=True
        ):
            assert group.sources[task.data.number] is member.data.X
            assert task.data.X is None
            assert member.data.X is not None
            assert task.params is member.params
            assert task.checkpoint is member.checkpoint
            for start, size, width in zip(
                slot.offsets,
                task.network.hidden_layer_sizes,
                group.packing.widths,
                strict=True,
            ):
                assert start + size <= width
        assert len(set(map(id, group.sources))) == len(group.sources)


def test_arguments_of_a_program_may_differ_within_a_group(monkeypatch):
    tasks = [make_task()]
    tasks += [make_task(**{name: values[1]}) for name, values in OTHERS.items()]
    tasks += [make_task(sizes=(30,)), make_task(seed=1), make_task(fold=1)]
    monkeypatch.setattr(grouping, "_seconds", lambda parts, n_threads: len(parts))
    [(group, numbers)] = make_groups(tasks, 1)
    assert sorted(numbers) == list(range(len(tasks)))
    assert not group.same_rate
    assert len(group.sources) == 2
    # Another seed or other rows give another order of rows.
    assert group.packing.n_row_groups == 3


@pytest.mark.parametrize("name", SHAPING)
def test_parameters_that_shape_a_program_separate_groups(name):
    one, other = (make_task(**{name: value}) for value in SHAPING[name])
    assert len(make_groups([one, other], 1)) == 2


def test_networks_that_are_trained_alone():
    import keras

    assert can_be_grouped(make_task())
    for params in (
        {"callbacks": [keras.callbacks.History()]},
        {"warm_start": True},
        {"sizes": ()},
    ):
        assert not can_be_grouped(make_task(**params))


def test_networks_that_need_their_own_programs():
    import keras

    for params in (
        {"batch_norm": True},
        {"dropout": (0.1, 0.0)},
        {"solver": keras.optimizers.Lamb()},
        {"solver": keras.optimizers.Adam(global_clipnorm=1.0)},
    ):
        tasks = [make_task(sizes=(n,), **params) for n in (2, 3)]
        assert all(can_be_grouped(task) for task in tasks)
        assert len(make_groups(tasks, 1)) == 2


@given(st.integers(1, 12), st.integers(1, 12))
def test_there_is_a_group_for_every_worker(n_tasks, n_workers):
    groups = make_groups(
        [make_task(seed=n) for n in range(n_tasks)], n_workers, n_groups=n_workers
    )
    assert len(groups) >= min(n_workers, n_tasks)
    # All but the last have one shape, so that they share a program.
    packings = [group.packing for group, _ in groups]
    assert len({(p.n_row_groups, p.n_blocks, p.widths) for p in packings}) == 1


def numbers_of_groups(tasks, n_threads=1):
    """The tasks of each group."""
    return sorted(numbers for _, numbers in make_groups(tasks, n_threads))


def test_networks_that_share_no_rows_have_programs_of_their_own():
    tasks = [make_task(seed=seed, max_iter=1000) for seed in range(4)]
    assert numbers_of_groups(tasks) == [[0], [1], [2], [3]]


def test_many_networks_that_share_rows_are_one_program():
    tasks = [make_task(sizes=(size,), max_iter=1000) for size in range(2, 30)]
    assert len(make_groups(tasks, 2)) <= 2


def test_two_networks_of_equal_shape_run_side_by_side_if_there_are_threads():
    tasks = [make_task(alpha=alpha, max_iter=50) for alpha in (0.0, 0.1)]
    assert numbers_of_groups(tasks, n_threads=2) == [[0], [1]]


def test_single_tasks_of_other_sizes_share_a_program():
    tasks = [make_task(fold, max_iter=4 + fold) for fold in (0, 2)]
    (one, _), (other, _) = make_groups(tasks, 2)
    assert one.shared == other.shared
    assert one.shared.min_rows == 70
