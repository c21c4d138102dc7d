"""How fast it could be: the same work with nothing around it.

`JaxLoop` is the reference network as bare JAX: every epoch of a fit in one compiled
call, the gradient by JAX, Adam written out, no validation, no estimator.
"""

from functools import cache, partial
from itertools import pairwise

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class JaxLoop(ClassifierMixin, BaseEstimator):
    """Training in one program, as a classifier of labels 0 to 9."""

    def __init__(self, hidden=(25, 15), batch_size=32, epochs=100, seed=0):
        self.hidden = hidden
        self.batch_size = batch_size
        self.epochs = epochs
        self.seed = seed

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
        trained = _program()(
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
def _program():
    import jax
    import jax.flatten_util
    import jax.numpy as jnp

    def loss(weights, X, y, weight):
        for kernel, bias in weights[:-1]:
            X = jax.nn.relu(X @ kernel + bias)
        kernel, bias = weights[-1]
        log_proba = jax.nn.log_softmax(X @ kernel + bias)
        entropy = -jnp.take_along_axis(log_proba, y[:, None], axis=1)[:, 0]
        return jnp.sum(entropy * weight) / jnp.sum(weight)

    def adam(step, weight, gradient, mean, square):
        mean = mean + 0.1 * (gradient - mean)
        square = square + 0.001 * (gradient**2 - square)
        rate = 0.001 * jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        return weight - rate * mean / (jnp.sqrt(square) + 1e-7), mean, square

    def take_step(X, y, state, batch):
        weights, means, squares, step = state
        index, weight = batch
        gradients = jax.grad(loss)(weights, X[index], y[index], weight)
        # One long vector: the update of each variable by itself compiles longer.
        flat, unravel = jax.flatten_util.ravel_pytree(weights)
        gradient, _ = jax.flatten_util.ravel_pytree(gradients)
        flat, means, squares = adam(step, flat, gradient, means, squares)
        return (unravel(flat), means, squares, step + 1.0), None

    @jax.jit
    def train(weights, X, y, index, weight):
        flat, _ = jax.flatten_util.ravel_pytree(weights)
        zeros = jnp.zeros_like(flat)
        start = (weights, zeros, zeros, 1.0)
        (weights, *_), _ = jax.lax.scan(
            partial(take_step, X, y), start, (index, weight)
        )
        return weights

    return train
