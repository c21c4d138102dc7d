"""deskew: images whose slant is removed."""

import numpy as np
import pytest

from skdigits.augmentation import RandomDistortion, deskew

SIDE = 29
Y, X = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2


def slants(images):
    images = images.reshape(-1, SIDE, SIDE)
    mass = images.sum(axis=(1, 2))
    y, x = ((images * a).sum(axis=(1, 2)) / mass for a in (Y, X))
    dy, dx = Y - y[:, None, None], X - x[:, None, None]
    return (images * dy * dx).sum(axis=(1, 2)) / (images * dy**2).sum(axis=(1, 2))


@pytest.fixture
def slanted():
    """Copies of a smooth stroke, sheared by up to 0.5 and shifted."""
    stroke = np.exp(-((Y / 5) ** 2 + (X / 2) ** 2) / 2).reshape(1, -1)
    off = {"rotation": 0, "scale": 0, "elastic_std": 0}
    return RandomDistortion(shear=0.5, translation=2, **off).sample(stroke, 50, 0)


def test_deskew_removes_the_slant(slanted):
    assert np.abs(slants(slanted)).max() > 0.4
    upright = deskew(slanted)
    assert upright.dtype == np.float64
    np.testing.assert_allclose(slants(upright), 0, atol=0.02)
    np.testing.assert_allclose(deskew(upright), upright, atol=0.02)


def test_deskew_of_uint8_and_float32(slanted):
    upright = 255 * deskew(slanted)
    pixels = (255 * slanted).round().astype(np.uint8)
    assert deskew(pixels).dtype == np.uint8
    np.testing.assert_allclose(deskew(pixels), upright, atol=4)
    assert deskew(pixels.astype(np.float32)).dtype == np.float32


def test_deskew_leaves_blank_images_and_horizontal_strokes():
    images = np.zeros((2, SIDE, SIDE))
    images[1, 10] = 1
    np.testing.assert_allclose(
        deskew(images.reshape(2, -1)).reshape(2, SIDE, SIDE), images
    )


def test_deskew_image_shape():
    with pytest.raises(ValueError, match="image_shape"):
        deskew(np.zeros((1, 12)))
    assert deskew(np.zeros((1, 12)), image_shape=(3, -1)).shape == (1, 12)
