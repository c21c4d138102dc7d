"""Predictions averaged over distorted copies."""

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdigits import DigitMLPClassifier
from skdigits.augmentation._random_distortion import RandomDistortion
from skdigits.ensemble import DistortionAveragingClassifier

NO_DISTORTION = RandomDistortion(
    rotation=0, shear=0, scale=0, translation=0, elastic_std=0
)
SHIFT = RandomDistortion(rotation=0, shear=0, scale=0, translation=2, elastic_std=0)


@pytest.fixture(scope="module")
def fitted(digits):
    return DigitMLPClassifier(max_iter=30, random_state=0).fit(*digits)


def averaging(clf, distortion=SHIFT, **params):
    frozen = FrozenEstimator(clf)
    return DistortionAveragingClassifier(frozen, distortion, random_state=0, **params)


def test_without_distortion_it_predicts_as_the_classifier(digits, fitted):
    X, y = digits
    average = averaging(fitted, NO_DISTORTION).fit(X, y)
    np.testing.assert_allclose(
        average.predict_proba(X), fitted.predict_proba(X), atol=1e-6
    )
    np.testing.assert_array_equal(average.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(average.classes_, fitted.classes_)


def test_averages_the_image_and_its_copies(digits, fitted):
    # A shift by whole pixels is what the mean of so many shifts can be held against.
    X, y = digits
    copies = averaging(fitted, n_copies=400, strength=1.0).fit(X[:20], y[:20])
    sampled = fitted.predict_proba(SHIFT.sample(X[:20], 400, random_state=1))
    expected = sampled.reshape(20, 400, 10).mean(axis=1)
    P = copies.predict_proba(X[:20])
    np.testing.assert_allclose(P, expected, atol=0.1)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-5)
    assert abs(fitted.predict_proba(X[:20]) - expected).max() > 0.3


def test_prediction_of_a_row_is_independent_of_other_rows(digits, fitted):
    X, y = digits
    average = averaging(fitted).fit(X, y)
    P = average.predict_proba(X)
    np.testing.assert_allclose(average.predict_proba(X[::-1])[::-1], P, atol=1e-6)
    np.testing.assert_allclose(average.predict_proba(X[7:8]), P[7:8], atol=1e-6)
    np.testing.assert_array_equal(average.predict_proba(X), P)


def test_random_state_of_the_copies(digits, fitted):
    X, y = digits
    first, again, other = (
        averaging(fitted).set_params(random_state=seed).fit(X, y).predict_proba(X)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert abs(first - other).max() > 0.01


def test_fits_the_classifier(digits):
    X, y = digits
    clf = DigitMLPClassifier(max_iter=5, random_state=0)
    average = DistortionAveragingClassifier(clf, SHIFT, random_state=0).fit(X, y)
    alone = clone(clf).fit(X, y)
    np.testing.assert_array_equal(average.estimator_.coefs_[0], alone.coefs_[0])
    assert not hasattr(clf, "coefs_")
    assert average.n_features_in_ == 64


@pytest.mark.parametrize("routing", [False, True])
def test_sample_weight_is_passed_to_fit(digits, routing):
    X, y = digits
    weight = np.where(y == 3, 5.0, 1.0)
    with config_context(enable_metadata_routing=routing):
        clf = DigitMLPClassifier(max_iter=3, random_state=0)
        if routing:
            clf.set_fit_request(sample_weight=True)
        average = DistortionAveragingClassifier(clf, SHIFT, random_state=0)
        average.fit(X, y, sample_weight=weight)
    expected = DigitMLPClassifier(max_iter=3, random_state=0).fit(X, y, weight)
    np.testing.assert_array_equal(average.estimator_.coefs_[0], expected.coefs_[0])


def test_sample_weight_is_routed_to_score(digits):
    X, y = digits
    weight = np.where(y == 3, 1.0, 0.0)
    with config_context(enable_metadata_routing=True):
        clf = LogisticRegression().set_fit_request(sample_weight=False)
        average = DistortionAveragingClassifier(
            clf, SHIFT, strength=0, n_copies=1, random_state=0
        )
        average.set_score_request(sample_weight=True)
        params = {"sample_weight": weight}
        scores = cross_val_score(average, X, y, cv=2, params=params)
    predicted = cross_val_predict(clf, X, y, cv=2)
    expected = [
        np.average(predicted[part] == y[part], weights=weight[part])
        for _, part in StratifiedKFold(2).split(X, y)
    ]
    np.testing.assert_allclose(scores, expected)


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(n_estimators=10, random_state=0),
        make_pipeline(MinMaxScaler(), DigitMLPClassifier(max_iter=3, random_state=0)),
    ],
    ids=["forest", "pipeline"],
)
def test_other_classifiers(digits, estimator):
    X, y = digits
    names = np.array(["zero", "one", "two", "three", "four"] * 2)[y]
    average = DistortionAveragingClassifier(estimator, SHIFT, random_state=0)
    average.fit(X, names)
    assert set(average.predict(X)) <= set(names)
    np.testing.assert_allclose(average.predict_proba(X).sum(axis=1), 1, rtol=1e-5)


class Certain(ClassifierMixin, BaseEstimator):
    """Gives whole numbers, in an array that it keeps."""

    def fit(self, X, y):
        self.classes_, index = np.unique(y, return_inverse=True)
        self.one_hot_ = np.eye(len(self.classes_), dtype=int)[index]
        return self

    def predict_proba(self, X):
        return self.one_hot_


