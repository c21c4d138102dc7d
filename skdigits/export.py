"""Export to ONNX.

skl2onnx writes the model. Importing this module registers `DigitMLPClassifier` with it,
so that ``skl2onnx.to_onnx`` converts any estimator that contains one.
"""

import json
import os
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from skdigits._classifier import DigitMLPClassifier
from skdigits._version import __version__

if TYPE_CHECKING:
    import onnx

__all__ = ["to_onnx"]

# Operator sets of 2021, which ONNX Runtime reads since version 1.10.
_OPSETS = {"": 15, "ai.onnx.ml": 2}


def to_onnx(
    estimator: BaseEstimator,
    path: str | os.PathLike[str] | None = None,
    *,
    dtype: DTypeLike | None = None,
) -> "onnx.ModelProto":
    """Convert a fitted classifier, alone or in a Pipeline, to ONNX.

    The model maps ``X``, of shape (n_samples, n_features) with any number of rows, to
    ``label``, of shape (n_samples,) and int64 unless the classes are strings, and
    ``probabilities``, of shape (n_samples, n_classes). Its metadata contain the
    `classes_` as JSON, for example ``[false, true]`` where ``label`` is 0 or 1, and the
    version of skdigits as ``skdigits_version``.

    Parameters
    ----------
    estimator : DigitMLPClassifier, Pipeline or search
        A fitted classifier, a :class:`sklearn.pipeline.Pipeline` that ends in one, or
        a search over either such as :class:`sklearn.model_selection.GridSearchCV`,
        whose `best_estimator_` is converted.

    path : str or path-like, default=None
        File to which the model is also written.

    dtype : dtype-like, default=None
        Dtype of ``X``: float32 or float64, in which the model then computes, or another
        real dtype such as uint8, which it converts to that of `coefs_`. If None, the
        dtype of `coefs_`.

    Returns
    -------
    onnx.ModelProto
        The model.

    Raises
    ------
    TypeError
        If `estimator` is of another type, or a search without `refit`.
    ValueError
        If `dtype` is not real, `estimator` is not fitted, or the classes are neither
        strings nor whole numbers of 32 bits.
    RuntimeError
        If skl2onnx cannot convert a step of the Pipeline.
    ImportError
        If skl2onnx is not installed.

    Notes
    -----
    In float32, probabilities differ from those of `predict_proba` by up to about 1e-6.
    Labels are the same unless probabilities are equal after rounding. Some steps, such
    as QuantileTransformer, are converted less precisely: compare predictions on a few
    rows. The ONNX model does not check ``X``: a row with NaN gets an arbitrary label.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdigits import DigitMLPClassifier
    >>> from skdigits.export import to_onnx
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = DigitMLPClassifier(max_iter=5, random_state=0).fit(X, y)
    >>> model = to_onnx(clf, dtype="uint8")
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']
    """
    try:
        import onnx
        import skl2onnx.sklapi
    except ImportError as error:
        raise ImportError(
            "Export to ONNX requires skl2onnx. Install it with "
            "`pip install onnx skl2onnx`."
        ) from error
    steps = _fitted_steps(estimator)
    classifier = steps[-1]
    _register(type(classifier))
    own_dtype = classifier.coefs_[0].dtype
    dtype = own_dtype if dtype is None else np.dtype(dtype)
    if dtype.kind not in "biuf":
        raise ValueError(f"dtype must be a real dtype or None. Got {dtype} instead.")
    if dtype not in (np.float32, np.float64):
        steps = [skl2onnx.sklapi.CastTransformer(dtype=own_dtype.type), *steps]
    n_features = next(s.n_features_in_ for s in steps if hasattr(s, "n_features_in_"))
    model = skl2onnx.to_onnx(
        make_pipeline(*steps),
        np.zeros((1, n_features), dtype),
        name="DigitMLPClassifier",
        options={id(classifier): {"zipmap": False}},
        target_opset=_OPSETS,
    )
    classes = json.dumps(classifier.classes_.tolist())
    metadata = {"classes": classes, "skdigits_version": __version__}
    onnx.helper.set_model_props(model, metadata)
    if path is not None:
        onnx.save(model, path)
    return model


