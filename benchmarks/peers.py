"""The peers: the same network in each library, behind scikit-learn's interface.

Each maker imports its library itself, so that a process holds only what it measures.
"""

from itertools import pairwise

import numpy as np


def skdigits(
    hidden=(25, 15), batch_size=32, epochs=100, rescale=None, seed=0, **others
):
    from skdigits import DigitMLPClassifier

    return DigitMLPClassifier(
        hidden,
        batch_size=batch_size,
        max_iter=epochs,
        rescale=rescale,
        random_state=seed,
        **others,
    )


def mlp_classifier(hidden=(25, 15), batch_size=32, epochs=100, rescale=None, seed=0):
    from sklearn.neural_network import MLPClassifier

    # The reference job trains a given number of epochs, without a penalty.
    return MLPClassifier(
        hidden,
        batch_size=batch_size,
        max_iter=epochs,
        alpha=0.0,
        n_iter_no_change=epochs + 1,
        random_state=seed,
    )


def _sequential(n_features, hidden, rescale=None, softmax=False):
    import keras

    model = keras.Sequential([keras.Input((n_features,))])
    if rescale is not None:
        model.add(keras.layers.Rescaling(rescale))
    for units in hidden:
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(10))
    if softmax:
        model.add(keras.layers.Softmax())
    return model


def _compile(model):
    import keras

    model.compile(
        optimizer=keras.optimizers.Adam(0.001),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


class _PlainKeras:
    """Keras as the reference script uses it."""

    def __init__(self, hidden, batch_size, epochs, rescale):
        self.hidden, self.batch_size = hidden, batch_size
        self.epochs, self.rescale = epochs, rescale

    def fit(self, X, y):
        self.model = _compile(_sequential(X.shape[1], self.hidden, self.rescale))
        self.model.fit(X, y, batch_size=self.batch_size, epochs=self.epochs, verbose=0)
        return self

    def predict_proba(self, X):
        import keras

        return keras.ops.softmax(self.model.predict(X, verbose=0)).numpy()

    def score(self, X, y):
        return np.mean(self.predict_proba(X).argmax(axis=1) == y)


def keras(hidden=(25, 15), batch_size=32, epochs=100, rescale=None, seed=0):
    import keras

    keras.utils.set_random_seed(seed)
    return _PlainKeras(hidden, batch_size, epochs, rescale)


def _one_hot_model(X, y, hidden):
    import keras

    model = _sequential(X.shape[1], hidden, softmax=True)
    model.compile(keras.optimizers.Adam(0.001), "categorical_crossentropy")
    return model


def keras_wrapper(hidden=(25, 15), batch_size=32, epochs=100, rescale=None, seed=0):
    import keras

    keras.utils.set_random_seed(seed)
    return keras.wrappers.SKLearnClassifier(
        _one_hot_model,  # one-hot labels are what it hands over
        model_kwargs={"hidden": hidden},
        fit_kwargs={"batch_size": batch_size, "epochs": epochs, "verbose": 0},
    )


def scikeras(hidden=(25, 15), batch_size=32, epochs=100, rescale=None, seed=0):
    from scikeras.wrappers import KerasClassifier

    def build(meta):
        return _sequential(meta["n_features_in_"], hidden, softmax=True)

    return KerasClassifier(
        build,
        optimizer="adam",
        loss="sparse_categorical_crossentropy",
        batch_size=batch_size,
        epochs=epochs,
        random_state=seed,
        verbose=0,
    )


def skorch(hidden=(25, 15), batch_size=32, epochs=100, rescale=None, seed=0):
    import torch
    from skorch import NeuralNetClassifier

    torch.manual_seed(seed)

    class Cast(torch.nn.Module):
        def forward(self, X):
            return X.float() * (1.0 if rescale is None else rescale)

    class Network(torch.nn.Module):
        def __init__(self, n_features=784):
            super().__init__()
            sizes = [n_features, *hidden]
            layers = [Cast()]
            for n_in, n_out in pairwise(sizes):
                layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
            self.layers = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 10))

        def forward(self, X):
            return self.layers(X)

    class Classifier(NeuralNetClassifier):
        def fit(self, X, y):
            self.set_params(module__n_features=X.shape[1])
            return super().fit(X, y)

    return Classifier(
        Network,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.001,
        batch_size=batch_size,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


def bare_loop(
    hidden=(25, 15), batch_size=32, epochs=100, rescale=None, seed=0, compiled=True
):
    from benchmarks.limits import BareLoop

    return BareLoop(hidden, batch_size, epochs, seed, compiled)


MAKERS = {
    "skdigits": skdigits,
    "MLPClassifier": mlp_classifier,
    "Keras": keras,
    "SKLearnClassifier": keras_wrapper,
    "scikeras": scikeras,
    "skorch": skorch,
    "bare loop": bare_loop,
}
