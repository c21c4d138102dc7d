"""Parameters of a network as one flat vector, or as one variable per layer.

An optimizer runs several operations per variable. They are most of a program to
compile, and a good part of a step of a small network. Most optimizers are elementwise,
so they can update one flat vector instead.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from skdigits._network import Array


class LayerParameters:
    """The trainable variables of a model, as Keras has them.

    Parameters
    ----------
    tf : module
    model : keras.Model
    optimizer : keras.optimizers.Optimizer
        Built for the model's trainable variables.
    """

    def __init__(self, tf: Any, model: Any, optimizer: Any) -> None:
        self._tf = tf
        self.optimizer = optimizer
        self._variables = model.trainable_variables

    @property
    def variables(self) -> list[Any]:
        """The variables that a step updates."""
        return [*self._variables, *self.optimizer.variables]

    def read_model(self) -> None:
        """Copy the values from the model and its optimizer."""

    def write_model(self) -> None:
        """Copy the values to the model and its optimizer."""

    def load(self, weights: Sequence[Array], of_optimizer: Sequence[Array]) -> None:
        """Set the weights and the variables of the optimizer."""
        assign(self._tf, self._variables, weights)
        assign(self._tf, self.optimizer.variables, of_optimizer)

    def arrays(self) -> list[Array]:
        """Copies of the weights, one array per variable of the model."""
        return copies_of(self._tf, self._variables)

    def optimizer_arrays(self) -> list[Array]:
        """Copies of the variables of the optimizer."""
        return copies_of(self._tf, self.optimizer.variables)

    def tensors(self) -> list[Any]:
        """The weights as tensors, one per variable of the model."""
        return [variable.value for variable in self._variables]

    def apply(self, gradients: list[Any]) -> None:
        """Run one step of the optimizer."""
        apply_gradients(self._tf, self.optimizer, gradients, self._variables)


class FlatParameters:
    """The trainable variables of a model, concatenated to one variable.

    Parameters
    ----------
    keras, tf : module
    model : keras.Model
    model_optimizer : keras.optimizers.Optimizer
        Built for the model's trainable variables.
    optimizer : keras.optimizers.Optimizer
        An equal optimizer, not yet built.
    """

    def __init__(
        self, keras: Any, tf: Any, model: Any, model_optimizer: Any, optimizer: Any
    ) -> None:
        self._tf = tf
        self._variables = model.trainable_variables
        self._of_model = model_optimizer.variables
        self._shapes = [tuple(variable.shape) for variable in self._variables]
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]
        dtype = self._variables[0].dtype
        initial = np.zeros(sum(self._sizes), dtype=dtype)
        self._joined = keras.Variable(initial, dtype=dtype, name="weights")
        self.optimizer = optimizer
        optimizer.build([self._joined])
        self._parts = _parts_of_variables(model_optimizer, optimizer)

    @property
    def variables(self) -> list[Any]:
        """The variables that a step updates."""
        return [self._joined, *self.optimizer.variables]

    def read_model(self) -> None:
        """Copy the values from the model and its optimizer."""
        weights = copies_of(self._tf, self._variables)
        self.load(weights, copies_of(self._tf, self._of_model))

    def write_model(self) -> None:
        """Copy the values to the model and its optimizer."""
        assign(self._tf, self._variables, self.arrays())
        assign(self._tf, self._of_model, self.optimizer_arrays())

    def load(self, weights: Sequence[Array], of_optimizer: Sequence[Array]) -> None:
        """Set the weights and the variables of the model's optimizer."""
        parts = ([of_optimizer[n] for n in numbers] for numbers in self._parts)
        assign(self._tf, self.variables, map(_join, [weights, *parts]))

    def arrays(self) -> list[Array]:
        """Copies of the weights, one array per variable of the model."""
        return self._divide(*copies_of(self._tf, [self._joined]))

    def optimizer_arrays(self) -> list[Array]:
        """Copies of the variables of the model's optimizer."""
        of_optimizer = copies_of(self._tf, self.optimizer.variables)
        arrays: dict[int, Array] = {}
        for numbers, array in zip(self._parts, of_optimizer, strict=True):
            parts = [array] if len(numbers) == 1 else self._divide(array)
            arrays |= zip(numbers, parts, strict=True)
        return [arrays[number] for number in range(len(arrays))]

    def _divide(self, joined: Array) -> list[Array]:
        """The inverse of `_join`."""
        parts, start = [], 0
        for size, shape in zip(self._sizes, self._shapes, strict=True):
            parts.append(joined[start : start + size].reshape(shape))
            start += size
        return parts

    def tensors(self) -> list[Any]:
        """The weights as tensors, one per variable of the model."""
        tf = self._tf
        parts = tf.split(self._joined.value, self._sizes)
        return [
            tf.reshape(part, shape)
            for part, shape in zip(parts, self._shapes, strict=True)
        ]

    def apply(self, gradients: list[Any]) -> None:
        """Run one step of the optimizer."""
        tf = self._tf
        # XLA turns tf.concat, and parts added to zeros, into masked loops over the
        # whole vector, at times slower than all the rest of a step.
        joined = self._joined.value
        start = 0
        for gradient, size in zip(gradients, self._sizes, strict=True):
            joined = tf.raw_ops.TensorStridedSliceUpdate(
                input=joined,
                begin=[start],
                end=[start + size],
                strides=[1],
                value=tf.reshape(gradient, [-1]),
            )
            start += size
        apply_gradients(tf, self.optimizer, [joined], [self._joined])


