"""`load_image`: arrays, files, file objects and Pillow images."""

import io
import subprocess
import sys

import numpy as np
import pytest

from skdigits.images import (
    ImageError,
    ImageTooLargeError,
    find_digits,
    load_image,
    normalize_digit,
    read_digits,
)

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def grey():
    """An asymmetric image of uint8."""
    return np.arange(12 * 20, dtype=np.uint8).reshape(12, 20)


def png(image, **options):
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    file.seek(0)
    return file


# Arrays


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "f2", "<f4", ">f4", "f8"])
def test_array_dtypes(grey, dtype):
    expected = grey / np.float32(255)
    array = grey.astype(dtype)
    if array.dtype.itemsize == 2 and array.dtype.kind == "u":
        array *= 257
    elif array.dtype.kind == "f":
        array /= 255
    loaded = load_image(array)
    assert loaded.dtype == np.float32
    np.testing.assert_allclose(loaded, expected, atol=3e-4 if dtype == "f2" else 1e-6)


def test_array_of_bool():
    np.testing.assert_array_equal(load_image(np.eye(3, dtype=bool)), np.eye(3))


def test_rgb_to_grey():
    red, green, blue = np.eye(3).reshape(3, 1, 1, 3)
    shades = [load_image(colour)[0, 0] for colour in (red, green, blue)]
    np.testing.assert_allclose(shades, [0.2126, 0.7152, 0.0722], atol=1e-6)
    assert load_image(np.ones((2, 2, 3)))[0, 0] == pytest.approx(1)


def test_alpha_is_composited_onto_white():
    ink = np.zeros((1, 3, 4))
    ink[..., 3] = [0, 0.25, 1]
    np.testing.assert_allclose(load_image(ink), [[1, 0.75, 0]], atol=1e-6)
    np.testing.assert_allclose(load_image(ink[..., 2:]), [[1, 0.75, 0]], atol=1e-6)


def test_input_is_not_modified(grey):
    before = grey.copy()
    load_image(grey)[...] = 0.5
    floats = (grey / 255).astype(np.float32)
    load_image(floats)[...] = 0.5
    np.testing.assert_array_equal(grey, before)
    np.testing.assert_allclose(floats, before / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5), r"shape \(height, width\).*Got \(5,\)"),
        (np.zeros((2, 2, 5)), "up to four channels"),
        (np.zeros((2, 2, 2, 2)), "up to four channels"),
        (np.zeros((0, 5)), r"Got \(0, 5\)"),
        (np.zeros((2, 2), int), "Got int64 instead. Convert it"),
        (np.array([["a"]]), "Got <U1"),
        (np.array([[0.0, 255.0]]), "Divide values of up to 255 by 255"),
        (np.array([[-0.5, 0.5]]), r"must be in \[0, 1\]"),
        (np.array([[np.nan, 0.5]]), r"must be in \[0, 1\].*Replace NaN"),
        (np.array([[np.inf, 0.5]]), r"must be in \[0, 1\].*Replace NaN"),
        (np.zeros((2, 2), complex), "Got complex128"),
        (np.zeros((2, 2), object), "Got object"),
        (np.ma.masked_less(np.eye(3), 0.5), "masked array with 6 masked.*filled"),
        ([[0.0, 1.0], [0.0]], "same length.*Got a list"),
        (None, "Got NoneType"),
        (iter([0.5]), "Got list_iterator"),
        (b"\xff\xd8", "Got bytes instead. Wrap the bytes of a file in io.BytesIO"),
        (bytearray(b"\xff\xd8"), "Got bytearray"),
    ],
)
def test_invalid_arrays(array, message):
    with pytest.raises(ImageError, match=message):
        load_image(array)


def test_masked_array_without_masked_values(grey):
    loaded = load_image(np.ma.masked_array(grey))
    np.testing.assert_array_equal(loaded, load_image(grey))
    assert type(loaded) is np.ndarray


