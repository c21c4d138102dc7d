"""The command ``skdigits``: what it takes, and what it prints."""

import argparse
import json
import sys
import warnings
from pathlib import Path

from skdigits._version import __version__


def main(argv=None):
    """Run the command.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments. None for those of the process.

    Returns
    -------
    int
        Exit status: 0, or 1 if a picture could not be read, 2 if nothing was begun.
    """
    arguments = _parser().parse_args(argv)
    try:
        with warnings.catch_warnings():
            return _read(arguments)
    except _CannotBeginError as error:
        print(f"skdigits: {error}", file=sys.stderr)
        return 2


class _CannotBeginError(Exception):
    """The arguments are well-formed, but there is nothing to work with."""


def _parser():
    parser = argparse.ArgumentParser(
        prog="skdigits", description="Handwritten digit recognition."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    read = commands.add_parser(
        "read",
        help="read the digits of photographs and scans",
        description="Read the digits of photographs and scans: a line for each row, "
        "a question mark for each digit that is not sure.",
        epilog="Exit status: 0 if all were read, 1 if some could not be read, 2 if "
        "nothing was begun.",
    )
    read.add_argument("photos", nargs="+", metavar="PHOTO", help="file of a picture")
    read.add_argument(
        "--json",
        action="store_true",
        help="print an object a picture, each on a line of its own, with the box, "
        "probabilities and status of every digit",
    )
    read.add_argument(
        "--picture",
        metavar="OUT.png",
        type=Path,
        help="draw the page with what was read, and what the network saw; for one "
        "PHOTO, needs matplotlib",
    )
    read.add_argument(
        "--model",
        metavar="FILE",
        type=Path,
        help="a classifier of your own, saved by skops (.skops) or joblib; joblib "
        "files can run any code, so load your own only; default: the one that comes "
        "with skdigits",
    )
    read.add_argument(
        "--min-confidence",
        metavar="P",
        type=_probability,
        default=0.5,
        help="digits less probable than that are not read; default: %(default)s",
    )
    return parser


def _probability(text):
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, got {text}")
    return value


def _read(arguments):
    """Read every picture; those that cannot be read are reported on the way."""
    from tqdm import tqdm

    if arguments.picture and len(arguments.photos) > 1:
        raise _CannotBeginError(
            f"--picture draws one PHOTO. Got {len(arguments.photos)} instead. Call it "
            "once for each."
        )
    estimator = _load_model(arguments.model)
    failed = False
    several = len(arguments.photos) > 1
    for photo in tqdm(arguments.photos, disable=not several, unit="photo", leave=False):
        try:
            reading = _read_one(photo, estimator, arguments)
        except (OSError, ValueError, ImportError, MemoryError) as error:
            failed = True
            message = str(error) or type(error).__name__
            tqdm.write(f"skdigits: {_named(photo, message)}", file=sys.stderr)
            answer = {"file": photo, "error": message} if arguments.json else None
        else:
            answer = {"file": photo} | _as_json(reading) if arguments.json else reading
        if arguments.json:
            tqdm.write(json.dumps(answer), file=sys.stdout)
        elif answer is not None:
            heading = f"==> {photo} <==\n" if several else ""
            tqdm.write(heading + (answer.text or "(no digits)"), file=sys.stdout)
    return int(failed)


def _named(photo, message):
    """One line that has the name of the file once."""
    line = message if photo in message else f"{photo}: {message}"
    return " ".join(line.splitlines())


def _read_one(photo, estimator, arguments):
    from skdigits.images import read_digits

    # Pillow's warnings are about files: an error, if there is one, says it better.
    warnings.filterwarnings("ignore", module="PIL")
    if not arguments.picture:
        return read_digits(photo, estimator, min_confidence=arguments.min_confidence)
    from skdigits.plotting import DigitReadingDisplay

    display = DigitReadingDisplay.from_image(
        photo, estimator, min_confidence=arguments.min_confidence
    )
    display.figure_.savefig(arguments.picture, dpi=150)
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


def _load_model(path):
    """The classifier in a file, or None for the one that comes with the package."""
    if path is None:
        return None
    from skdigits.images._read import side_of_pictures

    try:
        estimator = _load(path)
        side_of_pictures(estimator)
    except Exception as error:  # pickles fail in any way
        raise _CannotBeginError(f"{path} cannot be used: {error}") from error
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
