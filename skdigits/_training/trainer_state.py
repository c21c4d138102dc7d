"""State of a running training: row order, learning rate, losses, when to stop.

It does not use TensorFlow. A trainer asks it for the inputs of the next epochs and
passes it their losses and weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from skdigits._keras.optimizers import is_sgd
from skdigits._network import Array, inference
from skdigits._network.batch_norm import NORM_MOMENTUM, fold_batch_norm
from skdigits._random import DISTORTION, DROPOUT, ROW_ORDER, random_stream
from skdigits._training.early_stopping import StoppingRule
from skdigits._training.schedules import LearningRate, decay_fraction
from skdigits._training.task import Checkpoint, TrainingResult, TrainingTask

# Tolerance if `tol` is None and a rule needs one: the default of scikit-learn.
_DEFAULT_TOL = 1e-4


@dataclass(frozen=True)
class Slot:
    """Position of a network in a program.

    A row group is a set of networks that are trained on the same rows in the same
    order. It has blocks, and a block holds one or more networks.

    Parameters
    ----------
    row_group, block, number : int
        Its row group, its block in the row group, its number in the block.
    offsets : tuple of int
        Its first unit in each hidden layer of the block; empty if it has the program
        to itself.
    """

    row_group: int = 0
    block: int = 0
    number: int = 0
    offsets: tuple[int, ...] = ()

    @property
    def index(self) -> tuple[int, int, int]:
        """Index into arrays with one entry per network."""
        return self.row_group, self.block, self.number

    @property
    def block_index(self) -> tuple[int, int]:
        """Index into arrays with one entry per block."""
        return self.row_group, self.block


class TrainerState:
    """State of one training.

    Parameters
    ----------
    task : TrainingTask
    rate : float
        Initial learning rate.
    incremental : bool, default=False
        Whether to train one epoch, as `partial_fit` does.

    Attributes
    ----------
    weight : ndarray of shape (n_rows_of_X,)
        Sample weights, with a mean of 1 over the training rows.
    alpha : float
        L2 strength, divided by the mean sample weight.
    max_iter : int
    learning_rate : LearningRate
    loss_curve, validation_scores, validation_losses : list of float
    stopped : bool
        Whether a callback or a stopping rule has ended the training.
    """

    def __init__(
        self, task: TrainingTask, rate: float, incremental: bool = False
    ) -> None:
        params, before = task.params, task.checkpoint
        self.task = task
        self.weight, mean_weight = _normalize(task.data.weight, task.data.rows)
        self.alpha = float(params.alpha) / mean_weight
        self.max_iter = 1 if incremental else params.max_iter
        self.incremental = incremental
        schedule = params.learning_rate
        if schedule == "invscaling" and not is_sgd(params.solver):
            schedule = "constant"
        self.learning_rate = LearningRate(
            schedule,
            rate,
            self.max_iter,
            n_samples=task.data.n_samples,
            t_before=task.t_before,
            power_t=float(params.power_t),
        )
        if incremental and self.learning_rate.follows_epochs:
            self.learning_rate.override(rate)  # the number of epochs is unknown
        self.loss_curve = list(before.loss_curve)
        self.validation_scores = list(before.validation_scores)
        self.validation_losses = list(before.validation_losses)
        self.stopped = False
        self._n_steps = 0
        self._stopping = self._stopping_rule()
        # Best weights so far and the bias of their moving averages.
        self._best: tuple[list[Array], float] | None = None
        if params.early_stopping and self.validation_scores:
            self._best = before.arrays, before.moving_average_bias

    def _stopping_rule(self) -> StoppingRule | None:
        params, before = self.task.params, self.task.checkpoint
        best = -min(before.loss_curve, default=np.inf)
        if params.early_stopping:
            best = max(before.validation_scores, default=-np.inf)
        elif params.tol is None and params.learning_rate != "adaptive":
            return None
        tol = _DEFAULT_TOL if params.tol is None else params.tol
        return StoppingRule(tol, params.n_iter_no_change, best, before.no_improvement)

    @property
    def n_epochs(self) -> int:
        """Number of epochs trained so far, those before the checkpoint excluded."""
        return len(self.loss_curve) - len(self.task.checkpoint.loss_curve)

    @property
    def looks_between_epochs(self) -> bool:
        """Whether weights or losses are needed after every epoch."""
        return bool(self._stopping or self.task.data.validation)

    def rows(self, n_epochs: int) -> Array:
        """Rows of X in the order of each of the next epochs, (n_epochs, n_samples)."""
        data, seed = self.task.data, self.task.checkpoint.seed
        rows = np.arange(data.n_samples) if data.rows is None else data.rows
        if not self.task.params.shuffle:
            return np.tile(rows, (n_epochs, 1))
        streams = (
            random_stream(seed, ROW_ORDER, len(self.loss_curve) + ahead)
            for ahead in range(n_epochs)
        )
        return np.stack([rows[stream.permutation(len(rows))] for stream in streams])

    def dropout_seeds(self) -> Array:
        """Seed of each dropout layer in the next epoch, (n_dropouts, 2)."""
        n_dropouts = np.count_nonzero(self.task.network.dropout)
        if not n_dropouts:
            return np.empty((0, 2), dtype=np.uint32)
        rng = random_stream(self.task.checkpoint.seed, DROPOUT, len(self.loss_curve))
        return rng.integers(2**32, size=(n_dropouts, 2), dtype=np.uint32)

    def distortions(self, n_epochs: int) -> Iterator[tuple[np.random.Generator, float]]:
        """Random numbers and strength of distortions in each of the next epochs."""
        final_strength = self.task.params.augment.final_strength
        for ahead in range(n_epochs):
            number = len(self.loss_curve) + ahead
            stream = random_stream(self.task.checkpoint.seed, DISTORTION, number)
            done = (self.n_epochs + ahead + 1) / self.max_iter
            decayed = 0.0 if self.incremental else decay_fraction(done)
            yield stream, float(1 - (1 - final_strength) * decayed)

    def rates(self, n_steps: int, ahead: int = 0) -> Array:
        """Learning rate of each step, `ahead` epochs after the next."""
        return self.learning_rate.over_epoch(self.n_epochs + ahead, n_steps)

    def add_epochs(self, losses: list[float], n_steps: int) -> None:
        """Record the losses of the next epochs, each of `n_steps` steps.

        Raises
        ------
        ValueError
            If a loss is not finite.
        """
        for number, loss in enumerate(losses, start=self.n_epochs + 1):
            if not np.isfinite(loss):
                raise self._diverged(f"the loss of epoch {number} is {loss}")
        self.loss_curve += losses
        self._n_steps += n_steps * len(losses)

    def validate(self, arrays: list[Array]) -> tuple[float, float]:
        """Record and return the validation loss and score of layer arrays.

        Raises
        ------
        ValueError
            If the loss is not finite.
        """
        assert self.task.data.validation is not None
        X, y, weight = self.task.data.validation
        network = self.task.network
        coefs, intercepts, _ = fold_batch_norm(
            network, arrays, self._moving_average_bias
        )
        with np.errstate(over="ignore", invalid="ignore"):
            Z = inference.logits(
                X, coefs, intercepts, network.activation, network.rescale
            )
            loss = inference.log_loss(Z, y, network.out_activation, weight)
        if not np.isfinite(loss):
            raise self._diverged(f"the validation loss is {loss}")
        hits = inference.class_index(Z, network.out_activation) == y
        score = float(np.average(hits, weights=weight))
        if self.task.params.early_stopping and (
            self._best is None or score > max(self.validation_scores, default=-np.inf)
        ):
            self._best = arrays, self._moving_average_bias
        self.validation_losses.append(loss)
        self.validation_scores.append(score)
        return loss, score

    def is_over(self) -> bool:
        """Whether to stop before `max_iter`. Called once per epoch."""
        if self._stopping is None:
            return False
        early = self.task.params.early_stopping
        latest = self.validation_scores[-1] if early else -self.loss_curve[-1]
        if not self._stopping.update(latest):
            return False
        if self.learning_rate.reduce():
            self._stopping.count = 0
            return False
        return bool(early or self.task.params.tol is not None)

    @property
    def _moving_average_bias(self) -> float:
        return self.task.checkpoint.moving_average_bias * NORM_MOMENTUM**self._n_steps

    def finish(
        self,
        arrays: list[Array],
        resumed_from: list[Array] | None = None,
        optimizer: list[Array] | None = None,
        optimizer_label: str = "",
    ) -> TrainingResult:
        """Return the result of the training.

        Parameters
        ----------
        arrays : list of ndarray
            Weights to predict with, as layer arrays.
        resumed_from : list of ndarray, default=None
            Weights to resume from if `arrays` are an average; None for `arrays`.
        optimizer : list of ndarray, default=None
            Variables of the optimizer to resume with.
        optimizer_label : str, default=""

        Returns
        -------
        result : TrainingResult

        Raises
        ------
        ValueError
            If the weights are not finite.
        """
        moving_average_bias = self._moving_average_bias
        if self._best is not None:
            arrays, moving_average_bias = self._best
            resumed_from = None
        if not all(np.isfinite(array).all() for array in arrays):
            raise self._diverged("weights are no longer finite")
        coefs, intercepts, norms = fold_batch_norm(
            self.task.network, arrays, moving_average_bias
        )
        adaptive = self.learning_rate.schedule == "adaptive"
        checkpoint = Checkpoint(
            seed=self.task.checkpoint.seed,
            arrays=arrays if resumed_from is None else resumed_from,
            moving_average_bias=moving_average_bias,
            optimizer=optimizer,
            optimizer_label=optimizer_label,
            learning_rate=self.learning_rate.current if adaptive else None,
            no_improvement=0 if self._stopping is None else self._stopping.count,
            loss_curve=list(self.loss_curve),
            validation_scores=list(self.validation_scores),
            validation_losses=list(self.validation_losses),
        )
        n_epochs = self.n_epochs
        converged = self.incremental or self.stopped or n_epochs < self.max_iter
        return TrainingResult(coefs, intercepts, norms, checkpoint, n_epochs, converged)

    def _diverged(self, problem: str) -> ValueError:
        return ValueError(
            f"Training diverged: {problem}. Expected finite values. Use a smaller "
            f"learning rate (it is {self.learning_rate.current:g}), or scale X, for "
            "digits to the range 0 to 1 (with `rescale=1/255` for images of 0 to 255)."
        )


@dataclass
class Member:
    """A network that a program trains.

    Parameters
    ----------
    state : TrainerState
    slot : Slot
    outcome : TrainingResult or Exception, default=None
        The result of its training, or the error that ended it.
    """

    state: TrainerState
    slot: Slot = Slot()
    outcome: TrainingResult | Exception | None = None

    @property
    def task(self) -> TrainingTask:
        """Its task."""
        return self.state.task

    @property
    def is_done(self) -> bool:
        """Whether its training has ended."""
        state = self.state
        ended = state.stopped or state.n_epochs >= state.max_iter
        return self.outcome is not None or ended


def _normalize(weight: Array, rows: Array | None) -> tuple[Array, float]:
    """Weights with a mean of 1 over the training rows, and their mean before."""
    largest = weight.max()
    scaled = weight / largest
    mean = (scaled if rows is None else scaled[rows]).mean()
    return scaled / mean, float(mean * largest)
