"""Distortions: from random coefficients to moved pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdigits.augmentation._random_distortion import RandomDistortion
from skdigits.augmentation._warp import Distortion, distort, terms_of

shapes = st.tuples(st.integers(2, 12), st.integers(2, 12))


def make_images(shape, seed=0, n_images=3):
    rng = np.random.default_rng(seed)
    return rng.random((n_images, shape[0] * shape[1]))


def make_distortion(shape, **strengths):
    none = dict.fromkeys(
        ["rotation", "shear", "scale", "translation", "elastic_std"], 0.0
    )
    params = RandomDistortion(**(none | strengths), image_shape=shape)
    return Distortion(params, shape[0] * shape[1], np.float64)


@given(shapes, st.sampled_from([None, 1.0, 4.0]), st.integers(0, 2**32))
def test_no_displacement_leaves_images_as_they_are(shape, sigma, seed):
    terms = terms_of(shape, sigma, "float64")
    X = make_images(shape, seed)
    still = np.zeros((len(X), 2, len(terms)))
    np.testing.assert_allclose(distort(np, X, still, terms, shape), X, atol=1e-12)


@given(shapes, st.integers(0, 2**32))
def test_strength_zero_draws_no_displacement(shape, seed):
    distortion = Distortion(RandomDistortion(image_shape=shape), np.prod(shape), "f8")
    drawn = distortion.coefficients(4, np.random.default_rng(seed), strength=0.0)
    np.testing.assert_allclose(drawn, 0, atol=1e-15)


@given(shapes, st.integers(-3, 3), st.integers(-3, 3), st.integers(0, 2**32))
def test_whole_pixels_are_moved_as_they_are(shape, down, right, seed):
    terms = terms_of(shape, None, "float64")
    X = make_images(shape, seed)
    coefficients = np.zeros((1, 2, 3))
    coefficients[0, :, 2] = -down, -right
    moved = distort(np, X, coefficients, terms, shape).reshape(-1, *shape)
    expected = np.zeros((len(X), *shape))
    height, width = shape
    for y in range(height):
        for x in range(width):
            if 0 <= y - down < height and 0 <= x - right < width:
                expected[:, y, x] = X.reshape(-1, *shape)[:, y - down, x - right]
    np.testing.assert_allclose(moved, expected, atol=1e-12)


@given(shapes, st.integers(0, 2**32), st.floats(0, 100))
def test_no_pixel_leaves_the_range_of_its_image_and_0(shape, seed, size):
    terms = terms_of(shape, 2.0, "float64")
    rng = np.random.default_rng(seed)
    X = make_images(shape, seed) - 0.3
    coefficients = size * rng.normal(size=(len(X), 2, len(terms)))
    result = distort(np, X, coefficients, terms, shape)
    assert (result.min(axis=1) >= np.minimum(X.min(axis=1), 0)).all()
    assert (result.max(axis=1) <= np.maximum(X.max(axis=1), 0)).all()


@given(st.tuples(st.integers(4, 20), st.integers(4, 20)), st.floats(0.5, 8))
def test_elastic_fields_have_a_variance_of_1_and_the_correlation_described(
    shape, sigma
):
    terms = terms_of(shape, sigma, "float64")[:-3]
    covariance = terms.T @ terms  # of the sum with independent normal coefficients
    np.testing.assert_allclose(np.diag(covariance), 1)
    y, x = np.mgrid[: shape[0], : shape[1]].reshape(2, -1)
    squared = np.subtract.outer(y, y) ** 2 + np.subtract.outer(x, x) ** 2
    np.testing.assert_allclose(covariance, np.exp(-squared / 4 / sigma**2), atol=0.03)


def test_elastic_coefficients_are_normal():
    distortion = make_distortion((10, 10), elastic_std=0.7, elastic_sigma=3.0)
    drawn = distortion.coefficients(4000, np.random.default_rng(0), strength=0.5)
    elastic, affine = drawn[..., :-3], drawn[..., -3:]
    n = elastic.size
    assert elastic.mean() == pytest.approx(0, abs=5 * 0.35 / np.sqrt(n))
    assert elastic.std() == pytest.approx(0.35, rel=5 / np.sqrt(n))
    kurtosis = np.mean((elastic / elastic.std()) ** 4)
    assert kurtosis == pytest.approx(3, abs=5 * np.sqrt(96 / n))
    assert abs(np.corrcoef(elastic[:, 0].ravel(), elastic[:, 1].ravel())[0, 1]) < 0.05
    np.testing.assert_array_equal(affine, 0)


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_shifts_are_uniform(strength):
    distortion = make_distortion((8, 8), translation=2.0)
    rng = np.random.default_rng(0)
    drawn = distortion.coefficients(4000, rng, strength)[..., -1]
    assert np.abs(drawn).max() <= 2 * strength
    assert drawn.mean() == pytest.approx(0, abs=0.1 * strength)
    # The variance of a uniform distribution.
    assert drawn.var() == pytest.approx((2 * strength) ** 2 / 3, rel=0.1)


@given(st.integers(0, 2**32))
def test_rotations_keep_lengths(seed):
    distortion = make_distortion((9, 9), rotation=180.0)
    drawn = distortion.coefficients(5, np.random.default_rng(seed))
    turned = drawn[..., -3:-1] + np.eye(2)
    np.testing.assert_allclose(
        turned @ turned.swapaxes(1, 2),
        np.broadcast_to(np.eye(2), (5, 2, 2)),
        atol=1e-12,
    )


def test_scales_are_those_asked_for():
    distortion = make_distortion((9, 9), scale=0.4)
    drawn = distortion.coefficients(500, np.random.default_rng(0))
    factors = 1 / (drawn[:, [0, 1], [-3, -2]] + 1)
    assert 0.6 <= factors.min() < 0.65
    assert 1.35 < factors.max() <= 1.4
