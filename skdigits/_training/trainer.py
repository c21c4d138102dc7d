"""The training loop of one network.

A `DataLoader` hands rows to a `TrainingProgram`, in which Keras trains; a
`TrainerState` keeps count. Callbacks and the progress bar are notified of each epoch.
"""

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from skdigits._keras.loading import load_keras
from skdigits._keras.optimizers import choose_optimizer
from skdigits._network import Array
from skdigits._sklearn_compat import EpochReporter
from skdigits._training.cost_model import (
    effective_batch_size,
    epochs_per_call,
    is_worth_compiling,
)
from skdigits._training.data_loader import DataLoader
from skdigits._training.program import ProgramSpec, TrainingProgram
from skdigits._training.program_cache import programs
from skdigits._training.task import Checkpoint, TrainingResult, TrainingTask
from skdigits._training.trainer_state import TrainerState


def train(
    task: TrainingTask,
    *,
    incremental: bool = False,
    reporter: EpochReporter | None = None,
    stopped: threading.Event | None = None,
) -> TrainingResult:
    """Train a network.

    Parameters
    ----------
    task : TrainingTask
    incremental : bool, default=False
        Whether to train one epoch, as `partial_fit` does, at the learning rate of the
        checkpoint.
    reporter : EpochReporter, default=None
        Notified of each epoch.
    stopped : threading.Event, default=None
        Set by another thread to end training early.

    Returns
    -------
    result : TrainingResult

    Raises
    ------
    ValueError
        If the loss or the weights are no longer finite.
    """
    keras = load_keras()
    network, params, distortion = task.network, task.params, task.distortion
    _check_callbacks(keras, params.callbacks)
    optimizer, rate = choose_optimizer(keras, params)
    if incremental and task.checkpoint.learning_rate is not None:
        rate = task.checkpoint.learning_rate
    state = TrainerState(task, rate, incremental)
    n_samples = task.data.n_samples
    batch_size = effective_batch_size(params, n_samples)
    compiled = is_worth_compiling(task, incremental)
    loader = DataLoader(
        task.data.X,
        task.data.y,
        state.weight,
        rows=task.data.rows,
        batch_size=batch_size,
        n_epochs=epochs_per_call(task, batch_size),
        dtype=np.dtype(network.dtype),
        padded=compiled,
        distortion=distortion,
    )
    spec = ProgramSpec(
        network,
        optimizer,
        batch_size,
        x_dtype=loader.x_dtype.name,
        penalized=params.alpha > 0,
        compiled=compiled,
        floatx=keras.config.floatx(),
        n_epochs=loader.n_epochs,
        n_rows=loader.n_rows,
        n_batches=loader.n_batches,
        image_shape=None if distortion is None else distortion.image_shape,
        elastic_sigma=None if distortion is None else distortion.elastic_sigma,
    )
    with programs.checkout(spec, TrainingProgram) as program:
        program.load(task.checkpoint.arrays, _optimizer_state(task.checkpoint, program))
        program.set_learning_rate(rate)
        return Trainer(state, loader, program, reporter, stopped).train()


def _optimizer_state(
    before: Checkpoint, program: TrainingProgram
) -> list[Array] | None:
    """The optimizer variables of a checkpoint, if they fit the optimizer in use.

    They do if the class and the shapes are equal. Other settings of the optimizer, such
    as the momentum, may have changed.
    """
    if before.optimizer is None:
        return None
    # In older files the label is a dotted name, followed by the settings.
    name = before.optimizer_label.partition(" ")[0].rpartition(".")[2]
    label = program.spec.optimizer.label
    if name == label and program.takes_state(before.optimizer):
        return before.optimizer
    warnings.warn(
        f"The saved state of the optimizer {name} does not fit the optimizer {label}, "
        "which therefore starts with a new state. To resume with the saved state, set "
        "`solver` and `ema` to their previous values.",
        UserWarning,
        stacklevel=2,
    )
    return None


def _check_callbacks(keras: Any, callbacks: Sequence[Any] | None) -> None:
    for callback in callbacks or ():
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                "The 'callbacks' parameter of DigitMLPClassifier must be a list of "
                f"keras.callbacks.Callback instances. Got {callback!r} in it instead."
            )
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise ValueError(
                "The 'callbacks' parameter of DigitMLPClassifier does not support "
                "keras.callbacks.BackupAndRestore, which keeps the state of a Keras "
                "model and not that of the classifier. To resume a training that was "
                "killed, set warm_start=True, call fit for some epochs at a time and "
                "save the classifier in between."
            )


