"""DigitMLPClassifier inside the tools of scikit-learn and its neighbours."""

import inspect

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
from scipy.stats import loguniform
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.metrics import average_precision_score, brier_score_loss, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.class_weight import compute_sample_weight

from skdigits import DigitMLPClassifier
from skdigits.augmentation._random_distortion import RandomDistortion

PARAMETERS = sorted(DigitMLPClassifier().get_params())


def quick(**params):
    """A classifier that is good at `digits` after a moment."""
    return DigitMLPClassifier(
        **{"max_iter": 10, "learning_rate_init": 0.02, "random_state": 0, **params}
    )


def non_default_parameters():
    """A valid value other than the default for every parameter."""
    import keras

    return {
        "activation": "tanh",
        "alpha": 0.01,
        "augment": RandomDistortion(rotation=5, image_shape=[8, 8]),
        "batch_norm": True,
        "batch_size": 50,
        "beta_1": 0.8,
        "beta_2": 0.99,
        "callbacks": [keras.callbacks.TerminateOnNaN(), keras.callbacks.History()],
        "class_weight": dict.fromkeys(range(10), 2.0),
        "dropout": (0.1, 0.2, 0.3, 0.0),
        "dtype": "float64",
        "early_stopping": True,
        "ema": 0.9,
        "epsilon": 1e-6,
        "hidden_layer_sizes": [9, 8, 7],
        "label_smoothing": 0.1,
        "learning_rate": "cosine",
        "learning_rate_init": 0.02,
        "max_fun": 20_000,
        "max_iter": 3,
        "momentum": 0.5,
        "n_iter_no_change": np.inf,
        "nesterovs_momentum": False,
        "power_t": 0.4,
        "random_state": np.random.RandomState(0),
        "rescale": 0.5,
        "shuffle": False,
        "solver": keras.optimizers.RMSprop(0.004, rho=0.8),
        "tol": 0.01,
        "validation_fraction": 0.2,
        "verbose": 1,
        "warm_start": True,
    }


# Pipelines and searches


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()])
def test_pipeline_scales_what_the_classifier_sees(digits, scaler):
    X, y = digits
    pipeline = make_pipeline(scaler, quick()).fit(X * 1000, y)
    assert pipeline.score(X * 1000, y) > 0.95
    by_hand = quick().fit(clone(scaler).fit_transform(X * 1000), y)
    np.testing.assert_array_equal(
        pipeline.predict_proba(X * 1000),
        by_hand.predict_proba(scaler.transform(X * 1000)),
    )


def test_pipeline_transforms_validation_rows(digits):
    X, y = digits
    with sklearn.config_context(enable_metadata_routing=True):
        clf = quick().set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline(
            [("scale", MinMaxScaler()), ("clf", clf)], transform_input=["X_val"]
        )
        pipeline.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    clf = pipeline["clf"]
    assert len(clf.validation_scores_) == clf.n_iter_ == 10
    assert clf.validation_scores_[-1] == pipeline.score(X[300:], y[300:])


def test_grid_search_finds_the_better_network(digits):
    X, y = digits
    grid = {"hidden_layer_sizes": [(1,), (25, 15)]}
    search = GridSearchCV(quick(), grid, cv=3, return_train_score=True).fit(X, y)
    assert search.best_params_ == {"hidden_layer_sizes": (25, 15)}
    assert search.best_score_ > 0.8
    for name, values in search.cv_results_.items():
        if not name.startswith("param"):
            assert np.isfinite(values).all(), name
    best = search.best_estimator_
    assert [coef.shape for coef in best.coefs_] == [(64, 25), (25, 15), (15, 10)]
    np.testing.assert_array_equal(
        search.predict_proba(X), quick().fit(X, y).predict_proba(X)
    )


