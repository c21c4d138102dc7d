"""Tests for the examples: programs on the command line, stories as notebooks."""

import functools
import importlib.util
import json
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_digits

from skdigits import DigitMLPClassifier

pyplot = pytest.importorskip("matplotlib.pyplot")

EXAMPLES = Path(__file__).parent.parent / "examples"


def load_program(name):
    path = EXAMPLES / "programs" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def main():
    return load_program("train_digits").main


@pytest.fixture
def folder(tmp_path):
    """A folder with good files, for the tests to spoil."""
    images, y = load_digits(return_X_y=True)
    # Column by column, and the labels in a column, as files from Octave have it.
    X = images.reshape(-1, 8, 8).transpose(0, 2, 1).reshape(-1, 64) / 16
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y[:, None].astype(float))
    return tmp_path


def check_results(output):
    for name in ("digits.png", "cost.png", "predictions.png"):
        assert (output / name).read_bytes().startswith(b"\x89PNG")
    assert joblib.load(output / "digit_mlp.joblib").n_iter_ == 3


def test_default_data(main, tmp_path, capsys):
    output = tmp_path / "new" / "folder"
    assert main(["--epochs", "3", "--output", str(output)]) == 0

    check_results(output)
    out, err = capsys.readouterr()
    assert err == ""
    assert "X 5000 x 400" in out
    assert "4000 to train on, 1000 held out" in out
    assert "400 -> 25 relu -> 15 relu -> 10 linear, softmax" in out
    assert "10025 + 390 + 160 = 10575" in out
    assert "Trained 3 epochs" in out
    assert out.count("cost ") == 2
    assert "on the images held out" in out


def test_own_data(main, folder, capsys):
    y = np.load(folder / "y.npy")
    np.save(folder / "y.npy", np.where(y == 0, 10, y))
    output = folder / "demo"
    args = ["--data", str(folder), "--epochs", "3", "--output", str(output)]
    assert main(args) == 0

    check_results(output)
    out = capsys.readouterr().out
    assert "X 1797 x 64" in out
    assert "64 -> 25 relu -> 15 relu -> 10 linear, softmax" in out
    model = joblib.load(output / "digit_mlp.joblib")
    np.testing.assert_array_equal(model.classes_, np.arange(1, 11))


def check_error(main, args, match, capsys):
    assert main(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert match in err


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("X.npy", b"", "X.npy: not readable as a NumPy array"),
        ("y.npy", np.array([{}] * 1797), "y.npy: not readable as a NumPy array"),
        ("X.npy", np.full((1797, 64), "a"), "X.npy: expected numbers, got <U1"),
        ("X.npy", np.ones((1797, 8, 8)), "expected shape (N, D), got (1797, 8, 8)"),
        ("X.npy", np.ones((1796, 64)), "X.npy has 1796 rows, y.npy has 1797 labels"),
        ("X.npy", np.ones((1797, 63)), "63 pixels do not make a square image"),
        ("X.npy", np.full((1797, 64), np.nan), "some pixels are NaN"),
        ("y.npy", np.ones((1797, 2)), "expected shape (N,) or (N, 1), got (1797, 2)"),
        ("y.npy", np.full(1797, 0.5), "some labels are not whole numbers"),
        ("y.npy", np.ones(1797), "at least two different labels"),
        ("y.npy", np.arange(1797) < 1, "too few images to hold some out"),
    ],
)
def test_bad_file(main, folder, name, content, match, capsys):
    if isinstance(content, bytes):
        (folder / name).write_bytes(content)
    else:
        np.save(folder / name, content)
    args = ["--data", str(folder), "--output", str(folder / "demo")]
    check_error(main, args, match, capsys)
    assert not (folder / "demo").exists()


def test_missing_file(main, folder, capsys):
    (folder / "y.npy").unlink()
    check_error(main, ["--data", str(folder)], "y.npy: no such file", capsys)


def test_missing_folder(main, tmp_path, capsys):
    args = ["--data", str(tmp_path / "nowhere")]
    check_error(main, args, "nowhere: no such folder", capsys)


def test_output_cannot_be_made(main, folder, capsys):
    args = ["--data", str(folder), "--output", str(folder / "X.npy")]
    check_error(main, args, "File exists", capsys)


