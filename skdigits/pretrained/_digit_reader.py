"""The pretrained digit reader: as a classifier, and without scikit-learn."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skdigits._network import inference
from skdigits.pretrained._weights import load_weights

if TYPE_CHECKING:
    from skdigits._classifier import DigitMLPClassifier


def load_digit_reader() -> "DigitMLPClassifier":
    """Load a pretrained classifier for digits of photographs and scans.

    Trained on digits of MNIST, and on versions redrawn with other pens and handwriting
    and photographed. Its probabilities are calibrated on held-out digits, and low for
    images that are not digits. The model card in the documentation describes its data,
    training, accuracy and limits.

    Returns
    -------
    DigitMLPClassifier
        A fitted classifier. Its features are the 784 pixels of images in the format of
        MNIST, from 0 for paper to 255 for ink, as returned by
        :func:`skdigits.images.normalize_digit`.

    Raises
    ------
    RuntimeError
        If the file of weights is damaged.

    See Also
    --------
    skdigits.images.read_digits : Read the digits of a page.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import normalize_digit
    >>> from skdigits.pretrained import load_digit_reader
    >>> one = np.ones((90, 60))
    >>> one[20:70, 25:33] = 0.2
    >>> load_digit_reader().predict(normalize_digit(one).reshape(1, -1))
    array([1])
    """
    from skdigits._classifier import DigitMLPClassifier
    from skdigits._fitting import loaded_attributes
    from skdigits._network.architecture import Network
    from skdigits.augmentation._random_distortion import RandomDistortion

    weights = load_weights("digit_reader.npz")
    parameters = weights.about["parameters"]
    parameters["augment"] = RandomDistortion(**parameters["augment"])
    parameters["hidden_layer_sizes"] = tuple(parameters["hidden_layer_sizes"])
    clf = DigitMLPClassifier(**parameters)
    network = Network(
        n_features=len(weights.coefs[0]),
        hidden_layer_sizes=parameters["hidden_layer_sizes"],
        n_outputs=len(weights.classes),
        out_activation="softmax",
        activation=parameters["activation"],
        dropout=(0.0,) * len(weights.coefs),
        batch_norm=bool(weights.norms),
        rescale=parameters["rescale"],
    )
    clf.classes_ = weights.classes
    clf.n_features_in_ = network.n_features
    attributes = loaded_attributes(
        clf,
        network,
        (weights.coefs, weights.intercepts, weights.norms),
        loss_curve=weights.about["loss_curve"],
        t=weights.about["n_samples_seen"],
    )
    clf.__dict__.update(attributes)
    return clf


@dataclass(frozen=True, eq=False)
class _Network:
    """The classifier without scikit-learn; its probabilities are the same bits."""

    classes_: NDArray[np.int64]
    coefs: list[NDArray[np.float32]]
    intercepts: list[NDArray[np.float32]]
    activation: str
    rescale: float
    # Share of wrong labels among the digits that reach a level of confidence.
    error_table: dict[float, float]

    def predict_proba(self, X: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities, (n_samples, 10), for pixels, (n_samples, 784)."""
        logits = inference.logits(
            X, self.coefs, self.intercepts, self.activation, self.rescale
        )
        proba: NDArray[np.float32] = inference.proba(logits, "softmax")
        return proba


@lru_cache(maxsize=1)
def digit_network() -> _Network:
    """Load the network of `load_digit_reader` without importing scikit-learn.

    Importing scikit-learn takes longer than reading a page.
    """
    weights = load_weights("digit_reader.npz")
    parameters = weights.about["parameters"]
    return _Network(
        classes_=weights.classes,
        coefs=weights.coefs,
        intercepts=weights.intercepts,
        activation=parameters["activation"],
        rescale=parameters["rescale"],
        error_table=dict(weights.about["error_table"]),
    )
