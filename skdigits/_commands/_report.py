"""The accuracy of predictions, as text and as a figure."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from skdigits._commands._figures import import_pyplot, save_figure


def print_report(y: NDArray[Any], predicted: NDArray[Any]) -> None:
    """Print the accuracy, the scores of each class, and the confusion matrix."""
    from sklearn.metrics import classification_report, confusion_matrix
    from sklearn.utils.multiclass import unique_labels

    labels = unique_labels(y, predicted)
    right = (y == predicted).sum()
    print(f"accuracy {right / len(y):.2%}: {right} of {len(y)} images\n")
    print(classification_report(y, predicted, digits=3, zero_division=0))
    print("confusion matrix, with one row per label and one column per prediction:")
    matrix = confusion_matrix(y, predicted, labels=labels)
    table = [["", *labels]]
    table += [[label, *row] for label, row in zip(labels, matrix, strict=True)]
    width = max(len(str(cell)) for row in table for cell in row) + 1
    for row in table:
        print("".join(str(cell).rjust(width) for cell in row))


def draw_confusion(y: NDArray[Any], predicted: NDArray[Any], path: Path) -> None:
    """Write the confusion matrix as a figure."""
    plt = import_pyplot()
    from sklearn.metrics import ConfusionMatrixDisplay

    figure, ax = plt.subplots(figsize=(6, 5.5), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        y, predicted, cmap="Blues", colorbar=False, ax=ax
    )
    save_figure(figure, path)
