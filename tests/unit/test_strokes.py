"""Labels of strokes, split digits that touch, and merged parts of digits."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from skdigits.images._boxes import lengths, touches_border
from skdigits.images._connected_components import (
    label_strokes,
    merge_parts,
    split_touching,
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


def same_partition(labels, others):
    """Whether two arrays of labels separate the same pixels."""
    pairs = set(zip(labels.ravel().tolist(), others.ravel().tolist(), strict=True))
    one, other = zip(*pairs, strict=True)
    return len(set(one)) == len(set(other)) == len(pairs)


@given(masks)
def test_labels_of_even_ink_equal_those_of_scipy_without_dust(mask):
    # With any width of edges, which are widest where ink lies close together.
    labels, strengths = label_strokes(mask.astype("f4"), mask, pixel=np.inf)
    expected, _ = ndimage.label(mask, np.ones((3, 3)))
    for label, box in enumerate(ndimage.find_objects(expected), start=1):
        if max(lengths(box)) < 3:
            expected[expected == label] = 0
    assert same_partition(labels, expected)
    assert set(strengths) == set(np.unique(labels)) - {0}
    assert all(strength == 1 for strength in strengths.values())


def test_faint_ink_beside_a_stroke_is_not_part_of_it():
    ink = np.zeros((40, 40), np.float32)
    ink[10:30, 18:22] = 0.8
    ink[10:30, 22:24] = 0.3
    labels, strengths = label_strokes(ink, ink > 0)
    assert [*strengths.values()] == [np.float32(0.8)]
    np.testing.assert_array_equal(labels > 0, ink > 0.5)


def test_shadows_with_soft_edges_are_not_strokes():
    columns = np.arange(80, dtype=np.float32)
    ink = np.tile(np.exp(-((columns - 40) ** 2) / 2 / 15**2), (80, 1)).astype("f4")
    labels, strengths = label_strokes(ink, ink > 0.1)
    assert strengths == {}
    assert not labels.any()


@given(masks, st.floats(3, 30))
def test_splitting_keeps_the_ink(mask, height):
    labels, strengths = label_strokes(mask.astype("f4"), mask, pixel=np.inf)
    before = labels.copy()
    split_touching(labels, strengths, height)
    np.testing.assert_array_equal(labels > 0, before > 0)
    assert set(strengths) == set(np.unique(labels)) - {0}
    # Each piece comes from one component.
    for label in strengths:
        assert len(np.unique(before[labels == label])) == 1


def disc(radius, thickness):
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    distance = np.hypot(y, x)
    return (distance <= radius) & (distance >= radius - thickness)


def label(*strokes):
    """Labels of a page with strokes at given places, and their strengths."""
    mask = np.zeros((60, 100), bool)
    for top, left, stroke in strokes:
        height, width = stroke.shape
        mask[top : top + height, left : left + width] |= stroke
    labels, number = ndimage.label(mask, np.ones((3, 3)))
    return labels, dict.fromkeys(range(1, number + 1), 1.0)


def test_two_rings_that_touch_are_split_and_one_is_not():
    ring = disc(12, 3)
    labels, strengths = label((10, 10, ring), (10, 34, ring))
    assert len(strengths) == 1
    split_touching(labels, strengths, 25)
    assert len(strengths) == 2
    left, right = (boxes[1] for boxes in ndimage.find_objects(labels))
    assert left.stop <= right.start + 2
    labels, strengths = label((10, 10, ring))
    split_touching(labels, strengths, 15)
    assert len(strengths) == 1


def bar(height, width):
    return np.ones((height, width), bool)


@given(masks, st.floats(3, 30))
def test_merging_keeps_each_part_once(mask, height):
    labels, strengths = label_strokes(mask.astype("f4"), mask, pixel=np.inf)
    boxes = ndimage.find_objects(labels)
    digits = merge_parts(labels, strengths, height)
    parts = sorted(part for parts, _ in digits for part in parts)
    assert parts == sorted(
        label for label in strengths if max(lengths(boxes[label - 1])) >= height / 10
    )
    for parts, box in digits:
        inside = np.isin(labels[box], parts)
        assert inside.sum() == np.isin(labels, parts).sum()
        assert inside[[0, -1]].any(axis=1).all()
        assert inside[:, [0, -1]].any(axis=0).all()


def test_a_bar_above_belongs_to_the_digit_and_one_beside_does_not():
    above = label((10, 20, bar(3, 18)), (16, 20, bar(25, 4)))
    assert len(merge_parts(*above, 30)) == 1
    beside = label((10, 20, bar(30, 4)), (10, 28, bar(30, 4)))
    assert len(merge_parts(*beside, 30)) == 2


boxes = st.builds(
    lambda top, left, height, width: (
        slice(top, top + height),
        slice(left, left + width),
    ),
    st.integers(2, 100),
    st.integers(2, 100),
    st.integers(1, 90),
    st.integers(1, 90),
)


@given(st.lists(boxes, max_size=15))
def test_the_typical_height_is_that_of_a_box(boxes):
    height = typical_height(boxes, (200, 200))
    tall = {lengths(box)[0] for box in boxes if lengths(box)[0] >= 0.012 * 200}
    assert height in tall or (height == 0 and len(tall) < 4)


def test_specks_and_frames_are_not_typical():
    digits = [(slice(50, 80), slice(left, left + 20)) for left in range(30, 150, 30)]
    specks = [(slice(5, 10), slice(left, left + 5)) for left in range(10, 190, 10)]
    frame = [(slice(40, 120), slice(20, 190))]
    edge = [(slice(0, 200), slice(0, 12))]
    assert typical_height(digits + specks + frame + edge, (200, 200)) == 30


def test_boxes_within_a_pixel_of_the_border_touch_it():
    shape = (50, 60)
    assert not touches_border((slice(2, 48), slice(2, 58)), shape)
    for box in [(1, 48, 2, 58), (2, 49, 2, 58), (2, 48, 1, 58), (2, 48, 2, 59)]:
        assert touches_border((slice(*box[:2]), slice(*box[2:])), shape)
