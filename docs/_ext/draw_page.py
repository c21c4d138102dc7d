"""The page on which a visitor draws numbers: its scripts, and what Python exports.

The weights of the network and the constants of the segmentation are written when the
site is built, as a script and not as data, because a page that is opened from a folder
may not fetch any.
"""

import base64
import io
import json
from importlib.resources import files
from pathlib import Path

import numpy as np

from skdigits.images import (
    _lattice,
    _normalize,
    _pieces,
    _read,
    _reading_order,
    _segmentation,
    _strokes,
)

PAGE = "draw"
FOLDER = "draw"
# In the order in which they use each other.
SCRIPTS = [
    "exported.js",
    "paper.js",
    "images.js",
    "normalize.js",
    "network.js",
    "strokes.js",
    "pieces.js",
    "lattice.js",
    "reading.js",
    "examples.js",
    "draw.js",
]
MODULES = [
    _lattice,
    _normalize,
    _pieces,
    _read,
    _reading_order,
    _segmentation,
    _strokes,
]


def constants():
    """The numbers of each module of the segmentation, and of `read_digits`.

    Returns
    -------
    dict
        For each module, without its leading underscore, the values of its constants by
        name, without the underscore.
    """
    return {
        module.__name__.rpartition("._")[2]: {
            name.lstrip("_"): np.asarray(value).tolist()
            for name, value in vars(module).items()
            if name.isupper() and isinstance(value, int | float | np.ndarray)
        }
        for module in MODULES
    }


def network():
    """The network of skdigits.pretrained in plain numbers and text.

    Returns
    -------
    dict
        Arrays are base64 of their bytes, row by row, little-endian.
    """
    content = (files("skdigits.pretrained") / "digit_reader.npz").read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
        activation = about["parameters"]["activation"]
        if activation != "relu" or file["classes"].tolist() != list(range(10)):
            raise ValueError(
                "network.js computes networks of ReLU units for the digits 0 to 9. "
                f"Got {activation!r} and classes {file['classes'].tolist()} instead. "
                "Teach it these."
            )
        layers = [layer(file, number) for number in range(about["n_layers"])]
    return {"rescale": about["parameters"]["rescale"], "layers": layers}


def layer(file, number):
    coefs = file[f"coef_{number}"]
    return {
        "inputs": coefs.shape[0],
        "outputs": coefs.shape[1],
        "weights": text(coefs, "i1"),
        "steps": text(file[f"step_{number}"], "<f4"),
        "intercepts": text(file[f"intercept_{number}"], "<f4"),
    }


def text(array, dtype):
    array = np.ascontiguousarray(array).astype(dtype, casting="equiv")
    return base64.b64encode(array.tobytes()).decode("ascii")


def export(folder):
    folder.mkdir(parents=True, exist_ok=True)
    script = "globalThis.skdigits = globalThis.skdigits || {};\n"
    script += f"skdigits.constants = {json.dumps(constants())};\n"
    script += f"skdigits.weights = {json.dumps(network())};\n"
    (folder / SCRIPTS[0]).write_text(script, "ascii")


def add_exported(app):
    if app.builder.format == "html":
        export(Path(app.outdir) / "_static" / FOLDER)


def add_scripts(app, pagename, templatename, context, doctree):
    # Of this page alone: the weights are megabytes.
    if pagename == PAGE:
        app.add_css_file(f"{FOLDER}/draw.css")
        for script in SCRIPTS:
            app.add_js_file(f"{FOLDER}/{script}", loading_method="defer")


def setup(app):
    app.connect("builder-inited", add_exported)
    app.connect("html-page-context", add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
