"""Functions of scikit-learn inside `fit_together`, held against separate fits."""

import re
import threading
import warnings

import joblib
import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFECV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingRandomSearchCV,
    PredefinedSplit,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdigits import DigitMLPClassifier, fit_together
from skdigits._together import backend, grouping
from skdigits._training import cost_model
from skdigits.augmentation import RandomDistortion


def classifier(**params):
    """A classifier in float64, where the order of sums decides no prediction."""
    defaults = {"max_iter": 4, "random_state": 0, "dtype": "float64"}
    return DigitMLPClassifier(**{**defaults, **params})


@pytest.fixture(autouse=True)
def together(monkeypatch):
    """Networks that share rows are one program, also where it would take longer."""
    monkeypatch.setattr(grouping, "_seconds", lambda parts, n_threads: len(parts))


@pytest.fixture
def compiled(monkeypatch, compile_all):
    """XLA compiles every program, those of groups too."""
    monkeypatch.setattr(grouping, "_forms_of_program", lambda tasks: [True])


@pytest.fixture
def groups(monkeypatch):
    """Numbers of tasks that are trained in each wave."""
    sizes = []
    make_groups = backend.make_groups

    def note(tasks, *args, **options):
        sizes.append(len(tasks))
        return make_groups(tasks, *args, **options)

    monkeypatch.setattr(backend, "make_groups", note)
    return sizes


def scores_of(search):
    """Scores of every candidate on every split."""
    keys = [
        k for k in search.cv_results_ if re.fullmatch(r"split\d+_(test|train)_.*", k)
    ]
    return np.transpose([search.cv_results_[key] for key in sorted(keys)])


def grid_search(estimator, grid, X, y, *, fit_params=None, **settings):
    settings = {"cv": 2, "return_train_score": True, "refit": False, **settings}
    return GridSearchCV(estimator, grid, **settings).fit(X, y, **(fit_params or {}))


def assert_same_search(estimator, grid, X, y, **settings):
    with fit_together():
        together = grid_search(estimator, grid, X, y, **settings)
    separate = grid_search(estimator, grid, X, y, **settings)
    assert_allclose(scores_of(together), scores_of(separate), atol=1e-12)
    assert together.cv_results_.keys() == separate.cv_results_.keys()


GRIDS = {
    "widths": {"hidden_layer_sizes": [(10, 10), (25, 15), (13, 40)]},
    "depths": {"hidden_layer_sizes": [(10,), 20, (12, 9, 7)], "activation": ["tanh"]},
    "activations": [
        {"activation": ["logistic"], "hidden_layer_sizes": [(9, 5), (12, 8)]},
        {"activation": ["relu", "identity"]},
    ],
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
        "dropout": [0.3, (0.2, 0.0, 0.1)],
        "hidden_layer_sizes": [(10, 10), (25, 15)],
    },
    "solvers": [
        {"solver": ["adam", "sgd"]},
        {"ema": [0.9], "hidden_layer_sizes": [(10, 10), (25, 15)]},
    ],
    "optimizers": {
        "solver": [
            keras.optimizers.RMSprop(0.002, loss_scale_factor=100.0),
            keras.optimizers.RMSprop(0.02, loss_scale_factor=100.0),
            keras.optimizers.Lamb(0.01),
            keras.optimizers.SGD(
                keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
            ),
        ],
        "alpha": [0, 0.1],
    },
    "adam": [
        {"beta_1": [0.9, 0.5], "batch_size": ["auto"]},
        {"solver": ["adamw"], "beta_2": [0.999, 0.9], "epsilon": [1e-2]},
    ],
    "sgd": [
        {"solver": ["sgd"], "momentum": [0.9, 0], "alpha": [0.1]},
        {"solver": ["sgd"], "nesterovs_momentum": [False]},
        {
            "solver": ["sgd"],
            "learning_rate": ["invscaling"],
            "power_t": [0.2, 0.5],
            "learning_rate_init": [0.1],
        },
    ],
    "no hidden layer": {"hidden_layer_sizes": [(), (10,)], "alpha": [0, 0.1]},
    "weights": {"class_weight": [None, "balanced", {0: 3.0}]},
    "batches": {"batch_size": [50, 1000], "shuffle": [True, False]},
    "trained alone": {
        "batch_norm": [False, True],
        "warm_start": [False, True],
        "callbacks": [None, [keras.callbacks.TerminateOnNaN()]],
    },
    "distortions": {"augment": [None, RandomDistortion()]},
    "seeds": {"random_state": [0, 1], "hidden_layer_sizes": [(10, 10), (25, 15)]},
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
def test_grid_search(digits, name):
    assert_same_search(classifier(), GRIDS[name], *digits)


