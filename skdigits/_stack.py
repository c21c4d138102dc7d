"""Many networks trained by one TensorFlow program.

The networks stand in a rectangle: a row of it, a stream, is trained on the same
rows in the same order (the candidates of one fold), so that the first layer of all
its networks is one matrix product. Hidden layers are padded to a common width.
A unit without weights has no gradient and stays without, so padding changes nothing;
where the activation of 0 isn't 0, it is masked.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skdigits._optimizer import OptimizerSpec
from skdigits._tensorflow import load_keras, load_tensorflow, quiet_tensorflow
from skdigits._weights import assign, bytes_of, copy_of


@dataclass(frozen=True)
class StackSpec:
    """What shapes a stack's program; two stacks with equal specs can use the same.

    Parameters
    ----------
    n_streams, n_networks : int
        Streams, and networks in each.
    n_features : int
    widths : tuple of int
        Padded hidden layer sizes.
    n_outputs : int
    out_activation, activation : str
    rescale : float or None
    dtype, x_dtype : str
    dropouts : tuple of (stream, network, layer, width, rate)
        Where there is dropout: layer 0 is the input. In a stream with dropout of the
        input there is one network.
    optimizer : OptimizerSpec
    batch_size : int
    penalized : bool
        Whether any network has an L2 term.
    compiled : bool
        Whether XLA compiles the program.
    floatx : str
    n_epochs : int
        Epochs in one call, at most.
    n_rows, n_batches : int or None
        Rows of X and number of batches that a compiled program is made for.
    """

    n_streams: int
    n_networks: int
    n_features: int
    widths: tuple
    n_outputs: int
    out_activation: str
    activation: str
    rescale: float | None
    dtype: str
    x_dtype: str
    dropouts: tuple
    optimizer: OptimizerSpec
    batch_size: int
    penalized: bool
    compiled: bool
    floatx: str
    n_epochs: int
    n_rows: int | None
    n_batches: int | None


class StackProgram:
    """Stacked weights, the Keras optimizer that updates them, and the program.

    Parameters
    ----------
    spec : StackSpec
    """

    def __init__(self, spec):
        keras = self._keras = load_keras()
        self._tf = load_tensorflow()
        self.spec = spec
        S, C, dtype = spec.n_streams, spec.n_networks, spec.dtype

        def variable(shape, name):
            return keras.Variable(np.zeros(shape, dtype=dtype), dtype=dtype, name=name)

        # The first layer has the networks of a stream side by side, (S, F, C, width),
        # which is one matrix a stream; the others are a matrix each.
        first, *others = spec.widths
        self._first = [
            variable((S, spec.n_features, C, first), "kernel_1"),
            variable((S, 1, C, first), "bias_1"),
        ]
        self._others = []
        sizes = [first, *others, spec.n_outputs]
        for number, (n_in, n_out) in enumerate(pairwise(sizes), start=2):
            self._others += [
                variable((S, C, n_in, n_out), f"kernel_{number}"),
                variable((S, C, 1, n_out), f"bias_{number}"),
            ]
        self._units = []
        if spec.activation == "logistic":
            self._units = [
                variable((S, 1, C, first), "units_1"),
                *(variable((S, C, 1, width), "units") for width in others),
            ]
        # A learning rate for each network must line up with its axis, so the two
        # layouts have an optimizer each.
        self._rates = [_rate_schedule(keras), _rate_schedule(keras)]
        self._optimizers = [
            spec.optimizer.build(learning_rate=rate) for rate in self._rates
        ]
        for optimizer, variables in self._groups():
            optimizer.build(variables)
        self._fresh = [
            [copy_of(v) for v in optimizer.variables] for optimizer in self._optimizers
        ]
        self._generator = keras.random.SeedGenerator(0)
        self._function = None

    @property
    def n_bytes(self):
        """Memory that its variables take."""
        of_optimizers = [v for o in self._optimizers for v in o.variables]
        return bytes_of([*self._variables, *self._units, *of_optimizers])

    def _groups(self):
        return list(zip(self._optimizers, [self._first, self._others], strict=True))

    def load(self, networks):
        """Set the weights, and fresh optimizers.

        Parameters
        ----------
        networks : dict
            Layer arrays by (stream, network).
        """
        values = [np.zeros(v.shape, self.spec.dtype) for v in self._variables]
        units = [np.zeros(v.shape, self.spec.dtype) for v in self._units]
        for (stream, network), arrays in networks.items():
            views = _views(values, (stream, network))
            for view, array in zip(views, arrays, strict=True):
                view[tuple(map(slice, array.shape))] = array
            for layer, used in enumerate(units):
                view = used[stream, network, 0] if layer else used[stream, 0, network]
                view[: len(arrays[2 * layer + 1])] = 1
        assign([*self._variables, *self._units], [*values, *units])
        for optimizer, fresh in zip(self._optimizers, self._fresh, strict=True):
            assign(optimizer.variables, fresh)

    @property
    def _variables(self):
        return [*self._first, *self._others]

    def arrays(self, shapes):
        """Copies of the weights of some networks, without padding.

        Parameters
        ----------
        shapes : dict
            Shapes of layer arrays by (stream, network).

        Returns
        -------
        arrays : dict
            Layer arrays by (stream, network).
        """
        values = [variable.numpy() for variable in self._variables]
        return {
            place: [
                np.array(view[tuple(map(slice, shape))])
                for view, shape in zip(_views(values, place), wanted, strict=True)
            ]
            for place, wanted in shapes.items()
        }

    def averaged_arrays(self, shapes):
        """As `arrays`, of the moving averages where the optimizer keeps them."""
        if not self.spec.optimizer.averages:
            return self.arrays(shapes)
        current = [copy_of(variable) for variable in self._variables]
        for optimizer, variables in self._groups():
            optimizer.finalize_variable_values(variables)
        averaged = self.arrays(shapes)
        assign(self._variables, current)
        return averaged

    def run(self, batches, rates, alpha, smoothing, seeds):
        """Train on some batches.

        Parameters
        ----------
        batches : Batches
            With `index` and `y` of shape (n_batches, n_streams, batch_size), `weight`
            of shape (n_batches, n_streams, n_networks, batch_size) and `n_in_batch`
            of shape (n_batches_per_epoch, n_streams).
        rates : ndarray of shape (n_epochs, n_batches_per_epoch, n_streams, n_networks)
            Learning rate of each step.
        alpha, smoothing : ndarray of shape (n_streams, n_networks)
        seeds : ndarray of shape (n_dropouts, 2)
            Seed of each of `spec.dropouts` at the start of the epoch.

        Returns
        -------
        losses : ndarray of shape (n_epochs, n_streams, n_networks)
            Sum over the batches of the batch's loss times its number of rows.
        """
        spec = self.spec
        n_per_epoch = len(batches.n_in_batch)
        n_steps = batches.n_epochs * n_per_epoch
        every_rate = np.zeros((len(batches.index), *rates.shape[2:]))
        every_rate[:n_steps] = rates.reshape(n_steps, *rates.shape[2:])
        n_in_batch = np.ones((len(batches.index), spec.n_streams))
        n_in_batch[:n_steps] = np.tile(batches.n_in_batch, (batches.n_epochs, 1))
        with np.errstate(over="ignore"):  # training with infinity is seen to diverge
            floats = [
                np.asarray(values).astype(spec.dtype)
                for values in (
                    every_rate.astype(spec.floatx),  # as Keras keeps a rate
                    n_in_batch,
                    alpha,
                    smoothing,
                )
            ]
        tf = self._tf
        seeds = np.asarray(seeds, dtype=np.uint32).astype(np.int64).reshape(-1, 2)
        arguments = [
            batches.X,
            *map(tf.constant, (batches.index, batches.y, batches.weight)),
            *map(tf.constant, floats),
            tf.constant(seeds),
            tf.constant(batches.start, tf.int32),
            tf.constant(n_per_epoch, tf.int32),
        ]
        if self._function is None:
            with quiet_tensorflow():
                self._function = self._make_function()
                self._function(*arguments, tf.constant(0, tf.int32))
        losses = self._function(*arguments, tf.constant(n_steps, tf.int32))
        return losses.numpy()[: batches.n_epochs].astype(np.float64)

    def _make_function(self):
        tf, spec = self._tf, self.spec
        n_rows = spec.n_rows if spec.compiled else None
        n_batches = spec.n_batches if spec.compiled else None
        S, C, B = spec.n_streams, spec.n_networks, spec.batch_size
        program = tf.function(self._train, jit_compile=spec.compiled, autograph=False)
        return program.get_concrete_function(
            tf.TensorSpec((n_rows, spec.n_features), spec.x_dtype),
            tf.TensorSpec((n_batches, S, B), tf.int32),
            tf.TensorSpec((n_batches, S, B), tf.int32),
            tf.TensorSpec((n_batches, S, C, B), spec.dtype),
            tf.TensorSpec((n_batches, S, C), spec.dtype),
            tf.TensorSpec((n_batches, S), spec.dtype),
            tf.TensorSpec((S, C), spec.dtype),
            tf.TensorSpec((S, C), spec.dtype),
            tf.TensorSpec((len(spec.dropouts), 2), tf.int64),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), tf.int32),
        )

    def _train(
        self,
        X,
        index,
        y,
        weight,
        rates,
        n_in_batch,
        alpha,
        smoothing,
        seeds,
        first_step,
        n_per_epoch,
        n_steps,
    ):
        tf, spec = self._tf, self.spec
        dtype = tf.as_dtype(spec.dtype)

        def step(number, losses):
            rows = tf.gather(n_in_batch, number)[:, None]
            in_epoch = tf.cast(number % n_per_epoch + first_step, tf.int64)
            masks = self._dropout_masks(seeds + tf.stack([0, in_epoch]))
            loss = self._step(
                tf.cast(tf.gather(X, tf.gather(index, number)), dtype),
                tf.gather(y, number),
                tf.gather(weight, number),
                tf.gather(rates, number),
                alpha / rows,
                smoothing,
                masks,
            )
            of_epoch = tf.one_hot(number // n_per_epoch, spec.n_epochs, dtype=dtype)
            return number + 1, losses + of_epoch[:, None, None] * (loss * rows)

        shape = (spec.n_epochs, spec.n_streams, spec.n_networks)
        _, losses = tf.while_loop(
            lambda number, losses: number < n_steps,
            step,
            (tf.constant(0), tf.zeros(shape, dtype)),
        )
        return losses

    def _dropout_masks(self, seeds):
        """A factor for each input and hidden layer, None where nothing is dropped.

        Each network draws what Keras's Dropout layer would draw for it alone.
        """
        tf, keras, spec = self._tf, self._keras, self.spec
        masks = {}
        state = self._generator.state
        for number, (*place, width, rate) in enumerate(spec.dropouts):
            seed = tf.cast(seeds[number], state.dtype)
            with keras.StatelessScope(state_mapping=[(state, seed)]):
                mask = keras.random.dropout(
                    tf.ones((spec.batch_size, width), spec.dtype),
                    rate,
                    seed=self._generator,
                )
            masks[tuple(place)] = mask
        return [self._stacked_masks(masks, layer) for layer in range(self._n_layers)]

    @property
    def _n_layers(self):
        return len(self.spec.widths) + 1

    def _stacked_masks(self, masks, layer):
        tf, spec = self._tf, self.spec
        if not any(place[2] == layer for place in masks):
            return None
        width = (spec.n_features, *spec.widths)[layer]
        ones = tf.ones((spec.batch_size, width), spec.dtype)

        def mask_of(stream, network):
            mask = masks.get((stream, network, layer))
            if mask is None:
                return ones
            return tf.pad(mask, [[0, 0], [0, width - mask.shape[1]]])

        # Dropout of the input: there is one network in each stream.
        networks = range(spec.n_networks) if layer else [0]
        stacked = tf.stack(
            [mask_of(s, c) for s in range(spec.n_streams) for c in networks]
        )
        if not layer:
            return stacked
        shape = (spec.n_streams, spec.n_networks, spec.batch_size, width)
        return tf.reshape(stacked, shape)

    def _step(self, X, y, weight, rates, alpha, smoothing, masks):
        """One batch of every network. Returns their losses, (S, C)."""
        tf = self._tf
        variables = self._variables
        tensors = [variable.value for variable in variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tensors)
            Z = self._logits(X, tensors, masks)
            losses = tf.reduce_sum(self._cross_entropy(Z, y, smoothing) * weight, -1)
            if self.spec.penalized:
                losses += alpha * self._squares(tensors)
            total = tf.reduce_sum(losses)
        gradients = tape.gradient(total, tensors)
        self._rates[0].value = rates[:, None, :, None]
        self._rates[1].value = rates[:, :, None, None]
        start = 0
        for optimizer, group in self._groups():
            optimizer.apply(gradients[start : start + len(group)], group)
            start += len(group)
        return losses

    def _logits(self, X, tensors, masks):
        """Outputs of every network, (S, C, B, n_outputs), for inputs (S, B, F)."""
        tf, spec = self._tf, self.spec
        kernel, bias, *others = tensors
        if spec.rescale is not None:
            X *= tf.constant(spec.rescale, X.dtype)
        if masks[0] is not None:
            X *= masks[0]
        S, C, B = spec.n_streams, spec.n_networks, spec.batch_size
        width = spec.widths[0]
        kernel = tf.reshape(kernel, (S, spec.n_features, C * width))
        Z = tf.reshape(X @ kernel, (S, B, C, width)) + bias
        A = tf.transpose(self._activate(Z, tensors, 0), (0, 2, 1, 3))
        for layer, (kernel, bias) in enumerate(
            zip(others[0::2], others[1::2], strict=True), start=1
        ):
            if masks[layer] is not None:
                A *= masks[layer]
            Z = A @ kernel + bias
            if layer < len(spec.widths):
                A = self._activate(Z, tensors, layer)
        return Z

    def _activate(self, Z, tensors, layer):
        tf = self._tf
        function = {
            "identity": tf.identity,
            "logistic": tf.sigmoid,
            "relu": tf.nn.relu,
            "tanh": tf.tanh,
        }[self.spec.activation]
        A = function(Z)
        if self.spec.activation == "logistic":
            A *= self._units[layer]
        return A

    def _squares(self, tensors):
        """Half the sum of squares of the kernels of every network, (S, C)."""
        tf = self._tf
        squares = tf.reduce_sum(tensors[0] ** 2, axis=(1, 3))
        for kernel in tensors[2::2]:
            squares += tf.reduce_sum(kernel**2, axis=(2, 3))
        return squares / 2

    def _cross_entropy(self, Z, y, smoothing):
        """Loss of every row, (S, C, B), of labels (S, B)."""
        tf, spec = self._tf, self.spec
        smoothing = smoothing[:, :, None, None]
        if spec.out_activation == "logistic":
            target = tf.cast(y, Z.dtype)[:, None, :, None]
            target += smoothing * (0.5 - target)
            return tf.nn.sigmoid_cross_entropy_with_logits(target, Z)[..., 0]
        target = tf.one_hot(y, spec.n_outputs, dtype=Z.dtype)[:, None]
        target += smoothing * (1 / spec.n_outputs - target)
        return tf.nn.softmax_cross_entropy_with_logits(target, Z)


def _views(values, place):
    """Arrays of one network, in the order of layer arrays, as views of the stack."""
    stream, network = place
    kernel, bias, *others = values
    yield kernel[stream, :, network]
    yield bias[stream, 0, network]
    for number, value in enumerate(others):
        array = value[stream, network]
        yield array[0] if number % 2 else array


def _rate_schedule(keras):
    """A Keras learning-rate schedule that gives what its `value` is set to."""

    class Rates(keras.optimizers.schedules.LearningRateSchedule):
        value = 0.0

        def __call__(self, step):
            return self.value

        def get_config(self):
            return {}

    return Rates()
