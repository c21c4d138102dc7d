"""Why an image cannot be read."""


class ImageError(ValueError):
    """An image that cannot be read.

    Examples
    --------
    >>> import io
    >>> from skdigits.images import ImageError, load_image
    >>> try:
    ...     load_image(io.BytesIO(b"a text"))
    ... except ImageError as error:
    ...     print(error)
    The image is not an image in a supported format, or is damaged. Expected JPEG, \
PNG, TIFF, BMP, GIF, WebP, PBM, PGM, PPM or HEIC. Got a file that begins with \
b'a text'. Convert it to PNG or JPEG, or use another copy.
    """

    __module__ = "skdigits.images"


class ImageTooLargeError(ImageError):
    """An image with more pixels than are looked at.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import ImageTooLargeError, load_image
    >>> try:
    ...     load_image(np.broadcast_to(np.uint8(0), (10_000, 10_000)))
    ... except ImageTooLargeError as error:
    ...     print(error)
    Images may have up to 60,000,000 pixels. This one has shape (10000, 10000). Save \
it with fewer.
    """

    __module__ = "skdigits.images"


class BlankImageError(ImageError):
    """A picture with nothing on it that is darker or lighter than the paper.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import BlankImageError, normalize_digit
    >>> try:
    ...     normalize_digit(np.ones((28, 28)))
    ... except BlankImageError:
    ...     print("blank")
    blank
    """

    __module__ = "skdigits.images"


class SeveralDigitsError(ImageError):
    """A picture of more than one digit where one is expected.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import SeveralDigitsError, normalize_digit
    >>> eleven = np.ones((40, 60))
    >>> eleven[5:35, [20, 21, 40, 41]] = 0
    >>> try:
    ...     normalize_digit(eleven)
    ... except SeveralDigitsError:
    ...     print("several digits")
    several digits
    """

    __module__ = "skdigits.images"


class CutDigitError(ImageError):
    """A picture whose border cuts through its digit.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import CutDigitError, normalize_digit
    >>> one = np.ones((40, 40))
    >>> one[:20, 19:21] = 0
    >>> try:
    ...     normalize_digit(one)
    ... except CutDigitError:
    ...     print("cut")
    cut
    """

    __module__ = "skdigits.images"
