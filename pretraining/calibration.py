"""Calibrate the probabilities of the classifier by temperature scaling."""

import numpy as np
from scipy.optimize import minimize_scalar


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
            scaled = logits / np.exp(log_temperature)
            scaled = scaled - scaled.max(axis=1, keepdims=True)
            right = scaled[np.arange(len(labels)), labels]
            losses.append(np.mean(np.log(np.exp(scaled).sum(axis=1)) - right))
        return np.mean(losses)

    best = minimize_scalar(loss, bounds=(-3, 3), method="bounded")
    temperature = float(np.exp(best.x))
    _, step = layers[-1]
    step /= temperature
    clf.coefs_[-1] /= np.float32(temperature)
    clf.intercepts_[-1] /= np.float32(temperature)
    return temperature
