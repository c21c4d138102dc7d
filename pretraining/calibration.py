"""Calibrate the probabilities of the classifier, and measure its error by them."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

# The error on digits of other writers, relative to that on the held-out digits, at the
# same confidence. That of scikit-learn's digits is up to 1.5 times as high.
_OTHER_WRITERS = 1.5

# Number of levels of confidence at which the error is measured.
_N_LEVELS = 60


def calibrate(clf, layers, held_out):
    """Divide the logits by the temperature that maximizes the held-out likelihood.

    Temperature scaling (Guo, Pleiss, Sun and Weinberger, "On calibration of modern
    neural networks", ICML 2017), applied to the weights of the last layer.

    Parameters
    ----------
    clf : DigitMLPClassifier
        Fitted. Its last layer is changed in place.
    layers : list of tuple
        Result of `quantize`. The steps of the last layer are changed in place.
    held_out : dict of str to (images, labels)
        Sets of digits, all with the same weight.

    Returns
    -------
    float
        The temperature.
    """
    sets = [
        (clf.decision_function(images.reshape(len(images), -1)), labels)
        for images, labels in held_out.values()
    ]

    def loss(log_temperature):
        losses = []
        for logits, labels in sets:
            log_P = log_softmax(logits / np.exp(log_temperature), axis=1)
            losses.append(-np.mean(log_P[np.arange(len(labels)), labels]))
        return np.mean(losses)

    best = minimize_scalar(loss, bounds=(-3, 3), method="bounded")
    temperature = float(np.exp(best.x))
    _, step = layers[-1]
    step /= temperature
    clf.coefs_[-1] /= np.float32(temperature)
    clf.intercepts_[-1] /= np.float32(temperature)
    return temperature


def error_table(clf, held_out):
    """Share of wrong labels among the digits whose confidence reaches a level.

    That of the set with the most errors, and for other writers: see `_OTHER_WRITERS`.
    With it, `max_error` chooses a threshold (selective classification; Geifman and
    El-Yaniv, NIPS 2017).

    Parameters
    ----------
    clf : DigitMLPClassifier
        Fitted and calibrated.
    held_out : dict of str to (images, labels)
        Sets of digits.

    Returns
    -------
    list of (float, float)
        Levels of confidence, up to one that half of the digits reach, and errors, which
        never increase.
    """
    sets = []
    for images, labels in held_out.values():
        P = clf.predict_proba(images.reshape(len(images), -1))
        sets.append((P.max(axis=1), P.argmax(axis=1) == labels))
    every = np.concatenate([confidence for confidence, _ in sets], dtype=np.float64)
    table, error = [], 0.0
    for level in 1 - np.geomspace(1 - np.median(every), 0.9, _N_LEVELS):
        for confidence, right in sets:
            accepted = confidence >= level
            # As if one more digit was accepted and wrong.
            wrong = 1 + np.count_nonzero(accepted & ~right)
            share = wrong / (1 + np.count_nonzero(accepted))
            error = max(error, _OTHER_WRITERS * share)
        table.append((float(level), float(error)))
    return table[::-1]
