"""Matplotlib, imported where something is drawn."""


def import_pyplot(caller):
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} requires matplotlib. Install it with "
            '`pip install "skdigits[plot]"`.'
        ) from error
    return plt
