"""Load files, Pillow images and arrays as greyscale arrays."""

import io
import os
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skdigits.images._arrays import MAX_PIXELS, from_array, too_large
from skdigits.images._boxes import FloatImage
from skdigits.images._errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

# A path, and any image that `load_image` takes.
Path: TypeAlias = str | os.PathLike[str]
ImageLike: TypeAlias = "Path | BinaryIO | Image.Image | ArrayLike"

# Of one file: four channels of 16 bits, uncompressed.
_MAX_BYTES = 8 * MAX_PIXELS

# Pillow's names of the formats that cameras, phones, scanners and drawing programs
# write. Pillow supports 40 more: some start other programs (EPS runs Ghostscript), and
# others are rarely used and tested.
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM")
_FORMATS_IN_WORDS = "JPEG, PNG, TIFF, BMP, GIF, WebP, PBM, PGM, PPM or HEIC"
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")

# The EXIF tag for the orientation, and its values that swap width and height.
_ORIENTATION = 0x0112
_ON_ITS_SIDE = (5, 6, 7, 8)


def load_image(source: ImageLike) -> FloatImage:
    """Load an image as a greyscale array.

    Applies the EXIF orientation and composites transparent pixels onto white.

    Parameters
    ----------
    source : str, path-like, file object, PIL.Image.Image or array-like
        The image.

        - A path or a binary file object of a JPEG, PNG, TIFF, BMP, GIF, WebP, PBM, PGM
          or PPM image, or of a HEIC image if pillow-heif is installed. The content
          decides, not the extension; other formats are rejected. A file object that
          can seek is read from its start. Of an animation, the first frame is loaded.
        - An image opened by Pillow.
        - An array of shape (height, width) or (height, width, channels), with grey,
          grey and alpha, RGB or RGBA channels. Its dtype is bool, uint8 or uint16 (0
          to the maximum of the dtype), or a floating-point type (0 to 1).

    Returns
    -------
    ndarray of float32 of shape (height, width)
        Grey levels in [0, 1]: 0 is black and 1 is white.

    Raises
    ------
    OSError
        If the file cannot be opened or read.
    ImageError
        If the file is damaged or in another format, or if the shape, dtype or values
        of the array are invalid.
    ImageTooLargeError
        If the image has more than 60 million pixels.
    ImportError
        If Pillow is needed and not installed, or pillow-heif for a HEIC image.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import load_image
    >>> load_image(np.array([[0, 255], [255, 0]], dtype=np.uint8))
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    return load_page(source)[0]


def load_page(
    source: ImageLike, max_pixels: int | None = None
) -> tuple[FloatImage, tuple[int, int]]:
    """Load an image, a large JPEG at a lower resolution to save time and memory.

    `max_pixels` of the longer side suffice. Returns grey levels as `load_image`, or
    with fewer pixels, and the shape of the original image, EXIF orientation applied.
    """
    if isinstance(source, str | os.PathLike):
        with _open(source) as file:
            return _from_file(file, source, max_pixels)
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        name = name if isinstance(name, str | os.PathLike) else "The image"
        return _from_file(source, name, max_pixels)
    if hasattr(source, "getbands") and hasattr(source, "convert"):
        return _from_pillow(source)
    grey = from_array(source)
    return grey, (grey.shape[0], grey.shape[1])


def _from_file(
    source: Any, name: Path, max_pixels: int | None
) -> tuple[FloatImage, tuple[int, int]]:
    """`load_page` for files."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "Reading image files needs Pillow. Install it with `pip install pillow`; "
            "it is also part of the extra `images` of skdigits."
        ) from error
    file = _in_memory(source, name)
    start = file.read(12)
    file.seek(0)
    if start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS:
        return _from_pillow(_open_heic(file, name), name)
    try:
        image = Image.open(file, formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_large(f"{name}, which has more") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(
            f"{name} is not an image in a supported format, or is damaged. Expected "
            f"{_FORMATS_IN_WORDS}. Got "
            + (f"a file that begins with {start!r}" if start else "an empty file")
            + ". Convert it to PNG or JPEG, or use another copy."
        ) from error
    except Exception as error:  # decoders raise a dozen types for damage
        raise _damaged(name) from error
    return _from_pillow(image, name, max_pixels)


def _open(path: Path) -> BinaryIO:
    try:
        return open(path, "rb")
    except ValueError as error:  # a null byte
        raise ImageError(f"{path!r} is not the path of a file: {error}.") from error
    except FileNotFoundError as error:
        if "://" not in str(path):
            raise
        raise FileNotFoundError(
            error.errno, "Not a file. Download the image, and pass its path", str(path)
        ) from None


def _in_memory(source: Any, name: Path) -> io.BytesIO:
    """The bytes of a file, from its start if it can seek."""
    if getattr(source, "closed", False):
        raise ImageError(f"{name} is a closed file. Pass an open one, or its path.")
    if hasattr(source, "seekable") and source.seekable():
        source.seek(0)
    content = io.BytesIO()
    while chunk := _read(source, name):
        content.write(chunk)
        if content.tell() > _MAX_BYTES:
            raise too_large(f"{name}, which has more than {_MAX_BYTES:,} bytes")
    content.seek(0)
    return content


def _read(source: Any, name: Path) -> bytes:
    try:
        chunk = source.read(1 << 20)
    except UnicodeError:
        chunk = ""
    if not isinstance(chunk, bytes | bytearray | memoryview):
        raise ImageError(
            f"{name} must be a binary file, whose read returns bytes. Got "
            f"{type(chunk).__name__} instead. Open it with mode 'rb', or pass its path."
        )
    return bytes(chunk)


def _open_heic(source: io.BytesIO, name: Path) -> Any:
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


def _damaged(name: Path) -> ImageError:
    return ImageError(
        f"{name} cannot be decoded. Expected a complete image file. Got one that is "
        "damaged, truncated or closed. Use another copy."
    )


def _from_pillow(
    image: Any, name: Path = "The image", max_pixels: int | None = None
) -> tuple[FloatImage, tuple[int, int]]:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise too_large(f"{name}, which has {width} x {height}")
    try:
        if max_pixels is not None:
            scale = max_pixels / max(width, height)
            image.draft(None, (round(width * scale), round(height * scale)))
        upright = image.getexif().get(_ORIENTATION, 1) not in _ON_ITS_SIDE
        pixels = _pixels(image)
    except (MemoryError, ImageError):
        raise
    except Exception as error:
        raise _damaged(name) from error
    return from_array(pixels), (height, width) if upright else (width, height)


def _pixels(image: Any) -> NDArray[Any]:
    """The pixels, EXIF orientation applied, as an array that `from_array` takes."""
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.mode == "I":  # 16 bits in some formats and versions of Pillow
        pixels = np.asarray(image)
        if pixels.size and not 0 <= pixels.min() <= pixels.max() <= 65535:
            raise ImageError(
                "An image must have 8 or 16 bits per channel. Got 32 bits with values "
                f"from {pixels.min()} to {pixels.max()}. Save it with 8 bits."
            )
        return pixels.astype(np.uint16)
    if image.mode == "F":
        return np.asarray(image)
    if image.has_transparency_data:
        return np.asarray(image.convert("RGBA"))
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
