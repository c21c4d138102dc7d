"""`read_table` on made-up tables: shapes, perspective, curl, empty cells, errors."""

import json

import numpy as np
import pytest
from scipy import ndimage
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits

from skdigits.images import (
    GridNotFoundError,
    ImageError,
    TableShapeError,
    read_digits,
    read_table,
)

# Legible samples of each class of scikit-learn's digits.
SAMPLES = [1555, 832, 1669, 1730, 650, 651, 1480, 283, 1210, 1740]

NUMBERS = [["7", "", "42"], ["", "10", "3"], ["608", "5", ""], ["0", "1", "96"]]


def make_table(numbers, cell=(80, 130), line=2.0, ink=0.8, margin=60, inner=False):
    """A table of digits of scikit-learn, and the crossings of its lines.

    `inner` omits the outer lines.
    """
    height, width = cell
    rows = margin + height * np.arange(len(numbers) + 1)
    columns = margin + width * np.arange(len(numbers[0]) + 1)
    page = np.zeros((rows[-1] + margin, columns[-1] + margin))
    y, x = np.indices(page.shape)
    for places, along, across, ends in (
        (rows, y, x, columns),
        (columns, x, y, rows),
    ):
        inside = (across >= ends[0] - line / 2) & (across <= ends[-1] + line / 2)
        for place in places[1:-1] if inner else places:
            page[inside & (abs(along - place) <= line / 2)] = ink
    digits = load_digits()
    for row, texts in zip(rows, numbers, strict=False):
        for column, text in zip(columns, texts, strict=False):
            for index, label in enumerate(text):
                image = digits.images[SAMPLES[int(label)]]
                large = np.clip(ndimage.zoom(image / 16, 5.5, order=3), 0, 1)
                top = row + (height - 44) // 2
                left = column + 6 + 38 * index
                part = page[top : top + 44, left : left + 44]
                np.maximum(part, 0.8 * large, out=part)
    crossings = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    return 1 - page, crossings


def bend(page, shear=0.0, narrow=0.0, curl=0.0):
    """A page seen from aside, and the map of its points."""
    height, width = page.shape
    middle = np.array([height, width]) / 2

    def to_page(y, x):
        y, x = (y - middle[0]) / height, (x - middle[1]) / width
        scale = 1 + narrow * y
        x, y = x * scale, (y - shear * x) * scale + curl * np.cos(3 * x)
        return y * height + middle[0], x * width + middle[1]

    points = to_page(*np.indices(page.shape).astype(float))
    return ndimage.map_coordinates(page, points, order=1, cval=1.0), to_page


@pytest.fixture(scope="module")
def table():
    return make_table(NUMBERS)


def test_values_are_the_numbers_of_the_cells(table):
    page, crossings = table
    reading = read_table(page)
    assert reading.shape == (4, 3)
    assert reading.values.tolist() == NUMBERS
    for cell, text in zip(reading.cells, np.ravel(NUMBERS), strict=True):
        assert cell.status == ("ok" if text else "empty")
        assert 0.6 <= cell.confidence <= 1
        own = crossings[cell.row : cell.row + 2, cell.column : cell.column + 2]
        expected = own.reshape(-1, 2)[[0, 1, 3, 2]]
        np.testing.assert_allclose(cell.corners, expected, atol=2.5)
        top, left, bottom, right = cell.box
        expected_box = [*expected[0], *expected[2]]
        np.testing.assert_allclose([top, left, bottom, right], expected_box, atol=3.5)


@pytest.mark.parametrize(
    "seen",
    [{"shear": 0.15}, {"curl": 0.03}, {"shear": -0.1, "narrow": 0.2}],
)
def test_perspective_and_curl(table, seen):
    page, crossings = table
    bent, to_page = bend(page, **seen)
    reading = read_table(bent)
    assert reading.values.tolist() == NUMBERS
    # The corners are on the image that was passed.
    ends = np.array([cell.corners[0] for cell in reading.cells])
    back = np.stack(to_page(*ends.T), axis=-1)
    np.testing.assert_allclose(back, crossings[:-1, :-1].reshape(-1, 2), atol=4)


@pytest.mark.parametrize(("line", "ink"), [(0.5, 0.25), (7.0, 0.9)])
def test_thin_and_thick_lines(line, ink):
    page, _ = make_table(NUMBERS, line=line, ink=ink)
    assert read_table(page).values.tolist() == NUMBERS


def test_made_up_tables_have_the_right_shape():
    pytest.importorskip("PIL")
    from synthetic_tables import PROPERTIES, make_table

    common = [name for name in PROPERTIES if name not in ("gaps in lines", "small")]
    right = 0
    for seed in range(6):
        table = make_table(seed, common, size=800)
        right += read_table(table.image).shape == table.shape
    assert right >= 5


def test_small_table_on_a_large_image(table):
    page, crossings = table
    large = np.ones((1500, 2800), dtype=np.float32)
    large[700 : 700 + page.shape[0], 1900 : 1900 + page.shape[1]] = page
    reading = read_table(large)
    assert reading.values.tolist() == NUMBERS
    corners = np.subtract(reading.cells[-1].corners[2], (700, 1900))
    np.testing.assert_allclose(corners, crossings[-1, -1], atol=2.5)