def _parts_of_variables(separate: Any, joined: Any) -> list[list[int]]:
    """For each variable of `joined`, numbers of those of `separate` with its role.

    They are equal optimizers, built for several variables and for one.
    """
    n_variables = len(separate._trainable_variables)
    # Not by type: in older Keras, optimizer variables are not of `keras.Variable`.
    number = {id(variable): n for n, variable in enumerate(separate.variables)}
    several = {
        id(vars(joined)[name][0]): [number.pop(id(variable)) for variable in value]
        for name, value in vars(separate).items()
        if name not in ("_trainable_variables", "_variables")
        and isinstance(value, list)
        and len(value) == n_variables
        and all(id(variable) in number for variable in value)
    }
    single = iter(number.values())
    return [several.get(id(v)) or [next(single)] for v in joined.variables]


def _join(arrays: Sequence[Array]) -> Array:
    """Several arrays as one vector; a single array unchanged."""
    if len(arrays) == 1:
        return arrays[0]
    return np.concatenate([np.ravel(array) for array in arrays])


def apply_gradients(
    tf: Any, optimizer: Any, gradients: list[Any], variables: Sequence[Any]
) -> None:
    """Run one step of an optimizer, in a graph that can be freed.

    Keras sums the gradients over all replicas, even if there is only one, by a
    function with a custom gradient. TensorFlow never frees a registered custom
    gradient, and this one refers to the graph that it was traced in. In a
    cross-replica context, Keras omits the sum.
    """
    replica = tf.distribute.get_replica_context()
    if replica is None:  # in a cross-replica context already
        optimizer.apply(gradients, variables)
        return
    replica.merge_call(lambda strategy: optimizer.apply(gradients, variables))


def bytes_of(variables: Iterable[Any]) -> int:
    """Size of variables in bytes."""
    return sum(
        int(np.prod(variable.shape)) * np.dtype(variable.dtype).itemsize
        for variable in variables
    )


# The methods of variables take three times as long as the operations, which matters in
# `partial_fit` of a few rows.


def copies_of(tf: Any, variables: Iterable[Any]) -> list[Array]:
    """Copies of the values of variables."""
    handles = ((variable.value.handle, variable.value.dtype) for variable in variables)
    tensors = (tf.raw_ops.ReadVariableOp(resource=h, dtype=d) for h, d in handles)
    # `numpy` may return memory that training changes.
    return [np.array(tensor.numpy()) for tensor in tensors]


def assign(tf: Any, variables: Iterable[Any], arrays: Iterable[Array]) -> None:
    """Assign one array to each variable."""
    for variable, array in zip(variables, arrays, strict=True):
        own = variable.value
        tf.raw_ops.AssignVariableOp(
            resource=own.handle,
            value=np.asarray(array, own.dtype.as_numpy_dtype),
            validate_shape=True,
        )
