"""
The most accurate network of two hidden layers
==============================================

Train a network on MNIST with the full recipe, to an error below 0.4 %.

The network has hidden layers of 1000 and 500 units, and is trained on
distorted images whose slant has been removed. The error is that of held-out
digits: the last 10,000 of the 60,000 training images, or with ``--test`` the
10,000 test images. ``make mnist`` runs the program:

.. code-block:: bash

    python train_mnist.py                      # downloads MNIST once
    python train_mnist.py --data mnist.npz     # with your own file
    python train_mnist.py --seeds 0 --epochs 30

A data file is in the .npz format of NumPy, with the training images as ``x``
and ``y``, or as ``x_train`` and ``y_train``.
"""

import argparse
import json
import sys
import time
import zipfile
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdigits import make_accurate_classifier
from skdigits.augmentation import deskew
from skdigits.datasets import fetch_mnist

# %%
# The recipe
# ----------
#
# It is that of ``make_accurate_classifier``, with more units, larger batches,
# which take less time, more epochs, and a moving average of the weights. The
# slant of the digits is removed first.


def recipe(n_epochs, random_state, preprocess=deskew):
    clf = make_accurate_classifier(
        hidden_layer_sizes=(1000, 500),
        batch_size=512,
        beta_2=0.99,
        ema=0.999,
        max_iter=n_epochs,
        random_state=random_state,
        verbose=1,
    )
    return make_pipeline(FunctionTransformer(preprocess), clf)


# %%
# The data
# --------


def load(path):
    """Training images and labels."""
    with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
        for x, y in [("x", "y"), ("x_train", "y_train")]:
            if x in file and y in file:
                return file[x].reshape(len(file[x]), -1), file[y]
        names = ", ".join(file)
    raise ValueError(
        f"{path}: expected x and y, or x_train and y_train, got {names}"
    )


def split(path, test):
    if path is not None:
        X, y = load(path)
        n_train, n_held_out = len(X) - len(X) // 6, len(X) // 6
    else:
        X, y = fetch_mnist(return_X_y=True)
        n_train, n_held_out = 60_000 if test else 50_000, 10_000
    held_out = slice(n_train, n_train + n_held_out)
    return X[:n_train], y[:n_train], X[held_out], y[held_out]


# %%
# Training and evaluation
# -----------------------
#
# Several networks are also evaluated together, by scikit-learn's
# ``VotingClassifier``. The networks are frozen, so they are not fitted again.


def run(X, y, X_held_out, y_held_out, args):
    def error(clf):
        return 100 * (1 - clf.score(X_held_out, y_held_out))

    preprocess = deskew if args.deskew else None
    args.output.mkdir(parents=True, exist_ok=True)
    results = []
    networks = []
    for seed in args.seeds:
        start = time.perf_counter()
        network = recipe(args.epochs, seed, preprocess).fit(X, y)
        seconds = time.perf_counter() - start
        networks.append((str(seed), FrozenEstimator(network)))
        results.append(
            {"seed": seed, "minutes": seconds / 60, "error": error(network)}
        )
        print(
            f"seed {seed}: {seconds / 60:.1f} minutes, "
            f"error {results[-1]['error']:.2f} %",
            flush=True,
        )
        joblib.dump(network, args.output / f"mnist-{seed}.joblib")
    errors = [result["error"] for result in results]
    print(f"mean of {len(errors)}: error {np.mean(errors):.2f} %")
    if len(networks) > 1:
        # This fit only uses the labels.
        vote = VotingClassifier(networks, voting="soft").fit(
            X[:1000], y[:1000]
        )
        print(f"all of them together: error {error(vote):.2f} %")
    (args.output / "results.json").write_text(
        json.dumps(results, indent=1), "utf-8"
    )


# %%
# On the command line
# -------------------


def positive_int(text):
    if (value := int(text)) < 1:
        raise ValueError
    return value


def main(argv=None):
    parser = argparse.ArgumentParser(
        description="Train 784-1000-500-10 on MNIST."
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="file with training images; default: MNIST by fetch_mnist",
    )
    parser.add_argument(
        "--test",
        action="store_true",
        help="train on all 60,000 images and evaluate on the test images",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=[0, 1, 2],
        help="default: 0 1 2",
    )
    parser.add_argument(
        "--epochs", type=positive_int, default=200, help="default: %(default)s"
    )
    parser.add_argument(
        "--no-deskew",
        dest="deskew",
        action="store_false",
        help="train on images whose slant has not been removed",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        default=Path("mnist"),
        help="folder for the networks and results.json; default: %(default)s",
    )
    args = parser.parse_args(argv)
    if args.test and args.data is not None:
        parser.error(
            "--test uses MNIST by fetch_mnist, and cannot be used with --data"
        )
    try:
        data = split(args.data, args.test)
    except (OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        where = (
            args.data or "Or name a file: --data FILE, or make mnist DATA=FILE"
        )
        print(f"error: no data to train on: {error}\n{where}", file=sys.stderr)
        return 2
    run(*data, args)
    return 0


if __name__ == "__main__" and (status := main()):
    sys.exit(status)
