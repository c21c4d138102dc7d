"""Change the weights of paths where that reduces errors, and print them.

`python -m pretraining.path_search --data mnist.npz FOLDER...` starts from the weights
of skdigits/images/_lattice.py, and keeps random changes of one or two of them with
which fewer digits are lost or false: on photographs in the folders of
`benchmarks.photographs`, of sources that are for choices, on pages of scikit-learn's
digits and on pairs of touching digits.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from benchmarks.photographs import load_pages, score, split_of
from benchmarks.touching import make_pair
from pretraining.__main__ import load
from pretraining.lines import strokes_of, to_lines
from pretraining.segmentation import path_weights, split_weights
from skdigits.images import load_image
from skdigits.images._lattice import choose_digits
from skdigits.images._reading_order import to_rows

# An image without digits in which one is read counts as this many more errors.
_COST_OF_NOTHING = 3

# Standard deviation of changes relative to a weight, and its minimum.
_STEP, _MIN_STEP = 0.15, 0.25


def examples(paths, n_pages, n_pairs, held):
    """Images with their rows of digits."""
    rng = np.random.default_rng(5)
    for folder in paths:
        for page in load_pages(folder):
            if split_of(page) == "choose":
                yield load_image(page["file"]), page["rows"]
    images, labels = load_digits(return_X_y=True)
    for start in range(600, 600 + 10 * n_pages, 10):
        row = [np.pad(image.reshape(8, 8), 4) for image in images[start : start + 10]]
        text = "".join(map(str, labels[start : start + 10]))
        yield np.float32(1 - np.pad(np.hstack(row), 12) / 16), [text]
    for page, text in (make_pair(*held, rng) for _ in range(n_pairs)):
        yield page, [text]


def count_errors(weights, images):
    """Digits that are lost or false with some weights."""
    parts = split_weights(weights)
    errors = 0
    for lines, rows in images:
        digits = [d for line in lines for d in choose_digits(line, parts)[0]]
        found = [
            "".join(str(digits[index].probabilities.argmax()) for index in row)
            for row in to_rows([digit.box for digit in digits])
        ]
        result = score(rows, found)
        errors += result.digits - result.read + result.false
        errors += _COST_OF_NOTHING * bool(found and not rows)
    return errors


def main():
    parser = argparse.ArgumentParser(
        prog="python -m pretraining.path_search", description=__doc__
    )
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER")
    parser.add_argument("--data", type=Path, metavar="FILE")
    parser.add_argument("--pages", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--changes", type=int, default=500)
    args = parser.parse_args()
    _, held = load(args.data)
    images = [
        (to_lines(strokes_of(grey))[0], rows)
        for grey, rows in examples(args.folders, args.pages, args.pairs, held)
    ]
    best = path_weights()
    fewest = count_errors(best, images)
    print(f"{len(images)} images, {fewest} errors", flush=True)
    rng = np.random.default_rng(0)
    steps = np.maximum(_STEP * np.abs(best), _MIN_STEP)
    for _ in range(args.changes):
        weights = best.copy()
        chosen = rng.choice(len(best), size=rng.integers(1, 3), replace=False)
        weights[chosen] += rng.normal(0, steps[chosen])
        errors = count_errors(weights, images)
        if errors < fewest:
            best, fewest = weights, errors
            print(f"{fewest} errors: {np.round(best, 2).tolist()}", flush=True)


if __name__ == "__main__":
    main()
