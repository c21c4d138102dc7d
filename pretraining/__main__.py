"""Train the reader of skdigits.pretrained, calibrate it, and write its weights.

All seeds are fixed. MNIST is fetched unless a file of its training images is given.
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

# Weight of images that are not digits: there are more of them than in photographs.
_WEIGHT_OF_NOTHING = 0.5

# Share of the training after which the learning rate falls to zero, along half a
# cosine, and distortions become weaker, down to half of their strength.
_DECAY_START = 0.6


def recipe():
    """The unfitted classifier, trained one epoch at a time."""
    return DigitMLPClassifier(
        hidden_layer_sizes=(1200, 600),
        batch_norm=True,
        batch_size=256,
        ema=0.998,
        augment=RandomDistortion(
            rotation=15.0, shear=0.3, scale=0.2, translation=1.5, elastic_std=1.1
        ),
        rescale=1 / 255,
        max_iter=1,
        warm_start=True,
        random_state=0,
    )


def fit(images, labels, cycles, rate=0.002):
    """Fit the classifier, with another label of what is not a digit in each epoch.

    So it learns that all digits are equally likely for these images: each image has all
    ten labels in ten epochs. With one label, it would memorize the label.

    `cycles` are the numbers of epochs after which the learning rate starts again at
    `rate` (Loshchilov and Hutter, "SGDR", ICLR 2017).
    """
    clf = recipe()
    full = clf.augment.get_params()
    strengths = ("rotation", "shear", "scale", "translation", "elastic_std")
    nothing = labels == data.NO_DIGIT
    labels = labels.copy()
    weights = np.where(nothing, _WEIGHT_OF_NOTHING, 1.0)
    labels_of_nothing = np.random.default_rng(0).integers(10, size=nothing.sum())
    epochs = [(epoch, length) for length in cycles for epoch in range(length)]
    for number, (epoch, length) in enumerate(epochs):
        done = (epoch + 0.5) / length
        decay = max(0, done - _DECAY_START) / (1 - _DECAY_START)
        clf.learning_rate_init = rate * (1 + np.cos(np.pi * decay)) / 2
        strength = 1 - 0.5 * decay
        clf.augment.set_params(
            final_strength=1.0, **{name: strength * full[name] for name in strengths}
        )
        labels[nothing] = (labels_of_nothing + 3 * number) % 10
        clf.fit(images, labels, sample_weight=weights)
        print(f"epoch {number + 1} of {len(epochs)}: loss {clf.loss_:.4f}", flush=True)
    clf.augment.set_params(**full)
    return clf.set_params(
        warm_start=False, max_iter=len(epochs), learning_rate_init=rate
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
    """Digits, and images that are not digits; those that look like a digit left out."""
    parts = [
        (X, y),
        (X, y),
        data.rewritten(X, y, round(share * 55_000), seed=1),
        data.photographed(X, y, round(share * 52_000), seed=2),
        data.typed(round(share * 20_000), seed=3),
        data.windows(X, y, round(share * 20_000), seed=6),
        data.line_windows(X, y, round(share * 40_000), seed=7),
        data.no_digits(X, y, round(share * 56_000), seed=4),
    ]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    kept = labels != data.NO_DIGIT
    kept[~kept] = data.unlike_digits(images[~kept], X)
    return images[kept].reshape(np.count_nonzero(kept), -1), labels[kept]


def main():
    parser = argparse.ArgumentParser(prog="python -m pretraining", description=__doc__)
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help="an .npz with MNIST as x and y"
    )
    parser.add_argument(
        "--epochs",
        type=int,
        nargs="+",
        default=[15, 9, 11, 6, 14],
        metavar="N",
        help="numbers of epochs of each cycle; default: 15 9 11 6 14",
    )
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
    clf = fit(images, labels, args.epochs)
    print(f"trained, {time.perf_counter() - start:.0f} s", flush=True)
    quantized = quantize(clf)
    digits = data.held_out(*held_out)
    temperature = calibrate(clf, quantized, digits)
    size = save(args.output, clf, quantized, error_table(clf, digits))
    print(f"temperature {temperature:.3f}, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
