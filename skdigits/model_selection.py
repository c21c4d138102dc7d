"""Searches that train many candidates and folds as one program.

`StackedGridSearchCV` and `StackedRandomizedSearchCV` are scikit-learn's
`GridSearchCV` and `RandomizedSearchCV` for a `DigitMLPClassifier`, alone or as the
last step of a Pipeline. They give the same results sooner: a search is many
trainings of small networks, and those are stacked into few programs.
"""

import contextlib
import time
import traceback
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.base import clone, is_classifier
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    ParameterSampler,
    RandomizedSearchCV,
    check_cv,
)
from sklearn.pipeline import Pipeline
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import get_routing_for_object, process_routing

from skdigits._classifier import DigitMLPClassifier
from skdigits._sklearn_compat import (
    _check_method_params,
    _fit_context,
    _insert_error_scores,
    _num_samples,
    _routing_enabled,
    _safe_split,
    _score,
    _warn_or_raise_about_fit_failures,
    begin_fit,
    end_fit,
    has_callbacks,
)
from skdigits._together.grouping import RowsOf, make_groups
from skdigits._together.trainer import train_group, train_groups

__all__ = ["StackedGridSearchCV", "StackedRandomizedSearchCV"]

# Rows up to this size go to another process inside the task, which then can be run
# anywhere again. More would be a burden to a cluster's scheduler.
_TASK_BYTES = 4 * 2**20


@dataclass
class _Trial:
    """A candidate on a fold: what to train, and what came of it."""

    candidate: int
    split: int
    estimator: object
    train: np.ndarray
    test: np.ndarray
    task: object = None
    has_own_rows: bool = False
    seconds: float = 0.0
    error: Exception | None = None
    result: dict = field(default_factory=dict)

    @property
    def classifier(self):
        return _last_step(self.estimator)


def _last_step(estimator):
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _check_estimator(estimator):
    if not isinstance(_last_step(estimator), DigitMLPClassifier):
        raise TypeError(
            "estimator must be a DigitMLPClassifier, or a Pipeline whose last step is "
            f"one. Got {estimator!r} instead. Use scikit-learn's GridSearchCV or "
            "RandomizedSearchCV for other estimators."
        )
    if has_callbacks(_last_step(estimator)):
        raise ValueError(
            "Callbacks set with set_callbacks on the classifier cannot be told of "
            "epochs that many networks are trained in together. Use verbose=1 for a "
            "progress bar, or scikit-learn's GridSearchCV."
        )


