"""The stacked searches, held against scikit-learn's over the same candidates."""

import re
import threading

import joblib
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_matrix
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    PredefinedSplit,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdigits import DigitMLPClassifier
from skdigits.model_selection import StackedGridSearchCV, StackedRandomizedSearchCV


def classifier(**params):
    return DigitMLPClassifier(**{"max_iter": 4, "random_state": 0, **params})


@pytest.fixture
def compiled(monkeypatch):
    """XLA compiles every program, however few its steps."""
    monkeypatch.setattr("skdigits._training.cost_model._STEPS_WORTH_COMPILING", 0)


def scores_of(search):
    """Every split score, candidates down, splits across."""
    return np.transpose(
        [
            search.cv_results_[key]
            for key in sorted(search.cv_results_)
            if re.fullmatch(r"split\d+_(test|train)_\w+", key)
        ]
    )


def both(estimator, grid, X, y, *, fit_params=None, **settings):
    settings = {"cv": 2, "return_train_score": True, **settings}
    theirs = GridSearchCV(estimator, grid, **settings)
    ours = StackedGridSearchCV(estimator, grid, **settings)
    return ours.fit(X, y, **(fit_params or {})), theirs.fit(X, y, **(fit_params or {}))


GRIDS = {
    "widths": {"hidden_layer_sizes": [(10, 10), (25, 15), (13, 40)]},
    "depths": {"hidden_layer_sizes": [(10,), 20, (12, 9, 7)], "activation": ["tanh"]},
    "activations": {
        "activation": ["relu", "logistic", "identity"],
        "hidden_layer_sizes": [(9, 5), (12, 8)],
    },
    "rates": {
        "learning_rate_init": [0.001, 0.01],
        "alpha": [0.0, 0.1],
        "label_smoothing": [0.0, 0.1],
    },
    "schedules": {
        "learning_rate": ["constant", "cosine", "adaptive"],
        "max_iter": [2, 4],
    },
    "dropout": {
        "dropout": [0.0, 0.3, (0.2, 0.0, 0.1)],
        "hidden_layer_sizes": [(10, 12), (15, 9)],
    },
    "solvers": {"solver": ["adam", "adamw", "sgd"], "ema": [None, 0.9]},
    "weights": {"class_weight": [None, "balanced", {0: 3.0}]},
    "batches": {"batch_size": [50, 1000], "shuffle": [True, False]},
    "alone": {"batch_norm": [False, True]},
    "seeds": {"random_state": [0, 1], "hidden_layer_sizes": [(10, 5), (5, 10)]},
    "stopping": {
        "early_stopping": [True],
        "validation_fraction": [0.1, 0.3],
        "n_iter_no_change": [1, 4],
        "max_iter": [8],
        "learning_rate_init": [0.02],
        "hidden_layer_sizes": [(10, 5), (20, 10)],
    },
}


@pytest.mark.parametrize("name", GRIDS)
def test_every_score_is_that_of_grid_search(digits, name):
    X, y = digits
    # In float64, where the order of sums decides no prediction.
    ours, theirs = both(classifier(dtype="float64"), GRIDS[name], X, y, refit=False)
    assert_allclose(scores_of(ours), scores_of(theirs), atol=1e-12)
    assert ours.best_params_ == theirs.best_params_
    assert ours.best_score_ == theirs.best_score_
    assert ours.cv_results_.keys() == theirs.cv_results_.keys()


def test_weights_are_those_of_a_lone_fit(digits):
    X, y = digits
    grid = {"hidden_layer_sizes": [(10, 10), (25, 15)], "alpha": [0.0, 0.5]}
    kept = []

    def keep(estimator, X, y):
        kept.append(estimator)
        return estimator.score(X, y)

    search = StackedGridSearchCV(
        classifier(dtype="float64"), grid, cv=2, scoring=keep, refit=False
    ).fit(X, y)
    assert len(kept) == 2 * len(search.cv_results_["params"])

    def is_alike(estimator, alone):
        return (
            np.allclose(alone.coefs_[0], estimator.coefs_[0], atol=1e-9)
            and np.allclose(alone.loss_curve_, estimator.loss_curve_)
            and (alone.n_iter_, alone.t_) == (estimator.n_iter_, estimator.t_)
        )

    # In what order they were scored is not promised.
    folds = [train for train, _ in StratifiedKFold(2).split(X, y)]
    for estimator in kept:
        lone = [clone(estimator).fit(X[train], y[train]) for train in folds]
        assert sum(is_alike(estimator, alone) for alone in lone) == 1


