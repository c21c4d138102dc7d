"""make_accurate_classifier, and the parameter values that it needs."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skdigits import DigitMLPClassifier, make_accurate_classifier
from skdigits.augmentation import RandomDistortion

X, y = load_digits(return_X_y=True)


def test_make_accurate_classifier_is_an_ordinary_classifier():
    clf = make_accurate_classifier(max_iter=2, hidden_layer_sizes=(20,), random_state=0)
    assert type(clf) is DigitMLPClassifier
    params = clf.get_params()
    assert params["max_iter"] == 2
    assert params["hidden_layer_sizes"] == (20,)
    assert DigitMLPClassifier(**clf.get_params(deep=False)).get_params() == params
    assert repr(clone(clf)) == repr(clf)
    search = GridSearchCV(clf, {"augment__rotation": [0, 10]}, cv=2).fit(X, y)
    assert search.best_params_["augment__rotation"] in (0, 10)


@pytest.mark.parametrize("scale", [1 / 16, 1, 8.0])
def test_make_accurate_classifier_takes_pixels_of_any_range(scale):
    params = {"hidden_layer_sizes": (20,), "max_iter": 3, "random_state": 0}
    expected = make_accurate_classifier(**params).fit(X.astype(np.uint8), y)
    scaled = make_accurate_classifier(**params).fit(scale * X, y)
    np.testing.assert_allclose(
        scaled.predict_proba(scale * X),
        expected.predict_proba(X.astype(np.uint8)),
        atol=1e-3,
    )


def test_make_accurate_classifier_refuses_unknown_parameters():
    with pytest.raises(TypeError, match="hidden_layers"):
        make_accurate_classifier(hidden_layers=(10,))


# rescale="max"


def fitted(X=X, **params):
    return DigitMLPClassifier((5,), max_iter=2, random_state=0, **params).fit(X, y)


def test_rescale_max_divides_by_the_maximum():
    expected = fitted(rescale=1 / 16)
    np.testing.assert_array_equal(
        fitted(rescale="max").predict_proba(X), expected.predict_proba(X)
    )
    negative = fitted(-X, rescale="max")
    np.testing.assert_array_equal(
        negative.coefs_[1], fitted(-X, rescale=1 / 16).coefs_[1]
    )


def test_rescale_max_of_the_first_call_is_kept():
    resumed = fitted(rescale="max", warm_start=True)
    resumed.fit(X / 2, y)
    assert resumed.to_keras().layers[0].scale == 1 / 16
    parts = DigitMLPClassifier((5,), rescale="max", random_state=0)
    parts.partial_fit(X, y, classes=np.unique(y)).partial_fit(X / 2, y)
    assert parts.to_keras().layers[0].scale == 1 / 16


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_rescale_max_without_ink():
    np.testing.assert_array_equal(
        fitted(np.zeros_like(X), rescale="max").predict_proba(X),
        fitted(np.zeros_like(X)).predict_proba(X),
    )


# The default strengths of RandomDistortion


@pytest.mark.parametrize("side", [8, 28, 32])
def test_random_distortion_scales_its_defaults_to_the_image(side):
    images = np.random.default_rng(0).random((5, side**2))
    in_pixels = {
        "translation": side / 28,
        "elastic_sigma": 5 * side / 28,
        "elastic_std": 1.1 * side / 28,
    }
    np.testing.assert_allclose(
        RandomDistortion().sample(images, 3, random_state=0),
        RandomDistortion(**in_pixels).sample(images, 3, random_state=0),
        atol=1e-6,
    )
