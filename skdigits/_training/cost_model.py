"""Estimated seconds of training, which decide how networks are trained.

They decide whether a program is compiled, how many epochs a call of it trains, and how
many threads train programs side by side. The constants are those of two cores of a
server; `python -m benchmarks.cost_model` measures them on another machine.
"""

from itertools import pairwise
from typing import Any

import numpy as np

from skdigits._training.data_loader import padded_length
from skdigits._training.task import TrainingTask

# Seconds of a step of a tiny network, and of a floating-point operation of the matrix
# products of a larger one.
_STEP = 1e-4
_FLOP = 1 / 3e11
# Seconds to distort a pixel, and per term of its displacement.
_DISTORTED_PIXEL = 5e-9
_DISTORTION_TERM = 1.3e-11
# Seconds of training from which on compiling with XLA saves more than it takes.
_WORTH_COMPILING = 0.2
# Seconds of training for every thread from which on threads save time. A step of small
# networks leaves cores idle.
_WORTH_A_THREAD = 1.2
# Maximum seconds and number of epochs of one call of a program. Ctrl-C is noticed
# between calls.
_CALL = 0.2
_MAX_EPOCHS_PER_CALL = 16
# `partial_fit` trains one epoch but is rarely called only once.
_PARTIAL_FIT_REPEATS = 10


def effective_batch_size(params: Any, n_samples: int) -> int:
    """Number of rows in a batch, at most the (rounded) number of rows in all.

    It is rounded so that the folds of a cross-validation share a program.
    """
    return min(int(params.batch_size), padded_length(n_samples))


def step_seconds(
    layer_sizes: tuple[int, ...],
    batch_size: int,
    *,
    n_blocks: int = 1,
    distortion: Any = None,
) -> float:
    """Estimated seconds of a step.

    Parameters
    ----------
    layer_sizes : tuple of int
        Units of each layer of a network, or of a block of networks, inputs first.
    batch_size : int
    n_blocks : int, default=1
        Number of such networks or blocks in the program.
    distortion : Distortion, default=None
    """
    n_weights = sum(n_in * n_out for n_in, n_out in pairwise(layer_sizes))
    seconds = _STEP + 6 * batch_size * n_blocks * n_weights * _FLOP
    if distortion is not None:
        n_terms, n_pixels = distortion.terms.shape
        of_pixel = _DISTORTED_PIXEL + n_terms * _DISTORTION_TERM
        seconds += batch_size * n_pixels * of_pixel
    return seconds


def epoch_seconds(task: TrainingTask) -> float:
    """Estimated seconds of an epoch of one network."""
    batch_size = effective_batch_size(task.params, task.data.n_samples)
    n_steps = -(-task.data.n_samples // batch_size)
    return n_steps * step_seconds(
        task.network.layer_sizes, batch_size, distortion=task.distortion
    )


def is_worth_compiling(
    task: TrainingTask, incremental: bool = False, n_networks: int = 1
) -> bool:
    """Whether XLA saves more time than compiling takes.

    It depends on the fit alone, never on what is in the cache: a compiled program
    rounds differently, and `random_state` promises the same weights bit for bit.

    Parameters
    ----------
    task : TrainingTask
    incremental : bool, default=False
    n_networks : int, default=1
        Number of such networks that are trained together.
    """
    n_epochs = _PARTIAL_FIT_REPEATS if incremental else task.params.max_iter
    return bool(n_epochs * n_networks * epoch_seconds(task) >= _WORTH_COMPILING)


def epochs_per_call(seconds: float) -> int:
    """Maximum number of epochs in one call of a program, for the seconds of one."""
    return int(np.clip(_CALL / seconds, 1, _MAX_EPOCHS_PER_CALL))


def worthwhile_threads(seconds: float) -> int:
    """Number of threads that save time, for the seconds of all training."""
    return int(seconds / _WORTH_A_THREAD)
