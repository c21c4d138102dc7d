"""Files of weights: checked by their checksum, read without pickle."""

import hashlib
import io
import json
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from skdigits.pretrained._checksums import SHA256


class Weights(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    coefs : list of ndarray of float32 of shape (fan_in, fan_out)
    intercepts : list of ndarray of float32 of shape (fan_out,)
    norms : list of ndarray of float32
        Batch normalisations, which are folded into the weights.
    classes : ndarray of shape (n_classes,)
    about : dict
        Parameters of the classifier and what else there is to know of its training.
    """

    coefs: list
    intercepts: list
    norms: list
    classes: np.ndarray
    about: dict


def load_weights(name):
    """Load a file of weights that comes with the package.

    Parameters
    ----------
    name : str

    Returns
    -------
    Weights

    Raises
    ------
    RuntimeError
        If the file is damaged.
    """
    content = (files("skdigits.pretrained") / name).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        raise RuntimeError(
            f"{name} of skdigits.pretrained is damaged. Expected SHA-256 "
            f"{SHA256[name]}. Got {found} instead. Install skdigits again."
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
        layers = range(about["n_layers"])
        return Weights(
            # A byte a weight: multiples of a step for each unit.
            coefs=[file[f"coef_{n}"] * file[f"step_{n}"] for n in layers],
            intercepts=[file[f"intercept_{n}"] for n in layers],
            norms=[file[f"norm_{n}"] for n in layers[:-1]],
            classes=file["classes"],
            about=about,
        )
