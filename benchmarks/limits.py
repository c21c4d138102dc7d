"""How fast it could be: the same work with nothing around it.

`BareLoop` is the reference network in bare TensorFlow: all epochs of a fit in one
program compiled by XLA, Adam written out, no Keras, no validation, no estimator.
`products` are the matrix products of a step alone, in a dtype.
"""

from functools import cache
from itertools import pairwise

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class BareLoop(ClassifierMixin, BaseEstimator):
    """Training in one program, as a classifier of labels 0 to 9."""

    def __init__(
        self, hidden=(25, 15), batch_size=32, epochs=100, seed=0, compiled=True
    ):
        self.hidden = hidden
        self.batch_size = batch_size
        self.epochs = epochs
        self.seed = seed
        self.compiled = compiled

    def fit(self, X, y):
        rng = np.random.default_rng(self.seed)
        n_samples = len(X)
        n_steps = -(-n_samples // self.batch_size)
        index = np.zeros((self.epochs, n_steps * self.batch_size), dtype=np.int32)
        weight = np.zeros(index.shape, dtype=np.float32)
        for epoch in range(self.epochs):
            index[epoch, :n_samples] = rng.permutation(n_samples)
        weight[:, :n_samples] = 1
        shape = (self.epochs * n_steps, self.batch_size)
        weights = []
        for n_in, n_out in pairwise([X.shape[1], *self.hidden, 10]):
            bound = np.sqrt(6 / (n_in + n_out))
            kernel = rng.uniform(-bound, bound, (n_in, n_out)).astype(np.float32)
            weights.append((kernel, np.zeros(n_out, dtype=np.float32)))
        trained = loop(self.compiled)(
            weights,
            X.astype(np.float32, copy=False),
            y.astype(np.int32),
            index.reshape(shape),
            weight.reshape(shape),
        )
        self.weights_ = [tuple(map(np.asarray, layer)) for layer in trained]
        self.classes_ = np.arange(10)
        return self

    def predict(self, X):
        for kernel, bias in self.weights_[:-1]:
            X = np.maximum(X @ kernel + bias, 0)
        kernel, bias = self.weights_[-1]
        return (X @ kernel + bias).argmax(axis=1)


@cache
def loop(compiled):
    """The function that trains, kept until the cache is cleared."""
    import tensorflow as tf

    def loss_of(weights, X, y, weight):
        for kernel, bias in weights[:-1]:
            X = tf.nn.relu(X @ kernel + bias)
        kernel, bias = weights[-1]
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, X @ kernel + bias)
        return tf.reduce_sum(loss * weight) / tf.reduce_sum(weight)

    @tf.function(jit_compile=compiled, autograph=False)
    def train(weights, X, y, index, weight):
        start = [tf.convert_to_tensor(array) for layer in weights for array in layer]
        zeros = [tf.zeros_like(array) for array in start]

        def step(number, arrays, means, squares):
            batch = index[number]
            with tf.GradientTape() as tape:
                tape.watch(arrays)
                layers = list(zip(arrays[::2], arrays[1::2], strict=True))
                X_batch, y_batch = tf.gather(X, batch), tf.gather(y, batch)
                loss = loss_of(layers, X_batch, y_batch, weight[number])
            gradients = tape.gradient(loss, arrays)
            taken = tf.cast(number + 1, tf.float32)
            rate = 0.001 * tf.sqrt(1 - 0.999**taken) / (1 - 0.9**taken)
            updated = [[], [], []]
            for array, g, mean, square in zip(
                arrays, gradients, means, squares, strict=True
            ):
                mean += 0.1 * (g - mean)
                square += 0.001 * (g**2 - square)
                updated[0].append(array - rate * mean / (tf.sqrt(square) + 1e-7))
                updated[1].append(mean)
                updated[2].append(square)
            return number + 1, *updated

        _, trained, _, _ = tf.while_loop(
            lambda number, *_: number < index.shape[0], step, (0, start, zeros, zeros)
        )
        return list(zip(trained[::2], trained[1::2], strict=True))

    return train


def products(dtype, *, compiled, sizes=(784, 512, 512), batch_size=128, n_steps=100):
    """A program of the matrix products of some training steps, in a dtype.

    Returns
    -------
    run : callable
        Takes the steps.
    """
    import tensorflow as tf

    rng = np.random.default_rng(0)
    X = tf.constant(rng.random((batch_size, sizes[0]), dtype=np.float32))
    kernels = [
        tf.constant(rng.normal(0, 0.03, shape).astype(np.float32))
        for shape in pairwise(sizes)
    ]

    def product(A, B, **transposed):
        A, B = tf.cast(A, dtype), tf.cast(B, dtype)
        return tf.cast(tf.matmul(A, B, **transposed), tf.float32)

    @tf.function(jit_compile=compiled, autograph=False)
    def run(X, kernels):
        def step(number, kernels):
            inputs = [X]
            for kernel in kernels:
                inputs.append(tf.nn.relu(product(inputs[-1], kernel)))
            slope = inputs.pop()
            updated = []
            for kernel, values in zip(kernels[::-1], inputs[::-1], strict=True):
                change = product(values, slope, transpose_a=True)
                updated.insert(0, kernel - 1e-9 * change)
                if values is not X:
                    slope = product(slope, kernel, transpose_b=True)
            return number + 1, updated

        return tf.while_loop(lambda number, _: number < n_steps, step, (0, kernels))[1]

    return lambda: run(X, kernels)[0].numpy()
