"""One epoch of training as one TensorFlow program, and a cache of programs.

A program holds a real `keras.Sequential` and a real Keras optimizer, whose
variables it updates in place: it is Keras that trains. Everything that may differ
between two fits of the same shape (rows, weights, learning rate, number of steps)
is an argument, so that the folds of a cross-validation share a program.
"""

import threading
import warnings
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from skdigits._network import Network, build_keras, keras_loss, keras_variables
from skdigits._optimizer import OptimizerSpec
from skdigits._tensorflow import load_keras, load_tensorflow, quiet_tensorflow


@dataclass(frozen=True)
class ProgramSpec:
    """What shapes a program; two fits with equal specs can use the same one.

    Parameters
    ----------
    network : Network
    optimizer : OptimizerSpec
    batch_size : int
    x_dtype : str
        Of the rows that are handed over: "uint8" or the network's.
    penalized : bool
        Whether there is an L2 term.
    compiled : bool
        Whether XLA compiles the program.
    floatx : str
        Keras's default dtype, which the optimizer's own variables have.
    n_rows, n_order : int or None
        Rows of X and length of the order that a compiled program is made for. A
        program that isn't compiled takes any.
    """

    network: Network
    optimizer: OptimizerSpec
    batch_size: int
    x_dtype: str
    penalized: bool
    compiled: bool
    floatx: str = "float32"
    n_rows: int | None = None
    n_order: int | None = None