class _StackedSearch:
    """What the stacked searches share: all but where candidates come from."""

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Train every candidate on every fold, then the best one on all data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images, a row each, or what the Pipeline takes.

        y : array-like of shape (n_samples,)
            Labels.

        **params : dict of str to object
            Passed on to `fit` of the estimator, to the splitter and to the scorer,
            as scikit-learn's searches do it; for example `sample_weight`, `groups`.

        Returns
        -------
        object
            The fitted search.

        Raises
        ------
        TypeError
            If the estimator does not end in a DigitMLPClassifier.
        ValueError
            If a parameter is not as described, or every fit failed.

        Warns
        -----
        FitFailedWarning
            If some fits failed; their scores are `error_score`.
        """
        _check_estimator(self.estimator)
        scorers, refit_metric = self._get_scorers()
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        n_splits = cv.get_n_splits(X, y, **routed.splitter.split)
        splits = list(cv.split(X, y, **routed.splitter.split))
        candidates = list(self._candidates())
        if len(splits) != n_splits or not splits or not candidates:
            raise ValueError(
                f"cv gave {len(splits)} splits where {n_splits} were announced, for "
                f"{len(candidates)} candidates. Expected at least one of each, and as "
                "many splits as announced. Pass another cv or more candidates."
            )
        weight = params.get("sample_weight")
        context = begin_fit(self, X, y, weight, max_subtasks=1 + bool(self.refit))
        trials = self._prepare(candidates, splits, X, y, routed.estimator.fit)
        scoring = _Scoring(self, scorers, X, y, routed.scorer.score, trials)
        task = context.subcontext(task_name="search")
        task.call_on_fit_task_begin(estimator=self)
        self._train(X, trials, scoring)
        task.call_on_fit_task_end(estimator=self)
        out = [trial.result for trial in trials]
        _warn_or_raise_about_fit_failures(out, self.error_score)
        if callable(self.scoring):
            _insert_error_scores(out, self.error_score)
        results = self._format_results(candidates, n_splits, out)
        self._choose(results, out, refit_metric)
        self.n_splits_ = n_splits
        self.scorer_ = getattr(scorers, "_scorers", scorers)
        if self.refit:
            self._refit(X, y, routed.estimator.fit, context)
        self.cv_results_ = results
        end_fit(context, self, X, y, weight)
        return self

    def _prepare(self, candidates, splits, X, y, fit_params):
        """A trial for every candidate and fold; transformers are fitted once a fold."""
        base = clone(self.estimator)
        trials = []
        for candidate, parameters in enumerate(candidates):
            for split, (train, test) in enumerate(splits):
                estimator = clone(base).set_params(**clone(parameters, safe=False))
                _check_estimator(estimator)
                trials.append(_Trial(candidate, split, estimator, train, test))
        for split, (train, _) in enumerate(splits):
            fold_params = _check_method_params(X, params=fit_params, indices=train)
            X_train, y_train = _safe_split(base, X, y, train)
            fold = _Fold(X_train, y_train, fold_params)
            for trial in trials:
                if trial.split == split:
                    self._prepare_trial(trial, fold)
        return trials

    def _prepare_trial(self, trial, fold):
        start = time.perf_counter()
        try:
            X, fit_params = fold.transformed_for(trial.estimator)
            trial.classifier._validate_params()
            trial.task = trial.classifier._prepare_fit(X, fold.y, **fit_params)
            # The same rows as every other candidate of the fold, checked.
            trial.task.data.X = fold.checked(X, trial.task.data.X)
            trial.has_own_rows = trial.task.data.X is fold.X
        except Exception as error:
            trial.error = error
        trial.seconds = time.perf_counter() - start

    def _train(self, X, trials, scoring):
        ready = [trial for trial in trials if trial.error is None]
        n_jobs = effective_n_jobs(self.n_jobs)
        stacks = make_groups([trial.task for trial in ready], n_jobs) if ready else []
        n_epochs = sum(trial.task.params.max_iter for trial in ready)
        with _progress_bar(self, n_epochs, len(trials)) as bar:
            scoring.score([trial for trial in trials if trial.error is not None])
            if n_jobs == 1:
                outcomes = train_groups([stack for stack, _ in stacks], bar.update)
            else:
                outcomes = Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch)(
                    delayed(_train_stack)(stack, _shared(X, stack, places, ready))
                    for stack, places in stacks
                )
            for (_, places), (trained, seconds) in zip(stacks, outcomes, strict=True):
                some = [ready[place] for place in places]
                for trial, outcome in zip(some, trained, strict=True):
                    trial.seconds += seconds / len(some)
                    if isinstance(outcome, Exception):
                        trial.error = outcome
                    else:
                        trial.classifier._finish_fit(trial.task, outcome)
                    trial.task = None
                scoring.score(some)
                bar.set_postfix(scoring.best())

    def _choose(self, results, out, refit_metric):
        """Set the `best_` attributes, as scikit-learn's searches do."""
        first_scores = out[0]["test_scores"]
        self.multimetric_ = isinstance(first_scores, dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(first_scores)
            refit_metric = self.refit
        if self.refit or not self.multimetric_:
            self.best_index_ = self._select_best_index(
                self.refit, refit_metric, results
            )
            if not callable(self.refit):
                means = results[f"mean_test_{refit_metric}"]
                self.best_score_ = means[self.best_index_]
            self.best_params_ = results["params"][self.best_index_]

    def _refit(self, X, y, fit_params, context):
        best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        task = context.subcontext(task_name="refit-with-best-params")
        with task.propagate_callback_context(best):
            task.call_on_fit_task_begin(estimator=self, X=X, y=y)
            start = time.perf_counter()
            self.best_estimator_ = best.fit(X, y, **fit_params)
            self.refit_time_ = time.perf_counter() - start
            task.call_on_fit_task_end(estimator=self, X=X, y=y)
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_


class _Fold:
    """Training rows of a fold, and what transformers make of them."""

    def __init__(self, X, y, fit_params):
        self.X, self.y, self._fit_params = X, y, fit_params
        self._transformed = []
        self._checked = []

    def transformed_for(self, estimator):
        """Rows for the classifier and what to pass to its `fit`.

        The transformers of a Pipeline are fitted, or replaced by those fitted for
        another candidate with equal ones.
        """
        if not isinstance(estimator, Pipeline):
            return self.X, self._fit_params
        wanted = _parameters(estimator)
        for parameters, fitted, X, last_params in self._transformed:
            if _same(parameters, wanted):
                estimator.steps[:-1] = fitted
                return X, last_params
        fitted, X, last_params = _fit_transformers(
            estimator, self.X, self.y, self._fit_params
        )
        estimator.steps[:-1] = fitted
        self._transformed.append((wanted, fitted, X, last_params))
        return X, last_params

    def checked(self, X, checked):
        """`checked`, or the equal array that another candidate made of X."""
        for other, its_checked in self._checked:
            if other is X:
                return its_checked
        self._checked.append((X, checked))
        return checked


def _parameters(pipeline):
    """Parameters of all steps of a Pipeline but the last."""
    last = pipeline.steps[-1][0]
    return {
        name: value
        for name, value in pipeline.get_params(deep=True).items()
        if name not in ("steps", last) and not name.startswith(f"{last}__")
    }


def _same(one, other):
    if one.keys() != other.keys():
        return False
    return all(_same_value(value, other[name]) for name, value in one.items())


def _same_value(one, other):
    if hasattr(one, "get_params"):
        return type(one) is type(other)  # its parameters are there by themselves
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, np.random.RandomState):
        return False  # each fit draws on
    return one is other or (type(one) is type(other) and bool(one == other))