def test_grid_search_over_a_pipeline(digits):
    X, y = digits
    pipeline = make_pipeline(MinMaxScaler(), quick())
    grid = {"digitmlpclassifier__learning_rate_init": [1e-6, 0.02]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_params_ == {"digitmlpclassifier__learning_rate_init": 0.02}


def test_randomized_search(digits):
    X, y = digits
    search = RandomizedSearchCV(
        quick(),
        {"learning_rate_init": loguniform(1e-3, 1e-1), "batch_size": [32, 64]},
        n_iter=3,
        cv=2,
        random_state=0,
    ).fit(X, y)
    assert 1e-3 <= search.best_params_["learning_rate_init"] <= 1e-1
    assert search.best_score_ == max(search.cv_results_["mean_test_score"]) > 0.7
    assert search.best_estimator_.get_params().items() >= search.best_params_.items()


def test_folds_are_stratified_where_labels_are_sorted_strings(digits):
    X, y = digits
    order = np.argsort(y, kind="stable")
    X, y = X[order], np.array([f"digit {label}" for label in y[order]])
    clf = quick()
    assert is_classifier(clf)
    assert is_classifier(make_pipeline(StandardScaler(), clf))
    scores = cross_val_score(clf, X, y, cv=3)
    assert (scores > 0.75).all()
    by_hand = [
        clone(clf).fit(X[train], y[train]).score(X[test], y[test])
        for train, test in StratifiedKFold(3).split(X, y)
    ]
    np.testing.assert_array_equal(scores, by_hand)
    # Whoever asks for folds that are not stratified gets them.
    assert (cross_val_score(clf, X, y, cv=KFold(3)) < 0.5).all()


def test_scorers_that_need_probabilities(digits):
    X, y = digits
    scoring = ["accuracy", "roc_auc_ovr", "neg_log_loss", "top_k_accuracy"]
    result = cross_validate(quick(), X, y, cv=3, scoring=scoring)
    assert (result["test_roc_auc_ovr"] > 0.95).all()
    assert (result["test_roc_auc_ovr"] <= 1).all()
    assert (result["test_neg_log_loss"] > -np.log(10) / 2).all()
    assert (result["test_neg_log_loss"] < 0).all()
    assert (result["test_top_k_accuracy"] >= result["test_accuracy"]).all()


def test_two_class_scorers_take_the_second_class_as_positive(digits):
    X, y = digits
    y = np.where(y < 5, "no", "yes")
    scoring = {
        "roc_auc": "roc_auc",  # takes decision_function
        "average_precision": make_scorer(
            average_precision_score,
            response_method="decision_function",
            pos_label="yes",
        ),
        "brier": make_scorer(
            brier_score_loss, response_method="predict_proba", pos_label="yes"
        ),
    }
    result = cross_validate(quick(), X, y, cv=3, scoring=scoring)
    assert (result["test_roc_auc"] > 0.9).all()
    assert (result["test_average_precision"] > 0.9).all()
    assert (result["test_brier"] < 0.15).all()


def test_cross_val_predict_has_a_column_for_every_class(digits):
    X, y = digits
    P = cross_val_predict(quick(), X, y, cv=3, method="predict_proba")
    assert P.shape == (len(y), 10)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-5)
    assert np.mean(P.argmax(axis=1) == y) > 0.8


def test_learning_curve_rises(digits):
    X, y = digits
    sizes, _, scores = learning_curve(
        quick(), X, y, train_sizes=[20, 266], cv=3, shuffle=True, random_state=0
    )
    assert sizes.tolist() == [20, 266]
    assert scores[1].mean() > scores[0].mean() + 0.1


# scikit-learn sets the filters in each thread; for processes see test_backends.
@pytest.mark.changes("warning filters")
def test_two_jobs_give_the_scores_of_one(digits):
    X, y = digits
    clf = quick(dropout=0.1)
    alone = cross_val_score(clf, X, y, cv=4, scoring="neg_log_loss")
    with joblib.parallel_config("threading"):
        together = cross_val_score(clf, X, y, cv=4, scoring="neg_log_loss", n_jobs=2)
    np.testing.assert_array_equal(together, alone)


# Ensembles and other estimators around it


def test_soft_voting_averages_probabilities(digits):
    X, y = digits
    members = [(f"seed_{seed}", quick(random_state=seed)) for seed in (0, 1)]
    vote = VotingClassifier(members, voting="soft").fit(X, y.astype(str))
    expected = np.mean([m.fit(X, y).predict_proba(X) for _, m in members], axis=0)
    np.testing.assert_allclose(vote.predict_proba(X), expected, rtol=1e-6)
    assert vote.score(X, y.astype(str)) > 0.95


