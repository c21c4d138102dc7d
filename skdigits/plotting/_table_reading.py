"""TableReadingDisplay: an image of a table with the numbers read from it."""

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from skdigits.images import TableReading, load_image, read_table
from skdigits.images._loading import ImageLike
from skdigits.images._preview import SURE_COLOR, UNSURE_COLOR
from skdigits.plotting._matplotlib import draw_label, import_pyplot, show_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from sklearn.base import BaseEstimator

_COLORS: dict[Literal["ok", "unsure", "empty"], str]
_COLORS = {"ok": SURE_COLOR, "unsure": UNSURE_COLOR, "empty": "#999999"}  # grey


class TableReadingDisplay:
    """An image of a table with the outlines of its cells and the numbers in them.

    It is recommended to use :meth:`from_image` or :meth:`from_reading` to create a
    display. All parameters are stored as attributes.

    Parameters
    ----------
    image : ndarray of shape (height, width)
        The image, from 0 for black to 1 for white.

    reading : skdigits.images.TableReading
        The reading of the table.

    Attributes
    ----------
    im_ : matplotlib AxesImage
        The image.

    cells_ : matplotlib PolyCollection
        The outlines of the cells. Those of unsure cells have another colour.

    text_ : list of matplotlib Text
        The text of each cell, near its top left corner.

    ax_ : matplotlib Axes
        Axes with the image.

    figure_ : matplotlib Figure
        Figure containing the axes.

    See Also
    --------
    skdigits.images.read_table : Read a table.
    DigitReadingDisplay : A page without a grid.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.plotting import TableReadingDisplay
    >>> form = np.ones((200, 400))
    >>> form[[20, 180], 20:380] = form[20:180, [20, 140, 260, 379]] = 0.2
    >>> form[60:140, 195:205] = 0.2
    >>> display = TableReadingDisplay.from_image(form)  # or from_image("sheet.jpg")
    >>> [text.get_text() for text in display.text_]
    ['', '1', '']
    """

    __module__ = "skdigits.plotting"

    def __init__(self, image: NDArray, reading: TableReading) -> None:
        self.image = image
        self.reading = reading

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        im_kw: dict[str, Any] | None = None,
        text_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the image and the cells.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If `None`, a figure of fitting size is created.

        im_kw : dict, default=None
            Keyword arguments for :meth:`matplotlib.axes.Axes.imshow`.

        text_kw : dict, default=None
            Keyword arguments for :meth:`matplotlib.axes.Axes.text`.

        Returns
        -------
        TableReadingDisplay
            This display, with the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        TableReadingDisplay.from_image : Read and draw in one call.

        Examples
        --------
        >>> import numpy as np
        >>> from skdigits.images import read_table
        >>> from skdigits.plotting import TableReadingDisplay
        >>> form = np.ones((200, 400))
        >>> form[[20, 180], 20:380] = form[20:180, [20, 140, 260, 379]] = 0.2
        >>> display = TableReadingDisplay(form, read_table(form)).plot()
        >>> len(display.cells_.get_paths())
        3
        """
        plt = import_pyplot("TableReadingDisplay.plot")
        from matplotlib.collections import PolyCollection

        image = np.asarray(self.image)
        cells = self.reading.cells
        if ax is None:
            height, width = image.shape
            size = 8 / max(height, width)
            _, ax = plt.subplots(
                figsize=(max(3, width * size), max(3, height * size)),
                layout="constrained",
            )
        self.ax_, self.figure_ = ax, ax.figure
        self.im_ = show_page(ax, image, im_kw)
        corners = np.array([cell.corners for cell in cells])
        colors = np.array([_COLORS[cell.status] for cell in cells])
        # Unsure cells last: their outlines cover those of their neighbours.
        order = np.argsort(colors == UNSURE_COLOR, kind="stable")
        self.cells_ = ax.add_collection(
            PolyCollection(
                corners[order][..., ::-1],
                facecolors="none",
                edgecolors=colors[order],
                linewidths=1.2,
            )
        )
        self.text_ = []
        for cell, own, color in zip(cells, corners, colors, strict=True):
            style = {"color": color, "va": "top", "fontsize": 9}
            text = draw_label(ax, own[0, ::-1], cell.text, text_kw, **style)
            self.text_.append(text)
        return self

    @classmethod
    def from_reading(
        cls,
        reading: TableReading,
        image: ImageLike,
        **kwargs: Any,
    ) -> Self:
        """Draw a reading on the image from which it was read.

        Parameters
        ----------
        reading : skdigits.images.TableReading
            The reading.

        image : str, path-like, file object, PIL.Image.Image or array-like
            The image, see :func:`skdigits.images.load_image`.

        **kwargs : dict
            Parameters of :meth:`plot`.

        Returns
        -------
        TableReadingDisplay
            The display that was drawn.

        Raises
        ------
        skdigits.images.ImageError
            If the image cannot be read.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        TableReadingDisplay.from_image : Read and draw in one call.

        Examples
        --------
        >>> import numpy as np
        >>> from skdigits.images import read_table
        >>> from skdigits.plotting import TableReadingDisplay
        >>> form = np.ones((200, 400))
        >>> form[[20, 180], 20:380] = form[20:180, [20, 140, 260, 379]] = 0.2
        >>> reading = read_table(form, tables="all")[0]
        >>> TableReadingDisplay.from_reading(reading, form).reading.shape
        (1, 3)
        """
        return cls(load_image(image), reading).plot(**kwargs)

    @classmethod
    def from_image(
        cls,
        image: ImageLike,
        estimator: "BaseEstimator | None" = None,
        *,
        shape: tuple[int, int] | None = None,
        min_confidence: float | None = None,
        max_error: float | None = None,
        **kwargs: Any,
    ) -> Self:
        """Read the largest table of an image and draw it.

        Parameters
        ----------
        image : str, path-like, file object, PIL.Image.Image or array-like
            The image, see :func:`skdigits.images.load_image`.

        estimator : estimator instance, default=None
            The classifier, see :func:`skdigits.images.read_table`. If `None`, the
            pretrained network.

        shape : tuple of int, default=None
            Number of rows and of columns. None if it is not known.

        min_confidence : float, default=None
            Digits of a lower probability are marked as unsure, in [0, 1]. None for 0.6,
            or for the threshold of `max_error`.

        max_error : float, default=None
            Share of wrong labels that is accepted, see
            :func:`skdigits.images.read_table`.

        **kwargs : dict
            Parameters of :meth:`plot`.

        Returns
        -------
        TableReadingDisplay
            The display that was drawn.

        Raises
        ------
        skdigits.images.ImageError
            If the image cannot be read or has no table.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        TableReadingDisplay.from_reading : Draw an existing reading.

        Examples
        --------
        >>> import numpy as np
        >>> from skdigits.plotting import TableReadingDisplay
        >>> form = np.ones((200, 400))
        >>> form[[20, 180], 20:380] = form[20:180, [20, 140, 260, 379]] = 0.2
        >>> TableReadingDisplay.from_image(form, shape=(1, 3)).reading.shape
        (1, 3)
        """
        grey = load_image(image)
        reading = read_table(
            grey,
            shape=shape,
            estimator=estimator,
            min_confidence=min_confidence,
            max_error=max_error,
        )
        return cls(grey, reading).plot(**kwargs)
