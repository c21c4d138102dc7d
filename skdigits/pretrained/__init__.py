"""Pretrained classifiers."""

from skdigits.pretrained._digit_reader import load_digit_reader

__all__ = ["load_digit_reader"]
