"""Epochs of training as one TensorFlow program.

A program holds a real `keras.Sequential` and a real Keras optimizer: it is Keras
that trains. All that may differ between two fits of the same shape (rows, weights,
learning rate, number of steps) is an argument, so the folds of a cross-validation share
a program.
"""

import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from skdigits._keras.loading import load_keras, load_tensorflow
from skdigits._keras.model import build_model, compile_model, layer_variables
from skdigits._keras.optimizers import OptimizerSpec
from skdigits._network import Array
from skdigits._network.architecture import Network
from skdigits._training.data_loader import Batches
from skdigits._training.flat_parameters import (
    FlatParameters,
    LayerParameters,
    assign,
    bytes_of,
    copies_of,
)
from skdigits._training.loss import cross_entropy
from skdigits._training.shared_function import SharedFunction, shared_function
from skdigits.augmentation._warp import distort, terms_of


@dataclass(frozen=True)
class ProgramSpec:
    """Properties of a program. Fits with equal specs share programs.

    Parameters
    ----------
    network : Network
    optimizer : OptimizerSpec
    batch_size : int
    x_dtype : str
        Dtype of the rows on the device: "uint8" or that of the network.
    penalized : bool
        Whether there is an L2 term.
    compiled : bool
        Whether XLA compiles the program.
    floatx : str
        Default dtype of Keras, which the variables of the optimizer have.
    n_epochs : int
        Maximum number of epochs in one call.
    n_rows, n_batches : int or None
        Rows of X and number of batches of a compiled program; None for any.
    image_shape : tuple of int or None
        (height, width) of images that are distorted; None for no distortion.
    elastic_sigma : float or None
        See `skdigits.augmentation._warp.terms_of`.
    counts_hits : bool
        Whether the accuracy is computed too, for callbacks.
    """

    network: Network
    optimizer: OptimizerSpec
    batch_size: int
    x_dtype: str
    penalized: bool
    compiled: bool
    floatx: str = "float32"
    n_epochs: int = 1
    n_rows: int | None = None
    n_batches: int | None = None
    image_shape: tuple[int, int] | None = None
    elastic_sigma: float | None = None
    counts_hits: bool = False


