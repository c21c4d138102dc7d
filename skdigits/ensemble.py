"""Averages over several predictions of one classifier."""

from copy import copy
from numbers import Integral, Real

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    clone,
)
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skdigits._random import draw_seed
from skdigits._sklearn_compat import (
    HasMethods,
    Interval,
    _fit_context,
    _routing_enabled,
)
from skdigits._validation import check_images
from skdigits.augmentation._random_distortion import RandomDistortion
from skdigits.augmentation._warp import Distortion, distort

__all__ = ["DistortionAveragingClassifier"]

# Rows that are distorted at a time: what they take stays in the cache.
_ROWS_AT_A_TIME = 256


class DistortionAveragingClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Classifier that averages its predictions over distorted copies of an image.

    Also called test-time augmentation. A network that was trained on distorted images
    errs less often on the average of several forms of a digit than on the digit alone,
    at the price of as many predictions.

    Parameters
    ----------
    estimator : estimator
        Classifier of images, with `predict_proba`. One that is fitted already goes in
        as ``sklearn.frozen.FrozenEstimator(estimator)``.

    distortion : RandomDistortion, default=None
        Where the copies come from. None for ``RandomDistortion()``.

    strength : float, default=0.5
        Factor to all strengths of `distortion`, in [0, 10].

    n_copies : int, default=16
        Number of distorted copies. The image itself comes on top.

    random_state : int, RandomState instance or None, default=None
        Where the distortions come from. They are drawn in `fit`, and every image gets
        the same.

    Attributes
    ----------
    estimator_ : estimator
        The fitted classifier.

    classes_ : ndarray of shape (n_classes,)
        Class labels.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, where `X` has names that are strings.

    distortion_ : RandomDistortion
        Where the copies came from.

    coefficients_ : ndarray of shape (n_copies, 2, n_terms)
        The distortions: factors of the fields that displacements are sums of.

    See Also
    --------
    skdigits.augmentation.RandomDistortion : The distortions.
    sklearn.ensemble.VotingClassifier : The average of several classifiers.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdigits import DigitMLPClassifier
    >>> from skdigits.augmentation import RandomDistortion
    >>> from skdigits.ensemble import DistortionAveragingClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> distortion = RandomDistortion(translation=0.5, elastic_sigma=2, elastic_std=0.3)
    >>> clf = DigitMLPClassifier(augment=distortion, max_iter=20, random_state=0)
    >>> averaging = DistortionAveragingClassifier(clf, distortion, random_state=0)
    >>> averaging.fit(X, y).score(X, y) > 0.9
    True
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "distortion": [RandomDistortion, None],
        "strength": [Interval(Real, 0, 10, closed="both")],
        "n_copies": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        distortion=None,
        *,
        strength=0.5,
        n_copies=16,
        random_state=None,
    ):
        self.estimator = estimator
        self.distortion = distortion
        self.strength = strength
        self.n_copies = n_copies
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Not allow_nan: interpolation would spread a missing value.
        inner = get_tags(self.estimator)
        tags.input_tags.sparse = inner.input_tags.sparse
        tags.input_tags.positive_only = inner.input_tags.positive_only
        return tags

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, **fit_params):
        """Fit the classifier, and draw the distortions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images, one row per image; sparse where `estimator` takes sparse data.

        y : array-like of shape (n_samples,)
            Labels.

        **fit_params : dict
            Passed to the `fit` of `estimator`; with metadata routing enabled, what it
            requests of them.

        Returns
        -------
        DistortionAveragingClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is not as described, the rows of `X` are no images of
            the distortion's `image_shape`, or `estimator` refuses the data.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.frozen import FrozenEstimator
        >>> from skdigits import DigitMLPClassifier
        >>> from skdigits.ensemble import DistortionAveragingClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> clf = DigitMLPClassifier(max_iter=5, random_state=0).fit(X, y)
        >>> averaging = DistortionAveragingClassifier(FrozenEstimator(clf), n_copies=4)
        >>> averaging.fit(X, y).coefficients_.shape[:2]
        (4, 2)
        """
        fitted = copy(self)  # taken over when nothing has failed
        _, y = check_images(fitted, X, y, reset=True)
        check_classification_targets(y)
        strengths = RandomDistortion() if self.distortion is None else self.distortion
        fitted.distortion_ = clone(strengths)
        # In double precision, which `predict_proba` rounds where X has less.
        distortion = Distortion(fitted.distortion_, fitted.n_features_in_, np.float64)
        rng = np.random.default_rng(draw_seed(self.random_state))
        fitted.coefficients_ = distortion.coefficients(
            self.n_copies, rng, self.strength
        )
        routed = fit_params
        if _routing_enabled():
            routed = process_routing(self, "fit", **fit_params).estimator.fit
        fitted.estimator_ = clone(self.estimator).fit(X, y, **routed)
        # An estimator that was fitted before may want other features.
        validate_data(fitted.estimator_, X, y, reset=False, skip_check_array=True)
        fitted.classes_ = fitted.estimator_.classes_
        self.__dict__ = vars(fitted)
        return self

    def get_metadata_routing(self):
        """What `fit` passes on.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
            Of the `fit` of `estimator`, and of `score`.

        Examples
        --------
        >>> from skdigits import DigitMLPClassifier
        >>> from skdigits.ensemble import DistortionAveragingClassifier
        >>> averaging = DistortionAveragingClassifier(DigitMLPClassifier())
        >>> type(averaging.get_metadata_routing()).__name__
        'MetadataRouter'
        """
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        return router.add(
            estimator=self.estimator,
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )

    def predict_proba(self, X):
        """Probability of each class, averaged over the image and its copies.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images, one row per image; sparse where `estimator` takes sparse data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Means of the probabilities that `estimator_` gives.

        Raises
        ------
        ValueError
            If `X` has another number of features than in fit, or values that are
            not finite.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdigits import DigitMLPClassifier
        >>> from skdigits.ensemble import DistortionAveragingClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> clf = DigitMLPClassifier(max_iter=5, random_state=0)
        >>> averaging = DistortionAveragingClassifier(clf, random_state=0).fit(X, y)
        >>> averaging.predict_proba(X[:3]).shape
        (3, 10)
        """
        check_is_fitted(self)
        rows = check_images(self, X, reset=False)
        total = self.estimator_.predict_proba(X)
        # A copy to add to, in floating point whatever the classifier returns.
        total = total.astype(np.result_type(total, np.float32))
        single = rows.dtype == np.uint8 or rows.dtype == np.float32
        dtype = np.float32 if single else np.float64
        distortion = Distortion(self.distortion_, self.n_features_in_, dtype)
        terms, shape = distortion.terms, distortion.image_shape
        for start in range(0, rows.shape[0], _ROWS_AT_A_TIME):
            some = slice(start, start + _ROWS_AT_A_TIME)
            images = rows[some].astype(dtype)
            if hasattr(images, "toarray"):
                images = images.toarray()
            for of_copy in self.coefficients_.astype(dtype):
                copies = distort(np, images, of_copy[None], terms, shape)
                total[some] += self.estimator_.predict_proba(_framed(copies, X))
        return total / (len(self.coefficients_) + 1)

    def predict(self, X):
        """Class of the highest averaged probability.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images, one row per image; sparse where `estimator` takes sparse data.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels out of `classes_`.

        Raises
        ------
        ValueError
            As `predict_proba` does.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdigits import DigitMLPClassifier
        >>> from skdigits.ensemble import DistortionAveragingClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> clf = DigitMLPClassifier(random_state=0)
        >>> averaging = DistortionAveragingClassifier(clf, random_state=0).fit(X, y)
        >>> averaging.predict(X[:3])
        array([0, 1, 2])
        """
        P = self.predict_proba(X)
        return self.classes_[P.argmax(axis=1)]


def _framed(rows, X):
    """Rows in a data frame, where `X` is one of pandas or polars."""
    if hasattr(X, "iloc"):
        return type(X)(rows, columns=X.columns)
    if hasattr(X, "with_columns"):
        return type(X)(rows, schema=X.columns, orient="row")
    return rows
