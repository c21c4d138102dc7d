"""DigitReadingDisplay: a page, its reading, and the input of the network."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from skdigits.images import PageReading, load_image, read_digits
from skdigits.images._loading import ImageLike
from skdigits.images._page_reading import to_mark
from skdigits.images._preview import UNSURE_COLOR, percent
from skdigits.plotting._digit_grid import DigitGridDisplay
from skdigits.plotting._matplotlib import draw_label, import_pyplot, show_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from sklearn.base import BaseEstimator


class DigitReadingDisplay:
    """A page with the digits read on it, and the images that the network saw.

    It is recommended to use :meth:`from_image` to create a display. All parameters are
    stored as attributes.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        The page, from 0 for black to 1 for white.

    reading : skdigits.images.PageReading
        The reading of the page.

    Attributes
    ----------
    im_ : matplotlib AxesImage
        The page.

    box_ : list of matplotlib Rectangle
        The box of each digit, dashed and in another colour unless its status is "ok".

    text_ : list of matplotlib Text
        The label of each digit, followed by a question mark unless its status is "ok".

    digits_ : DigitGridDisplay or None
        The normalised images, with label and confidence. None if there are no digits.

    axes_ : ndarray of matplotlib Axes of shape (2,)
        Axes with the page and with the normalised images.

    figure_ : matplotlib Figure
        Figure containing both.

    See Also
    --------
    skdigits.images.read_digits : Read a page.
    DigitGridDisplay : A grid of digit images.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import read_digits
    >>> from skdigits.plotting import DigitReadingDisplay
    >>> page = np.ones((200, 300))
    >>> page[60:120, 50:58] = page[60:120, 150:158] = 0.1
    >>> display = DigitReadingDisplay(page, read_digits(page)).plot()
    >>> [text.get_text() for text in display.text_]
    ['1', '1']
    """

    __module__ = "skdigits.plotting"

    def __init__(self, image: NDArray, reading: PageReading) -> None:
        self.image = image
        self.reading = reading

    def plot(
        self,
        *,
        axes: "Sequence[Axes] | None" = None,
        im_kw: dict[str, Any] | None = None,
        text_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the page and the digits.

        Parameters
        ----------
        axes : array-like of two matplotlib Axes, default=None
            Axes for the page and for the digits. If `None`, a figure of fitting size
            is created.

        im_kw : dict, default=None
            Keyword arguments for :meth:`matplotlib.axes.Axes.imshow` of the page.

        text_kw : dict, default=None
            Keyword arguments for :meth:`matplotlib.axes.Axes.text` of the labels on
            the page.

        Returns
        -------
        DigitReadingDisplay
            This display, with the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        DigitReadingDisplay.from_image : Read and draw in one call.

        Examples
        --------
        >>> import numpy as np
        >>> from skdigits.images import read_digits
        >>> from skdigits.plotting import DigitReadingDisplay
        >>> page = np.ones((200, 300))
        >>> page[60:120, 50:58] = 0.1
        >>> display = DigitReadingDisplay(page, read_digits(page))
        >>> display.plot(text_kw={"fontsize": 20}).text_[0].get_fontsize()
        20.0
        """
        plt = import_pyplot("DigitReadingDisplay.plot")
        from matplotlib.patches import Rectangle

        image = np.asarray(self.image)
        digits = self.reading.digits
        if axes is None:
            axes = _new_axes(plt, image.shape, bool(digits))
        self.axes_ = np.asarray(axes)
        page, seen = self.axes_
        self.figure_ = page.figure
        self.im_ = show_page(page, image, im_kw)
        seen.set_axis_off()

        self.box_, self.text_ = [], []
        for digit in digits:
            top, left, bottom, right = digit.box
            corner = left - 0.5, top - 0.5
            mark = to_mark(digit)
            box = Rectangle(
                corner,
                right - left,
                bottom - top,
                fill=False,
                edgecolor=mark.color,
                linewidth=1.5,
                linestyle="-" if mark.sure else "--",
            )
            self.box_.append(page.add_patch(box))
            style = {"color": mark.color, "va": "bottom", "fontsize": 11}
            self.text_.append(draw_label(page, corner, mark.label, text_kw, **style))

        self.digits_ = self._draw_digits(seen) if digits else None
        return self

    def _draw_digits(self, ax):
        """Draw the normalised images in about the proportions of the axes."""
        digits = self.reading.digits
        titles = [f"{digit.label} {percent(digit.confidence)}" for digit in digits]
        images = np.stack([digit.image for digit in digits])
        width, height = ax.get_window_extent().size
        # With its title, an image is 1.4 times as high as it is wide.
        n_cols = max(1, round(np.sqrt(len(digits) * 1.4 * width / height)))
        grid = DigitGridDisplay(images, y_true=titles).plot(ax=ax, n_cols=n_cols)
        for digit, text, frame in zip(digits, grid.text_, grid.frame_, strict=True):
            if digit.status != "ok":
                text.set(color=UNSURE_COLOR, weight="bold")
                frame.set(edgecolor=UNSURE_COLOR, linestyle="--", linewidth=1.5)
        return grid

    @classmethod
    def from_image(
        cls,
        image: ImageLike,
        estimator: "BaseEstimator | None" = None,
        *,
        min_confidence: float | None = None,
        max_error: float | None = None,
        **kwargs: Any,
    ) -> Self:
        """Read a page and draw it.

        Parameters
        ----------
        image : str, path-like, file object, PIL.Image.Image or array-like
            The page, see :func:`skdigits.images.load_image`.

        estimator : estimator instance, default=None
            The classifier, see :func:`skdigits.images.read_digits`. If `None`, the
            pretrained network.

        min_confidence : float, default=None
            Digits below it are unsure, see :func:`skdigits.images.read_digits`.

        max_error : float, default=None
            The accepted share of wrong digits, in place of `min_confidence`.

        **kwargs : dict
            Parameters of :meth:`plot`.

        Returns
        -------
        DigitReadingDisplay
            The display that was drawn.

        Raises
        ------
        skdigits.images.ImageError
            If the image cannot be read.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        DigitReadingDisplay.plot : Draw an existing reading.

        Examples
        --------
        >>> import numpy as np
        >>> from skdigits.plotting import DigitReadingDisplay
        >>> page = np.ones((200, 300))
        >>> page[60:120, 50:58] = page[60:120, 150:158] = 0.1
        >>> display = DigitReadingDisplay.from_image(page)  # or from_image("page.jpg")
        >>> display.reading.text
        '11'
        """
        grey = load_image(image)
        reading = read_digits(
            grey, estimator, min_confidence=min_confidence, max_error=max_error
        )
        return cls(grey, reading).plot(**kwargs)


def _new_axes(plt, shape, has_digits):
    """A figure with the page on the left, in proportion, and room for its digits."""
    height, width = shape
    page_width = 6 * np.clip(width / height, 0.5, 2)
    seen_width = 4.5 if has_digits else 0.1
    page_height = page_width * np.clip(height / width, 0.4, 2)
    _, axes = plt.subplots(
        ncols=2,
        figsize=(page_width + seen_width, max(page_height, 2.5)),
        width_ratios=[page_width, seen_width],
        layout="constrained",
    )
    return axes
