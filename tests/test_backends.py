"""Searches spread over workers by joblib's backends, on real ones."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import nullcontext
from pathlib import Path

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
)
from utils import code_blocks

from skdigits import DigitMLPClassifier
from skdigits.model_selection import StackedGridSearchCV

# Dask draws the pauses between its attempts to connect.
pytestmark = pytest.mark.changes("Python's random state")

GRID = {"hidden_layer_sizes": [(5, 5), (9, 4), (20, 10)]}
NAMES = ["stacked", "grid", "randomized", "halving"]
DEADLINE = 60  # seconds to wait for anything at most


def searches(n_jobs=None):
    estimator = DigitMLPClassifier(max_iter=8, random_state=0, dtype="float64")
    settings = {"cv": 2, "n_jobs": n_jobs, "refit": False}
    return {
        "stacked": StackedGridSearchCV(estimator, GRID, **settings),
        "grid": GridSearchCV(estimator, GRID, **settings),
        "randomized": RandomizedSearchCV(
            estimator, GRID, n_iter=2, random_state=0, **settings
        ),
        "halving": HalvingGridSearchCV(
            estimator, GRID, random_state=0, cv=2, n_jobs=n_jobs
        ),
    }


def scores(search):
    return search.cv_results_["mean_test_score"]


@pytest.fixture(scope="module")
def expected(digits):
    return {
        name: scores(search.fit(*digits)) for name, search in searches(n_jobs=1).items()
    }


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("name", NAMES)
def test_joblib_backends(digits, expected, backend, name):
    # scikit-learn sets warning filters in its threads, which are those of all.
    with warnings.catch_warnings(), joblib.parallel_config(backend=backend):
        search = searches(n_jobs=2)[name].fit(*digits)
    assert_allclose(scores(search), expected[name], atol=1e-12)


CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0"
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


class SchedulerAddress(str):
    """Address of the cluster, in place of a LocalCluster."""

    workers = (0, 1)


@pytest.fixture(scope="module")
def dask_cluster():
    """A cluster of two workers in a process of its own, whose environment it sets."""
    pytest.importorskip("distributed", reason="needs dask.distributed")
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield SchedulerAddress(process.stdout.readline().strip())
        process.communicate()  # the end of its input ends it


@pytest.fixture(scope="module")
def dask_client(dask_cluster):
    distributed = pytest.importorskip("distributed")
    with distributed.Client(dask_cluster) as client:
        yield client


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray", reason="needs ray")
    from joblib.pool import PicklingPool
    from ray.util.joblib import register_ray

    register_ray()
    bases = PicklingPool.__bases__  # Ray's backend replaces them
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONBREAKPOINT", "")  # so that Ray's is taken back, too
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray's own, such as files left open
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
            gc.collect()
        yield ray
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.shutdown()
            gc.collect()
    PicklingPool.__bases__ = bases


@pytest.mark.parametrize("name", NAMES)
def test_dask(digits, expected, dask_client, name):
    with joblib.parallel_config(backend="dask"):
        search = searches()[name].fit(*digits)
    assert_allclose(scores(search), expected[name], atol=1e-12)


def test_ray(digits, expected, ray):
    # One search only: each starts processes that import TensorFlow.
    with joblib.parallel_config(backend="ray"):
        search = searches(n_jobs=2)["stacked"].fit(*digits)
    assert_allclose(scores(search), expected["stacked"], atol=1e-12)


def test_dask_has_a_stack_a_worker_without_n_jobs(digits, dask_client):
    distributed = pytest.importorskip("distributed")
    with distributed.get_task_stream(client=dask_client) as stream:
        with joblib.parallel_config(backend="dask"):
            assert joblib.effective_n_jobs(None) == 2
            searches()["stacked"].fit(*digits)
    tasks = [task for task in stream.data if "batch_of" in task["key"]]
    assert len(tasks) == 2
    assert {task["worker"] for task in tasks} == set(dask_client.ncores())


def deadly_callback(folder):
    """A Keras callback that notes the processes it is in, and kills the first one."""
    import keras

    test_process = os.getpid()

    class DeadlyCallback(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            pid = os.getpid()
            Path(folder, str(pid)).touch()
            if pid == test_process:
                return
            try:
                Path(folder, "victim").touch(exist_ok=False)
            except FileExistsError:
                return
            os.kill(pid, signal.SIGKILL)

    return DeadlyCallback()


def test_ray_worker_killed_in_mid_search(digits, expected, ray, tmp_path):
    search = searches(n_jobs=2)["grid"]
    search.estimator.set_params(callbacks=[deadly_callback(tmp_path)])
    again = {"max_restarts": 3, "max_task_retries": 3}
    with joblib.parallel_config(backend="ray", ray_remote_args=again):
        search.fit(*digits)
    assert_allclose(scores(search), expected["grid"], atol=1e-12)
    names = {path.name for path in tmp_path.iterdir()}
    assert "victim" in names
    assert len(names - {"victim"}) == 3  # two workers and a successor
    assert str(os.getpid()) not in names


@pytest.fixture(scope="module")
def many_digits(digits):
    """More than 10 MiB of training rows over the folds, and what n_jobs=1 gives."""
    X, y = digits
    X, y = np.tile(X, (5, 15)), np.tile(y, 5)
    return X, y, scores(search_of_many().fit(X, y))


def search_of_many(n_jobs=None):
    estimator = DigitMLPClassifier(max_iter=1, random_state=0, dtype="float64")
    return StackedGridSearchCV(estimator, GRID, cv=3, n_jobs=n_jobs, refit=False)


def test_large_data_under_loky(many_digits):
    X, y, expected = many_digits
    with joblib.parallel_config(backend="loky"):
        search = search_of_many(n_jobs=2).fit(X, y)
    assert_allclose(scores(search), expected, atol=1e-12)


def test_large_data_is_no_part_of_dask_tasks(many_digits, dask_client):
    X, y, expected = many_digits
    # Dask would warn of a large graph, in a thread of its own.
    with joblib.parallel_config(backend="dask", scatter=[X, y]):
        held = [len(keys) for keys in dask_client.has_what().values()]
        assert held == [2, 2]
        search = search_of_many().fit(X, y)
        held = [len(keys) for keys in dask_client.has_what().values()]
        assert max(held) <= 3  # and what a stack came to
    assert_allclose(scores(search), expected, atol=1e-12)


class Killer(threading.Thread):
    """Kills the first Dask worker that is seen to run a task."""

    def __init__(self, client):
        super().__init__()
        self.client = client
        self.pids = client.run(os.getpid)
        self.killed = None
        self.search_is_over = False

    def run(self):
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and not self.search_is_over:
            running = self.client.run(
                lambda dask_worker: dask_worker.state.executing_count
            )
            for worker, n_tasks in running.items():
                if n_tasks and not self.search_is_over:
                    os.kill(self.pids[worker], signal.SIGKILL)
                    self.killed = worker
                    return
            time.sleep(0.01)


@pytest.mark.parametrize("kind", [StackedGridSearchCV, GridSearchCV])
def test_dask_worker_killed_in_mid_search(digits, dask_client, kind):
    X, y = digits
    estimator = DigitMLPClassifier(max_iter=60, random_state=0, dtype="float64")
    # What scikit-learn passes a task is to be on both workers.
    splits = list(StratifiedKFold(4).split(X, y))
    search = kind(estimator, GRID, cv=splits, refit=False, error_score="raise")
    expected = scores(search.fit(X, y))
    dask_client.wait_for_workers(2, timeout=DEADLINE)
    dask_client.amm.stop()  # it drops copies that no task waits for
    scattered = [X, y, *(rows for split in splits for rows in split)]
    with joblib.parallel_config(backend="dask", scatter=scattered):
        killer = Killer(dask_client)
        killer.start()
        search.fit(X, y)
        killer.search_is_over = True
        killer.join()
    assert killer.killed in killer.pids
    assert killer.killed not in dask_client.ncores()
    assert_allclose(scores(search), expected, atol=1e-12)


def test_guide_page(dask_cluster, ray, tmp_path, monkeypatch):
    """The code of docs/guide/clusters.md, on the clusters that are running."""
    page = Path(__file__).parents[1] / "docs/guide/clusters.md"
    if not page.exists():
        pytest.skip("needs a clone of the project")
    pytest.importorskip("dask.array")
    import distributed

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        distributed, "LocalCluster", lambda **settings: nullcontext(dask_cluster)
    )
    monkeypatch.setattr(ray, "init", lambda **settings: None)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    namespace = {}
    for block in code_blocks(page):
        exec(compile(block, page.name, "exec"), namespace)
