"""`to_rows`: rows from top to bottom, boxes from left to right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skdigits.images._reading_order import to_numbers, to_rows


def make_box(top, left, height=30, width=20):
    return slice(top, top + height), slice(left, left + width)


any_box = st.builds(
    make_box,
    st.integers(0, 500),
    st.integers(0, 500),
    st.integers(1, 100),
    st.integers(1, 100),
)


def test_no_boxes_have_no_rows():
    assert to_rows([]) == []


@given(st.lists(any_box, min_size=1, max_size=20))
def test_every_box_is_in_one_row_from_left_to_right(boxes):
    rows = to_rows(boxes)
    assert all(rows)
    assert sorted(index for row in rows for index in row) == list(range(len(boxes)))
    for row in rows:
        centres = [boxes[index][1].start + boxes[index][1].stop for index in row]
        assert centres == sorted(centres)


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.floats(-0.15, 0.15),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_lines_of_writing_are_rows(lengths, slope, shaking, random):
    expected, boxes = [], []
    for line, length in enumerate(lengths):
        expected.append([*range(len(boxes), len(boxes) + length)])
        for column in range(length):
            shake = random.randint(-shaking, shaking)
            top = 100 + 70 * line + round(slope * 35 * column) + shake
            boxes.append(make_box(top, 10 + 35 * column))
    if max(lengths) == 1:
        slope = 0.0  # cannot be known
    order = list(range(len(boxes)))
    random.shuffle(order)
    rows = to_rows([boxes[index] for index in order])
    assert [[order[index] for index in row] for row in rows] == expected


@given(st.lists(any_box, min_size=1, max_size=8), st.integers(0, 300))
def test_translation(boxes, margin):
    moved = [
        make_box(y.start + margin, x.start + margin, y.stop - y.start, x.stop - x.start)
        for y, x in boxes
    ]
    assert [sorted(row) for row in to_rows(moved)] == [
        sorted(row) for row in to_rows(boxes)
    ] or np.ptp([x.start for _, x in boxes]) == 0


@pytest.mark.parametrize(
    ("gaps", "lengths"),
    [
        ([4, 5, 30, 6, 30, 4], [3, 2, 2]),
        ([30, 28, 33, 30, 26], [6]),  # evenly spaced, in wide steps
        ([6, 12, 18, 21, 5, 15], [7]),  # uneven writing
        ([30], [2]),
        ([70, 4], [1, 2]),
    ],
)
def test_wide_gaps_separate_numbers(gaps, lengths):
    lefts = np.cumsum([0, *(20 + gap for gap in gaps)])
    numbers = to_numbers([[make_box(0, left) for left in lefts]])
    assert [len(span) for span, _ in numbers] == lengths
