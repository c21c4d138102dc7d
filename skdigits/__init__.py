"""Handwritten digit recognition as a scikit-learn estimator.

``skdigits.images.read_digits("page.jpg")`` reads the digits of an image, and
``skdigits.DigitMLPClassifier().fit(X, y)`` trains a classifier on rows of pixels.
"""

import importlib

from skdigits._version import __version__ as __version__

__all__ = ["DigitMLPClassifier", "fit_together", "make_accurate_classifier"]

_SUBPACKAGES = {
    "augmentation",
    "datasets",
    "export",
    "images",
    "plotting",
    "pretrained",
}


def __getattr__(name):
    # Imported on first access: reading an image needs no scikit-learn, whose import
    # takes longer than the reading.
    if name == "DigitMLPClassifier":
        from skdigits._classifier import DigitMLPClassifier

        return DigitMLPClassifier
    if name == "fit_together":
        from skdigits._together.backend import fit_together

        return fit_together
    if name == "make_accurate_classifier":
        from skdigits._recipe import make_accurate_classifier

        return make_accurate_classifier
    if name in _SUBPACKAGES:
        return importlib.import_module(f"skdigits.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*__all__, *_SUBPACKAGES, "__version__"})
