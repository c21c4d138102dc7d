"""``skdigits read``: read the digits of images."""

import argparse
import csv
import json
import sys
import warnings
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from skdigits._commands._arguments import probability
from skdigits._commands._data import IMAGE_SUFFIXES
from skdigits._commands._errors import in_one_line
from skdigits._commands._figures import check_figure_path, figure_path, save_figure
from skdigits._commands._models import load_model

HELP = "read the digits on photographs and scans"

DESCRIPTION = """\
Read the digits on photographs and scans. Prints one line of text per line of
digits, with a space between numbers and a question mark for each digit that is
not certain. With --table, prints one line per row of the largest table, as CSV.
"""

EPILOG = """\
examples:
  skdigits read page.jpg
  skdigits read --csv scans/ > numbers.csv
  skdigits read page.jpg --figure boxes.png

exit status:
  0 if all images were read, 1 if some could not be read, 2 for a wrong command
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `skdigits read`."""
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="image file, folder of image files, or - for standard input",
    )
    output = parser.add_mutually_exclusive_group()
    output.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="also print the lowest confidence of the digits of each number",
    )
    output.add_argument(
        "--csv",
        action="store_true",
        help="print one line per number, or per cell of a table: file, row, column, "
        "text and confidence; with --all-tables, the index of the table after the file",
    )
    output.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object per image and line, with the box, confidence "
        "and status of every digit, or of every cell of a table",
    )
    table = parser.add_mutually_exclusive_group()
    table.add_argument(
        "--table",
        action="store_const",
        const="largest",
        help="read the cells of the largest table with ruled lines",
    )
    table.add_argument(
        "--all-tables",
        dest="table",
        action="store_const",
        const="all",
        help="read the cells of all tables, and print an empty line between two",
    )
    parser.add_argument(
        "--figure",
        metavar="PATH",
        type=Path,
        help="draw the image and its digits or cells: a file such as boxes.png, or a "
        "folder for the figures of several images; needs matplotlib",
    )
    parser.add_argument(
        "--model",
        metavar="FILE",
        type=Path,
        help="your own classifier, saved by skops (.skops) or joblib; joblib files can "
        "run any code, so load only files you trust; default: the pretrained network",
    )
    threshold = parser.add_mutually_exclusive_group()
    threshold.add_argument(
        "--min-confidence",
        metavar="P",
        type=probability,
        help="minimum probability of a digit that is certain; default: 0.5, or 0.6 for "
        "tables",
    )
    threshold.add_argument(
        "--max-error",
        metavar="E",
        type=probability,
        help="accept this fraction of wrong digits, such as 0.01, and choose the "
        "minimum probability accordingly",
    )


def run(arguments: argparse.Namespace) -> int:
    """Read all images, and report those that cannot be read."""
    _check(arguments)
    images = [image for name in arguments.images for image in _files(name)]
    several = len(images) > 1 or images != arguments.images
    if arguments.figure:
        check_figure_path(arguments.figure, several)
    estimator = _load_reader(arguments.model)
    # Pillow's warnings are about damaged files; errors report those that matter.
    warnings.filterwarnings("ignore", module="PIL")
    if arguments.csv:
        index = ["table"] if arguments.table == "all" else []
        _print_csv([["file", *index, "row", "column", "text", "confidence"]])
    failed = False
    for image in images:
        try:
            readings = _read(image, estimator, arguments)
        except (OSError, ValueError, ImportError, MemoryError) as error:
            failed = True
            message = in_one_line(error)
            named = message if image in message else f"{image}: {message}"
            print(f"skdigits: {named}", file=sys.stderr)
            if arguments.json:
                print(json.dumps({"file": image, "error": message}), flush=True)
        else:
            _show(image, readings, arguments, several)
    return int(failed)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.table and arguments.verbose:
        raise ValueError(
            "--verbose is for pages without a table. Omit it, or the option for tables."
        )


def _files(name: str) -> list[str]:
    """An image, or the images of a folder; the folder itself if it has none."""
    if name == "-" or not Path(name).is_dir():
        return [name]
    paths = sorted(Path(name).iterdir())
    return [str(p) for p in paths if p.suffix.lower() in IMAGE_SUFFIXES] or [name]


