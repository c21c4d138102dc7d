"""One TensorFlow program that trains many networks.

A row group is a set of networks that are trained on the same rows in the same order,
such as the candidates of one fold; their first layers are one matrix product. A row
group has blocks of equal shape, and a block holds one or more networks. Between
layers, a mask separates the networks of a block. Unused units have weights of 0, whose
gradients are 0 or masked.
"""

from collections import namedtuple
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from skdigits._keras.loading import load_keras, load_tensorflow
from skdigits._keras.optimizers import OptimizerSpec
from skdigits._training.flat_parameters import (
    apply_gradients,
    assign,
    bytes_of,
    copies_of,
)
from skdigits._training.loss import cross_entropy
from skdigits._training.shared_function import SharedFunction, shared_function


@dataclass(frozen=True)
class GroupSpec:
    """Properties of the program of a group. Groups with equal specs share programs.

    Parameters
    ----------
    n_row_groups, n_blocks, n_networks : int
        Number of row groups, of blocks in each, of networks in a block.
    n_features : int
    widths : tuple of int
        Units of each hidden layer of a block.
    n_outputs : int
    out_activation, activation : str
    rescale : float or None
    dtype, x_dtype : str
    dropouts : tuple of (Slot, layer, width, rate)
        Dropout by hidden layer, counted from 1.
    optimizer : OptimizerSpec
    batch_size : int
    penalized : bool
        Whether any network has an L2 term.
    same_rate : bool
        Whether all networks have the same learning rate.
    compiled : bool
        Whether XLA compiles the program.
    floatx : str
    n_epochs : int
        Maximum number of epochs in one call.
    n_rows, n_batches : int
        Number of rows of X and of batches of one call.
    """

    n_row_groups: int
    n_blocks: int
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
    same_rate: bool
    compiled: bool
    floatx: str
    n_epochs: int
    n_rows: int
    n_batches: int


# Arguments of the compiled function, see `GroupProgram.run`.
_Inputs = namedtuple(
    "_Inputs",
    "X index y weight rates n_in_batch alpha smoothing seeds unit_network first_step "
    "n_per_epoch n_steps",
)


