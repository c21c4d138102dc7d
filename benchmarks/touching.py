"""Share of touching pairs of digits that are read: `python -m benchmarks.touching`.

The digits are the last 10,000 of MNIST, on which the reader was not trained. The second
digit of a pair is moved towards the first until their strokes touch. If the cuts permit
two windows that the network reads right, but the pair is not read, the weights of the
path are at fault.
"""

import argparse
from pathlib import Path

import numpy as np

from pretraining.__main__ import load
from pretraining.lines import strokes_of, to_lines
from skdigits.images import read_digits

# Pixels of the page per pixel of MNIST, and paper around the digits in pixels.
_ZOOM, _MARGIN = 3, 40

# Ink above this share belongs to a stroke.
_STROKE = 0.5


def make_pair(X, y, rng):
    """A page of two touching digits, and its text.

    Returns
    -------
    page : ndarray of float32 of shape (height, width)
        From 0 for ink to 1 for paper.
    text : str
    """
    indices = rng.integers(len(X), size=2)
    first, second = (
        np.kron(X[index][:, X[index].any(0)] / np.float32(255), np.ones((_ZOOM,) * 2))
        for index in indices
    )
    second = np.roll(second, rng.integers(-2 * _ZOOM, 2 * _ZOOM + 1), axis=0)
    height, width = first.shape
    ink = np.zeros((height, width + second.shape[1]), dtype=np.float32)
    ink[:, :width] = first
    left = width
    while left > 0:
        box = ink[:, left : left + second.shape[1]]
        if ((box > _STROKE) & (second > _STROKE)).any():
            break
        left -= 1
    np.maximum(box, second, out=box)
    page = 1 - np.pad(ink, _MARGIN)
    return page, "".join(str(y[index]) for index in indices)


def is_possible(page, text):
    """Whether two windows that divide all ink are read as the text."""
    lines, _ = to_lines(strokes_of(page))
    for line in lines:
        read = {
            (window.first, window.stop): str(window.probabilities.argmax())
            for window in line.windows
        }
        n = len(line.pieces)
        if any(read.get((0, i), "") + read.get((i, n), "") == text for i in range(n)):
            return True
    return False


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.touching", description=__doc__
    )
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help="an .npz with MNIST as x and y"
    )
    parser.add_argument("--pairs", type=int, default=300)
    args = parser.parse_args()
    _, (X, y) = load(args.data)
    rng = np.random.default_rng(0)
    pages = [make_pair(X, y, rng) for _ in range(args.pairs)]
    read = ["".join(read_digits(page).rows) for page, _ in pages]
    pairs = sum(text == own for own, (_, text) in zip(read, pages, strict=True))
    possible = sum(is_possible(*page) for page in pages)
    print(f"{pairs} of {len(pages)} pairs read: {pairs / len(pages):.1%}")
    print(f"possible with these cuts and this network: {possible / len(pages):.1%}")


if __name__ == "__main__":
    main()
