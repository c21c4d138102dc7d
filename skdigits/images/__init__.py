"""Pictures of handwritten digits: from a photograph or a scan to rows of pixels."""

from skdigits.images._errors import ImageError, ImageTooLargeError
from skdigits.images._loading import load_image

__all__ = ["ImageError", "ImageTooLargeError", "load_image"]
