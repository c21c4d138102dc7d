"""Classifiers in files."""

from functools import partial
from pathlib import Path
from typing import Any

from skdigits._commands._errors import check_folder_of

_TRUSTED = ["skdigits.DigitMLPClassifier", "skdigits.augmentation.RandomDistortion"]


def _import_skops_io() -> Any:
    """The module skops.io; `ImportError` with advice if it is not installed."""
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(
            "Files with the suffix .skops need skops. Install it with: pip install "
            "skops"
        ) from error
    return skops.io


def load_model(path: Path) -> Any:
    """Load a classifier saved by skops or joblib; `ValueError` if that fails."""
    if path.suffix in (".keras", ".h5"):
        raise ValueError(
            f"{path} is a Keras model. Convert it with DigitMLPClassifier.from_keras("
            "keras.saving.load_model(file)), and save that with joblib or skops."
        )
    load: Any
    if path.suffix == ".skops":
        load = partial(_import_skops_io().load, trusted=_TRUSTED)
    else:
        import joblib

        load = joblib.load
    try:
        return load(path)
    except OSError:
        raise
    except Exception as error:  # unpickling raises any type
        raise ValueError(
            f"{path} cannot be loaded. Expected a classifier saved by joblib or skops. "
            f"Got {type(error).__name__}: {error}"
        ) from error


def check_output(path: Path) -> None:
    """Raise `ValueError` if `save_model` could not write a file."""
    if path.suffix not in (".joblib", ".skops"):
        raise ValueError(
            "The name of the classifier's file must end with .joblib or .skops. Got "
            f"{path} instead."
        )
    check_folder_of(path)
    if path.suffix == ".skops":
        _import_skops_io()


def save_model(estimator: Any, path: Path) -> None:
    """Save a classifier by skops or joblib."""
    if path.suffix == ".skops":
        _import_skops_io().dump(estimator, path)
    else:
        import joblib

        joblib.dump(estimator, path)
