"""Estimated cost of training, which decides whether to compile."""

from itertools import pairwise

import numpy as np

from skdigits._training.data_loader import padded_length

# From this many steps on, compiling with XLA saves more time than it takes: 0.1 ms a
# step, and as much again for every so many floating-point operations in it.
_STEPS_WORTH_COMPILING = 2000
_WORK_WORTH_A_STEP = 3e7
# Distorting a pixel takes as long as so many operations, and the products.
_WORK_OF_DISTORTION = 1500
# As much training as that, and at most so many epochs, are done in one call where
# nothing looks between epochs: not so long that Ctrl-C would seem to be ignored.
_STEPS_PER_CALL = 2000
MAX_EPOCHS_PER_CALL = 16
# `partial_fit` is one epoch, but rarely called once.
_PARTIAL_FIT_REPEATS = 10


def effective_batch_size(params, n_samples):
    """Rows in a batch: one larger than the data would be mostly padding.

    It is rounded, so that the folds of a cross-validation still share a program.
    """
    return min(int(params.batch_size), padded_length(n_samples))


def is_worth_compiling(task, incremental=False, n_networks=1):
    """Whether XLA saves more time than compiling takes.

    It depends on the fit alone, never on what is in the cache: a compiled program
    rounds differently, and `random_state` promises the same weights bit for bit.

    Parameters
    ----------
    task : TrainingTask
    incremental : bool, default=False
    n_networks : int, default=1
        How many such networks are trained together.
    """
    batch_size = effective_batch_size(task.params, task.data.n_samples)
    n_epochs = _PARTIAL_FIT_REPEATS if incremental else task.params.max_iter
    n_steps = n_epochs * -(-task.data.n_samples // batch_size)
    cost = n_networks * _cost_of_step(task, batch_size)
    return n_steps * cost >= _STEPS_WORTH_COMPILING


def _cost_of_step(task, batch_size):
    """Time of a step, in units of what a step of a tiny network takes."""
    work = work_of_step(task.network.layer_sizes, batch_size)
    if task.distortion is not None:
        n_terms, n_pixels = task.distortion.terms.shape
        work += batch_size * n_pixels * (_WORK_OF_DISTORTION + 4 * n_terms)
    return 1 + work / _WORK_WORTH_A_STEP


def work_of_step(layer_sizes, batch_size):
    """Floating-point operations of the matrix products of a step."""
    return 6 * batch_size * sum(n_in * n_out for n_in, n_out in pairwise(layer_sizes))


def epochs_per_call(task, batch_size):
    n_steps = -(-padded_length(task.data.n_samples) // batch_size)
    cost = n_steps * _cost_of_step(task, batch_size)
    return int(np.clip(_STEPS_PER_CALL // cost, 1, MAX_EPOCHS_PER_CALL))
