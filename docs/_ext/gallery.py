"""The order of the examples in each section of the gallery."""

from pathlib import Path

# From first steps to special topics. Examples that are not named come last.
STORIES = [
    "plot_page_read.py",
    "plot_mark_sheet.py",
    "plot_pipeline.py",
    "plot_rejection.py",
    "plot_own_handwriting.py",
    "plot_digit_recognition.py",
    "plot_distortions.py",
    "plot_ensemble.py",
    "plot_errors.py",
    "plot_hidden_units.py",
    "plot_early_stopping.py",
    "plot_hidden_sizes.py",
]


def place(filename):
    name = Path(filename).name
    return STORIES.index(name) if name in STORIES else len(STORIES), name
