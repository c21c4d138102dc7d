"""Training one network: Keras does it, inside a `TrainingProgram`.

Here is what joins the pieces: rows are fed to the program, a `Course` keeps count,
callbacks and the progress bar are told.
"""

import warnings
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skdigits._course import Course
from skdigits._feeding import RowFeed, padded_length
from skdigits._optimizer import OptimizerSpec
from skdigits._program import ProgramSpec, TrainingProgram
from skdigits._program_cache import programs
from skdigits._tensorflow import load_keras

# From this many steps on, compiling with XLA saves more time than it takes: 0.1 ms a
# step, and as much again for every so many floating-point operations in it.
_STEPS_WORTH_COMPILING = 2000
_WORK_WORTH_A_STEP = 3e7
# Distorting a pixel takes as long as so many operations, and the products.
_WORK_OF_DISTORTION = 1500
# As much training as that, and at most so many epochs, are done in one call where
# nothing looks between epochs: not so long that Ctrl-C would seem to be ignored.
_STEPS_IN_A_CALL = 2000
MOST_EPOCHS_IN_A_CALL = 16
# `partial_fit` is one epoch, but rarely called once.
_PARTIAL_FIT_REPEATS = 10


def train(job, *, incremental=False, tasks=None):
    """Train a network.

    Parameters
    ----------
    job : Job
    incremental : bool, default=False
        Whether to train one epoch, as `partial_fit` does, at a learning rate that
        goes on from the last one.
    tasks : EpochTasks, default=None
        To tell of each epoch.

    Returns
    -------
    trained : Trained

    Raises
    ------
    ValueError
        If the loss or the weights are no longer finite.
    """
    keras = load_keras()
    network, params = job.network, job.params
    _check_callbacks(keras, params.callbacks)
    optimizer, rate = choose_optimizer(keras, params)
    if incremental and job.progress.learning_rate is not None:
        rate = job.progress.learning_rate
    course = Course(job, rate, incremental)
    n_samples = job.data.n_samples
    batch_size = effective_batch_size(params, n_samples)
    compiled = is_worth_compiling(job, incremental)
    feed = RowFeed(
        job.data.X,
        job.data.y,
        course.weight,
        job.data.rows,
        batch_size,
        _epochs_in_a_call(job, batch_size),
        np.dtype(network.dtype),
        compiled,
        job.distortion,
    )
    spec = ProgramSpec(
        network,
        optimizer,
        batch_size,
        x_dtype=feed.x_dtype.name,
        penalized=params.alpha > 0,
        compiled=compiled,
        floatx=keras.config.floatx(),
        n_epochs=feed.n_epochs,
        n_rows=feed.n_rows,
        n_batches=feed.n_batches,
        image_shape=job.distortion and job.distortion.image_shape,
        elastic_sigma=job.distortion and job.distortion.elastic_sigma,
    )
    with programs.checkout(spec, TrainingProgram) as program:
        program.load(job.progress.arrays, _optimizer_state(job.progress, program))
        program.set_learning_rate(rate)
        return _Run(course, feed, program, incremental, tasks).train()


def _optimizer_state(before, program):
    """The saved variables of the optimizer, where they fit the one that trains.

    The same class and the same shapes are what it takes: other settings of the
    optimizer, such as another momentum, hold from here on.
    """
    if before.optimizer is None:
        return None
    # In older files the label is a dotted name, followed by the settings.
    name = before.optimizer_label.partition(" ")[0].rpartition(".")[2]
    label = program.spec.optimizer.label
    if name == label and program.takes_state(before.optimizer):
        return before.optimizer
    warnings.warn(
        f"The state of the optimizer {name} that was kept from the last training does "
        f"not fit the optimizer {label} that is trained with now, which starts afresh. "
        "To go on with the state, set `solver` and `ema` back to what they were.",
        UserWarning,
        stacklevel=2,
    )
    return None


def warn_not_converged(params):
    """Warn that `max_iter` was reached, where `tol` asked for more."""
    if params.tol is not None:
        warnings.warn(
            f"Maximum iterations ({params.max_iter}) reached and the optimization "
            "hasn't converged yet. Increase max_iter or tol.",
            ConvergenceWarning,
            stacklevel=2,
        )


