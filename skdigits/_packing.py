"""How networks of different width stand side by side in a rectangle of blocks.

A compiled program has fixed shapes, so networks that share one are padded to a
common shape. Padding each to the widest would waste most of the work where widths
differ. Instead several narrow networks fill up a block of about the widest's size.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

# What a block costs beside its weights, in weights.
_BLOCK = 3000
# Blocks are as wide as whole vectors of so many float32 (AVX-512): one filled in part
# takes as long. So searches over many widths share a few programs.
_VECTOR = 16


@dataclass(frozen=True)
class Place:
    """Where a network is in a stack.

    Parameters
    ----------
    stream, block, number : int
        Its stream, the block in it and its number in the block.
    starts : tuple of int
        Its first unit in each hidden layer of the block.
    """

    stream: int
    block: int
    number: int
    starts: tuple

    @property
    def index(self):
        """Of what there is one of for each network of a stack."""
        return self.stream, self.block, self.number

    @property
    def block_index(self):
        """Of what there is one of for each block."""
        return self.stream, self.block


@dataclass(frozen=True)
class Packing:
    """An arrangement of networks.

    Parameters
    ----------
    n_streams, n_blocks, n_networks : int
        Streams, blocks in each, networks in a block at most.
    widths : tuple of int
        Units of each hidden layer of a block, multiples of 16.
    places : tuple of Place
        One for each network.
    """

    n_streams: int
    n_blocks: int
    n_networks: int
    widths: tuple
    places: tuple

    def part(self, shape, networks):
        """The part with these networks, of a packing cut up into parts of one shape.

        Parameters
        ----------
        shape : (n_streams, n_blocks)
        networks : list of int
        """
        n_streams, n_blocks = shape
        places = [self.places[network] for network in networks]
        cut = tuple(
            replace(p, stream=p.stream % n_streams, block=p.block % n_blocks)
            for p in places
        )
        return Packing(n_streams, n_blocks, self.n_networks, self.widths, cut)


def pack(streams, n_features, n_outputs):
    """Arrange networks so that all blocks have one shape and little is wasted.

    Parameters
    ----------
    streams : list of (int, tuple of int)
        Stream, counted from 0, and hidden layer sizes of each network.
    n_features, n_outputs : int
        Inputs and outputs of every network.

    Returns
    -------
    packing : Packing
    """
    of_stream = {}
    for number, (stream, sizes) in enumerate(streams):
        of_stream.setdefault(stream, []).append((sizes, number))
    most = max(map(len, of_stream.values()))
    candidates = []
    for n_blocks in sorted({-(-most // n) for n in range(1, most + 1)}):
        filled = {
            stream: _fill(
                tuple(sizes for sizes, _ in networks), n_blocks, n_features, n_outputs
            )
            for stream, networks in of_stream.items()
        }
        widths = np.max([width for width, _, _ in filled.values()], axis=0)
        widths = tuple(-(-widths // _VECTOR) * _VECTOR)
        n_networks = max(n for _, n, _ in filled.values())
        cost = n_blocks * _cost(widths, n_networks, n_features, n_outputs)
        candidates.append((cost, n_blocks, n_networks, widths, filled))
    _, n_blocks, n_networks, widths, filled = min(candidates, key=lambda c: c[:2])
    places = [None] * len(streams)
    for stream, networks in of_stream.items():
        for (_, number), place in zip(networks, filled[stream][2], strict=True):
            places[number] = Place(stream, *place)
    widths = tuple(map(int, widths))
    return Packing(len(of_stream), n_blocks, n_networks, widths, tuple(places))


def _cost(widths, n_networks, n_features, n_outputs):
    """Work of a block; `widths` may be arrays."""
    sizes = (n_features, *widths, n_networks * n_outputs)
    return _BLOCK + sum(n_in * n_out for n_in, n_out in pairwise(sizes))


@lru_cache(maxsize=100)  # the folds of a search are alike
def _fill(networks, n_blocks, n_features, n_outputs):
    """Put networks into blocks, the largest first, each where it costs least.

    Returns
    -------
    widths : ndarray of int of shape (n_layers,)
        Units of each layer of the fullest block.
    n_networks : int
    places : list of (block, number, starts)
    """
    loads = np.zeros((n_blocks, len(networks[0])), dtype=int)
    counts = np.zeros(n_blocks, dtype=int)
    places = [None] * len(networks)
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
        places[network] = block, int(counts[block]), tuple(map(int, loads[block]))
        loads[block] += sizes
        counts[block] += 1
    return loads.max(axis=0), int(counts.max()), places
