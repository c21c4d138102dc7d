"""A compiled function that is called with other variables."""

from types import SimpleNamespace

import pytest

from skdigits._keras.loading import load_keras, load_tensorflow
from skdigits._training.shared_function import SharedFunction


@pytest.mark.parametrize("documented", [False, True])
def test_only_the_variables_of_a_call_are_updated(documented):
    keras, tf = load_keras(), load_tensorflow()
    mine, yours = ([keras.Variable(1.0)] for _ in range(2))

    def add(a, others):
        mine[0].assign_add(a * others[0])
        return mine[0].value

    number = tf.TensorSpec((), tf.float32)
    function = SharedFunction(tf, add, (number, [number]), mine, compiled=False)
    if documented:
        call = function._traced.inference_fn.call_with_captures
        inference = SimpleNamespace(call_with_captures=call)
        function._traced = SimpleNamespace(inference_fn=inference)
    result = function(yours, [tf.constant(2.0), [tf.constant(3.0)]])
    assert (float(result), float(yours[0]), float(mine[0])) == (7, 7, 1)
