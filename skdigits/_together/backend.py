"""`fit_together`: a joblib backend that trains the fits of many calls together.

Every function that is submitted to `joblib.Parallel` runs in a thread of its own, but
only one of these threads, or the thread of the caller, runs at a time: the order of
execution, and with it every result, depends on the functions alone. A thread whose
`fit` reaches training waits there. When every thread waits or has ended, the waiting
tasks are trained in groups, and the threads continue.
"""

import contextvars
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

import joblib
from joblib.parallel import ParallelBackendBase, get_active_backend

from skdigits._together.data_sets import n_bytes, number_data_sets
from skdigits._together.grouping import TaskGroup, can_be_grouped, make_groups
from skdigits._together.trainer import train_group, train_groups
from skdigits._training import trainer
from skdigits._training.task import TrainingResult, TrainingTask

# Maximum bytes of the training data of waiting threads, each of which holds a copy.
_MAX_BYTES = 384 * 2**20
# Maximum number of threads that wait.
_MAX_WAITING = 256
# Maximum bytes of training data inside a call that is sent to a worker. More would be a
# burden to the scheduler of a cluster.
_MAX_CALL_BYTES = 4 * 2**20
# The number of parts into which scikit-learn may divide its work.
_N_JOBS = 128

_local = threading.local()


@contextmanager
def fit_together() -> Iterator[None]:
    """Train the networks of all fits inside the context together.

    Inside the context, all functions of scikit-learn that use :class:`joblib.Parallel`
    run unmodified: searches, cross-validation, learning curves, bagging and so on. Fits
    of :class:`~skdigits.DigitMLPClassifier` that are independent are trained as few
    TensorFlow programs, which is faster than one program per fit. Results equal those
    of separate fits up to rounding, and repeat exactly.

    A network has a program of its own if it has `batch_norm`, `augment`, dropout of
    the input or an optimizer that is not elementwise; several of these networks are
    trained at a time, in threads. A network is trained alone if it has `callbacks`,
    `warm_start` or no hidden layer, in `partial_fit`, and in a fit outside of
    :class:`joblib.Parallel`. Other estimators are fitted one after the other.

    The `n_jobs` of functions inside the context is ignored, except that with
    ``n_jobs=1`` an ensemble fits its members one after the other. If another
    joblib backend with several workers is active outside the context, such as 'loky',
    Dask or Ray, its workers train the groups.

    Fits are trained in waves so that their copies of the training data take at most
    384 MiB in total.

    Yields
    ------
    None
        The context has no value.

    See Also
    --------
    joblib.parallel_config : Selects the backend whose workers train the groups.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdigits import DigitMLPClassifier, fit_together
    >>> X, y = load_digits(return_X_y=True)
    >>> grid = {"hidden_layer_sizes": [(10, 5), (25, 15)]}
    >>> clf = DigitMLPClassifier(max_iter=5, random_state=0)
    >>> with fit_together():
    ...     search = GridSearchCV(clf, grid, cv=3).fit(X, y)
    >>> search.best_params_
    {'hidden_layer_sizes': (25, 15)}
    """
    outer, n_jobs = get_active_backend()
    if isinstance(outer, TogetherBackend):
        yield
        return
    with joblib.parallel_config(backend=TogetherBackend(outer, n_jobs)):
        yield


fit_together.__module__ = "skdigits"


def train(
    task: TrainingTask, *, incremental: bool = False, reporter: Any = None
) -> TrainingResult:
    """Train one network, with others if `fit_together` is active.

    The parameters are those of `skdigits._training.trainer.train`.
    """
    call = getattr(_local, "call", None)
    if call is None:
        return trainer.train(task, incremental=incremental, reporter=reporter)
    return call.wait_for_training(task, incremental, reporter)


class _Abandoned(BaseException):
    """Ends a thread whose result is no longer needed."""


class _Call(threading.Thread):
    """A submitted function, which runs in steps until it waits for training or ends."""

    def __init__(
        self, function: Callable[[], Any], callback: Any, run_all: Callable[[], None]
    ) -> None:
        super().__init__(name="fit_together", daemon=True)
        self._run_all = run_all
        self._function = function
        self._callback = callback
        self._context = contextvars.copy_context()
        self._warnings = _WarningState()
        self._resumed = threading.Semaphore(0)
        self._paused = threading.Semaphore(0)
        self.task: TrainingTask
        self._options: dict[str, Any]
        self.outcome: TrainingResult | BaseException
        self._is_abandoned = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.has_ended = False

    @property
    def n_bytes(self) -> int:
        """Size of the training data that it holds while it waits."""
        return n_bytes(self.task.data.X)

    @property
    def can_be_grouped(self) -> bool:
        """Whether the task that it waits for can be trained with others."""
        incremental, reporter = self._options.values()
        return not incremental and reporter is None and can_be_grouped(self.task)

    # In the thread of the caller

    def get(self) -> Any:
        """Run all calls, and return the result of this one, as joblib asks for it."""
        if not self.has_ended:
            self._run_all()
        if self.error is not None:
            raise self.error
        return self.result

    def step(self) -> None:
        """Run the function until it waits or ends."""
        with self._warnings.installed():
            if self.ident is None:
                self.start()
            else:
                self._resumed.release()
            try:
                self._paused.acquire()
            except BaseException:  # Ctrl-C
                self._is_abandoned = True
                raise
        if self.has_ended:
            self.join()
            if self._callback is not None:
                self._callback(self)

    def train_alone(self) -> None:
        """Train the task that it waits for."""
        with self._warnings.installed():
            try:
                self.outcome = trainer.train(self.task, **self._options)
            except Exception as error:
                self.outcome = error
                return
        if self.outcome.interrupted:
            raise KeyboardInterrupt

    def abandon(self) -> None:
        """End the function where it waits."""
        self._is_abandoned = True
        self._resumed.release()
        self.join()

    # In its own thread

    def run(self) -> None:
        _local.call = self
        try:
            self.result = self._context.run(self._function)
        except BaseException as error:
            self.error = error
        finally:
            self.has_ended = True
            self._paused.release()

    def wait_for_training(
        self, task: TrainingTask, incremental: bool, reporter: Any
    ) -> TrainingResult:
        """Wait until `task` has been trained; return its result or raise its error."""
        self.task = task
        self._options = {"incremental": incremental, "reporter": reporter}
        if not self._is_abandoned:
            self._paused.release()
            self._resumed.acquire()
        del self.task
        if self._is_abandoned:
            raise _Abandoned
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


