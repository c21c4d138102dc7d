"""Loading rows onto the device: every row once per epoch, with its label."""

from unittest.mock import patch

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skdigits._training import data_loader
from skdigits._training.data_loader import DataLoader, DeviceBuffer, padded_length


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_padded_lengths_hold_the_rows_and_waste_less_than_a_bucket(one, other):
    assert one <= padded_length(one) < one + 1024
    assert padded_length(one) % 1024 == 0
    assert padded_length(min(one, other)) <= padded_length(max(one, other))


@st.composite
def feeds(draw):
    """Options of a loader, and the orders of rows to ask it for."""
    n_rows, n_features = draw(st.integers(1, 40)), draw(st.integers(1, 3))
    options = {
        "batch_size": draw(st.integers(1, 15)),
        "n_epochs": draw(st.integers(1, 3)),
        "padded": draw(st.booleans()),
        "dtype": np.dtype(draw(st.sampled_from(["f4", "f8"]))),
        "rows": None,
    }
    # Each row starts with its number, by which it is found again.
    X = np.arange(n_rows)[:, None] + 100.0 * np.arange(n_features)
    X = X.astype(draw(st.sampled_from(["u1", "f4", "f8"])))
    if draw(st.booleans()):
        kept = draw(st.sets(st.integers(0, n_rows - 1), min_size=1))
        options["rows"] = np.array(sorted(kept))
    container = draw(st.sampled_from([np.asarray, np.asfortranarray, sp.csr_matrix]))
    return X, container, options, draw(st.integers(0, 2**31))


@pytest.mark.parametrize("chunks", [False, True], ids=["resident", "in chunks"])
@given(feeds())
def test_every_row_once_in_each_epoch(chunks, drawn):
    X, container, options, seed = drawn
    rng = np.random.default_rng(seed)
    y, weight = rng.integers(10, size=len(X)), rng.uniform(0.5, 2, len(X))
    every = np.arange(len(X)) if options["rows"] is None else options["rows"]
    batch_size, dtype = options["batch_size"], options["dtype"]
    limits = {"_RESIDENT_BYTES": 0 if chunks else 10**6, "_CHUNK_BYTES": 200}
    with patch.multiple(data_loader, **limits):
        loader = DataLoader(container(X), y, weight, **options)
        assert loader.n_samples == len(every)
        orders = np.stack([rng.permutation(len(every)) for _ in range(loader.n_epochs)])
        seen, n_batches = [], 0
        for batches in loader.batches(orders):
            assert batches.n_epochs == len(orders)
            assert batches.start == n_batches
            n_batches += len(batches.n_in_batch)
            if options["padded"]:
                assert batches.X.shape[0] == loader.n_rows
                assert len(batches.index) == loader.n_batches * batch_size
            # The tensor is filled anew with the next chunk.
            rows = batches.X.numpy()[batches.index]
            parts = [array.copy() for array in (rows, batches.y, batches.weight)]
            used = batches.n_epochs * len(batches.n_in_batch) * batch_size
            assert not parts[2][used:].any()
            n_rows = batches.n_in_batch.sum()
            shape = batches.n_epochs, -1
            parts = [p[:used].reshape(*shape, *p.shape[1:]) for p in parts]
            assert not parts[2][:, n_rows:].any()
            size = np.repeat(batches.n_in_batch, batches.n_in_batch)
            seen.append([p[:, :n_rows] for p in parts[:2]])
            seen[-1].append(parts[2][:, :n_rows] * size)
    assert n_batches == -(-len(every) // batch_size)
    assert chunks or len(seen) == 1
    X_seen, y_seen, weight_seen = (
        np.concatenate(parts, axis=1) for parts in zip(*seen, strict=True)
    )
    expected = every[orders]
    assert X_seen.dtype == (np.uint8 if X.dtype == np.uint8 else dtype)
    np.testing.assert_array_equal(X_seen, X[expected])
    np.testing.assert_array_equal(y_seen, y[expected])
    np.testing.assert_allclose(weight_seen, weight[expected], rtol=1e-6)


def test_large_rows_come_in_chunks_and_small_ones_at_once():
    few, many = np.zeros((10, 3), "f4"), sp.csr_matrix((100_000, 100), dtype="f4")
    for X, n_pieces in ((few, 1), (many, 5)):
        y = np.zeros(X.shape[0], int)
        loader = DataLoader(
            X,
            y,
            y + 1.0,
            rows=None,
            batch_size=32,
            n_epochs=1,
            dtype=np.dtype("f4"),
            padded=False,
        )
        assert loader.n_epochs == 1
        pieces = sum(1 for _ in loader.batches(np.arange(len(y))[None]))
        assert pieces == n_pieces


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
