"""Train the reader of skdigits.pretrained, calibrate it, and write its weights.

Takes about an hour on two cores. All seeds are fixed. MNIST is fetched unless a file of
its training images is given.
"""

import argparse
import time
import zipfile
from pathlib import Path

import numpy as np

from pretraining import data
from pretraining.calibration import calibrate, error_table
from pretraining.weights import quantize, save
from skdigits import DigitMLPClassifier
from skdigits.augmentation._random_distortion import RandomDistortion
from skdigits.datasets._mnist import fetch_mnist

PACKAGE = Path(__file__).parents[1] / "skdigits" / "pretrained"


def recipe(n_epochs):
    """The unfitted classifier."""
    return DigitMLPClassifier(
        hidden_layer_sizes=(1400, 700),
        batch_norm=True,
        batch_size=512,
        learning_rate="flat_cosine",
        learning_rate_init=0.002,
        label_smoothing=0.05,
        ema=0.999,
        augment=RandomDistortion(
            rotation=15.0, shear=0.3, scale=0.2, translation=1.5, final_strength=0.5
        ),
        rescale=1 / 255,
        max_iter=n_epochs,
        random_state=0,
        verbose=1,
    )


def load(path):
    """Load MNIST: 50,000 training images with labels, and 10,000 held out."""
    if path is None:
        X, y = fetch_mnist(return_X_y=True)
    else:
        with np.load(path, allow_pickle=False) as file:
            X, y = file["x"], file["y"]
    X, y = X[:60_000].reshape(-1, 28, 28), y[:60_000].astype(np.int64)
    return (X[:50_000], y[:50_000]), (X[50_000:], y[50_000:])


def training_set(X, y, share=1.0):
    """Original, redrawn, photographed and typed digits, and images of none."""
    nothing, _ = data.no_digits(X, y, round(share * 25_000), seed=4)
    parts = [
        (X, y),
        data.rewritten(X, y, round(share * 100_000), seed=1),
        data.photographed(X, y, round(share * 50_000), seed=2),
        data.typed(round(share * 6_000), seed=3),
        data.with_any_label(nothing, n_labels=5, seed=5),
    ]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return images.reshape(len(images), -1), labels


def main():
    parser = argparse.ArgumentParser(prog="python -m pretraining", description=__doc__)
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help="an .npz with MNIST as x and y"
    )
    parser.add_argument("--epochs", type=int, default=40, help="default: %(default)s")
    parser.add_argument(
        "--share",
        type=float,
        default=1.0,
        help="share of the generated images, for a trial; default: %(default)s",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=PACKAGE,
        metavar="DIR",
        help="folder of the weights; default: the package",
    )
    args = parser.parse_args()
    try:
        train, held_out = load(args.data)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        parser.exit(2, f"error: the training data cannot be loaded: {error}\n")
    start = time.perf_counter()
    images, labels = training_set(*train, share=args.share)
    print(f"{len(images)} images, {time.perf_counter() - start:.0f} s", flush=True)
    clf = recipe(args.epochs).fit(images, labels)
    print(f"trained, {time.perf_counter() - start:.0f} s", flush=True)
    quantized = quantize(clf)
    digits = data.held_out(*held_out)
    temperature = calibrate(clf, quantized, digits)
    size = save(args.output, clf, quantized, error_table(clf, digits))
    print(f"temperature {temperature:.3f}, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
