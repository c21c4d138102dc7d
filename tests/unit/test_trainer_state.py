"""One training between its epochs: order of rows, rates, losses, when to stop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score
from sklearn.metrics import log_loss as sklearn_log_loss

from skdigits import DigitMLPClassifier
from skdigits._network.architecture import Network
from skdigits._network.batch_norm import fold_batch_norm
from skdigits._network.inference import proba
from skdigits._random import random_stream
from skdigits._training.task import Checkpoint, TrainingData, TrainingTask
from skdigits._training.trainer_state import TrainerState
from skdigits.augmentation._random_distortion import RandomDistortion

NETWORK = Network(4, (3,), 3, "softmax", "tanh")


def make_task(n_rows=12, seed=0, weight=None, rows=None, validated=False, **params):
    """A training of random rows, with parameters of the classifier."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n_rows, 4)).astype("f4"), np.arange(n_rows) % 3
    weight = np.ones(n_rows) if weight is None else weight
    validation = (X[:6], y[:6], None) if validated else None
    return TrainingTask(
        NETWORK,
        DigitMLPClassifier(**{"max_iter": 8, **params}),
        TrainingData(X, y, weight, rows, validation),
        Checkpoint.start(NETWORK, seed),
    )


def make_state(*args, incremental=False, **options):
    return TrainerState(make_task(*args, **options), 0.1, incremental)


# Random numbers


@given(
    st.lists(
        st.tuples(st.integers(0, 2**31), st.integers(0, 3), st.integers(0, 1000)),
        min_size=2,
        max_size=6,
        unique=True,
    ),
    st.randoms(use_true_random=False),
)
def test_random_streams_depend_on_seed_purpose_and_number_only(keys, random):
    first = {key: random_stream(*key).integers(2**62, size=2).tolist() for key in keys}
    random.shuffle(keys)
    assert {
        k: random_stream(*k).integers(2**62, size=2).tolist() for k in keys
    } == first
    assert len(set(map(tuple, first.values()))) == len(keys)


@given(st.integers(1, 50), st.integers(0, 2**31), st.integers(0, 5))
def test_the_order_of_rows_depends_on_the_epoch_only(n_rows, seed, epoch):
    ahead = make_state(n_rows, seed).rows(epoch + 1)
    assert ahead.shape == (epoch + 1, n_rows)
    np.testing.assert_array_equal(np.sort(ahead[epoch]), np.arange(n_rows))
    later = make_state(n_rows, seed)
    later.add_epochs([1.0] * epoch, n_steps=1)
    np.testing.assert_array_equal(later.rows(1)[0], ahead[epoch])


def test_rows_keep_their_order_without_shuffle():
    state = make_state(7, shuffle=False)
    np.testing.assert_array_equal(state.rows(3), [np.arange(7)] * 3)


def test_order_is_of_the_rows_to_train_on():
    [order] = make_state(9, rows=np.array([1, 4, 8])).rows(1)
    assert sorted(order) == [1, 4, 8]


# Weights


@given(st.lists(st.floats(0.1, 10), min_size=3, max_size=9), st.floats(-200, 200))
def test_only_the_ratios_of_weights_matter(weight, exponent):
    weight, factor = np.array(weight), 10.0**exponent
    rows = np.arange(len(weight) - 1)
    plain = make_state(len(weight), weight=weight, rows=rows, alpha=0.5)
    scaled = make_state(
        len(weight), weight=factor * weight, rows=rows, alpha=0.5 * factor
    )
    assert plain.weight[rows].mean() == pytest.approx(1)
    np.testing.assert_allclose(scaled.weight, plain.weight)
    assert scaled.alpha == pytest.approx(plain.alpha)
    np.testing.assert_allclose(plain.weight / plain.alpha, 2 * weight)


# Learning rate and distortions


def test_rates_are_those_of_the_epochs_to_come():
    state = make_state(learning_rate="cosine")
    two_ahead = state.rates(3, ahead=2)
    assert (two_ahead < 0.1).all()
    state.add_epochs([1.0, 1.0], n_steps=3)
    np.testing.assert_array_equal(state.rates(3), two_ahead)


def test_one_epoch_alone_has_a_rate_that_does_not_fall():
    state = make_state(incremental=True, learning_rate="flat_cosine")
    assert state.max_iter == 1
    np.testing.assert_array_equal(state.rates(4), [0.1] * 4)


