"""The command ``skdigits``."""

import argparse
import csv
import io
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from skdigits._version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments. If None, those of the process.

    Returns
    -------
    int
        Exit status: 0, or 1 if an image could not be read, 2 if none was tried.
    """
    arguments = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            return _read(arguments)
    except _CannotStartError as error:
        print(f"skdigits: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
        sys.stdout = None  # or Python would report the error again at exit
        return 1


class _CannotStartError(Exception):
    """The arguments are well-formed but cannot be used."""


def _parser():
    parser = argparse.ArgumentParser(
        prog="skdigits", description="Handwritten digit recognition."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    read = commands.add_parser(
        "read",
        help="read the digits on photographs and scans",
        description="Read the digits on photographs and scans. Prints one line per row "
        "of digits, with a question mark for each digit that is not certain. With "
        "--table, prints one line per row of the table, as CSV.",
        epilog="Exit status: 0 if all images were read, 1 if some could not be read, 2 "
        "if none was tried.",
    )
    read.add_argument("images", nargs="+", metavar="IMAGE", help="image file")
    read.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object per image and line, with the box, confidence "
        "and status of every digit, or of every cell with --table",
    )
    read.add_argument(
        "--table",
        action="store_true",
        help="read the cells of a table with ruled lines and print them as CSV",
    )
    read.add_argument(
        "--figure",
        metavar="OUT.png",
        type=Path,
        help="draw the page and its digits; for one IMAGE, needs matplotlib",
    )
    read.add_argument(
        "--model",
        metavar="FILE",
        type=Path,
        help="your own classifier, saved by skops (.skops) or joblib; joblib files can "
        "run any code, so load only files you trust; default: the pretrained network",
    )
    read.add_argument(
        "--min-confidence",
        metavar="P",
        type=_probability,
        default=0.5,
        help="digits of a lower probability are not certain; default: %(default)s",
    )
    return parser


def _probability(text):
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, got {text}")
    return value


def _read(arguments):
    """Read all images, and report those that cannot be read."""
    if arguments.figure and arguments.table:
        raise _CannotStartError("--figure draws pages, not tables. Omit --table.")
    if arguments.figure and len(arguments.images) > 1:
        raise _CannotStartError(
            f"--figure draws one IMAGE. Got {len(arguments.images)} instead. Call it "
            "once for each."
        )
    estimator = _load_model(arguments.model)
    failed = False
    several = len(arguments.images) > 1
    for image in arguments.images:
        try:
            reading = _read_one(image, estimator, arguments)
        except (OSError, ValueError, ImportError, MemoryError) as error:
            failed = True
            message = str(error) or type(error).__name__
            print(f"skdigits: {_one_line(image, message)}", file=sys.stderr)
            answer = {"file": image, "error": message} if arguments.json else None
        else:
            answer = reading
            if arguments.json:
                as_json = _table_as_json if arguments.table else _as_json
                answer = {"file": image} | as_json(reading)
        if arguments.json:
            print(json.dumps(answer), flush=True)
        elif answer is not None:
            heading = f"==> {image} <==\n" if several else ""
            text = _as_csv(answer) if arguments.table else answer.text or "(no digits)"
            print(heading + text, flush=True)
    return int(failed)


def _one_line(image, message):
    """The message as one line that names the file once."""
    line = message if image in message else f"{image}: {message}"
    return " ".join(line.splitlines())


def _read_one(image, estimator, arguments):
    from skdigits.images import read_digits, read_table

    # Pillow's warnings are about damaged files; errors report those that matter.
    warnings.filterwarnings("ignore", module="PIL")
    if arguments.table:
        return read_table(
            image, estimator=estimator, min_confidence=arguments.min_confidence
        )
    if not arguments.figure:
        return read_digits(image, estimator, min_confidence=arguments.min_confidence)
    from skdigits.plotting import DigitReadingDisplay

    display = DigitReadingDisplay.from_image(
        image, estimator, min_confidence=arguments.min_confidence
    )
    display.figure_.savefig(arguments.figure, dpi=150)
    return display.reading


def _as_json(reading):
    digits = [
        {
            "label": digit.label,
            "confidence": digit.confidence,
            "status": digit.status,
            "row": digit.row,
            "column": digit.column,
            "box": digit.box,
            "probabilities": digit.probabilities.tolist(),
        }
        for digit in reading.digits
    ]
    return {"text": reading.text, "rows": reading.rows, "digits": digits}


def _as_csv(table):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table.values)
    return text.getvalue().removesuffix("\n")


def _table_as_json(table):
    cells = [
        {
            "row": cell.row,
            "column": cell.column,
            "text": cell.text,
            "confidence": cell.confidence,
            "status": cell.status,
            "box": cell.box,
            "corners": cell.corners,
        }
        for cell in table.cells
    ]
    return {"rows": table.values.tolist(), "cells": cells}


def _load_model(path):
    """The classifier in a file, or None for the pretrained network."""
    if path is None:
        return None
    from skdigits.images._read import image_side

    try:
        estimator = _load(path)
        image_side(estimator)
    except Exception as error:  # unpickling raises any type
        raise _CannotStartError(f"{path} cannot be used: {error}") from error
    return estimator


def _load(path):
    if path.suffix == ".skops":
        import skops.io

        trusted = [
            "skdigits.DigitMLPClassifier",
            "skdigits.augmentation.RandomDistortion",
        ]
        return skops.io.load(path, trusted=trusted)
    import joblib

    return joblib.load(path)