class EpochProgram:
    """A network, its optimizer and the program that trains them for an epoch.

    Parameters
    ----------
    spec : ProgramSpec

    Attributes
    ----------
    model : keras.Sequential
    optimizer : keras.optimizers.Optimizer
    """

    def __init__(self, spec):
        keras = load_keras()
        self._tf = load_tensorflow()
        self.spec = spec
        self.model = build_keras(keras, spec.network)
        self.optimizer = spec.optimizer.build(learning_rate=0.001)
        self.optimizer.build(self.model.trainable_variables)
        self.model.compile(
            optimizer=self.optimizer, loss=keras_loss(keras, spec.network)
        )
        self._variables = keras_variables(keras, self.model)
        self._fresh_optimizer = [_copy(v) for v in self.optimizer.variables]
        self._seeds = [
            layer.seed_generator.state
            for layer in self.model.layers
            if isinstance(layer, keras.layers.Dropout)
        ]
        self._norms = keras.layers.BatchNormalization
        self._kernels = [
            layer.kernel
            for layer in self.model.layers
            if isinstance(layer, keras.layers.Dense)
        ]
        self._compiled = spec.compiled
        self._function = None  # until `_prepare`

    # State in and out

    def load(self, arrays, optimizer_arrays=None):
        """Set the weights, and the optimizer's variables or a fresh optimizer."""
        if optimizer_arrays is None:
            optimizer_arrays = self._fresh_optimizer
        for variable, array in zip(self._variables, arrays, strict=True):
            variable.assign(array)
        for variable, array in zip(
            self.optimizer.variables, optimizer_arrays, strict=True
        ):
            variable.assign(array)
        self.model.stop_training = False

    def arrays(self):
        """Copies of the weights, as layer arrays."""
        return [_copy(variable) for variable in self._variables]

    def optimizer_arrays(self):
        """Copies of the optimizer's variables."""
        return [_copy(variable) for variable in self.optimizer.variables]

    def average_weights(self):
        """Put the optimizer's moving average of the weights in their place."""
        self.optimizer.finalize_variable_values(self.model.trainable_variables)

    def averaged_arrays(self):
        """The layer arrays that `average_weights` would leave, leaving none."""
        current = self.arrays()
        self.average_weights()
        averaged = self.arrays()
        for variable, array in zip(self._variables, current, strict=True):
            variable.assign(array)
        return averaged

    @property
    def learning_rate(self):
        """The optimizer's learning rate at present, a float."""
        return float(self.optimizer.learning_rate.numpy())

    def set_learning_rate(self, rate):
        """Set the optimizer's learning rate, unless it follows its own schedule."""
        if not self.spec.optimizer.follows_schedule:
            self.optimizer.learning_rate.assign(rate)

    @property
    def n_steps(self):
        """Steps that the optimizer has taken."""
        return int(self.optimizer.iterations.numpy())

    def seed_dropout(self, rng):
        """Restart the random numbers of every dropout layer from `rng`."""
        for state in self._seeds:
            state.assign(rng.integers(2**32, size=2, dtype=np.uint32))

    # Training

    def run(self, rows, learning_rates, alpha, label_smoothing):
        """Train on some rows, each once.

        Parameters
        ----------
        rows : tuple of (X, y, weight, order, n_rows)
            Rows, of which the first `n_rows` indices of `order` are trained on in
            that order. `order` is a multiple of the batch size long, and the mean
            of the weights of all rows of the training set is 1.
        learning_rates : (float, float)
            Learning rate of the first step, and the one it moves to, linearly.
        alpha, label_smoothing : float

        Returns
        -------
        loss : float
            Sum over the batches of the batch's loss times its number of rows.
        """
        X, y, weight, order, n_rows = rows
        scalars = np.array([*learning_rates, alpha, label_smoothing])
        if self._function is None:
            self._prepare(X, y, weight, order, scalars)
        return float(self._function(X, y, weight, order, n_rows, scalars))

    def _prepare(self, X, y, weight, order, scalars):
        """Trace and compile, by training on no rows at all."""
        tf = self._tf
        try:
            with quiet_tensorflow():
                function = self._make_function()
                function(X, y, weight, order, 0, scalars)
        except tf.errors.ResourceExhaustedError:
            raise
        except tf.errors.OpError as error:
            if not self._compiled:
                raise
            _warn_not_compiled(error)
            self._compiled = False
            function = self._make_function()
        self._function = function

    def _make_function(self):
        tf = self._tf
        spec = self.spec
        n_rows = spec.n_rows if self._compiled else None
        n_order = spec.n_order if self._compiled else None
        program = tf.function(self._epoch, jit_compile=self._compiled, autograph=False)
        concrete = program.get_concrete_function(
            tf.TensorSpec((n_rows, spec.network.n_features), spec.x_dtype),
            tf.TensorSpec((n_rows,), tf.int32),
            tf.TensorSpec((n_rows,), spec.network.dtype),
            tf.TensorSpec((n_order,), tf.int32),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((4,), tf.float64),
        )

        def call(X, y, weight, order, n_valid, scalars):
            n_valid = tf.constant(n_valid, tf.int32)
            return concrete(
                X, y, weight, tf.constant(order), n_valid, tf.constant(scalars)
            )

        return call

    def _epoch(self, X, y, weight, order, n_valid, scalars):
        tf = self._tf
        batch_size = self.spec.batch_size
        dtype = tf.as_dtype(self.spec.network.dtype)
        n_steps = (n_valid + batch_size - 1) // batch_size
        rate_first, rate_last = scalars[0], scalars[1]
        alpha, smoothing = tf.unstack(tf.cast(scalars[2:], dtype))
        rate_step = (rate_last - rate_first) / tf.cast(n_steps, tf.float64)

        def step(number, total):
            start = number * batch_size
            index = tf.slice(order, [start], [batch_size])
            # Positions past the last row are padding: they weigh nothing.
            valid = tf.cast(tf.range(batch_size) + start < n_valid, dtype)
            if not self.spec.optimizer.follows_schedule:
                rate = self.optimizer.learning_rate
                rate.assign(
                    tf.cast(
                        rate_first + rate_step * tf.cast(number, tf.float64),
                        rate.dtype,
                    )
                )
            n_in_batch = tf.reduce_sum(valid)
            loss = self._step(
                tf.cast(tf.gather(X, index), dtype),
                tf.gather(y, index),
                tf.gather(weight, index) * valid,
                n_in_batch,
                alpha,
                smoothing,
            )
            return number + 1, total + loss * n_in_batch

        _, total = tf.while_loop(
            lambda number, total: number < n_steps,
            step,
            (tf.constant(0), tf.constant(0, dtype)),
        )
        return total

    def _step(self, X, y, weight, n_in_batch, alpha, smoothing):
        """One batch: loss, gradients, update. Returns the loss of the batch.

        The loss is the weighted sum over the batch, and the L2 term once, divided
        by the batch size. With a mean weight of 1, a weight of 2 is a row twice.
        """
        tf = self._tf
        network = self.spec.network
        variables = [variable.value for variable in self.model.trainable_variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            Z = X
            for layer in self.model.layers:
                if isinstance(layer, self._norms):
                    Z = self._normalize(layer, Z, weight)
                else:
                    Z = layer(Z, training=True)
            if network.out_activation == "logistic":
                target = tf.cast(y, Z.dtype)[:, None]
                target += smoothing * (0.5 - target)
                loss = tf.nn.sigmoid_cross_entropy_with_logits(target, Z)[:, 0]
            else:
                target = tf.one_hot(y, network.n_outputs, dtype=Z.dtype)
                target += smoothing * (1 / network.n_outputs - target)
                loss = tf.nn.softmax_cross_entropy_with_logits(target, Z)
            loss = tf.reduce_sum(loss * weight)
            if self.spec.penalized:
                squares = [tf.nn.l2_loss(kernel.value) for kernel in self._kernels]
                loss += alpha * tf.add_n(squares)
            loss /= n_in_batch
        gradients = tape.gradient(loss, variables)
        self.optimizer.apply(gradients, self.model.trainable_variables)
        return loss

    def _normalize(self, layer, Z, weight):
        """What a BatchNormalization layer does in training, with weighted rows.

        Keras's layer has no weights for rows, which leaves padding in the averages.
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


def _copy(variable):
    # `numpy` may show the variable's own memory, which training overwrites.
    return np.array(variable.numpy())


_warn_lock = threading.Lock()
_warned = False


def _warn_not_compiled(error):
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


class ProgramCache:
    """Programs to use again, each by one thread at a time.

    Parameters
    ----------
    max_size : int
        How many idle programs are kept, the most recently used ones.
    """

    def __init__(self, max_size):
        self.max_size = max_size
        self._idle = OrderedDict()
        self._n_idle = 0
        self._lock = threading.Lock()

    @contextmanager
    def checkout(self, spec):
        """Lend a program for `spec`, made if none is idle, to the calling thread."""
        program = self._take(spec) or EpochProgram(spec)
        yield program
        # Reached unless the training failed: what failed is not used again.
        self._give_back(spec, program)

    def _take(self, spec):
        with self._lock:
            programs = self._idle.get(spec)
            if not programs:
                return None
            program = programs.pop()
            self._n_idle -= 1
            if not programs:
                del self._idle[spec]
            return program

    def _give_back(self, spec, program):
        with self._lock:
            self._idle.setdefault(spec, []).append(program)
            self._idle.move_to_end(spec)
            self._n_idle += 1
            while self._n_idle > self.max_size:
                oldest, programs = next(iter(self._idle.items()))
                programs.pop()
                self._n_idle -= 1
                if not programs:
                    del self._idle[oldest]


programs = ProgramCache(max_size=8)