@pytest.mark.parametrize("package", ["matplotlib", "mlxtend.data"])
def test_missing_extras(main, tmp_path, package, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    args = ["--output", str(tmp_path / "demo")]
    check_error(main, args, "pip install matplotlib mlxtend", capsys)


@pytest.mark.parametrize("epochs", ["0", "many"])
def test_bad_epochs(main, epochs, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--epochs", epochs])
    assert "argument --epochs: invalid positive_int value" in capsys.readouterr().err


# The stories of the gallery, as the notebooks that visitors download, with one epoch.
# `make docs` runs them in full.


@pytest.fixture
def one_epoch(monkeypatch):
    """Fits of one epoch, and of all calls of `partial_fit` only the first."""
    init = DigitMLPClassifier.__init__
    partial_fit = DigitMLPClassifier.partial_fit
    fitted = []

    @functools.wraps(init)
    def short_init(self, *args, **kwargs):
        init(self, *args, **{**kwargs, "max_iter": 1})

    def first_partial_fit(self, X, y):
        if not fitted:
            fitted.append(partial_fit(self, X, y))

    monkeypatch.setattr(DigitMLPClassifier, "__init__", short_init)
    monkeypatch.setattr(DigitMLPClassifier, "partial_fit", first_partial_fit)


@pytest.fixture
def in_kernel(tmp_path, monkeypatch):
    """An empty working directory, and the arguments of a notebook's process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    monkeypatch.setattr(pyplot, "show", lambda: None)
    return tmp_path


def code_cells(story):
    """The code of a story's notebook, as sphinx-gallery writes it."""
    pytest.importorskip("sphinx_gallery")
    from sphinx_gallery.gen_gallery import DEFAULT_GALLERY_CONF
    from sphinx_gallery.notebook import jupyter_notebook
    from sphinx_gallery.py_source_parser import split_code_and_text_blocks

    _, blocks = split_code_and_text_blocks(story)
    notebook = jupyter_notebook(blocks, DEFAULT_GALLERY_CONF, story.parent)
    return [
        "".join(cell["source"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


@pytest.mark.changes("warning filters")  # by the import of Sphinx
@pytest.mark.parametrize(
    "story", sorted(EXAMPLES.glob("*/plot_*.py")), ids=lambda path: path.stem
)
def test_notebook_of_story_runs(story, one_epoch, in_kernel):
    namespace = {"__name__": "__main__"}
    for code in code_cells(story):
        exec(compile(code, story.name, "exec"), namespace)
    assert pyplot.get_fignums()
    assert list(in_kernel.iterdir()) == []


# The MNIST recipe


@pytest.fixture(scope="module")
def train_mnist():
    return load_program("train_mnist").main


@pytest.fixture
def images_file(digits, tmp_path):
    X, y = digits
    images = (16 * X).astype(np.uint8).reshape(-1, 8, 8)
    np.savez(tmp_path / "digits.npz", x_train=images, y_train=y)
    return tmp_path / "digits.npz"


def test_recipe(train_mnist, images_file, digits, tmp_path, capsys):
    output = tmp_path / "networks"
    options = ["--data", str(images_file), "--output", str(output)]
    assert train_mnist([*options, "--seeds", "3", "4", "--epochs", "2"]) == 0
    out = capsys.readouterr().out
    assert "seed 3: " in out
    assert "mean of 2: " in out
    assert "all of them together: error " in out
    results = json.loads((output / "results.json").read_text("utf-8"))
    assert [result["seed"] for result in results] == [3, 4]
    pipe = joblib.load(output / "mnist-4.joblib")
    clf = pipe[-1]
    assert clf.n_iter_ == 2
    assert [len(bias) for bias in clf.intercepts_] == [1000, 500, 10]
    # The last sixth is held out.
    assert clf.t_ == 2 * 334
    X, y = digits
    error = 100 * (1 - pipe.score((16 * X[334:]).astype(np.uint8), y[334:]))
    assert results[1]["error"] == pytest.approx(error)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"no zip", "no data to train on"),
        ({"images": np.zeros(3)}, "expected x and y, or x_train and y_train"),
    ],
    ids=["nothing", "text", "other arrays"],
)
def test_recipe_says_what_is_wrong_with_the_data(
    train_mnist, tmp_path, capsys, content, message
):
    path = tmp_path / "digits.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        np.savez(path, **content)
    assert train_mnist(["--data", str(path), "--output", str(tmp_path / "o")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
