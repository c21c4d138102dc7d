"""Run rows of the comparison and print them, or write the page with all of them."""

import argparse
import functools
import json
from pathlib import Path

from benchmarks import report
from benchmarks.processes import Worker
from benchmarks.rows import ROWS

RESULTS = Path(__file__).parent / "results.json"


def run(name, repeats):
    """The answers of every peer of a row, with its accuracy where the row has it."""
    row = ROWS[name]
    answers = row.measure(row, repeats or row.repeats)
    if row.accuracy is not None:
        for peer in row.peers:
            answers[peer][0] |= held_out_accuracy(peer, **row.accuracy)
    return answers


@functools.cache
def held_out_accuracy(peer, **settings):
    """The task "accuracy" in a process of its own."""
    with Worker(peer) as worker:
        return worker.call("accuracy", **settings)


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--all", action="store_true", help="run every row")
    parser.add_argument("--repeats", type=int, help="default: what the row says")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the page with all results"
    )
    args = parser.parse_args()
    unknown = set(args.rows) - ROWS.keys()
    if unknown:
        parser.error(f"no such rows: {sorted(unknown)}; there are {', '.join(ROWS)}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in ROWS if args.all else args.rows:
        results[name] = run(name, args.repeats)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(report.section(ROWS[name], results[name]), flush=True)
    if args.write:
        args.write.write_text(report.page(ROWS, results))
        images = args.write.parent / "images"
        report.draw_chart(results, images / "benchmarks.png")
        report.draw_growth(results, images / "growth.png")


if __name__ == "__main__":
    main()
