"""Load files of weights, after a check of their checksum, without pickle."""

import hashlib
import io
import json
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skdigits.pretrained._checksums import SHA256


class Weights(NamedTuple):
    """Content of a file of weights.

    Attributes
    ----------
    coefs : list of ndarray of float32 of shape (fan_in, fan_out)
    intercepts : list of ndarray of float32 of shape (fan_out,)
    norms : list of ndarray of float32
        Batch normalizations, which have been folded into the weights.
    classes : ndarray of shape (n_classes,)
    about : dict
        Parameters of the classifier and facts about its training.
    """

    coefs: list[NDArray[np.float32]]
    intercepts: list[NDArray[np.float32]]
    norms: list[NDArray[np.float32]]
    classes: NDArray[np.int64]
    about: dict[str, Any]


def load_weights(name: str) -> Weights:
    """Load a file of weights of the package. `RuntimeError` if it is damaged."""
    content = (files("skdigits.pretrained") / name).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        raise RuntimeError(
            f"The file {name} of skdigits.pretrained is damaged. Expected SHA-256 "
            f"{SHA256[name]}. Got {found} instead. Reinstall skdigits."
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
        layers = range(about["n_layers"])
        return Weights(
            # One byte per weight: integer multiples of a step for each unit.
            coefs=[file[f"coef_{n}"] * file[f"step_{n}"] for n in layers],
            intercepts=[file[f"intercept_{n}"] for n in layers],
            norms=[file[f"norm_{n}"] for n in layers[:-1]],
            classes=file["classes"],
            about=about,
        )