def _fit_transformers(pipeline, X, y, fit_params):
    """Fit the steps before the last, as Pipeline.fit does.

    Returns
    -------
    steps : list of (str, transformer)
        Fitted.
    X : transformed rows
    last_params : dict
        What to pass to `fit` of the last step.
    """
    if getattr(pipeline, "transform_input", None):
        raise ValueError(
            "A Pipeline with transform_input cannot be searched as a stack. Got "
            f"{pipeline.transform_input!r}. Use scikit-learn's GridSearchCV, or leave "
            "transform_input at None."
        )
    before, last = pipeline[:-1], pipeline.steps[-1][0]
    if _routing_enabled():
        last_params = process_routing(pipeline, "fit", **fit_params)[last].fit
        router = get_routing_for_object(before)
        wanted = router.consumes("fit_transform", fit_params) if len(before) else ()
        before_params = {name: fit_params[name] for name in wanted}
    else:
        prefix = f"{last}__"
        last_params = {
            name.removeprefix(prefix): value
            for name, value in fit_params.items()
            if name.startswith(prefix)
        }
        before_params = {
            name: value
            for name, value in fit_params.items()
            if not name.startswith(prefix)
        }
    if len(before):
        X = before.fit_transform(X, y, **before_params)
    elif before_params:
        raise ValueError(
            "Pipeline.fit does not accept the parameters "
            f"{sorted(before_params)}. Pass them as step__parameter."
        )
    return before.steps, X, last_params


