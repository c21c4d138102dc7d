"""Packing of networks of different widths into blocks of one shape.

A compiled program has fixed shapes, so networks that share it are padded to a common
shape. Padding each network to the widest would waste most of the work if widths differ.
Instead, several narrow networks share a block of about the size of the widest network.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from skdigits._training.trainer_state import Slot

# Fixed cost of a block, in multiples of the cost of one weight.
_BLOCK = 3000
# Widths of blocks are multiples of a vector of float32 (AVX-512): a partly filled
# vector takes as long as a full one, and searches over many widths share programs.
_VECTOR = 16


@dataclass(frozen=True)
class Packing:
    """An arrangement of networks.

    Parameters
    ----------
    n_row_groups, n_blocks, n_networks : int
        Number of row groups, of blocks in each, and maximum number of networks in a
        block.
    widths : tuple of int
        Units of each hidden layer of a block, multiples of 16.
    slots : tuple of Slot
        One per network.
    """

    n_row_groups: int
    n_blocks: int
    n_networks: int
    widths: tuple[int, ...]
    slots: tuple[Slot, ...]

    @property
    def shape(self):
        """All but the slots, which a program depends on."""
        return self.n_row_groups, self.n_blocks, self.n_networks, self.widths

    def part(self, shape, networks):
        """Part of the packing with some networks, if it is divided into equal parts.

        Parameters
        ----------
        shape : (n_row_groups, n_blocks)
        networks : list of int
        """
        n_row_groups, n_blocks = shape
        slots = [self.slots[network] for network in networks]
        cut = tuple(
            replace(p, row_group=p.row_group % n_row_groups, block=p.block % n_blocks)
            for p in slots
        )
        return Packing(n_row_groups, n_blocks, self.n_networks, self.widths, cut)


def pack(row_groups, n_features, n_outputs):
    """Pack networks into blocks of one shape at minimum cost.

    Parameters
    ----------
    row_groups : list of (int, tuple of int)
        Row group, counted from 0, and hidden layer sizes of each network.
    n_features, n_outputs : int
        Number of inputs and outputs of every network.

    Returns
    -------
    packing : Packing
    """
    of_row_group = {}
    for number, (row_group, sizes) in enumerate(row_groups):
        of_row_group.setdefault(row_group, []).append((sizes, number))
    most = max(map(len, of_row_group.values()))
    candidates = []
    for n_blocks in sorted({-(-most // n) for n in range(1, most + 1)}):
        filled = {
            row_group: _best_fit_decreasing(
                tuple(sizes for sizes, _ in networks), n_blocks, n_features, n_outputs
            )
            for row_group, networks in of_row_group.items()
        }
        widths = np.max([width for width, _, _ in filled.values()], axis=0)
        widths = tuple(-(-widths // _VECTOR) * _VECTOR)
        n_networks = max(n for _, n, _ in filled.values())
        cost = n_blocks * _cost(widths, n_networks, n_features, n_outputs)
        candidates.append((cost, n_blocks, n_networks, widths, filled))
    _, n_blocks, n_networks, widths, filled = min(candidates, key=lambda c: c[:2])
    slots = [None] * len(row_groups)
    for row_group, networks in of_row_group.items():
        for (_, number), slot in zip(networks, filled[row_group][2], strict=True):
            slots[number] = Slot(row_group, *slot)
    widths = tuple(map(int, widths))
    return Packing(len(of_row_group), n_blocks, n_networks, widths, tuple(slots))


def _cost(widths, n_networks, n_features, n_outputs):
    """Cost of a block; `widths` may be arrays."""
    sizes = (n_features, *widths, n_networks * n_outputs)
    return _BLOCK + sum(n_in * n_out for n_in, n_out in pairwise(sizes))


@lru_cache(maxsize=100)  # the folds of a search have equal networks
def _best_fit_decreasing(networks, n_blocks, n_features, n_outputs):
    """Pack networks into blocks: the largest first, each where it adds the least cost.

    The algorithm is best-fit decreasing (Johnson, 1973), with the cost of the fullest
    block in place of the space that is left.

    Returns
    -------
    widths : ndarray of int of shape (n_layers,)
        Units of each layer of the fullest block.
    n_networks : int
    slots : list of (block, number, offsets)
    """
    loads = np.zeros((n_blocks, len(networks[0])), dtype=int)
    counts = np.zeros(n_blocks, dtype=int)
    slots = [None] * len(networks)
    largest_first = sorted(
        range(len(networks)),
        key=lambda n: _cost(networks[n], 1, n_features, n_outputs),
        reverse=True,
    )
    for network in largest_first:
        sizes = np.array(networks[network])
        widths = np.maximum(loads + sizes, loads.max(axis=0))
        fullest = np.maximum(counts + 1, counts.max())
        costs = _cost(widths.T, fullest, n_features, n_outputs)
        block = min(range(n_blocks), key=lambda b: (costs[b], loads[b].sum()))
        slots[network] = block, int(counts[block]), tuple(map(int, loads[block]))
        loads[block] += sizes
        counts[block] += 1
    return loads.max(axis=0), int(counts.max()), slots
