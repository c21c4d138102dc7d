"""Projective maps between quadrilaterals, and images sampled along them."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skdigits.images._boxes import FloatImage

# Points of shape (..., 2): row and column in pixels.
Points = NDArray[np.float64]


def homography(source: Points, target: Points) -> NDArray[np.float64]:
    """Matrix of the projective map from four or more points to others.

    No three points of either are on a line.
    """
    rows = []
    for (y, x), (v, u) in zip(source, target, strict=True):
        rows.append([y, x, 1, 0, 0, 0, -v * y, -v * x])
        rows.append([0, 0, 0, y, x, 1, -u * y, -u * x])
    values = np.linalg.lstsq(np.array(rows), target.ravel(), rcond=None)[0]
    return np.append(values, 1).reshape(3, 3)


def project(matrix: NDArray[np.float64], points: Points) -> Points:
    """Map points by a homography."""
    y, x = points[..., 0], points[..., 1]
    a, b, c = (row[0] * y + row[1] * x + row[2] for row in matrix)
    return np.stack([a / c, b / c], axis=-1)


def sample(image: FloatImage, points: Points) -> FloatImage:
    """Values of an image at points, linearly interpolated; its border is repeated."""
    coordinates = np.moveaxis(points, -1, 0)
    values: FloatImage = ndimage.map_coordinates(
        image, coordinates, order=1, mode="nearest"
    )
    return values
