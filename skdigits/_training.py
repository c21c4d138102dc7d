"""Training: arrays in, weights and history out.

This is the library's one way to train. Keras does it, inside
`TrainingProgram`; what happens between epochs (order of the rows, learning rate,
validation, callbacks, stopping) is here.
"""

import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skdigits import _forward
from skdigits._feeding import ROW_BUCKET, RowFeed
from skdigits._network import NORM_MOMENTUM, fold, initial_arrays
from skdigits._optimizer import OptimizerSpec
from skdigits._program import ProgramSpec
from skdigits._program_cache import programs
from skdigits._schedule import LearningRate, StoppingRule
from skdigits._tensorflow import load_keras

# From this many steps on, compiling with XLA saves more time than it takes: 0.1 ms a
# step, and as much again for every so many floating-point operations in it.
_STEPS_WORTH_COMPILING = 2000
_WORK_WORTH_A_STEP = 3e7
# As much training as that, and at most so many epochs, are done in one call where
# nothing looks between epochs: not so long that Ctrl-C would seem to be ignored.
_STEPS_IN_A_CALL = 2000
_MOST_EPOCHS_IN_A_CALL = 16
# `partial_fit` is one epoch, but rarely called once.
_PARTIAL_FIT_REPEATS = 10

# Where a rule needs a tolerance and `tol` is None: scikit-learn's default.
_DEFAULT_TOL = 1e-4

# The random streams that the seed of a fit is split into.
_INITIAL_WEIGHTS, _ROW_ORDER, _DROPOUT = range(3)


@dataclass
class TrainingData:
    """Rows to train on, and to validate on.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
    y : ndarray of int of shape (n_samples,)
        Class indices.
    weight : ndarray of shape (n_samples,)
    rows : ndarray of int, default=None
        The rows of X to train on; None for all.
    validation : tuple of (X, y, weight), default=None
        Held-out rows, `weight` an ndarray or None.
    """

    X: object
    y: np.ndarray
    weight: np.ndarray
    rows: np.ndarray | None = None
    validation: tuple | None = None

    @property
    def n_samples(self):
        """Number of rows to train on."""
        return self.X.shape[0] if self.rows is None else len(self.rows)


@dataclass
class Progress:
    """How far a training is: all that going on needs, and what it has shown so far.

    Parameters
    ----------
    seed : int
        Where every random number of the training comes from. An epoch's depend on
        the seed and its number alone, so a resumed training draws what an
        uninterrupted one would.
    arrays : list of ndarray
        Weights, as layer arrays.
    norm_prior : float, default=1.0
        See `skdigits._network.fold`.
    optimizer : list of ndarray, default=None
        The optimizer's variables; None for a fresh one.
    optimizer_label : str, default=""
        Which optimizer they belong to.
    learning_rate : float, default=None
        Where an adaptive learning rate has come to.
    no_improvement : int, default=0
        Epochs without improvement so far.
    loss_curve, validation_scores, validation_losses : list of float
        One value an epoch, or an epoch that was validated.
    """

    seed: int
    arrays: list
    norm_prior: float = 1.0
    optimizer: list | None = None
    optimizer_label: str = ""
    learning_rate: float | None = None
    no_improvement: int = 0
    loss_curve: list = field(default_factory=list)
    validation_scores: list = field(default_factory=list)
    validation_losses: list = field(default_factory=list)

    @classmethod
    def start(cls, network, seed):
        """A training that is about to begin."""
        rng = _stream(seed, _INITIAL_WEIGHTS, 0)
        return cls(seed=seed, arrays=initial_arrays(network, rng))


@dataclass
class Trained:
    """What training made.

    Parameters
    ----------
    coefs, intercepts, norms : list of ndarray
        The network to predict with, see `skdigits._network.fold`.
    progress : Progress
        What to go on from.
    n_epochs : int
        Epochs trained this time.
    """

    coefs: list
    intercepts: list
    norms: list
    progress: Progress
    n_epochs: int