@pytest.mark.parametrize("function", [normalize_digit, find_digits, read_digits])
def test_functions_of_images_take_what_load_image_takes(function):
    page = np.full((200, 300), 65535, ">u2")
    page[60:120, 50:58] = 0
    assert len(function(page)) == 28 if function is normalize_digit else function(page)
    for bad in ([[0.0, 1.0], [0.0]], np.ma.masked_less(np.eye(9), 0.5), io.StringIO()):
        with pytest.raises(ImageError, match="Got"):
            function(bad)


def test_arrays_of_too_many_pixels_are_refused():
    with pytest.raises(ImageTooLargeError, match="60,000,000 pixels"):
        load_image(np.broadcast_to(np.uint8(0), (60_000, 1001)))


# Files


def test_path_file_object_and_pillow_image(grey, tmp_path):
    image = Image.fromarray(grey)
    image.save(tmp_path / "grey.png")
    expected = grey / np.float32(255)
    with open(tmp_path / "grey.png", "rb") as file:
        sources = [tmp_path / "grey.png", str(tmp_path / "grey.png"), file, image]
        for source in sources:
            np.testing.assert_allclose(load_image(source), expected, atol=1e-6)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "F"]
)
def test_modes_of_pillow_images(mode):
    halves = np.zeros((8, 10), dtype=np.uint8)
    halves[:, 5:] = 255
    if mode == "I;16":
        image = Image.fromarray(halves.astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(halves.astype(np.float32) / 255)
    else:
        image = Image.fromarray(halves)
        image = image.convert("RGB").convert(mode) if mode != "L" else image
    assert image.mode == mode
    np.testing.assert_allclose(load_image(image), halves / 255, atol=0.01)


def test_images_of_32_bits_and_without_pixels_are_refused(grey):
    with pytest.raises(ImageError, match=r"8 or 16 bits.*from 0 to 23900000"):
        load_image(Image.fromarray(grey.astype(np.int32) * 100_000))
    with pytest.raises(ImageError, match=r"Got \(5, 0\)"):
        load_image(Image.new("I", (0, 5)))


def test_palette_with_a_transparent_colour():
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 0, 0, 0])
    image.putpixel((1, 0), 1)
    loaded = load_image(png(image, transparency=0))
    np.testing.assert_allclose(loaded, [[1, 0]])


def test_png_of_16_bits(grey):
    file = png(Image.fromarray(grey.astype(np.uint16) * 257))
    np.testing.assert_allclose(load_image(file), grey / np.float32(255), atol=1e-6)


TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation(grey, orientation):
    # The camera stores the image rotated, and the EXIF tag says how.
    stored = Image.fromarray(np.ascontiguousarray(TURNS[orientation](grey)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    loaded = load_image(png(stored, exif=exif))
    np.testing.assert_allclose(loaded, grey / np.float32(255), atol=1e-6)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        load_image(tmp_path / "nothing.jpg")
    with pytest.raises(OSError, match="directory"):
        load_image(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an image.*Got an empty file"),
        (b"text, not an image", "is not an image.*begins with b'text"),
        (b"\x89PNG\r\n\x1a\n", "is not an image"),
        (bytes(range(256)) * 9, "is not an image"),
        (b"P5 3 3 0 abc", "cannot be decoded"),
    ],
    ids=["empty", "text", "first bytes of a PNG", "any bytes", "PGM with no values"],
)
def test_files_that_are_not_images(tmp_path, content, message):
    path = tmp_path / "digit.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=rf"digit\.png {message}"):
        load_image(path)
    with pytest.raises(ImageError, match=f"The image {message}"):
        load_image(io.BytesIO(content))


def test_path_with_a_null_byte():
    with pytest.raises(ImageError, match="not the path of a file"):
        load_image("photo\0.jpg")


@pytest.mark.parametrize("form", ["EPS", "ICO", "PCX", "TGA", "PSD", "FITS"])
def test_other_formats_are_not_opened_whatever_the_name(
    grey, form, tmp_path, monkeypatch
):
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **_: started.append(args))
    path = tmp_path / "photo.jpg"
    if form == "PSD":
        path.write_bytes(b"8BPS\0\1" + bytes(34))
    elif form == "FITS":
        path.write_bytes(b"SIMPLE  =                    T".ljust(2880))
    else:
        Image.fromarray(grey).save(path, form)
    with pytest.raises(
        ImageError, match=r"photo\.jpg is not.*Expected JPEG, PNG, TIFF"
    ):
        load_image(path)
    assert not started


