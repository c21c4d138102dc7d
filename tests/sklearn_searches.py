"""A pytest plugin that runs scikit-learn's own tests inside `fit_together`.

`DigitMLPClassifier` takes the place of their classifiers where `STAND_INS` names them.
`make test-anywhere VARIANTS=sklearn-searches` runs them.
"""

import pytest

from skdigits import DigitMLPClassifier, fit_together

# Classifiers that are replaced, by module.
STAND_INS = {
    "test_search": ["LinearSVC", "LogisticRegression", "SVC"],
    "test_validation": ["LogisticRegression", "SVC"],
}
# Tests that find the caller of a method in the call stack of one thread.
ONE_THREAD = ["forwards_metadata", "functions_routing", "incremental_learning_routing"]


class StandIn(DigitMLPClassifier):
    """A small network with the parameters of the classifiers that it replaces."""

    def __init__(
        self,
        C=1.0,
        *,
        kernel="rbf",
        gamma="scale",
        alpha=0.0,
        solver="adam",
        max_iter=5,
        probability=False,
        random_state=0,
    ):
        super().__init__((8,), max_iter=max_iter, random_state=random_state)
        self.C = C
        self.kernel = kernel
        self.gamma = gamma
        self.alpha = alpha
        self.probability = probability


@pytest.fixture(autouse=True)
def our_classifier(request, monkeypatch):
    """Put our classifier in the place of others."""
    module = request.module
    for name in STAND_INS.get(module.__name__.rpartition(".")[2], ()):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, StandIn)


def pytest_pyfunc_call(pyfuncitem):
    """Run a test inside `fit_together` if it passes outside of it."""
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    if any(part in pyfuncitem.name for part in ONE_THREAD):
        pytest.skip("looks for the caller of a method in the call stack of one thread")
    try:
        pyfuncitem.obj(**arguments)
    except (Exception, pytest.fail.Exception) as error:
        pytest.skip(f"needs another classifier: {error!r:.80}")
    with fit_together():
        pyfuncitem.obj(**arguments)
    return True