def test_compiled_grid_search(digits, compiled):
    grid = {"hidden_layer_sizes": [(10, 10), (16, 8)]}
    assert_same_search(classifier(dropout=0.2), grid, *digits)


@pytest.mark.parametrize("form", ["sparse", "uint8", "chunks"])
def test_grid_search_on_other_data(digits, form, monkeypatch):
    X, y = digits
    params = {}
    if form == "sparse":
        X = csr_matrix(X)
    elif form == "uint8":
        X, params = (X * 16).astype(np.uint8), {"rescale": 1 / 16}
    else:
        monkeypatch.setattr("skdigits._training.data_loader._RESIDENT_BYTES", 0)
        monkeypatch.setattr("skdigits._training.data_loader._CHUNK_BYTES", 100_000)
    grid = {"hidden_layer_sizes": [(10, 10), (25, 15)]}
    assert_same_search(classifier(**params), grid, X, y)


def test_grid_search_with_two_string_labels(digits):
    X, y = digits
    grid = {"hidden_layer_sizes": [(3, 2), (4, 4)]}
    y = np.array(["no", "yes"])[y[y < 2]]
    assert_same_search(classifier(), grid, X[digits[1] < 2], y)


def test_grid_search_with_folds_of_unequal_size(digits):
    # 100, 33 and 267 rows: epochs of different numbers of steps.
    cv = PredefinedSplit(np.repeat([0, 1, 2], [100, 33, 267]))
    grid = {"hidden_layer_sizes": [(10, 10), (5, 5)]}
    assert_same_search(classifier(), grid, *digits, cv=cv)


def test_grid_search_with_sample_weight_and_groups(digits):
    X, y = digits
    rng = np.random.default_rng(0)
    params = {
        "groups": rng.integers(0, 9, len(y)),
        "sample_weight": rng.uniform(0.1, 3, len(y)),
    }
    grid = {"hidden_layer_sizes": [(5, 5), (20, 10)]}
    assert_same_search(classifier(), grid, X, y, cv=GroupKFold(3), fit_params=params)


def test_grid_search_of_a_pipeline(digits):
    pipeline = make_pipeline(MinMaxScaler(), PCA(20, random_state=0), classifier())
    grid = {
        "minmaxscaler__feature_range": [(0, 1), (-1, 1)],
        "digitmlpclassifier__hidden_layer_sizes": [(10, 5), (20, 10)],
    }
    assert_same_search(pipeline, grid, *digits)


@pytest.mark.parametrize("limit", ["memory", "threads"])
def test_small_limits(digits, groups, limit, monkeypatch):
    if limit == "memory":
        monkeypatch.setattr(backend, "_MAX_BYTES", 100_000)  # two folds
        monkeypatch.setattr("skdigits._together.grouping._GROUP_BYTES", 100_000)
    else:
        monkeypatch.setattr(backend, "_MAX_WAITING", 3)
    grid = {"hidden_layer_sizes": [(5, 5), (9, 4), (20, 10)]}
    assert_same_search(classifier(), grid, *digits)
    assert sum(groups) == 6
    assert max(groups) <= 3


