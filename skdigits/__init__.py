"""Handwritten digit recognition as a scikit-learn estimator."""

from skdigits._classifier import DigitMLPClassifier

__all__ = ["DigitMLPClassifier"]

__version__ = "0.1.0.dev0"
