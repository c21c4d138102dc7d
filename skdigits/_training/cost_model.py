"""Estimated seconds of training, which decide how networks are trained.

They decide whether a program is compiled, whether networks share one, how many epochs a
call of it trains, and how many threads train side by side. The constants were measured
on two cores of a server by `python -m benchmarks.cost_model`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from skdigits._training.data_loader import padded_length
from skdigits._training.task import TrainingTask


@dataclass(frozen=True)
class Costs:
    """Seconds that a kind of program takes.

    Parameters
    ----------
    making : float
        To trace and compile it.
    step : float
        For a step of a tiny network.
    weight : float
        To update a weight.
    flop : float
        For a floating-point operation of a matrix product.
    pixel : float, default=0.0
        To distort a pixel.
    """

    making: float
    step: float
    weight: float
    flop: float
    pixel: float = 0.0

    def step_seconds(
        self,
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
        of_weight = self.weight + 6 * batch_size * self.flop
        seconds = self.step + n_blocks * n_weights * of_weight
        if distortion is not None:
            seconds += batch_size * distortion.terms.shape[1] * self.pixel
        return seconds


# Programs of one network and of a group of networks, run as a TensorFlow graph and
# compiled with XLA.
PLAIN = Costs(making=0.2, step=1.3e-4, weight=4e-9, flop=5e-12, pixel=3e-8)
COMPILED = Costs(making=0.6, step=2.5e-5, weight=1.5e-9, flop=5e-12, pixel=1.1e-8)
GROUP_PLAIN = Costs(making=0.4, step=7e-4, weight=3.5e-9, flop=4e-12)
GROUP_COMPILED = Costs(making=1.0, step=1.3e-4, weight=7e-10, flop=4e-12)
# Minimum number of fits that are assumed to use a program, such as the folds of a
# cross-validation.
_FITS_PER_PROGRAM = 3
# Work done by each further thread, relative to the first.
_THREAD_GAIN = 0.5
# Seconds to build a program, apart from making its function. Every thread needs one.
_BUILDING = 0.025
# Maximum seconds and number of epochs of one call of a program. Ctrl-C is noticed
# between calls.
_CALL = 0.2
_MAX_EPOCHS_PER_CALL = 16
# Rows of a batch with batch_size="auto", as in scikit-learn.
_AUTO_BATCH = 200
# `partial_fit` trains one epoch but is rarely called only once.
_PARTIAL_FIT_REPEATS = 10


def effective_batch_size(params: Any, n_samples: int) -> int:
    """Number of rows in a batch, at most the (rounded) number of rows in all.

    It is rounded so that the folds of a cross-validation share a program.
    """
    batch_size = _AUTO_BATCH if params.batch_size == "auto" else int(params.batch_size)
    return min(batch_size, padded_length(n_samples))


def epoch_seconds(task: TrainingTask, costs: Costs) -> float:
    """Estimated seconds of an epoch of one network."""
    batch_size = effective_batch_size(task.params, task.data.n_samples)
    n_steps = -(-task.data.n_samples // batch_size)
    return n_steps * costs.step_seconds(
        task.network.layer_sizes, batch_size, distortion=task.distortion
    )


def is_worth_compiling(
    tasks: Sequence[TrainingTask], *, incremental: bool = False
) -> bool:
    """Whether XLA saves more time than compiling takes.

    It depends on the fits alone, never on what is in the cache: a compiled program
    rounds differently, and `random_state` promises the same weights bit for bit.

    Parameters
    ----------
    tasks : list of TrainingTask
        The fits that use the program, one at a time.
    incremental : bool, default=False
    """
    saved = 0.0
    for task in tasks:
        n_epochs = _PARTIAL_FIT_REPEATS if incremental else task.params.max_iter
        plain, compiled = (epoch_seconds(task, costs) for costs in (PLAIN, COMPILED))
        saved += n_epochs * (plain - compiled)
    return max(1, _FITS_PER_PROGRAM / len(tasks)) * saved >= COMPILED.making


def parallel_seconds(seconds: float, n_tasks: int, n_threads: int) -> float:
    """Seconds of tasks in threads, for their seconds one after the other."""
    return seconds / (1 + _THREAD_GAIN * (min(n_tasks, n_threads) - 1))


def worthwhile_threads(seconds: float) -> int:
    """Number of threads that save time, for the seconds of all training."""
    return int(seconds / _BUILDING)


def epochs_per_call(seconds: float) -> int:
    """Maximum number of epochs in one call of a program, for the seconds of one."""
    return int(np.clip(_CALL / seconds, 1, _MAX_EPOCHS_PER_CALL))
