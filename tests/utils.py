"""Functions that several test files share."""

import os
import re
import subprocess
import sys

import numpy as np


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


def code_and_output(text):
    """The Python code of each block in Markdown, and the output shown after it."""
    block = r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?"
    return re.findall(block, text, re.DOTALL)


def assert_same_text(printed, shown, atol=0.03):
    """Assert that texts are equal, and decimal numbers close: training rounds."""
    number = r"\d+\.\d+"
    printed, shown = (re.sub(r" +$", "", t, flags=re.M) for t in (printed, shown))
    parts, expected = re.split(number, printed.strip()), re.split(number, shown.strip())
    assert parts == expected
    numbers, wanted = re.findall(number, printed), re.findall(number, shown)
    np.testing.assert_allclose(
        [float(n) for n in numbers], [float(n) for n in wanted], atol=atol
    )
