"""Parameters of a network as one flat vector, or as one variable per layer.

An optimizer runs several operations per variable. They are most of a program to
compile, and a good part of a step of a small network. Most optimizers are elementwise,
so they can update one flat vector instead.
"""

from collections.abc import Iterable, Iterator, Sequence
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

    def load(self, arrays: dict[int, Array]) -> None:
        """Set the values, given by the `id` of a variable."""
        for variable in self.variables:
            if id(variable) in arrays:
                variable.assign(arrays[id(variable)])

    def write_model(self) -> None:
        """Copy the values to the model and its optimizer."""

    def values(self) -> dict[int, Array]:
        """Copies of all values, by the `id` of a variable."""
        return {id(variable): copy_of(variable) for variable in self.variables}

    def arrays(self) -> list[Array]:
        """Copies of the weights, one array per variable of the model."""
        return [copy_of(variable) for variable in self._variables]

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
        self._shapes = [tuple(variable.shape) for variable in self._variables]
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]
        dtype = self._variables[0].dtype
        initial = np.zeros(sum(self._sizes), dtype=dtype)
        self._joined = keras.Variable(initial, dtype=dtype, name="weights")
        self.optimizer = optimizer
        optimizer.build([self._joined])
        self._pairs = [
            (self._variables, self._joined),
            *_matching_variables(model_optimizer, optimizer),
        ]

    @property
    def variables(self) -> list[Any]:
        """The variables that a step updates."""
        return [self._joined, *self.optimizer.variables]

    def read_model(self) -> None:
        """Copy the values from the model and its optimizer."""
        self.load({})

    def load(self, arrays: dict[int, Array]) -> None:
        """Set the values, given by the `id` of a variable; others are the model's."""

        def value_of(variable: Any) -> Array:
            array = arrays.get(id(variable))
            return variable.numpy() if array is None else array

        for separate, joined in self._pairs:
            if isinstance(separate, list):
                parts = [np.ravel(value_of(variable)) for variable in separate]
                joined.assign(np.concatenate(parts))
            else:
                joined.assign(value_of(separate))

    def write_model(self) -> None:
        """Copy the values to the model and its optimizer."""
        for variable, array in self._values():
            variable.assign(array)

    def values(self) -> dict[int, Array]:
        """Copies of all values, by the `id` of a variable."""
        return {id(variable): array for variable, array in self._values()}

    def _values(self) -> Iterator[tuple[Any, Array]]:
        for separate, joined in self._pairs:
            if isinstance(separate, list):
                yield from zip(separate, self._split(joined), strict=True)
            else:
                yield separate, copy_of(joined)

    def arrays(self) -> list[Array]:
        """Copies of the weights, one array per variable of the model."""
        return self._split(self._joined)

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

    def _split(self, joined: Any) -> list[Array]:
        parts = np.split(copy_of(joined), np.cumsum(self._sizes)[:-1])
        return [
            part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)
        ]


def _matching_variables(separate: Any, joined: Any) -> list[tuple[Any, Any]]:
    """Pairs of the variables of two optimizers that have the same role."""
    n_variables = len(separate._trainable_variables)
    # Not by type: in older Keras, optimizer variables are not of `keras.Variable`.
    own = {id(variable) for variable in separate.variables}
    slots = [
        (list(value), vars(joined)[name][0])
        for name, value in vars(separate).items()
        if name not in ("_trainable_variables", "_variables")
        and isinstance(value, list)
        and len(value) == n_variables
        and all(id(item) in own for item in value)
    ]
    taken = {id(variable) for slot, _ in slots for variable in slot}
    taken |= {id(variable) for _, variable in slots}
    once = [
        [variable for variable in optimizer.variables if id(variable) not in taken]
        for optimizer in (separate, joined)
    ]
    return [*slots, *zip(*once, strict=True)]


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


def copy_of(variable: Any) -> Array:
    """Copy of a variable's value; `numpy()` may return memory that training changes."""
    return np.array(variable.numpy())


def bytes_of(variables: Iterable[Any]) -> int:
    """Size of variables in bytes."""
    return sum(
        int(np.prod(variable.shape)) * np.dtype(variable.dtype).itemsize
        for variable in variables
    )


def assign(variables: Iterable[Any], arrays: Iterable[Array]) -> None:
    """Assign one array to each variable."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