def test_probabilities_may_be_integers(digits):
    X, y = digits
    average = DistortionAveragingClassifier(Certain(), SHIFT, random_state=0)
    P = average.fit(X[:9], y[:9]).predict_proba(X[:9])
    np.testing.assert_allclose(P, average.estimator_.one_hot_)
    np.testing.assert_array_equal(average.predict(X[:9]), y[:9])


def test_in_searches_and_cross_validation(digits):
    X, y = digits
    clf = DigitMLPClassifier(max_iter=30, learning_rate_init=0.01, random_state=0)
    average = DistortionAveragingClassifier(clf, SHIFT, n_copies=2, random_state=0)
    average.set_params(strength=0.1)
    assert cross_val_score(average, X, y, cv=2).min() > 0.7
    grid = {"strength": [0.0, 1.0], "estimator__max_iter": [2]}
    search = GridSearchCV(average, grid, cv=2).fit(X, y)
    assert search.best_estimator_.estimator_.n_iter_ == 2


def test_uint8_images(digits):
    X, y = digits
    X = np.round(X * 16).astype(np.uint8)
    clf = DigitMLPClassifier(max_iter=3, rescale=1 / 16, random_state=0).fit(X, y)
    average = averaging(clf).fit(X, y)
    P = average.predict_proba(X)
    as_float = average.predict_proba(X.astype(np.float32))
    np.testing.assert_allclose(P, as_float, atol=1e-6)
    assert P.dtype == np.float32


@pytest.mark.parametrize(
    "frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"]
)
def test_data_frames(digits, frame):
    # As many rows as columns: a frame could take one for the other.
    X, y = digits[0][:64], digits[1][:64]
    names = [f"pixel{number}" for number in range(64)]
    named = frame(dict(zip(names, X.T, strict=True)))
    by_name = ColumnTransformer([("scale", MinMaxScaler(), names)])
    clf = make_pipeline(by_name, LogisticRegression())
    average = DistortionAveragingClassifier(clf, SHIFT, random_state=0).fit(named, y)
    assert list(average.feature_names_in_) == names
    scaling = make_pipeline(MinMaxScaler(), LogisticRegression())
    expected = DistortionAveragingClassifier(scaling, SHIFT, random_state=0)
    expected = expected.fit(X, y).predict_proba(X)
    np.testing.assert_allclose(average.predict_proba(named), expected, atol=1e-5)
    with pytest.raises(ValueError, match="feature names"):
        average.predict(named[names[::-1]])


def test_sparse_rows(digits, fitted):
    X, y = digits
    average = averaging(fitted).fit(X, y)
    P = average.predict_proba(csr_array(X))
    np.testing.assert_allclose(P, average.predict_proba(X), atol=1e-6)


def test_set_params_after_fit_does_not_change_predictions(digits, fitted):
    X, y = digits
    average = averaging(fitted, n_copies=3).fit(X, y)
    P = average.predict_proba(X)
    average.set_params(distortion=RandomDistortion(), n_copies=9, strength=0.1)
    np.testing.assert_array_equal(average.predict_proba(X), P)


def test_failed_fit_changes_nothing(digits, fitted):
    X, y = digits
    average = averaging(fitted).fit(X, y)
    P = average.predict_proba(X)
    average.set_params(estimator=DigitMLPClassifier(max_iter=2, random_state=0))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        average.fit(X[:, :49], y[:-1])
    np.testing.assert_array_equal(average.predict_proba(X), P)


def test_joblib_round_trip(digits, fitted, tmp_path):
    X, y = digits
    average = averaging(fitted).fit(X, y)
    joblib.dump(average, tmp_path / "average.joblib")
    loaded = joblib.load(tmp_path / "average.joblib")
    np.testing.assert_array_equal(loaded.predict_proba(X), average.predict_proba(X))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_copies": 0}, "The 'n_copies' parameter"),
        ({"strength": -1}, "The 'strength' parameter"),
        ({"strength": 8.0}, r"strength \* scale must be below 1"),
        ({"distortion": "shift"}, "The 'distortion' parameter"),
        ({"distortion": RandomDistortion(rotation=-1)}, "The 'rotation' parameter"),
        ({"distortion": RandomDistortion(image_shape=(9, 9))}, "image_shape"),
        ({"estimator": MinMaxScaler()}, "The 'estimator' parameter"),
    ],
)
def test_bad_parameters_are_refused_before_training(digits, params, message):
    clf = DigitMLPClassifier(max_iter=2, random_state=0)
    average = DistortionAveragingClassifier(clf, random_state=0)
    with pytest.raises(ValueError, match=message):
        average.set_params(**params).fit(*digits)
    assert not hasattr(average, "estimator_")


def test_bad_rows_are_refused(digits, fitted):
    X, y = digits
    average = averaging(fitted).fit(X, y)
    with pytest.raises(ValueError, match="X has 63 features"):
        average.predict(X[:, 1:])
    with pytest.raises(ValueError, match="NaN"):
        average.predict(np.full((2, 64), np.nan))
    with pytest.raises(ValueError, match="Got 60 features, which is not a square"):
        averaging(fitted).fit(X[:, :60], y)


def test_data_that_do_not_match_a_frozen_classifier_are_refused(digits, fitted):
    X, y = digits
    average = averaging(fitted)
    with pytest.raises(ValueError, match="expecting 64 features"):
        average.fit(X[:, :49], y)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        average.fit(X, X[:, 20])
    assert not hasattr(average, "estimator_")
