"""How the gallery takes the examples: in which order, and with which arguments."""

from pathlib import Path

# From first steps to what is special; what is not named comes before the programs.
STORIES = [
    "plot_digit_recognition.py",
    "plot_page_read.py",
    "plot_hidden_units.py",
    "plot_errors.py",
    "plot_rejection.py",
    "plot_early_stopping.py",
    "plot_hidden_sizes.py",
    "plot_distortions.py",
    "plot_pipeline.py",
    "plot_own_handwriting.py",
]
PROGRAMS = ["train_mnist.py", "serve_digits.py"]


def place(filename):
    name = Path(filename).name
    if name in PROGRAMS:
        return len(STORIES) + 1 + PROGRAMS.index(name), name
    return STORIES.index(name) if name in STORIES else len(STORIES), name


def arguments(gallery_conf, script_vars):
    """What an example finds on its command line."""
    if Path(script_vars["src_file"]).name == "plot_digit_recognition.py":
        return ["--output", "../docs/_build/demo"]
    return []
