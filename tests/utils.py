"""Functions that several test files share."""

import os
import re
import subprocess
import sys


def run_python(*arguments, env=None, **settings):
    """Run a fresh Python; returns what it wrote to stdout and stderr as text.

    Parameters
    ----------
    *arguments : str
        Of the interpreter, such as ``"-c", code``.
    env : dict, default=None
        Environment variables to set on top of those of the tests.
    **settings
        Passed to `subprocess.run`.
    """
    # A developer's own settings must not quieten TensorFlow.
    unset = {"KERAS_BACKEND", "PYTHONWARNINGS", "TF_CPP_MIN_LOG_LEVEL"}
    inherited = {name: os.environ[name] for name in os.environ.keys() - unset}
    done = subprocess.run(
        [sys.executable, *arguments],
        env=inherited | {name: str(value) for name, value in (env or {}).items()},
        capture_output=True,
        timeout=300,
        **settings,
    )
    # Decoded here: in text mode every return of a progress bar would be a new line.
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0, err
    return out, err


def code_blocks(page):
    """The Python code of a Markdown file, one text for each block."""
    return [code for code, _ in code_and_output(page)]


def code_and_output(page):
    """The Python code of each block, and the output that the page shows after it."""
    block = r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?"
    return re.findall(block, page.read_text("utf-8"), re.DOTALL)