@pytest.mark.parametrize("form", ["GIF", "TIFF"])
def test_first_of_several_images_is_loaded(grey, form):
    file = io.BytesIO()
    more = [Image.fromarray(255 - grey)]
    Image.fromarray(grey).save(file, form, save_all=True, append_images=more)
    np.testing.assert_allclose(load_image(file), grey / np.float32(255), atol=1e-6)


# File objects


class Pieces:
    """A file object that returns a few bytes at a time, and cannot seek."""

    def __init__(self, content):
        self.file = io.BytesIO(content)

    def read(self, size=-1):
        return self.file.read(min(size, 7) if size > 0 else 7)


class SeekablePieces(Pieces, io.RawIOBase):
    """The same where it can seek."""

    def seekable(self):
        return True

    def seek(self, offset, whence=0):
        return self.file.seek(offset, whence)


@pytest.mark.parametrize("kind", [Pieces, SeekablePieces, io.BytesIO])
def test_file_objects_of_any_kind(grey, kind):
    source = kind(png(Image.fromarray(grey)).getvalue())
    if kind is not Pieces:
        source.seek(5)
    np.testing.assert_allclose(load_image(source), grey / np.float32(255), atol=1e-6)


@pytest.mark.parametrize("name", ["text", "binary"])
def test_text_files_are_refused(grey, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"text" if name == "text" else b"\xff\xd8\xff")
    with (
        open(path, encoding="utf-8") as file,
        pytest.raises(ImageError, match=r"must be a binary file.*mode 'rb'"),
    ):
        load_image(file)


def test_closed_files_are_refused(grey):
    file = png(Image.fromarray(grey))
    image = Image.open(file)
    image.close()
    with pytest.raises(ImageError, match="closed"):
        load_image(image)
    file.close()
    with pytest.raises(ImageError, match="closed file"):
        load_image(file)


def test_endless_files_are_refused(monkeypatch):
    monkeypatch.setattr("skdigits.images._loading._MAX_BYTES", 5 << 20)

    class Endless:
        def read(self, size):
            return bytes(size)

    with pytest.raises(ImageTooLargeError, match="bytes"):
        load_image(Endless())


# Images


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_damaged_files(form, tmp_path):
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    Image.fromarray(rng.integers(256, size=(40, 50), dtype=np.uint8)).save(file, form)
    whole = bytearray(file.getvalue())
    assert load_image(io.BytesIO(whole)).shape == (40, 50)
    for _ in range(60):
        spoiled = whole.copy()
        for place in rng.integers(len(spoiled), size=rng.integers(1, 6)):
            spoiled[place] = rng.integers(256)
        if rng.random() < 0.3:
            spoiled = spoiled[: rng.integers(len(spoiled))]
        try:
            loaded = load_image(io.BytesIO(spoiled))
        except ImageError:
            continue
        assert loaded.dtype == np.float32
        assert 0 <= loaded.min() <= loaded.max() <= 1


def test_files_of_too_many_pixels():
    small_file = png(Image.new("1", (60_000, 1001)))
    with pytest.raises(ImageTooLargeError, match="60000 x 1001"):
        load_image(small_file)
    bomb = png(Image.new("1", (60_000, 6000)))
    with pytest.raises(ImageTooLargeError, match="60,000,000 pixels"):
        load_image(bomb)


def test_import_error_for_heic_without_pillow_heif(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "photo.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(30))
    with pytest.raises(ImportError, match=r"photo\.heic is a HEIC.*pillow-heif"):
        load_image(path)


def test_import_error_without_pillow(tmp_path, monkeypatch, grey):
    path = tmp_path / "digit.png"
    Image.fromarray(grey).save(path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install pillow.*extra `images`"):
        load_image(path)
    assert load_image(grey).shape == grey.shape