class _Scoring:
    """Scores trials as they come, and knows the best candidate so far."""

    def __init__(self, search, scorers, X, y, score_params, trials):
        self._search, self._scorers = search, scorers
        self._X, self._y, self._params = X, y, score_params
        self._trials = trials

    def score(self, trials):
        """Fill in the results of some trials."""
        for trial in trials:
            trial.result = self._result(trial)

    def _result(self, trial):
        search, scorers = self._search, self._scorers
        result = {"fit_time": trial.seconds, "score_time": 0.0, "fit_error": None}
        result["n_test_samples"] = len(np.arange(_num_samples(self._X))[trial.test])
        if trial.error is not None:
            if search.error_score == "raise":
                raise trial.error
            result["fit_error"] = "".join(traceback.format_exception(trial.error))
            scores = search.error_score
            if hasattr(scorers, "_scorers"):
                scores = dict.fromkeys(scorers._scorers, search.error_score)
            result["test_scores"] = scores
            if search.return_train_score:
                result["train_scores"] = scores
            return result
        start = time.perf_counter()
        result["test_scores"] = self._score(trial, trial.test, trial.train)
        result["score_time"] = time.perf_counter() - start
        if search.return_train_score:
            result["train_scores"] = self._score(trial, trial.train, None)
        return result

    def _score(self, trial, rows, train):
        X, y = _safe_split(trial.estimator, self._X, self._y, rows, train)
        params = _check_method_params(self._X, params=self._params, indices=rows)
        error_score = self._search.error_score
        return _score(trial.estimator, X, y, self._scorers, params, error_score)

    def best(self):
        """The best mean test score of a candidate whose folds are all done."""
        means = []
        for _, group in groupby(self._trials, key=lambda trial: trial.candidate):
            scores = [trial.result.get("test_scores") for trial in group]
            if isinstance(self._search.refit, str):
                name = self._search.refit
                scores = [s[name] if isinstance(s, dict) else s for s in scores]
            if all(isinstance(score, float | int) for score in scores):
                means.append(np.mean(scores))
        return {"best": f"{np.nanmax(means):.4f}"} if np.isfinite(means).any() else {}


class _NoBar:
    def update(self, n_epochs):
        pass

    def set_postfix(self, values):
        pass


@contextlib.contextmanager
def _progress_bar(search, n_epochs, n_trials):
    """A bar over the epochs of all networks."""
    if not search.verbose:
        yield _NoBar()
        return
    from tqdm.auto import tqdm  # slow to import

    name = f"{type(search).__name__}, {n_trials} fits"
    with tqdm(total=n_epochs, desc=name, unit="epoch") as bar:
        yield bar
        bar.update(bar.total - bar.n)  # those that stopped early


def _shared(X, stack, places, trials):
    """X, if the stack is better sent without the rows it has of it; else None.

    An argument of a task of its own is what backends share: loky as a memmap, Dask
    as scattered data. The rows of the stack become numbers of rows of X.
    """
    sent = sum(getattr(source, "nbytes", 0) for source in stack.sources)
    if not isinstance(X, np.ndarray) or sent <= _TASK_BYTES:
        return None
    replaced = False
    for place, source in zip(places, stack.source_of, strict=True):
        trial = trials[place]
        if trial.has_own_rows:
            stack.sources[source] = RowsOf(np.arange(len(X))[trial.train])
            replaced = True
    return X if replaced else None


def _train_stack(stack, X=None):
    for source in stack.sources:
        if isinstance(source, RowsOf):
            source.X = X
    return train_group(stack)


class StackedGridSearchCV(_StackedSearch, GridSearchCV):
    """Exhaustive search over parameters of a DigitMLPClassifier, trained together.

    The counterpart of :class:`sklearn.model_selection.GridSearchCV`, with its
    attributes and the same scores, up to the order in which numbers are summed. All
    candidates and folds that can share a program are trained as one stack of
    networks, which takes a fraction of the time of one after another.

    Candidates that differ in number of layers, activation, solver, batch size,
    `max_iter` or dtype are stacked apart. Networks with `batch_norm`, Keras
    callbacks, or an optimizer that looks at a variable as a whole are trained one at
    a time.

    Parameters
    ----------
    estimator : DigitMLPClassifier or Pipeline
        The classifier, or a Pipeline whose last step is one. The transformers of a
        Pipeline are fitted once for all candidates of a fold that share them.

    param_grid : dict or list of dict
        Parameter names and the values to try, as in `GridSearchCV`.

    scoring : str, callable, list, tuple or dict, default=None
        As in `GridSearchCV`.

    refit : bool, str or callable, default=True
        As in `GridSearchCV`.

    cv : int, cross-validation generator or iterable, default=None
        As in `GridSearchCV`.

    n_jobs : int, default=None
        Number of processes to spread stacks over, as in joblib. One process uses all
        cores already; more are of use on a cluster.

    verbose : int, default=0
        Whether to show one progress bar over the epochs of all networks, with the
        best mean score so far.

    error_score : 'raise' or float, default=nan
        Score of a fit that fails, such as one that diverges. Others go on.

    return_train_score : bool, default=False
        Whether to score the training rows, too.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        As in `GridSearchCV`. The time to fit is that of a stack divided by the
        number of its networks.

    best_estimator_, best_score_, best_params_, best_index_ : object
        As in `GridSearchCV`.

    scorer_, n_splits_, refit_time_, multimetric_ : object
        As in `GridSearchCV`.

    classes_ : ndarray of shape (n_classes,)
        Labels, if refitted.

    n_features_in_ : int
        Number of features, if refitted.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, where X has any, if refitted.

    Notes
    -----
    A stack takes at most about 512 MiB for weights, what the optimizer keeps of them
    and activations; larger ones are split.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdigits import DigitMLPClassifier
    >>> from skdigits.model_selection import StackedGridSearchCV
    >>> X, y = load_digits(return_X_y=True)
    >>> search = StackedGridSearchCV(
    ...     DigitMLPClassifier(max_iter=10, random_state=0),
    ...     {"hidden_layer_sizes": [(10, 10), (50, 25)]},
    ...     cv=3,
    ... ).fit(X / 16, y)
    >>> search.best_params_
    {'hidden_layer_sizes': (50, 25)}
    """

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        scoring=None,
        refit=True,
        cv=None,
        n_jobs=None,
        verbose=0,
        error_score=np.nan,
        return_train_score=False,
    ):
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            refit=refit,
            cv=cv,
            n_jobs=n_jobs,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    def _candidates(self):
        return ParameterGrid(self.param_grid)


