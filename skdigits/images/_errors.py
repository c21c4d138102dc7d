"""Errors raised for images that cannot be read."""


class ImageError(ValueError):
    """The image cannot be read; base class of the other image errors.

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
    """The image has more than 60 million pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import ImageTooLargeError, load_image
    >>> try:
    ...     load_image(np.broadcast_to(np.uint8(0), (10_000, 10_000)))
    ... except ImageTooLargeError as error:
    ...     print(error)
    An image may have up to 60,000,000 pixels. Got an array of shape (10000, 10000). \
Resize it.
    """

    __module__ = "skdigits.images"


class BlankImageError(ImageError):
    """The image has no ink: nothing is darker or lighter than the paper.

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
    """The image shows several digits where a single one is expected.

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
    """The border of the image cuts through the digit.

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


class GridNotFoundError(ImageError):
    """The image shows no table with ruled lines, or its lines are too faint.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import GridNotFoundError, read_table
    >>> try:
    ...     read_table(np.ones((100, 100)))
    ... except GridNotFoundError:
    ...     print("no table")
    no table
    """

    __module__ = "skdigits.images"


class TableShapeError(ImageError):
    """The table has another number of rows or columns than expected.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import TableShapeError, read_table
    >>> form = np.ones((200, 400))
    >>> form[[20, 180], 20:380] = form[20:180, [20, 140, 260, 379]] = 0.2
    >>> try:
    ...     read_table(form, shape=(2, 5))
    ... except TableShapeError:
    ...     print("another shape")
    another shape
    """

    __module__ = "skdigits.images"
