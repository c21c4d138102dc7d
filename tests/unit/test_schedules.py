"""Learning rates over the epochs, and when to stop."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdigits._training.early_stopping import StoppingRule
from skdigits._training.schedules import LearningRate, decay_fraction

rates = st.floats(1e-6, 10)
epochs = st.integers(1, 40)
steps = st.integers(1, 30)


def all_rates(schedule, initial, max_iter, n_steps):
    rate = LearningRate(schedule, initial, max_iter)
    return np.concatenate([rate.over_epoch(n, n_steps) for n in range(max_iter)])


@pytest.mark.parametrize("schedule", ["constant", "adaptive"])
@given(rates, epochs, steps)
def test_a_rate_that_nothing_changes_stays(schedule, initial, max_iter, n_steps):
    got = all_rates(schedule, initial, max_iter, n_steps)
    assert (got == initial).all()
    assert len(got) == max_iter * n_steps


@pytest.mark.parametrize("schedule", ["cosine", "flat_cosine"])
@given(rates, epochs, steps)
def test_cosines_fall_from_the_initial_rate_to_zero(
    schedule, initial, max_iter, n_steps
):
    got = all_rates(schedule, initial, max_iter, n_steps)
    assert got[0] == initial
    assert (np.diff(got) <= 0).all()
    assert (got > 0).all()
    # The step after the last one would have a rate of zero.
    after = LearningRate(schedule, initial, max_iter).over_epoch(max_iter, n_steps)
    assert after[0] == pytest.approx(0, abs=1e-15 * initial)


def test_cosine_is_halfway_down_in_the_middle():
    assert LearningRate("cosine", 0.8, 10).over_epoch(5, 3)[0] == pytest.approx(0.4)


@given(rates, st.integers(4, 40), steps)
def test_flat_cosine_is_flat_for_three_quarters(initial, max_iter, n_steps):
    got = all_rates("flat_cosine", initial, max_iter, n_steps)
    done = np.arange(len(got)) / len(got)
    assert (got[done <= 0.75] == initial).all()
    assert (got[done > 0.76] < initial).all()


@given(st.floats(0, 1), st.floats(0, 1))
def test_decay_is_monotone_and_complete(one, other):
    assert decay_fraction(0.0) == decay_fraction(0.75) == 0
    assert decay_fraction(1.0) == 1
    assert decay_fraction(min(one, other)) <= decay_fraction(max(one, other))


@pytest.mark.parametrize("schedule", ["constant", "cosine", "flat_cosine", "adaptive"])
def test_a_rate_that_was_set_is_kept(schedule):
    rate = LearningRate(schedule, 0.1, 5)
    rate.override(0.02)
    assert not rate.follows_epochs
    assert (rate.over_epoch(4, 3) == 0.02).all()
    assert not rate.reduce()


def test_adaptive_is_divided_by_five_down_to_a_millionth():
    rate = LearningRate("adaptive", 0.01, 100)
    seen = [rate.current]
    while rate.reduce():
        seen.append(rate.current)
    assert all(new == pytest.approx(old / 5) for old, new in pairwise(seen))
    assert seen[-2] > 1e-6 >= seen[-1]


@pytest.mark.parametrize("schedule", ["constant", "cosine", "flat_cosine"])
def test_only_adaptive_rates_are_reduced(schedule):
    rate = LearningRate(schedule, 0.01, 100)
    assert not rate.reduce()
    assert rate.current == 0.01


scores = st.lists(st.integers(-8, 8).map(lambda n: n / 4), max_size=30)
tolerances = st.sampled_from([0.0, 0.25, 1.0])
patience = st.one_of(st.integers(0, 6), st.just(np.inf))


def decisions(values, tol, patience, best):
    """For each value, whether more than `patience` in a row did not improve."""
    streak = 0
    for number, value in enumerate(values):
        improved = value >= max([best, *values[:number]]) + tol
        streak = 0 if improved else streak + 1
        yield streak > patience


@given(scores, tolerances, patience, st.sampled_from([-np.inf, 0.0]))
def test_stops_after_too_many_values_without_improvement(values, tol, patience, best):
    rule = StoppingRule(tol, patience, best, count=0)
    expected = list(decisions(values, tol, patience, best))
    assert [rule.update(value) for value in values] == expected


@given(scores, tolerances, patience, st.data())
def test_a_stopping_rule_can_be_resumed(values, tol, patience, data):
    whole = StoppingRule(tol, patience, -np.inf, count=0)
    expected = [whole.update(value) for value in values]
    cut = data.draw(st.integers(0, len(values)))
    first = StoppingRule(tol, patience, -np.inf, count=0)
    got = [first.update(value) for value in values[:cut]]
    best = max(values[:cut], default=-np.inf)
    second = StoppingRule(tol, patience, best, first.count)
    got += [second.update(value) for value in values[cut:]]
    assert got == expected
