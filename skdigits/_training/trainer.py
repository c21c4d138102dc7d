"""The training loop of one or more networks, and the training of a single one.

A `DataLoader` hands rows to a program; a `TrainerState` for each network keeps count.
A single network is trained by Keras itself, and callbacks and the progress bar are
notified of each epoch.
"""

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from skdigits._keras.loading import load_keras
from skdigits._keras.optimizers import choose_optimizer
from skdigits._network import Array
from skdigits._sklearn_compat import EpochReporter
from skdigits._training.cost_model import (
    COMPILED,
    PLAIN,
    effective_batch_size,
    epoch_seconds,
    epochs_per_call,
    is_worth_compiling,
)
from skdigits._training.data_loader import DataLoader
from skdigits._training.program import ProgramSpec, TrainingProgram
from skdigits._training.program_cache import programs
from skdigits._training.task import Checkpoint, TrainingResult, TrainingTask
from skdigits._training.trainer_state import Member, TrainerState


@dataclass(frozen=True)
class SharedProgram:
    """Properties of a program that trains networks of equal shapes, one at a time.

    Parameters
    ----------
    compiled : bool
        Whether XLA compiles it.
    epoch_seconds : float
        Estimated seconds of an epoch of the largest task.
    min_rows : int, default=0
        Number of rows of the largest task.
    """

    compiled: bool
    epoch_seconds: float
    min_rows: int = 0


class Trainer:
    """Runs the epochs of one or more networks with a program.

    Parameters
    ----------
    members : list of Member
        The networks.
    loader : DataLoader
    program : object
        Its method `run` trains on `Batches`.
    stopped : threading.Event or None
        Set by another thread to end training early.
    """

    def __init__(
        self,
        members: Sequence[Member],
        loader: DataLoader,
        program: Any,
        stopped: threading.Event | None,
    ) -> None:
        self.members = members
        self.loader = loader
        self.program = program
        self.stopped = stopped
        # Dropout is seeded at the start of every epoch.
        has_dropout = any(any(m.task.network.dropout) for m in members)
        self.max_epochs = 1 if has_dropout else loader.n_epochs

    def train_epochs(self) -> None:
        """Train every network until its last epoch or a stopping rule."""
        while active := [member for member in self.members if not member.is_done]:
            if self.stopped is not None and self.stopped.is_set():
                return
            self._train_some(active)

    def _train_some(self, active: list[Member]) -> None:
        """Train until weights or losses are needed, and use them."""
        states = [member.state for member in active]
        n_epochs = min(s.max_iter - s.n_epochs for s in states)
        looks = any(state.looks_between_epochs for state in states)
        n_epochs = min(n_epochs, 1 if looks else self.max_epochs)
        self._begin_epochs()
        sums = self._run(active, n_epochs)
        for member in active:
            own = sums[0][:, *member.slot.index] / member.task.data.n_samples
            try:
                member.state.add_epochs(own.tolist(), self.loader.n_steps)
            except ValueError as error:
                self._diverged(member, error)
        self._validate([m for m in active if m.outcome is None])
        self._end_epochs(n_epochs, sums)
        for member in active:
            if member.outcome is None:
                state = member.state
                state.stopped = state.stopped or state.is_over()
        self._finish([m for m in active if m.outcome is None and m.is_done])

    def _run(self, active: list[Member], n_epochs: int) -> Array:
        """Train some epochs; return the sums of the program, of all batches."""
        shape = self.loader.slots_shape
        alpha, smoothing = np.zeros(shape), np.zeros(shape)
        rates = np.zeros((n_epochs, self.loader.n_steps, *shape))
        for member in active:
            slot, state = member.slot.index, member.state
            alpha[slot] = state.alpha
            smoothing[slot] = member.task.params.label_smoothing
            for ahead in range(n_epochs):
                rates[ahead, :, *slot] = state.rates(self.loader.n_steps, ahead)
        seeds = np.concatenate([m.state.dropout_seeds() for m in self.members])
        sums: Any = 0
        for batches in self.loader.batches(active, n_epochs):
            some = slice(batches.start, batches.start + len(batches.n_in_batch))
            sums = sums + self.program.run(
                batches, rates[:, some], alpha, smoothing, seeds
            )
        total: Array = sums
        return total

    def _validate(self, members: list[Member]) -> None:
        validated = [m for m in members if m.task.data.validation is not None]
        if not validated:
            return
        for member, arrays in zip(validated, self._weights(validated), strict=True):
            try:
                member.state.validate(arrays)
            except ValueError as error:
                self._diverged(member, error)

    def _weights(self, members: list[Member]) -> list[list[Array]]:
        """Weights to predict with of some networks, as layer arrays."""
        raise NotImplementedError

    def _diverged(self, member: Member, error: ValueError) -> None:
        """End the training of a network whose numbers are no longer finite."""
        raise error

    def _begin_epochs(self) -> None:
        """Called before some epochs."""

    def _end_epochs(self, n_epochs: int, sums: Array) -> None:
        """Called after some epochs, before stopping rules."""

    def _finish(self, members: list[Member]) -> None:
        """Called with the networks whose training has ended."""


