"""The state of a saved classifier: taken as it was, or refused."""

from itertools import pairwise

import numpy as np
import pytest

import skdigits
from skdigits._persistence import (
    FORMAT,
    checkpoint_state,
    is_fitted_state,
    migrate_state,
    version_stamp,
)
from skdigits._training.task import Checkpoint


def make_state(out_activation="softmax", dtype="float32"):
    """The saved state of a classifier for 6 features with two hidden layers."""
    n_outputs, n_classes = (1, 2) if out_activation == "logistic" else (3, 3)
    sizes = [6, 5, 4, n_outputs]
    shapes = list(pairwise(sizes))
    return {
        "alpha": 0.5,
        "coefs_": [np.ones(shape, dtype) for shape in shapes],
        "intercepts_": [np.ones(size, dtype) for size in sizes[1:]],
        "classes_": np.arange(n_classes),
        "n_features_in_": 6,
        "n_outputs_": n_outputs,
        "out_activation_": out_activation,
        "_activation": "relu",
        "_batch_norms": [],
        "_dropout": (0.0, 0.0, 0.0),
        "_rescale": 0.25,
        "_training_state": checkpoint_state(Checkpoint(seed=1, arrays=[])),
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("out_activation", ["softmax", "logistic"])
def test_a_whole_state_comes_back_without_its_stamp(out_activation, dtype):
    state = make_state(out_activation, dtype)
    assert migrate_state(state | version_stamp()) == state
    assert migrate_state(state) == state  # as the oldest files have it
    not_fitted = {"alpha": 0.5}
    assert migrate_state(not_fitted | version_stamp()) == not_fitted


def test_the_saved_state_is_left_unchanged():
    state = make_state() | version_stamp()
    before = dict(state)
    migrate_state(state)
    assert state == before


def test_the_stamp_says_what_wrote_it():
    assert version_stamp() == {
        "_skdigits_format": FORMAT,
        "_skdigits_version": skdigits.__version__,
    }


def test_a_newer_format_is_warned_of():
    newer = {"_skdigits_format": FORMAT + 1, "_skdigits_version": "9.9.0"}
    with pytest.warns(UserWarning, match=r"by skdigits 9\.9\.0.*Upgrade skdigits"):
        migrate_state(make_state() | newer)


FITTED = sorted(make_state().keys() - {"alpha"})


@pytest.mark.parametrize("name", sorted(set(FITTED) - {"coefs_"}))
def test_a_missing_part_is_named(name):
    state = make_state()
    del state[name]
    with pytest.raises(ValueError, match=f"Cannot load this.*{name}.* missing"):
        migrate_state(state)


@pytest.mark.parametrize("name", FITTED)
def test_parts_are_known_to_come_from_fitting(name):
    assert is_fitted_state(name)
    assert not is_fitted_state(name.strip("_") + "_x")


DAMAGE = {
    "format": ({"_skdigits_format": "1"}, "its format is '1'"),
    "format 0": ({"_skdigits_format": 0}, "its format is 0"),
    "no weights": ({"coefs_": []}, "coefs_ and intercepts_"),
    "layers": ({"coefs_": [np.zeros((6, 5), "f4")]}, "same length"),
    "tuple": ({"coefs_": ()}, "coefs_ and intercepts_"),
    "features": ({"n_features_in_": 65}, r"shape \(6, 5\) where \(65, 5\) fits"),
    "outputs": ({"n_outputs_": 2}, "2 outputs"),
    "no outputs": ({"n_outputs_": []}, "its n_outputs_ is"),
    "output activation": ({"out_activation_": "logistic"}, "outputs"),
    "classes": ({"classes_": np.arange(4)}, "its classes are"),
    "list of classes": ({"classes_": list(range(3))}, "its classes are"),
    "activation": ({"_activation": "rely"}, "its _activation is 'rely'"),
    "no activation": ({"_activation": []}, "its _activation is"),
    "rescale": ({"_rescale": -1.0}, "its rescale is -1.0"),
    "training": ({"_training_state": {"seed": 0}}, "_training_state"),
}


@pytest.mark.parametrize(("changes", "message"), DAMAGE.values(), ids=DAMAGE)
def test_parts_that_do_not_fit_together_are_refused(changes, message):
    with pytest.raises(ValueError, match=f"Cannot load this.*{message}.*another copy"):
        migrate_state(make_state() | changes)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda array: array.astype("f2"), "dtype float16"),
        (lambda array: array.astype("f8"), "dtype float64"),
        (lambda array: array[0], "dimensions"),
        (lambda array: array.tolist(), "dimensions"),
        (lambda array: array * np.float32(np.nan), "not finite"),
    ],
)
@pytest.mark.parametrize("name", ["coefs_", "intercepts_"])
def test_spoiled_weights_are_refused(name, spoil, message):
    state = make_state()
    state[name][-1] = spoil(state[name][-1])
    with pytest.raises(ValueError, match=f"Cannot load this.*{name}.*{message}"):
        migrate_state(state)


ANYTHING = [None, True, 0, -1, 3, 0.5, np.nan, "", "tanh", b"", [], [1, 2], {}]
ANYTHING += [{"seed": 0}, np.zeros((2, 3)), np.zeros(3), np.array(None), object()]


@pytest.mark.parametrize("name", FITTED)
def test_anything_else_in_place_of_a_part_is_refused_or_another_value(name):
    taken = []
    for value in ANYTHING:
        try:
            taken.append(migrate_state(make_state() | {name: value})[name])
        except ValueError as error:
            if not str(error).startswith("Cannot load this DigitMLPClassifier"):
                raise
    fine = {"_activation": ["tanh"], "_rescale": [None, 0.5], "n_outputs_": [3]}
    fine["_training_state"] = [None]
    if name == "classes_":
        assert [classes.shape for classes in taken] == [(3,)]
    elif name in ("_batch_norms", "_dropout"):  # looked at when training goes on
        assert len(taken) == len(ANYTHING)
    else:
        assert taken == fine.get(name, [])
