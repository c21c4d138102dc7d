"""Averages of several predictions of one classifier."""

from copy import copy
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
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
    DocLinkMixin,
    HasMethods,
    Interval,
    _fit_context,
    _routing_enabled,
)
from skdigits._validation import check_images
from skdigits.augmentation._random_distortion import RandomDistortion
from skdigits.augmentation._warp import Distortion, distort

__all__ = ["DistortionAveragingClassifier"]

# Number of rows distorted at once: small enough for the processor's cache.
_ROWS_AT_A_TIME = 256


class DistortionAveragingClassifier(
    DocLinkMixin, MetaEstimatorMixin, ClassifierMixin, BaseEstimator
):
    """Classifier that averages predictions over distorted copies of an image.

    This is known as test-time augmentation. A network trained on distorted images is
    more accurate if its predictions are averaged over distorted copies; prediction
    takes ``n_copies + 1`` times as long.

    Parameters
    ----------
    estimator : estimator
        Classifier of images with `predict_proba`. Wrap a fitted one as
        ``sklearn.frozen.FrozenEstimator(estimator)`` to keep it as it is.

    distortion : RandomDistortion, default=None
        The distortion of the copies. If None, ``RandomDistortion()``.

    strength : float, default=0.5
        Factor on all strengths of `distortion`, in [0, 10].

    n_copies : int, default=16
        Number of distorted copies, in addition to the original image.

    random_state : int, RandomState instance or None, default=None
        Seed of the distortions. They are drawn in `fit` and are the same for all
        images.

    Attributes
    ----------
    estimator_ : estimator
        The fitted classifier.

    classes_ : ndarray of shape (n_classes,)
        Class labels.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit. Defined only if `X` has feature names that
        are all strings.

    distortion_ : RandomDistortion
        The distortion of the copies.

    coefficients_ : ndarray of shape (n_copies, 2, n_terms)
        Coefficients of the displacement fields of each copy, along y and x.

    See Also
    --------
    skdigits.augmentation.RandomDistortion : Random distortions of images.
    sklearn.ensemble.VotingClassifier : Average of several classifiers.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdigits import DigitMLPClassifier
    >>> from skdigits.augmentation import RandomDistortion
    >>> from skdigits.ensemble import DistortionAveragingClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = DigitMLPClassifier(
    ...     augment=RandomDistortion(), max_iter=20, random_state=0
    ... )
    >>> averaging = DistortionAveragingClassifier(clf, random_state=0)
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
        estimator: BaseEstimator,
        distortion: RandomDistortion | None = None,
        *,
        strength: float = 0.5,
        n_copies: int = 16,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.distortion = distortion
        self.strength = strength
        self.n_copies = n_copies
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Not allow_nan: interpolation spreads a missing value.
        inner = get_tags(self.estimator)
        tags.input_tags.sparse = inner.input_tags.sparse
        tags.input_tags.positive_only = inner.input_tags.positive_only
        return tags

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: ArrayLike, **fit_params: Any) -> Self:
        """Fit the classifier and draw the distortions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images, one row per image; sparse if `estimator` accepts sparse data.

        y : array-like of shape (n_samples,)
            Labels.

        **fit_params : dict
            Passed to the `fit` of `estimator`; with metadata routing enabled, only
            those that it requests.

        Returns
        -------
        DistortionAveragingClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, or if the distortion's `image_shape`
            does not match the number of features. The estimator is left unchanged.

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
        fitted = copy(self)  # replaces self unless something fails
        _, y = check_images(fitted, X, y, reset=True)
        check_classification_targets(y)
        strengths = RandomDistortion() if self.distortion is None else self.distortion
        fitted.distortion_ = clone(strengths)
        # In double precision; `predict_proba` rounds them to the dtype of X.
        distortion = Distortion(fitted.distortion_, fitted.n_features_in_, np.float64)
        rng = np.random.default_rng(draw_seed(self.random_state))
        fitted.coefficients_ = distortion.coefficients(
            self.n_copies, rng, self.strength
        )
        routed = fit_params
        if _routing_enabled():
            routed = process_routing(self, "fit", **fit_params).estimator.fit
        fitted.estimator_ = clone(self.estimator).fit(X, y, **routed)
        # An estimator that was fitted before may expect other features.
        validate_data(fitted.estimator_, X, y, reset=False, skip_check_array=True)
        fitted.classes_ = fitted.estimator_.classes_
        self.__dict__ = vars(fitted)
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Get the metadata routing of this object.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
            The routing of the `fit` of `estimator`, and of `score`.

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

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Predict class probabilities, averaged over each image and its copies.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images, one row per image; sparse if `estimator` accepts sparse data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Mean of the probabilities that `estimator_` predicts.

        Raises
        ------
        ValueError
            If the number of features differs from that seen in `fit`, or `X` contains
            NaN or infinity.

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
        # A floating copy to add to, whatever the classifier returns.
        total = total.astype(np.result_type(total, np.float32))
        single = rows.dtype == np.uint8 or rows.dtype == np.float32
        dtype = np.float32 if single else np.float64
        distortion = Distortion(self.distortion_, self.n_features_in_, dtype)
        terms, shape = distortion.terms, distortion.image_shape
        for start in range(0, rows.shape[0], _ROWS_AT_A_TIME):
            block = slice(start, start + _ROWS_AT_A_TIME)
            images = rows[block].astype(dtype)
            if hasattr(images, "toarray"):
                images = images.toarray()
            for coefficients in self.coefficients_.astype(dtype):
                copies = distort(np, images, coefficients[None], terms, shape)
                total[block] += self.estimator_.predict_proba(_like(X, copies))
        return total / (len(self.coefficients_) + 1)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the class of the highest averaged probability.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images, one row per image; sparse if `estimator` accepts sparse data.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted labels.

        Raises
        ------
        ValueError
            If the number of features differs from that seen in `fit`, or `X` contains
            NaN or infinity.

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


def _like(X, rows):
    """Rows as a data frame of pandas or polars if `X` is one."""
    if hasattr(X, "iloc"):
        return type(X)(rows, columns=X.columns)
    if hasattr(X, "with_columns"):
        return type(X)(rows, schema=X.columns, orient="row")
    return rows
