"""Values of the options, and the options that several commands share."""

import argparse
from pathlib import Path
from typing import Any


def probability(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(
            f"expected a number from 0 to 1, such as 0.05 for 5 %, got {text!r}"
        )
    return value


def positive(text: str) -> int:
    """A positive integer."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected an integer above 0, got {text!r}")
    return int(text)


def add_output(parser: Any) -> None:
    """Add the file of a new classifier."""
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        required=True,
        help="file for the new classifier, of joblib (.joblib) or skops (.skops)",
    )


def add_label(parser: Any) -> None:
    """Add the column of labels."""
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        help="name or position of the labels in a CSV file, from 0; default: the "
        "column named label, target, class, digit or y",
    )


def add_seed(parser: Any) -> None:
    """Add the seed."""
    parser.add_argument(
        "--seed",
        metavar="N",
        type=int,
        default=0,
        help="seed of all random numbers; default: %(default)s",
    )
