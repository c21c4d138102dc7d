"""Classifiers in files."""

from pathlib import Path
from typing import Any

from skdigits._commands._errors import check_folder_of

_TRUSTED = ["skdigits.DigitMLPClassifier", "skdigits.augmentation.RandomDistortion"]


def load_model(path: Path) -> Any:
    """Load a classifier saved by skops or joblib; `ValueError` if that fails."""
    if path.suffix in (".keras", ".h5"):
        raise ValueError(
            f"{path} is a Keras model. Convert it with DigitMLPClassifier.from_keras("
            "keras.saving.load_model(file)), and save that with joblib or skops."
        )
    try:
        if path.suffix == ".skops":
            import skops.io

            return skops.io.load(path, trusted=_TRUSTED)
        import joblib

        return joblib.load(path)
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


def save_model(estimator: Any, path: Path) -> None:
    """Save a classifier by skops or joblib."""
    if path.suffix == ".skops":
        import skops.io

        skops.io.dump(estimator, path)
    else:
        import joblib

        joblib.dump(estimator, path)
