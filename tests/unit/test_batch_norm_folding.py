"""Layer arrays: starting weights, and batch normalisation folded into weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdigits._network.architecture import Network, initial_arrays
from skdigits._network.batch_norm import (
    NORM_EPSILON,
    NORM_MOMENTUM,
    fold_batch_norm,
    unfold_batch_norm,
)
from skdigits._network.inference import logits

seeds = st.integers(0, 2**32 - 1)


@st.composite
def networks(draw, **options):
    sizes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    options = {"batch_norm": draw(st.booleans()), "dtype": "float64", **options}
    activation = draw(st.sampled_from(["identity", "logistic", "relu", "tanh"]))
    n_features, n_outputs = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    return Network(
        n_features, tuple(sizes), n_outputs, "softmax", activation, **options
    )


def trained_arrays(network, seed):
    """Layer arrays as training could leave them: variances are positive."""
    rng = np.random.default_rng(seed)
    arrays = initial_arrays(network, rng)
    return [
        rng.uniform(0.2, 2, a.shape).astype(a.dtype) if a.ndim == 1 else a
        for a in arrays
    ]


@given(networks(), seeds)
def test_unfolding_gives_the_layers_back(network, seed):
    arrays = trained_arrays(network, seed)
    coefs, intercepts, norms = fold_batch_norm(network, arrays)
    again = unfold_batch_norm(network, coefs, intercepts, norms)
    assert len(again) == len(arrays)
    for got, expected in zip(again, arrays, strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@given(networks(batch_norm=True), seeds)
def test_folded_weights_compute_what_the_layers_do(network, seed):
    arrays = trained_arrays(network, seed)
    X = np.random.default_rng(seed).normal(size=(5, network.n_features))
    activation = {
        "identity": lambda Z: Z,
        "logistic": lambda Z: 1 / (1 + np.exp(-Z)),
        "relu": lambda Z: np.maximum(Z, 0),
        "tanh": np.tanh,
    }[network.activation]
    Z = X
    for start in range(0, len(arrays) - 2, 5):
        kernel, gamma, beta, mean, variance = arrays[start : start + 5]
        normalized = (Z @ kernel - mean) / np.sqrt(variance + NORM_EPSILON)
        Z = activation(gamma * normalized + beta)
    Z = Z @ arrays[-2] + arrays[-1]
    coefs, intercepts, _ = fold_batch_norm(network, arrays)
    np.testing.assert_allclose(
        logits(X, coefs, intercepts, network.activation), Z, atol=1e-9
    )


def test_without_batch_norm_folding_takes_weights_and_biases_apart():
    network = Network(4, (3, 2), 2, "softmax")
    arrays = trained_arrays(network, 0)
    coefs, intercepts, norms = fold_batch_norm(network, arrays)
    assert [c.shape for c in coefs] == [(4, 3), (3, 2), (2, 2)]
    assert [b.shape for b in intercepts] == [(3,), (2,), (2,)]
    assert norms == []


@given(st.integers(1, 500), st.floats(-5, 5), st.floats(0.01, 5))
def test_short_trainings_have_the_statistics_of_their_rows(n_steps, mean, variance):
    network = Network(1, (1,), 1, "softmax", batch_norm=True, dtype="float64")
    moving_mean, moving_variance = 0.0, 1.0
    for _ in range(n_steps):
        moving_mean += (1 - NORM_MOMENTUM) * (mean - moving_mean)
        moving_variance += (1 - NORM_MOMENTUM) * (variance - moving_variance)
    arrays = initial_arrays(network, np.random.default_rng(0))
    arrays[3:5] = np.array([moving_mean]), np.array([moving_variance])
    _, _, [norm] = fold_batch_norm(network, arrays, NORM_MOMENTUM**n_steps)
    np.testing.assert_allclose(norm[2:, 0], [mean, variance], atol=1e-9)


def test_before_the_first_step_the_starting_statistics_are_kept():
    network = Network(2, (3,), 2, "softmax", batch_norm=True)
    arrays = initial_arrays(network, np.random.default_rng(0))
    _, _, [norm] = fold_batch_norm(network, arrays, moving_average_bias=1.0)
    np.testing.assert_array_equal(norm[2], 0)
    np.testing.assert_array_equal(norm[3], 1)


def test_a_unit_that_is_switched_off_gives_its_shift():
    network = Network(2, (2,), 2, "softmax", batch_norm=True, dtype="float64")
    arrays = trained_arrays(network, 0)
    arrays[1][0] = 0.0  # gamma
    coefs, intercepts, norms = fold_batch_norm(network, arrays)
    np.testing.assert_array_equal(coefs[0][:, 0], 0)
    assert intercepts[0][0] == arrays[2][0]
    again = unfold_batch_norm(network, coefs, intercepts, norms)
    assert all(np.isfinite(array).all() for array in again)
    coefs_again, intercepts_again, _ = fold_batch_norm(network, again)
    np.testing.assert_allclose(coefs_again[0], coefs[0])
    np.testing.assert_allclose(intercepts_again[0], intercepts[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_starting_weights_are_those_of_glorot(dtype, batch_norm):
    network = Network(
        300, (200,), 10, "softmax", batch_norm=batch_norm, rescale=0.5, dtype=dtype
    )
    arrays = initial_arrays(network, np.random.default_rng(0))
    assert {array.dtype.name for array in arrays} == {dtype}
    kernel = arrays[0]
    assert kernel.shape == (300, 200)
    bound = np.sqrt(6 / 500)
    assert np.abs(kernel).max() <= bound
    # The standard deviation of a uniform distribution.
    assert kernel.std() == pytest.approx(bound / np.sqrt(3), rel=0.02)
    np.testing.assert_array_equal(arrays[-1], np.zeros(10))
    if batch_norm:
        means = [float(array.mean()) for array in arrays[1:5]]
        assert means == [1, 0, 0, 1]


@given(networks(), seeds)
def test_starting_weights_depend_on_the_seed(network, seed):
    one, same, other = (
        initial_arrays(network, np.random.default_rng(s))
        for s in (seed, seed, seed + 1)
    )
    assert all((a == b).all() for a, b in zip(one, same, strict=True))
    assert (one[0] != other[0]).any()
