"""``skdigits train``: train a classifier on labelled images."""

import argparse
import sys
from pathlib import Path
from typing import Any

from skdigits._commands._arguments import (
    add_label,
    add_output,
    add_seed,
    positive,
    probability,
)
from skdigits._commands._data import DATA_HELP, load_labelled
from skdigits._commands._figures import import_pyplot, save_figure
from skdigits._commands._models import check_output, save_model
from skdigits._commands._report import draw_confusion, print_report

HELP = "train a classifier on labelled images"

DESCRIPTION = """\
Train a DigitMLPClassifier on a part of labelled images, and report its accuracy on
the others. If matplotlib is installed, draws the loss of each epoch and the
confusion matrix in files next to the classifier.
"""

EPILOG = f"""\
{DATA_HELP}
examples:
  skdigits train digits/ -o mine.joblib
  skdigits train mnist.csv -o mine.joblib --hidden 300 100 --epochs 30
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `skdigits train`."""
    parser.add_argument("data", metavar="DATA", type=Path, help="see below")
    add_output(parser)
    add_label(parser)
    parser.add_argument(
        "--recipe",
        choices=["default", "accurate"],
        default="default",
        help="accurate: a larger network, trained on distorted images, which takes "
        "longer; default: the defaults of DigitMLPClassifier",
    )
    parser.add_argument(
        "--hidden",
        metavar="N",
        type=positive,
        nargs="+",
        help="units of each hidden layer; default: those of the recipe, 25 15 or "
        "500 250",
    )
    parser.add_argument(
        "--epochs",
        metavar="N",
        type=positive,
        help="number of epochs; default: that of the recipe",
    )
    parser.add_argument(
        "--test-size",
        metavar="P",
        type=probability,
        default=0.2,
        help="fraction of the images to hold out; default: %(default)s",
    )
    add_seed(parser)


def _split(X: Any, y: Any, arguments: argparse.Namespace) -> list[Any]:
    """Hold out a part of the images of each class."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        raise ValueError(
            f"All images have the label {classes[0]}. Expected two or more labels. "
            "Add images of other classes."
        )
    try:
        return train_test_split(
            X,
            y,
            test_size=arguments.test_size,
            stratify=y,
            random_state=arguments.seed,
        )
    except ValueError as error:
        raise ValueError(
            f"A fraction of {arguments.test_size:g} of the images cannot be held out. "
            "Expected some images of each class for training and some to hold out. "
            f"Got {len(y)} images of {len(classes)} classes, and as few as "
            f"{counts.min()} of a class. Add images, or change --test-size."
        ) from error


def run(arguments: argparse.Namespace) -> int:
    """Train, save, and report the accuracy on held-out images."""
    check_output(arguments.output)
    from skdigits._classifier import DigitMLPClassifier
    from skdigits._recipe import make_accurate_classifier

    X, y = load_labelled(arguments.data, arguments.label)
    X_train, X_test, y_train, y_test = _split(X, y, arguments)
    print(f"{len(X_train)} images for training, {len(X_test)} held out", flush=True)
    accurate = arguments.recipe == "accurate"
    clf = make_accurate_classifier() if accurate else DigitMLPClassifier(rescale="max")
    clf.set_params(random_state=arguments.seed, verbose=sys.stderr.isatty())
    if arguments.hidden:
        clf.set_params(hidden_layer_sizes=tuple(arguments.hidden))
    if arguments.epochs:
        clf.set_params(max_iter=arguments.epochs)
    clf.fit(X_train, y_train, X_val=X_test, y_val=y_test)
    save_model(clf.set_params(verbose=0), arguments.output)
    predicted = clf.predict(X_test)
    print_report(y_test, predicted)
    print(f"\nwrote {arguments.output}")
    try:
        import_pyplot()
    except ImportError as error:
        print(f"skdigits: no figures. {error}", file=sys.stderr)
        return 0
    from skdigits.plotting import LossCurveDisplay

    loss, confusion = (
        arguments.output.with_suffix(f".{name}.png") for name in ("loss", "confusion")
    )
    save_figure(LossCurveDisplay.from_estimator(clf).figure_, loss)
    draw_confusion(y_test, predicted, confusion)
    print(f"wrote {loss} and {confusion}")
    return 0
