"""Distorting images of digits at random, for networks to train on."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array

from skdigits._random import draw_seed
from skdigits._sklearn_compat import Interval, validate_parameter_constraints
from skdigits.augmentation._warp import Distortion, distort

__all__ = ["RandomDistortion"]

# Images that `sample` distorts at a time: what they take stays in the cache.
_IMAGES_AT_A_TIME = 256


class RandomDistortion(BaseEstimator):
    """Random distortions of images: affine and elastic, in one interpolation.

    Passed to :class:`~skdigits.DigitMLPClassifier` as `augment`, it gives every image
    of every epoch a new form. The parameters say how strong the distortions are; the
    defaults suit MNIST's digits of 28 x 28 pixels.

    Parameters
    ----------
    rotation : float, default=12.0
        Largest angle, in degrees, in [0, 180]. Angles are uniform between minus and
        plus that.

    shear : float, default=0.2
        Largest slant, in pixels to the side per pixel of height, in [0, 10]; uniform,
        to both sides.

    scale : float, default=0.15
        Largest change of size, in [0, 1). Height and width are each multiplied by a
        factor that is uniform in ``1 - scale`` to ``1 + scale``.

    translation : float, default=1.0
        Largest shift, in pixels, in [0, 1000]; uniform, on both axes.

    elastic_sigma : float, default=5.0
        How smooth the elastic displacements are, in pixels, in [0.5, 1000]: they are
        like noise smoothed by a Gaussian of this standard deviation, so that d pixels
        apart their correlation is ``exp(-d**2 / (4 * elastic_sigma**2))``.

    elastic_std : float, default=1.1
        Standard deviation of the elastic displacements, in pixels, in [0, 1000]; they
        are independent on both axes.

    final_strength : float, default=0.4
        What all of the above are multiplied by at the end of a `fit`, in [0, 1]. The
        factor falls from 1 in a straight line over the last quarter of `max_iter`.

    image_shape : tuple of (height, width), default=None
        Shape of the images in the rows of `X`. One of the two may be -1, as in
        :func:`numpy.reshape`: it follows from the number of features. None for square
        images.

    See Also
    --------
    skdigits.DigitMLPClassifier : The classifier that trains on distorted images.

    Notes
    -----
    An image is scaled, sheared, rotated and shifted, in that order, about its centre,
    and all of it is one interpolation. That is bilinear but for what bilinear
    interpolation takes from an image's sharpness, which is estimated from second
    differences and put back: networks that are trained on blurred images err more
    often on sharp ones. What comes in from outside is 0, and no pixel leaves the range
    of the image and 0.

    Affine and elastic distortions of digits are from [1]_, the sum of few smooth waves
    in place of smoothed noise is ours: it has 99.9 % of the variance on each axis, and
    is scaled to have all of it.

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
    >>> distortion = RandomDistortion(translation=0.5, elastic_sigma=2, elastic_std=0.3)
    >>> clf = DigitMLPClassifier(augment=distortion, max_iter=20, random_state=0)
    >>> clf.fit(X, y).score(X, y) > 0.9
    True
    """

    __module__ = "skdigits.augmentation"

    _parameter_constraints = {
        "rotation": [Interval(Real, 0, 180, closed="both")],
        "shear": [Interval(Real, 0, 10, closed="both")],
        "scale": [Interval(Real, 0, 1, closed="left")],
        "translation": [Interval(Real, 0, 1000, closed="both")],
        "elastic_sigma": [Interval(Real, 0.5, 1000, closed="both")],
        "elastic_std": [Interval(Real, 0, 1000, closed="both")],
        "final_strength": [Interval(Real, 0, 1, closed="both")],
        "image_shape": ["array-like", None],
    }

    def __init__(
        self,
        rotation=12.0,
        shear=0.2,
        scale=0.15,
        translation=1.0,
        elastic_sigma=5.0,
        elastic_std=1.1,
        final_strength=0.4,
        image_shape=None,
    ):
        self.rotation = rotation
        self.shear = shear
        self.scale = scale
        self.translation = translation
        self.elastic_sigma = elastic_sigma
        self.elastic_std = elastic_std
        self.final_strength = final_strength
        self.image_shape = image_shape

    def sample(self, X, n=1, random_state=None):
        """Distorted images, as training at full strength would see them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Images, a row each.

        n : int, default=1
            How many to make of each image.

        random_state : int, RandomState instance or None, default=None
            Where the random numbers come from. An int gives the same images again.

        Returns
        -------
        ndarray of shape (n_samples * n, n_features)
            The `n` forms of the first image, then those of the second, and so on; in
            float64 for `X` of float64, else float32.

        Raises
        ------
        ValueError
            If a parameter or `X` is not as described, or the rows of `X` are no
            images of `image_shape`.

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
