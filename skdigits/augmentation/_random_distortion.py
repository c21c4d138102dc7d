"""RandomDistortion: parameters of random distortions of images."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_array

from skdigits._random import draw_seed
from skdigits._sklearn_compat import (
    DocLinkMixin,
    Interval,
    validate_parameter_constraints,
)
from skdigits.augmentation._warp import Distortion, distort

__all__ = ["RandomDistortion"]

# Number of images that `sample` distorts at once: small enough for the processor's
# cache.
_IMAGES_AT_A_TIME = 256


class RandomDistortion(DocLinkMixin, BaseEstimator):
    """Random affine and elastic distortions of images.

    With ``DigitMLPClassifier(augment=RandomDistortion())``, every image is distorted
    differently in every epoch. The defaults are those for MNIST's digits of 28 x 28
    pixels; parameters in pixels are scaled to the size of other images.

    Parameters
    ----------
    rotation : float, default=12.0
        Maximum angle in degrees, in [0, 180]. Angles are uniform in
        ``[-rotation, rotation]``.

    shear : float, default=0.2
        Maximum horizontal shear, in pixels per pixel of height, in [0, 10]. Uniform in
        ``[-shear, shear]``.

    scale : float, default=0.15
        Maximum change of size, in [0, 1). Height and width are multiplied by
        independent factors, uniform in ``[1 - scale, 1 + scale]``.

    translation : float, default=None
        Maximum shift along each axis in pixels, in [0, 1000]. Uniform in
        ``[-translation, translation]``. If None, 1/28 of the image's height.

    elastic_sigma : float, default=None
        Smoothness of the elastic displacements in pixels, in [0.5, 1000]: they resemble
        noise smoothed by a Gaussian of this standard deviation. The correlation at a
        distance of d pixels is ``exp(-d**2 / (4 * elastic_sigma**2))``. If None, 5/28
        of the image's height.

    elastic_std : float, default=None
        Standard deviation of the elastic displacements along each axis in pixels, in
        [0, 1000]. If None, 1.1/28 of the image's height.

    final_strength : float, default=0.4
        Factor on all of the above at the end of `fit`, in [0, 1]. It decays linearly
        from 1 over the last quarter of `max_iter`.

    image_shape : tuple of (height, width), default=None
        Shape of the images in the rows of `X`. One of the two may be -1 and is then
        inferred, as in :func:`numpy.reshape`. If None, images are square.

    See Also
    --------
    skdigits.DigitMLPClassifier : Classifier that trains on distorted images.

    Notes
    -----
    An image is scaled, sheared, rotated and shifted, in this order, about its centre,
    in a single interpolation. It is bilinear, with a correction from second differences
    against blur, since networks trained on blurred images are less accurate on sharp
    ones. Pixels outside of the image are 0, and pixels stay in the range of the image
    and 0.

    Affine and elastic distortions of digits follow [1]_. Elastic displacements are a
    sum of a few smooth waves instead of smoothed noise; the waves have 99.9 % of its
    variance on each axis and are scaled to the full variance.

    References
    ----------
    .. [1] P. Y. Simard, D. Steinkraus and J. C. Platt, "Best practices for
       convolutional neural networks applied to visual document analysis", ICDAR 2003.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdigits import DigitMLPClassifier
    >>> from skdigits.augmentation import RandomDistortion
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = DigitMLPClassifier(
    ...     augment=RandomDistortion(), max_iter=20, random_state=0
    ... )
    >>> clf.fit(X, y).score(X, y) > 0.9
    True
    """

    __module__ = "skdigits.augmentation"

    _parameter_constraints = {
        "rotation": [Interval(Real, 0, 180, closed="both")],
        "shear": [Interval(Real, 0, 10, closed="both")],
        "scale": [Interval(Real, 0, 1, closed="left")],
        "translation": [Interval(Real, 0, 1000, closed="both"), None],
        "elastic_sigma": [Interval(Real, 0.5, 1000, closed="both"), None],
        "elastic_std": [Interval(Real, 0, 1000, closed="both"), None],
        "final_strength": [Interval(Real, 0, 1, closed="both")],
        "image_shape": ["array-like", None],
    }

    def __init__(
        self,
        rotation: float = 12.0,
        shear: float = 0.2,
        scale: float = 0.15,
        translation: float | None = None,
        elastic_sigma: float | None = None,
        elastic_std: float | None = None,
        final_strength: float = 0.4,
        image_shape: tuple[int, int] | None = None,
    ) -> None:
        self.rotation = rotation
        self.shear = shear
        self.scale = scale
        self.translation = translation
        self.elastic_sigma = elastic_sigma
        self.elastic_std = elastic_std
        self.final_strength = final_strength
        self.image_shape = image_shape

    def sample(
        self,
        X: ArrayLike,
        n: int = 1,
        random_state: int | np.random.RandomState | None = None,
    ) -> NDArray[Any]:
        """Draw distorted copies of images, at full strength.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images, one row per image.

        n : int, default=1
            Number of copies per image.

        random_state : int, RandomState instance or None, default=None
            Seed of the distortions. Pass an int for the same copies in every call.

        Returns
        -------
        ndarray of shape (n_samples * n, n_features)
            The `n` copies of the first image, then those of the second, and so on;
            float64 if `X` is, otherwise float32.

        Raises
        ------
        ValueError
            If a parameter or `X` is invalid, or if `image_shape` does not match the
            number of features.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdigits.augmentation import RandomDistortion
        >>> X, _ = load_digits(return_X_y=True)
        >>> RandomDistortion().sample(X[:2], n=5, random_state=0).shape
        (10, 64)
        """
        X = check_array(X, dtype=[np.float32, np.float64])
        validate_parameter_constraints(
            {"n": [Interval(Integral, 1, None, closed="left")]},
            {"n": n},
            caller_name="RandomDistortion.sample",
        )
        distortion = Distortion(self, X.shape[1], X.dtype)
        rng = np.random.default_rng(draw_seed(random_state))
        terms, shape = distortion.terms, distortion.image_shape
        distorted = np.empty((len(X) * n, X.shape[1]), dtype=X.dtype)
        for start in range(0, len(distorted), _IMAGES_AT_A_TIME):
            some = distorted[start : start + _IMAGES_AT_A_TIME]
            rows = X[np.arange(start, start + len(some)) // n]
            coefficients = distortion.coefficients(len(some), rng)
            some[...] = distort(np, rows, coefficients, terms, shape)
        return distorted
