"""Searches on the workers of joblib's backends, alone and inside `fit_together`."""

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
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from utils import assert_same_text, code_and_output

from skdigits import DigitMLPClassifier, fit_together

# Dask draws the pauses between its attempts to connect.
pytestmark = pytest.mark.changes("Python's random state")

GRID = {"hidden_layer_sizes": [(5, 5), (9, 4), (20, 10)]}
CONTEXTS = {"fit_together": fit_together, "alone": nullcontext}
DEADLINE = 60  # seconds to wait for anything at most


def make_search(n_jobs=None, cv=2, **params):
    clf = DigitMLPClassifier(max_iter=8, random_state=0, dtype="float64", **params)
    return GridSearchCV(
        clf, GRID, cv=cv, n_jobs=n_jobs, refit=False, error_score="raise"
    )


def scores(search):
    return search.cv_results_["mean_test_score"]


@pytest.fixture(scope="module")
def expected(digits):
    return scores(make_search().fit(*digits))


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("context", CONTEXTS)
def test_joblib_backends(digits, expected, backend, context):
    # scikit-learn sets warning filters in its threads, which are those of all.
    with (
        warnings.catch_warnings(),
        joblib.parallel_config(backend=backend, n_jobs=2),
        CONTEXTS[context](),
    ):
        search = make_search().fit(*digits)
    assert_allclose(scores(search), expected, atol=1e-12)


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
            try:
                ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
            except OSError as error:  # a read-only file system
                pytest.skip(f"Ray cannot write to its folders: {error}")
            gc.collect()
        yield ray
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.shutdown()
            gc.collect()
    PicklingPool.__bases__ = bases


@pytest.mark.parametrize("context", CONTEXTS)
def test_dask(digits, expected, dask_client, context):
    with joblib.parallel_config(backend="dask"), CONTEXTS[context]():
        search = make_search().fit(*digits)
    assert_allclose(scores(search), expected, atol=1e-12)


def test_dask_has_a_group_for_every_worker(digits, dask_client):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.get_task_stream(client=dask_client) as stream,
        joblib.parallel_config(backend="dask"),
        fit_together(),
    ):
        make_search().fit(*digits)
    tasks = [task for task in stream.data if "batch_of" in task["key"]]
    assert len(tasks) >= 2
    assert {task["worker"] for task in tasks} == set(dask_client.ncores())


def test_tasks_of_a_killed_ray_worker_are_repeated(ray, tmp_path):
    """The settings that the guide recommends; no fits, which would take much longer."""

    def square(number):
        Path(tmp_path, str(os.getpid())).touch()
        try:
            Path(tmp_path, "victim").touch(exist_ok=False)
        except FileExistsError:
            return number**2
        os.kill(os.getpid(), signal.SIGKILL)

    again = {"max_restarts": 3, "max_task_retries": 3}
    with joblib.parallel_config(backend="ray", ray_remote_args=again):
        squares = joblib.Parallel(n_jobs=2)(map(joblib.delayed(square), range(4)))
    assert squares == [0, 1, 4, 9]
    names = {path.name for path in tmp_path.iterdir()}
    assert "victim" in names
    assert str(os.getpid()) not in names


@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_large_data(digits, dask_client, backend):
    """More than 10 MiB of training rows, which take another way to the workers."""
    X, y = digits
    X, y = np.tile(X, (5, 15)), np.tile(y, 5)
    search = make_search(cv=3)
    search.estimator.set_params(max_iter=1)
    expected = scores(search.fit(X, y))
    with joblib.parallel_config(backend=backend, n_jobs=2), fit_together():
        search.fit(X, y)
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


@pytest.mark.parametrize("context", CONTEXTS)
def test_dask_worker_killed_in_mid_search(digits, dask_client, context):
    X, y = digits
    # Every worker holds the arguments of all calls.
    splits = list(StratifiedKFold(4).split(X, y))
    search = make_search(cv=splits)
    search.estimator.set_params(max_iter=60)
    expected = scores(search.fit(X, y))
    dask_client.wait_for_workers(2, timeout=DEADLINE)
    dask_client.amm.stop()  # it drops copies that no task waits for
    scattered = [X, y, *(rows for split in splits for rows in split)]
    scatter = scattered if context == "alone" else None
    with joblib.parallel_config(backend="dask", scatter=scatter), CONTEXTS[context]():
        killer = Killer(dask_client)
        killer.start()
        search.fit(X, y)
        killer.search_is_over = True
        killer.join()
    assert killer.killed in killer.pids
    assert killer.killed not in dask_client.ncores()
    assert_allclose(scores(search), expected, atol=1e-12)


# Dask keeps the threads in which it computes arrays.
@pytest.mark.changes("threads")
def test_guide_page(dask_cluster, ray, tmp_path, monkeypatch, capsys):
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
    for code, shown in code_and_output(page.read_text("utf-8")):
        exec(compile(code, page.name, "exec"), namespace)
        assert_same_text(capsys.readouterr().out, shown)
