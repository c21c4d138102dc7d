"""Accuracy of the fine-tuned digit reader: `python -m benchmarks.handwriting`.

The reader is fine-tuned on the first 40 digits of a writer, and measured on the others.
Writers are the 13 of scikit-learn's digits, whose rows are in the order of writers, and
four synthetic ones, whose digits are those of MNIST, all changed in the same way. The
last columns show how much the reader forgets: its accuracy on MNIST, and the share of
images that are not digits which reach a probability of 0.5.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import affine_transform, grey_dilation

from pretraining import data
from pretraining.__main__ import load
from pretraining.evaluation import other_writers
from skdigits.images import fine_tune_reader, normalize_digit
from skdigits.pretrained import load_digit_reader

# Number of digits to learn from.
_N_OWN = 40

# Number of digits of each writer of scikit-learn's digits.
_N_ROWS = 138

# Handwritings: a matrix from new to old pixels, and the thickness of the pen.
_HANDS = {
    "leaning left, thick": ([[1.0, 0.0], [-0.7, 1.5]], 3),
    "leaning right, wide": ([[1.2, 0.0], [0.7, 0.8]], 1),
    "turned by 30 degrees": ([[0.87, -0.5], [0.5, 0.87]], 1),
    "turned by -30 degrees": ([[0.87, 0.5], [-0.5, 0.87]], 1),
}


def in_hand(images, matrix, thickness):
    """Digits in another handwriting, one row of pixels per digit."""
    centre, matrix = np.array([13.5, 13.5]), np.array(matrix)
    rows = []
    for image in images:
        moved = affine_transform(image, matrix, centre - matrix @ centre)
        ink = grey_dilation(moved, thickness) / 255
        rows.append(normalize_digit(1 - np.pad(ink, 4)).ravel())
    return np.array(rows)


def writers(X_mnist, y_mnist):
    """Yield a name, and the digits and labels of a writer."""
    images, y = other_writers()
    X = images.reshape(len(images), -1)
    for start in range(0, len(y) - _N_ROWS + 1, _N_ROWS):
        rows = slice(start, start + _N_ROWS)
        yield f"rows {start} to {rows.stop - 1} of load_digits", X[rows], y[rows]
    rng = np.random.default_rng(0)
    for name, (matrix, thickness) in _HANDS.items():
        some = rng.choice(len(y_mnist), 400, replace=False)
        yield name, in_hand(X_mnist[some], matrix, thickness), y_mnist[some]


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.handwriting",
        description="Accuracy of the fine-tuned digit reader.",
    )
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help="an .npz with MNIST as x and y"
    )
    args = parser.parse_args()
    _, (X_mnist, y_mnist) = load(args.data)
    others = X_mnist.reshape(len(X_mnist), -1)
    nothing, _ = data.no_digits(X_mnist, y_mnist, 1000, seed=77)
    nothing = nothing.reshape(len(nothing), -1)
    reader = load_digit_reader()

    def measure(clf, X, y):
        taken = (clf.predict_proba(nothing).max(axis=1) >= 0.5).mean()
        return clf.score(X, y), clf.score(others, y_mnist), taken

    print(
        "| handwriting | before | after | MNIST before | after | not a digit | after |"
    )
    print("|---" * 7 + "|")
    figures = []
    for name, X, y in writers(X_mnist, y_mnist):
        tuned = fine_tune_reader(X[:_N_OWN], y[:_N_OWN], random_state=0)
        scores = [measure(clf, X[_N_OWN:], y[_N_OWN:]) for clf in (reader, tuned)]
        figures.append(np.ravel(scores, order="F"))
        print_row(name, figures[-1])
    print_row("mean", np.mean(figures, axis=0))


def print_row(name, figures):
    cells = " | ".join(f"{figure:.2%}" for figure in figures)
    print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