@pytest.mark.parametrize("compiled", [False, True])
def test_groups_in_threads(digits, groups, compiled, request, monkeypatch):
    if compiled:
        request.getfixturevalue("compiled")
    monkeypatch.setattr("skdigits._together.grouping._GROUP_BYTES", 100_000)
    monkeypatch.setattr(cost_model, "_BUILDING", 1e-9)
    monkeypatch.setattr("joblib.cpu_count", lambda: 3)
    grid = {
        "hidden_layer_sizes": [(5, 5), (20, 10), (7, 20)],
        "learning_rate_init": [0.001, 0.01],
    }
    assert_same_search(classifier(), grid, *digits)
    assert groups == [12]


# Other functions

FUNCTIONS = {
    "RandomizedSearchCV": lambda clf, X, y: scores_of(
        RandomizedSearchCV(
            clf, {"alpha": [0, 0.1, 1]}, n_iter=2, cv=3, random_state=0
        ).fit(X, y)
    ),
    "HalvingRandomSearchCV": lambda clf, X, y: scores_of(
        HalvingRandomSearchCV(
            clf, {"alpha": [0, 0.1, 1, 2]}, cv=2, min_resources=100, random_state=0
        ).fit(X, y)
    ),
    "cross_val_score": lambda clf, X, y: cross_val_score(clf, X, y, cv=4),
    "cross_validate": lambda clf, X, y: [
        fitted.coefs_[0]
        for fitted in cross_validate(clf, X, y, cv=2, return_estimator=True)[
            "estimator"
        ]
    ],
    "cross_val_predict": lambda clf, X, y: cross_val_predict(
        clf, X, y, cv=3, method="predict_proba"
    ),
    "learning_curve": lambda clf, X, y: learning_curve(clf, X, y, cv=2)[1:],
    "validation_curve": lambda clf, X, y: validation_curve(
        clf, X, y, param_name="alpha", param_range=[0, 1], cv=2
    ),
    "permutation_test_score": lambda clf, X, y: permutation_test_score(
        clf, X, y, cv=2, n_permutations=2, random_state=0
    )[1],
    "BaggingClassifier": lambda clf, X, y: (
        BaggingClassifier(clf, 4, random_state=0).fit(X, y).predict_proba(X)
    ),
    "VotingClassifier": lambda clf, X, y: (
        VotingClassifier(
            [("a", clf), ("b", clone(clf).set_params(alpha=1))], voting="soft"
        )
        .fit(X, y)
        .predict_proba(X)
    ),
    "StackingClassifier": lambda clf, X, y: (
        StackingClassifier([("a", clf), ("b", clone(clf))], LogisticRegression(), cv=2)
        .fit(X, y)
        .predict_proba(X)
    ),
    "OneVsRestClassifier": lambda clf, X, y: (
        OneVsRestClassifier(clf).fit(X, y).predict_proba(X)
    ),
    "CalibratedClassifierCV": lambda clf, X, y: (
        CalibratedClassifierCV(clf, cv=2).fit(X, y).predict_proba(X)
    ),
    "RFECV": lambda clf, X, y: (
        RFECV(
            clf,
            step=30,
            cv=2,
            importance_getter=lambda fitted: abs(fitted.coefs_[0]).sum(axis=1),
        )
        .fit(X, y)
        .cv_results_["mean_test_score"]
    ),
    "joblib.Parallel": lambda clf, X, y: [
        fitted.coefs_[0]
        for fitted in joblib.Parallel()(
            joblib.delayed(clone(clf).set_params(alpha=alpha).fit)(X, y)
            for alpha in (0, 0.1, 1)
        )
    ],
    "nested searches": lambda clf, X, y: cross_val_score(
        GridSearchCV(clf, {"alpha": [0, 1]}, cv=2), X, y, cv=2
    ),
}


def MinMaxThenLogistic():
    return make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=500))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_scikit_learn(digits, groups, name):
    separate = FUNCTIONS[name](classifier(), *digits)
    assert not groups
    for _ in range(2):
        with fit_together():
            together = FUNCTIONS[name](classifier(), *digits)
        assert max(groups) > 1
        assert_allclose(together, separate, atol=1e-9)


def test_results_repeat_exactly(digits):
    clf = DigitMLPClassifier(max_iter=4, random_state=0, dropout=0.1)
    with fit_together():
        first, second = (
            cross_val_predict(clf, *digits, cv=3, method="predict_proba")
            for _ in range(2)
        )
    np.testing.assert_array_equal(first, second)