@given(st.integers(1, 40), st.floats(0, 1))
def test_distortions_weaken_in_the_last_quarter(max_iter, final_strength):
    augment = RandomDistortion(final_strength=final_strength)
    state = make_state(max_iter=max_iter, augment=augment)
    strengths = np.array([strength for _, strength in state.distortions(max_iter)])
    done = np.arange(1, max_iter + 1) / max_iter
    assert (strengths[done <= 0.75] == 1).all()
    assert (np.diff(strengths) <= 0).all()
    assert strengths[-1] == pytest.approx(final_strength)
    single = make_state(incremental=True, augment=augment)
    assert [strength for _, strength in single.distortions(1)] == [1]


# Losses


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_reported_with_its_epoch(loss):
    state = make_state()
    state.add_epochs([3.0], n_steps=2)
    match = rf"diverged: the loss of epoch 3 is {loss}.*smaller learning rate"
    with pytest.raises(ValueError, match=match):
        state.add_epochs([2.0, loss], n_steps=2)
    assert state.loss_curve == [3.0]


def test_weights_that_are_not_finite_are_reported():
    state = make_state()
    arrays = [np.full_like(array, np.nan) for array in state.task.checkpoint.arrays]
    with pytest.raises(ValueError, match="diverged: weights are no longer finite"):
        state.finish(arrays)


@given(st.integers(0, 2**31))
def test_validation_is_scored_as_scikit_learn_does(seed):
    state = make_state(seed=seed, validated=True)
    arrays = state.task.checkpoint.arrays
    loss, score = state.validate(arrays)
    X, y, _ = state.task.data.validation
    coefs, intercepts, _ = fold_batch_norm(NETWORK, arrays)
    Z = np.tanh(X @ coefs[0] + intercepts[0]) @ coefs[1] + intercepts[1]
    P = proba(np.float64(Z), "softmax")
    assert loss == pytest.approx(sklearn_log_loss(y, P, labels=[0, 1, 2]), rel=1e-5)
    assert score == pytest.approx(accuracy_score(y, P.argmax(axis=1)))
    assert (state.validation_losses, state.validation_scores) == ([loss], [score])


# Stopping


def n_epochs_of(losses, **params):
    """How many epochs are trained of those that would have these losses."""
    state = make_state(max_iter=len(losses), **params)
    for loss in losses:
        state.add_epochs([loss], n_steps=1)
        if state.is_over():
            break
    return state.n_epochs, state


FLAT = [3.0, 2.0, 1.0] + [1.0] * 20


def test_stops_where_the_loss_no_longer_falls():
    assert n_epochs_of(FLAT, tol=0.1, n_iter_no_change=4)[0] == 8


def test_goes_on_without_tolerance():
    assert n_epochs_of(FLAT)[0] == len(FLAT)
    assert not make_state().looks_between_epochs


def test_an_adaptive_rate_falls_before_training_stops():
    adaptive = {"learning_rate": "adaptive", "n_iter_no_change": 2}
    n_epochs, state = n_epochs_of(FLAT, **adaptive)
    assert n_epochs == len(FLAT)
    assert state.learning_rate.current < 0.1 / 5**4
    n_epochs, _ = n_epochs_of(FLAT * 3, **adaptive, tol=1e-4)
    assert n_epochs < len(FLAT * 3)


def test_the_best_epoch_is_kept():
    state = make_state(validated=True, early_stopping=True)
    start = state.task.checkpoint.arrays
    rng = np.random.default_rng(0)
    best, best_score = None, -1.0
    for epoch in range(6):
        arrays = [array + rng.normal(size=array.shape) for array in start]
        state.add_epochs([1.0 + epoch], n_steps=1)
        _, score = state.validate(arrays)
        if score > best_score:
            best, best_score = arrays, score
    result = state.finish(arrays)
    assert best is not arrays  # otherwise this shows nothing
    assert result.n_epochs == 6
    for got, expected in zip(result.checkpoint.arrays, best, strict=True):
        np.testing.assert_array_equal(got, expected)
    coefs, _, _ = fold_batch_norm(NETWORK, best)
    np.testing.assert_array_equal(result.coefs[0], coefs[0])
