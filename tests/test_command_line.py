"""The command `skdigits read`, as a program."""

import json
import os
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
from skdigits._cli import main
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
    assert "No such file or directory: 'missing.jpg'" in err


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
        (["--model", "missing.joblib"], "missing.joblib cannot be used"),
        (["--model", "notes.txt"], "cannot be used"),
        (["--model", "small.joblib"], "fitted on 64 features"),
        (["--model", "foreign.skops"], "cannot be used"),
        (["page1.jpg", "--figure", "out.png"], "draws one IMAGE. Got 2"),
    ],
)
def test_unusable_arguments(run, arguments, message):
    status, out, err = run("page0.jpg", *arguments)
    assert (status, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("value", ["2", "-0.1", "nan", "much"])
def test_bad_confidence_is_a_usage_error(run, value, capsys):
    with pytest.raises(SystemExit, match="2"):
        run("page0.jpg", f"--min-confidence={value}")
    assert "--min-confidence" in capsys.readouterr().err


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
    assert run().returncode == 2
    assert "IMAGE" in run("read", "--help").stdout
