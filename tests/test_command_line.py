"""The command `skdigits`."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

import skdigits
from skdigits import DigitMLPClassifier
from skdigits._commands import main
from skdigits._commands._data import load_labelled
from skdigits.augmentation._random_distortion import RandomDistortion
from skdigits.images import read_digits

pytest.importorskip("PIL")
from PIL import Image


def make_page(*corners):
    """A page with a stroke, like the digit 1, at each place."""
    page = np.full((200, 300), 255, dtype=np.uint8)
    for top, left in corners:
        page[top : top + 60, left : left + 8] = 25
    return Image.fromarray(page)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two pages, a text file and models."""
    folder = tmp_path_factory.mktemp("photos")
    make_page((20, 50), (20, 150), (120, 50)).save(folder / "page0.jpg")
    make_page((60, 100)).save(folder / "page1.jpg")
    (folder / "notes.txt").write_text("not an image", "utf-8")
    Image.new("L", (50, 50), 255).save(folder / "blank.png")
    X = np.random.default_rng(0).integers(0, 256, (50, 784)).astype(np.uint8)
    clf = DigitMLPClassifier(
        (5,), rescale=1 / 255, augment=RandomDistortion(), max_iter=1, random_state=0
    )
    clf.fit(X, np.arange(50) % 10)
    joblib.dump(clf, folder / "mine.joblib")
    skops.io.dump(clf, folder / "mine.skops")
    X, y = load_digits(return_X_y=True)
    joblib.dump(DummyClassifier().fit(X, y), folder / "small.joblib")
    skops.io.dump(LogisticRegression(), folder / "foreign.skops")
    return folder


@pytest.fixture
def run(folder, capsys):
    def run(*arguments):
        named = [
            str(folder / word) if (folder / word).is_file() else str(word)
            for word in arguments
        ]
        status = main(["read", *named])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_one_page(run, folder):
    expected = read_digits(folder / "page0.jpg").text
    assert run("page0.jpg") == (0, expected + "\n", "")


def test_verbose_prints_confidences(run):
    status, out, _ = run("page0.jpg", "-v")
    assert status == 0
    assert re.fullmatch(r"(\d+ \(>?\d+%\)\s+)+", out)


def test_max_error(run, folder):
    expected = read_digits(folder / "page0.jpg", max_error=0.05).text
    assert run("page0.jpg", "--max-error", "0.05") == (0, expected + "\n", "")
    with pytest.raises(SystemExit, match="2"):
        run("page0.jpg", "--max-error", "0.05", "--min-confidence", "0.5")


def test_folder(run, folder, tmp_path):
    for name in ("page0.jpg", "page1.jpg", "notes.txt"):
        shutil.copy(folder / name, tmp_path)
    status, out, err = run(tmp_path)
    assert (status, err) == (0, "")
    assert out.count("==>") == 2
    (tmp_path / "empty").mkdir()
    status, out, err = run(tmp_path / "empty", "page0.jpg")
    assert status == 1
    assert "empty has no images" in err
    assert read_digits(folder / "page0.jpg").text in out


def test_standard_input(run, folder, monkeypatch):
    content = (folder / "page0.jpg").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert run("-") == (0, read_digits(folder / "page0.jpg").text + "\n", "")


def test_csv(run, folder):
    status, out, err = run("page0.jpg", "notes.txt", "--csv")
    assert status == 1
    assert "notes.txt" in err
    header, *rows = csv.reader(io.StringIO(out))
    assert header == ["file", "row", "column", "text", "confidence"]
    numbers = read_digits(folder / "page0.jpg").numbers
    for row, number in zip(rows, numbers, strict=True):
        assert row[:4] == [
            str(folder / "page0.jpg"),
            str(number.line),
            str(number.column),
            number.text,
        ]
        assert float(row[4]) == pytest.approx(number.confidence, abs=1e-4)


def test_several_pages(run, folder):
    status, out, err = run("page0.jpg", "page1.jpg")
    assert status == 0
    texts = [read_digits(folder / f"page{seed}.jpg").text for seed in (0, 1)]
    headings = [f"==> {folder / name} <==\n" for name in ("page0.jpg", "page1.jpg")]
    assert out == "".join(f"{h}{t}\n" for h, t in zip(headings, texts, strict=True))
    assert not err


def test_no_digits(run):
    assert run("blank.png")[:2] == (0, "(no digits)\n")


def test_json(run, folder):
    status, out, _ = run("page0.jpg", "notes.txt", "--json")
    assert status == 1
    page, failure = map(json.loads, out.splitlines())
    reading = read_digits(folder / "page0.jpg")
    assert page["file"] == str(folder / "page0.jpg")
    assert (page["text"], page["rows"]) == (reading.text, reading.rows)
    for digit, expected in zip(page["digits"], reading.digits, strict=True):
        assert digit["box"] == list(expected.box)
        assert digit["label"] == expected.label
        assert digit["status"] == expected.status
        assert (digit["row"], digit["column"]) == (expected.row, expected.column)
        assert digit["confidence"] == pytest.approx(expected.confidence)
        assert digit["probabilities"] == pytest.approx(expected.probabilities.tolist())
    assert failure["file"] == str(folder / "notes.txt")
    assert "is not an image" in failure["error"]


