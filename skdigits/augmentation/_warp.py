"""Distorting images: random coefficients in, moved pixels out.

Every pixel of a distorted image comes from one place of the image it is made of. How
far that is away is a sum of a few fixed fields (the terms): smooth random waves for
the elastic part, and y, x and 1 for the affine part. So one matrix product with each
image's coefficients gives all places, and one interpolation all pixels.
"""

from contextlib import suppress
from functools import lru_cache
from math import isqrt

import numpy as np

# Share of an elastic field's variance that its waves hold, on each axis.
_SHARE_OF_VARIANCE = 0.999


class Distortion:
    """How images of one shape are distorted.

    Parameters
    ----------
    strengths : RandomDistortion
        Only read.
    n_features : int
        Pixels of an image.
    dtype : dtype
        Of the coefficients.

    Attributes
    ----------
    image_shape : tuple of int
        (height, width)
    elastic_sigma : float or None
        See `terms_of`.
    dtype : dtype
    terms : ndarray of shape (n_terms, n_features)

    Raises
    ------
    ValueError
        If a parameter is not as described, or rows of that length are no images of
        the `image_shape`.
    """

    def __init__(self, strengths, n_features, dtype):
        strengths._validate_params()
        self._strengths = strengths
        self.image_shape = _check_image_shape(strengths.image_shape, n_features)
        self.dtype = np.dtype(dtype)
        elastic = strengths.elastic_std > 0
        self.elastic_sigma = float(strengths.elastic_sigma) if elastic else None
        self.terms = terms_of(self.image_shape, self.elastic_sigma, self.dtype.name)

    def coefficients(self, n_images, rng, strength=1.0):
        """Random coefficients of some images.

        Parameters
        ----------
        n_images : int
        rng : numpy.random.Generator
        strength : float, default=1.0
            Factor to all of the distortion's strengths.

        Returns
        -------
        coefficients : ndarray of shape (n_images, 2, n_terms)
            Of the displacements along y, then x.

        Raises
        ------
        ValueError
            If images could be of no size.
        """
        of, dtype = self._strengths, self.dtype
        if strength * of.scale >= 1:
            raise ValueError(
                "strength * scale must be below 1, or images would be of no size. Got "
                f"{strength} * {of.scale} instead."
            )
        n_elastic = len(self.terms) - 3
        drawn = np.empty((n_images, 2, len(self.terms)), dtype=dtype)
        angle, shear, scale_y, scale_x, shift_y, shift_x = strength * rng.uniform(
            -1, 1, (6, n_images)
        )
        drawn[..., n_elastic:] = _affine_coefficients(
            np.deg2rad(of.rotation) * angle,
            of.shear * shear,
            1 + of.scale * scale_y,
            1 + of.scale * scale_x,
            of.translation * shift_y,
            of.translation * shift_x,
        )
        if n_elastic:
            waves = rng.standard_normal((n_images, 2, n_elastic), dtype=dtype)
            drawn[..., :n_elastic] = dtype.type(strength * of.elastic_std) * waves
        return drawn


def _check_image_shape(image_shape, n_features):
    """Height and width of images of so many pixels."""
    if image_shape is None:
        side = isqrt(n_features)
        if side * side != n_features:
            raise ValueError(
                "RandomDistortion takes rows of square images unless told otherwise, "
                f"and {n_features} features are not a square number. Pass "
                "image_shape=(height, width)."
            )
        return side, side
    sides = np.asarray(image_shape).tolist()
    if (
        isinstance(sides, list)
        and len(sides) == 2
        and all(isinstance(side, int) and (side > 0 or side == -1) for side in sides)
    ):
        with suppress(ValueError):  # the product is not n_features, or both are -1
            return np.empty(n_features, dtype=bool).reshape(sides).shape
    raise ValueError(
        "image_shape must be (height, width) of the images in X, whose product is the "
        f"number of features, {n_features}; one of the two may be -1. Got "
        f"{image_shape!r} instead."
    )


@lru_cache(maxsize=4)
def terms_of(image_shape, elastic_sigma, dtype):
    """The fields that displacements are sums of.

    The elastic ones, with normal random coefficients, add up to a random field with
    a standard deviation of 1 everywhere and, d pixels apart, a correlation of about
    exp(-d**2 / (4 * elastic_sigma**2)): that of white noise smoothed by a Gaussian of
    that standard deviation, as Simard, Steinkraus and Platt (2003) do.

    Parameters
    ----------
    image_shape : tuple of int
    elastic_sigma : float or None
        None for affine terms only.
    dtype : dtype

    Returns
    -------
    terms : ndarray of shape (n_terms, n_pixels)
        Elastic fields, then y, x and 1.
    """
    height, width = image_shape
    y, x = np.mgrid[:height, :width]
    fields = [y - (height - 1) / 2, x - (width - 1) / 2, np.ones_like(y)]
    if elastic_sigma is not None:
        along_y, along_x = (_waves(length, elastic_sigma) for length in image_shape)
        fields = [
            *np.einsum("ya,xb->abyx", along_y, along_x).reshape(-1, height, width),
            *fields,
        ]
    terms = np.reshape(fields, (-1, height * width)).astype(dtype)
    terms.flags.writeable = False  # several hold it
    return terms


