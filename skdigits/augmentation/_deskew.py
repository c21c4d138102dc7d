"""Removing the slant of digits."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from skdigits.augmentation._warp import check_image_shape, distort, terms_of

# Number of images that are sheared at once: small enough for the processor's cache.
_IMAGES_AT_A_TIME = 256
# Maximum shear: strokes at 45 degrees. The slant of a horizontal stroke is not defined.
_MAX_SLANT = 1.0


def deskew(X: ArrayLike, image_shape: tuple[int, int] | None = None) -> NDArray[Any]:
    """Shear digits so that their main axis is vertical.

    The slant of handwriting differs between writers, and a network that never sees it
    has less to learn. Use it as the first step of a pipeline, before a classifier that
    is trained on distorted images.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Images, one row per image, with a background of 0.

    image_shape : tuple of (height, width), default=None
        Shape of the images in the rows of `X`. One of the two may be -1 and is then
        inferred, as in :func:`numpy.reshape`. If None, images are square.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        The sheared images, of the dtype of `X` if it is uint8 or float64, otherwise
        float32.

    Raises
    ------
    ValueError
        If `X` is invalid, or if `image_shape` does not match the number of features.

    See Also
    --------
    RandomDistortion : Random shear and other distortions, for training.

    Notes
    -----
    Each row of an image is shifted horizontally, in proportion to its distance from the
    centre of mass, so that the covariance of the coordinates of the ink becomes 0.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skdigits import DigitMLPClassifier
    >>> from skdigits.augmentation import deskew
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = DigitMLPClassifier(max_iter=20, random_state=0)
    >>> pipe = make_pipeline(FunctionTransformer(deskew), clf).fit(X, y)
    >>> pipe.score(X, y) > 0.9
    True
    """
    X = check_array(X, dtype=[np.uint8, np.float64, np.float32])
    dtype = np.dtype(np.float64 if X.dtype == np.float64 else np.float32)
    shape = check_image_shape(image_shape, X.shape[1])
    terms = terms_of(shape, None, dtype.name)
    sheared = np.empty_like(X)
    for start in range(0, len(X), _IMAGES_AT_A_TIME):
        some = slice(start, start + _IMAGES_AT_A_TIME)
        images = X[some].astype(dtype)
        shears = _opposite_shears(images, terms)
        sheared[some] = _as(X.dtype, distort(np, images, shears, terms, shape))
    return sheared


def _opposite_shears(images, terms):
    """Coefficients that shear images about their centres of mass, without slant."""
    y, x, _ = terms
    share = np.maximum(images, 0)
    share /= np.maximum(share.sum(axis=1, keepdims=True), np.finfo(share.dtype).tiny)
    centre_y, centre_x = share @ y, share @ x
    from_y, from_x = y - centre_y[:, None], x - centre_x[:, None]
    variance = (share * from_y**2).sum(axis=1)
    covariance = (share * from_y * from_x).sum(axis=1)
    slant = covariance / np.where(variance > 0, variance, 1)
    slant = np.clip(slant, -_MAX_SLANT, _MAX_SLANT)
    shears = np.zeros((len(images), 2, 3), dtype=images.dtype)
    shears[:, 1, 0], shears[:, 1, 2] = slant, -slant * centre_y
    return shears


def _as(dtype, images):
    return images.round() if dtype == np.uint8 else images


deskew.__module__ = "skdigits.augmentation"