def choose_optimizer(keras, params):
    """The optimizer of a classifier and the learning rate to start at.

    Returns
    -------
    spec : OptimizerSpec
    rate : float

    Raises
    ------
    TypeError, ValueError
        If `solver` is no optimizer, or one with a schedule beside `learning_rate`.
    """
    optimizer, rate = OptimizerSpec.from_solver(keras, params.solver, params.ema)
    if optimizer.follows_schedule and params.learning_rate != "constant":
        raise ValueError(
            "learning_rate must be 'constant' where `solver` is a Keras optimizer "
            f"with a schedule of its own. Got {params.learning_rate!r} instead."
        )
    return optimizer, params.learning_rate_init if rate is None else rate


def effective_batch_size(params, n_samples):
    """Rows in a batch: one larger than the data would be mostly padding.

    It is rounded, so that the folds of a cross-validation still share a program.
    """
    return min(int(params.batch_size), padded_length(n_samples))


def is_worth_compiling(job, incremental=False, n_networks=1):
    """Whether XLA saves more time than compiling takes.

    It depends on the fit alone, never on what is in the cache: a compiled program
    rounds differently, and `random_state` promises the same weights bit for bit.

    Parameters
    ----------
    job : Job
    incremental : bool, default=False
    n_networks : int, default=1
        How many such networks are trained together.
    """
    batch_size = effective_batch_size(job.params, job.data.n_samples)
    n_epochs = _PARTIAL_FIT_REPEATS if incremental else job.params.max_iter
    n_steps = n_epochs * -(-job.data.n_samples // batch_size)
    cost = n_networks * _cost_of_step(job, batch_size)
    return n_steps * cost >= _STEPS_WORTH_COMPILING


def _cost_of_step(job, batch_size):
    """Time of a step, in units of what a step of a tiny network takes."""
    work = work_of_step(job.network.layer_sizes, batch_size)
    if job.distortion is not None:
        n_terms, n_pixels = job.distortion.terms.shape
        work += batch_size * n_pixels * (_WORK_OF_DISTORTION + 4 * n_terms)
    return 1 + work / _WORK_WORTH_A_STEP


def work_of_step(layer_sizes, batch_size):
    """Floating-point operations of the matrix products of a step."""
    return 6 * batch_size * sum(n_in * n_out for n_in, n_out in pairwise(layer_sizes))


def _epochs_in_a_call(job, batch_size):
    n_steps = -(-padded_length(job.data.n_samples) // batch_size)
    cost = n_steps * _cost_of_step(job, batch_size)
    return int(np.clip(_STEPS_IN_A_CALL // cost, 1, MOST_EPOCHS_IN_A_CALL))


def _check_callbacks(keras, callbacks):
    for callback in callbacks or ():
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                "The 'callbacks' parameter of DigitMLPClassifier must be a list of "
                f"keras.callbacks.Callback instances. Got {callback!r} in it instead."
            )


class _Run:
    """One call of `train`, with a program at hand."""

    def __init__(self, course, feed, program, incremental, tasks):
        self.course = course
        self.tasks = tasks
        self.params = course.job.params
        self.feed = feed
        self.program = program
        self.incremental = incremental
        self.rate_left = program.learning_rate

    def train(self):
        program = self.program
        n_steps = -(-self.feed.n_samples // program.spec.batch_size)
        callbacks = load_keras().callbacks.CallbackList(
            list(self.params.callbacks or ()),
            model=program.model,
            epochs=self.course.max_iter,
            steps=n_steps,
            verbose=0,
        )
        try:
            try:
                callbacks.on_train_begin()
                self._heed_restored_epochs(n_steps)
                self._train_epochs(callbacks, n_steps)
            except KeyboardInterrupt:
                warnings.warn("Training interrupted by user.", stacklevel=2)
            return self._finish(callbacks)
        finally:
            for callback in callbacks.callbacks:
                callback._model = None  # it goes on to other fits

    def _train_epochs(self, callbacks, n_steps):
        course, program = self.course, self.program
        watched = callbacks.callbacks or course.looks_between_epochs or self.tasks
        # Every epoch starts dropout's random numbers anew.
        one_by_one = watched or any(program.spec.network.dropout)
        most = 1 if one_by_one else self.feed.n_epochs
        with _progress_bar(self.params.verbose, course.max_iter) as show:
            while course.n_epochs < course.max_iter:
                epoch = course.n_epochs
                callbacks.on_epoch_begin(epoch)
                if callbacks.callbacks:
                    self._heed_learning_rate()
                if self.tasks is not None:
                    self.tasks.begin_epoch()
                n_epochs = min(most, course.max_iter - epoch)
                logs = self._train_some(n_epochs, n_steps)
                show(n_epochs, logs)
                if callbacks.callbacks:
                    program.update_model()
                    self.rate_left = program.learning_rate
                callbacks.on_epoch_end(epoch, logs)
                told_to_stop = program.model.stop_training
                if self.tasks is not None:
                    told_to_stop |= self.tasks.end_epoch(self._so_far)
                if told_to_stop or course.is_over():
                    return
        if not self.incremental:
            warn_not_converged(self.params)

    def _heed_restored_epochs(self, n_steps):
        """Go on where a BackupAndRestore callback has found that training ended."""
        n_epochs = min(self.program.restored_epochs, self.course.max_iter)
        if n_epochs:
            self.course.skip_epochs(n_epochs, n_steps)
            rate = self.course.learning_rate
            self.rate_left = self.program.learning_rate
            if not rate.follows_epochs:
                rate.current = self.rate_left

    def _heed_learning_rate(self):
        """A learning rate that a callback has set is kept from there on."""
        rate = self.program.learning_rate
        if rate != self.rate_left:
            self.course.learning_rate.override(rate)

    def _train_some(self, n_epochs, n_steps):
        """Train some epochs; what to tell of them."""
        course, program = self.course, self.program
        if any(program.spec.network.dropout):
            program.seed_dropout(course.dropout_stream())
        rates = np.stack([course.rates(n_steps, ahead) for ahead in range(n_epochs)])
        orders = np.stack([course.row_order(ahead) for ahead in range(n_epochs)])
        distortions = None
        if course.job.distortion is not None:
            distortions = list(course.distortions(n_epochs))
        losses = 0
        for batches in self.feed.batches(orders, distortions):
            some = slice(batches.start, batches.start + len(batches.n_in_batch))
            losses = losses + program.run(
                batches, rates[:, some], course.alpha, self.params.label_smoothing
            )
        course.add_epochs((losses / self.feed.n_samples).tolist(), n_steps)
        logs = {"loss": course.loss_curve[-1]}
        if course.job.data.validation is not None:
            val_loss, val_score = course.validate(self._arrays_to_predict_with())
            logs.update(val_loss=val_loss, val_accuracy=val_score)
        return logs

    def _so_far(self):
        """What training has made by now."""
        return self.course.finish(self._arrays_to_predict_with())

    def _arrays_to_predict_with(self):
        if self.program.spec.optimizer.averages:
            return self.program.averaged_arrays()
        return self.program.arrays()

    def _finish(self, callbacks):
        program = self.program
        unaveraged = kept = averaged = program.arrays()
        optimizer = None
        if self.params.warm_start or self.incremental:
            optimizer = program.optimizer_arrays()
        if program.spec.optimizer.averages:
            program.average_weights()
            kept = averaged = program.arrays()
        if callbacks.callbacks:
            program.update_model()
            callbacks.on_train_end()
            kept = program.arrays()
        touched = any(
            not np.array_equal(a, b, equal_nan=True)
            for a, b in zip(kept, averaged, strict=True)
        )
        resumed_from = kept if touched else unaveraged
        label = program.spec.optimizer.label
        return self.course.finish(kept, resumed_from, optimizer, label)


@contextmanager
def _progress_bar(verbose, n_epochs):
    """A function that shows how far training is, given epochs done since and logs."""
    if not verbose:
        yield lambda n_done, logs: None
        return
    from tqdm.auto import tqdm  # slow to import

    with tqdm(total=n_epochs, desc="DigitMLPClassifier", unit="epoch") as bar:

        def show(n_done, logs):
            bar.set_postfix({key: f"{value:.4f}" for key, value in logs.items()})
            bar.update(n_done)

        yield show