class TrainingProgram:
    """A network, its optimizer and the program that trains them for some epochs.

    A program may update flat variables of its own, so the model and its optimizer are
    out of date after training until `update_model` is called.

    Parameters
    ----------
    spec : ProgramSpec

    Attributes
    ----------
    model : keras.Sequential
    optimizer : keras.optimizers.Optimizer
    """

    def __init__(self, spec: ProgramSpec) -> None:
        keras = self._keras = load_keras()
        self._tf = load_tensorflow()
        self.spec = spec
        self.model = build_model(keras, spec.network)
        self.optimizer = spec.optimizer.build()
        self.optimizer.build(self.model.trainable_variables)
        if spec.counts_hits:
            compile_model(keras, self.model, spec.network, self.optimizer)
        if spec.optimizer.elementwise:
            equal = spec.optimizer.build()
            self._weights: FlatParameters | LayerParameters = FlatParameters(
                keras, self._tf, self.model, self.optimizer, equal
            )
        else:
            self._weights = LayerParameters(self._tf, self.model, self.optimizer)
        self._model_is_behind = False
        self._variables = layer_variables(keras, self.model)
        # The others are moving averages of batch normalisation.
        self._is_trained = [variable.trainable for variable in self._variables]
        self._moving = [v for v in self._variables if not v.trainable]
        # All variables that the program updates.
        self._updated = [*self.model.variables, *self._weights.variables]
        self._fresh_optimizer = copies_of(self._tf, self.optimizer.variables)
        layers = self.model.layers
        self._seeds = [
            layer.seed_generator.state
            for layer in layers
            if isinstance(layer, keras.layers.Dropout)
        ]
        self._norms = [
            layer
            for layer in layers
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
        self._kernels = [
            layer.kernel for layer in layers if isinstance(layer, keras.layers.Dense)
        ]
        if spec.image_shape is not None:
            dtype = spec.network.dtype
            self._terms = terms_of(spec.image_shape, spec.elastic_sigma, dtype)
        self._compiled = spec.compiled
        self._function: Any = None  # until `_prepare`

    @cached_property
    def n_bytes(self) -> int:
        """Size of its variables in bytes."""
        trained_apart = self._weights.optimizer is not self.optimizer
        of_model = bytes_of([*self.model.variables, *self.optimizer.variables])
        return of_model * (2 if trained_apart else 1)

    # State in and out

    def load(
        self, arrays: list[Array], optimizer_arrays: list[Array] | None = None
    ) -> None:
        """Set the weights, and the optimizer's variables or their initial values."""
        pairs = list(zip(arrays, self._is_trained, strict=True))
        weights = [array for array, is_trained in pairs if is_trained]
        moving = [array for array, is_trained in pairs if not is_trained]
        assign(self._tf, self._moving, moving)
        if optimizer_arrays is None:
            optimizer_arrays = self._fresh_optimizer_arrays(weights)
        self._weights.load(weights, optimizer_arrays)
        self._model_is_behind = True
        self.model.stop_training = False

    def _fresh_optimizer_arrays(self, weights: list[Array]) -> list[Array]:
        if self.spec.optimizer.elementwise:
            return self._fresh_optimizer
        # Its initial values may depend on the weights, as in ScheduleFreeAdamW.
        assign(self._tf, self.model.trainable_variables, weights)
        optimizer = self.spec.optimizer.build()
        optimizer.build(self.model.trainable_variables)
        return copies_of(self._tf, optimizer.variables)

    def takes_state(self, arrays: list[Array]) -> bool:
        """Whether the variables of its optimizer have the shapes of `arrays`."""
        return [a.shape for a in self._fresh_optimizer] == [a.shape for a in arrays]

    def update_model(self) -> None:
        """Bring the model and its optimizer up to date."""
        if self._model_is_behind:
            self._weights.write_model()
            self._model_is_behind = False

    def arrays(self) -> list[Array]:
        """Copies of the weights, as layer arrays."""
        if not self._model_is_behind:
            return copies_of(self._tf, self._variables)
        weights = iter(self._weights.arrays())
        moving = iter(copies_of(self._tf, self._moving))
        return [next(weights if trained else moving) for trained in self._is_trained]

    def optimizer_arrays(self) -> list[Array]:
        """Copies of the optimizer's variables."""
        if not self._model_is_behind:
            return copies_of(self._tf, self.optimizer.variables)
        return self._weights.optimizer_arrays()

    def average_weights(self) -> None:
        """Replace the weights by their moving average where the optimizer keeps it."""
        if self.spec.optimizer.averages:
            self.update_model()
            self.optimizer.finalize_variable_values(self.model.trainable_variables)

    def averaged_arrays(self) -> list[Array]:
        """As `arrays`, of the moving averages where the optimizer keeps them."""
        current = self.arrays()
        if not self.spec.optimizer.averages:
            return current
        self.average_weights()
        averaged = self.arrays()
        assign(self._tf, self._variables, current)
        return averaged

    @property
    def learning_rate(self) -> float:
        """Learning rate of the optimizer, which must be up to date."""
        rate = self.optimizer.learning_rate  # or a float, of a schedule
        return float(rate.numpy() if hasattr(rate, "numpy") else rate)

    def set_learning_rate(self, rate: float) -> None:
        """Set the optimizer's learning rate, unless it follows its own schedule.

        The optimizer must be up to date. Each step of the training sets it, too.
        """
        if not self.spec.optimizer.follows_schedule:
            self.optimizer.learning_rate.assign(rate)

    # Training

    def run(
        self,
        batches: Batches,
        learning_rates: Array,
        alpha: Array,
        label_smoothing: Array,
        seeds: Array,
    ) -> Array:
        """Train on some batches.

        Parameters
        ----------
        batches : Batches
            The mean of the weights of all rows of the training set is 1.
        learning_rates : ndarray of shape (n_epochs, n_batches_per_epoch, 1, 1, 1)
            Learning rate of each step.
        alpha, label_smoothing : ndarray of shape (1, 1, 1)
        seeds : ndarray of uint32 of shape (n_dropouts, 2)
            Seed of each dropout layer at the start of the epoch.

        Returns
        -------
        sums : ndarray of shape (n_values, n_epochs, 1, 1, 1)
            Sum over the batches of the batch's loss times its number of rows; with
            `counts_hits` also of its accuracy.
        """
        if batches.start == 0:
            assign(self._tf, self._seeds, seeds)
        n_per_epoch = len(batches.n_in_batch)
        n_steps = batches.n_epochs * n_per_epoch
        steps = np.zeros((len(batches.index), 2))
        steps[:n_steps, 0] = learning_rates.ravel()
        steps[:n_steps, 1] = np.tile(batches.n_in_batch[:, 0], batches.n_epochs)
        scalars = np.array([alpha.item(), label_smoothing.item()])
        with np.errstate(over="ignore"):  # the loss will not be finite
            steps, scalars = (
                a.astype(self.spec.network.dtype) for a in (steps, scalars)
            )
        tf = self._tf
        parts = batches.index, batches.y, batches.weight
        arguments = [
            batches.X,
            *(tf.constant(part.ravel()) for part in parts),
            tf.constant(steps),
            tf.constant(n_per_epoch, tf.int32),
            tf.constant(scalars),
        ]
        if batches.coefficients is not None:
            shape = batches.coefficients.shape
            arguments.append(tf.constant(batches.coefficients.reshape(-1, *shape[-2:])))
        if not self._model_is_behind:
            self._weights.read_model()
        if self._function is None:
            self._prepare(arguments)
        sums = self._function(
            self._updated, [tf.constant(n_steps, tf.int32), *arguments]
        )
        self._model_is_behind = True
        per_epoch: Array = sums.numpy()[:, : batches.n_epochs].astype(np.float64)
        return per_epoch.reshape(*per_epoch.shape, 1, 1, 1)

    def _prepare(self, arguments: list[Any]) -> None:
        """Trace and compile, by training on no batches."""
        tf = self._tf

        def try_out(function: SharedFunction) -> None:
            function(self._updated, [tf.constant(0), *arguments])

        def prepare() -> SharedFunction:
            key = self.spec, self._compiled
            return shared_function(key, self._make_function, try_out)

        try:
            self._function = prepare()
        except tf.errors.ResourceExhaustedError:
            raise
        except tf.errors.OpError as error:
            if not self._compiled:
                raise
            _warn_not_compiled(error)
            self._compiled = False
            self._function = prepare()

    def _make_function(self) -> SharedFunction:
        tf = self._tf
        spec = self.spec
        dtype = spec.network.dtype
        n_rows = spec.n_rows if self._compiled else None
        n_batches = spec.n_batches if self._compiled else None
        length = None if n_batches is None else n_batches * spec.batch_size
        signature = [
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((n_rows, spec.network.n_features), spec.x_dtype),
            tf.TensorSpec((length,), tf.int32),
            tf.TensorSpec((length,), tf.int32),
            tf.TensorSpec((length,), dtype),
            tf.TensorSpec((n_batches, 2), dtype),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((2,), dtype),
        ]
        if spec.image_shape is not None:
            signature.append(tf.TensorSpec((length, 2, len(self._terms)), dtype))
        return SharedFunction(tf, self._train, signature, self._updated, self._compiled)

    def _train(
        self,
        n_steps: Any,
        X: Any,
        index: Any,
        y: Any,
        weight: Any,
        steps: Any,
        n_per_epoch: Any,
        scalars: Any,
        *coefficients: Any,
    ) -> Any:
        tf = self._tf
        spec = self.spec
        batch_size = spec.batch_size
        dtype = tf.as_dtype(spec.network.dtype)
        alpha, smoothing = tf.unstack(scalars)

        def step(number: Any, sums: Any) -> tuple[Any, Any]:
            start = [number * batch_size]
            batch_index, batch_y, batch_weight = (
                tf.slice(values, start, [batch_size]) for values in (index, y, weight)
            )
            rate, n_in_batch = tf.unstack(tf.gather(steps, number))
            if not spec.optimizer.follows_schedule:
                variable = self._weights.optimizer.learning_rate
                variable.assign(tf.cast(rate, variable.dtype))
            images = tf.cast(tf.gather(X, batch_index), dtype)
            for drawn in coefficients:  # of distortions: one tensor or none
                assert spec.image_shape is not None
                of_batch = tf.slice(
                    drawn, [*start, 0, 0], [batch_size, *drawn.shape[1:]]
                )
                images = distort(tf, images, of_batch, self._terms, spec.image_shape)
            values = self._step(
                images,
                batch_y,
                batch_weight,
                alpha / n_in_batch,
                smoothing,
            )
            of_epoch = tf.one_hot(number // n_per_epoch, spec.n_epochs, dtype=dtype)
            return number + 1, sums + of_epoch * (values * n_in_batch)[:, None]

        n_values = 2 if spec.counts_hits else 1
        _, sums = tf.while_loop(
            lambda number, sums: number < n_steps,
            step,
            (tf.constant(0), tf.zeros((n_values, spec.n_epochs), dtype)),
        )
        return sums

    def _step(self, X: Any, y: Any, weight: Any, alpha: Any, smoothing: Any) -> Any:
        """Run one batch: loss, gradients, update.

        Returns the loss of the batch and, with `counts_hits`, its accuracy.

        The loss is the weighted sum over the batch plus the L2 term, divided by the
        batch size. As the mean weight is 1, a row of weight 2 counts as two rows.
        """
        tf, network = self._tf, self.spec.network
        variables = self.model.trainable_variables
        tensors = self._weights.tensors()
        scope = self._keras.StatelessScope(
            state_mapping=zip(variables, tensors, strict=True)
        )
        with tf.GradientTape(watch_accessed_variables=False) as tape, scope:
            tape.watch(tensors)
            Z = X
            for layer in self.model.layers:
                if layer in self._norms:
                    Z = self._normalize(layer, Z, weight)
                else:
                    Z = layer(Z, training=True)
            losses = cross_entropy(
                tf, Z, y, smoothing, network.out_activation, network.n_outputs
            )
            loss = tf.reduce_sum(losses * weight)
            if self.spec.penalized:
                squares = [tf.nn.l2_loss(kernel.value) for kernel in self._kernels]
                loss += alpha * tf.add_n(squares)
            # The optimizer divides the gradient by this scale.
            scaled = self._weights.optimizer.scale_loss(loss)
        self._weights.apply(tape.gradient(scaled, tensors))
        for variable in self._variables_of_layers():
            variable.assign(scope.get_current_value(variable))
        if not self.spec.counts_hits:
            return loss[None]
        if network.out_activation == "logistic":
            predicted = tf.cast(Z[:, 0] > 0, y.dtype)
        else:
            predicted = tf.argmax(Z, axis=1, output_type=y.dtype)
        return tf.stack([loss, tf.reduce_sum(tf.where(predicted == y, weight, 0))])

    def _variables_of_layers(self) -> Iterator[Any]:
        """Variables that a step changes in addition to the weights."""
        yield from self._seeds
        for layer in self._norms:
            yield layer.moving_mean
            yield layer.moving_variance

    def _normalize(self, layer: Any, Z: Any, weight: Any) -> Any:
        """Batch normalisation in training, with sample weights.

        The layer of Keras has no sample weights, so padding would enter its averages.
        """
        tf = self._tf
        share = weight / tf.maximum(tf.reduce_sum(weight), 1e-30)
        mean = tf.linalg.matvec(Z, share, transpose_a=True)
        variance = tf.linalg.matvec(tf.square(Z - mean), share, transpose_a=True)
        for moving, latest in [
            (layer.moving_mean, mean),
            (layer.moving_variance, variance),
        ]:
            moving.assign(layer.momentum * moving.value + (1 - layer.momentum) * latest)
        return tf.nn.batch_normalization(
            Z, mean, variance, layer.beta.value, layer.gamma.value, layer.epsilon
        )


_warn_lock = threading.Lock()
_warned = False


def _warn_not_compiled(error: Exception) -> None:
    global _warned
    with _warn_lock:
        first, _warned = not _warned, True
    if first:
        reason = str(error).strip().splitlines()[0]
        warnings.warn(
            "XLA could not compile the training program, so it runs as a plain "
            "TensorFlow graph: more slowly, and with other random numbers for "
            f"dropout. XLA said: {reason}",
            RuntimeWarning,
            stacklevel=2,
        )