def test_compiled_stack_agrees_too(digits, compiled):
    X, y = digits
    grid = {"hidden_layer_sizes": [(10, 10), (16, 8)], "dropout": [0.0, 0.2]}
    ours, theirs = both(classifier(dtype="float64"), grid, X, y, refit=False)
    assert_allclose(scores_of(ours), scores_of(theirs), atol=1e-12)


@pytest.mark.parametrize("form", ["sparse", "uint8", "big"])
def test_other_forms_of_rows(digits, form, monkeypatch):
    X, y = digits
    params = {"dtype": "float64"}
    if form == "sparse":
        X = csr_matrix(X)
    elif form == "uint8":
        X, params = (X * 16).astype(np.uint8), {"rescale": 1 / 16}
    else:  # handed over in chunks
        monkeypatch.setattr("skdigits._together.trainer._RESIDENT_BYTES", 0)
        monkeypatch.setattr("skdigits._together.trainer._CHUNK_BYTES", 100_000)
    grid = {"hidden_layer_sizes": [(10, 10), (25, 15)], "dropout": [0, 0.1]}
    ours, theirs = both(classifier(**params), grid, X, y)
    assert_allclose(scores_of(ours), scores_of(theirs), atol=1e-12)


def test_two_classes_and_string_labels(digits):
    X, y = digits
    X, y = X[y < 2], np.array(["no", "yes"])[y[y < 2]]
    grid = {"hidden_layer_sizes": [(3, 2), (4, 4)], "alpha": [0, 1.0]}
    ours, theirs = both(classifier(dtype="float64"), grid, X, y)
    assert_allclose(scores_of(ours), scores_of(theirs), atol=1e-12)
    assert ours.classes_.tolist() == ["no", "yes"]
    assert ours.predict(X[:5]).tolist() == theirs.predict(X[:5]).tolist()


def test_folds_of_unequal_size(digits):
    X, y = digits
    # 100, 33 and 267 rows: other numbers of steps in an epoch.
    fold = np.repeat([0, 1, 2], [100, 33, 267])
    grid = {"hidden_layer_sizes": [(10, 10), (5, 5)]}
    ours, theirs = both(
        classifier(dtype="float64"), grid, X, y, cv=PredefinedSplit(fold)
    )
    assert_allclose(scores_of(ours), scores_of(theirs), atol=1e-12)


def test_pipeline_fits_its_transformers_once_a_fold(digits):
    X, y = digits
    fits = []

    class Counting(MinMaxScaler):
        def fit(self, X, y=None):
            fits.append(self.feature_range)
            return super().fit(X, y)

    pipeline = make_pipeline(Counting(), PCA(20), classifier(dtype="float64"))
    grid = {
        "counting__feature_range": [(0, 1), (-1, 1)],
        "digitmlpclassifier__hidden_layer_sizes": [(10, 5), (20, 10)],
    }
    theirs = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert len(fits) == 2 * 2 * 2 + 1
    fits.clear()
    ours = StackedGridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert len(fits) == 2 * 2 + 1
    assert_allclose(scores_of(ours), scores_of(theirs), atol=1e-12)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(
    "estimator",
    [LogisticRegression(), make_pipeline(classifier(), MinMaxScaler()), None],
)
def test_other_estimators_are_pointed_to_grid_search(digits, estimator):
    search = StackedGridSearchCV(estimator, {"C": [1.0]})
    with pytest.raises((TypeError, ValueError), match=r"GridSearchCV|estimator"):
        search.fit(*digits)