def test_stacking(digits):
    X, y = digits
    stack = StackingClassifier(
        [("mlp", quick()), ("bayes", GaussianNB())],
        final_estimator=KNeighborsClassifier(),
        cv=3,
    ).fit(X[:300], y[:300])
    assert stack.transform(X[300:]).shape == (100, 20)
    assert stack.score(X[300:], y[300:]) > 0.8


@pytest.mark.parametrize("ensemble", [True, False])
def test_calibration(digits, ensemble):
    X, y = digits
    calibrated = CalibratedClassifierCV(quick(), cv=3, ensemble=ensemble)
    calibrated.fit(X[:300], y[:300])
    P = calibrated.predict_proba(X[300:])
    assert P.shape == (100, 10)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-5)
    assert calibrated.score(X[300:], y[300:]) > 0.8


def test_one_vs_rest_is_made_of_two_class_networks(digits):
    X, y = digits
    X, y = X[y < 3], y[y < 3]
    ovr = OneVsRestClassifier(quick()).fit(X, y)
    assert [member.n_outputs_ for member in ovr.estimators_] == [1, 1, 1]
    assert ovr.score(X, y) > 0.95
    np.testing.assert_array_equal(
        ovr.decision_function(X)[:, 1], ovr.estimators_[1].decision_function(X)
    )


# Metadata routing


def weights_without_threes(y):
    return np.where(y == 3, 0.0, 1.0)


@pytest.fixture
def routed():
    with sklearn.config_context(enable_metadata_routing=True):
        clf = quick().set_fit_request(sample_weight=True)
        yield clf.set_score_request(sample_weight=True)


def test_cross_validate_routes_weights_to_fit(digits, routed):
    X, y = digits

    def predicted(params):
        result = cross_validate(
            routed, X, y, cv=2, params=params, return_estimator=True
        )
        return np.concatenate([clf.predict(X) for clf in result["estimator"]])

    assert 3 in predicted({})
    assert 3 not in predicted({"sample_weight": weights_without_threes(y)})


def test_searches_and_pipelines_route_weights_to_fit(digits, routed):
    X, y = digits
    pipeline = make_pipeline(MinMaxScaler(), routed)
    pipeline.set_score_request(sample_weight=False)  # which scikit-learn 1.6 asks for
    grid = {"digitmlpclassifier__alpha": [0.0]}
    search = GridSearchCV(pipeline, grid, cv=2)
    assert 3 in search.fit(X, y).predict(X)
    weight = weights_without_threes(y)
    assert 3 not in search.fit(X, y, sample_weight=weight).predict(X)
    assert 3 not in pipeline.fit(X, y, sample_weight=weight).predict(X)


def test_pipeline_passes_weights_by_name_without_routing(digits):
    X, y = digits
    pipeline = make_pipeline(MinMaxScaler(), quick())
    weight = weights_without_threes(y)
    pipeline.fit(X, y, digitmlpclassifier__sample_weight=weight)
    assert 3 not in pipeline.predict(X)


# Weights


def test_weight_two_is_the_row_twice(digits):
    X, y = np.float64(digits[0][:100]), digits[1][:100]
    weight = np.where(np.arange(100) % 2, 1.0, 2.0)
    twice = np.repeat(np.arange(100), weight.astype(int))
    clf = quick(batch_size=1000, alpha=0.1)
    weighted = clone(clf).fit(X, y, sample_weight=weight)
    repeated = clone(clf).fit(X[twice], y[twice])
    unweighted = clone(clf).fit(X, y)
    Z = repeated.decision_function(X)
    np.testing.assert_allclose(weighted.decision_function(X), Z, rtol=1e-6)
    assert not np.allclose(unweighted.decision_function(X), Z, rtol=1e-3)


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(np.arange(10), id="integers"),
        pytest.param(np.array([f"digit {n}" for n in range(10)]), id="strings"),
        # As fetch_openml("mnist_784") has them.
        pytest.param(np.arange(10).astype(str), id="digits that are strings"),
        pytest.param(np.arange(10).astype(str).astype(object), id="such objects"),
    ],
)
def test_class_weight_is_the_sample_weight_of_the_class(digits, labels):
    X, y = digits
    weight = np.linspace(0.5, 1.5, len(y))
    by_class = {labels.tolist()[3]: 2.5, labels.tolist()[4]: 0.0}
    per_row = np.where(y == 3, 2.5, np.where(y == 4, 0.0, 1.0))
    y = labels[y]
    from_classes = quick(class_weight=by_class).fit(X, y, sample_weight=weight)
    from_rows = quick().fit(X, y, sample_weight=weight * per_row)
    np.testing.assert_array_equal(
        from_classes.predict_proba(X), from_rows.predict_proba(X)
    )
    assert labels[4] not in from_classes.predict(X)


