"""Labelled images in the forms in which people keep them."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp"),
    *(".pbm", ".pgm", ".ppm", ".heic", ".heif"),
)

DATA_HELP = """\
labelled images, DATA:
  a folder with one folder of image files per class, whose name is the label;
  or a folder with X.npy, one image or row of pixels per image, and y.npy;
  or a CSV file with one row of pixels per image and a column of labels
"""


def load_labelled(path: Path, label: str | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Load rows of pixels and their labels.

    Parameters
    ----------
    path : Path
        A folder of images by class, a folder with `X.npy` and `y.npy`, or a CSV file.
    label : str or None
        Name or position of the column of labels of a CSV file; None for a column with
        a usual name.

    Raises
    ------
    OSError, ValueError, ImportError
        If there are no such data, or if they are damaged.
    """
    if not path.is_dir():
        X, y = _from_csv(path, label)
    elif (path / "X.npy").exists():
        X, y = (np.load(path / name, allow_pickle=False) for name in ("X.npy", "y.npy"))
        X, y = X.reshape(len(X), -1), y.ravel()
    else:
        X, y = _from_images(path)
    if len(X) != len(y):
        raise ValueError(f"{path} has {len(X)} images and {len(y)} labels.")
    return X, y


def _from_images(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """Images in folders named by their labels, normalized to the format of MNIST."""
    from sklearn.datasets import load_files

    from skdigits.images import ImageError, normalize_digit

    if not any(child.is_dir() for child in path.iterdir()):
        raise ValueError(
            f"{path} has neither X.npy and y.npy nor a folder of images per class, "
            "such as 0, 1 and so on."
        )
    files = load_files(
        path,
        load_content=False,
        shuffle=False,
        allowed_extensions=[*IMAGE_SUFFIXES, *map(str.upper, IMAGE_SUFFIXES)],
    )
    rows, labels = [], []
    for file, target in zip(_with_bar(files.filenames), files.target, strict=True):
        try:
            rows.append(normalize_digit(file).ravel())
        except ImageError as error:
            print(f"skdigits: {file} is left out. {error}", file=sys.stderr)
        else:
            labels.append(files.target_names[target])
    if not rows:
        raise ValueError(f"No image in the folders of {path} shows a digit.")
    y = np.array(labels)
    return np.stack(rows), y.astype(int) if np.char.isdecimal(y).all() else y


def _with_bar(files: Any) -> Any:
    """The files with a progress bar, on a terminal and if tqdm is installed."""
    try:  # machines that do not train do not need it
        from tqdm import tqdm
    except ImportError:
        return files
    return tqdm(files, desc="images", disable=None)


def _from_csv(path: Path, label: str | None) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "Reading CSV files needs pandas. Install it with: pip install pandas"
        ) from error
    try:
        frame = pd.read_csv(path)
        if all(name.replace(".", "").isdecimal() for name in frame.columns):
            frame = pd.read_csv(path, header=None)  # its first line is an image
    except ValueError as error:  # of the encoding, or of the parser
        raise ValueError(
            f"{path} is not a CSV file. Expected one, or a folder of images. Got: "
            f"{error}"
        ) from error
    columns = frame.columns = frame.columns.astype(str)
    if label is None:
        usual = ("label", "target", "class", "digit", "y")
        names = [name for name in columns if name.lower() in usual]
        if len(names) != 1:
            raise ValueError(
                f"{path} has {len(names) or 'no'} columns with a usual name of labels. "
                f"Expected one of {', '.join(usual)}. Columns that are separated by "
                f"commas: {len(columns)}. Name the column with --label, or its "
                "position, such as 0 or -1."
            )
        label = names[0]
    elif label not in columns:
        try:
            label = columns[int(label)]
        except (ValueError, IndexError):
            raise ValueError(
                f"{path} has no column {label!r}. It has {len(columns)} columns, "
                f"from {columns[0]!r} to {columns[-1]!r}."
            ) from None
    y = frame.pop(label).to_numpy()
    not_numbers = frame.columns[[dtype.kind not in "buif" for dtype in frame.dtypes]]
    if len(not_numbers):
        raise ValueError(
            f"The column {not_numbers[0]!r} of {path} has values that are not numbers. "
            "Expected pixels in all columns but that of the labels."
        )
    return frame.to_numpy(), y
