"""``skdigits evaluate``: measure the accuracy of a classifier."""

import argparse
from pathlib import Path

from skdigits._commands._arguments import add_label
from skdigits._commands._data import DATA_HELP, load_labelled
from skdigits._commands._figures import check_figure_file
from skdigits._commands._models import load_model
from skdigits._commands._report import draw_confusion, print_report

HELP = "report the accuracy of a classifier"

DESCRIPTION = """\
Report the accuracy of a saved classifier on labelled images, the scores of each
class, and the confusion matrix.
"""

EPILOG = f"""\
{DATA_HELP}
example:
  skdigits evaluate mine.joblib digits/ --figure confusion.png
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `skdigits evaluate`."""
    parser.add_argument(
        "model",
        metavar="MODEL",
        type=Path,
        help="a classifier saved by skops (.skops) or joblib; joblib files can run any "
        "code, so load only files you trust",
    )
    parser.add_argument("data", metavar="DATA", type=Path, help="see below")
    add_label(parser)
    parser.add_argument(
        "--figure",
        metavar="FILE",
        type=Path,
        help="draw the confusion matrix, such as confusion.png; needs matplotlib",
    )


def run(arguments: argparse.Namespace) -> int:
    """Report the accuracy of a classifier."""
    if arguments.figure:
        check_figure_file(arguments.figure)
    clf = load_model(arguments.model)
    X, y = load_labelled(arguments.data, arguments.label)
    try:
        predicted = clf.predict(X)
    except ValueError as error:
        raise ValueError(
            f"{arguments.model} cannot classify the images of {arguments.data}. {error}"
        ) from error
    if y.dtype.kind != predicted.dtype.kind:
        try:
            y = y.astype(predicted.dtype)  # "7" and 7
        except ValueError as error:
            raise ValueError(
                f"The labels of {arguments.data} are not those of {arguments.model}. "
                f"Expected labels like {predicted[0]}. Got {y[0]}. Rename the labels."
            ) from error
    print_report(y, predicted)
    if arguments.figure:
        draw_confusion(y, predicted, arguments.figure)
    return 0