def train(
    task: TrainingTask,
    *,
    incremental: bool = False,
    reporter: EpochReporter | None = None,
    stopped: threading.Event | None = None,
    shared: SharedProgram | None = None,
) -> TrainingResult:
    """Train one network.

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
    shared : SharedProgram, default=None
        Properties of the program if tasks of other sizes share it.

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
    member = Member(TrainerState(task, rate, incremental))
    if shared is None:
        compiled = is_worth_compiling([task], incremental=incremental)
        costs = COMPILED if compiled else PLAIN
        shared = SharedProgram(compiled, epoch_seconds(task, costs))
    batch_size = effective_batch_size(params, task.data.n_samples)
    loader = DataLoader(
        [task.data.X],
        [member],
        batch_size=batch_size,
        max_epochs=epochs_per_call(shared.epoch_seconds),
        padded=shared.compiled,
        min_rows=shared.min_rows,
    )
    spec = ProgramSpec(
        network,
        optimizer,
        batch_size,
        x_dtype=loader.x_dtype.name,
        penalized=params.alpha > 0,
        compiled=shared.compiled,
        floatx=keras.config.floatx(),
        n_epochs=loader.n_epochs,
        n_rows=loader.n_rows,
        n_batches=loader.n_batches,
        image_shape=None if distortion is None else distortion.image_shape,
        elastic_sigma=None if distortion is None else distortion.elastic_sigma,
        counts_hits=bool(params.callbacks),
    )
    with programs.checkout(spec, TrainingProgram) as program:
        program.load(task.checkpoint.arrays, _optimizer_state(task.checkpoint, program))
        trainer = _NetworkTrainer(member, loader, program, keras, reporter, stopped)
        return trainer.train()


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


class _NetworkTrainer(Trainer):
    """Trains one network, and notifies callbacks and the progress bar."""

    def __init__(
        self,
        member: Member,
        loader: DataLoader,
        program: TrainingProgram,
        keras: Any,
        reporter: EpochReporter | None,
        stopped: threading.Event | None,
    ) -> None:
        super().__init__([member], loader, program, stopped)
        self.state = member.state
        self.params = member.task.params
        self.reporter = reporter
        self.callbacks = keras.callbacks.CallbackList(
            list(self.params.callbacks or ()),
            model=program.model,
            epochs=self.state.max_iter,
            steps=loader.n_steps,
            verbose=0,
        )
        if self.callbacks.callbacks or reporter:
            self.max_epochs = 1

    def train(self) -> TrainingResult:
        """Train until the last epoch, a stopping rule, a callback or Ctrl-C."""
        try:
            interrupted = False
            try:
                if self.callbacks.callbacks:
                    self.program.update_model()
                    self.program.set_learning_rate(self.state.learning_rate.current)
                    self.last_rate = self.program.learning_rate
                self.callbacks.on_train_begin()
                with _progress_bar(self.params.verbose, self.state.max_iter) as show:
                    self.show = show
                    self.train_epochs()
            except KeyboardInterrupt:
                warnings.warn("Training interrupted by user.", stacklevel=2)
                interrupted = True
            result = self._result()
            result.interrupted = interrupted
            return result
        finally:
            for callback in self.callbacks.callbacks:
                callback._model = None  # the program is used by other fits

    def _begin_epochs(self) -> None:
        self.callbacks.on_epoch_begin(self.state.n_epochs)
        if self.callbacks.callbacks:
            rate = self.program.learning_rate
            if rate != self.last_rate:  # set by a callback
                self.state.learning_rate.override(rate)
        if self.reporter is not None:
            self.reporter.begin_epoch()

    def _end_epochs(self, n_epochs: int, sums: Array) -> None:
        state, program = self.state, self.program
        logs = {"loss": state.loss_curve[-1]}
        if program.spec.counts_hits:
            logs["accuracy"] = sums[1, -1].item() / state.task.data.n_samples
        if state.task.data.validation is not None:
            logs["val_loss"] = state.validation_losses[-1]
            logs["val_accuracy"] = state.validation_scores[-1]
        self.show(n_epochs, logs)
        if self.callbacks.callbacks:
            program.update_model()
            self.last_rate = program.learning_rate
        self.callbacks.on_epoch_end(state.n_epochs - n_epochs, logs)
        state.stopped = program.model.stop_training
        if self.reporter is not None:
            state.stopped |= self.reporter.end_epoch(self._current_result)

    def _current_result(self) -> TrainingResult:
        """The result, had training stopped now."""
        return self.state.finish(self.program.averaged_arrays())

    def _weights(self, members: list[Member]) -> list[list[Array]]:
        return [self.program.averaged_arrays()]

    def _result(self) -> TrainingResult:
        program = self.program
        resumed_from = program.arrays()
        optimizer = None
        if self.params.warm_start or self.state.incremental:
            optimizer = program.optimizer_arrays()
        program.average_weights()
        kept = program.arrays()
        if self.callbacks.callbacks:
            averaged = kept
            program.update_model()
            self.callbacks.on_train_end()
            kept = program.arrays()
            if any(
                not np.array_equal(a, b, equal_nan=True)
                for a, b in zip(kept, averaged, strict=True)
            ):
                resumed_from = kept
        label = program.spec.optimizer.label
        return self.state.finish(kept, resumed_from, optimizer, label)


@contextmanager
def _progress_bar(verbose: Any, n_epochs: int) -> Iterator[Callable[..., None]]:
    """Yield a function that shows newly trained epochs and their logs."""
    if not verbose:  # importing tqdm takes a while
        yield lambda n_done, logs: None
        return
    with warnings.catch_warnings():
        # In a notebook, tqdm recommends ipywidgets. Without, its bar is text.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

    with tqdm(total=n_epochs, desc="DigitMLPClassifier", unit="epoch") as bar:

        def show(n_done: int, logs: dict[str, float]) -> None:
            bar.set_postfix({key: f"{value:.4f}" for key, value in logs.items()})
            bar.update(n_done)

        yield show
