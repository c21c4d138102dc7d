"""One compiled function for several sets of variables.

A `tf.function` updates the variables that it was traced with. Compiling takes seconds,
so groups that are trained in parallel, each with its own variables, share one compiled
function.
"""

import threading
from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakValueDictionary

from skdigits._keras.loading import quiet_tensorflow


class SharedFunction:
    """A function that updates variables and can be called with others of equal shapes.

    Parameters
    ----------
    tf : module
    train : callable
        Function that updates variables.
    signature : tuple of TensorSpec
        Arguments of `train`.
    variables : list of keras.Variable
        Variables that `train` updates.
    compiled : bool
        Whether XLA compiles it.
    """

    def __init__(
        self, tf: Any, train: Any, signature: Any, variables: list[Any], compiled: bool
    ) -> None:
        self._tf = tf
        self._traced = tf.function(
            train, jit_compile=compiled, autograph=False
        ).get_concrete_function(*signature)
        # It captures its variables. Others can take their place, by their numbers.
        numbers = {id(v.value.handle): n for n, v in enumerate(variables)}
        self._captured = [
            (captured, numbers.get(id(captured)))
            for captured in self._traced.captured_inputs
        ]

    def __call__(self, variables: list[Any], arguments: list[Any]) -> Any:
        captured = [
            tensor if number is None else variables[number].value.handle
            for tensor, number in self._captured
        ]
        function = self._traced.inference_fn
        # `call_with_captures` is documented. It binds and casts each argument, which
        # takes as long as some steps of a small network, and then calls `call_flat`,
        # which is not documented: another version of TensorFlow may not have it.
        if not hasattr(function, "call_flat"):
            return function.call_with_captures(arguments, {}, captured)
        (result,) = function.call_flat(*self._tf.nest.flatten(arguments), *captured)
        return result


# By spec, as long as they are in use.
_functions: WeakValueDictionary[Hashable, SharedFunction] = WeakValueDictionary()
_making = threading.Lock()


def shared_function(
    spec: Hashable,
    make: Callable[[], SharedFunction],
    try_out: Callable[[SharedFunction], None],
) -> SharedFunction:
    """Return the function for a spec; make it unless one is in use.

    Parameters
    ----------
    spec : hashable
    make : callable
        Returns a SharedFunction.
    try_out : callable
        Calls the function once, without effect, to compile it.

    Returns
    -------
    function : SharedFunction
    """
    with _making:  # once, even if two threads need it
        function = _functions.get(spec)
        if function is None:
            with quiet_tensorflow():
                function = make()
                try_out(function)
            _functions[spec] = function
        return function
