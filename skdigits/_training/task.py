"""Input and output of a training."""

from dataclasses import dataclass, field
from typing import Any

from skdigits._network import Array
from skdigits._network.architecture import Network, initial_arrays
from skdigits._random import INITIAL_WEIGHTS, random_stream
from skdigits.augmentation._warp import Distortion


@dataclass
class TrainingData:
    """Training rows and validation rows.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
    y : ndarray of int of shape (n_samples,)
        Class indices.
    weight : ndarray of shape (n_samples,)
    rows : ndarray of int, default=None
        Indices of the rows of X to train on; None for all.
    validation : tuple of (X, y, weight), default=None
        Validation rows; `weight` is an ndarray or None.
    number : int, default=0
        Number of the data set: tasks of equal numbers that are trained together have
        equal X.
    """

    X: Any
    y: Array
    weight: Array
    rows: Array | None = None
    validation: tuple[Any, Array, Array | None] | None = None
    number: int = 0

    @property
    def n_samples(self) -> int:
        """Number of rows to train on."""
        return len(self.y) if self.rows is None else len(self.rows)


@dataclass
class Checkpoint:
    """State of a training, from which it can resume.

    Parameters
    ----------
    seed : int
        Seed of all random numbers of the training. Those of an epoch depend on the
        seed and the number of the epoch alone, so a resumed training draws the same
        numbers as an uninterrupted one.
    arrays : list of ndarray
        Weights, as layer arrays.
    moving_average_bias : float, default=1.0
        See `skdigits._network.batch_norm.fold_batch_norm`.
    optimizer : list of ndarray, default=None
        Variables of the optimizer; None for a new one.
    optimizer_label : str, default=""
        Class of the optimizer that they belong to.
    learning_rate : float, default=None
        Current value of an adaptive learning rate.
    no_improvement : int, default=0
        Number of epochs since the last improvement.
    loss_curve, validation_scores, validation_losses : list of float
        One value per epoch.
    """

    seed: int
    arrays: list[Array]
    moving_average_bias: float = 1.0
    optimizer: list[Array] | None = None
    optimizer_label: str = ""
    learning_rate: float | None = None
    no_improvement: int = 0
    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)

    @classmethod
    def start(cls, network: Network, seed: int) -> "Checkpoint":
        """Checkpoint of a training before its first epoch."""
        rng = random_stream(seed, INITIAL_WEIGHTS, 0)
        return cls(seed=seed, arrays=initial_arrays(network, rng))


@dataclass
class TrainingTask:
    """A training to run.

    Parameters
    ----------
    network : Network
    params : DigitMLPClassifier
        Its validated parameters are read. It is not changed.
    data : TrainingData
    checkpoint : Checkpoint
        Where training starts. It is not changed.
    t_before : int, default=0
        Number of rows trained on before, all epochs together.
    distortion : Distortion, default=None
        Distortion of the images of each batch.
    """

    network: Network
    params: Any
    data: TrainingData
    checkpoint: Checkpoint
    t_before: int = 0
    distortion: Distortion | None = None


@dataclass
class TrainingResult:
    """Result of a training.

    Parameters
    ----------
    coefs, intercepts, norms : list of ndarray
        The network to predict with, see
        `skdigits._network.batch_norm.fold_batch_norm`.
    checkpoint : Checkpoint
        Where training can resume.
    n_epochs : int
        Number of epochs of this training.
    converged : bool, default=True
        Whether training stopped before `max_iter`; True for `partial_fit`.
    interrupted : bool, default=False
        Whether Ctrl-C has ended training.
    """

    coefs: list[Array]
    intercepts: list[Array]
    norms: list[Array]
    checkpoint: Checkpoint
    n_epochs: int
    converged: bool = True
    interrupted: bool = False
