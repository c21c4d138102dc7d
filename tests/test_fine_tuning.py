"""Adapting the digit reader to a handwriting: functions and command."""

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_digits

from skdigits._commands import main
from skdigits.images import ImageError, fine_tune_reader, label_digits, read_digits
from skdigits.pretrained import load_digit_reader

TEXT = "0123456789"


@pytest.fixture(scope="module")
def page():
    """Two lines of the digits 0 to 9 by a writer whose 9 the reader may misread."""
    digits = np.pad(load_digits().images[10:20], [(0, 0), (4, 4), (4, 4)])
    line = np.hstack(list(digits))
    ink = np.pad(np.vstack([line, line]), 12) / 16
    return 1 - np.kron(ink, np.ones((3, 3)))


def test_label_digits(page):
    X, y = label_digits(page, f"{TEXT}\n{TEXT}")
    assert (X.shape, X.dtype) == ((20, 784), np.uint8)
    assert y.tolist() == [int(digit) for digit in 2 * TEXT]
    images = [digit.image.ravel() for digit in read_digits(page).digits]
    np.testing.assert_array_equal(X, images)


def test_label_digits_of_a_misread_digit(page):
    text = TEXT.replace("3", "8") + TEXT
    assert label_digits(page, text)[1].tolist() == [int(digit) for digit in text]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (TEXT + TEXT[:4] + TEXT[5:], ImageError, r"Line 2: the text has 9 .* page 10"),
        ("9" + TEXT + TEXT, ImageError, r"Line 1: the text has 11 .* page 10"),
        ("12a", ValueError, "text must be a str of the digits .* Got '12a'"),
        (" \n", ValueError, "text must be a str of the digits"),
        (12, ValueError, "text must be a str of the digits .* Got 12 instead"),
    ],
)
def test_label_digits_with_another_text(page, text, error, message):
    with pytest.raises(error, match=message):
        label_digits(page, text)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((1, 784)), [10], "10"),
        (
            load_digits().data,
            load_digits().target,
            r"Got \(1797, 64\).*normalize_digit",
        ),
    ],
)
def test_fine_tune_reader_with_invalid_data(X, y, message):
    with pytest.raises(ValueError, match=message):
        fine_tune_reader(X, y)


def test_teach_and_read(page, tmp_path, capsys):
    Image = pytest.importorskip("PIL.Image")
    image, model = str(tmp_path / "page.png"), tmp_path / "mine.joblib"
    Image.fromarray(np.rint(255 * page).astype(np.uint8)).save(image)
    assert main(["teach", image, "--text", f"{TEXT} {TEXT}", "-o", str(model)]) == 0
    assert "20 digits, of which the reader so far reads" in capsys.readouterr().out
    assert model.stat().st_size < 10e6  # without the state of the optimizer
    assert main(["read", "--model", str(model), image]) == 0
    clf = joblib.load(model)
    assert capsys.readouterr().out == read_digits(page, clf).text + "\n"
    X, y = label_digits(page, TEXT + TEXT)
    assert clf.score(X, y) >= load_digit_reader().score(X, y)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([TEXT[:4]], "page.png: The digits found on the page do not match"),
        ([TEXT, TEXT], "Got 1 page and 2 texts"),
    ],
)
def test_mistakes_in_teach(page, texts, message, tmp_path, capsys):
    Image = pytest.importorskip("PIL.Image")
    image = tmp_path / "page.png"
    Image.fromarray(np.rint(255 * page).astype(np.uint8)).save(image)
    options = [word for text in texts for word in ("--text", text)]
    model = str(tmp_path / "mine.joblib")
    assert main(["teach", str(image), *options, "-o", model]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err