class Trainer:
    """Runs the epochs of one training with a program."""

    def __init__(
        self,
        state: TrainerState,
        loader: DataLoader,
        program: TrainingProgram,
        reporter: EpochReporter | None,
        stopped: threading.Event | None,
    ) -> None:
        self.state = state
        self.reporter = reporter
        self.params = state.task.params
        self.loader = loader
        self.program = program
        self.stopped = stopped
        self.last_rate = program.learning_rate

    def train(self) -> TrainingResult:
        """Train until the last epoch, a stopping rule, a callback or Ctrl-C."""
        program = self.program
        n_steps = -(-self.loader.n_samples // program.spec.batch_size)
        callbacks = load_keras().callbacks.CallbackList(
            list(self.params.callbacks or ()),
            model=program.model,
            epochs=self.state.max_iter,
            steps=n_steps,
            verbose=0,
        )
        try:
            interrupted = False
            try:
                callbacks.on_train_begin()
                self._train_epochs(callbacks, n_steps)
            except KeyboardInterrupt:
                warnings.warn("Training interrupted by user.", stacklevel=2)
                interrupted = True
            result = self._finish(callbacks)
            result.interrupted = interrupted
            return result
        finally:
            for callback in callbacks.callbacks:
                callback._model = None  # the program is used by other fits

    def _train_epochs(self, callbacks: Any, n_steps: int) -> None:
        state, program = self.state, self.program
        watched = callbacks.callbacks or state.looks_between_epochs or self.reporter
        # Dropout is seeded at the start of every epoch.
        one_by_one = watched or any(program.spec.network.dropout)
        max_epochs = 1 if one_by_one else self.loader.n_epochs
        with _progress_bar(self.params.verbose, state.max_iter) as show:
            while state.n_epochs < state.max_iter:
                epoch = state.n_epochs
                callbacks.on_epoch_begin(epoch)
                if callbacks.callbacks:
                    self._follow_learning_rate()
                if self.reporter is not None:
                    self.reporter.begin_epoch()
                n_epochs = min(max_epochs, state.max_iter - epoch)
                logs = self._train_some(n_epochs, n_steps)
                show(n_epochs, logs)
                if callbacks.callbacks:
                    program.update_model()
                    self.last_rate = program.learning_rate
                callbacks.on_epoch_end(epoch, logs)
                stop = program.model.stop_training
                if self.stopped is not None:
                    stop |= self.stopped.is_set()
                if self.reporter is not None:
                    stop |= self.reporter.end_epoch(self._current_result)
                if stop or state.is_over():
                    state.stopped = True
                    return

    def _follow_learning_rate(self) -> None:
        """Keep a learning rate that a callback has set."""
        rate = self.program.learning_rate
        if rate != self.last_rate:
            self.state.learning_rate.override(rate)

    def _train_some(self, n_epochs: int, n_steps: int) -> dict[str, float]:
        """Train some epochs in one call; return the logs of the last one."""
        state, program = self.state, self.program
        if any(program.spec.network.dropout):
            program.seed_dropout(state.dropout_stream())
        rates = np.stack([state.rates(n_steps, ahead) for ahead in range(n_epochs)])
        orders = np.stack([state.row_order(ahead) for ahead in range(n_epochs)])
        distortions = None
        if state.task.distortion is not None:
            distortions = list(state.distortions(n_epochs))
        losses: Any = 0
        for batches in self.loader.batches(orders, distortions):
            some = slice(batches.start, batches.start + len(batches.n_in_batch))
            losses = losses + program.run(
                batches, rates[:, some], state.alpha, self.params.label_smoothing
            )
        state.add_epochs((losses / self.loader.n_samples).tolist(), n_steps)
        logs = {"loss": state.loss_curve[-1]}
        if state.task.data.validation is not None:
            val_loss, val_score = state.validate(self._arrays_to_predict_with())
            logs.update(val_loss=val_loss, val_accuracy=val_score)
        return logs

    def _current_result(self) -> TrainingResult:
        """The result, had training stopped now."""
        return self.state.finish(self._arrays_to_predict_with())

    def _arrays_to_predict_with(self) -> list[Array]:
        if self.program.spec.optimizer.averages:
            return self.program.averaged_arrays()
        return self.program.arrays()

    def _finish(self, callbacks: Any) -> TrainingResult:
        program = self.program
        unaveraged = kept = averaged = program.arrays()
        optimizer = None
        if self.params.warm_start or self.state.incremental:
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
        return self.state.finish(kept, resumed_from, optimizer, label)


@contextmanager
def _progress_bar(verbose: Any, n_epochs: int) -> Iterator[Callable[..., None]]:
    """Yield a function that shows newly trained epochs and their logs."""
    if not verbose:  # importing tqdm takes a while
        yield lambda n_done, logs: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=n_epochs, desc="DigitMLPClassifier", unit="epoch") as bar:

        def show(n_done: int, logs: dict[str, float]) -> None:
            bar.set_postfix({key: f"{value:.4f}" for key, value in logs.items()})
            bar.update(n_done)

        yield show