def test_random_state_none_draws_as_separate_fits_do(digits):
    def draw():
        np.random.seed(0)  # noqa: NPY002
        return cross_val_predict(clf, *digits, cv=3, method="predict_proba")

    clf = classifier(random_state=None)
    state = np.random.get_state()  # noqa: NPY002
    separate = draw()
    with fit_together():
        together = draw()
    np.random.set_state(state)  # noqa: NPY002
    assert_allclose(together, separate, atol=1e-9)


# Errors


@pytest.mark.parametrize("early_stopping", [False, True])
def test_diverging_candidate_leaves_the_others_alone(digits, early_stopping):
    # Narrow networks share a block with others, whose infinity must not get there.
    X, y = digits
    sizes = [(3, 4), (8, 6), (40, 30)]
    grid = {"hidden_layer_sizes": sizes, "learning_rate_init": [0.01, 1e160]}
    clf = classifier(solver="sgd", early_stopping=early_stopping)
    with (
        fit_together(),
        pytest.warns(FitFailedWarning, match="6 fits failed out of a total of 12"),
    ):
        search = grid_search(clf, grid, X, y, error_score=-1.0)
    healthy = grid_search(
        clf, {"hidden_layer_sizes": sizes, "learning_rate_init": [0.01]}, X, y
    )
    assert_allclose(scores_of(search)[::2], scores_of(healthy), atol=1e-12)
    assert (scores_of(search)[1::2] == -1).all()
    with fit_together(), pytest.raises(ValueError, match="Training diverged"):
        grid_search(clf, grid, X, y, error_score="raise")


def test_invalid_candidate_gets_the_error_score(digits):
    with fit_together(), pytest.warns(FitFailedWarning, match="'alpha' parameter"):
        search = grid_search(
            classifier(), {"alpha": [0.0, -1.0]}, *digits, error_score=-1.0
        )
    assert (search.cv_results_["mean_test_score"] < 0).tolist() == [False, True]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("where", ["before", "after"])
def test_an_error_ends_all(digits, error, where):
    def fail(*args):
        raise error

    class Failing(DigitMLPClassifier):
        def fit(self, X, y):
            return fail() if where == "before" else super().fit(X, y)

    before = threading.active_count()
    clf = Failing(max_iter=1, random_state=0)
    with fit_together(), pytest.raises(error):
        cross_val_score(clf, *digits, cv=4, scoring=fail, error_score="raise")
    assert threading.active_count() == before


def test_interrupting_a_network_that_is_trained_alone_ends_all(digits):
    epochs = []

    class Interrupting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            epochs.append(epoch)
            raise KeyboardInterrupt

    clf = classifier(callbacks=[Interrupting()])
    with (
        fit_together(),
        pytest.warns(UserWarning, match="interrupted"),
        pytest.raises(KeyboardInterrupt),
    ):
        cross_val_score(clf, *digits, cv=4)
    assert epochs == [0]