class GroupProgram:
    """Weights of a group, the Keras optimizers that update them, and the program.

    Parameters
    ----------
    spec : GroupSpec
    """

    def __init__(self, spec):
        keras = self._keras = load_keras()
        self._tf = load_tensorflow()
        self.spec = spec
        S, C, dtype = spec.n_row_groups, spec.n_blocks, spec.dtype

        def variable(shape, name):
            return keras.Variable(np.zeros(shape, dtype=dtype), dtype=dtype, name=name)

        # The first layer has shape (S, F, C, width): one matrix per row group. The
        # others have one matrix per block.
        first, *others = spec.widths
        self._variables = [
            variable((S, spec.n_features, C, first), "kernel_1"),
            variable((S, 1, C, first), "bias_1"),
        ]
        sizes = [first, *others, spec.n_networks * spec.n_outputs]
        for number, (n_in, n_out) in enumerate(pairwise(sizes), start=2):
            self._variables += [
                variable((S, C, n_in, n_out), f"kernel_{number}"),
                variable((S, C, 1, n_out), f"bias_{number}"),
            ]
        # If networks have different learning rates, the rate of each unit depends on
        # its layer, so there is one optimizer per layer.
        n_groups = 1 if spec.same_rate else len(spec.widths) + 1
        self._rates = [_rate_schedule(keras) for _ in range(n_groups)]
        self._optimizers = [
            spec.optimizer.build(learning_rate=rate) for rate in self._rates
        ]
        for optimizer, variables in self._groups(self._variables):
            optimizer.build(variables)
        self._fresh = [
            copies_of(self._tf, optimizer.variables) for optimizer in self._optimizers
        ]
        self._generator = keras.random.SeedGenerator(0, name="dropout_seed")
        self._function = None

    @cached_property
    def n_bytes(self):
        """Size of its variables in bytes."""
        return bytes_of(self.variables)

    @property
    def variables(self):
        """All variables that training updates."""
        of_optimizers = [v for o in self._optimizers for v in o.variables]
        return [*self._variables, *of_optimizers]

    def _groups(self, of_variables):
        """Optimizers, each with its part of a list in the order of the variables."""
        size = len(of_variables) // len(self._optimizers)
        for number, optimizer in enumerate(self._optimizers):
            yield optimizer, of_variables[number * size : (number + 1) * size]

    def load(self, networks):
        """Set the weights, and the optimizers to their initial state.

        Parameters
        ----------
        networks : dict
            Layer arrays by Slot.
        """
        spec, tf = self.spec, self._tf
        values = [np.zeros(v.shape, spec.dtype) for v in self._variables]
        unit_network = [
            np.full((spec.n_row_groups, spec.n_blocks, width), -1, dtype=np.int32)
            for width in spec.widths
        ]
        for slot, arrays in networks.items():
            shapes = [array.shape for array in arrays]
            views = self._views(values, slot, shapes)
            for view, array in zip(views, arrays, strict=True):
                view[...] = array
            widths = [width for (width,) in shapes[1:-1:2]]
            for owner, start, width in zip(
                unit_network, slot.offsets, widths, strict=True
            ):
                owner[slot.row_group, slot.block, start : start + width] = slot.number
        assign(tf, self._variables, values)
        for optimizer, fresh in zip(self._optimizers, self._fresh, strict=True):
            assign(tf, optimizer.variables, fresh)
        self._owners = [tf.constant(owner) for owner in unit_network]

    def _views(self, values, slot, shapes):
        """Views of one network in `values`, in the order of layer arrays."""
        s, c, n_outputs = slot.row_group, slot.block, self.spec.n_outputs
        offsets = [0, *slot.offsets, slot.number * n_outputs]
        for layer, (start_in, start) in enumerate(pairwise(offsets)):
            n_in, n_out = shapes[2 * layer]
            rows = slice(start_in, start_in + n_in)
            columns = slice(start, start + n_out)
            kernel, bias = values[2 * layer : 2 * layer + 2]
            if layer:
                yield kernel[s, c, rows, columns]
                yield bias[s, c, 0, columns]
            else:
                yield kernel[s, rows, c, columns]
                yield bias[s, 0, c, columns]

    def arrays(self, shapes):
        """Copies of the weights of some networks.

        Parameters
        ----------
        shapes : dict
            Shapes of layer arrays by Slot.

        Returns
        -------
        arrays : dict
            Layer arrays by Slot.
        """
        values = [variable.numpy() for variable in self._variables]
        return {
            slot: [np.array(view) for view in self._views(values, slot, wanted)]
            for slot, wanted in shapes.items()
        }

    def averaged_arrays(self, shapes):
        """As `arrays`, of the moving averages where the optimizer keeps them."""
        if not self.spec.optimizer.averages:
            return self.arrays(shapes)
        current = copies_of(self._tf, self._variables)
        for optimizer, variables in self._groups(self._variables):
            optimizer.finalize_variable_values(variables)
        averaged = self.arrays(shapes)
        assign(self._tf, self._variables, current)
        return averaged

    def run(self, batches, rates, alpha, smoothing, seeds):
        """Train on some batches.

        Parameters
        ----------
        batches : Batches
        rates : ndarray of shape (n_epochs, n_batches_per_epoch, n_row_groups, \
                n_blocks, n_networks)
            Learning rate of each step.
        alpha, smoothing : ndarray of shape (n_row_groups, n_blocks, n_networks)
        seeds : ndarray of shape (n_dropouts, 2)
            Seed of each of `spec.dropouts` at the start of the epoch.

        Returns
        -------
        losses : ndarray of shape (1, n_epochs, n_row_groups, n_blocks, n_networks)
            Sum over the batches of the batch's loss times its number of rows.
        """
        spec = self.spec
        n_per_epoch = len(batches.n_in_batch)
        n_steps = batches.n_epochs * n_per_epoch
        if spec.same_rate:  # that of networks that are done is 0
            common = rates.max(axis=(2, 3, 4), keepdims=True)
            rates = np.broadcast_to(common, rates.shape)
        every_rate = np.zeros((len(batches.index), *rates.shape[2:]))
        every_rate[:n_steps] = rates.reshape(n_steps, *rates.shape[2:])
        n_in_batch = np.ones((len(batches.index), spec.n_row_groups))
        n_in_batch[:n_steps] = np.tile(batches.n_in_batch, (batches.n_epochs, 1))
        with np.errstate(over="ignore"):  # the loss will not be finite
            floats = [
                np.asarray(values).astype(spec.dtype)
                for values in (
                    every_rate.astype(spec.floatx),  # the dtype of a rate in Keras
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
            self._owners,
            tf.constant(batches.start, tf.int32),
            tf.constant(n_per_epoch, tf.int32),
        ]
        if self._function is None:
            self._function = shared_function(
                spec,
                self._make_function,
                lambda made: made(self.variables, [*arguments, tf.constant(0)]),
            )
        losses = self._function(
            self.variables, [*arguments, tf.constant(n_steps, tf.int32)]
        )
        return losses.numpy()[None, : batches.n_epochs].astype(np.float64)

    def _make_function(self):
        tf, spec = self._tf, self.spec
        n_batches = spec.n_batches
        S, C, N = spec.n_row_groups, spec.n_blocks, spec.n_networks
        B = spec.batch_size
        signature = (
            tf.TensorSpec((spec.n_rows, spec.n_features), spec.x_dtype),
            tf.TensorSpec((n_batches, S, B), tf.int32),
            tf.TensorSpec((n_batches, S, B), tf.int32),
            tf.TensorSpec((n_batches, S, C, N, B), spec.dtype),
            tf.TensorSpec((n_batches, S, C, N), spec.dtype),
            tf.TensorSpec((n_batches, S), spec.dtype),
            tf.TensorSpec((S, C, N), spec.dtype),
            tf.TensorSpec((S, C, N), spec.dtype),
            tf.TensorSpec((len(spec.dropouts), 2), tf.int64),
            [tf.TensorSpec((S, C, width), tf.int32) for width in spec.widths],
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), tf.int32),
        )
        return SharedFunction(tf, self._train, signature, self.variables, spec.compiled)

    def _train(self, *arguments):
        tf, spec = self._tf, self.spec
        dtype = tf.as_dtype(spec.dtype)
        inputs = _Inputs(*arguments)
        unit_network = [*inputs.unit_network, self._owners_of_outputs()]

        def step(number, losses):
            rows = tf.gather(inputs.n_in_batch, number)[:, None, None]
            in_epoch = number % inputs.n_per_epoch + inputs.first_step
            seeds = inputs.seeds + tf.stack([0, tf.cast(in_epoch, tf.int64)])
            loss = self._step(
                tf.cast(tf.gather(inputs.X, tf.gather(inputs.index, number)), dtype),
                tf.gather(inputs.y, number),
                tf.gather(inputs.weight, number),
                tf.gather(inputs.rates, number),
                inputs.alpha / rows,
                inputs.smoothing,
                self._dropout_masks(seeds),
                unit_network,
            )
            of_epoch = tf.one_hot(
                number // inputs.n_per_epoch, spec.n_epochs, dtype=dtype
            )
            return number + 1, losses + of_epoch[:, None, None, None] * (loss * rows)

        shape = (spec.n_epochs, spec.n_row_groups, spec.n_blocks, spec.n_networks)
        _, losses = tf.while_loop(
            lambda number, losses: number < inputs.n_steps,
            step,
            (tf.constant(0), tf.zeros(shape, dtype)),
        )
        return losses

    def _dropout_masks(self, seeds):
        """Masks of each hidden layer; None without dropout.

        Each network gets the masks that the Dropout layer of Keras would draw for it
        alone.
        """
        tf, keras, spec = self._tf, self._keras, self.spec
        masks = {}
        state = self._generator.state
        for number, (slot, layer, width, rate) in enumerate(spec.dropouts):
            seed = tf.cast(seeds[number], state.dtype)
            with keras.StatelessScope(state_mapping=[(state, seed)]):
                mask = keras.random.dropout(
                    tf.ones((spec.batch_size, width), spec.dtype),
                    rate,
                    seed=self._generator,
                )
            of_block = masks.setdefault((layer, slot.row_group, slot.block), [])
            of_block.append((slot.offsets[layer - 1], mask))
        layers = range(1, len(spec.widths) + 1)
        return [self._joined_masks(masks, layer) for layer in layers]

    def _joined_masks(self, masks, layer):
        tf, spec = self._tf, self.spec
        if not any(where[0] == layer for where in masks):
            return None
        width = spec.widths[layer - 1]

        def mask_of(row_group, block):
            parts, stop = [], 0
            for start, mask in sorted(
                masks.get((layer, row_group, block), []), key=lambda part: part[0]
            ):
                parts += [tf.ones((spec.batch_size, start - stop), spec.dtype), mask]
                stop = start + mask.shape[1]
            parts.append(tf.ones((spec.batch_size, width - stop), spec.dtype))
            return tf.concat(parts, axis=1)

        joined = tf.stack(
            [
                mask_of(row_group, block)
                for row_group in range(spec.n_row_groups)
                for block in range(spec.n_blocks)
            ]
        )
        shape = (spec.n_row_groups, spec.n_blocks, spec.batch_size, width)
        return tf.reshape(joined, shape)

    def _owners_of_outputs(self):
        tf, spec = self._tf, self.spec
        unit_network = tf.repeat(tf.range(spec.n_networks), spec.n_outputs)
        shape = (spec.n_row_groups, spec.n_blocks, spec.n_networks * spec.n_outputs)
        return tf.broadcast_to(unit_network, shape)

    @property
    def _is_masked(self):
        """Whether the gradient of an unused weight may differ from 0."""
        return self.spec.n_networks > 1 or self.spec.activation == "logistic"

    def _step(self, X, y, weight, rates, alpha, smoothing, masks, unit_network):
        """Run one batch of every network. Returns their losses, (S, C, N)."""
        tf = self._tf
        tensors = [variable.value for variable in self._variables]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tensors)
            Z = self._logits(X, tensors, masks)
            losses = tf.reduce_sum(self._losses(Z, y, smoothing) * weight, -1)
            if self.spec.penalized:
                losses += alpha * self._squares(tensors, unit_network)
            total = self._optimizers[0].scale_loss(tf.reduce_sum(losses))
        gradients = tape.gradient(total, tensors)
        if self._is_masked:
            for layer, (of_input, of_output) in enumerate(
                pairwise(unit_network), start=1
            ):
                mask = of_input[..., :, None] == of_output[..., None, :]
                # Not a product, because 0 times infinity is not 0.
                gradients[2 * layer] = tf.where(mask, gradients[2 * layer], 0)
        self._set_rates(rates, unit_network)
        pairs = zip(self._groups(gradients), self._groups(self._variables), strict=True)
        for (optimizer, some_gradients), (_, some_variables) in pairs:
            apply_gradients(tf, optimizer, some_gradients, some_variables)
        return losses

    def _set_rates(self, rates, unit_network):
        tf = self._tf
        if self.spec.same_rate:
            self._rates[0].value = rates[0, 0, 0]
            return
        for layer, (schedule, owner) in enumerate(
            zip(self._rates, unit_network, strict=True)
        ):
            of_units = tf.gather(rates, tf.maximum(owner, 0), batch_dims=2)
            schedule.value = of_units[:, :, None] if layer else of_units[:, None]

    def _logits(self, X, tensors, masks):
        """Logits of every network, (S, C, B, N, n_outputs), for inputs (S, B, F)."""
        tf, spec = self._tf, self.spec
        kernel, bias, *others = tensors
        if spec.rescale is not None:
            X *= tf.constant(spec.rescale, X.dtype)
        S, C, B = spec.n_row_groups, spec.n_blocks, spec.batch_size
        width = spec.widths[0]
        kernel = tf.reshape(kernel, (S, spec.n_features, C * width))
        Z = tf.reshape(X @ kernel, (S, B, C, width)) + bias
        A = tf.transpose(self._activate(Z), (0, 2, 1, 3))
        for layer, (kernel, bias) in enumerate(
            zip(others[0::2], others[1::2], strict=True), start=1
        ):
            if masks[layer - 1] is not None:
                A *= masks[layer - 1]
            Z = A @ kernel + bias
            if layer < len(spec.widths):
                A = self._activate(Z)
        return tf.reshape(Z, (S, C, B, spec.n_networks, spec.n_outputs))

    def _activate(self, Z):
        tf = self._tf
        return {
            "identity": tf.identity,
            "logistic": tf.sigmoid,
            "relu": tf.nn.relu,
            "tanh": tf.tanh,
        }[self.spec.activation](Z)

    def _squares(self, tensors, unit_network):
        """Half the sum of squares of the kernels of every network, (S, C, N)."""
        tf, spec = self._tf, self.spec
        squares = 0
        for layer, owner in enumerate(unit_network):
            axis = 2 if layer else 1
            of_units = tf.reduce_sum(tensors[2 * layer] ** 2, axis=axis)
            is_owner = tf.one_hot(owner, spec.n_networks, dtype=spec.dtype)
            squares += tf.reduce_sum(of_units[..., None] * is_owner, axis=2)
        return squares / 2

    def _losses(self, Z, y, smoothing):
        """Loss of every row, (S, C, N, B), of labels (S, B)."""
        y, smoothing = y[:, None, :, None], smoothing[:, :, None, :, None]
        spec = self.spec
        loss = cross_entropy(
            self._tf, Z, y, smoothing, spec.out_activation, spec.n_outputs
        )
        return self._tf.transpose(loss, (0, 1, 3, 2))


def _rate_schedule(keras):
    """Make a Keras learning rate schedule that returns its attribute `value`."""

    class Rates(keras.optimizers.schedules.LearningRateSchedule):
        value = 0.0

        def __call__(self, step):
            return self.value

    return Rates()
