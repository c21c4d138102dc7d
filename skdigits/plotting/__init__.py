"""Figures of digits and of training, in scikit-learn's Display convention.

Matplotlib is imported only when something is drawn.
"""

from skdigits.plotting._digit_grid import DigitGridDisplay
from skdigits.plotting._digit_reading import DigitReadingDisplay
from skdigits.plotting._loss_curve import LossCurveDisplay
from skdigits.plotting._table_reading import TableReadingDisplay

__all__ = [
    "DigitGridDisplay",
    "DigitReadingDisplay",
    "LossCurveDisplay",
    "TableReadingDisplay",
]