def _read(image: str, estimator: Any, arguments: argparse.Namespace) -> list[Any]:
    """The readings of the tables of an image, or that of its page."""
    from skdigits.images import load_image, read_digits, read_table

    if image != "-" and Path(image).is_dir():
        raise ValueError(
            f"The folder {image} has no images. Expected files with names such as "
            "page.jpg or page.png."
        )
    source: Any = sys.stdin.buffer if image == "-" else image
    if arguments.figure:
        source = load_image(source)
    options = {
        name: getattr(arguments, name)
        for name in ("min_confidence", "max_error")
        if getattr(arguments, name) is not None
    }
    readings: list[Any]
    if arguments.table == "all":
        readings = read_table(source, tables="all", estimator=estimator, **options)
    else:
        read: Any = read_table if arguments.table else read_digits
        readings = [read(source, estimator=estimator, **options)]
    if arguments.figure:
        figure = _draw(source, readings, bool(arguments.table))
        save_figure(figure, figure_path(arguments.figure, image))
    return readings


def _draw(image: Any, readings: list[Any], tables: bool) -> Any:
    from skdigits.plotting import DigitReadingDisplay, TableReadingDisplay

    if not tables:
        return DigitReadingDisplay(image, readings[0]).plot().figure_
    display = TableReadingDisplay(image, readings[0]).plot()
    for reading in readings[1:]:
        TableReadingDisplay(image, reading).plot(display.ax_)
    return display.figure_


def _show(
    image: str, readings: list[Any], arguments: argparse.Namespace, several: bool
) -> None:
    if arguments.json:
        as_json = _table_as_json if arguments.table else _page_as_json
        found = [as_json(reading) for reading in readings]
        shown = {"tables": found} if arguments.table == "all" else found[0]
        print(json.dumps({"file": image} | shown), flush=True)
        return
    if arguments.csv:
        for index, reading in enumerate(readings):
            file = [image, index] if arguments.table == "all" else [image]
            parts = reading.cells if arguments.table else reading.numbers
            _print_csv(
                [
                    *file,
                    part.row if arguments.table else part.line,
                    part.column,
                    part.text,
                    round(part.confidence, 4),
                ]
                for part in parts
            )
        return
    if several:
        print(f"==> {image} <==")
    for index, reading in enumerate(readings):
        if arguments.table:
            _print_csv([[]] * (index > 0))
            _print_csv(reading.values)
        else:
            text = _with_confidences(reading) if arguments.verbose else reading.text
            print(text or "(no digits)", flush=True)


def _print_csv(rows: Iterable[Any]) -> None:
    csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
    sys.stdout.flush()


def _with_confidences(reading: Any) -> str:
    """The text of a page, with the lowest confidence of the digits of each number."""
    from skdigits.images._preview import percent

    rows = groupby(reading.numbers, key=lambda number: number.line)
    return "\n".join(
        "  ".join(f"{number} ({percent(number.confidence)})" for number in row)
        for _, row in rows
    )


def _page_as_json(reading: Any) -> dict[str, Any]:
    names = ("label", "confidence", "status", "row", "column", "box")
    digits = [
        _fields(digit, names) | {"probabilities": digit.probabilities.tolist()}
        for digit in reading.digits
    ]
    return {"text": reading.text, "rows": reading.rows, "digits": digits}


def _table_as_json(table: Any) -> dict[str, Any]:
    names = ("row", "column", "text", "confidence", "status", "box", "corners")
    cells = [_fields(cell, names) for cell in table.cells]
    return {"rows": table.values.tolist(), "cells": cells}


def _fields(part: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(part, name) for name in names}


def _load_reader(path: Path | None) -> Any:
    """The classifier in a file, or None for the pretrained network."""
    if path is None:
        return None
    from skdigits.images._read import image_side

    estimator = load_model(path)
    try:
        image_side(estimator)
    except ValueError as error:
        raise ValueError(f"{path} cannot read images. {error}") from error
    return estimator
