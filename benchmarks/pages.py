"""How many digits of hard pages find_digits finds, for each way of being hard."""

import argparse
import sys
from collections import defaultdict
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from skdigits.images import find_digits

sys.path.append(str(Path(__file__).parents[1] / "tests"))


def overlap(box, other):
    """Area of the intersection over that of the union."""
    top, left = np.maximum(box[:2], other[:2])
    bottom, right = np.minimum(box[2:], other[2:])
    common = max(0, bottom - top) * max(0, right - left)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return common / (sum(areas) - common)


def judge(page, regions):
    """Numbers of digits, of those found, of those in place, and of false finds."""
    found = in_place = 0
    true = [(r, c, d.box) for r, row in enumerate(page.rows) for c, d in enumerate(row)]
    for row, column, box in true:
        near = [region for region in regions if overlap(region.box, box) > 0.5]
        found += bool(near)
        in_place += any((r.row, r.column) == (row, column) for r in near)
    return len(true), found, in_place, len(regions) - found


def measure(seed, **fixed):
    """What `judge` says of a hard page, and the page's parameters."""
    from synthetic_pages import make_hard_page

    page, parameters = make_hard_page(seed, **fixed)
    return seed, parameters, judge(page, find_digits(page.image))


def table(results):
    """Lines with the shares of digits for each value of each parameter."""
    sums = defaultdict(lambda: np.zeros(4, dtype=int))
    for _, parameters, counts in results:
        sums["all", ""] += counts
        for item in parameters.items():
            sums[item] += counts
    yield f"{'':24}{'digits':>8}{'found':>8}{'in place':>10}{'false':>8}"
    for (name, value), (total, *counts) in sorted(
        sums.items(), key=lambda item: (item[0][0], str(item[0][1]))
    ):
        shares = [f"{count / max(total, 1):.1%}" for count in counts]
        yield "{:24}{:8}{:>8}{:>10}{:>8}".format(f"{name} {value}", total, *shares)


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pages", description=__doc__
    )
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="seed of the first page")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--worst", action="store_true", help="list the worst pages")
    args = parser.parse_args()
    seeds = range(args.first, args.first + args.pages)
    with get_context("spawn").Pool(args.jobs) as pool:
        results = pool.map(measure, seeds, chunksize=1)
    print(*table(results), sep="\n")
    if args.worst:
        wrong = [(n - good + false, seed) for seed, _, (n, _, good, false) in results]
        for errors, seed in sorted(wrong, reverse=True)[:15]:
            print(f"seed {seed}: {errors} wrong")


if __name__ == "__main__":
    main()
