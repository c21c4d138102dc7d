"""One training as it goes: order of the rows, learning rate, losses, when to stop.

It knows nothing of TensorFlow: whoever trains asks it what to do next and tells it
what came of that.
"""

import numpy as np

from skdigits._network import inference
from skdigits._network.batch_norm import NORM_MOMENTUM, fold_batch_norm
from skdigits._random import DISTORTION, DROPOUT, ROW_ORDER, random_stream
from skdigits._training.schedules import LearningRate, StoppingRule, decay_fraction
from skdigits._training.task import Checkpoint, TrainingResult, without_nan

# Where a rule needs a tolerance and `tol` is None: scikit-learn's default.
_DEFAULT_TOL = 1e-4


class TrainerState:
    """The state of one training.

    Parameters
    ----------
    task : TrainingTask
    rate : float
        Learning rate to start at.
    incremental : bool, default=False
        Whether to train one epoch, as `partial_fit` does.

    Attributes
    ----------
    weight : ndarray of shape (n_rows_of_X,)
        Weights of the rows, with a mean of 1 over those to train on.
    alpha : float
        L2 strength, divided by the mean weight as the rows are.
    max_iter : int
    learning_rate : LearningRate
    loss_curve, validation_scores, validation_losses : list of float
    """

    def __init__(self, task, rate, incremental=False):
        params, before = task.params, task.checkpoint
        self.task = task
        self.weight, mean_weight = _normalize(task.data.weight, task.data.rows)
        self.alpha = float(params.alpha) / mean_weight
        self.max_iter = 1 if incremental else params.max_iter
        self._incremental = incremental
        self.learning_rate = LearningRate(params.learning_rate, rate, self.max_iter)
        if incremental and self.learning_rate.follows_epochs:
            self.learning_rate.override(rate)  # nobody knows how many will follow
        self.loss_curve = list(before.loss_curve)
        self.validation_scores = list(before.validation_scores)
        self.validation_losses = list(before.validation_losses)
        self._n_steps = 0
        self._stopping = self._stopping_rule()
        # The best weights so far, and what training would go on with from there.
        self._best = None
        if params.early_stopping and self.validation_scores:
            self._best = before.arrays, before.moving_average_bias

    def _stopping_rule(self):
        params, before = self.task.params, self.task.checkpoint
        best = -min(without_nan(before.loss_curve), default=np.inf)
        if params.early_stopping:
            best = max(without_nan(before.validation_scores), default=-np.inf)
        elif params.tol is None and params.learning_rate != "adaptive":
            return None
        tol = _DEFAULT_TOL if params.tol is None else params.tol
        return StoppingRule(tol, params.n_iter_no_change, best, before.no_improvement)

    @property
    def n_epochs(self):
        """Epochs trained so far, here."""
        return len(self.loss_curve) - len(self.task.checkpoint.loss_curve)

    @property
    def looks_between_epochs(self):
        """Whether every epoch must be told of before the next is trained."""
        return bool(self._stopping or self.task.data.validation)

    def row_order(self, ahead=0):
        """Order of the rows in the epoch so far ahead of the next."""
        n_samples = self.task.data.n_samples
        if not self.task.params.shuffle:
            return np.arange(n_samples)
        number = len(self.loss_curve) + ahead
        return random_stream(self.task.checkpoint.seed, ROW_ORDER, number).permutation(
            n_samples
        )

    def dropout_stream(self):
        """Where the next epoch's dropout takes its random numbers from."""
        return random_stream(self.task.checkpoint.seed, DROPOUT, len(self.loss_curve))

    def distortions(self, n_epochs):
        """Random numbers and strength of the distortions in each of the next epochs."""
        final_strength = self.task.params.augment.final_strength
        for ahead in range(n_epochs):
            number = len(self.loss_curve) + ahead
            stream = random_stream(self.task.checkpoint.seed, DISTORTION, number)
            done = (self.n_epochs + ahead + 1) / self.max_iter
            decayed = 0.0 if self._incremental else decay_fraction(done)
            yield stream, 1 - (1 - final_strength) * decayed

    def skip_epochs(self, n_epochs, n_steps):
        """Begin that many epochs later: they were trained before, by a lost process.

        Nobody knows their losses any more, but that they were there counts.
        """
        unknown = [np.nan] * n_epochs
        self.loss_curve += unknown
        if self.task.data.validation is not None:
            self.validation_scores += unknown
            self.validation_losses += unknown
        self._n_steps += n_epochs * n_steps

    def rates(self, n_steps, ahead=0):
        """Learning rate of each step of the epoch so far ahead of the next."""
        return self.learning_rate.over_epoch(self.n_epochs + ahead, n_steps)

    def add_epochs(self, losses, n_steps):
        """Take the losses of the next epochs, each of so many steps.

        Raises
        ------
        ValueError
            If one is not finite.
        """
        for number, loss in enumerate(losses, start=self.n_epochs + 1):
            if not np.isfinite(loss):
                raise self._diverged(f"the loss of epoch {number} is {loss}")
        self.loss_curve += losses
        self._n_steps += n_steps * len(losses)

    def validate(self, arrays):
        """Take the weights after an epoch; validation loss and score.

        Raises
        ------
        ValueError
            If the loss is not finite.
        """
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
            self._best is None
            or score > max(without_nan(self.validation_scores), default=-np.inf)
        ):
            self._best = arrays, self._moving_average_bias
        self.validation_losses.append(loss)
        self.validation_scores.append(score)
        return loss, score

    def is_over(self):
        """Whether to stop now, before `max_iter`; asked once an epoch."""
        if self._stopping is None:
            return False
        early = self.task.params.early_stopping
        latest = self.validation_scores[-1] if early else -self.loss_curve[-1]
        if not self._stopping.update(latest):
            return False
        if self.learning_rate.reduce():
            self._stopping.count = 0
            return False
        return early or self.task.params.tol is not None

    @property
    def _moving_average_bias(self):
        return self.task.checkpoint.moving_average_bias * NORM_MOMENTUM**self._n_steps

    def finish(self, arrays, resumed_from=None, optimizer=None, optimizer_label=""):
        """What came of it.

        Parameters
        ----------
        arrays : list of ndarray
            Weights to predict with, as layer arrays.
        resumed_from : list of ndarray, default=None
            Weights to go on from, where these are an average; None for the same.
        optimizer : list of ndarray, default=None
            The optimizer's variables, to go on with.
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
        return TrainingResult(coefs, intercepts, norms, checkpoint, self.n_epochs)

    def _diverged(self, what):
        return ValueError(
            f"Training diverged: {what}. Expected finite values. Use a smaller "
            f"learning rate (it is {self.learning_rate.current:g}), or scale X, for "
            "digits to the range 0 to 1 (with `rescale=1/255` for images of 0 to 255)."
        )


def _normalize(weight, rows):
    """Weights with a mean of 1 over the rows to train on, and what it was before."""
    largest = weight.max()
    scaled = weight / largest
    mean = (scaled if rows is None else scaled[rows]).mean()
    return scaled / mean, mean * largest