def test_bad_files_are_reported_and_the_others_are_read(run, folder):
    status, out, err = run("notes.txt", "missing.jpg", "page0.jpg")
    assert status == 1
    assert read_digits(folder / "page0.jpg").text in out
    assert "notes.txt is not an image" in err
    assert "skdigits: missing.jpg: No such file or directory\n" in err


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["notes.txt", "empty.png", "cut.jpg", "huge.png", "d"])
def test_each_bad_file_is_one_line(run, folder, name):
    if name == "empty.png":
        (folder / name).touch()
    elif name == "cut.jpg":
        (folder / name).write_bytes((folder / "page0.jpg").read_bytes()[:800])
    elif name == "huge.png":  # so many pixels that Pillow warns, but opens it
        Image.new("1", (60_000, 1600)).save(folder / name)
    elif name == "d":
        (folder / name).mkdir()
    status, out, err = run(folder / name)
    assert (status, out) == (1, "")
    assert err.startswith("skdigits: ")
    assert err.count("\n") == 1
    assert name in err
    assert "Traceback" not in err


def test_figure(run, tmp_path):
    pytest.importorskip("matplotlib").use("Agg")
    status, out, _ = run("page0.jpg", "--figure", tmp_path / "out.png")
    assert status == 0
    assert out
    with Image.open(tmp_path / "out.png") as picture:
        assert min(picture.size) > 300


def test_figures_of_several_images_go_to_a_folder(run, tmp_path):
    pytest.importorskip("matplotlib").use("Agg")
    status, _, err = run("page0.jpg", "page1.jpg", "--figure", tmp_path / "figures")
    assert (status, err) == (0, "")
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert names == ["page0.jpg.png", "page1.jpg.png"]


