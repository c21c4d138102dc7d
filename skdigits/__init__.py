"""Handwritten digit recognition as a scikit-learn estimator."""

from skdigits._version import __version__ as __version__

__all__ = ["DigitMLPClassifier"]


def __getattr__(name):
    # Reading a page needs no scikit-learn, whose import takes longer than the reading.
    if name == "DigitMLPClassifier":
        from skdigits._classifier import DigitMLPClassifier

        return DigitMLPClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return [*__all__, "__version__"]
