"""Packing networks of different widths into blocks of one shape."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skdigits._together.packing import _cost, pack


@st.composite
def networks(draw):
    """Networks of one depth in consecutive row_groups, as (row_group, layer sizes)."""
    n_layers = draw(st.integers(1, 3))
    sizes = st.tuples(*[st.integers(1, 200)] * n_layers)
    in_streams = draw(st.lists(st.lists(sizes, min_size=1, max_size=8), min_size=1))
    listed = [
        (n, sizes) for n, row_group in enumerate(in_streams) for sizes in row_group
    ]
    return draw(st.permutations(listed))


n_features = st.integers(1, 1000)
n_outputs = st.integers(1, 12)


def assert_fits(packing, networks):
    """Hold that each network has units of its own, inside the shape of the blocks."""
    used = np.zeros(
        (packing.n_row_groups, packing.n_blocks, len(packing.widths)), object
    )
    used.fill(frozenset())
    numbers = set()
    for slot, (_, sizes) in zip(packing.slots, networks, strict=True):
        assert slot.row_group in range(packing.n_row_groups)
        assert slot.block in range(packing.n_blocks)
        assert slot.number in range(packing.n_networks)
        assert slot.index not in numbers
        numbers.add(slot.index)
        for layer, (start, size) in enumerate(zip(slot.offsets, sizes, strict=True)):
            units = frozenset(range(start, start + size))
            assert units <= set(range(packing.widths[layer]))
            assert not units & used[slot.block_index][layer]
            used[slot.block_index][layer] |= units


@given(networks(), n_features, n_outputs)
def test_every_network_has_a_place_of_its_own(networks, n_features, n_outputs):
    packing = pack(networks, n_features, n_outputs)
    assert [slot.row_group for slot in packing.slots] == [n for n, _ in networks]
    assert_fits(packing, networks)


@given(networks(), n_features, n_outputs)
def test_never_costs_more_than_padding_to_the_widest(networks, n_features, n_outputs):
    packing = pack(networks, n_features, n_outputs)
    cost = packing.n_blocks * _cost(
        packing.widths, packing.n_networks, n_features, n_outputs
    )
    widest = np.max([sizes for _, sizes in networks], axis=0)
    widest = -(-widest // 16) * 16
    row_groups = [row_group for row_group, _ in networks]
    n_blocks = max(row_groups.count(row_group) for row_group in row_groups)
    assert cost <= n_blocks * _cost(widest, 1, n_features, n_outputs)


def test_two_narrow_networks_share_a_block_of_the_widest_size():
    packing = pack([(0, (48, 48)), (0, (96, 96)), (0, (48, 48))], 64, 10)
    assert (packing.n_blocks, packing.widths) == (2, (96, 96))
    narrow, wide, other = packing.slots
    assert narrow.block == other.block != wide.block
    assert {narrow.offsets, other.offsets} == {(0, 0), (48, 48)}


def test_blocks_of_about_the_same_width_have_one_shape():
    shapes = [pack([(0, (first, 20))], 64, 10).widths for first in (33, 40, 48)]
    assert shapes == [(48, 32)] * 3


@given(networks(), st.data())
def test_parts_keep_networks_where_they_are_in_their_block(networks, data):
    packing = pack(networks, 64, 10)
    shape = tuple(
        data.draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
        for size in (packing.n_row_groups, packing.n_blocks)
    )
    tiles = {}
    for number, slot in enumerate(packing.slots):
        tile = slot.row_group // shape[0], slot.block // shape[1]
        tiles.setdefault(tile, []).append(number)
    for numbers in tiles.values():
        part = packing.part(shape, numbers)
        assert (part.n_row_groups, part.n_blocks) == shape
        assert_fits(part, [networks[number] for number in numbers])
        for number, slot in zip(numbers, part.slots, strict=True):
            whole = packing.slots[number]
            assert (slot.number, slot.offsets) == (whole.number, whole.offsets)
