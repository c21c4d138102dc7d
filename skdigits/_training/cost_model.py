"""Estimated cost of training, which decides whether to compile."""

from itertools import pairwise
from typing import Any

import numpy as np

from skdigits._training.data_loader import padded_length
from skdigits._training.task import TrainingTask

# The unit of cost is a step of a tiny network, about 0.1 ms. From this many units on,
# compiling with XLA, about 0.5 s, saves more time than it takes.
_STEPS_WORTH_COMPILING = 2000
# Floating-point operations that take as long as a step of a tiny network.
_WORK_WORTH_A_STEP = 3e7
# Floating-point operations per distorted pixel, beside those of the matrix product.
_WORK_OF_DISTORTION = 1500
# Cost and number of epochs of one call, if nothing is done between epochs: a call lasts
# a fraction of a second, so that Ctrl-C does not seem to be ignored.
_STEPS_PER_CALL = 2000
MAX_EPOCHS_PER_CALL = 16
# `partial_fit` trains one epoch but is rarely called only once.
_PARTIAL_FIT_REPEATS = 10


def effective_batch_size(params: Any, n_samples: int) -> int:
    """Number of rows in a batch, at most the (rounded) number of rows in all.

    It is rounded so that the folds of a cross-validation share a program.
    """
    return min(int(params.batch_size), padded_length(n_samples))


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
    batch_size = effective_batch_size(task.params, task.data.n_samples)
    n_epochs = _PARTIAL_FIT_REPEATS if incremental else task.params.max_iter
    n_steps = n_epochs * -(-task.data.n_samples // batch_size)
    cost = n_networks * _cost_of_step(task, batch_size)
    return bool(n_steps * cost >= _STEPS_WORTH_COMPILING)


def _cost_of_step(task: TrainingTask, batch_size: int) -> float:
    work: float = work_of_step(task.network.layer_sizes, batch_size)
    if task.distortion is not None:
        n_terms, n_pixels = task.distortion.terms.shape
        work += batch_size * n_pixels * (_WORK_OF_DISTORTION + 4 * n_terms)
    return 1 + work / _WORK_WORTH_A_STEP


def work_of_step(layer_sizes: tuple[int, ...], batch_size: int) -> int:
    """Floating-point operations of the matrix products of a step."""
    return 6 * batch_size * sum(n_in * n_out for n_in, n_out in pairwise(layer_sizes))


def epochs_per_call(task: TrainingTask, batch_size: int) -> int:
    """Maximum number of epochs in one call of the program."""
    n_steps = -(-padded_length(task.data.n_samples) // batch_size)
    cost = n_steps * _cost_of_step(task, batch_size)
    return int(np.clip(_STEPS_PER_CALL // cost, 1, MAX_EPOCHS_PER_CALL))
