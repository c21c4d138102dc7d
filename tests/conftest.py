"""Fixtures that several test files share."""

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def digits():
    """400 digits of 8 x 8 pixels in 0 to 1, float32, and their labels; read-only."""
    X, y = load_digits(return_X_y=True)
    X, y = (X[:400] / 16).astype(np.float32), y[:400]
    X.flags.writeable = y.flags.writeable = False
    return X, y
