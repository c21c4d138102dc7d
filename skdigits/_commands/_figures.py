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
    if path.is_dir() or not path.suffix:
        import_pyplot()
        path.mkdir(parents=True, exist_ok=True)
    elif several:
        raise ValueError(
            f"{path} is the name of one figure. Got several images. Name a folder "
            "instead."
        )
    else:
        check_figure_file(path)


def check_figure_file(path: Path) -> None:
    """Raise an error if a figure cannot be written to a file."""
    import_pyplot()
    from matplotlib.backend_bases import FigureCanvasBase

    formats = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise ValueError(
            f"{path} is not the name of a figure. Expected one that ends with "
            f".{', .'.join(sorted(formats))}. Got {path.suffix!r}. "
            f"Name it {path.with_suffix('.png')}, for example."
        )
    check_folder_of(path)
