"""Run the tests under the conditions in which machines differ: `make test-anywhere`.

Each variant is a run of pytest in a process of its own: of the whole suite if any test
may depend on the condition (order, workers), else of the tests that can. Arguments are
names of variants. Without any, all of them run.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Tests that train and predict, where rounding, threads and kernels could show.
NUMERICAL = [
    f"tests/test_{name}.py"
    for name in (
        "augmentation",
        "classifier",
        "ensemble",
        "export",
        "fit_together",
        "golden_files",
        "normalize_digit",
        "pretrained",
        "processes",
        "saved_models",
        "training",
    )
]
# Tests that write caches or settings, read files, start processes, or listen.
OUTSIDE = [
    f"tests/test_{name}.py"
    for name in (
        "backends",
        "command_line",
        "datasets",
        "docstrings",
        "examples",
        "golden_files",
        "plotting",
        "processes",
        "read_digits",
        "saved_models",
        "serving",
        "without_tensorflow",
    )
]
# scikit-learn's own tests of its searches and curves.
SKLEARN = "sklearn.model_selection.tests"
IN_PARALLEL = ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]


@dataclass
class Variant:
    """One way to run the tests.

    Parameters
    ----------
    tests : list of str, default=[]
        Files to run; empty for the whole suite.
    options : list of str, default=IN_PARALLEL
        Of pytest.
    env : dict, default={}
        Environment variables to set, or to unset where the value is None.
    prefix : list of str, default=[]
        Command that runs the command in its arguments.
    context : callable, default=contextlib.nullcontext
        Makes a context manager for the duration of the run.
    """

    tests: list = field(default_factory=list)
    options: list = field(default_factory=lambda: IN_PARALLEL)
    env: dict = field(default_factory=dict)
    prefix: list = field(default_factory=list)
    context: object = contextlib.nullcontext


@contextlib.contextmanager
def taken_port():
    """Port 8787, where Dask would put its dashboard, in use."""
    with socket.socket() as listener:
        with contextlib.suppress(OSError):  # somebody else has it: as good
            listener.bind(("127.0.0.1", 8787))
            listener.listen()
        yield


def namespace(option, script):
    """A command that runs its arguments in a new Linux namespace, after a script."""
    return [
        *("unshare", "--map-root-user", option),
        *("sh", "-ec", f'{script}; exec "$@"', "sh"),
    ]


VARIANTS = {
    **{
        f"random-order-{seed}": Variant(
            options=[*IN_PARALLEL, "--random-order", f"--random-order-seed={seed}"]
        )
        for seed in (1, 2, 3)
    },
    "one-process": Variant(options=["-n", "0"]),
    "two-workers": Variant(),
    "one-openmp-thread": Variant(NUMERICAL, env={"OMP_NUM_THREADS": "1"}),
    "one-blas-thread": Variant(NUMERICAL, env={"OPENBLAS_NUM_THREADS": "1"}),
    **{
        f"blas-{name.lower()}": Variant(NUMERICAL, env={"OPENBLAS_CORETYPE": name})
        for name in ("Haswell", "SkylakeX", "Sandybridge", "Nehalem")
    },
    "no-onednn": Variant(NUMERICAL, env={"TF_ENABLE_ONEDNN_OPTS": "0"}),
    "no-home": Variant(OUTSIDE, env={"HOME": None}),
    "read-only-home": Variant(
        OUTSIDE, prefix=namespace("--mount", 'mount -t tmpfs -o ro none "$HOME"')
    ),
    "path-with-space-and-umlaut": Variant(OUTSIDE),
    "port-8787-taken": Variant(["tests/test_backends.py"], context=taken_port),
    "sklearn-searches": Variant(
        [f"{SKLEARN}.test_{name}" for name in ("search", "validation")],
        options=[
            "-p",
            "tests.sklearn_searches",
            "-n",
            "0",
            "-c",
            os.devnull,
            "--pyargs",
        ],
    ),
    "no-network": Variant(OUTSIDE, prefix=namespace("--net", "ip link set lo up")),
}


def run(name, variant, folder):
    """Run a variant with `folder` for its files; True if it passed, None if skipped."""
    env = {**os.environ, **variant.env}
    env = {key: value for key, value in env.items() if value is not None}
    if name == "read-only-home":
        home = folder / "home"
        home.mkdir()
        env["HOME"] = str(home)
    checkout = ROOT
    if name == "path-with-space-and-umlaut":
        checkout = folder / "a path with spaces, ä ö ü"
        clone = ["git", "clone", "--quiet", str(ROOT), str(checkout)]
        subprocess.run(clone, check=True)
    if variant.prefix:
        tried = subprocess.run(
            [*variant.prefix, "true"], env=env, capture_output=True, text=True
        )
        if tried.returncode:
            print(f"{name:28} skipped: {tried.stderr.strip()}", flush=True)
            return None
    command = [
        *variant.prefix,
        *(sys.executable, "-m", "pytest", "-q", "--basetemp", str(folder / "tmp")),
        *variant.options,
        *variant.tests,
    ]
    start = time.monotonic()
    with variant.context():
        done = subprocess.run(
            command, cwd=checkout, env=env, capture_output=True, text=True
        )
    passed = done.returncode == 0
    summary = done.stdout.strip().rpartition("\n")[2].strip("= ")
    print(f"{name:28} {time.monotonic() - start:5.0f} s  {summary}", flush=True)
    if not passed:
        print(done.stdout, done.stderr, sep="\n", flush=True)
    return passed


def main(names):
    unknown = [name for name in names if name not in VARIANTS]
    if unknown:
        sys.exit(f"unknown variants {unknown}; there are {', '.join(VARIANTS)}")
    failed = []
    for name in names or VARIANTS:
        with tempfile.TemporaryDirectory() as folder:
            if run(name, VARIANTS[name], Path(folder)) is False:
                failed.append(name)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
