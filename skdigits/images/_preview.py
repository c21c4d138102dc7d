"""Small copies of pages, and the readings drawn on them as HTML for notebooks."""

import base64
import html
import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skdigits.images._boxes import FloatImage

# Blue and vermilion from the palette of Okabe and Ito, which colour-blind readers
# tell apart.
SURE_COLOR = "#0072b2"
UNSURE_COLOR = "#d55e00"

# Maximum height and width of a preview, in pixels.
_MAX_PIXELS = 800


class Mark(NamedTuple):
    """A reading on a page.

    `corners` are (y, x) in pixels of the page, clockwise from the top left; `label` is
    written above them, and `title` shown when the mouse points at them.
    """

    corners: Sequence[tuple[float, float]]
    label: str
    title: str
    sure: bool

    @property
    def color(self) -> str:
        return SURE_COLOR if self.sure else UNSURE_COLOR


def percent(confidence: float) -> str:
    """A confidence as text, which never claims certainty."""
    return ">99%" if confidence >= 0.995 else f"{confidence:.0%}"


def to_preview(grey: FloatImage) -> NDArray[np.uint8]:
    """A small copy of a page."""
    step = -(-max(grey.shape) // _MAX_PIXELS)
    return np.round(255 * grey[::step, ::step]).astype(np.uint8)


def page_html(
    preview: NDArray[np.uint8], shape: tuple[int, int], marks: Iterable[Mark]
) -> str | None:
    """The preview of a page of some shape with marks; None without Pillow."""
    try:
        from PIL import Image
    except ImportError:
        return None
    file = io.BytesIO()
    Image.fromarray(preview).save(file, "JPEG", quality=80)
    page = base64.b64encode(file.getvalue()).decode()
    height, width = shape
    unit = width / preview.shape[1]
    drawn = "".join(_draw(mark, unit) for mark in marks)
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{preview.shape[1]}" '
        'style="max-width: 100%; height: auto; paint-order: stroke; '
        f'font: bold {14 * unit:.1f}px sans-serif">'
        f'<image href="data:image/jpeg;base64,{page}" width="{width}" '
        f'height="{height}" preserveAspectRatio="none"/>{drawn}</svg>'
    )


def _draw(mark: Mark, unit: float) -> str:
    """A mark in lines of 1.5 pixels of the preview, each of `unit` pixels."""
    dashes = "" if mark.sure else f' stroke-dasharray="{4 * unit:.1f}"'
    points = " ".join(f"{x:g},{y:g}" for y, x in mark.corners)
    top, left = mark.corners[0]
    return (
        f'<polygon points="{points}" fill="transparent" stroke="{mark.color}" '
        f'stroke-width="{1.5 * unit:.1f}"{dashes}>'
        f"<title>{html.escape(mark.title)}</title></polygon>"
        f'<text x="{left:g}" y="{top - 3 * unit:g}" fill="{mark.color}" '
        f'stroke="white" stroke-width="{3 * unit:.1f}">{html.escape(mark.label)}</text>'
    )
