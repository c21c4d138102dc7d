"""Pictures of any kind as grey arrays."""

import os

import numpy as np

from skdigits.images._errors import ImageError, ImageTooLargeError

# A phone's camera has up to 200 million pixels, a page is legible on far fewer.
_MOST_PIXELS = 60_000_000

# Parts of red, green and blue in grey: ITU-R Recommendation BT.709.
_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)

# The tag of EXIF that says how the camera was held, and what it says of pictures whose
# width is their height.
_ORIENTATION = 0x0112
_ON_ITS_SIDE = (5, 6, 7, 8)

# Rows are brought to grey so many at once, to need less memory.
_ROWS = 256


def load_image(source):
    """Load a picture as shades of grey.

    What a camera says of its orientation is heeded, and what is transparent lies on
    white.

    Parameters
    ----------
    source : str, path-like, file object, PIL.Image.Image or array-like
        A picture or where it is. An array has shape (height, width) or (height, width,
        channels) with grey, grey and alpha, RGB or RGBA as channels; it is of bool, of
        uint8 or uint16 over their whole range, or of floats in [0, 1].

    Returns
    -------
    ndarray of float32 of shape (height, width)
        From 0 for black to 1 for white.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ImageError
        If it is no picture, damaged, or the array is not as described.
    ImageTooLargeError
        If it has more than 60 million pixels.
    ImportError
        If Pillow is not installed, or what it needs for a HEIC picture is not.

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
    """Load a picture of which fewer pixels do, from a JPEG in less time and memory.

    Parameters
    ----------
    source : str, path-like, file object, PIL.Image.Image or array-like
        What `load_image` takes.
    longest : int
        So many pixels by the longer side do.

    Returns
    -------
    grey : ndarray of float32 of shape (height, width)
        As `load_image` gives it, or the same with fewer pixels.
    shape : tuple of int
        Height and width of the whole picture, the right way up.
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
            "Reading pictures needs Pillow. Install it with: pip install "
            "'skdigits[images]'"
        ) from error
    return Image


def _from_file(source, longest=None):
    """What `load_page` returns; all pixels where no number is given."""
    if not hasattr(source, "read"):
        with open(source, "rb") as file:
            return _from_file(file, longest)
    Image = _pillow()
    name = getattr(source, "name", "The picture")
    start = source.read(12)
    source.seek(-len(start), os.SEEK_CUR)
    if _is_heic(start):
        return _from_pillow(_open_heic(source, name), name)
    try:
        image = Image.open(source)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLargeError(_too_large(str(error))) from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(
            f"{name} is no picture that Pillow can read. Expected JPEG, PNG, TIFF or "
            "the like."
        ) from error
    except Exception as error:  # decoders have a dozen for damage
        raise _damaged(name, error) from error
    with image:
        return _from_pillow(image, name, longest)


def _is_heic(start):
    """Whether the first bytes of a file are those of Apple's pictures."""
    brands = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")
    return start[4:8] == b"ftyp" and start[8:12] in brands


def _open_heic(source, name):
    try:
        import pillow_heif
    except ImportError as error:
        raise ImportError(
            f"{name} is a HEIC picture. Reading it needs pillow-heif: pip install "
            "pillow-heif. Or save it as JPEG."
        ) from error
    try:
        return pillow_heif.open_heif(source).to_pillow()
    except Exception as error:
        raise _damaged(name, error) from error


def _damaged(name, error):
    return ImageError(f"{name} is damaged: {error or repr(error)}. Use another copy.")


def _from_pillow(image, name="The picture", longest=None):
    width, height = image.size
    if width * height > _MOST_PIXELS:
        raise ImageTooLargeError(_too_large(f"{name} has {width} x {height}"))
    try:
        if longest is not None:
            scale = longest / max(width, height)
            image.draft(None, (round(width * scale), round(height * scale)))
        upright = image.getexif().get(_ORIENTATION, 1) not in _ON_ITS_SIDE
        pixels = _pixels(image)
    except MemoryError:
        raise
    except Exception as error:
        raise _damaged(name, error) from error
    return _from_array(pixels), (height, width) if upright else (width, height)


def _pixels(image):
    """Pixels the right way up, as an array that `_from_array` takes."""
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.mode == "I":  # how older versions of Pillow read 16 bits
        return np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
    if image.mode == "F":
        return np.asarray(image)
    transparent = "A" in image.getbands() or "a" in image.getbands()
    if transparent or "transparency" in image.info:
        return np.asarray(image.convert("RGBA"))
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def _too_large(what):
    return (
        f"Pictures may have up to {_MOST_PIXELS:,} pixels. {what}. Save it with fewer."
    )


def _from_array(source):
    pixels = np.asarray(source)
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if pixels.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or 0 in pixels.shape:
        raise ImageError(
            "An image must have shape (height, width) or (height, width, channels) "
            f"with up to four channels. Got {pixels.shape} instead."
        )
    if pixels.shape[0] * pixels.shape[1] > _MOST_PIXELS:
        raise ImageTooLargeError(_too_large(f"This one has shape {pixels.shape}"))
    _check_values(pixels)
    grey = np.empty(pixels.shape[:2], dtype=np.float32)
    for start in range(0, len(grey), _ROWS):
        rows = slice(start, start + _ROWS)
        grey[rows] = _to_grey(_as_floats(pixels[rows]).reshape(*grey[rows].shape, -1))
    return grey


def _to_grey(pixels):
    channels = pixels.shape[2]
    colours = pixels[..., : channels - 1 if channels in (2, 4) else channels]
    grey = colours @ _LUMA if channels > 2 else colours[..., 0]
    if channels in (2, 4):
        alpha = pixels[..., -1]
        grey = grey * alpha + (1 - alpha)
    return grey


def _check_values(pixels):
    if pixels.dtype in (bool, np.uint8, np.uint16):
        return
    if pixels.dtype.kind != "f":
        raise ImageError(
            "An image must be of bool, uint8, uint16 or floats. Got "
            f"{pixels.dtype} instead. Convert it, for example with "
            "image.astype(np.uint8)."
        )
    lowest, highest = pixels.min(), pixels.max()
    if not (lowest >= 0 and highest <= 1):  # not a number is neither
        raise ImageError(
            "An image of floats must be in [0, 1]. Got values from "
            f"{lowest:g} to {highest:g} instead. Divide what goes up to 255 by 255."
        )


def _as_floats(pixels):
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return pixels.astype(np.float32)
