"""The tasks of docs/guide/other-tools.md, as far as their packages are installed.

`make test-tools` installs all of them.
"""

import importlib.util
import re
from pathlib import Path

import pytest
from utils import assert_same_text, code_and_output

import skdigits

PAGE = Path(skdigits.__file__).parents[1] / "docs" / "guide" / "other-tools.md"
if not PAGE.exists():
    pytest.skip("needs a clone of the project", allow_module_level=True)

START, *SECTIONS = re.split(r"^(?=## )", PAGE.read_text("utf-8"), flags=re.M)
TASKS = {text.splitlines()[0][3:]: text for text in SECTIONS if "```python" in text}


@pytest.fixture(scope="module")
def start():
    """The names that the page defines for all tasks."""
    namespace = {}
    for code, _ in code_and_output(START):
        exec(code, namespace)
    return namespace


# Other packages may warn of each other, and change the state of the process.
@pytest.mark.filterwarnings("default")
@pytest.mark.changes(
    "environment",
    "NumPy's error handling",
    "NumPy's random state",
    "Python's random state",
    "warning filters",
)
@pytest.mark.parametrize("task", TASKS)
def test_task_prints_what_it_shows(task, start, tmp_path, monkeypatch, capsys):
    blocks = code_and_output(TASKS[task])
    for module in re.findall(r"^(?:import|from) (\w+)", TASKS[task], re.M):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}, which `make test-tools` installs")
    monkeypatch.chdir(tmp_path)
    namespace = dict(start)
    for code, shown in blocks:
        exec(compile(code, task, "exec"), namespace)
        printed = capsys.readouterr().out
        if shown:
            assert_same_text(printed, shown, atol=0.05)  # shares of few digits
