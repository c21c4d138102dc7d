"""Ruled and grid lines, separated from strokes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from skdigits.images._line_pixels import run_lengths
from skdigits.images._ruling import find_lines

HEIGHT, WIDTH = 120, 160


@st.composite
def rulings(draw):
    """Lines on a page: first row, distance, thickness, darkness, and fall in pixels."""
    return (
        draw(st.integers(10, 20)),
        draw(st.integers(20, 30)),
        draw(st.integers(1, 3)),
        draw(st.sampled_from([0.2, 0.3, 0.4])),
        draw(st.integers(-3, 3)),
    )


def draw_lines(first, distance, thickness, darkness, fall):
    ink = np.zeros((HEIGHT, WIDTH), np.float32)
    columns = np.arange(WIDTH)
    for row in range(first, HEIGHT - 10, distance):
        for below in range(thickness):
            ink[row + below + np.rint(fall * columns / WIDTH).astype(int), columns] = (
                darkness
            )
    return ink


@given(rulings())
def test_ruled_lines_are_found(ruling):
    ink = draw_lines(*ruling)
    found = find_lines(ink, ink > 0)
    np.testing.assert_array_equal(found, ink > 0)


@given(rulings(), st.integers(30, 120))
def test_strokes_across_lines_are_kept(ruling, column):
    ink = draw_lines(*ruling)
    stroke = np.zeros(ink.shape, bool)
    stroke[25:75, column : column + 5] = True
    ink[stroke] = 0.9
    found = find_lines(ink, ink > 0)
    assert found[stroke].mean() < 0.1
    assert found[(ink > 0) & ~stroke].mean() > 0.7


@pytest.mark.parametrize("fall", [0, 2])
def test_grid_lines_are_found_in_either_orientation(fall):
    ink = draw_lines(10, 24, 1, 0.3, fall)
    upright = draw_lines(12, 24, 1, 0.3, fall)[:, :HEIGHT].T
    ink[:, :HEIGHT] = np.maximum(ink[:, :HEIGHT], upright)
    lines = ink > 0
    ink[30:60, 45:50] = 0.9  # a stroke
    found = find_lines(ink, ink > 0)
    assert found[lines & (ink < 0.9)].mean() > 0.9
    assert found[30:60, 45:50].mean() < 0.1
    turned = np.ascontiguousarray(ink.T)
    np.testing.assert_array_equal(find_lines(turned, turned > 0).T, found)


@pytest.mark.parametrize("angle", [-3, 0, 3])
def test_sides_of_boxes_on_a_sloping_strip_are_found(angle):
    strip = np.zeros((96, 600), np.float32)
    lefts = 12 + 80 * np.arange(8)
    strip[5:90, np.append(lefts, lefts + 1)] = strip[[5, 6, 88, 89], 12:574] = 0.8
    ink = np.clip(ndimage.rotate(strip, angle, order=1), 0, 1)
    found = find_lines(ink, ink > 0.1)
    assert found[ink > 0.4].all()


@pytest.mark.parametrize("n_pixels", [0, 1, 200])
def test_specks_are_not_lines(n_pixels):
    ink = np.zeros((HEIGHT, WIDTH), np.float32)
    rng = np.random.default_rng(0)
    ink.flat[rng.choice(ink.size, n_pixels, replace=False)] = 0.5
    assert not find_lines(ink, ink > 0).any()


def test_the_stroke_of_a_large_digit_is_not_a_line():
    ink = np.zeros((HEIGHT, WIDTH), np.float32)
    ink[60:62, 50:110] = 0.9
    assert not find_lines(ink, ink > 0).any()


@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 12))
def test_run_lengths(seed, height, width):
    mask = np.random.default_rng(seed).random((height, width)) < 0.6
    expected = np.zeros(mask.shape, int)
    for row, column in np.argwhere(mask):
        above = below = row
        while above > 0 and mask[above - 1, column]:
            above -= 1
        while below < height - 1 and mask[below + 1, column]:
            below += 1
        expected[row, column] = below - above + 1
    np.testing.assert_array_equal(run_lengths(mask), expected)
