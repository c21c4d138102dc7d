"""One compiled function for several sets of variables.

A `tf.function` changes the variables it was traced with. Compiling takes seconds, so
groups that are trained side by side, each with variables of its own, share what was
compiled for one of them.
"""

import threading
from weakref import WeakValueDictionary

from skdigits._keras.loading import quiet_tensorflow


class SharedFunction:
    """A function that changes variables, to call with other variables of their shapes.

    Parameters
    ----------
    tf : module
    train : callable
        Changes variables.
    signature : tuple of TensorSpec
        Arguments of `train`.
    variables : list of keras.Variable
        Those that `train` changes when it is called.
    compiled : bool
        Whether XLA compiles it.
    """

    def __init__(self, tf, train, signature, variables, compiled):
        self._tf = tf
        traced = tf.function(train, autograph=False).get_concrete_function(*signature)
        numbers = {id(v.value.handle): n for n, v in enumerate(variables)}
        # Its own variables are among what it has captured; with the resources as
        # arguments there can be others in their slot.
        captured = traced.captured_inputs
        self._numbers = [numbers[id(c)] for c in captured if id(c) in numbers]

        def run(arguments, resources):
            resources = iter(resources)
            inputs = [next(resources) if id(c) in numbers else c for c in captured]
            (output,) = tf.raw_ops.StatefulPartitionedCall(
                args=[*tf.nest.flatten(arguments), *inputs],
                Tout=[output.dtype for output in traced.outputs],
                f=traced,
            )
            return output

        self._run = tf.function(
            run, jit_compile=compiled, autograph=False
        ).get_concrete_function(
            signature, [tf.TensorSpec((), tf.resource) for _ in self._numbers]
        )

    def __call__(self, variables, arguments):
        resources = [variables[number].value.handle for number in self._numbers]
        return self._run(*self._tf.nest.flatten((arguments, resources)))


# By spec, as long as somebody uses them.
_functions = WeakValueDictionary()
_making = threading.Lock()


def shared_function(spec, make, try_out):
    """The function for a spec, made unless there is one in use.

    Parameters
    ----------
    spec : hashable
    make : callable
        Returns a SharedFunction.
    try_out : callable
        Calls it once, to no effect, so that it is compiled.

    Returns
    -------
    function : SharedFunction
    """
    with _making:  # not twice for two threads
        function = _functions.get(spec)
        if function is None:
            with quiet_tensorflow():
                function = make()
                try_out(function)
            _functions[spec] = function
        return function
