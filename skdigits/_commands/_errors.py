"""Errors as the user of a command sees them."""

from pathlib import Path


def in_one_line(error: Exception) -> str:
    """The message of an error; for a file that cannot be opened, its name first."""
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.filename and error.strerror:
        message = f"{error.filename}: {error.strerror}"
    return " ".join(message.split())


def check_folder_of(path: Path) -> None:
    """Raise `ValueError` if a file cannot be written because its folder is missing."""
    if not path.parent.is_dir():
        raise ValueError(f"There is no folder {path.parent} for {path.name}.")
