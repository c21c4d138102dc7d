"""Checks of parameters and labels, and their conversion for training."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_sample_weight

from skdigits._fitting import split_rows
from skdigits._random import draw_seed
from skdigits._training.class_weight import row_weights
from skdigits._validation import check_classes, check_dropout, check_hidden_layer_sizes

sizes = st.lists(st.integers(1, 1000), min_size=1, max_size=4)


@given(sizes, st.sampled_from([list, tuple, np.array]))
def test_layer_sizes_are_a_tuple_of_ints(sizes, container):
    checked = check_hidden_layer_sizes(container(sizes))
    assert checked == tuple(sizes)
    assert {type(size) for size in checked} == {int}
    assert check_hidden_layer_sizes(sizes[0]) == (sizes[0],)


@given(st.integers(1, 4), st.floats(0, 0.99))
def test_one_dropout_rate_is_for_the_hidden_layers(n_hidden, rate):
    assert check_dropout(rate, n_hidden) == (0.0, *[rate] * n_hidden)
    rates = tuple(np.linspace(0, rate, n_hidden + 1))
    assert check_dropout(np.array(rates), n_hidden) == rates
    with pytest.raises(ValueError, match=f"each of the {n_hidden} hidden"):
        check_dropout(rates[1:], n_hidden)


labels = st.lists(st.integers(0, 4), min_size=1, max_size=40).map(np.array)


@given(labels)
def test_balanced_weights_are_those_of_scikit_learn(y):
    got = row_weights("balanced", np.arange(5), y, np.ones(len(y)))
    np.testing.assert_allclose(got, compute_sample_weight("balanced", y))


@given(labels, st.data())
def test_balanced_classes_have_the_same_total(y, data):
    weight = np.array([data.draw(st.sampled_from([0.0, 0.5, 1.0, 3.0])) for _ in y])
    assume(weight.any())
    got = row_weights("balanced", np.arange(5), y, weight)
    totals = np.bincount(y, weights=got, minlength=5)
    np.testing.assert_allclose(totals[totals > 0], totals.max())
    assert totals.sum() == pytest.approx(weight.sum())


def test_class_weights_are_1_unless_listed():
    classes, y = np.array(["a", "b", "c"]), np.array([0, 1, 2])
    weight = np.ones(3)
    np.testing.assert_array_equal(row_weights(None, classes, y, weight), [1, 1, 1])
    got = row_weights({"b": 2, "c": 0.0}, classes, y, weight)
    np.testing.assert_array_equal(got, [1, 2, 0])


@given(st.integers(0, 2**31), st.sampled_from([0.1, 0.25, 0.5]))
def test_held_out_rows_are_stratified(seed, fraction):
    labels = np.repeat([0, 1, 2], [20, 40, 60])
    rows, held_out = split_rows(labels, np.ones(120), fraction, seed)
    assert sorted([*rows, *held_out]) == list(range(120))
    assert (np.diff(rows) > 0).all()
    np.testing.assert_allclose(
        np.bincount(labels[held_out]), fraction * np.array([20, 40, 60])
    )
    again, _ = split_rows(labels, np.ones(120), fraction, seed)
    np.testing.assert_array_equal(again, rows)


def test_labels_of_outputs_are_numbers_by_default():
    assert check_classes(None, 3).tolist() == [0, 1, 2]
    assert check_classes(["b", "a"], 2).tolist() == ["b", "a"]


@pytest.mark.parametrize("classes", [[1], [1, 1], [0.0, np.nan], [[0, 1]]])
def test_labels_that_do_not_name_the_outputs_are_refused(classes):
    with pytest.raises(ValueError, match="classes must be 2 different labels"):
        check_classes(classes, 2)


def test_a_seed_is_drawn_once():
    assert draw_seed(3) == draw_seed(3) == draw_seed(np.random.RandomState(3))
    state = np.random.RandomState(3)
    assert draw_seed(state) != draw_seed(state)
