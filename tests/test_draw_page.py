"""What the page on which visitors draw gets of the package; docs/tests draws on it."""

import base64
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from skdigits.pretrained import load_digit_reader

DOCS = Path(__file__).parents[1] / "docs"

if not DOCS.exists():
    pytest.skip("the documentation is not here", allow_module_level=True)


@pytest.fixture(scope="module")
def draw_page():
    sys.path.insert(0, str(DOCS / "_ext"))
    try:
        import draw_page
    finally:
        sys.path.pop(0)
    return draw_page


def decoded(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype=dtype)


def test_the_page_gets_the_weights_of_the_package(draw_page, tmp_path):
    draw_page.write_weights(tmp_path)
    script = (tmp_path / "weights.js").read_text("ascii")
    found = re.search(r"^skdigits\.weights = (.*);$", script, re.MULTILINE)
    network = json.loads(found[1])
    reader = load_digit_reader()
    assert network["rescale"] == reader.rescale
    assert len(network["layers"]) == len(reader.coefs_)
    for layer, coefs, intercepts in zip(
        network["layers"], reader.coefs_, reader.intercepts_, strict=True
    ):
        shape = layer["inputs"], layer["outputs"]
        weights = decoded(layer["weights"], "i1").reshape(shape)
        np.testing.assert_array_equal(weights * decoded(layer["steps"], "<f4"), coefs)
        np.testing.assert_array_equal(decoded(layer["intercepts"], "<f4"), intercepts)


def test_the_page_names_no_outside_address(draw_page):
    for path in [DOCS / "draw.md", *(DOCS / "_static" / draw_page.FOLDER).iterdir()]:
        assert re.findall(r"""\w+://|["'(]//""", path.read_text("utf-8")) == []


def test_the_scripts_that_the_page_loads_are_there(draw_page):
    found = {path.name for path in (DOCS / "_static" / draw_page.FOLDER).iterdir()}
    # The weights are written when the site is built.
    assert found - {"draw.css"} == set(draw_page.SCRIPTS) - {"weights.js"}
