"""Calibrate the cost model of training: `python -m benchmarks.cost_model`.

Prints the constants of `skdigits._training.cost_model` with those measured on this
machine. Run it on an idle one.
"""

import argparse
import contextlib
import statistics
import time
from dataclasses import asdict, replace
from unittest.mock import patch

import numpy as np

from skdigits import DigitMLPClassifier, fit_together
from skdigits._keras.loading import load_keras
from skdigits._keras.optimizers import choose_optimizer
from skdigits._network.architecture import Network
from skdigits._together import grouping
from skdigits._training import cost_model
from skdigits._training.program import ProgramSpec, TrainingProgram
from skdigits.augmentation import RandomDistortion

TINY, LARGE = (5, 5), (1000, 500)
N_WEIGHTS = 784 * 1000 + 1000 * 500 + 500 * 10
BATCH_SIZES = 32, 256
N_STEPS = 50


@contextlib.contextmanager
def compiled(always):
    """Every program of one network is compiled, or none."""
    making = 0 if always else np.inf
    with patch.object(
        cost_model, "COMPILED", replace(cost_model.COMPILED, making=making)
    ):
        yield


def data(n_samples, side):
    rng = np.random.default_rng(0)
    X = rng.random((n_samples, side**2), dtype=np.float32)
    return X, rng.integers(10, size=n_samples)


def fit_seconds(n_epochs, sizes, *, side=28, batch_size=32, **params):
    clf = DigitMLPClassifier(
        sizes, batch_size=batch_size, max_iter=n_epochs, random_state=0, **params
    )
    X, y = data(N_STEPS * batch_size, side)
    start = time.perf_counter()
    clf.fit(X, y)
    return time.perf_counter() - start


def step_seconds(*args, repeats, **options):
    """Median seconds of a step: the difference of a long and a short fit."""
    fit_seconds(1, *args, **options)
    differences = [
        fit_seconds(9, *args, **options) - fit_seconds(1, *args, **options)
        for _ in range(repeats)
    ]
    return statistics.median(differences) / (8 * N_STEPS)


def one_network(repeats):
    """Costs of programs of one network."""
    step = step_seconds(TINY, side=4, repeats=repeats)
    small, large = (
        step_seconds(LARGE, batch_size=n, repeats=repeats) / N_WEIGHTS
        for n in BATCH_SIZES
    )
    row = (large - small) / (BATCH_SIZES[1] - BATCH_SIZES[0])
    distorted = step_seconds(TINY, augment=RandomDistortion(), repeats=repeats)
    # A fit of a new shape takes longer than the next one.
    first_and_next = [
        [fit_seconds(1, (units, 15), side=20) for _ in range(2)]
        for units in range(100, 100 + repeats)
    ]
    return {
        "making": statistics.median(first - other for first, other in first_and_next),
        "step": step,
        "weight": small - step / N_WEIGHTS - BATCH_SIZES[0] * row,
        "flop": row / 6,
        "pixel": (distorted - step) / (32 * 784),
    }


def search_seconds(n_epochs, sizes, batch_size, as_compiled):
    """Seconds of a search over eight networks that share rows."""
    from sklearn.model_selection import GridSearchCV, PredefinedSplit

    X, y = data(N_STEPS * batch_size + 1, 20)
    split = PredefinedSplit([0] + [-1] * (len(X) - 1))
    clf = DigitMLPClassifier(
        sizes, max_iter=n_epochs, batch_size=batch_size, random_state=0
    )
    grid = {"learning_rate_init": np.geomspace(0.001, 0.01, 8)}
    with (
        patch.object(grouping, "_seconds", lambda parts, n_threads: len(parts)),
        patch.object(grouping, "_forms_of_program", lambda tasks: [as_compiled]),
    ):
        start = time.perf_counter()
        with fit_together():
            GridSearchCV(clf, grid, cv=split, refit=False).fit(X, y)
        return time.perf_counter() - start


def group_step_seconds(*args, repeats):
    search_seconds(1, *args)
    differences = [
        search_seconds(9, *args) - search_seconds(1, *args) for _ in range(repeats)
    ]
    return statistics.median(differences) / (8 * N_STEPS)


def group(repeats, as_compiled):
    """Costs of programs of a group."""
    sizes = 300, 100
    n_weights = 8 * (400 * 300 + 300 * 100 + 100 * 10)
    step = group_step_seconds(TINY, 32, as_compiled, repeats=repeats)

    small, large = (
        group_step_seconds(sizes, n, as_compiled, repeats=repeats) / n_weights
        for n in BATCH_SIZES
    )
    row = (large - small) / (BATCH_SIZES[1] - BATCH_SIZES[0])
    first_and_next = [
        [search_seconds(1, (units, 15), 32, as_compiled) for _ in range(2)]
        for units in (40, 80, 120)
    ]
    return {
        "making": statistics.median(first - other for first, other in first_and_next),
        "step": step,
        "weight": small - step / n_weights - BATCH_SIZES[0] * row,
        "flop": row / 6,
    }


def build_seconds(repeats):
    """Median seconds to build a program, without its function."""
    network = Network(400, (25, 15), 10, "softmax")
    optimizer, _ = choose_optimizer(load_keras(), DigitMLPClassifier())
    spec = ProgramSpec(network, optimizer, 32, "float32", False, True)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        TrainingProgram(spec)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def cross_validation_seconds(n_epochs, in_threads):
    """Seconds of five fits on rows of their own."""
    from sklearn.model_selection import cross_val_score

    clf = DigitMLPClassifier(max_iter=n_epochs, random_state=0)
    with patch.object(cost_model, "_BUILDING", 1e-9 if in_threads else np.inf):
        start = time.perf_counter()
        with fit_together():
            cross_val_score(clf, *data(4000, 20), cv=5)
        return time.perf_counter() - start


def thread_gain(repeats):
    """Work done by a second thread, relative to the first."""
    pairs = [
        [cross_validation_seconds(64, threads) for threads in (False, True)]
        for _ in range(repeats + 1)
    ]
    return statistics.median(alone / threads - 1 for alone, threads in pairs[1:])


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cost_model", description=__doc__
    )
    parser.add_argument("--repeats", type=int, default=5, help="default: %(default)s")
    repeats = parser.parse_args().repeats
    print("| constant | in use | measured |\n|---|---|---|")
    for name, always in (("PLAIN", False), ("COMPILED", True)):
        in_use = asdict(getattr(cost_model, name))
        with compiled(always):
            show(name, in_use, one_network(repeats))
        in_use = asdict(getattr(cost_model, f"GROUP_{name}"))
        show(f"GROUP_{name}", in_use, group(repeats, always))
    for name, measured in {
        "_BUILDING": build_seconds(repeats),
        "_THREAD_GAIN": thread_gain(repeats),
    }.items():
        print(f"| `{name}` | {getattr(cost_model, name):.2g} | {measured:.2g} |")


def show(name, in_use, measured):
    for part, seconds in measured.items():
        print(f"| `{name}.{part}` | {in_use[part]:.2g} | {seconds:.2g} |", flush=True)


if __name__ == "__main__":
    main()
