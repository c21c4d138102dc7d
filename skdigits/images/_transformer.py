"""A transformer that normalizes images of single digits, for use in a Pipeline."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from skdigits._sklearn_compat import DocLinkMixin, Interval, _fit_context
from skdigits.images._errors import ImageError
from skdigits.images._normalize import check_sizes, normalize_digit


class DigitImageTransformer(DocLinkMixin, TransformerMixin, BaseEstimator):
    """Normalize images of single digits to the format of MNIST, one row per image.

    In a pipeline, it lets a classifier take images of any size, lighting and colour.

    Parameters
    ----------
    size : int, default=28
        Height and width of a normalized image in pixels, from `box_size` to 1024.

    box_size : int, default=20
        Length of the longer side of the digit in pixels, at least 4.

    See Also
    --------
    normalize_digit : The same for one image.
    find_digits : Find the digits of a page.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from skdigits import DigitMLPClassifier
    >>> from skdigits.images import DigitImageTransformer
    >>> digits = load_digits()
    >>> images = list(digits.images / 16)  # a list of arrays, or of paths
    >>> reader = make_pipeline(
    ...     DigitImageTransformer(),
    ...     DigitMLPClassifier(rescale=1 / 255, max_iter=10, random_state=0),
    ... )
    >>> reader = reader.fit(images[:1000], digits.target[:1000])
    >>> reader.predict(images[:5])
    array([0, 1, 2, 3, 4])
    """

    __module__ = "skdigits.images"

    _parameter_constraints: dict[str, list[Any]] = {
        "size": [Interval(Integral, 4, 1024, closed="both")],
        "box_size": [Interval(Integral, 4, 1024, closed="both")],
    }

    def __init__(self, size: int = 28, box_size: int = 20) -> None:
        self.size = size
        self.box_size = box_size

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: None = None) -> "DigitImageTransformer":
        """Validate the parameters. Nothing is learned.

        Parameters
        ----------
        X : list of images
            Not used.
        y : None, default=None
            Not used.

        Returns
        -------
        DigitImageTransformer
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter is invalid.

        Examples
        --------
        >>> from skdigits.images import DigitImageTransformer
        >>> DigitImageTransformer(size=20).fit([])
        DigitImageTransformer(size=20)
        """
        check_sizes(self.size, self.box_size)
        return self

    def transform(self, X: Sequence[Any] | NDArray[Any]) -> NDArray[np.uint8]:
        """Normalize images.

        Parameters
        ----------
        X : list of images, or ndarray of shape (n_samples, height, width[, channels])
            Paths, arrays or any other images that :func:`load_image` takes.

        Returns
        -------
        ndarray of uint8 of shape (n_samples, size * size)
            Pixels of each image in row-major order, from 0 for paper to 255 for ink.

        Raises
        ------
        ImageError
            If an image cannot be read or does not show a single digit, see
            :func:`normalize_digit`. The message contains its index.
        ValueError
            If a parameter is invalid, or `X` is not a list of images.

        Examples
        --------
        >>> import numpy as np
        >>> from skdigits.images import DigitImageTransformer
        >>> one = np.ones((90, 60))
        >>> one[20:70, 25:33] = 0.2
        >>> DigitImageTransformer().transform([one, 1 - one]).shape
        (2, 784)
        """
        check_sizes(self.size, self.box_size)
        _check_list(X)
        rows = np.empty((len(X), self.size * self.size), dtype=np.uint8)
        for index, image in enumerate(X):
            try:
                digit = normalize_digit(image, size=self.size, box_size=self.box_size)
            except ImageError as error:
                raise type(error)(f"Image {index}: {error}") from error
            rows[index] = digit.ravel()
        return rows

    def get_feature_names_out(self, input_features: None = None) -> NDArray[np.object_]:
        """Return the names of the output features.

        Parameters
        ----------
        input_features : None, default=None
            Not used.

        Returns
        -------
        ndarray of str objects of shape (size * size,)
            ``pixel0``, ``pixel1`` and so on.

        Examples
        --------
        >>> from skdigits.images import DigitImageTransformer
        >>> DigitImageTransformer().get_feature_names_out()[-1]
        'pixel783'
        """
        names = [f"pixel{index}" for index in range(self.size * self.size)]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.requires_fit = False
        tags.no_validation = True
        return tags


def _check_list(X: Any) -> None:
    """Raise if X is not a sequence of images."""
    n_dimensions = len(getattr(X, "shape", [1]))
    if (
        isinstance(X, str | bytes | Mapping)
        or not (hasattr(X, "__len__") and hasattr(X, "__getitem__"))
        or n_dimensions not in (1, 3, 4)
    ):
        shape = f" of shape {X.shape}" if hasattr(X, "shape") else ""
        raise ValueError(
            "X must be a list of images, or an array of shape (n_samples, height, "
            f"width[, channels]). Got {type(X).__name__}{shape} instead. Put a single "
            "image into a list."
        )