def test_own_model(run, folder):
    clf = joblib.load(folder / "mine.joblib")
    expected = read_digits(folder / "page0.jpg", clf, min_confidence=0).text
    for name in ("mine.joblib", "mine.skops"):
        status, out, _ = run(
            "page0.jpg", "--model", folder / name, "--min-confidence", "0"
        )
        assert (status, out) == (0, expected + "\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "missing.joblib"], "missing.joblib: No such file"),
        (["--model", "notes.txt"], "cannot be loaded"),
        (["--model", "mine.keras"], "DigitMLPClassifier.from_keras"),
        (["--model", "small.joblib"], "fitted on 64 features"),
        (["--model", "foreign.skops"], "not fitted yet"),
        (["page1.jpg", "--figure", "out.png"], "Name a folder"),
        (["--figure", "nowhere/out.png"], "no folder nowhere"),
        (["--figure", "out.xyz"], "out.xyz is not the name of a figure. Expected one"),
        (["--table", "-v"], "--verbose is for pages without a table"),
    ],
)
def test_unusable_arguments(run, arguments, message):
    status, out, err = run("page0.jpg", *arguments)
    assert (status, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("value", ["2", "-0.1", "nan", "95%"])
def test_bad_confidence_is_a_usage_error(run, value, capsys):
    with pytest.raises(SystemExit, match="2"):
        run("page0.jpg", f"--min-confidence={value}")
    err = capsys.readouterr().err
    assert "--min-confidence: expected a number from 0 to 1, such as 0.05" in err
    assert f"got '{value}'" in err


def test_without_arguments_prints_help_with_examples(capsys):
    assert main([]) == 0
    assert "\n  skdigits read page.jpg\n" in capsys.readouterr().out


def test_image_without_a_command(folder, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([str(folder / "page0.jpg")])
    assert f"skdigits read {folder / 'page0.jpg'}" in capsys.readouterr().err


# skdigits train, skdigits evaluate


@pytest.fixture
def labelled(tmp_path, digits):
    """The same digits in each of the forms that the commands take."""
    X, y = digits
    pixels = np.rint(X * 255).astype(np.uint8)
    np.save(tmp_path / "X.npy", pixels.reshape(-1, 8, 8))
    np.save(tmp_path / "y.npy", y)
    columns = ",".join(f"pixel{index}" for index in range(64))
    table = np.column_stack([pixels, y])
    options = {"delimiter": ",", "fmt": "%d", "comments": ""}
    np.savetxt(tmp_path / "named.csv", table, header=f"{columns},label", **options)
    np.savetxt(tmp_path / "bare.csv", table, **options)
    for index, label in enumerate(y[:100]):
        folder = tmp_path / "images" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(255 - np.pad(pixels[index].reshape(8, 8), 2))
        image.resize((48, 48)).save(folder / f"{index}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("data", "label", "shape"),
    [
        ("", None, (400, 64)),
        ("named.csv", None, (400, 64)),
        ("named.csv", "-1", (400, 64)),
        ("bare.csv", "64", (400, 64)),
        ("images", None, (100, 784)),
    ],
)
def test_forms_of_labelled_images(labelled, digits, data, label, shape):
    if data.endswith("csv"):
        pytest.importorskip("pandas")
    X, y = load_labelled(labelled / data, label)
    assert X.shape == shape
    np.testing.assert_array_equal(np.sort(y), np.sort(digits[1][: len(y)]))
    assert X.max() == 255


def test_train_and_evaluate(labelled, capsys):
    pytest.importorskip("matplotlib").use("Agg")
    model, data = labelled / "mine.joblib", str(labelled)
    settings = ["--hidden", "30", "10", "--epochs", "40", "-o", str(model)]
    assert main(["train", data, *settings]) == 0
    out, err = capsys.readouterr()
    assert not err
    assert "320 images for training, 80 held out" in out
    assert "confusion matrix" in out
    for name in ("loss", "confusion"):
        with Image.open(labelled / f"mine.{name}.png") as figure:
            assert min(figure.size) > 300
    X, y = load_labelled(labelled, None)
    clf = joblib.load(model)
    assert clf.hidden_layer_sizes == (30, 10)
    figure = labelled / "all.png"
    assert main(["evaluate", str(model), data, "--figure", str(figure)]) == 0
    right = np.sum(clf.predict(X) == y)
    assert right > 350
    assert f": {right} of 400 images" in capsys.readouterr().out
    assert figure.exists()


def test_train_recipe(labelled, capsys):
    model = labelled / "mine.joblib"
    settings = ["--recipe", "accurate", "--hidden", "20", "--epochs", "2"]
    assert main(["train", str(labelled), *settings, "-o", str(model)]) == 0
    clf = joblib.load(model)
    assert (clf.hidden_layer_sizes, clf.max_iter) == ((20,), 2)
    assert clf.batch_norm
    assert clf.augment is not None


def test_images_that_show_no_digit_are_left_out(labelled, capsys):
    Image.new("L", (50, 50), 255).save(labelled / "images" / "7" / "blank.png")
    (labelled / "images" / "7" / "notes.txt").touch()
    X, y = load_labelled(labelled / "images", None)
    assert (X.shape, len(y)) == ((100, 784), 100)
    assert "blank.png is left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "-o", "m.joblib"], "nowhere: No such file"),
        (["named.csv", "-o", "m.onnx"], "must end with .joblib or .skops"),
        (["named.csv", "-o", "nowhere/m.joblib"], "no folder nowhere"),
        (["bare.csv", "-o", "m.joblib"], "Name the column with --label"),
        (["named.csv", "-o", "m.joblib", "--label", "digit"], "no column 'digit'"),
        (["images/7", "-o", "m.joblib"], "neither X.npy and y.npy nor"),
        (["X.npy", "-o", "m.joblib"], "X.npy is not a CSV file"),
        (["words.csv", "-o", "m.joblib"], "'pixel1' of words.csv has values"),
        (["one.csv", "-o", "m.joblib"], "All images have the label 1"),
        (["few.csv", "-o", "m.joblib"], "as few as 1 of a class"),
    ],
)
def test_mistakes_in_train_are_one_line(
    labelled, arguments, message, monkeypatch, capsys
):
    pytest.importorskip("pandas")
    for name, rows in {
        "words.csv": "black,1\nwhite,2\n",
        "one.csv": "0,1\n1,1\n",
        "few.csv": "0,1\n1,1\n1,2\n",
    }.items():
        (labelled / name).write_text(f"pixel1,label\n{rows}", "utf-8")
    monkeypatch.chdir(labelled)
    assert main(["train", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err


@pytest.mark.parametrize(
    ("data", "message"),
    [("images", "cannot classify the images"), ("words", "labels like .. Got word")],
)
def test_evaluate_with_other_images_or_labels(labelled, digits, data, message, capsys):
    model, words = labelled / "mine.joblib", labelled / "words"
    joblib.dump(LogisticRegression().fit(*digits), model)
    words.mkdir()
    np.save(words / "X.npy", digits[0])
    np.save(words / "y.npy", np.full(len(digits[0]), "word"))
    assert main(["evaluate", str(model), str(labelled / data)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert re.search(message, err)


def test_missing_skops_is_reported_before_training(labelled, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    assert main(["train", str(labelled), "-o", str(labelled / "mine.skops")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "pip install skops" in err


def test_as_a_program(folder):
    env = os.environ | {"PYTHONPATH": str(Path(skdigits.__file__).parents[1])}
    program = [sys.executable, "-W", "error", "-m", "skdigits"]

    def run(*arguments):
        return subprocess.run(
            [*program, *arguments], env=env, cwd=folder, capture_output=True, text=True
        )

    done = run("read", "page0.jpg")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == read_digits(folder / "page0.jpg").text + "\n"
    assert run("--version").stdout.strip() == skdigits.__version__
    assert "IMAGE" in run("read", "--help").stdout
