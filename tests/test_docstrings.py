"""Documentation that runs, and that says what the code says."""

import doctest
import importlib
import inspect
import re
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from numpydoc.docscrape import FunctionDoc
from numpydoc.validate import validate
from PIL import Image
from sklearn.base import BaseEstimator
from utils import assert_same_text, code_and_output

import skdigits

MODULES = [
    "skdigits",
    "skdigits.augmentation",
    "skdigits.datasets",
    "skdigits.export",
    "skdigits.images",
    "skdigits.plotting",
    "skdigits.pretrained",
]
ROOT = Path(skdigits.__file__).parents[1]
README = ROOT / "README.md"
IMAGES = ROOT / "docs" / "images"
# The guide to clusters runs in test_backends.py, which has some; that to other tools in
# test_other_tools.py.
PAGES = sorted(
    page
    for folder in ("docs", "docs/guide")
    for page in ROOT.glob(f"{folder}/*.md")
    if page.stem not in ("clusters", "other-tools")
)

# Pages that import these are skipped where they are not installed.
NOT_EVERYWHERE = ("mlxtend.data", "onnxruntime", "skops.io")

# Not every example sets a seed.
pytestmark = pytest.mark.changes("NumPy's random state", "Python's random state")

# An extended summary, and a "See Also" for every method, would say nothing new.
OPTIONAL = {"ES01", "SA01"}


def public_objects():
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            item = getattr(module, name)
            yield f"{module_name}.{name}"
            for method, member in vars(item).items():
                documented = inspect.unwrap(getattr(member, "__func__", member))
                if inspect.isfunction(documented) and not method.startswith("_"):
                    yield f"{module_name}.{name}.{method}"


PUBLIC = list(public_objects())


def resolve(path):
    module = max((m for m in MODULES if path.startswith(f"{m}.")), key=len)
    item = importlib.import_module(module)
    for name in path.removeprefix(f"{module}.").split("."):
        item = getattr(item, name)
    return item


@pytest.mark.parametrize("path", PUBLIC)
def test_docstring_is_valid_numpydoc(path):
    errors = {
        code: message
        for code, message in validate(path)["errors"]
        if code not in OPTIONAL
    }
    assert not errors


@pytest.mark.parametrize("path", PUBLIC)
def test_documented_defaults_are_those_of_the_signature(path):
    item = resolve(path)
    if inspect.isclass(item) and issubclass(item, Exception):
        return  # it has no signature of its own
    documented = {}
    for parameter in FunctionDoc(item)["Parameters"]:
        match = re.search(r"default=(.*)$", parameter.type)
        if match:
            documented[parameter.name] = eval(match[1], {"nan": np.nan})
    signature = {
        name: parameter.default
        for name, parameter in inspect.signature(item).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    assert documented == signature


@pytest.mark.parametrize("path", PUBLIC)
def test_example_runs(path):
    pytest.importorskip("matplotlib.pyplot")
    item = resolve(path)
    text = inspect.getdoc(item)
    assert ">>>" in text
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(doctest.DocTestParser().get_doctest(text, {}, path, None, 0))
    assert runner.summarize(verbose=False).failed == 0


ESTIMATORS = [
    path
    for path in PUBLIC
    if inspect.isclass(resolve(path)) and issubclass(resolve(path), BaseEstimator)
]


@pytest.mark.skipif(not README.exists(), reason="needs a clone of the project")
@pytest.mark.parametrize("path", ESTIMATORS)
def test_estimator_html_repr_links_to_the_api(path):
    estimator = resolve(path)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    link = f"{project['urls']['Documentation']}/api/{path}.html"
    assert estimator.__new__(estimator)._get_doc_link() == link


@pytest.fixture
def folder_of_page(tmp_path, monkeypatch):
    """A folder to write to, with the image that the texts read."""
    shutil.copy(IMAGES / "page.jpg", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.skipif(not README.exists(), reason="needs a clone of the project")
def test_readme_examples_print_and_draw_what_it_shows(folder_of_page, capsys):
    pytest.importorskip("matplotlib.pyplot")
    blocks = code_and_output(README.read_text("utf-8"))
    assert len(blocks) >= 4
    assert len(blocks[0][0].splitlines()) <= 8
    namespace = {}
    for code, shown in blocks:
        exec(compile(code, "README.md", "exec"), namespace)
        assert_same_text(capsys.readouterr().out, shown)
    assert "(docs/images/page-read.png)" in README.read_text("utf-8")
    drawn, shown = (
        np.array(Image.open(path).convert("L").resize((120, 60)), dtype=float)
        for path in (folder_of_page / "reading.png", IMAGES / "page-read.png")
    )
    assert abs(drawn - shown).mean() < 3  # of 255: fonts may differ


@pytest.mark.skipif(not PAGES, reason="needs a clone of the project")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_prints_what_it_shows(page, folder_of_page, capsys):
    blocks = code_and_output(page.read_text("utf-8"))
    for module in NOT_EVERYWHERE:
        if any(re.search(rf"^\s*(import|from) {module}\b", b, re.M) for b, _ in blocks):
            pytest.importorskip(module, reason=f"the page needs {module}")
    namespace = {}
    for code, shown in blocks:
        exec(compile(code, page.name, "exec"), namespace)
        printed = capsys.readouterr().out
        assert_same_text(printed, shown)