def _fitted_steps(estimator):
    """The steps of a fitted estimator, the classifier last."""
    check_is_fitted(estimator)
    if hasattr(estimator, "best_estimator_"):
        return _fitted_steps(estimator.best_estimator_)
    if isinstance(estimator, Pipeline):
        steps = [s for _, s in estimator.steps if s not in (None, "passthrough")]
        for transformer in steps[:-1]:
            check_is_fitted(transformer)
        return steps[:-1] + _fitted_steps(steps[-1])
    if isinstance(estimator, DigitMLPClassifier):
        return [estimator]
    raise TypeError(
        "estimator must be a DigitMLPClassifier, a Pipeline that ends in one, or a "
        f"search over either with refit=True. Got {estimator!r} instead. Convert other "
        "estimators with skl2onnx.to_onnx."
    )


def _set_output_types(operator):
    from skl2onnx.common import shape_calculator

    classes = operator.raw_operator.classes_
    if classes.dtype.kind in "biuf":
        with np.errstate(invalid="ignore"):
            written = classes.astype(np.int32)  # by skl2onnx
        valid = np.array_equal(written, classes)
    else:
        valid = all(isinstance(label, str) for label in classes)
    if not valid:
        raise ValueError(
            "The classes must be strings or whole numbers of 32 bits to be exported to "
            f"ONNX. Got {classes!r} instead. Fit on y.astype(str) or on class indices."
        )
    shape_calculator.calculate_linear_classifier_output_shapes(operator)


def _convert(scope, operator, container):
    """Convert a classifier as the `MLPClassifier` that computes the same."""
    from skl2onnx.common.data_types import guess_proto_type
    from skl2onnx.operator_converters import multilayer_perceptron

    classifier = operator.raw_operator
    mlp = SimpleNamespace(
        coefs_=[coef.astype(np.float64) for coef in classifier.coefs_],
        intercepts_=list(classifier.intercepts_),
        n_layers_=classifier.n_layers_,
        activation=classifier._activation,
        out_activation_=classifier.out_activation_,
        classes_=classifier.classes_,
        _label_binarizer=SimpleNamespace(y_type_="multiclass"),
    )
    mlp.coefs_[0] *= classifier._rescale or 1
    label, output = operator.outputs
    outputs = [label, output]
    if container.get_options(classifier, {"raw_scores": False})["raw_scores"]:
        mlp.out_activation_ = "identity"
        if len(classifier.classes_) == 2:
            # The converter makes 1 - z and z of the output z, and predicts the larger.
            # Of z + 1/2 it makes the raw scores -z and z, plus 1/2.
            mlp.intercepts_[-1] = mlp.intercepts_[-1] + 0.5
            scores = scope.get_unique_variable_name("scores")
            half = scope.get_unique_variable_name("half")
            container.add_initializer(half, guess_proto_type(output.type), [], [0.5])
            container.add_node("Sub", [scores, half], output.full_name)
            outputs = [label, SimpleNamespace(full_name=scores)]
    as_mlp = SimpleNamespace(raw_operator=mlp, inputs=operator.inputs, outputs=outputs)
    multilayer_perceptron.convert_sklearn_mlp_classifier(scope, as_mlp, container)


def _register(cls):
    import skl2onnx

    skl2onnx.update_registered_converter(
        cls,
        f"Skdigits{cls.__name__}",
        _set_output_types,
        _convert,
        # CalibratedClassifierCV asks for raw scores.
        options=dict.fromkeys(["zipmap", "nocl", "output_class_labels", "raw_scores"]),
    )


with suppress(ImportError):  # `to_onnx` reports it
    _register(DigitMLPClassifier)
