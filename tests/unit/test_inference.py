"""The network in NumPy, from rows to logits, probabilities and losses."""

from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics

from skdigits._network import inference
from skdigits._network.inference import (
    cast,
    class_index,
    log_loss,
    log_proba,
    logits,
    proba,
)

seeds = st.integers(0, 2**32 - 1)
activations = st.sampled_from(["identity", "logistic", "relu", "tanh"])


@st.composite
def networks(draw):
    """Arguments of `logits`: rows, weights, biases, activation, factor."""
    sizes = draw(st.lists(st.integers(1, 8), min_size=2, max_size=4))
    rng = np.random.default_rng(draw(seeds))
    X = rng.integers(-3, 4, (draw(st.integers(0, 60)), sizes[0])).astype("f8")
    coefs = [rng.normal(size=shape) for shape in pairwise(sizes)]
    intercepts = [rng.normal(size=size) for size in sizes[1:]]
    return X, coefs, intercepts, draw(activations), draw(st.sampled_from([None, 0.5]))


@given(networks(), st.integers(1, 20))
def test_blocks_give_what_all_rows_at_once_give(network, n_rows):
    X, coefs, *_ = network
    whole = logits(*network)
    widest = max(max(coef.shape) for coef in coefs)
    few = {"_FEW_ROWS": 0, "_BLOCK_BYTES": n_rows * widest * 8}
    with patch.multiple(inference, **few):
        blocks = logits(*network)
    assert blocks.shape == (len(X), coefs[-1].shape[1])
    np.testing.assert_allclose(blocks, whole, atol=1e-12)


@given(networks(), st.sampled_from([sp.csr_matrix, sp.csr_array]))
def test_sparse_rows_give_what_dense_ones_give(network, container):
    X, *rest = network
    np.testing.assert_allclose(
        logits(container(X), *rest), logits(X, *rest), atol=1e-12
    )


@given(networks())
def test_inputs_are_left_unchanged(network):
    X, coefs, intercepts, *_ = network
    before = [array.copy() for array in (X, *coefs, *intercepts)]
    logits(*network)
    for array, copy in zip((X, *coefs, *intercepts), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@given(networks())
def test_rescaling_is_a_factor_of_the_rows(network):
    X, coefs, intercepts, activation, _ = network
    np.testing.assert_allclose(
        logits(X, coefs, intercepts, activation, 0.25),
        logits(X / 4, coefs, intercepts, activation),
        atol=1e-12,
    )


@pytest.mark.parametrize("dtype", ["u1", "i8", "f2", "?"])
def test_rows_of_any_dtype_are_taken_in_that_of_the_weights(dtype):
    X = np.array([[0, 1], [1, 1]]).astype(dtype)
    Z = logits(X, [np.array([[1], [2]], "f4")], [np.array([3], "f4")], "relu")
    assert Z.dtype == np.float32
    np.testing.assert_array_equal(Z, [[5], [6]])


@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix])
def test_finite_values_that_overflow_are_refused(container):
    X = container([[1.0, 1e300]])
    assert cast(X, np.dtype("f8")) is X
    with pytest.raises(ValueError, match=r"too large for dtype\('float32'\).*1e\+300"):
        cast(X, np.dtype("f4"))


extreme = st.floats(-1e30, 1e30)


@st.composite
def some_logits(draw, out_activation):
    n_outputs = 1 if out_activation == "logistic" else draw(st.integers(1, 5))
    shape = draw(st.integers(1, 6)), n_outputs
    values = draw(st.sampled_from([extreme, st.floats(-30, 30)]))
    return draw(arrays(np.float64, shape, elements=values))


@pytest.mark.parametrize("out_activation", ["softmax", "logistic"])
@given(st.data())
def test_probabilities_are_consistent(out_activation, data):
    Z = data.draw(some_logits(out_activation))
    before = Z.copy()
    P, log_P = proba(Z, out_activation), log_proba(Z, out_activation)
    np.testing.assert_array_equal(Z, before)
    assert P.shape == log_P.shape == (len(Z), max(Z.shape[1], 2 - (P.shape[1] == 1)))
    assert ((P >= 0) & (P <= 1)).all()
    np.testing.assert_allclose(P.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(log_P), P, atol=1e-12)
    assert (log_P <= 0).all()
    chosen = P[np.arange(len(P)), class_index(Z, out_activation)]
    np.testing.assert_array_equal(chosen, P.max(axis=1))


@pytest.mark.parametrize("out_activation", ["logistic", "softmax"])
def test_underflow_is_not_an_error_with_seterr_raise(out_activation):
    Z = np.array([[1000.0, 0, 5][: 1 if out_activation == "logistic" else 3]])
    with np.errstate(all="raise"):
        P = proba(Z, out_activation)
        log_proba(Z, out_activation)
    assert sorted(P[0])[-2:] == [0, 1]


@given(some_logits("logistic"))
def test_two_classes_are_a_softmax_over_zero_and_the_logit(Z):
    both = np.hstack([np.zeros_like(Z), Z])
    np.testing.assert_allclose(proba(Z, "logistic"), proba(both, "softmax"), atol=1e-12)
    np.testing.assert_array_equal(
        class_index(Z, "logistic"), class_index(both, "softmax")
    )


@pytest.mark.parametrize("out_activation", ["softmax", "logistic"])
@given(st.data())
def test_loss_is_that_of_scikit_learn(out_activation, data):
    n_outputs, n_rows = (1, 7) if out_activation == "logistic" else (4, 7)
    finite = arrays(np.float64, (n_rows, n_outputs), elements=st.floats(-10, 10))
    Z = data.draw(finite)
    n_classes = max(n_outputs, 2)
    y = data.draw(arrays(np.int64, n_rows, elements=st.integers(0, n_classes - 1)))
    weight = data.draw(arrays(np.float64, n_rows, elements=st.floats(0.1, 3)))
    for sample_weight in (None, weight):
        expected = metrics.log_loss(
            y,
            proba(Z, out_activation),
            sample_weight=sample_weight,
            labels=np.arange(n_classes),
        )
        loss = log_loss(Z, y, out_activation, sample_weight)
        assert loss == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "identity"])
def test_activations_of_large_values_are_finite(activation):
    X = np.array([[-1e4], [0.0], [1e4]])
    one, none = [np.ones((1, 1))] * 2, [np.zeros(1)] * 2
    with np.errstate(all="raise"):
        Z = logits(X, one, none, activation)[:, 0]
    expected = {
        "logistic": [0, 0.5, 1],
        "tanh": [-1, 0, 1],
        "relu": [0, 0, 1e4],
        "identity": [-1e4, 0, 1e4],
    }
    np.testing.assert_allclose(Z, expected[activation], atol=1e-12)
