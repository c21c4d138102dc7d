"""Evaluate the reader: the figures and the plot of its model card.

On held-out digits of MNIST, original, redrawn and in windows of lines; on digits and
letters of typefaces that are not used for training; on the digits of scikit-learn,
8 x 8 pixels by other writers; and on images that are not digits.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from pretraining import data, no_digits
from pretraining.__main__ import load
from skdigits.images import normalize_digit
from skdigits.pretrained import load_digit_reader

PLOT = Path(__file__).parents[1] / "docs" / "images" / "reader-rejection.png"
THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.99)


def other_writers():
    """The digits of scikit-learn, by Turkish writers, normalized."""
    digits = load_digits()
    images = [normalize_digit(np.pad(image / 16, 2)) for image in digits.images]
    return np.stack(images), digits.target


def calibration_error(confidence, right, n_bins=15):
    """Expected calibration error: mean difference of confidence and accuracy.

    Guo, Pleiss, Sun and Weinberger (2017), with bins of equal width.
    """
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    total = 0.0
    for index in range(n_bins):
        inside = bins == index
        if inside.any():
            gap = abs(confidence[inside].mean() - right[inside].mean())
            total += inside.mean() * gap
    return total


def main():
    parser = argparse.ArgumentParser(
        prog="python -m pretraining.evaluation", description=__doc__
    )
    parser.add_argument(
        "--data", type=Path, metavar="FILE", help="an .npz with MNIST as x and y"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", default=PLOT)
    args = parser.parse_args()
    reader = load_digit_reader()
    _, (X, y) = load(args.data)
    sets = data.held_out(X, y) | {
        "typed": data.typed(2000, seed=104, held_out=True),
        "other writers": other_writers(),
    }
    answers = {}
    print("| digits | number | accuracy | calibration error |\n|---|---|---|---|")
    for name, (images, labels) in sets.items():
        P = reader.predict_proba(images.reshape(len(images), -1))
        right = P.argmax(axis=1) == labels
        answers[name] = P.max(axis=1), right
        error = calibration_error(*answers[name])
        print(f"| {name} | {len(right)} | {right.mean():.2%} | {100 * error:.1f} % |")
    print_rejection(answers)
    nothing = {
        kind: data.no_digits(X, y, 500, 110 + index, kind)
        for index, kind in enumerate(no_digits.KINDS)
    }
    images, labels = data.line_windows(X, y, 2000, seed=109)
    nothing["windows"] = images[labels == data.NO_DIGIT], None
    nothing = {
        kind: reader.predict_proba(images.reshape(len(images), -1)).max(axis=1)
        for kind, (images, _) in nothing.items()
    }
    print("\n| not a digit | " + " | ".join(f"at {t}" for t in THRESHOLDS) + " |")
    print("|---" * (len(THRESHOLDS) + 1) + "|")
    for kind, confidence in nothing.items():
        taken = [f"{(confidence >= t).mean():.1%}" for t in THRESHOLDS]
        print(f"| {kind} | " + " | ".join(taken) + " |")
    draw(answers, np.concatenate(list(nothing.values())), args.plot)


def print_rejection(answers):
    """Print error rates of digits above each threshold, and shares of such digits."""
    print("\n| digits | " + " | ".join(f"at {t}" for t in (0, *THRESHOLDS)) + " |")
    print("|---" * (len(THRESHOLDS) + 2) + "|")
    for name, (confidence, right) in answers.items():
        cells = []
        for threshold in (0, *THRESHOLDS):
            sure = confidence >= threshold
            wrong = (sure & ~right).sum() / max(1, sure.sum())
            cells.append(f"{wrong:.2%} of {sure.mean():.1%}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def draw(answers, nothing, path):
    """Plot error against rejection rate, and accepted images against the threshold."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colors = ["#0072b2", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#e69f00"]
    figure, (left, right) = plt.subplots(ncols=2, figsize=(9, 4), layout="constrained")
    for color, (name, (confidence, is_right)) in zip(
        colors, answers.items(), strict=True
    ):
        order = np.argsort(-confidence, kind="stable")
        count = np.arange(1, len(order) + 1)
        error = np.cumsum(~is_right[order]) / count
        # Error rates of few digits are unreliable.
        enough = count >= 0.5 * len(order)
        rejected = 1 - count / len(order)
        left.plot(100 * rejected[enough], 100 * error[enough], color=color, label=name)
    left.set(
        xlabel="Rejected, the least sure first (%)",
        ylabel="Wrong of those read (%)",
        xlim=(0, 20),
        ylim=(0, None),
    )
    thresholds = np.linspace(0, 1, 201)
    for color, (name, (confidence, _)) in zip(colors, answers.items(), strict=True):
        kept = [(confidence >= t).mean() for t in thresholds]
        right.plot(thresholds, 100 * np.array(kept), color=color, label=name)
    kept = [(nothing >= t).mean() for t in thresholds]
    right.plot(thresholds, 100 * np.array(kept), color="black", label="not a digit")
    right.set(xlabel="min_confidence", ylabel="Taken for a digit (%)", ylim=(0, 101))
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color="0.9", linewidth=0.6)
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    print(f"\n{path}")


if __name__ == "__main__":
    main()