def test_balanced_class_weight(digits):
    X, y = digits
    rows = (y != 3) | (np.arange(len(y)) < 60)  # few threes
    X, y = np.float64(X[rows]), y[rows]
    balanced = quick(class_weight="balanced").fit(X, y)
    by_hand = quick().fit(X, y, sample_weight=compute_sample_weight("balanced", y))
    P = balanced.predict_proba(X)
    np.testing.assert_allclose(P, by_hand.predict_proba(X), rtol=1e-6)
    assert not np.allclose(P, quick().fit(X, y).predict_proba(X), atol=0.01)


# Parameters


def test_every_parameter_has_a_non_default_value_here():
    values = non_default_parameters()
    assert sorted(values) == PARAMETERS
    for name, default in DigitMLPClassifier().get_params().items():
        assert values[name] is not default
        assert values[name] != default


@pytest.mark.parametrize("name", PARAMETERS)
def test_clone_keeps_the_parameter(name):
    value = non_default_parameters()[name]
    clf = DigitMLPClassifier(**{name: value})
    copied = clone(clf).get_params()[name]
    assert type(copied) is type(value)
    if name == "solver":
        assert copied is not value
        assert copied.get_config() == value.get_config()
    elif name == "augment":
        assert copied is not value
        assert copied.get_params() == value.get_params()
    elif name == "callbacks":
        assert [type(callback) for callback in copied] == [type(cb) for cb in value]
    elif name == "random_state":
        assert copied.randint(2**31) == np.random.RandomState(0).randint(2**31)
    else:
        assert copied == value


@pytest.mark.parametrize("name", PARAMETERS)
def test_set_params_and_get_params_round_trip(name):
    value = non_default_parameters()[name]
    clf = DigitMLPClassifier()
    others = clf.get_params()
    assert clf.set_params(**{name: value}) is clf
    assert clf.get_params()[name] is value
    assert getattr(clf, name) is value
    for other in set(PARAMETERS) - {name}:
        assert clf.get_params()[other] is others[other]


def test_fit_changes_no_parameter(digits):
    X, y = digits
    values = non_default_parameters()
    values["tol"] = None  # a tolerance warns when it is not reached
    values["max_fun"] = 15_000  # the only value that `fit` accepts
    class_weight = dict(values["class_weight"])
    config = values["solver"].get_config()
    clf = DigitMLPClassifier(**values)
    for _ in range(2):
        clf.fit(X, y)
        after = clf.get_params(deep=False)
        assert sorted(after) == PARAMETERS
        for name, value in values.items():
            assert after[name] is value, name
    assert values["class_weight"] == class_weight
    assert values["hidden_layer_sizes"] == [9, 8, 7]
    assert values["solver"].get_config() == config
    assert not values["solver"].built
    assert len(values["callbacks"]) == 2


def test_clone_of_a_fitted_classifier_fits_the_same(digits):
    import keras

    X, y = digits
    clf = quick(
        solver=keras.optimizers.RMSprop(0.004), callbacks=[keras.callbacks.History()]
    ).fit(X, y)
    copied = clone(clf)
    assert not hasattr(copied, "coefs_")
    np.testing.assert_array_equal(
        copied.fit(X, y).predict_proba(X), clf.predict_proba(X)
    )


def test_repr_names_the_class_and_what_was_set():
    assert repr(DigitMLPClassifier(alpha=0.5)) == "DigitMLPClassifier(alpha=0.5)"
    assert repr(DigitMLPClassifier()) == "DigitMLPClassifier()"