def test_diverging_candidate_leaves_the_others_alone(digits):
    X, y = digits
    grid = {"learning_rate_init": [0.001, 1e300, 0.01]}
    estimator = classifier(solver="sgd", dtype="float64", activation="identity")
    search = StackedGridSearchCV(estimator, grid, cv=3, error_score=-1.0)
    with pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 9"):
        search.fit(X, y)
    healthy = GridSearchCV(estimator, {"learning_rate_init": [0.001, 0.01]}, cv=3)
    healthy.fit(X, y)
    assert_allclose(scores_of(search)[[0, 2]], scores_of(healthy), atol=1e-12)
    assert (scores_of(search)[1] == -1).all()
    with pytest.raises(ValueError, match="Training diverged"):
        search.set_params(error_score="raise").fit(X, y)


def test_diverging_candidate_spoils_no_narrower_neighbour(digits):
    # Narrow networks share a block with others, whose infinity must not get there.
    X, y = digits
    sizes = [(3, 4), (5, 3), (8, 6), (40, 30)]
    grid = {"hidden_layer_sizes": sizes, "learning_rate_init": [0.01, 1e160]}
    estimator = classifier(solver="sgd", dtype="float64")
    search = StackedGridSearchCV(estimator, grid, cv=2, error_score=-1.0, refit=False)
    with pytest.warns(FitFailedWarning, match="8 fits failed out of a total of 16"):
        search.fit(X, y)
    healthy = GridSearchCV(
        estimator.set_params(learning_rate_init=0.01),
        {"hidden_layer_sizes": sizes},
        cv=2,
    )
    healthy.fit(X, y)
    assert_allclose(scores_of(search)[::2], scores_of(healthy), atol=1e-12)
    assert (scores_of(search)[1::2] == -1).all()


def test_invalid_candidate_gets_the_error_score(digits):
    X, y = digits
    search = StackedGridSearchCV(
        classifier(), {"alpha": [0.0, -1.0]}, cv=3, error_score=0.0
    )
    with pytest.warns(FitFailedWarning, match="'alpha' parameter"):
        search.fit(X, y)
    assert search.best_params_ == {"alpha": 0.0}
    with (
        pytest.raises(ValueError, match="All the 3 fits failed"),
    ):
        search.set_params(param_grid={"alpha": [-1.0]}).fit(X, y)


def test_several_metrics_and_callable_refit(digits):
    X, y = digits
    grid = {"hidden_layer_sizes": [(5, 5), (20, 10)]}
    scoring = {"accuracy": "accuracy", "loss": "neg_log_loss"}
    ours, theirs = both(
        classifier(dtype="float64"), grid, X, y, scoring=scoring, refit="loss"
    )
    assert_allclose(scores_of(ours), scores_of(theirs), rtol=1e-6)
    assert ours.best_params_ == theirs.best_params_
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y))
    last = StackedGridSearchCV(
        classifier(), grid, cv=3, scoring=scoring, refit=lambda results: 0
    ).fit(X, y)
    assert last.best_params_ == {"hidden_layer_sizes": (5, 5)}
    assert not hasattr(last, "best_score_")
    with pytest.raises(ValueError, match="multi-metric"):
        StackedGridSearchCV(classifier(), grid, scoring=scoring).fit(X, y)


def test_scorer_that_is_a_function_of_the_estimator(digits):
    X, y = digits

    def scoring(estimator, X, y):
        return {"hits": accuracy_score(y, estimator.predict(X)), "one": 1.0}

    search = StackedGridSearchCV(
        classifier(), {"alpha": [0.0, 0.1]}, cv=3, scoring=scoring, refit="hits"
    ).fit(X, y)
    assert search.multimetric_
    assert (search.cv_results_["mean_test_one"] == 1).all()


