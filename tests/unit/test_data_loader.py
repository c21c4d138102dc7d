"""Loading rows onto the device: every row once per epoch, with its label."""

from unittest.mock import patch

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skdigits import DigitMLPClassifier
from skdigits._network.architecture import Network
from skdigits._training import data_loader
from skdigits._training.data_loader import DataLoader, DeviceBuffer, padded_length
from skdigits._training.task import Checkpoint, TrainingData, TrainingTask
from skdigits._training.trainer_state import Member, Slot, TrainerState


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_padded_lengths_hold_the_rows_and_waste_less_than_a_bucket(one, other):
    assert one <= padded_length(one) < one + 1024
    assert padded_length(one) % 1024 == 0
    assert padded_length(min(one, other)) <= padded_length(max(one, other))


NETWORK = {"out_activation": "softmax", "n_outputs": 10, "hidden_layer_sizes": (3,)}


def make_member(X, y, weight, rows, *, slot, number, seed, dtype="float32"):
    network = Network(n_features=X.shape[1], dtype=dtype, **NETWORK)
    data = TrainingData(X, y, weight, rows, number=number)
    checkpoint = Checkpoint(seed=seed, arrays=[])
    task = TrainingTask(network, DigitMLPClassifier(), data, checkpoint)
    return Member(TrainerState(task, 0.1), slot)


@st.composite
def members(draw):
    """Row groups of networks with as many batches, and options of their loader."""
    batch_size = draw(st.integers(1, 15))
    n_features, n_steps = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    x_dtype = draw(st.sampled_from(["u1", "f4", "f8"]))
    container = draw(st.sampled_from([np.asarray, np.asfortranarray, sp.csr_matrix]))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    n_row_groups, n_networks = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    n_sources = draw(st.integers(1, n_row_groups))
    sources, rows_of = [], []
    for number in range(n_sources):
        n_rows = (n_steps - 1) * batch_size + draw(st.integers(1, batch_size))
        held_out = draw(st.integers(0, 5))
        # Each row starts with its number, by which it is found again.
        X = np.arange(n_rows + held_out)[:, None] + 100.0 * np.arange(n_features)
        sources.append(container((X + 10 * number).astype(x_dtype)))
        rows = np.sort(rng.permutation(len(X))[:n_rows]) if held_out else None
        rows_of.append(rows)
    networks = []
    for row_group in range(n_row_groups):
        number = row_group % n_sources
        X = sources[number]
        y, seed = rng.integers(10, size=X.shape[0]), int(rng.integers(100))
        networks += [
            make_member(
                X,
                y,
                rng.uniform(0.5, 2, X.shape[0]),
                rows_of[number],
                slot=Slot(row_group, 0, network),
                number=number,
                seed=seed,
                dtype=dtype,
            )
            for network in range(n_networks)
        ]
    options = {
        "slots_shape": (n_row_groups, 1, n_networks),
        "batch_size": batch_size,
        "max_epochs": draw(st.integers(1, 3)),
        "padded": draw(st.booleans()),
    }
    return sources, networks, options


@pytest.mark.parametrize("chunks", [False, True], ids=["resident", "in chunks"])
@given(members())
def test_every_row_once_in_each_epoch(chunks, drawn):
    sources, members, options = drawn
    B = options["batch_size"]
    limits = {"_RESIDENT_BYTES": 0 if chunks else 10**6, "_CHUNK_BYTES": 200}
    with patch.multiple(data_loader, **limits):
        loader = DataLoader(sources, members, **options)
        n_epochs = loader.n_epochs
        assert n_epochs == (1 if chunks else options["max_epochs"])
        n_seen, seen = 0, {member.slot: [] for member in members}
        for batches in loader.batches(members, n_epochs):
            assert batches.n_epochs == n_epochs
            assert batches.start == n_seen
            n_steps = len(batches.n_in_batch)
            n_seen += n_steps
            if options["padded"]:
                assert batches.X.shape[0] == loader.n_rows
                assert len(batches.index) == loader.n_batches
            assert not batches.weight[n_epochs * n_steps :].any()
            for member in members:
                s = member.slot.row_group
                used = slice(n_epochs * n_steps)
                # The tensor is filled with the next chunk later.
                rows = batches.X.numpy()[batches.index[used, s]]
                weight = batches.weight[used, *member.slot.index]
                size = np.tile(batches.n_in_batch[:, s], n_epochs)[:, None]
                parts = rows, batches.y[used, s], weight * size
                shape = n_epochs, n_steps * B
                parts = [part.reshape(*shape, *part.shape[2:]) for part in parts]
                n_rows = batches.n_in_batch[:, s].sum()
                assert not parts[2][:, n_rows:].any()
                seen[member.slot].append([part[:, :n_rows].copy() for part in parts])
    assert n_seen == loader.n_steps
    assert chunks or len(seen[members[0].slot]) == 1
    for member in members:
        X, y, weight = (
            np.concatenate(parts, axis=1)
            for parts in zip(*seen[member.slot], strict=True)
        )
        rows, data = member.state.rows(n_epochs), member.task.data
        expected = data.X.toarray() if sp.issparse(data.X) else data.X
        dtype = np.dtype(member.task.network.dtype)
        assert X.dtype == (np.uint8 if data.X.dtype == np.uint8 else dtype)
        np.testing.assert_array_equal(X, expected[rows])
        np.testing.assert_array_equal(y, data.y[rows])
        np.testing.assert_allclose(weight, member.state.weight[rows], rtol=1e-6)


def test_large_rows_come_in_chunks_and_small_ones_at_once():
    few, many = np.zeros((10, 3), "f4"), sp.csr_matrix((100_000, 100), dtype="f4")
    for X, n_pieces in ((few, 1), (many, 5)):
        y = np.zeros(X.shape[0], int)
        member = make_member(X, y, y + 1.0, None, slot=Slot(), number=0, seed=0)
        loader = DataLoader([X], [member], batch_size=32, max_epochs=1, padded=False)
        assert sum(1 for _ in loader.batches([member], 1)) == n_pieces


@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix])
def test_a_value_too_large_for_the_network_is_refused(container):
    device = DeviceBuffer((4, 2), np.dtype("f4"))
    X = container([[1.0, 2.0], [3.0, 1e300]])
    assert device.fill(X, np.array([0])) == 1
    with pytest.raises(ValueError, match="too large for"):
        device.fill(X, slice(None))


def test_rows_are_put_after_each_other():
    device = DeviceBuffer((5, 2), np.dtype("f8"))
    X = np.arange(8.0).reshape(4, 2)
    stop = device.fill(X, slice(2))
    assert device.fill(X, np.array([3, 0, 3]), stop) == 5
    np.testing.assert_array_equal(device.tensor.numpy(), X[[0, 1, 3, 0, 3]])