def test_html_repr_names_the_class(digits):
    clf = quick(alpha=0.125)
    assert "DigitMLPClassifier" in clf._repr_html_()
    html = estimator_html_repr(make_pipeline(StandardScaler(), clf))
    assert "DigitMLPClassifier" in html
    assert "0.125" in html
    assert "Not fitted" in html
    assert "DigitMLPClassifier" in estimator_html_repr(clf.fit(*digits))


def test_parameters_are_keywords_but_for_scikit_learns_first_two():
    kinds = [p.kind for p in inspect.signature(DigitMLPClassifier).parameters.values()]
    assert kinds[:2] == [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 2
    assert set(kinds[2:]) == {inspect.Parameter.KEYWORD_ONLY}


# Saving


def test_dump_and_load_predict_bit_for_bit(digits, tmp_path):
    X, y = digits
    clf = quick(batch_norm=True).fit(X, y.astype(str))
    joblib.dump(clf, tmp_path / "clf.joblib")
    loaded = joblib.load(tmp_path / "clf.joblib")
    assert loaded.get_params() == clf.get_params()
    for method in [
        "predict",
        "predict_proba",
        "predict_log_proba",
        "decision_function",
    ]:
        expected, got = getattr(clf, method)(X), getattr(loaded, method)(X)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)


def test_loaded_classifier_goes_on_training_as_the_original(digits, tmp_path):
    X, y = digits
    clf = quick(dropout=0.1).partial_fit(X, y, classes=np.arange(10))
    joblib.dump(clf, tmp_path / "clf.joblib")
    loaded = joblib.load(tmp_path / "clf.joblib")
    np.testing.assert_array_equal(
        loaded.partial_fit(X, y).predict_proba(X),
        clf.partial_fit(X, y).predict_proba(X),
    )


# Containers and dtypes


def to_pandas(X, names):
    return pd.DataFrame(X, columns=names)


def to_polars(X, names):
    return pl.DataFrame(X, schema=names)


@pytest.mark.parametrize("to_frame", [to_pandas, to_polars])
def test_feature_names(digits, to_frame):
    X, y = digits
    names = [f"pixel_{number}" for number in range(64)]
    frame = to_frame(X, names)
    quick(early_stopping=True).fit(frame, y)  # its scores warn of no names
    clf = quick().fit(frame, y)
    assert clf.feature_names_in_.tolist() == names
    expected = quick().fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(clf.predict_proba(frame), expected)
    with pytest.raises(ValueError, match="feature names should match"):
        clf.predict(to_frame(X, [f"p{number}" for number in range(64)]))
    with pytest.raises(ValueError, match="must be in the same order"):
        clf.predict(to_frame(X, names[::-1]))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        P = clf.predict_proba(X)
    np.testing.assert_array_equal(P, expected)


def test_frame_where_fit_had_none_is_warned_of(digits):
    X, y = digits
    clf = quick().fit(X, y)
    assert not hasattr(clf, "feature_names_in_")
    frame = to_pandas(X, [f"pixel_{number}" for number in range(64)])
    with pytest.warns(UserWarning, match="X has feature names, but Digit"):
        clf.predict(frame)


def test_names_of_validation_rows_are_checked(digits):
    X, y = digits
    frame = to_pandas(X, [f"pixel_{number}" for number in range(64)])
    other = to_pandas(X, [f"p{number}" for number in range(64)])
    with pytest.raises(ValueError, match="feature names should match"):
        quick().fit(frame, y, X_val=other, y_val=y)


@pytest.mark.parametrize("to_series", [pd.Series, pl.Series])
def test_labels_in_a_series(digits, to_series):
    X, y = digits
    names = y.astype(str)
    clf = quick().fit(X, to_series(names.tolist()))
    expected = quick().fit(X, names).predict(X)
    assert clf.predict(X).tolist() == expected.tolist()
    assert clf.score(X, to_series(names.tolist())) > 0.9


