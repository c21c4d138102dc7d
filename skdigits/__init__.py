"""Handwritten digit recognition as a scikit-learn estimator."""

from skdigits._classifier import DigitMLPClassifier
from skdigits._version import __version__ as __version__

__all__ = ["DigitMLPClassifier"]
