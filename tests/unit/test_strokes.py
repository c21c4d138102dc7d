"""Strokes of a page, their chains, and the pieces between cuts."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skdigits.images._boxes import lengths, touches_border
from skdigits.images._pieces import find_cuts, to_pieces
from skdigits.images._strokes import (
    find_strokes,
    median_height,
    to_chains,
    typical_height,
)

# Random ink, sparse to dense.
masks = st.builds(
    lambda height, width, seed, share: (
        np.random.default_rng(seed).random((height, width)) < share
    ),
    st.integers(8, 40),
    st.integers(8, 40),
    st.integers(0, 2**32),
    st.floats(0, 0.7),
)


def rings(gap):
    """Two rings side by side with a gap, or overlapping."""
    ink = np.zeros((60, 120), np.float32)
    rows, columns = np.indices(ink.shape)
    for centre in (35, 35 + 40 + gap):
        distance = np.hypot(rows - 30, columns - centre)
        ink[(distance > 14) & (distance <= 20)] = 1
    return ink


@given(masks)
def test_pieces_keep_the_ink(mask):
    strokes = find_strokes(mask.astype("f4"), mask, pixel=np.inf)
    labels = strokes.labels.copy()
    for chain in to_chains(strokes.boxes):
        height = median_height([strokes.boxes[label] for label in chain])
        pieces = to_pieces(strokes, chain, labels, height)
        for component in {piece.component for piece in pieces}:
            parts = [piece.label for piece in pieces if piece.component == component]
            own = np.isin(labels, parts)
            np.testing.assert_array_equal(own, strokes.labels == component)
        for piece in pieces:
            assert (labels[piece.box] == piece.label).any(axis=(0, 1))


def test_every_component_is_in_one_chain():
    strokes = find_strokes(rings(10), rings(10) > 0)
    assert to_chains(strokes.boxes) == [[1, 2]]


def test_rings_that_touch_are_cut_where_they_touch():
    own = rings(-2)[10:51, 15:94] > 0
    seams = [seam for seam, _ in find_cuts(own, height=41)]
    assert any(np.abs(seam - 39.5).mean() <= 4 for seam in seams)


def test_a_cut_crosses_the_stroke_of_a_ring_twice():
    own = rings(10)[10:51, 15:56] > 0
    for _, crossed in find_cuts(own, height=41):
        assert 1 <= crossed <= 2.5


def test_faint_ink_beside_a_stroke_is_not_part_of_it():
    ink = np.zeros((80, 80), np.float32)
    ink[20:60, 30:36] = 0.9
    ink[20:60, 36:39] = 0.1
    strokes = find_strokes(ink, ink > 0)
    assert [lengths(box) for box in strokes.boxes.values()] == [(40, 6)]


def test_shadows_with_soft_edges_are_not_strokes():
    ink = np.zeros((200, 200), np.float32)
    ink[20:60, 30:36] = 0.9
    rows, columns = np.indices(ink.shape)
    ink += 0.5 * np.exp(-np.hypot(rows - 140, columns - 120) / 25).astype("f4")
    strokes = find_strokes(ink, ink > 0.1)
    assert [box[1].start for box in strokes.boxes.values()] == [30]


def test_specks_and_frames_are_not_typical():
    boxes = [(slice(20, 24), slice(30 * i, 30 * i + 4)) for i in range(1, 9)]
    boxes += [(slice(50, 90), slice(30 * i, 30 * i + 20)) for i in range(1, 7)]
    boxes += [(slice(10, 280), slice(10, 290))]
    assert typical_height(boxes, (300, 300)) == 40
    sides = [(slice(10, 280), slice(left, left + 15)) for left in (10, 275)]
    assert typical_height(boxes[:-1] + sides, (300, 300)) == 40


def test_boxes_within_a_pixel_of_the_border_touch_it():
    assert touches_border((slice(1, 5), slice(5, 6)), (10, 10))
    assert touches_border((slice(2, 5), slice(5, 9)), (10, 10))
    assert not touches_border((slice(2, 5), slice(5, 8)), (10, 10))
