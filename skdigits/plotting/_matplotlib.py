"""Matplotlib, imported only when something is drawn."""

from typing import Any


def import_pyplot(caller: str) -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} requires matplotlib. Install it with "
            '`pip install "skdigits[plot]"`.'
        ) from error
    return plt
