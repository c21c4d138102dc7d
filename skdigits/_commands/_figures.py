"""Figures in files."""

from pathlib import Path
from typing import Any

from skdigits._commands._errors import check_folder_of


def import_pyplot() -> Any:
    """Matplotlib without a window; `ImportError` if it is not installed."""
    from skdigits.plotting import _matplotlib

    plt = _matplotlib.import_pyplot("A figure")
    plt.switch_backend("Agg")
    return plt


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure to a file, and free it."""
    figure.savefig(path, dpi=150)
    import_pyplot().close(figure)


def figure_path(path: Path, image: str) -> Path:
    """The file for the figure of an image: the path itself, or a file in a folder."""
    if not path.is_dir():
        return path
    name = "stdin" if image == "-" else Path(image).name
    return path / f"{name}.png"


def check_figure_path(path: Path, several: bool) -> None:
    """Make the folder of the figures, and raise an error if there cannot be any."""
    import_pyplot()
    if path.is_dir() or not path.suffix:
        path.mkdir(parents=True, exist_ok=True)
    elif several:
        raise ValueError(
            f"{path} is the name of one figure. Got several images. Name a folder "
            "instead."
        )
    else:
        check_folder_of(path)
