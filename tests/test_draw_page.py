"""The scripts of the drawing page read as the package does; docs/tests draws on it."""

import base64
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skdigits.images import _segmentation, read_digits
from skdigits.pretrained import load_digit_reader

DOCS = Path(__file__).parents[1] / "docs"

if not DOCS.exists():
    pytest.skip("the documentation is not here", allow_module_level=True)


sys.path[:0] = [str(DOCS / "_ext"), str(DOCS / "tests")]
try:
    import draw_page
    from drawings import DRAWINGS, HEIGHT, WIDTH
finally:
    del sys.path[:2]

STATIC = DOCS / "_static" / draw_page.FOLDER


def decoded(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype=dtype)


def test_the_page_gets_the_weights_of_the_package(tmp_path):
    draw_page.export(tmp_path)
    script = (tmp_path / "exported.js").read_text("ascii")
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


def test_the_page_names_no_outside_address():
    for path in [DOCS / "draw.md", *STATIC.iterdir()]:
        assert re.findall(r"""\w+://|["'(]//""", path.read_text("utf-8")) == []


def test_the_scripts_that_the_page_loads_are_there():
    found = {path.name for path in STATIC.iterdir()}
    # What Python exports is written when the site is built.
    assert found - {"draw.css"} == set(draw_page.SCRIPTS) - {"exported.js"}


READ_DRAWINGS = """
const { paper, reading } = skdigits;
const { readFileSync } = require("fs");
const results = JSON.parse(readFileSync(0, "utf8")).map(({ strokes, width }) => {
  const points = strokes.map((stroke) => stroke.map(([x, y]) => ({ x, y })));
  const grey = paper.rasterize(points.map((stroke) => ({ points: stroke, width })));
  const { text, digits } = reading.read(grey, paper.HEIGHT, paper.WIDTH);
  return {
    grey: Buffer.from(grey).toString("base64"),
    text,
    digits: digits.map(({ box, image, probabilities, status }) => ({
      box: [box.top, box.left, box.bottom, box.right],
      image: [...image],
      probabilities,
      status,
    })),
  };
});
console.log(JSON.stringify(results));
"""


@pytest.fixture(scope="module")
def read_by_page(tmp_path_factory):
    """The result of the page's scripts for each drawing."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node.js to run the scripts of the page")
    folder = tmp_path_factory.mktemp("page")
    draw_page.export(folder)
    paths = [folder / "exported.js", *(STATIC / s for s in draw_page.SCRIPTS[1:-1])]
    program = folder / "read_drawings.js"
    scripts = [path.read_text("utf-8") for path in paths]
    program.write_text("\n".join([*scripts, READ_DRAWINGS]), "utf-8")
    drawings = [{"strokes": d.strokes, "width": d.width} for d in DRAWINGS.values()]
    finished = subprocess.run(
        [node, program], input=json.dumps(drawings), stdout=-1, text=True, check=True
    )
    return dict(zip(DRAWINGS, json.loads(finished.stdout), strict=True))


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_page_finds_the_digits_of_read_digits(name, read_by_page, monkeypatch):
    found = read_by_page[name]
    grey = decoded(found["grey"], np.uint8).reshape(HEIGHT, WIDTH)
    assert found["text"] == read_digits(grey, orientation=0).text
    # The page does not read a drawing as a single digit first.
    monkeypatch.setattr(_segmentation, "_SINGLE", 2)
    reading = read_digits(grey, orientation=0)
    assert DRAWINGS[name].text in (reading.text, None)
    for ours, digit in zip(found["digits"], reading, strict=True):
        assert tuple(ours["box"]) == digit.box
        assert ours["status"] == digit.status
        # Sums in another order: now and then a grey level is rounded to the next one.
        np.testing.assert_allclose(ours["image"], digit.image.ravel(), atol=1)
        np.testing.assert_allclose(
            ours["probabilities"], digit.probabilities, atol=1e-3
        )
