"""Why a picture cannot be read."""


class ImageError(ValueError):
    """A picture that cannot be read.

    Examples
    --------
    >>> import io
    >>> from skdigits.images import ImageError, load_image
    >>> try:
    ...     load_image(io.BytesIO(b"no picture"))
    ... except ImageError as error:
    ...     print(error)
    The picture is no picture that Pillow can read. Expected JPEG, PNG, TIFF or the \
like.
    """


class ImageTooLargeError(ImageError):
    """A picture with more pixels than are looked at.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import ImageTooLargeError, load_image
    >>> try:
    ...     load_image(np.broadcast_to(np.uint8(0), (10_000, 10_000)))
    ... except ImageTooLargeError as error:
    ...     print(error)
    Pictures may have up to 60,000,000 pixels. This one has shape (10000, 10000). Save \
it with fewer.
    """
