"""What goes into a training and what comes out of it."""

from dataclasses import dataclass, field

import numpy as np

from skdigits._network.architecture import Network, initial_arrays
from skdigits._random import INITIAL_WEIGHTS, random_stream
from skdigits.augmentation._warp import Distortion


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
        return len(self.y) if self.rows is None else len(self.rows)


@dataclass
class Checkpoint:
    """How far a training is: all that going on needs, and what it has shown so far.

    Parameters
    ----------
    seed : int
        Where every random number of the training comes from. An epoch's depend on
        the seed and its number alone, so a resumed training draws what an
        uninterrupted one would.
    arrays : list of ndarray
        Weights, as layer arrays.
    moving_average_bias : float, default=1.0
        See `skdigits._network.batch_norm.fold_batch_norm`.
    optimizer : list of ndarray, default=None
        The optimizer's variables; None for a fresh one.
    optimizer_label : str, default=""
        Which optimizer they belong to.
    learning_rate : float, default=None
        Where an adaptive learning rate has come to.
    no_improvement : int, default=0
        Epochs without improvement so far.
    loss_curve, validation_scores, validation_losses : list of float
        One value an epoch, or an epoch that was validated; nan where it is lost.
    """

    seed: int
    arrays: list
    moving_average_bias: float = 1.0
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
        rng = random_stream(seed, INITIAL_WEIGHTS, 0)
        return cls(seed=seed, arrays=initial_arrays(network, rng))


@dataclass
class TrainingTask:
    """A training to do.

    Parameters
    ----------
    network : Network
    params : DigitMLPClassifier
        Its parameters, validated, are read; nothing of it is changed.
    data : TrainingData
    checkpoint : Checkpoint
        Where to start from; it is not changed.
    t_before : int, default=0
        Rows that were trained on before, counted as often as they were.
    distortion : Distortion, default=None
        What to do with the images of every batch.
    """

    network: Network
    params: object
    data: TrainingData
    checkpoint: Checkpoint
    t_before: int = 0
    distortion: Distortion | None = None


@dataclass
class TrainingResult:
    """What training made.

    Parameters
    ----------
    coefs, intercepts, norms : list of ndarray
        The network to predict with, see `skdigits._network.batch_norm.fold_batch_norm`.
    checkpoint : Checkpoint
        What to go on from.
    n_epochs : int
        Epochs trained this time.
    """

    coefs: list
    intercepts: list
    norms: list
    checkpoint: Checkpoint
    n_epochs: int


def without_nan(values):
    """Those of a curve that are not lost."""
    return [value for value in values if value == value]
