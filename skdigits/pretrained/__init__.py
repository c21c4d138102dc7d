"""Networks that come trained."""

import hashlib
import io
import json
from importlib.resources import files

import numpy as np

from skdigits._classifier import DigitMLPClassifier
from skdigits._saved import stamp
from skdigits.augmentation import RandomDistortion
from skdigits.pretrained._checksums import SHA256


__all__ = ["load_digit_reader"]


def load_digit_reader():
    """Load the network that reads digits of photographs and scans.

    It was trained on digits of MNIST, as they are and as other hands, pens and cameras
    would have made them, by ``make pretrained``. Its probabilities are calibrated on
    digits held out, and low for what is no digit. Its model card in the documentation
    has the data, the recipe, accuracies and limits.

    Returns
    -------
    DigitMLPClassifier
        Fitted, for rows of 784 pixels in the format of MNIST's: uint8 from 0 for paper
        to 255 for ink, which :func:`skdigits.images.normalize_digit` makes.

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
    name = "digit_reader.npz"
    content = (files("skdigits.pretrained") / name).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        raise RuntimeError(
            f"{name} of skdigits.pretrained is damaged. Expected SHA-256 "
            f"{SHA256[name]}. Got {found} instead. Install skdigits again."
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return _classifier(file)


def _classifier(file):
    """The classifier whose weights and description a file has."""
    about = json.loads(str(file["about"]))
    parameters = about["parameters"]
    parameters["augment"] = RandomDistortion(**parameters["augment"])
    parameters["hidden_layer_sizes"] = tuple(parameters["hidden_layer_sizes"])
    clf = DigitMLPClassifier(**parameters)
    n_layers = len(parameters["hidden_layer_sizes"]) + 1
    coefs = [
        file[f"coef_{layer}"] * file[f"scale_{layer}"] for layer in range(n_layers)
    ]
    intercepts = [file[f"intercept_{layer}"] for layer in range(n_layers)]
    loss_curve = file["loss_curve"].tolist()
    clf.__setstate__(
        clf.get_params(deep=False)
        | stamp()
        | {
            "classes_": file["classes"],
            "coefs_": coefs,
            "intercepts_": intercepts,
            "n_features_in_": coefs[0].shape[0],
            "n_layers_": n_layers + 1,
            "n_outputs_": coefs[-1].shape[1],
            "out_activation_": "softmax",
            "n_iter_": len(loss_curve),
            "t_": about["n_samples_seen"],
            "loss_": loss_curve[-1],
            "loss_curve_": loss_curve,
            "best_loss_": min(loss_curve),
            "best_epoch_": len(loss_curve),
            "validation_scores_": None,
            "validation_loss_curve_": None,
            "best_validation_score_": None,
            "_activation": clf.activation,
            "_batch_norms": [],
            "_dropout": (0.0,) * n_layers,
            "_rescale": clf.rescale,
            "_training_state": None,
        }
    )
    return clf
