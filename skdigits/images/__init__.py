"""Load images, normalize single digits, and read the digits of pages and tables."""

from skdigits.images._errors import (
    BlankImageError,
    CutDigitError,
    GridNotFoundError,
    ImageError,
    ImageTooLargeError,
    SeveralDigitsError,
    TableShapeError,
)
from skdigits.images._fine_tuning import fine_tune_reader
from skdigits.images._labelling import label_digits
from skdigits.images._loading import load_image
from skdigits.images._normalize import normalize_digit
from skdigits.images._page_reading import DigitReading, NumberReading, PageReading
from skdigits.images._read import read_digits
from skdigits.images._segmentation import DigitRegion, find_digits
from skdigits.images._table import read_table
from skdigits.images._table_reading import TableCell, TableReading

__all__ = [
    "BlankImageError",
    "CutDigitError",
    "DigitImageTransformer",
    "DigitReading",
    "DigitRegion",
    "GridNotFoundError",
    "ImageError",
    "ImageTooLargeError",
    "NumberReading",
    "PageReading",
    "SeveralDigitsError",
    "TableCell",
    "TableReading",
    "TableShapeError",
    "find_digits",
    "fine_tune_reader",
    "label_digits",
    "load_image",
    "normalize_digit",
    "read_digits",
    "read_table",
]


for _function in (
    *(find_digits, fine_tune_reader, label_digits, load_image, normalize_digit),
    *(read_digits, read_table),
):
    _function.__module__ = __name__  # so that pickles name the public address


def __getattr__(name: str) -> type:
    # Only the transformer needs scikit-learn, whose import takes longer than reading a
    # page.
    if name == "DigitImageTransformer":
        from skdigits.images._transformer import DigitImageTransformer

        return DigitImageTransformer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
