"""Accuracy of reading tables: `python -m benchmarks.tables FOLDER`.

Without a folder, the share of made-up tables of which the shape is found.
The folder contains `photos` and `grids.json`, a list of objects with the keys `file`,
`rows` (the texts of the cells, "*" for several small digits, which are not to be read
as one) and `corners` of the grid in pixels (x, y). It may contain `cells`, with folders
of images named by the digit, "blank", or "candidates" for several small digits.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from skdigits.images import ImageError, read_digits, read_table

sys.path.append(str(Path(__file__).parents[1] / "tests"))


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tables", description="Accuracy of reading tables."
    )
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER")
    parser.add_argument(
        "--number", type=int, default=80, help="number of made-up tables; default: 80"
    )
    parser.add_argument(
        "--half",
        choices=["choose", "report"],
        help="every other photograph: those to choose settings on, or the others",
    )
    parser.add_argument(
        "--shape", action="store_true", help="pass the numbers of rows and columns"
    )
    args = parser.parse_args()
    if args.folder is None:
        made_up(args.number)
        return
    tables = json.loads((args.folder / "grids.json").read_text("utf-8"))
    if args.half:
        tables = tables[args.half == "report" :: 2]
    counts, grids, seconds = Counter(), 0, []
    for table in tables:
        path = args.folder / "photos" / table["file"]
        truth = np.array(table["rows"], dtype=object)
        start = time.perf_counter()
        try:
            reading = read_table(path, shape=truth.shape if args.shape else None)
        except ImageError as error:
            print(f"{path.name}: {error}")
            continue
        seconds.append(time.perf_counter() - start)
        found = reading.shape == truth.shape
        grids += found
        print(f"{path.name}: {reading!r}, corners off by {_distance(reading, table)}")
        if found:
            for cell, true in zip(reading.cells, truth.ravel(), strict=True):
                counts[_kind(true), _outcome(cell, true)] += 1
                if _outcome(cell, true) not in ("right", "unsure"):
                    print(f"  {cell.row}, {cell.column}: {true!r} as {cell.text!r}")
    print(f"\ngrids found, of the right shape: {grids} of {len(tables)}")
    if seconds:
        print(f"seconds for one image: {np.median(seconds):.2f}")
    report(counts)
    print(f"seconds of a process, 12 megapixels: {process_seconds(path):.1f}")
    if (args.folder / "cells").exists() and not args.half:
        print("\nsingle cells, without their table, read as pages:")
        report(read_cells(args.folder / "cells"))


def made_up(number):
    """Print the share of made-up tables of the right shape, for each property."""
    from synthetic_tables import make_table

    outcomes = {}
    for seed in range(number):
        table = make_table(seed)
        try:
            shape = read_table(table.image).shape
        except ImageError:
            shape = None
        outcome = "error" if shape is None else shape == table.shape
        for name in ("all", *table.properties):
            outcomes.setdefault(name, Counter())[outcome] += 1
    print(f"{'tables with':20}{'tables':>7}{'right':>8}{'wrong':>8}{'error':>8}")
    for name, counts in outcomes.items():
        shares = [
            counts[outcome] / counts.total() for outcome in (True, False, "error")
        ]
        print(f"{name:20}{counts.total():7}", *(f"{share:7.0%}" for share in shares))


def read_cells(folder):
    """Number of outcomes of images of cells, in folders named by their text."""
    counts = Counter()
    for path in sorted(folder.glob("*/*")):
        true = {"blank": "", "candidates": "*"}.get(path.parent.name, path.parent.name)
        try:
            text = read_digits(path).text
        except ImageError:
            text = ""
        cell = SimpleNamespace(text=text, status="unsure" if "?" in text else "ok")
        counts[_kind(true), _outcome(cell, true)] += 1
    return counts


def _kind(true):
    return "several digits" if true == "*" else "one digit" if true else "empty"


def _outcome(cell, true):
    if true == "*":
        wrong = cell.status == "ok" and len(cell.text) == 1
        return "wrong digit" if wrong else "right"
    if cell.status == "unsure":
        return "unsure"
    if cell.text == true:
        return "right"
    return "wrong digit" if cell.text else "not found"


def _distance(reading, table):
    """Maximum distance of a corner in pixels."""
    rows, columns = reading.shape
    places = {
        "topleft": 0,
        "topright": columns - 1,
        "bottomright": rows * columns - 1,
        "bottomleft": (rows - 1) * columns,
    }
    ends = [
        np.subtract(reading.cells[index].corners[corner][::-1], table["corners"][name])
        for corner, (name, index) in enumerate(places.items())
    ]
    return round(float(np.linalg.norm(ends, axis=1).max()), 1)


def report(counts):
    """Print the share of each outcome for each kind of cell."""
    outcomes = ["right", "unsure", "not found", "wrong digit"]
    print(f"\n{'cells with':16}{'cells':>7}", *(f"{name:>12}" for name in outcomes))
    for kind in ("one digit", "empty", "several digits"):
        total = sum(counts[kind, outcome] for outcome in outcomes)
        shares = [counts[kind, outcome] / max(total, 1) for outcome in outcomes]
        print(f"{kind:16}{total:7}", *(f"{share:12.1%}" for share in shares))


def process_seconds(path):
    """Seconds of the command for a photograph enlarged to 12 megapixels."""
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.jpg"
        with Image.open(path) as image:
            scale = (12e6 / (image.width * image.height)) ** 0.5
            size = round(image.width * scale), round(image.height * scale)
            image.resize(size).save(large, quality=90)
        command = [sys.executable, "-m", "skdigits", "read", "--table", str(large)]
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
