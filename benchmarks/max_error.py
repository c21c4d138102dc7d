"""Whether `max_error` keeps its promise: `python -m benchmarks.max_error FOLDER...`.

For digits that the reader was not trained on, and for each kind of image in the folders
of benchmarks/photographs.py: the share of wrong labels among the digits with status
"ok", and the share of digits that have it. In brackets, a digit that is read where
there is none counts as wrong, too.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.photographs import (
    align,
    between_digits,
    between_rows,
    kind_of,
    load_pages,
)
from pretraining.__main__ import load
from pretraining.evaluation import other_writers
from skdigits.images import read_digits
from skdigits.images._read import to_min_confidence
from skdigits.pretrained import load_digit_reader

MAX_ERRORS = (0.02, 0.01, 0.005)


def of_images(images, labels):
    """Confidence and outcome of each image: "right" or "wrong"."""
    P = load_digit_reader().predict_proba(images.reshape(len(images), -1))
    right = P.argmax(axis=1) == labels
    return P.max(axis=1), np.where(right, "right", "wrong")


def of_page(page):
    """The same of each digit that is read; "nothing" if there is no digit.

    The confidence is 0 where the digit is unsure for all `MAX_ERRORS`.
    """
    rows = {}
    for digit in read_digits(page["file"], max_error=MAX_ERRORS[0]):
        rows.setdefault(digit.row, []).append(digit)
    rows = [rows[row] for row in sorted(rows)]
    texts = ["".join(str(digit.label) for digit in row) for row in rows]
    outcomes = [["nothing"] * len(row) for row in rows]
    for i, j in align(page["rows"], texts, between_rows):
        for a, b in align(page["rows"][i], texts[j], between_digits):
            right = page["rows"][i][a] == texts[j][b]
            outcomes[j][b] = "right" if right else "wrong"
    return [
        (digit.confidence if digit.status == "ok" else 0.0, outcome)
        for row, own in zip(rows, outcomes, strict=True)
        for digit, outcome in zip(row, own, strict=True)
        if digit.status != "cut"
    ]


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.max_error",
        description="Whether max_error keeps its promise.",
    )
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER")
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help="an .npz with MNIST as x and y"
    )
    args = parser.parse_args()
    _, held_out = load(args.data)
    answers = {
        "MNIST, held out": of_images(*held_out),
        "scikit-learn's digits": of_images(*other_writers()),
    }
    kinds = {}
    for folder in args.folders:
        for page in load_pages(folder):
            if page.get("layout") != "none":
                kinds.setdefault(kind_of(page), []).extend(of_page(page))
    for kind, digits in sorted(kinds.items()):
        answers[kind] = tuple(map(np.array, zip(*digits, strict=True)))
    thresholds = [to_min_confidence(None, error, None) for error in MAX_ERRORS]
    cells = [
        f"{m:.1%}: at {t:.3f}" for m, t in zip(MAX_ERRORS, thresholds, strict=True)
    ]
    print("| digits | number | " + " | ".join(cells) + " |")
    print("|---" * (len(MAX_ERRORS) + 2) + "|")
    for name, (confidence, outcome) in answers.items():
        cells = []
        for threshold in thresholds:
            own = outcome[confidence >= threshold]
            found = own[own != "nothing"]
            wrong, any_wrong = (found == "wrong").mean(), (own != "right").mean()
            false = f" ({any_wrong:.1%})" if any_wrong > wrong else ""
            cells.append(f"{wrong:.1%}{false} of {len(own) / len(outcome):.0%}")
        print(f"| {name} | {len(outcome)} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