class _WarningState:
    """Filters and handlers of warnings of one thread.

    They are global, and `warnings.catch_warnings` restores them in the wrong order if
    the threads that use it alternate.
    """

    _NAMES = ("filters", "showwarning", "_showwarnmsg_impl")

    def __init__(self) -> None:
        self._state = {**self._current(), "filters": list(warnings.filters)}

    def _current(self) -> dict[str, Any]:
        return {n: getattr(warnings, n) for n in self._NAMES if hasattr(warnings, n)}

    def _install(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(warnings, name, value)
        with warnings.catch_warnings():  # invalidates the cache of filtered warnings
            pass

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Use this state inside the context."""
        outside = self._current()
        self._install(self._state)
        try:
            yield
        finally:
            self._state = self._current()
            self._install(outside)


class TogetherBackend(ParallelBackendBase):
    """The joblib backend of `fit_together`.

    Parameters
    ----------
    outer : joblib.ParallelBackendBase
        Backend whose workers train the groups if it has more than one.
    n_jobs : int or None
        Number of workers to use, as in joblib.
    """

    supports_sharedmem = True
    supports_timeout = False
    uses_threads = True
    default_n_jobs = _N_JOBS

    def __init__(self, outer: Any, n_jobs: int | None, **settings: Any) -> None:
        super().__init__(**settings)
        self._outer = {"backend": outer, "n_jobs": n_jobs}
        self._n_workers = joblib.effective_n_jobs(n_jobs)
        self._pending: deque[_Call] = deque()
        self._waiting: list[_Call] = []

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Number of parts to divide work into, independent of `n_jobs`."""
        return _N_JOBS

    def get_nested_backend(self) -> Any:
        """Nested calls run one after the other, in the thread of their caller."""
        return joblib.parallel.SequentialBackend(nesting_level=1), None

    def submit(self, func: Callable[[], Any], callback: Any = None) -> _Call:
        """Add a function to the calls to run."""
        call = _Call(func, callback, self._run)
        self._pending.append(call)
        return call

    apply_async = submit  # its name before joblib 1.5

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Abandon all calls that have not ended."""
        self._pending.clear()
        while self._waiting:
            self._waiting.pop().abandon()

    def terminate(self) -> None:
        """Abandon all calls that have not ended."""
        self.abort_everything()

    def _run(self) -> None:
        try:
            while self._pending or self._waiting:
                self._run_wave()
        except BaseException:
            self.abort_everything()
            raise

    def _run_wave(self) -> None:
        total = sum(call.n_bytes for call in self._waiting)
        while (
            self._pending and total < _MAX_BYTES and len(self._waiting) < _MAX_WAITING
        ):
            total += self._step(self._pending.popleft())
        calls, self._waiting = self._waiting, []
        remaining = dict.fromkeys(calls)
        try:
            with closing(self._trained(calls)) as trained:
                for call in trained:
                    del remaining[call]
                    self._step(call)
        finally:
            self._waiting += remaining  # to be abandoned after an error

    def _step(self, call: _Call) -> int:
        """Run a call until it ends or waits for a group; return its bytes of data."""
        call.step()
        while not call.has_ended and not call.can_be_grouped:
            call.train_alone()
            call.step()
        if not call.has_ended:
            self._waiting.append(call)
            return call.n_bytes
        if call.error is not None:
            raise call.error
        return 0

    def _trained(self, calls: list[_Call]) -> Generator[_Call, None, None]:
        """Train the tasks of calls; yield each call when it can continue.

        Other groups may still be trained in other threads then.
        """
        tasks = [call.task for call in calls]
        number_data_sets(tasks)
        if self._n_workers == 1:
            groups = make_groups(tasks, joblib.cpu_count())
            outcomes = train_groups([group for group, _ in groups])
        else:
            groups = make_groups(tasks, self._n_workers, n_groups=self._n_workers)
            with joblib.parallel_config(**self._outer):
                outcomes = joblib.Parallel()(
                    joblib.delayed(_train_remotely)(group, *_shared_sources(group))
                    for group, _ in groups
                )
        for (_, numbers), results in zip(groups, outcomes, strict=True):
            for number, outcome in zip(numbers, results, strict=True):
                calls[number].outcome = outcome
            yield from (calls[number] for number in numbers)


def _shared_sources(group: TaskGroup) -> list[Any]:
    """Remove large data from a group, and return it.

    Backends share large arguments of a call between workers. Small data stays in the
    group, so the call can run again on any worker if its own is lost.
    """
    if sum(map(n_bytes, group.sources)) <= _MAX_CALL_BYTES:
        return []
    sources, group.sources = group.sources, []
    return sources


def _train_remotely(group: TaskGroup, *sources: Any) -> list[Any]:
    if sources:
        group.sources = list(sources)
    return train_group(group)
