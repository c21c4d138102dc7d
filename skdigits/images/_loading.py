"""Images of any kind as grey arrays."""

import io
import os

import numpy as np

from skdigits.images._errors import ImageError, ImageTooLargeError

# A phone's camera has up to 200 million pixels, a page is legible on far fewer.
_MAX_PIXELS = 60_000_000

# Bytes: four channels of 16 bits, uncompressed.
_MAX_BYTES = 8 * _MAX_PIXELS

# The formats that cameras, phones, scanners and drawing programs write, by their names
# in Pillow. Pillow would try 40 more: some start other programs (EPS runs Ghostscript),
# others are hardly used and hardly tested.
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM")
_FORMATS_IN_WORDS = "JPEG, PNG, TIFF, BMP, GIF, WebP, PBM, PGM, PPM or HEIC"

# Parts of red, green and blue in grey: ITU-R Recommendation BT.709.
_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)

# The EXIF tag for the orientation of the camera, and its values for images whose width
# and height are swapped.
_ORIENTATION = 0x0112
_ON_ITS_SIDE = (5, 6, 7, 8)

# Rows converted to grey at a time, which needs less memory than all at once.
_ROWS = 256


def load_image(source):
    """Load an image as a grey array.

    Applies the EXIF orientation and composites transparent pixels onto white.

    Parameters
    ----------
    source : str, path-like, file object, PIL.Image.Image or array-like
        The image or its file. A file is JPEG, PNG, TIFF, BMP, GIF, WebP, PBM, PGM or
        PPM, whatever its name; HEIC needs pillow-heif. No other format is opened. Of a
        file with several images, such as an animated GIF, the first is loaded. A file
        object is binary, and is read from its start if it can seek. An array has shape
        (height, width) or (height, width, channels) with grey, grey and alpha, RGB or
        RGBA as channels; it is of bool, of uint8 or uint16 over their whole range, or
        of floats in [0, 1].

    Returns
    -------
    ndarray of float32 of shape (height, width)
        From 0 for black to 1 for white.

    Raises
    ------
    OSError
        If the file cannot be opened or read.
    ImageError
        If the file is damaged or in another format, or the array is not as described.
    ImageTooLargeError
        If the image has more than 60 million pixels.
    ImportError
        If Pillow is not installed, or pillow-heif for a HEIC image.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import load_image
    >>> load_image(np.array([[0, 255], [255, 0]], dtype=np.uint8))
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    if isinstance(source, str | os.PathLike) or hasattr(source, "read"):
        return _from_file(source)[0]
    if hasattr(source, "getbands") and hasattr(source, "convert"):
        return _from_pillow(source)[0]
    return _from_array(source)


def load_page(source, longest):
    """Load an image at a lower resolution, from a JPEG in less time and memory.

    Parameters
    ----------
    source : str, path-like, file object, PIL.Image.Image or array-like
        What `load_image` takes.
    longest : int
        Pixels of the longer side that suffice.

    Returns
    -------
    grey : ndarray of float32 of shape (height, width)
        As `load_image` gives it, or the same with fewer pixels.
    shape : tuple of int
        Height and width of the whole image, after its orientation is applied.
    """
    if isinstance(source, str | os.PathLike) or hasattr(source, "read"):
        return _from_file(source, longest)
    grey = load_image(source)
    return grey, grey.shape


def _pillow():
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "Reading image files needs Pillow. Install it with: pip install "
            "'skdigits[images]'"
        ) from error
    return Image


def _from_file(source, longest=None):
    """What `load_page` returns; all pixels where no number is given."""
    if not hasattr(source, "read"):
        with _open(source) as file:
            return _from_file(file, longest)
    Image = _pillow()
    name = getattr(source, "name", None)
    name = name if isinstance(name, str | os.PathLike) else "The image"
    file = _seekable(source, name)
    file.seek(0)
    start = file.read(12)
    file.seek(0)
    if _is_heic(start):
        return _from_pillow(_open_heic(file, name), name)
    try:
        image = Image.open(file, formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(f"{name} has more") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(
            f"{name} is not an image in a supported format, or is damaged. Expected "
            f"{_FORMATS_IN_WORDS}. Got "
            + (f"a file that begins with {start!r}" if start else "an empty file")
            + ". Convert it to PNG or JPEG, or use another copy."
        ) from error
    except Exception as error:  # decoders raise a dozen types for damage
        raise _damaged(name) from error
    with image:
        return _from_pillow(image, name, longest)


def _open(path):
    try:
        return open(path, "rb")
    except ValueError as error:  # a null byte
        raise ImageError(f"{path!r} is not the path of a file: {error}.") from error


def _seekable(source, name):
    """The file itself, or its bytes in memory where it may not seek or reads less."""
    if getattr(source, "closed", False):
        raise ImageError(f"{name} is a closed file. Pass an open one, or its path.")
    if isinstance(source, io.BufferedIOBase) and source.seekable():
        return source
    if hasattr(source, "seekable") and source.seekable():
        source.seek(0)
    content = io.BytesIO()
    while chunk := _read(source, name):
        content.write(chunk)
        if content.tell() > _MAX_BYTES:
            raise _too_large(f"{name} has more than {_MAX_BYTES:,} bytes")
    return content


def _read(source, name):
    try:
        chunk = source.read(1 << 20)
    except UnicodeError:
        chunk = ""
    if not isinstance(chunk, bytes | bytearray | memoryview):
        raise ImageError(
            f"{name} must be a binary file, whose read returns bytes. Got "
            f"{type(chunk).__name__} instead. Open it with mode 'rb', or pass its path."
        )
    return chunk


def _is_heic(start):
    """Whether the first bytes of a file are those of a HEIC image."""
    brands = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")
    return start[4:8] == b"ftyp" and start[8:12] in brands


def _open_heic(source, name):
    try:
        import pillow_heif
    except ImportError as error:
        raise ImportError(
            f"{name} is a HEIC image. Reading it needs pillow-heif: pip install "
            "pillow-heif. Or save it as JPEG."
        ) from error
    try:
        return pillow_heif.open_heif(source).to_pillow()
    except Exception as error:
        raise _damaged(name) from error


def _damaged(name):
    return ImageError(
        f"{name} cannot be decoded. Expected a whole image file. Got one that is "
        "damaged, incomplete or closed. Use another copy."
    )


def _from_pillow(image, name="The image", longest=None):
    width, height = image.size
    if width * height > _MAX_PIXELS:
        raise _too_large(f"{name} has {width} x {height}")
    try:
        if longest is not None:
            scale = longest / max(width, height)
            image.draft(None, (round(width * scale), round(height * scale)))
        upright = image.getexif().get(_ORIENTATION, 1) not in _ON_ITS_SIDE
        pixels = _pixels(image)
    except (MemoryError, ImageError):
        raise
    except Exception as error:
        raise _damaged(name) from error
    return _from_array(pixels), (height, width) if upright else (width, height)


def _pixels(image):
    """Pixels the right way up, as an array that `_from_array` takes."""
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.mode == "I":  # 16 bits in some formats and versions of Pillow
        pixels = np.asarray(image)
        if pixels.size and not 0 <= pixels.min() <= pixels.max() <= 65535:
            raise ImageError(
                "An image must have 8 or 16 bits per channel. Got one of 32 bits with "
                f"values from {pixels.min()} to {pixels.max()} instead. Save it with 8."
            )
        return pixels.astype(np.uint16)
    if image.mode == "F":
        return np.asarray(image)
    transparent = "A" in image.getbands() or "a" in image.getbands()
    if transparent or "transparency" in image.info:
        return np.asarray(image.convert("RGBA"))
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def _too_large(got):
    return ImageTooLargeError(
        f"Images may have up to {_MAX_PIXELS:,} pixels. {got}. Save it with fewer."
    )


def _from_array(source):
    pixels = _as_array(source)
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or 0 in pixels.shape:
        raise ImageError(
            "An image must have shape (height, width) or (height, width, channels) "
            f"with up to four channels. Got {pixels.shape} instead. Reshape a row "
            "of pixels, and move channels to the last axis."
        )
    if pixels.shape[0] * pixels.shape[1] > _MAX_PIXELS:
        raise _too_large(f"This one has shape {pixels.shape}")
    _check_values(pixels)
    grey = np.empty(pixels.shape[:2], dtype=np.float32)
    for start in range(0, len(grey), _ROWS):
        rows = slice(start, start + _ROWS)
        grey[rows] = _to_grey(_as_floats(pixels[rows]).reshape(*grey[rows].shape, -1))
    return grey


def _as_array(source):
    if np.ma.is_masked(source):
        raise ImageError(
            "An image must have a value for each pixel. Got a masked array with "
            f"{np.ma.count_masked(source)} masked values. Fill them, for example with "
            "image.filled(255)."
        )
    try:
        pixels = np.asarray(source)
    except ValueError as error:
        raise ImageError(
            "The rows of an image must have the same length, and its pixels the same "
            f"number of channels. Got a {type(source).__name__} whose lengths differ, "
            "which is not an array. Pad the shorter rows or cut the longer ones."
        ) from error
    if pixels.ndim == 0 or isinstance(source, bytearray):
        raise ImageError(
            "An image must be a path, a file object, a PIL.Image.Image or an array. "
            f"Got {type(source).__name__} instead. Wrap the bytes of a file in "
            "io.BytesIO, and make anything else an array."
        )
    return pixels


def _to_grey(pixels):
    channels = pixels.shape[2]
    colours = pixels[..., : channels - 1 if channels in (2, 4) else channels]
    grey = colours @ _LUMA if channels > 2 else colours[..., 0]
    if channels in (2, 4):
        alpha = pixels[..., -1]
        grey = grey * alpha + (1 - alpha)
    return grey


def _check_values(pixels):
    kind, size = pixels.dtype.kind, pixels.dtype.itemsize
    if kind == "b" or (kind == "u" and size <= 2):
        return
    if kind != "f":
        raise ImageError(
            "An image must be of bool, uint8, uint16 or floats. Got "
            f"{pixels.dtype} instead. Convert it: values from 0 to 255 with "
            "np.asarray(image, dtype=np.uint8), others to floats in [0, 1]."
        )
    lowest, highest = pixels.min(), pixels.max()
    if not (lowest >= 0 and highest <= 1):  # not a number is neither
        finite = np.isfinite(lowest) and np.isfinite(highest)
        raise ImageError(
            "An image of floats must be in [0, 1]. Got values from "
            f"{lowest} to {highest} instead. "
            + (
                "Divide values up to 255 by 255, and remove rounding errors with "
                "np.clip(image, 0, 1)."
                if finite
                else "Replace NaN and infinity, for example with "
                "np.nan_to_num(image, nan=1, posinf=1, neginf=0)."
            )
        )


def _as_floats(pixels):
    if pixels.dtype.kind == "u":
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return pixels.astype(np.float32)