def train(network, params, data, progress, *, incremental=False):
    """Train a network.

    Parameters
    ----------
    network : Network
    params : DigitMLPClassifier
        Its parameters, validated, are read; nothing of it is changed.
    data : TrainingData
    progress : Progress
        Where to start from; it is not changed.
    incremental : bool, default=False
        Whether to train one epoch, as `partial_fit` does, at a learning rate that
        goes on from the last one.

    Returns
    -------
    trained : Trained

    Raises
    ------
    ValueError
        If the loss or the weights are no longer finite.
    """
    keras = load_keras()
    _check_callbacks(keras, params.callbacks)
    optimizer, learning_rate = OptimizerSpec.from_solver(
        keras, params.solver, params.ema
    )
    if optimizer.follows_schedule and params.learning_rate != "constant":
        raise ValueError(
            "learning_rate must be 'constant' where `solver` is a Keras optimizer "
            f"with a schedule of its own. Got {params.learning_rate!r} instead."
        )
    n_samples = data.n_samples
    # A batch larger than the data is mostly padding; rounded, folds still share.
    batch_size = min(int(params.batch_size), -(-n_samples // 1024) * 1024)
    n_epochs = _PARTIAL_FIT_REPEATS if incremental else params.max_iter
    n_steps = n_epochs * -(-n_samples // batch_size)
    compiled = n_steps * _cost_of_step(network, batch_size) >= _STEPS_WORTH_COMPILING
    dtype = np.dtype(network.dtype)
    weight, mean_weight = _normalize(data.weight, data.rows)
    feed = RowFeed(
        data.X,
        data.y,
        weight,
        data.rows,
        batch_size,
        _epochs_in_a_call(network, batch_size, n_samples),
        dtype,
        compiled,
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
    )
    rate = params.learning_rate_init if learning_rate is None else learning_rate
    if incremental and progress.learning_rate is not None:
        rate = progress.learning_rate
    same_optimizer = progress.optimizer_label == optimizer.label
    with programs.checkout(spec) as program:
        program.load(progress.arrays, progress.optimizer if same_optimizer else None)
        program.set_learning_rate(rate)
        # The L2 term is divided by the mean weight as the rows are.
        alpha = float(params.alpha) / mean_weight
        run = _Run(params, data, feed, program, progress, rate, alpha, incremental)
        return run.train()


def _cost_of_step(network, batch_size):
    """Time of a step, in units of what a step of a tiny network takes.

    It depends on the fit alone, never on what is in the cache: a compiled program
    rounds differently, and `random_state` promises the same weights bit for bit.
    """
    n_weights = sum(n_in * n_out for n_in, n_out in pairwise(network.layer_sizes))
    return 1 + 6 * batch_size * n_weights / _WORK_WORTH_A_STEP


def _epochs_in_a_call(network, batch_size, n_samples):
    n_rows = -(-n_samples // ROW_BUCKET) * ROW_BUCKET
    cost = -(-n_rows // batch_size) * _cost_of_step(network, batch_size)
    return int(np.clip(_STEPS_IN_A_CALL // cost, 1, _MOST_EPOCHS_IN_A_CALL))


def _normalize(weight, rows):
    """Weights with a mean of 1 over the rows to train on, and what it was before."""
    largest = weight.max()
    scaled = weight / largest
    mean = (scaled if rows is None else scaled[rows]).mean()
    return scaled / mean, mean * largest


def _check_callbacks(keras, callbacks):
    for callback in callbacks or ():
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                "The 'callbacks' parameter of DigitMLPClassifier must be a list of "
                f"keras.callbacks.Callback instances. Got {callback!r} in it instead."
            )


class _Run:
    """One call of `train`, with a program at hand."""

    def __init__(self, params, data, feed, program, before, rate, alpha, incremental):
        self.params = params
        self.alpha = alpha
        self.data = data
        self.feed = feed
        self.program = program
        self.before = before
        self.incremental = incremental
        self.max_iter = 1 if incremental else params.max_iter
        schedule = params.learning_rate
        if incremental and schedule == "cosine":
            schedule = "constant"  # nobody knows how many epochs will follow
        self.learning_rate = LearningRate(schedule, rate, self.max_iter)
        self.rate_left = program.learning_rate
        self.steps_before = program.n_steps
        self.loss_curve = list(before.loss_curve)
        self.validation_scores = list(before.validation_scores)
        self.validation_losses = list(before.validation_losses)
        self.stopping = self._stopping_rule()
        # The best weights so far, and what training would go on with from there.
        self.best = None
        if params.early_stopping and self.validation_scores:
            self.best = before.arrays, before.norm_prior

    def _stopping_rule(self):
        params, before = self.params, self.before
        best = -min(before.loss_curve, default=np.inf)
        if params.early_stopping:
            best = max(before.validation_scores, default=-np.inf)
        elif params.tol is None and params.learning_rate != "adaptive":
            return None
        tol = _DEFAULT_TOL if params.tol is None else params.tol
        return StoppingRule(tol, params.n_iter_no_change, best, before.no_improvement)

    def train(self):
        program = self.program
        callbacks = load_keras().callbacks.CallbackList(
            list(self.params.callbacks or ()),
            model=program.model,
            epochs=self.max_iter,
            steps=-(-self.feed.n_samples // program.spec.batch_size),
            verbose=0,
        )
        try:
            try:
                callbacks.on_train_begin()
                self._train_epochs(callbacks)
            except KeyboardInterrupt:
                warnings.warn("Training interrupted by user.", stacklevel=2)
            return self._finish(callbacks)
        finally:
            for callback in callbacks.callbacks:
                callback._model = None  # it goes on to other fits

    def _train_epochs(self, callbacks):
        observed = callbacks.callbacks or self.stopping or self.data.validation
        # Every epoch starts dropout's random numbers anew.
        one_by_one = observed or any(self.program.spec.network.dropout)
        most = 1 if one_by_one else self.feed.n_epochs
        epoch = 0
        with _progress_bar(self.params.verbose, self.max_iter) as show:
            while epoch < self.max_iter:
                n_epochs = min(most, self.max_iter - epoch)
                callbacks.on_epoch_begin(epoch)
                if callbacks.callbacks:
                    self._heed_learning_rate()
                logs = self._train_some(epoch, n_epochs)
                show(n_epochs, logs)
                if callbacks.callbacks:
                    self.program.update_model()
                    self.rate_left = self.program.learning_rate
                callbacks.on_epoch_end(epoch, logs)
                if self._is_over():
                    return
                epoch += n_epochs
        if self.params.tol is not None and not self.incremental:
            warnings.warn(
                f"Maximum iterations ({self.max_iter}) reached and the optimization "
                "hasn't converged yet. Increase max_iter or tol.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _heed_learning_rate(self):
        """A learning rate that a callback has set is kept from there on."""
        rate = self.program.learning_rate
        if rate != self.rate_left:
            self.learning_rate.override(rate)

    def _train_some(self, epoch, n_epochs):
        """Train some epochs from number `epoch` of this call on."""
        program, params = self.program, self.params
        n_samples = self.feed.n_samples
        before = len(self.loss_curve)
        if any(program.spec.network.dropout):
            program.seed_dropout(_stream(self.before.seed, _DROPOUT, before))
        n_steps = -(-n_samples // program.spec.batch_size)
        rates = np.stack(
            [self.learning_rate.over_epoch(epoch + i, n_steps) for i in range(n_epochs)]
        )
        orders = np.stack([self._row_order(before + i) for i in range(n_epochs)])
        losses = 0
        for batches in self.feed.batches(orders):
            some = slice(batches.start, batches.start + len(batches.n_in_batch))
            losses = losses + program.run(
                batches, rates[:, some], self.alpha, params.label_smoothing
            )
        losses = (losses / n_samples).tolist()
        for number, loss in enumerate(losses, start=epoch + 1):
            if not np.isfinite(loss):
                raise self._diverged(f"the loss of epoch {number} is {loss}")
        self.loss_curve += losses
        logs = {"loss": losses[-1]}
        if self.data.validation is not None:
            val_loss, val_score = self._validate()
            logs.update(val_loss=val_loss, val_accuracy=val_score)
        return logs

    def _row_order(self, number):
        n_samples = self.feed.n_samples
        if not self.params.shuffle:
            return np.arange(n_samples)
        return _stream(self.before.seed, _ROW_ORDER, number).permutation(n_samples)

    def _validate(self):
        X, y, weight = self.data.validation
        network, program = self.program.spec.network, self.program
        averages = program.spec.optimizer.averages
        arrays = program.averaged_arrays() if averages else program.arrays()
        coefs, intercepts, _ = fold(network, arrays, self.norm_prior)
        with np.errstate(over="ignore", invalid="ignore"):
            Z = _forward.logits(
                X, coefs, intercepts, network.activation, network.rescale
            )
            loss = _forward.log_loss(Z, y, network.out_activation, weight)
        if not np.isfinite(loss):
            raise self._diverged(f"the validation loss is {loss}")
        hits = _forward.class_index(Z, network.out_activation) == y
        score = float(np.average(hits, weights=weight))
        if self.params.early_stopping and (
            self.best is None or score > max(self.validation_scores)
        ):
            self.best = arrays, self.norm_prior
        self.validation_losses.append(loss)
        self.validation_scores.append(score)
        return loss, score

    def _is_over(self):
        if self.program.model.stop_training:
            return True
        if self.stopping is None:
            return False
        early = self.params.early_stopping
        latest = self.validation_scores[-1] if early else -self.loss_curve[-1]
        if not self.stopping.update(latest):
            return False
        if self.learning_rate.reduce():
            self.stopping.count = 0
            return False
        return early or self.params.tol is not None

    @property
    def norm_prior(self):
        n_steps = self.program.n_steps - self.steps_before
        return self.before.norm_prior * NORM_MOMENTUM**n_steps

    def _finish(self, callbacks):
        program, network = self.program, self.program.spec.network
        unaveraged = kept = averaged = program.arrays()
        optimizer = None
        if self.params.warm_start or self.incremental:
            optimizer = program.optimizer_arrays()
        if program.spec.optimizer.averages:
            program.average_weights()
            kept = averaged = program.arrays()
        norm_prior = self.norm_prior
        if callbacks.callbacks:
            program.update_model()
            callbacks.on_train_end()
            kept = program.arrays()
        touched = any(
            not np.array_equal(a, b, equal_nan=True)
            for a, b in zip(kept, averaged, strict=True)
        )
        resumed_from = kept if touched else unaveraged
        if self.best is not None:
            kept, norm_prior = self.best
            resumed_from = kept
        if not all(np.isfinite(array).all() for array in kept):
            raise self._diverged("weights are no longer finite")
        coefs, intercepts, norms = fold(network, kept, norm_prior)
        progress = Progress(
            seed=self.before.seed,
            arrays=resumed_from,
            norm_prior=norm_prior,
            optimizer=optimizer,
            optimizer_label=program.spec.optimizer.label,
            learning_rate=(
                self.learning_rate.current
                if self.learning_rate.schedule == "adaptive"
                else None
            ),
            no_improvement=0 if self.stopping is None else self.stopping.count,
            loss_curve=self.loss_curve,
            validation_scores=self.validation_scores,
            validation_losses=self.validation_losses,
        )
        n_epochs = len(self.loss_curve) - len(self.before.loss_curve)
        return Trained(coefs, intercepts, norms, progress, n_epochs)

    def _diverged(self, what):
        return ValueError(
            f"Training diverged: {what}. Expected finite values. Use a smaller "
            f"learning rate (it is {self.learning_rate.current:g}), or scale X, for "
            "digits to the range 0 to 1 (with `rescale=1/255` for images of 0 to 255)."
        )


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


def _stream(seed, purpose, number):
    """The random numbers for one purpose of one epoch of a training."""
    return np.random.default_rng([seed, purpose, number])