@pytest.mark.parametrize(
    ("container", "dtype"),
    [
        (sp.csr_matrix, np.float32),
        (sp.csc_matrix, np.float64),
        (sp.csr_array, np.uint8),
    ],
)
def test_sparse_rows_are_as_good_as_dense(digits, container, dtype):
    X, y = digits
    X = (16 * X).astype(dtype)
    clf = quick(rescale=1 / 16, early_stopping=True)
    dense = clone(clf).fit(X, y)
    sparse = clone(clf).fit(container(X), y)
    for ours, theirs in zip(sparse.coefs_, dense.coefs_, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(
        sparse.predict_proba(container(X)),
        dense.predict_proba(X),
        rtol=1e-3,
        atol=1e-6,
    )
    np.testing.assert_array_equal(sparse.predict(container(X)), dense.predict(X))


def test_bytes_with_rescale_are_scaled_floats(digits):
    X, y = digits
    X_uint8 = np.round(255 * X).astype(np.uint8)
    X_float = X_uint8 / 255
    from_uint8 = quick(rescale=1 / 255, dtype="float64").fit(X_uint8, y)
    P = from_uint8.predict_proba(X_uint8)
    assert from_uint8.score(X_uint8, y) > 0.95
    np.testing.assert_allclose(
        P, quick().fit(X_float, y).predict_proba(X_float), rtol=1e-6
    )
    # The same network takes floats of the same range.
    np.testing.assert_array_equal(P, from_uint8.predict_proba(np.float32(X_uint8)))


@pytest.mark.parametrize("dtype", [np.float16, np.int64, bool])
def test_any_real_dtype_of_X_is_float32_inside(digits, dtype):
    X, y = digits
    X = (2 * X).astype(dtype)
    clf = quick().fit(X, y)
    assert {coef.dtype for coef in clf.coefs_} == {np.dtype(np.float32)}
    expected = quick().fit(X.astype(np.float32), y).predict_proba(np.float32(X))
    np.testing.assert_array_equal(clf.predict_proba(X), expected)


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(np.array(list("abcdefghij")), id="strings"),
        pytest.param(np.array(list("abcdefghij"), dtype=object), id="objects"),
        pytest.param(np.array([-5, 0, 1, 2, 3, 50, 51, 99, 1000, 2**40]), id="gapped"),
        pytest.param(np.arange(10, dtype=np.uint8), id="uint8"),
        pytest.param(np.arange(10, dtype=np.float32), id="float32"),
    ],
)
def test_labels_round_trip(digits, labels):
    X, y = digits
    clf = quick().fit(X, labels[y])
    assert clf.classes_.dtype == labels.dtype
    assert clf.classes_.tolist() == labels.tolist()
    predicted = clf.predict(X)
    assert predicted.dtype == labels.dtype
    expected = labels[quick().fit(X, y).predict(X)]
    assert predicted.tolist() == expected.tolist()
    assert clf.score(X, labels[y]) > 0.9


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(np.array([False, True]), id="bool"),
        pytest.param(np.array(["even", "odd"]), id="strings"),
        pytest.param(np.array([-1, 1]), id="integers"),
        pytest.param(np.array([4, 9], dtype=np.int8), id="int8"),
    ],
)
def test_two_classes_round_trip(digits, labels):
    X, y = digits
    y = labels[y % 2]
    clf = quick().fit(X, y)
    predicted, P, Z = clf.predict(X), clf.predict_proba(X), clf.decision_function(X)
    assert predicted.dtype == clf.classes_.dtype == labels.dtype
    assert clf.score(X, y) > 0.9
    assert P.shape == (len(y), 2)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-6)
    assert Z.shape == (len(y),)
    np.testing.assert_array_equal(predicted, labels[(Z > 0).astype(int)])
    np.testing.assert_array_equal(predicted, labels[P.argmax(axis=1)])


@pytest.mark.parametrize("label", [7, "seven", True])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_single_class_is_certain(digits, label, early_stopping):
    X, _ = digits
    y = np.full(len(X), label)
    with pytest.warns(UserWarning, match=f"y has a single class, {label}, "):
        clf = quick(max_iter=2, early_stopping=early_stopping).fit(X, y)
    assert clf.classes_.tolist() == [label]
    assert clf.predict(X).tolist() == y.tolist()
    np.testing.assert_array_equal(clf.predict_proba(X), np.ones((len(X), 1)))
    np.testing.assert_array_equal(clf.predict_log_proba(X), np.zeros((len(X), 1)))
