"""`resize` and `shrink`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdigits.images._resampling import resize, shrink

sides = st.integers(1, 40)
images = st.builds(
    lambda height, width, seed: np.random.default_rng(seed).random(
        (height, width), dtype=np.float32
    ),
    sides,
    sides,
    st.integers(0, 2**32),
)


@given(images, sides, sides)
def test_result_has_the_shape_and_the_range_of_the_image(image, height, width):
    result = resize(image, (height, width))
    assert result.shape == (height, width)
    assert result.dtype == np.float32
    assert result.min() >= image.min() - 1e-5
    assert result.max() <= image.max() + 1e-5


@given(st.tuples(sides, sides), st.tuples(sides, sides), st.floats(0, 1, width=32))
def test_an_even_image_stays_even(shape, new, value):
    result = resize(np.full(shape, value, np.float32), new)
    np.testing.assert_allclose(result, value, atol=1e-6)


@given(images)
def test_the_same_size_is_the_same_image(image):
    assert resize(image, image.shape) is image


@given(images, st.data())
def test_shrinking_keeps_the_mean(image, data):
    # From a fourth on, whole blocks of pixels are averaged first; see the next test.
    new = tuple(
        data.draw(st.integers(-(-side // 7) if side > 7 else 1, side))
        for side in image.shape
    )
    assert resize(image, new).mean() == pytest.approx(image.mean(), abs=1e-5)


@pytest.mark.parametrize("factor", [1, 2, 3, 7, 8, 20])
@pytest.mark.parametrize("new", [(1, 1), (3, 5)])
def test_shrinking_by_a_whole_factor_averages_blocks(new, factor):
    shape = new[0] * factor, new[1] * factor
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    blocks = image.reshape(new[0], factor, new[1], factor).mean(axis=(1, 3))
    np.testing.assert_allclose(resize(image, new), blocks, atol=1e-5)


def test_enlarging_is_linear_between_the_centres_of_pixels():
    np.testing.assert_allclose(
        resize(np.array([[0.0, 1.0]], np.float32), (1, 4)), [[0, 0.25, 0.75, 1]]
    )


@given(images, sides, sides)
def test_turned_images_give_turned_results(image, height, width):
    np.testing.assert_allclose(
        resize(np.ascontiguousarray(image.T), (width, height)).T,
        resize(image, (height, width)),
        atol=1e-5,
    )


@given(images, st.integers(1, 60))
def test_shrink_keeps_the_aspect_ratio_and_never_enlarges(image, longest):
    result = shrink(image, longest)
    if max(image.shape) <= longest:
        assert result is image
        return
    assert max(result.shape) == longest
    scale = longest / max(image.shape)
    for side, new in zip(image.shape, result.shape, strict=True):
        assert abs(new - side * scale) <= 0.5 or new == 1
