"""The network in NumPy: its layers, batch normalisation and inference."""

from typing import Any, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
