"""Accuracy of reading photographs: `python -m benchmarks.photographs FOLDER...`.

A folder contains images and `photos.json`, a list of objects with the keys `file`,
`rows` (strings of digits), `layout` ("page", "line", "form", "single" or "none"),
`touching` and `source_repo`, or `repo`. Rows and digits are matched in order, by the
alignment with the fewest edits. A folder without it contains a folder of images of
single digits for each label; of the others, none shows digits.

`--split choose` is for choices and `--split report` for the figures of the guide: each
source belongs to one of them, by the hash of its name.
"""

import argparse
import functools
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from skdigits.images import ImageError, find_digits, load_image, read_digits
from skdigits.pretrained import load_digit_reader


class Score(NamedTuple):
    """Counts for an image, or their sum over several images."""

    digits: int = 0
    found: int = 0
    false: int = 0
    read: int = 0
    images: int = 0
    whole: int = 0

    def __add__(self, other):
        return Score(*map(sum, zip(self, other, strict=True)))


# Readers: from an image to its rows


def ours(path, page):
    return read_digits(path).rows


def unsure_too(path, page):
    """`ours`, with the labels of unsure and cut digits."""
    digits = read_digits(path).digits
    rows = [""] * (1 + max((digit.row for digit in digits), default=-1))
    for digit in digits:
        rows[digit.row] += str(digit.label)
    return rows


def resized(path, page):
    """The usual approach: each box is resized to 28 x 28 pixels and classified.

    With our boxes and our network, so that only the normalization differs.
    """
    grey = load_image(path)
    light = np.median(grey) < 0.5
    rows = {}
    for region in find_digits(grey):
        top, left, bottom, right = region.box
        crop = Image.fromarray(grey[top:bottom, left:right] * 255).convert("L")
        small = np.asarray(crop.resize((28, 28), Image.Resampling.BILINEAR))
        row = (small if light else 255 - small).reshape(1, -1)
        rows.setdefault(region.row, []).append(str(_reader().predict(row)[0]))
    return ["".join(rows[row]) for row in sorted(rows)]


def tesseract(path, page):
    """Tesseract, restricted to digits."""
    segmentation = "10" if page.get("layout") == "single" else "6"
    digits = "tessedit_char_whitelist=0123456789"
    command = ["tesseract", path, "stdout", "--psm", segmentation, "-c", digits]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = ["".join(line.split()) for line in answer.splitlines()]
    return [row for row in rows if row]


@functools.cache
def _reader():
    return load_digit_reader()


# Scores


def align(first, second, cost):
    """Pairs of indices of the cheapest alignment of two sequences.

    `cost(a, b)` is the cost of a pair; that of `a` or `b` alone is `cost(a, None)`.
    """
    table = {(0, 0): (0, None)}
    for i in range(len(first) + 1):
        for j in range(len(second) + 1):
            choices = []
            if i:
                choices.append((table[i - 1, j][0] + cost(first[i - 1], None), "up"))
            if j:
                choices.append((table[i, j - 1][0] + cost(second[j - 1], None), "left"))
            if i and j:
                both = cost(first[i - 1], second[j - 1])
                choices.append((table[i - 1, j - 1][0] + both, "both"))
            if choices:
                table[i, j] = min(choices)
    pairs, i, j = [], len(first), len(second)
    while i or j:
        step = table[i, j][1]
        i, j = i - (step != "left"), j - (step != "up")
        if step == "both":
            pairs.append((i, j))
    return pairs


def between_digits(a, b):
    return 1 if b is None else int(a != b)


def between_rows(a, b):
    if b is None:
        return len(a)
    pairs = align(a, b, between_digits)
    right = sum(a[i] == b[j] for i, j in pairs)
    return len(a) + len(b) - len(pairs) - right


def score(rows, read):
    """Compare the rows read with the true rows."""
    found = right = 0
    for i, j in align(rows, read, between_rows):
        pairs = align(rows[i], read[j], between_digits)
        found += len(pairs)
        right += sum(rows[i][a] == read[j][b] for a, b in pairs)
    return Score(
        digits=sum(map(len, rows)),
        found=found,
        false=sum(map(len, read)) - found,
        read=right,
        images=1,
        whole=int(list(rows) == list(read)),
    )


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.photographs",
        description="Accuracy of reading photographs.",
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--split", choices=["choose", "report"], help="default: both")
    parser.add_argument(
        "--peers", action="store_true", help="also measure Tesseract and plain resizing"
    )
    args = parser.parse_args()
    pages = [
        page
        for folder in args.folders
        for page in load_pages(folder)
        if args.split in (None, split_of(page))
    ]
    readers = {"skdigits": ours, "skdigits, unsure digits too": unsure_too}
    if args.peers:
        readers["resized to 28 x 28"] = resized
        if shutil.which("tesseract"):
            readers["Tesseract"] = tesseract
        else:
            print("Tesseract is not installed: apt-get install tesseract-ocr")
    for name, reader in readers.items():
        report(name, reader, pages)


def load_pages(folder):
    """The images of a folder: objects of its `photos.json` with complete paths."""
    if (folder / "photos.json").exists():
        pages = json.loads((folder / "photos.json").read_text("utf-8"))
        return [page | {"file": str(folder / page["file"])} for page in pages]
    return [
        {"file": str(path), "rows": [label] if digit else [], "repo": str(path.stem)}
        | {"layout": "single" if digit else "none"}
        for label, digit, path in (
            (path.parent.name, path.parent.name.isdigit(), path)
            for path in sorted(folder.glob("*/*"))
            if path.parent.name.isdigit() or path.parent.name == "blank"
        )
    ]


def source_of(page):
    return page.get("source_repo") or page.get("repo", "")


def split_of(page):
    """The half of the sources that an image belongs to."""
    odd = hashlib.sha256(source_of(page).encode()).digest()[0] % 2
    return "report" if odd else "choose"


def kind_of(page):
    touching = page.get("touching") and page["layout"] == "line"
    return "touching" if touching else page.get("layout", "page")


def report(name, reader, pages):
    """Print a line for each image, each source, and each kind of image."""
    print(f"\n{name}\n{'':40}{'digits':>8}{'found':>8}{'false':>8}{'read':>8}  whole")
    sources, total = {}, {}
    for page in pages:
        try:
            read = reader(page["file"], page)
        except ImageError as error:
            print(f"{page['file']}: {error}")
            read = []
        result = score(page["rows"], read)
        note = "" if result.whole else f"   {' '.join(read)}"
        _print(Path(page["file"]).name, result, note)
        for sums, key in [
            (sources, source_of(page)),
            (total, f"kind: {kind_of(page)}"),
        ]:
            sums[key] = sums.get(key, Score()) + result
    print("by source")
    for key, result in [*sources.items(), *sorted(total.items())]:
        wrong = result.digits - result.read + result.false
        _print(key, result, f"   {1 - wrong / max(1, result.digits):7.1%}")


def _print(name, result, note=""):
    print(
        f"{name:40.40}{result.digits:8}{result.found:8}{result.false:8}{result.read:8}"
        f"  {result.whole}/{result.images}{note}"
    )


if __name__ == "__main__":
    main()
