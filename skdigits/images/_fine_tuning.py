"""Adapt the pretrained digit reader to a handwriting."""

import copy
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from skdigits.pretrained import load_digit_reader

if TYPE_CHECKING:
    from skdigits._classifier import DigitMLPClassifier

# Chosen on some writers of `python -m benchmarks.handwriting`. With a share of the new
# weights below 1, the reader forgets less of other handwriting; with smoothed labels,
# its probabilities for images that are not digits stay low.
_LEARNING_RATE = 1e-4
_LABEL_SMOOTHING = 0.05
_SHARE = 0.7


def fine_tune_reader(
    X: ArrayLike,
    y: ArrayLike,
    *,
    max_iter: int = 30,
    random_state: int | np.random.RandomState | None = None,
) -> "DigitMLPClassifier":
    """Adapt the pretrained digit reader to a handwriting.

    Trains the network of :func:`skdigits.pretrained.load_digit_reader` on distorted
    copies of a few digits of one person, and then averages its weights before and after
    [1]_. The average reads this handwriting better, and has forgotten little of how
    other people write. Needs TensorFlow; reading with the result does not.

    Parameters
    ----------
    X : array-like of shape (n_samples, 784)
        Digits of one person in the format of MNIST, from 0 for paper to 255 for ink, as
        returned by :func:`label_digits`. Some 40 digits, a few of each class, suffice.
    y : array-like of shape (n_samples,)
        Their labels, integers from 0 to 9.
    max_iter : int, default=30
        Number of passes over the digits.
    random_state : int, RandomState instance or None, default=None
        Seed for shuffling and distortion. Pass an int for the same result in every
        call.

    Returns
    -------
    DigitMLPClassifier
        A fitted classifier, which :func:`read_digits` takes as `estimator`.

    Raises
    ------
    ValueError
        If `X` does not have shape (n_samples, 784), if `X` and `y` have different
        lengths, or if `y` has other labels than 0 to 9.
    ImportError
        If TensorFlow is not installed.

    See Also
    --------
    label_digits : Label the digits of a page whose text is known.
    skdigits.pretrained.load_digit_reader : The pretrained digit reader.

    References
    ----------
    .. [1] M. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skdigits.images import fine_tune_reader, label_digits
    >>> page = np.ones((200, 300))
    >>> page[60:120, 50:58] = page[60:120, 150:158] = 0.1
    >>> X, y = label_digits(page, "11")
    >>> clf = fine_tune_reader(X, y, random_state=0)
    >>> clf.predict(X)
    array([1, 1])
    """
    from skdigits._classifier import DigitMLPClassifier
    from skdigits.augmentation import RandomDistortion

    if np.ndim(X) != 2 or np.shape(X)[1] != 784:
        raise ValueError(
            "X must have shape (n_samples, 784): the 28 x 28 pixels of each digit in "
            f"one row. Got {np.shape(X)} instead. Resize each image with "
            "skdigits.images.normalize_digit, and flatten the result with ravel()."
        )
    # The statistics of batch normalization would be those of few digits, so it is
    # folded into the weights.
    reader = DigitMLPClassifier.from_keras(load_digit_reader().to_keras())
    tuned = copy.deepcopy(reader).set_params(
        augment=RandomDistortion(),
        label_smoothing=_LABEL_SMOOTHING,
        learning_rate_init=_LEARNING_RATE,
        random_state=random_state,
    )
    # One epoch on copies, each of which is distorted differently.
    tuned.partial_fit(np.tile(X, (max_iter, 1)), np.tile(y, max_iter))
    for name in ("coefs_", "intercepts_"):
        pairs = zip(getattr(reader, name), getattr(tuned, name), strict=True)
        setattr(reader, name, [old + _SHARE * (new - old) for old, new in pairs])
    return reader