def _waves(length, sigma):
    """Principal components of a smooth random line, as many as matter."""
    distance = np.subtract.outer(np.arange(length), np.arange(length))
    variances, vectors = np.linalg.eigh(np.exp(-((distance / sigma) ** 2) / 4))
    shares = np.cumsum(variances[::-1]) / length
    n_waves = min(int(np.searchsorted(shares, _SHARE_OF_VARIANCE)) + 1, length)
    waves = vectors[:, ::-1][:, :n_waves] * np.sqrt(variances[::-1][:n_waves])
    return waves / np.linalg.norm(waves, axis=1, keepdims=True)


def _affine_coefficients(angle, shear, scale_y, scale_x, shift_y, shift_x):
    """Displacements that scale, shear, rotate and shift images, in that order.

    A pixel of the result is looked up where the inverse of all that takes it.

    Returns
    -------
    coefficients : ndarray of shape (n_images, 2, 3)
        Factors of y, x and 1, for the displacements along y and x.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    yy, yx = cos / scale_y, sin / scale_y
    xy, xx = (shear * cos - sin) / scale_x, (cos + shear * sin) / scale_x
    along_y = yy - 1, yx, -(yy * shift_y + yx * shift_x)
    along_x = xy, xx - 1, -(xy * shift_y + xx * shift_x)
    return np.moveaxis(np.array([along_y, along_x]), 2, 0)


def distort(xp, X, coefficients, terms, image_shape):
    """Distorted images.

    Parameters
    ----------
    xp : module
        `numpy` or `tensorflow`, which the arrays are of.
    X : array of shape (n_images, n_pixels)
        In the dtype of `terms`. What is beyond an image's edge is 0.
    coefficients : array of shape (n_images, 2, n_terms) or (1, 2, n_terms)
    terms : ndarray of shape (n_terms, n_pixels)
    image_shape : tuple of int

    Returns
    -------
    X : array of shape (n_images, n_pixels)
    """
    height, width = image_shape
    n_terms, n_pixels = terms.shape
    moved = xp.reshape(coefficients, (-1, n_terms)) @ terms
    moved = xp.reshape(moved, (-1, 2, n_pixels))
    y, x = np.mgrid[:height, :width].reshape(2, -1).astype(terms.dtype)
    images = xp.reshape(X, (X.shape[0], height, width))
    distorted = _look_up(xp, images, moved[:, 0] + y, moved[:, 1] + x)
    extremes = (
        (X.min(axis=1), X.max(axis=1))
        if xp is np
        else (xp.reduce_min(X, axis=1), xp.reduce_max(X, axis=1))
    )
    lowest, highest = (xp.reshape(extreme, (-1, 1)) for extreme in extremes)
    distorted = xp.maximum(distorted, xp.minimum(lowest, 0))
    return xp.minimum(distorted, xp.maximum(highest, 0))


def _look_up(xp, images, y, x):
    """What images have at places between their pixels, (n_images, n_places).

    Bilinear interpolation, corrected to second order: a straight line between two
    pixels cuts off what bends there, so images would be blurred, and a network trained
    on them would see others than it is to read.
    """
    if xp is np:
        take, to_int = np.take, lambda values: values.astype(np.int32)
    else:
        take, to_int = xp.gather, lambda values: xp.cast(values, xp.int32)
    n_images, height, width = images.shape

    # A border of one pixel of 0 stands for all that is outside.
    padded = xp.pad(images, [[0, 0], [1, 1], [1, 1]])
    wider = xp.pad(padded, [[0, 0], [1, 1], [1, 1]])
    bend_y = wider[:, :-2, 1:-1] + wider[:, 2:, 1:-1] - 2 * padded
    bend_x = wider[:, 1:-1, :-2] + wider[:, 1:-1, 2:] - 2 * padded
    padded, bend_y, bend_x = (xp.reshape(a, (-1,)) for a in (padded, bend_y, bend_x))
    y = xp.minimum(xp.maximum(y + 1, 0), height + 1)
    x = xp.minimum(xp.maximum(x + 1, 0), width + 1)

    row = width + 2
    first = np.arange(n_images, dtype=np.int32)[:, None] * ((height + 2) * row)
    top, left = xp.minimum(xp.floor(y), height), xp.minimum(xp.floor(x), width)
    down, right = y - top, x - left
    corner = first + to_int(top) * row + to_int(left)
    above, below = (
        (1 - right) * take(padded, start) + right * take(padded, start + 1)
        for start in (corner, corner + row)
    )
    nearest = first + to_int(xp.floor(y + 0.5)) * row + to_int(xp.floor(x + 0.5))
    bend = down * (1 - down) * take(bend_y, nearest)
    bend += right * (1 - right) * take(bend_x, nearest)
    return (1 - down) * above + down * below - bend / 2
