"""DigitGridDisplay: digit images with their labels and predictions."""

from math import ceil
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array, check_scalar, column_or_1d
from sklearn.utils.random import sample_without_replacement
from sklearn.utils.validation import indexable

from skdigits._sklearn_compat import _safe_indexing
from skdigits.augmentation._warp import check_image_shape
from skdigits.plotting._matplotlib import import_pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from sklearn.base import BaseEstimator

# Vermilion from the palette of Okabe and Ito, which colour-blind readers tell
# apart from black and grey.
_WRONG_COLOR = "#d55e00"


class DigitGridDisplay:
    """A grid of digit images, each with its label and prediction.

    It is recommended to use :meth:`from_data` or :meth:`from_estimator` to create a
    display. All parameters are stored as attributes.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width)
        The images to draw.

    y_true : array-like of shape (n_images,), default=None
        The label of each image, written above it.

    y_pred : array-like of shape (n_images,), default=None
        The prediction for each image, written after its label. If it differs from the
        label, the text is bold and the image has a coloured frame.

    Attributes
    ----------
    im_ : matplotlib AxesImage
        All images, drawn as one, so that they share one grey scale.

    text_ : list of matplotlib Text
        The text above each image; empty without labels.

    frame_ : list of matplotlib Rectangle
        The frame around each image, thick and coloured if the prediction is wrong.

    ax_ : matplotlib Axes
        Axes with the grid.

    figure_ : matplotlib Figure
        Figure containing the grid.

    See Also
    --------
    LossCurveDisplay : The loss of a network against the epoch.
    sklearn.metrics.ConfusionMatrixDisplay : Counts of labels and predictions.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdigits.plotting import DigitGridDisplay
    >>> digits = load_digits()
    >>> display = DigitGridDisplay(digits.images[:20], y_true=digits.target[:20])
    >>> len(display.plot().text_)
    20
    """

    __module__ = "skdigits.plotting"

    def __init__(
        self,
        images: NDArray,
        *,
        y_true: ArrayLike | None = None,
        y_pred: ArrayLike | None = None,
    ) -> None:
        self.images = images
        self.y_true = y_true
        self.y_pred = y_pred

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        n_cols: int = 10,
        im_kw: dict[str, Any] | None = None,
        text_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the grid.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If `None`, a figure of fitting size is created.

        n_cols : int, default=10
            Number of images in a row.

        im_kw : dict, default=None
            Keyword arguments for :meth:`matplotlib.axes.Axes.imshow`. The default
            colormap is `"gray_r"`, dark ink on white paper.

        text_kw : dict, default=None
            Keyword arguments for :meth:`matplotlib.axes.Axes.text`. By default the
            font is as large as the images allow, up to 9 points.

        Returns
        -------
        DigitGridDisplay
            This display, with the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        DigitGridDisplay.from_data : Draw images in one call.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdigits.plotting import DigitGridDisplay
        >>> display = DigitGridDisplay(load_digits().images[:20])
        >>> display.plot(n_cols=5, im_kw={"cmap": "viridis"}).im_.get_cmap().name
        'viridis'
        """
        plt = import_pyplot("DigitGridDisplay.plot")
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.patches import Rectangle
        from matplotlib.text import Text

        check_scalar(n_cols, "n_cols", Integral, min_val=1)
        titles, wrong = self._titles()
        n_images, height, width = np.shape(self.images)
        gap = max(1, round(0.12 * width))
        band = max(2, round(0.4 * height)) if titles else gap
        cell_width = width + gap
        mosaic, corners = _mosaic(self.images, min(n_cols, n_images), band, gap)
        longest = max([1, *map(len, titles)])
        if ax is None:
            # Room for the titles at 7 points, within reason.
            scale = np.clip(0.6 * 7 * longest / 72, 0.75, 2.0) / cell_width
            _, ax = plt.subplots(
                figsize=(mosaic.shape[1] * scale, mosaic.shape[0] * scale),
                gridspec_kw={"left": 0, "right": 1, "bottom": 0, "top": 1},
                layout="constrained",
            )
        self.ax_ = ax
        self.figure_ = ax.figure
        self.im_ = ax.imshow(mosaic, **({"cmap": "gray_r"} | (im_kw or {})))
        ax.set_axis_off()

        self.frame_ = [
            ax.add_patch(
                Rectangle(
                    (left - 0.5, top - 0.5),
                    width,
                    height,
                    fill=False,
                    edgecolor=_WRONG_COLOR if is_wrong else "0.8",
                    linewidth=2.0 if is_wrong else 0.5,
                )
            )
            for (top, left), is_wrong in zip(corners, wrong, strict=True)
        ]

        text_kw = normalize_kwargs(text_kw, Text)
        if "fontsize" not in text_kw:
            # The widest title fits its cell: a letter is about 0.65 font sizes wide.
            ax_size = ax.get_window_extent().size * 72 / ax.figure.dpi
            points_per_pixel = min(ax_size / mosaic.shape[::-1])
            fitting = min(cell_width / (0.65 * longest), 0.6 * band)
            text_kw["fontsize"] = min(9, points_per_pixel * fitting)
        self.text_ = []
        for title, is_wrong, (top, left) in zip(titles, wrong, corners, strict=False):
            style = {"ha": "center", "va": "bottom", "parse_math": False}
            if is_wrong:
                style |= {"color": _WRONG_COLOR, "weight": "bold"}
            x, y = left + (width - 1) / 2, top - 0.5 - 0.12 * band
            text = ax.text(x, y, title, **(normalize_kwargs(style, Text) | text_kw))
            self.text_.append(text)
        return self

    def _titles(self):
        """Return the text above each image and whether its prediction is wrong."""
        nothing_wrong = [False] * len(self.images)
        if self.y_true is None:
            return [], nothing_wrong
        labels = [_format_label(label) for label in self.y_true]
        if self.y_pred is None:
            return labels, nothing_wrong
        titles, wrong = [], []
        for label, true, predicted in zip(
            labels, self.y_true, self.y_pred, strict=True
        ):
            titles.append(f"{label} → {_format_label(predicted)}")
            wrong.append(bool(predicted != true))
        return titles, wrong

    @classmethod
    def from_data(
        cls,
        X: ArrayLike,
        y_true: ArrayLike | None = None,
        y_pred: ArrayLike | None = None,
        *,
        image_shape: tuple[int, int] | None = None,
        order: Literal["C", "F"] = "C",
        n_images: int = 40,
        shuffle: bool = False,
        random_state: int | np.random.RandomState | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw images, with their labels and predictions if given.

        Only the rows that are drawn are read, so `X` may be a memory map or a
        sparse matrix of any length.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or \
                (n_samples, height, width)
            Images, as rows of pixels or as they are.

        y_true : array-like of shape (n_samples,), default=None
            Labels.

        y_pred : array-like of shape (n_samples,), default=None
            Predictions, drawn only with `y_true`.

        image_shape : tuple of (height, width), default=None
            Shape of the image in a row of `X`; one of the two may be -1. If `None`,
            the images are square.

        order : {"C", "F"}, default="C"
            Order of the pixels in a row of `X`: `"C"` for one line after the other,
            `"F"` for one column after the other, as Matlab, Octave and Fortran store
            matrices.

        n_images : int, default=40
            Maximum number of images to draw.

        shuffle : bool, default=False
            Whether to draw a random sample of the rows rather than the first ones.

        random_state : int, RandomState instance or None, default=None
            Seed for `shuffle`. Pass an int for the same rows in every call.

        **kwargs : dict
            Parameters of :meth:`plot`.

        Returns
        -------
        DigitGridDisplay
            The display that was drawn.

        Raises
        ------
        ValueError
            If the pixels cannot be arranged into images, some are not finite
            numbers, or `X`, `y_true` and `y_pred` differ in length.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        DigitGridDisplay.from_estimator : Draw the predictions of an estimator.

        Examples
        --------
        The first digits that a classifier gets wrong:

        >>> from sklearn.datasets import load_digits
        >>> from sklearn.model_selection import cross_val_predict
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from skdigits.plotting import DigitGridDisplay
        >>> X, y = load_digits(return_X_y=True)
        >>> y_pred = cross_val_predict(GaussianNB(), X, y)
        >>> wrong = y_pred != y
        >>> display = DigitGridDisplay.from_data(X[wrong], y[wrong], y_pred[wrong])
        >>> display.images.shape
        (40, 8, 8)
        """
        X, y_true, y_pred = _take(
            *(X, y_true, y_pred),
            n_images=n_images,
            shuffle=shuffle,
            random_state=random_state,
        )
        images = _to_images(X, image_shape, order)
        display = cls(images, y_true=_to_labels(y_true), y_pred=_to_labels(y_pred))
        return display.plot(**kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator: "BaseEstimator",
        X: ArrayLike,
        y: ArrayLike,
        *,
        n_images: int = 40,
        shuffle: bool = False,
        random_state: int | np.random.RandomState | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw images with their labels and the predictions of an estimator.

        Parameters
        ----------
        estimator : estimator instance
            Fitted classifier. It predicts only the images that are drawn.

        X : {array-like, sparse matrix} of shape (n_samples, n_features) or \
                (n_samples, height, width)
            Images, as the estimator takes them.

        y : array-like of shape (n_samples,)
            Labels.

        n_images : int, default=40
            Maximum number of images to draw.

        shuffle : bool, default=False
            Whether to draw a random sample of the rows rather than the first ones.

        random_state : int, RandomState instance or None, default=None
            Seed for `shuffle`.

        **kwargs : dict
            Other parameters of :meth:`from_data` and :meth:`plot`.

        Returns
        -------
        DigitGridDisplay
            The display that was drawn.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        ValueError
            If the pixels cannot be arranged into images, some are not finite
            numbers, or `X` and `y` differ in length.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        DigitGridDisplay.from_data : Draw given predictions, or only images.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from skdigits.plotting import DigitGridDisplay
        >>> X, y = load_digits(return_X_y=True)
        >>> model = GaussianNB().fit(X[:1000], y[:1000])
        >>> display = DigitGridDisplay.from_estimator(model, X[1000:], y[1000:])
        >>> display.text_[0].get_text()
        '1 → 1'
        """
        X, y = _take(
            X, y, n_images=n_images, shuffle=shuffle, random_state=random_state
        )
        return cls.from_data(X, y, estimator.predict(X), n_images=n_images, **kwargs)


def _mosaic(images, n_cols, band, gap):
    """One image of all images, and the top left corner of each.

    Each is below a band for its title, and right of a gap. NaN is not painted.
    """
    n_images, height, width = np.shape(images)
    n_rows = ceil(n_images / n_cols)
    cell_height, cell_width = height + band, width + gap
    mosaic = np.full((n_rows * cell_height + gap, n_cols * cell_width + gap), np.nan)
    corners = [
        (k // n_cols * cell_height + band, k % n_cols * cell_width + gap)
        for k in range(n_images)
    ]
    for image, (top, left) in zip(images, corners, strict=True):
        mosaic[top : top + height, left : left + width] = image
    return mosaic, corners


def _take(*arrays, n_images, shuffle, random_state):
    """Return the rows to draw of each array, without converting the others."""
    check_scalar(n_images, "n_images", Integral, min_val=1)
    arrays = indexable(*arrays)
    n_samples = arrays[0].shape[0] if hasattr(arrays[0], "shape") else len(arrays[0])
    n_images = min(n_images, n_samples)
    if shuffle:
        rows = sample_without_replacement(
            n_samples, n_images, random_state=random_state
        )
        rows.sort()  # memory maps are read in order
    else:
        rows = slice(n_images)
    return [None if array is None else _safe_indexing(array, rows) for array in arrays]


def _to_images(X, image_shape, order):
    """Return rows of pixels as an array of shape (n_images, height, width)."""
    if order not in ("C", "F"):
        raise ValueError(f"`order` must be 'C' or 'F'. Got {order!r} instead.")
    X = X.toarray() if issparse(X) else X
    X = check_array(X, ensure_2d=False, allow_nd=True, input_name="X")
    if X.ndim not in (2, 3):
        raise ValueError(
            "X must have shape (n_samples, n_features) or (n_samples, height, width). "
            f"Got an array of {X.ndim} dimension(s) instead."
        )
    if X.ndim == 3:
        if image_shape is not None and tuple(image_shape) != X.shape[1:]:
            raise ValueError(
                f"image_shape must match images of shape {X.shape[1:]}. Got "
                f"{image_shape!r} instead. Omit it, or correct it."
            )
        return X
    height, width = check_image_shape(image_shape, X.shape[1])
    if order == "F":
        return X.reshape(-1, width, height).transpose(0, 2, 1)
    return X.reshape(-1, height, width)


def _to_labels(y):
    return None if y is None else column_or_1d(y)


def _format_label(label):
    # Labels read from Matlab or a CSV file are often whole floats: "5", not "5.0".
    return f"{label:g}" if isinstance(label, (float, np.floating)) else str(label)
