"""Seeds and random streams."""

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

# The random streams that the seed of a training is split into.
INITIAL_WEIGHTS, ROW_ORDER, DROPOUT, DISTORTION = range(4)


def draw_seed(random_state: Any) -> int:
    """Draw a seed from scikit-learn's `random_state`."""
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def random_stream(seed: int, purpose: int, number: int) -> np.random.Generator:
    """Random numbers for one purpose in one epoch of a training."""
    return np.random.default_rng([seed, purpose, number])