def test_boxes_of_a_form_are_a_table_of_one_row():
    page, _ = make_table([list("1047152")], cell=(60, 56))
    assert read_table(page).values.tolist() == [list("1047152")]


def test_all_tables_are_in_a_list(table):
    page, _ = table
    other, _ = make_table([["5", "4"]])
    other = np.pad(
        other, ((0, 0), (0, page.shape[1] - other.shape[1])), constant_values=1
    )
    sheet = np.concatenate([other, page])
    assert read_table(sheet).values.tolist() == NUMBERS
    first, second = read_table(sheet, tables="all")
    assert first.values.tolist() == [["5", "4"]]
    assert second.values.tolist() == NUMBERS
    (only,) = read_table(sheet, tables="all", shape=(4, 3))
    assert only.values.tolist() == NUMBERS
    with pytest.raises(ValueError, match="tables must be 'largest' or 'all'"):
        read_table(sheet, tables="first")


def test_table_without_outer_lines():
    page, crossings = make_table(NUMBERS, inner=True)
    reading = read_table(page)
    assert reading.values.tolist() == NUMBERS
    np.testing.assert_allclose(reading.cells[-1].corners[2], crossings[-1, -1], atol=8)


def test_merged_cells_have_no_digits():
    page, crossings = make_table([["7", "", ""], *NUMBERS])
    for column in crossings[0, 1:-1, 1]:
        page[
            crossings[0, 0, 0] + 4 : crossings[1, 0, 0] - 3, column - 3 : column + 4
        ] = 1
    reading = read_table(page)
    assert reading.values.tolist() == [["?", "", ""], *NUMBERS]
    assert reading.cells[0].status == "unsure"


def test_header_of_text_has_no_digits():
    Image, ImageDraw, ImageFont = (
        pytest.importorskip(f"PIL.{name}")
        for name in ("Image", "ImageDraw", "ImageFont")
    )
    page, crossings = make_table([["", "", ""], *NUMBERS])
    image = Image.fromarray((page * 255).astype(np.uint8))
    for (y, x), name in zip(crossings[0], ("Maths", "Week 10", "Total"), strict=False):
        font = ImageFont.load_default(28)
        ImageDraw.Draw(image).text((x + 8, y + 24), name, fill=40, font=font)
    assert read_table(image).values.tolist() == [["?", "?", "?"], *NUMBERS]


def test_shape(table):
    page, _ = table
    assert read_table(page, shape=[4, 3]).values.tolist() == NUMBERS
    with pytest.raises(
        TableShapeError, match=r"5 rows and 3 columns.*4 rows and 3 col"
    ):
        read_table(page, shape=(5, 3))


@pytest.mark.parametrize("shape", [3, (0, 3), (2.0, 3), (1, 2, 3), "ab"])
def test_invalid_shape(table, shape):
    with pytest.raises(ValueError, match="two positive integers"):
        read_table(table[0], shape=shape)


@pytest.mark.parametrize("min_confidence", [-0.1, 1.5, "high"])
def test_invalid_min_confidence(table, min_confidence):
    with pytest.raises(ValueError, match=r"min_confidence must be in \[0, 1\]"):
        read_table(table[0], min_confidence=min_confidence)


def test_min_confidence_marks_cells_unsure(table):
    reading = read_table(table[0], min_confidence=1.0)
    unsure = [cell for cell in reading.cells if cell.status == "unsure"]
    assert all("?" in cell.text for cell in unsure)
    assert {cell.status for cell in reading.cells} == {"empty", "unsure"}


def test_max_error(table):
    page, _ = table
    assert read_table(page, max_error=0.05).values.tolist() == NUMBERS
    # All digits are unsure if they have another ink than those of the calibration.
    lines = make_table([["", "", ""]] * 4)[0] < 1
    blurred = np.where(lines, page, ndimage.gaussian_filter(page, 3))
    assert "ok" in {cell.status for cell in read_table(blurred).cells}
    strict = read_table(blurred, max_error=0.05)
    assert {cell.status for cell in strict.cells} == {"empty", "unsure"}
    with pytest.raises(ValueError, match="max_error must be at least"):
        read_table(page, max_error=0)
    with pytest.raises(ValueError, match="together with min_confidence"):
        read_table(page, max_error=0.05, min_confidence=0.5)


def test_ink_that_is_not_a_number_is_unsure():
    page, crossings = make_table([["7", "", "4"]])
    top, left = crossings[0, 1]
    page[top + 20 : top + 60 : 4, left + 10 : left + 120] = 0.2  # hatched
    cells = read_table(page).cells
    assert cells[1].status == "unsure"
    assert "?" in cells[1].text
    assert (cells[0].text, cells[2].text) == ("7", "4")


