"""Results as Markdown, with a chart on top."""

import importlib.metadata
import os
import platform
from pathlib import Path
from statistics import median

from benchmarks.rows import LONG

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

# The words of the page for names in the code.
COLUMNS = {
    "of_weights": "size",
    "x_mib": "size of X (MiB)",
    "peak_mib": "peak memory (MiB)",
    "growth_mib": "growth (MiB)",
    "late_growth_mib": "growth in the second half (MiB)",
    "first": "time at the start",
}
PEERS = {
    "bare loop": "TensorFlow without Keras",
    "bare loop, not compiled": "TensorFlow without Keras, not compiled",
    "our imports alone": "imports of skdigits alone",
    "sgemm": "matrix products alone",
}
# Title, row and column of each panel of the chart.
CHART = [
    ("Training", "fit-warm", "seconds"),
    ("Grid search", "search", "seconds"),
    ("Predicting one image", "predict-one", "seconds"),
    ("Loading a saved classifier", "load", "seconds"),
    ("Memory for 60,000 images", "memory-60000", "peak_mib"),
    ("Size of file / of weights", "formats", "of_weights"),
]
# Bars of the chart, and the lines of a table that they may come from.
BARS = {
    "skdigits": ["skdigits", "joblib"],
    "MLPClassifier": ["MLPClassifier", "MLPClassifier, joblib"],
    "Keras": ["Keras", "Keras itself", "SKLearnClassifier"],
}


def section(row, answers):
    """One row as a heading, a sentence and a table."""
    work = f"{row.work[0].upper()}{row.work[1:]}"
    ours = next(iter(answers))
    repeats = len(answers[ours])
    lines = [f"## {row.title}", "", f"{work}. Repeats: {repeats}.", ""]
    extra = _extra_columns(answers)
    header = ["", "time", "relative", "goal", *(COLUMNS.get(n, n) for n in extra)]
    table = [header, ["---"] * len(header)]
    our_seconds = _median(answers[ours], "seconds")
    for peer, given in answers.items():
        seconds = _median(given, "seconds")
        if seconds is None:
            error = next(a["error"] for a in given if "error" in a)
            cells = [PEERS.get(peer, peer), error, "", "", *[""] * len(extra)]
        else:
            target = row.targets.get(peer)
            ratio = ""
            if peer != ours and our_seconds:
                ratio = f"{seconds / our_seconds:.3g}"
            goal = "" if target is None else f"{target:.3g}"
            cells = [PEERS.get(peer, peer), _duration(seconds), ratio, goal]
            cells += [_number(_median(given, column), column) for column in extra]
        table.append(cells)
    lines += [f"| {' | '.join(cells)} |" for cells in table]
    return "\n".join([*lines, ""])


def _extra_columns(answers):
    names = [key for given in answers.values() for a in given for key in a]
    left_out = ("seconds", "error", "gather_seconds")  # the last is drawn only
    return [n for n in dict.fromkeys(names) if n not in left_out]


def _median(given, column):
    values = [answer[column] for answer in given if column in answer]
    if not values or isinstance(values[0], str):
        return values[0] if values else None
    return median(values)


def _duration(seconds):
    for factor, unit in [(1, "s"), (1e3, "ms"), (1e6, "µs")]:
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g}\N{NO-BREAK SPACE}{unit}"
    return f"{seconds * 1e6:.3g}\N{NO-BREAK SPACE}µs"


def _number(value, column):
    if value is None or isinstance(value, str):
        return value or ""
    if column == "accuracy":
        return f"{100 * value:.1f}\N{NO-BREAK SPACE}%"
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
        "![Bar chart of times, memory and file sizes of skdigits, MLPClassifier and "
        "Keras: training, grid search, predicting one image, loading a saved "
        "classifier, memory, and size of the file](images/benchmarks.png)",
        "",
        "All libraries train the same network on the same digits. Shorter bars are "
        "better. Keras is searched through its SKLearnClassifier, and the memory is "
        "that of training. The sections below explain each measurement.",
        "",
        "- **Times** are medians. The libraries take turns, each in its own process. "
        f"A measurement of more than {LONG} seconds is made once.",
        "- **Relative** is a time divided by that of skdigits, which is the first line "
        "of each table. **Goal** is the minimum of this ratio that we aim for.",
        "- **Networks** are trained with Adam at a learning rate of 0.001, without a "
        "penalty, for the same number of epochs. The default is 25-15-10 units.",
        "- **Accuracies** are those of a single seed on 1000 held-out digits, with a "
        "standard error of 0.9 percentage points.",
        "",
        f"`{COMMAND}` measures everything and writes this page; `python -m benchmarks "
        "ROW` measures a single section. The versions are Python "
        f"{platform.python_version()}, {', '.join(versions)}; the machine is "
        f"{_machine()}.",
        "",
    ]
    for name, row in rows.items():
        if name in results and not name.startswith("growth"):
            parts.append(section(row, results[name]))
    parts += [
        "## Time against size",
        "",
        "Time of an epoch against rows (25-15-10 units) and against width (5000 rows, "
        "100-50-10 units and multiples), batch 32, compared with proportional growth "
        "and with the time NumPy takes to read all rows in random order, which the "
        "memory bounds.",
        "",
        "![Time of an epoch against rows and against width](images/growth.png)",
        "",
        (Path(__file__).parent / "notes.md").read_text(),
    ]
    return "\n".join(parts)


def draw_chart(results, path):
    """Plot the rows that users ask for first."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        3, 2, sharey=True, figsize=(8, 6.5), layout="constrained"
    )
    for ax, (title, row, column) in zip(axes.flat, CHART, strict=True):
        lines = [[p for p in peers if p in results[row]][:1] for peers in BARS.values()]
        values = [
            _median(results[row][line[0]], column) if line else 0 for line in lines
        ]
        shown = [_shown(value, column) if value else "not measured" for value in values]
        colors = ["#0072b2" if name == "skdigits" else "0.7" for name in BARS]
        bars = ax.barh(list(BARS), values, color=colors)
        ax.bar_label(bars, shown, padding=4, fontsize=13)
        ax.set_ylim(len(BARS) - 0.5, -0.5)
        ax.margins(x=0.3)
        ax.set_title(title, loc="left", fontsize=14, weight="bold")
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0, labelbottom=False, labelsize=13)
    figure.savefig(path, dpi=120)


def _shown(value, column):
    if column == "seconds":
        return _duration(value)
    return f"{value:.0f} MiB" if column == "peak_mib" else f"{value:.2f}"


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
        if kind == "rows":
            gather = [
                1e3 * _median(results[f"growth-rows-{f}"]["skdigits"], "gather_seconds")
                for f in factors
            ]
            ax.plot(factors, gather, "s-", color="C1", label="NumPy, reading the rows")
        ax.set(xlabel=label, ylabel="ms per epoch", xticks=factors, ylim=(0, None))
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
