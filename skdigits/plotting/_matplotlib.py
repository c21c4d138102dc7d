"""Matplotlib, imported only when something is drawn."""

from typing import Any


def import_pyplot(caller: str) -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} requires matplotlib. Install it with `pip install matplotlib`."
        ) from error
    return plt


def show_page(ax: Any, image: Any, im_kw: dict[str, Any] | None) -> Any:
    """Draw grey levels from 0 for black to 1 for white, without axes."""
    ax.set_axis_off()
    return ax.imshow(image, **({"cmap": "gray", "vmin": 0, "vmax": 1} | (im_kw or {})))


def draw_label(
    ax: Any, place: Any, text: str, text_kw: dict[str, Any] | None, **style: Any
) -> Any:
    """Write a label on a page, at (x, y); `text_kw` has precedence over the style."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.patheffects import withStroke
    from matplotlib.text import Text

    usual = {
        "ha": "left",
        "weight": "bold",
        "parse_math": False,
        # Legible on dark pages, too.
        "path_effects": [withStroke(linewidth=2.5, foreground="white")],
    }
    style = normalize_kwargs(usual | style, Text) | normalize_kwargs(text_kw, Text)
    return ax.text(*place, text, **style)
