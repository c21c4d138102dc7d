"""Results as Markdown."""

import importlib.metadata
import os
import platform
from pathlib import Path
from statistics import median

COMMAND = "make bench"
PACKAGES = [
    "skdigits",
    "tensorflow",
    "keras",
    "scikit-learn",
    "numpy",
    "scikeras",
    "skorch",
    "torch",
]


def section(row, answers):
    """One row as a heading, a sentence and a table."""
    work = f"{row.work[0].upper()}{row.work[1:]}"
    ours = next(iter(answers))
    repeats = len(answers[ours])
    lines = [f"## {row.title}", "", f"{work}. Repeats: {repeats}.", ""]
    extra = _extra_columns(answers)
    header = ["", "time", "times ours", "aim", *extra]
    table = [header, ["---"] * len(header)]
    our_seconds = _median(answers[ours], "seconds")
    for peer, given in answers.items():
        seconds = _median(given, "seconds")
        if seconds is None:
            error = next(a["error"] for a in given if "error" in a)
            cells = [peer, error, "", "", *[""] * len(extra)]
        else:
            target = row.targets.get(peer)
            ratio = ""
            if peer != ours and our_seconds:
                ratio = f"{seconds / our_seconds:.3g}"
            aim = "" if target is None else f"{target:.3g}"
            cells = [peer, _duration(seconds), ratio, aim]
            cells += [_number(_median(given, column), column) for column in extra]
        table.append(cells)
    lines += [f"| {' | '.join(cells)} |" for cells in table]
    return "\n".join([*lines, ""])


def _extra_columns(answers):
    names = [key for given in answers.values() for a in given for key in a]
    return [n for n in dict.fromkeys(names) if n not in ("seconds", "error")]


def _median(given, column):
    values = [answer[column] for answer in given if column in answer]
    if not values or isinstance(values[0], str):
        return values[0] if values else None
    return median(values)


def _duration(seconds):
    for factor, unit in [(1, "s"), (1e3, "ms"), (1e6, "µs")]:
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _number(value, column):
    if value is None or isinstance(value, str):
        return value or ""
    if column == "accuracy":
        return f"{100 * value:.1f} %"
    if column == "first":
        return _duration(value)
    if column == "of_weights":
        return f"{value:.2f}"
    return f"{value:.0f}"


def page(rows, results):
    """All rows, with versions and the machine."""
    versions = [
        f"{name} {importlib.metadata.version(name)}"
        for name in PACKAGES
        if _installed(name)
    ]
    parts = [
        "# Benchmarks",
        "",
        f"Written by `{COMMAND}`; `python -m benchmarks ROW` runs a single row, and "
        "`--repeats` sets the number of measurements. The libraries take turns, each "
        "in its own process; times are medians. *Times ours* is a time divided by that "
        "of skdigits (the first line), and *aim* is its minimum target. Accuracies are "
        "on held-out data.",
        "",
        f"Python {platform.python_version()}, {', '.join(versions)}; {_machine()}.",
        "",
    ]
    for name, row in rows.items():
        if name in results and not name.startswith("growth"):
            parts.append(section(row, results[name]))
    parts += [
        "## Growth",
        "",
        "Time of an epoch against rows (25-15-10 units) and against width (5000 rows, "
        "100-50-10 units and multiples), batch 32, compared with proportional growth.",
        "",
        "![Time of an epoch against rows and against width](images/growth.png)",
        "",
        (Path(__file__).parent / "notes.md").read_text(),
    ]
    return "\n".join(parts)


def draw_growth(results, path):
    """Plot the growth rows."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    factors = [1, 2, 4, 8]
    for ax, kind, label in zip(
        axes, ["rows", "width"], ["times 5000 rows", "times 100-50 units"], strict=True
    ):
        seconds = [
            1e3 * _median(results[f"growth-{kind}-{factor}"]["skdigits"], "seconds")
            for factor in factors
        ]
        ax.plot(factors, seconds, "o-", label="skdigits")
        proportional = [seconds[0] * factor for factor in factors]
        ax.plot(factors, proportional, "--", color="0.5", label="proportional")
        ax.set(xlabel=label, ylabel="ms an epoch", xticks=factors, ylim=(0, None))
        ax.legend()
    figure.savefig(path, dpi=120)


def _installed(name):
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    flags = Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    vectors = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else ""
    return (
        f"{platform.system()} on {os.cpu_count()} cores of {platform.machine()} "
        f"{vectors}, {memory:.0f} GiB of memory, shared with others"
    )