def test_keras_callbacks_are_called_in_the_thread_of_the_caller(digits):
    threads = set()

    class Where(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            threads.add(threading.current_thread())

    with fit_together():
        cross_val_score(classifier(callbacks=[Where()]), *digits, cv=2)
    assert threads == {threading.main_thread()}


def test_convergence_warnings_are_those_of_separate_fits(digits):
    clf = classifier(tol=1e-6, max_iter=3)
    with fit_together(), pytest.warns(ConvergenceWarning, match="Maximum") as caught:
        cross_val_score(clf, *digits, cv=3)
    assert len(caught) == 3
    with fit_together(), warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises(ConvergenceWarning):
            cross_val_score(clf, *digits, cv=3, error_score="raise")


class Quiet(BaseEstimator):
    """Fits a classifier and keeps its warnings."""

    def __init__(self, clf):
        self.clf = clf

    def fit(self, X, y):
        with warnings.catch_warnings(record=True) as self.caught_:
            warnings.simplefilter("always")
            self.clf_ = clone(self.clf).fit(X, y)
        return self

    def score(self, X, y):
        return len(self.caught_)


def test_every_fit_has_warning_filters_of_its_own(digits):
    filters = list(warnings.filters)
    with fit_together():
        scores = cross_val_score(Quiet(classifier(tol=1e-6)), *digits, cv=3)
    assert scores.tolist() == [1, 1, 1]
    assert warnings.filters == filters


# Where it holds


def test_nothing_changes_outside_the_context(digits, groups):
    with fit_together():
        classifier().fit(*digits)  # not inside a call of Parallel
        inside = joblib.effective_n_jobs()
    assert joblib.effective_n_jobs() != inside
    cross_val_score(classifier(), *digits, cv=2)
    assert not groups


# scikit-learn sets warning filters in its threads, which are those of all.
@pytest.mark.changes("warning filters")
def test_two_threads_with_contexts_of_their_own(digits):
    expected = [cross_val_score(classifier(), *digits, cv=n) for n in (2, 3)]
    scores = {}

    def run(cv):
        with fit_together():
            scores[cv] = cross_val_score(classifier(), *digits, cv=cv)

    threads = [threading.Thread(target=run, args=(cv,)) for cv in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for cv, values in zip((2, 3), expected, strict=True):
        assert_allclose(scores[cv], values, atol=1e-12)


def test_contexts_inside_one_another(digits, groups):
    with fit_together(), fit_together():
        cross_val_score(classifier(), *digits, cv=3)
    assert groups == [3]


def test_other_estimators_are_fitted_as_always(digits):
    clf = MinMaxThenLogistic()
    with fit_together():
        together = cross_val_score(clf, *digits, cv=3)
    np.testing.assert_array_equal(together, cross_val_score(clf, *digits, cv=3))


def test_partial_fit_in_parallel(digits):
    X, y = digits

    def train(seed):
        clf = classifier(random_state=seed)
        for _ in range(2):
            clf.partial_fit(X, y, classes=np.arange(10))
        return clf.coefs_[0]

    with fit_together():
        together = joblib.Parallel()(joblib.delayed(train)(seed) for seed in (0, 1))
    assert_allclose(together, [train(0), train(1)], atol=1e-12)


# Configurations drawn at random


def drawn_task(rng, X, y):
    """A classifier and its rows. Few combinations of parameters shape a program."""
    shape = [
        {"activation": "relu", "solver": "adam", "batch_size": 32},
        {"activation": "tanh", "solver": "sgd", "dropout": (0.0, 0.2, 0.1)},
    ]
    clf = classifier(
        hidden_layer_sizes=[(6, 5), (12, 9)][rng.integers(2)],
        **shape[rng.integers(2)],
        alpha=float(rng.choice([0.0, 0.1])),
        learning_rate=str(rng.choice(["constant", "cosine", "adaptive"])),
        learning_rate_init=float(rng.uniform(0.001, 0.01)),
        label_smoothing=float(rng.choice([0.0, 0.1])),
        class_weight=[None, "balanced"][rng.integers(2)],
        early_stopping=bool(rng.integers(2)),
        n_iter_no_change=1,
        random_state=int(rng.integers(2)),
    )
    rows = np.arange(len(X)) if rng.integers(2) else np.arange(0, len(X), 2)
    return clf, X[rows], y[rows]


def test_sixty_drawn_configurations(digits):
    rng = np.random.default_rng(0)
    tasks = [drawn_task(rng, *digits) for _ in range(60)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        with fit_together():
            together = joblib.Parallel()(
                joblib.delayed(clone(clf).fit)(X, y) for clf, X, y in tasks
            )
        alone = [clf.fit(X, y) for clf, X, y in tasks]
    for one, other in zip(together, alone, strict=True):
        for name in ("coefs_", "intercepts_"):
            for a, b in zip(getattr(one, name), getattr(other, name), strict=True):
                assert_allclose(a, b, rtol=1e-9, atol=1e-12)
        assert one.n_iter_ == other.n_iter_
        assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-12)
