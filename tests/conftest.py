"""Fixtures that several test files share, and a check that no test leaves traces."""

import os
import random
import re
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state

# Variables that TensorFlow, Ray and threadpoolctl set when they are imported, and
# pytest when it runs a test.
_SET_BY_IMPORTS = ("ENABLE_RUNTIME_", "HDF5_", "KMP_", "RAY_", "TF2_", "TPU_")
_SET_BY_PYTEST = ("PYTEST_",)


@pytest.fixture(scope="session")
def digits():
    """400 digits of 8 x 8 pixels in 0 to 1, float32, and their labels; read-only."""
    X, y = load_digits(return_X_y=True)
    X, y = (X[:400] / 16).astype(np.float32), y[:400]
    X.flags.writeable = y.flags.writeable = False
    return X, y


def process_state():
    """The global state that every test must leave as it was."""
    _, keys, *rest = check_random_state(None).get_state()
    return {
        "environment": {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_SET_BY_IMPORTS + _SET_BY_PYTEST)
        },
        "working directory": os.getcwd(),
        # Hidden files are caches of the test tools.
        "files in the working directory": {f for f in os.listdir() if f[0] != "."},
        "NumPy's random state": (keys.tolist(), rest),
        "NumPy's error handling": np.geterr(),
        "Python's random state": random.getstate(),
        # Keras imports requests, which sets filters for warnings of its own.
        "warning filters": [
            entry
            for entry in warnings.filters
            if not entry[2].__module__.startswith(("requests.", "urllib3."))
        ],
        # joblib keeps its worker processes for the next call, and a thread for them.
        "threads": {
            thread
            for thread in threading.enumerate()
            if not thread.daemon and "ExecutorManager" not in thread.name
        },
        "standard streams": (sys.stdin, sys.stdout, sys.stderr),
    }


def check_state(node, names=None):
    """Compare the global state after a test, or a file of tests, with that before."""
    allowed = {name for mark in node.iter_markers("changes") for name in mark.args}
    before = process_state()
    yield
    after = process_state()
    for name in (names or before.keys()) - allowed:
        assert after[name] == before[name], f"a test has changed the {name}"


@pytest.fixture(autouse=True)
def leaves_no_traces(request):
    yield from check_state(request.node)


@pytest.fixture(autouse=True, scope="module")
def fixtures_leave_no_traces(request):
    """As `leaves_no_traces`, for fixtures that live as long as a file of tests."""
    # Filters set by a mark, and captured streams, are those of a single test.
    of_a_test = {"warning filters", "standard streams"}
    yield from check_state(request.node, process_state().keys() - of_a_test)


def run_python(*arguments, env=None, **settings):
    """Run a fresh Python; returns what it wrote to stdout and stderr as text.

    Parameters
    ----------
    *arguments : str
        Of the interpreter, such as ``"-c", code``.
    env : dict, default=None
        Environment variables to set on top of those of the tests.
    **settings
        Passed to `subprocess.run`.
    """
    # A developer's own settings must not quieten TensorFlow.
    unset = {"KERAS_BACKEND", "PYTHONWARNINGS", "TF_CPP_MIN_LOG_LEVEL"}
    inherited = {name: os.environ[name] for name in os.environ.keys() - unset}
    done = subprocess.run(
        [sys.executable, *arguments],
        env=inherited | {name: str(value) for name, value in (env or {}).items()},
        capture_output=True,
        timeout=300,
        **settings,
    )
    # Decoded here: in text mode every return of a progress bar would be a new line.
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0, err
    return out, err


def code_blocks(page):
    """The Python code of a Markdown file, one text for each block."""
    return re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