def test_small_digit_in_a_corner_is_unsure():
    page, crossings = make_table([["7", "1"], ["3", ""], ["6", "5"]])
    digit = page[crossings[0, 0, 0] + 18 :, crossings[0, 0, 1] + 6 :][:44:2, :44:2]
    page[crossings[1, 0, 0] + 5 :, crossings[0, 1, 1] + 8 :][:22, :22] = digit
    assert read_table(page).values.tolist() == [["7", "1"], ["3", "?"], ["6", "5"]]


def test_estimator_labels_the_digits(table):
    class Nine(ClassifierMixin, BaseEstimator):
        classes_ = np.array(["nine", "other"])
        n_features_in_ = 784

        def fit(self, X, y):
            return self

        def __sklearn_is_fitted__(self):
            return True

        def predict_proba(self, X):
            return np.tile([0.9, 0.1], (len(X), 1))

    cells = read_table(table[0], estimator=Nine()).cells
    assert {cell.text for cell in cells} >= {"", "nine", "ninenine"}


@pytest.mark.parametrize("page", [np.ones((200, 300)), np.zeros((5, 5))])
def test_grid_not_found(page):
    with pytest.raises(GridNotFoundError, match=r"no table.*at least two cells"):
        read_table(page)


def test_digits_without_lines_are_not_a_table(table):
    page, crossings = table
    page = page.copy()
    for row in crossings[:, 0, 0]:
        page[row - 3 : row + 4] = 1
    for column in crossings[0, :, 1]:
        page[:, column - 3 : column + 4] = 1
    with pytest.raises(GridNotFoundError):
        read_table(page)
    assert read_digits(page).digits


def test_faint_lines_are_reported():
    page, crossings = make_table(NUMBERS, line=1.0, ink=0.02)
    (top, left), (bottom, right) = crossings[0, 0], crossings[-1, -1]
    page[[top, bottom], left:right] = page[top:bottom, [left, right]] = 0.2
    with pytest.raises(GridNotFoundError, match="too faint"):
        read_table(page)


def test_errors_are_image_errors():
    assert issubclass(GridNotFoundError, ImageError)
    assert issubclass(TableShapeError, ImageError)


def test_reading_as_text_html_and_frame():
    page, _ = make_table([["7", ""], ["42", "1"]])
    reading = read_table(page)
    assert str(reading) == " 7 |  \n42 | 1"
    assert repr(reading) == "<TableReading: 2 rows, 2 columns; 3 ok, 0 unsure, 1 empty>"
    assert reading._repr_html_().count("<td") == 4
    pytest.importorskip("pandas")
    assert reading.to_frame().to_numpy().tolist() == [["7", ""], ["42", "1"]]


def test_display():
    pytest.importorskip("matplotlib")
    from skdigits.plotting import TableReadingDisplay

    page, crossings = make_table([["7", ""], ["42", "1"]])
    display = TableReadingDisplay.from_image(page, shape=(2, 2), text_kw={"size": 20})
    assert [text.get_text() for text in display.text_] == ["7", "", "42", "1"]
    assert {text.get_fontsize() for text in display.text_} == {20}
    again = TableReadingDisplay.from_reading(display.reading, page, ax=display.ax_)
    assert again.figure_ is display.figure_
    ends = [path.vertices.max(axis=0) for path in again.cells_.get_paths()]
    np.testing.assert_allclose(np.max(ends, axis=0), crossings[-1, -1, ::-1], atol=2.5)


def save(page, path):
    image = pytest.importorskip("PIL.Image").fromarray((page * 255).astype(np.uint8))
    image.save(path)
    return str(path)


def test_command_prints_csv_and_json(tmp_path, capsys):
    from skdigits._commands import main

    page, _ = make_table([["7", ""], ["42", "1"]])
    path = save(page, tmp_path / "table.png")
    assert main(["read", "--table", path]) == 0
    assert capsys.readouterr().out == "7,\n42,1\n"
    assert main(["read", "--table", "--json", path]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["rows"] == [["7", ""], ["42", "1"]]
    assert [cell["status"] for cell in answer["cells"]] == ["ok", "empty", "ok", "ok"]
    first = answer["cells"][0]
    assert [len(first["corners"]), len(first["box"])] == [4, 4]


def test_command_prints_all_tables(tmp_path, capsys):
    from skdigits._commands import main

    page = np.hstack([make_table([["5"], ["4"]])[0], make_table([["7", ""]] * 2)[0]])
    path = save(page, tmp_path / "tables.png")
    assert main(["read", "--all-tables", path]) == 0
    assert capsys.readouterr().out == "5\n4\n\n7,\n7,\n"
    assert main(["read", "--all-tables", "--csv", path]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header == "file,table,row,column,text,confidence"
    cells = [line.split(",")[1:5] for line in lines]
    assert cells[:3] == [list("0005"), list("0104"), list("1007")]
    pytest.importorskip("matplotlib").use("Agg")
    figure = tmp_path / "figure.png"
    arguments = ["read", "--all-tables", "--json", "--figure", str(figure), path]
    assert main(arguments) == 0
    tables = json.loads(capsys.readouterr().out)["tables"]
    assert [table["rows"] for table in tables] == [[["5"], ["4"]], [["7", ""]] * 2]
    assert figure.exists()