def test_groups_sample_weight_and_other_fit_parameters(digits):
    X, y = digits
    rng = np.random.default_rng(0)
    params = {
        "groups": rng.integers(0, 9, len(y)),
        "sample_weight": rng.uniform(0.1, 3, len(y)),
    }
    grid = {"hidden_layer_sizes": [(5, 5), (20, 10)]}
    ours, theirs = both(
        classifier(dtype="float64"), grid, X, y, cv=GroupKFold(3), fit_params=params
    )
    assert_allclose(scores_of(ours), scores_of(theirs), atol=1e-12)


def test_without_refit_it_does_not_predict(digits):
    search = StackedGridSearchCV(classifier(), {"alpha": [0.0]}, cv=2, refit=False)
    search.fit(*digits)
    assert search.best_index_ == 0
    assert not hasattr(search, "best_estimator_")
    assert not hasattr(search, "predict")
    assert not hasattr(search, "inverse_transform")


def test_fitted_search_survives_a_file(digits, tmp_path):
    X, y = digits
    grid = {"hidden_layer_sizes": [(5, 5), (9, 4)]}
    search = StackedGridSearchCV(classifier(), grid, cv=2).fit(X, y)
    joblib.dump(search, tmp_path / "search.joblib")
    loaded = joblib.load(tmp_path / "search.joblib")
    assert (loaded.predict(X) == search.predict(X)).all()
    assert clone(search).get_params()["param_grid"] == grid


def test_randomized_search(digits):
    X, y = digits
    space = {
        "learning_rate_init": loguniform(1e-4, 1e-1),
        "hidden_layer_sizes": [(10, 5), (20, 10)],
    }
    settings = {"n_iter": 5, "cv": 3, "random_state": 3, "return_train_score": True}
    estimator = classifier(dtype="float64")
    ours = StackedRandomizedSearchCV(estimator, space, **settings).fit(X, y)
    theirs = RandomizedSearchCV(estimator, space, **settings).fit(X, y)
    assert ours.cv_results_["params"] == theirs.cv_results_["params"]
    assert_allclose(scores_of(ours), scores_of(theirs), atol=1e-12)


def test_stacks_in_two_processes(digits):
    X, y = digits
    grid = {"hidden_layer_sizes": [(5, 5), (9, 4), (20, 10)]}
    one = StackedGridSearchCV(classifier(), grid, cv=2).fit(X, y)
    two = StackedGridSearchCV(classifier(), grid, cv=2, n_jobs=2).fit(X, y)
    assert_allclose(scores_of(one), scores_of(two), atol=0.02)


def test_small_memory_budget_splits_stacks(digits, monkeypatch):
    X, y = digits
    grid = {"hidden_layer_sizes": [(5, 5), (9, 4), (20, 10)]}
    monkeypatch.setattr("skdigits._together.grouping._GROUP_BYTES", 100_000)
    ours, theirs = both(classifier(dtype="float64"), grid, X, y)
    assert_allclose(scores_of(ours), scores_of(theirs), atol=1e-12)


@pytest.fixture
def several_threads(monkeypatch):
    """Small searches are cut up and trained side by side as large ones are."""
    monkeypatch.setattr("skdigits._together.grouping._GROUP_BYTES", 100_000)
    monkeypatch.setattr("skdigits._together.trainer._SECONDS_FOR_A_THREAD", 1e-9)
    monkeypatch.setattr("joblib.cpu_count", lambda: 3)


@pytest.mark.parametrize("compiled", [False, True])
def test_stacks_side_by_side(digits, several_threads, compiled, request, capsys):
    if compiled:
        request.getfixturevalue("compiled")
    X, y = digits
    grid = {
        "hidden_layer_sizes": [(5, 5), (20, 10), (7, 20)],
        "learning_rate_init": [0.001, 0.01],
    }
    ours, theirs = both(classifier(dtype="float64"), grid, X, y, verbose=1, refit=False)
    assert_allclose(scores_of(ours), scores_of(theirs), atol=1e-12)
    n_epochs = 6 * 2 * 4
    assert f"{n_epochs}/{n_epochs}" in capsys.readouterr().err


