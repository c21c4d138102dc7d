"""Distorting images: random coefficients, displacements, interpolation.

A pixel of a distorted image is interpolated at one point of the original. The
displacement of this point is a linear combination of a few fixed fields (the terms):
smooth waves for the elastic part, and y, x and 1 for the affine part. So one matrix
product with the coefficients of each image gives all displacements.
"""

from contextlib import suppress
from functools import lru_cache
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.base import clone

# Fraction of the variance of an elastic field, along each axis, that its waves have.
_VARIANCE_FRACTION = 0.999

# Parameters in pixels for images of 28 pixels, which are scaled to other heights. They
# were chosen on MNIST.
_STRENGTHS_AT_28 = {"translation": 1.0, "elastic_sigma": 5.0, "elastic_std": 1.1}
# `elastic_sigma` is at least this number of pixels.
_MIN_SIGMA = 0.5


class Distortion:
    """Random distortions of images of one shape.

    Parameters
    ----------
    strengths : RandomDistortion
        The parameters, which are not modified.
    n_features : int
        Number of pixels of an image.
    dtype : dtype-like
        Dtype of the coefficients.

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
        If a parameter is invalid, or `image_shape` does not match `n_features`.
    """

    def __init__(self, strengths: Any, n_features: int, dtype: DTypeLike) -> None:
        strengths._validate_params()
        self.image_shape = check_image_shape(strengths.image_shape, n_features)
        scaled = {
            name: at_28 * (self.image_shape[0] / 28)
            for name, at_28 in _STRENGTHS_AT_28.items()
            if getattr(strengths, name) is None
        }
        self._strengths = strengths = clone(strengths).set_params(**scaled)
        self.dtype = np.dtype(dtype)
        elastic = strengths.elastic_std > 0
        sigma = max(float(strengths.elastic_sigma), _MIN_SIGMA)
        self.elastic_sigma = sigma if elastic else None
        self.terms = terms_of(self.image_shape, self.elastic_sigma, self.dtype.name)

    def coefficients(
        self, n_images: int, rng: np.random.Generator, strength: float = 1.0
    ) -> NDArray[Any]:
        """Draw random coefficients.

        Parameters
        ----------
        n_images : int
        rng : numpy.random.Generator
        strength : float, default=1.0
            Factor on all strengths.

        Returns
        -------
        coefficients : ndarray of shape (n_images, 2, n_terms)
            Coefficients of the displacements along y, then x.

        Raises
        ------
        ValueError
            If images could shrink to nothing.
        """
        of, dtype = self._strengths, self.dtype
        if strength * of.scale >= 1:
            raise ValueError(
                "strength * scale must be below 1, or images could shrink to nothing. "
                f"Got {strength} * {of.scale} instead."
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


def check_image_shape(image_shape, n_features):
    """Height and width of images of that many pixels."""
    if image_shape is None:
        side = isqrt(n_features)
        if side * side != n_features:
            raise ValueError(
                "Images must be square if image_shape is None. Got "
                f"{n_features} features, which is not a square number. Pass "
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
        "image_shape must be the (height, width) of the images in X, with a product "
        f"of {n_features}, the number of features; one of the two may be -1. Got "
        f"{image_shape!r} instead."
    )


@lru_cache(maxsize=4)
def terms_of(
    image_shape: tuple[int, int], elastic_sigma: float | None, dtype: DTypeLike
) -> NDArray[Any]:
    """The fields of which displacements are linear combinations.

    With standard normal coefficients, the sum of the elastic ones is a random field of
    standard deviation 1 whose correlation at a distance of d pixels is about
    exp(-d**2 / (4 * elastic_sigma**2)). This is white noise smoothed by a Gaussian of
    that standard deviation, as in Simard, Steinkraus and Platt (2003).

    Parameters
    ----------
    image_shape : tuple of int
    elastic_sigma : float or None
        None for affine terms only.
    dtype : dtype-like

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
    terms.flags.writeable = False  # the cache returns it to several callers
    return terms


def _waves(length, sigma):
    """Principal components of a smooth random line, scaled to its full variance."""
    distance = np.subtract.outer(np.arange(length), np.arange(length))
    variances, vectors = np.linalg.eigh(np.exp(-((distance / sigma) ** 2) / 4))
    fractions = np.cumsum(variances[::-1]) / length
    n_waves = min(int(np.searchsorted(fractions, _VARIANCE_FRACTION)) + 1, length)
    waves = vectors[:, ::-1][:, :n_waves] * np.sqrt(variances[::-1][:n_waves])
    return waves / np.linalg.norm(waves, axis=1, keepdims=True)


def _affine_coefficients(angle, shear, scale_y, scale_x, shift_y, shift_x):
    """Coefficients that scale, shear, rotate and shift images, in this order.

    They are those of the inverse, which maps a pixel of the result to the original.

    Returns
    -------
    coefficients : ndarray of shape (n_images, 2, 3)
        Coefficients of y, x and 1, of the displacements along y and x.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    yy, yx = cos / scale_y, sin / scale_y
    xy, xx = (shear * cos - sin) / scale_x, (cos + shear * sin) / scale_x
    along_y = yy - 1, yx, -(yy * shift_y + yx * shift_x)
    along_x = xy, xx - 1, -(xy * shift_y + xx * shift_x)
    return np.moveaxis(np.array([along_y, along_x]), 2, 0)


def distort(
    xp: Any,
    X: Any,
    coefficients: Any,
    terms: NDArray[Any],
    image_shape: tuple[int, int],
) -> Any:
    """Distort images.

    Parameters
    ----------
    xp : module
        The module of the arrays, `numpy` or `tensorflow`.
    X : array of shape (n_images, n_pixels)
        Images in the dtype of `terms`. Pixels outside of an image are 0.
    coefficients : array of shape (n_images, 2, n_terms)
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
    distorted = _interpolate(xp, images, moved[:, 0] + y, moved[:, 1] + x)
    extremes = (
        (X.min(axis=1), X.max(axis=1))
        if xp is np
        else (xp.reduce_min(X, axis=1), xp.reduce_max(X, axis=1))
    )
    lowest, highest = (xp.reshape(extreme, (-1, 1)) for extreme in extremes)
    distorted = xp.maximum(distorted, xp.minimum(lowest, 0))
    return xp.minimum(distorted, xp.maximum(highest, 0))


def _interpolate(xp, images, y, x):
    """Interpolate images at the points (y, x), to shape (n_images, n_points).

    The interpolation is bilinear with a correction of second order: bilinear
    interpolation alone ignores curvature, which blurs the images, and a network trained
    on blurred images is less accurate on sharp ones.
    """
    if xp is np:
        take, to_int = np.take, lambda values: values.astype(np.int32)
    else:
        take, to_int = xp.gather, lambda values: xp.cast(values, xp.int32)
    n_images, height, width = images.shape

    # A border of one pixel of 0 represents everything outside of the image.
    padded = xp.pad(images, [[0, 0], [1, 1], [1, 1]])
    wider = xp.pad(padded, [[0, 0], [1, 1], [1, 1]])
    curvature_y = wider[:, :-2, 1:-1] + wider[:, 2:, 1:-1] - 2 * padded
    curvature_x = wider[:, 1:-1, :-2] + wider[:, 1:-1, 2:] - 2 * padded
    padded, curvature_y, curvature_x = (
        xp.reshape(a, (-1,)) for a in (padded, curvature_y, curvature_x)
    )
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
    curvature = down * (1 - down) * take(curvature_y, nearest)
    curvature += right * (1 - right) * take(curvature_x, nearest)
    return (1 - down) * above + down * below - curvature / 2
