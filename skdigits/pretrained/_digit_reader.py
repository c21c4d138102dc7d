"""The network that reads digits: as a classifier, and for reading pages."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from skdigits._network import inference
from skdigits.pretrained._weights import load_weights


def load_digit_reader():
    """Load the network that reads digits of photographs and scans.

    It was trained on digits of MNIST, as they are and as other hands, pens and cameras
    would have made them, by ``make pretrained``. Its probabilities are calibrated on
    digits held out, and low for what is no digit. Its model card in the documentation
    has the data, the recipe, accuracies and limits.

    Returns
    -------
    DigitMLPClassifier
        Fitted, for rows of 784 pixels in the format of MNIST's: from 0 for paper to
        255 for ink, which :func:`skdigits.images.normalize_digit` makes.

    Raises
    ------
    RuntimeError
        If the file of its weights is damaged.

    See Also
    --------
    skdigits.images.read_digits : Reads whole pages.

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
    about = weights.about
    clf = DigitMLPClassifier(**about["parameters"])
    clf.set_params(
        augment=RandomDistortion(**clf.augment),
        hidden_layer_sizes=tuple(clf.hidden_layer_sizes),
    )
    network = Network(
        n_features=len(weights.coefs[0]),
        hidden_layer_sizes=clf.hidden_layer_sizes,
        n_outputs=len(weights.classes),
        out_activation="softmax",
        activation=clf.activation,
        dropout=(0.0,) * len(weights.coefs),
        batch_norm=bool(weights.norms),
        rescale=clf.rescale,
    )
    clf.classes_ = weights.classes
    clf.n_features_in_ = network.n_features
    arrays = weights.coefs, weights.intercepts, weights.norms
    attributes = loaded_attributes(
        clf,
        network,
        arrays,
        loss_curve=about["loss_curve"],
        t=about["n_samples_seen"],
    )
    vars(clf).update(attributes)
    return clf


@dataclass(frozen=True, eq=False)
class _Network:
    """What reading a page needs of the classifier, without scikit-learn.

    Its probabilities are those of the classifier, bit by bit.
    """

    classes_: np.ndarray
    coefs: list
    intercepts: list
    activation: str
    rescale: float

    def predict_proba(self, X):
        """Probabilities, (n_samples, 10), of rows of 784 pixels."""
        logits = inference.logits(
            X, self.coefs, self.intercepts, self.activation, self.rescale
        )
        return inference.proba(logits, "softmax")


@lru_cache(maxsize=1)
def digit_network():
    """The network of `load_digit_reader`, for reading pages.

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
    )