class StackedRandomizedSearchCV(_StackedSearch, RandomizedSearchCV):
    """Randomized search over parameters of a DigitMLPClassifier, trained together.

    The counterpart of :class:`sklearn.model_selection.RandomizedSearchCV`; what
    :class:`StackedGridSearchCV` says of itself holds here.

    Parameters
    ----------
    estimator : DigitMLPClassifier or Pipeline
        The classifier, or a Pipeline whose last step is one.

    param_distributions : dict or list of dict
        Parameter names and distributions or lists, as in `RandomizedSearchCV`.

    n_iter : int, default=10
        Number of candidates.

    scoring : str, callable, list, tuple or dict, default=None
        As in `RandomizedSearchCV`.

    refit : bool, str or callable, default=True
        As in `RandomizedSearchCV`.

    cv : int, cross-validation generator or iterable, default=None
        As in `RandomizedSearchCV`.

    n_jobs : int, default=None
        Number of processes to spread stacks over, as in joblib.

    verbose : int, default=0
        Whether to show one progress bar over the epochs of all networks.

    random_state : int, RandomState instance or None, default=None
        Where candidates are drawn from.

    error_score : 'raise' or float, default=nan
        Score of a fit that fails.

    return_train_score : bool, default=False
        Whether to score the training rows, too.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        As in `RandomizedSearchCV`.

    best_estimator_, best_score_, best_params_, best_index_ : object
        As in `RandomizedSearchCV`.

    scorer_, n_splits_, refit_time_, multimetric_ : object
        As in `RandomizedSearchCV`.

    classes_ : ndarray of shape (n_classes,)
        Labels, if refitted.

    n_features_in_ : int
        Number of features, if refitted.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, where X has any, if refitted.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_digits
    >>> from skdigits import DigitMLPClassifier
    >>> from skdigits.model_selection import StackedRandomizedSearchCV
    >>> X, y = load_digits(return_X_y=True)
    >>> search = StackedRandomizedSearchCV(
    ...     DigitMLPClassifier(max_iter=10, random_state=0),
    ...     {"learning_rate_init": loguniform(1e-5, 1e-1)},
    ...     n_iter=4,
    ...     cv=3,
    ...     random_state=0,
    ... ).fit(X / 16, y)
    >>> bool(search.best_score_ > 0.9)
    True
    """

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_iter=10,
        scoring=None,
        refit=True,
        cv=None,
        n_jobs=None,
        verbose=0,
        random_state=None,
        error_score=np.nan,
        return_train_score=False,
    ):
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            refit=refit,
            cv=cv,
            n_jobs=n_jobs,
            verbose=verbose,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    def _candidates(self):
        return ParameterSampler(
            self.param_distributions, self.n_iter, random_state=self.random_state
        )
