"""Properties of `normalize_digit` for drawn strokes."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skdigits.images import normalize_digit
from skdigits.images._normalize import fit_to_box, place


@st.composite
def drawings(draw):
    """A stroke through a few points with a round pen: ink in [0, 1], paper around."""
    across = st.integers(14, 50)
    points = [(draw(st.integers(14, 24)), draw(across))]
    points += draw(st.lists(st.tuples(across, across), max_size=3))
    points += [(draw(st.integers(40, 50)), draw(across))]
    points = np.array(points)
    pen = draw(st.floats(1.5, 4))
    y, x = np.mgrid[:64, :64]
    nearest = np.full((64, 64), np.inf)
    for start, stop in pairwise(points):
        for share in np.linspace(0, 1, 60):
            at = start + share * (stop - start)
            nearest = np.minimum(nearest, np.hypot(y - at[0], x - at[1]))
    return np.clip(pen + 0.5 - nearest, 0, 1)


@given(drawings())
def test_normalize_digit_is_idempotent(ink):
    once = normalize_digit(1 - ink)
    assert (once.shape, once.dtype, once.max()) == ((28, 28), np.uint8, 255)
    np.testing.assert_array_equal(normalize_digit(once), once)
    np.testing.assert_array_equal(normalize_digit(255 - once), once)
    rows, columns = np.nonzero(once)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20


@given(drawings(), st.integers(0, 12), st.integers(0, 12))
def test_translation(ink, down, right):
    moved = np.pad(ink, ((down, 0), (right, 0)))
    np.testing.assert_array_equal(normalize_digit(1 - moved), normalize_digit(1 - ink))


@given(drawings())
def test_inversion(ink):
    # uint8 is inverted exactly, but its float32 are rounded: a pixel halfway between
    # two levels may become either.
    pixels = np.rint(255 * ink).astype(np.uint8)
    np.testing.assert_allclose(
        normalize_digit(pixels).astype(int), normalize_digit(255 - pixels), atol=1
    )


@given(drawings(), st.integers(4, 40))
def test_fit_to_box(ink, box_size):
    digit = fit_to_box(ink.astype(np.float32), box_size)
    assert max(digit.shape) == box_size
    assert 0 <= digit.min() <= digit.max() == 1


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32))
def test_place_centres_the_mass(height, width, seed):
    digit = np.random.default_rng(seed).random((height, width), dtype=np.float32)
    digit[0, 0] = 1
    placed = place(digit, 28)
    inside = np.rint(255 * digit).astype(np.uint8)
    # The digit is complete, and the rest is paper.
    assert placed.sum() == inside.sum(dtype=int)
    for axis, length in enumerate((height, width)):
        mass = placed.sum(axis=1 - axis, dtype=float)
        centre = mass @ np.arange(28) / mass.sum()
        start = np.flatnonzero(mass)[0]
        assert abs(centre - 14) <= 0.5 + 1e-9 or start in (0, 28 - length)