def test_keras_callbacks_stay_in_the_main_thread(digits, several_threads):
    threads = set()

    class Where(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            threads.add(threading.current_thread())

    grid = {
        "hidden_layer_sizes": [(5, 5), (9, 4), (20, 10)],
        "callbacks": [None, [Where()]],
    }
    search = StackedGridSearchCV(classifier(max_iter=3), grid, cv=2, refit=False)
    search.fit(*digits)
    assert threads == {threading.main_thread()}


def test_search_that_fails_leaves_no_thread_behind(digits, several_threads):
    def scorer(estimator, X, y):
        raise KeyboardInterrupt

    before = threading.active_count()
    grid = {"hidden_layer_sizes": [(5, 5), (9, 4), (20, 10)]}
    search = StackedGridSearchCV(classifier(), grid, cv=4, scoring=scorer)
    with pytest.raises(KeyboardInterrupt):
        search.fit(*digits)
    assert threading.active_count() == before


def test_keras_callbacks_and_optimizers(digits):
    X, y = digits
    grid = {
        "solver": [
            keras.optimizers.RMSprop(0.002, loss_scale_factor=100.0),
            keras.optimizers.RMSprop(0.02, loss_scale_factor=100.0),
            keras.optimizers.Lamb(0.01),
            keras.optimizers.Adam(0.01, clipnorm=0.1),
            keras.optimizers.SGD(
                keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
            ),
        ],
        "callbacks": [None, [keras.callbacks.TerminateOnNaN()]],
    }
    ours, theirs = both(classifier(dtype="float64"), grid, X, y, refit=False)
    assert_allclose(scores_of(ours), scores_of(theirs), atol=1e-12)


def test_tol_warns_as_a_lone_fit_does(digits):
    X, y = digits
    search = StackedGridSearchCV(
        classifier(tol=1e-6, max_iter=3), {"alpha": [0, 0.1]}, cv=2, refit=False
    )
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        search.fit(X, y)


def test_verbose_shows_one_bar_with_the_best_score(digits, capsys):
    grid = {"hidden_layer_sizes": [(5, 5), (9, 4)]}
    StackedGridSearchCV(classifier(), grid, cv=2, verbose=1).fit(*digits)
    out, err = capsys.readouterr()
    assert out == ""
    assert "16/16" in err
    assert "best=" in err


def test_nested_in_cross_val_score(digits):
    X, y = digits
    settings = {"cv": 2, "scoring": make_scorer(accuracy_score)}
    grid = {"learning_rate_init": [0.001, 0.01]}
    estimator = classifier(dtype="float64")
    ours = StackedGridSearchCV(estimator, grid, **settings)
    theirs = GridSearchCV(estimator, grid, **settings)
    assert_allclose(
        cross_val_score(ours, X, y, cv=2), cross_val_score(theirs, X, y, cv=2)
    )


@pytest.mark.parametrize("cv", [1, "x"])
def test_bad_cv(digits, cv):
    search = StackedGridSearchCV(classifier(), {"alpha": [0.0]}, cv=cv)
    with pytest.raises(ValueError, match="cv"):
        search.fit(*digits)


def test_images_scaled_by_the_grid():
    X, y = load_digits(return_X_y=True)
    search = StackedGridSearchCV(
        DigitMLPClassifier(max_iter=10, random_state=0),
        {"hidden_layer_sizes": [(25, 15), (50, 30)]},
        cv=3,
    ).fit(X / 16, y)
    assert search.best_score_ > 0.9


# Not every check sets a seed.
@pytest.mark.changes("NumPy's random state")
# scikit-learn's folding casts the labels that a check has made infinite.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@parametrize_with_checks(
    [
        StackedGridSearchCV(
            DigitMLPClassifier(
                max_iter=15, learning_rate_init=0.01, batch_size=8, random_state=0
            ),
            {"alpha": [0.0, 0.1]},
            cv=2,
            error_score="raise",
        )
    ]
)
def test_sklearn_compatible(estimator, check):
    check(estimator)
