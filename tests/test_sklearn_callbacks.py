"""scikit-learn's callbacks on the classifier, alone and in searches."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV

from skdigits import DigitMLPClassifier, fit_together

callback = pytest.importorskip("sklearn.callback", reason="needs scikit-learn 1.9")


class Journal:
    """A callback that notes what it is told."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.calls = []
        self.scores = []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(f"{context.task_name} begins")

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.calls.append(f"{context.task_name} ends")
        if fitted_estimator is not None:
            self.scores.append(accuracy_score(y, fitted_estimator.predict(X)))
            return len(self.scores) == self.stop_after
        return False


def test_each_epoch_is_a_task_with_an_estimator_to_look_at(digits):
    X, y = digits
    journal = Journal()
    clf = DigitMLPClassifier(max_iter=3, random_state=0).set_callbacks(journal)
    clf.fit(X, y)
    epoch = ["epoch begins", "epoch ends"]
    expected = ["setup", "fit begins", *epoch * 3, "fit ends", "teardown"]
    assert journal.calls == expected
    alone = [
        DigitMLPClassifier(max_iter=n, random_state=0).fit(X, y).score(X, y)
        for n in (1, 2, 3)
    ]
    np.testing.assert_allclose(journal.scores, alone, atol=0.005)


def test_a_callback_can_stop_training(digits):
    X, y = digits
    clf = DigitMLPClassifier(max_iter=30, random_state=0)
    clf.set_callbacks(Journal(stop_after=2)).fit(X, y)
    assert clf.n_iter_ == 2
    assert len(clf.loss_curve_) == 2


def test_callbacks_are_torn_down_where_fit_fails(digits):
    X, y = digits
    journal = Journal()
    clf = DigitMLPClassifier(solver="sgd", learning_rate_init=1e30, random_state=0)
    clf.set_callbacks(journal)
    before = vars(clf).copy()
    with pytest.raises(ValueError, match="diverged"):
        clf.fit(X, y)
    assert journal.calls[-1] == "teardown"
    assert vars(clf) == before


def test_progress_bar_and_scoring_monitor(digits, capsys):
    X, y = digits
    monitor = callback.ScoringMonitor(scoring="accuracy")
    clf = DigitMLPClassifier(max_iter=3, random_state=0)
    clf.set_callbacks(callback.ProgressBar(), monitor).fit(X, y)
    assert "DigitMLPClassifier" in "".join(capsys.readouterr())
    log = monitor.get_logs()
    assert len(log.data) >= 3


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_nested_in_grid_search(digits, n_jobs):
    X, y = digits
    monitor = callback.ScoringMonitor(scoring="accuracy")
    clf = DigitMLPClassifier(max_iter=2, random_state=0).set_callbacks(monitor)
    search = GridSearchCV(clf, {"alpha": [0.0, 0.1]}, cv=2, n_jobs=n_jobs, refit=False)
    search.set_callbacks(callback.ProgressBar()).fit(X, y)
    assert (search.cv_results_["mean_test_score"] > 0).all()


def test_inside_fit_together(digits):
    journal = Journal()
    clf = DigitMLPClassifier(max_iter=2, random_state=0)
    clf = clf.set_callbacks(callback.ScoringMonitor(scoring="accuracy"))
    search = GridSearchCV(clf, {"alpha": [0.0, 0.1]}, cv=2).set_callbacks(journal)
    with fit_together():
        search.fit(*digits)
    assert (search.cv_results_["mean_test_score"] > 0).all()
    assert journal.calls[0] == "setup"
    assert journal.calls[-1] == "teardown"
