"""Export to ONNX, the format that ONNX Runtime and others predict from.

A classifier alone is written out node by node and needs the onnx package only. In a
Pipeline, skl2onnx converts the other steps, and a converter registered with it the
classifier. Neither needs TensorFlow.
"""

import json
import os
import secrets

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from skdigits._classifier import DigitMLPClassifier
from skdigits._version import __version__

__all__ = ["register_converter", "to_onnx"]

# All that is needed is in these versions of 2021, so that older runtimes read it.
_OPSETS = {"": 15, "ai.onnx.ml": 2}
_IR_VERSION = 8

_ACTIVATIONS = {"logistic": "Sigmoid", "relu": "Relu", "tanh": "Tanh"}

_DTYPES = (
    "bool",
    *("uint8", "uint16", "uint32", "uint64"),
    *("int8", "int16", "int32", "int64"),
    *("float16", "float32", "float64"),
)


def to_onnx(estimator, path=None, *, dtype=None):
    """Convert a fitted classifier, alone or in a Pipeline, to ONNX.

    The model has one input and two outputs, named as skl2onnx names them:

    - ``X``, of shape (n_samples, n_features), any number of rows;
    - ``label``, of shape (n_samples,): what `predict` returns, as strings where the
      classes are, else as int64;
    - ``probabilities``, of shape (n_samples, n_classes): what `predict_proba`
      returns, in the dtype of the classifier's `coefs_`.

    Its metadata hold the version of skdigits as ``skdigits_version`` and, as JSON
    under ``classes``, the `classes_` as they are: those of booleans, say, as
    ``[false, true]``, where ``label`` is 0 or 1.

    Parameters
    ----------
    estimator : DigitMLPClassifier, Pipeline or search
        Fitted: a classifier, a :class:`sklearn.pipeline.Pipeline` that ends in one,
        or a search like :class:`sklearn.model_selection.GridSearchCV` over either,
        whose `best_estimator_` is converted.

    path : str or path-like, default=None
        File to write the model to as well. A file that is there is replaced, and
        only once the new one is complete.

    dtype : str or dtype, default=None
        The dtype of ``X``: a boolean, integer or floating one of NumPy's, up to 64
        bits. None for that of `coefs_`. With 'uint8', a classifier that was fitted
        on images with `rescale` takes such images as they are. The steps before a
        classifier compute in it where it is float32 or float64, else in float64.

    Returns
    -------
    onnx.ModelProto
        The model, checked by :func:`onnx.checker.check_model`.

    Raises
    ------
    TypeError
        If `estimator` is none of these.
    ValueError
        If `dtype` is another, the search was not refitted, or the classes are
        neither strings nor whole numbers.
    NotFittedError
        If `estimator` is not fitted.
    ImportError
        If onnx is not installed, or skl2onnx is not and a Pipeline needs it.
    OSError
        If the file cannot be written.

    See Also
    --------
    register_converter : For other estimators that hold a classifier.

    Notes
    -----
    ``X`` is not checked as `predict` checks it: where that raises, for values that
    are not finite say, the model gives some label, and probabilities that may be
    NaN.

    A classifier's labels and probabilities are the same but for rounding: with
    float32, probabilities differ by up to about 1e-6. In a Pipeline the other steps
    are skl2onnx's, which raises for those it cannot convert. Scalers and PCA are as
    precise; converters of rarer steps may be less so (that of QuantileTransformer
    is), so compare the predictions for some rows of yours.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdigits import DigitMLPClassifier
    >>> from skdigits.export import to_onnx
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = DigitMLPClassifier(max_iter=5, random_state=0).fit(X, y)
    >>> model = to_onnx(clf)
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']
    >>> model.metadata_props[0].key, model.metadata_props[0].value
    ('classes', '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]')
    """
    onnx = _import_onnx()
    *transformers, classifier = _steps(estimator)
    dtype = _check_dtype(dtype, classifier.coefs_[0].dtype)
    if transformers:
        model = _convert_pipeline(transformers, classifier, dtype)
    else:
        model = _convert_classifier(classifier, dtype)
    model.producer_name = "skdigits"
    model.producer_version = __version__
    metadata = {
        "classes": json.dumps(classifier.classes_.tolist()),
        "skdigits_version": __version__,
    }
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    if path is not None:
        _write(model.SerializeToString(), path)
    return model


def register_converter():
    """Register DigitMLPClassifier with skl2onnx.

    `to_onnx` does so itself. Call this before ``skl2onnx.to_onnx``, to convert other
    estimators that hold a classifier, such as a
    :class:`sklearn.ensemble.BaggingClassifier`, or with other options. Calling it
    again changes nothing.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    See Also
    --------
    to_onnx : Convert a classifier, alone or in a Pipeline.

    Notes
    -----
    The options are those of skl2onnx's own classifiers: ``zipmap``, which is True
    unless set, ``output_class_labels``, and ``raw_scores`` for what
    `decision_function` returns. Probabilities have the dtype of the input, as
    theirs do.

    Examples
    --------
    >>> import numpy as np
    >>> import skl2onnx
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.ensemble import BaggingClassifier
    >>> from skdigits import DigitMLPClassifier
    >>> from skdigits.export import register_converter
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X.astype(np.float32)
    >>> bagging = BaggingClassifier(DigitMLPClassifier(max_iter=5), n_estimators=2)
    >>> bagging = bagging.fit(X, y)
    >>> register_converter()
    >>> model = skl2onnx.to_onnx(bagging, X[:1], options={"zipmap": False})
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']
    """
    _register(DigitMLPClassifier)


# What is converted


def _steps(estimator):
    """Fitted steps that predict one after the other, the classifier last."""
    if hasattr(estimator, "refit"):  # a search
        check_is_fitted(estimator)
        if not hasattr(estimator, "best_estimator_"):
            raise ValueError(
                f"A search needs a best_estimator_ to be converted. Got {estimator!r} "
                "instead. Fit it with refit=True."
            )
        return _steps(estimator.best_estimator_)
    if isinstance(estimator, Pipeline):
        *before, (_, last) = estimator.steps
        transformers = [step for _, step in before if step not in (None, "passthrough")]
        steps = transformers + _steps(last)
    elif isinstance(estimator, DigitMLPClassifier):
        steps = [estimator]
    else:
        raise TypeError(
            "estimator must be a DigitMLPClassifier, a Pipeline whose last step is "
            f"one, or a search over either. Got {estimator!r} instead. For an "
            "estimator that holds a DigitMLPClassifier elsewhere, call "
            "register_converter and skl2onnx.to_onnx."
        )
    for step in steps:
        check_is_fitted(step)
    return steps


def _check_dtype(dtype, default):
    try:
        name = np.dtype(default if dtype is None else dtype).name
    except TypeError:
        name = None
    if name not in _DTYPES:
        raise ValueError(
            f"dtype must be one of {', '.join(_DTYPES)}, or None. Got {dtype!r} "
            "instead."
        )
    return np.dtype(name)


def _onnx_labels(classes):
    """Labels as an array of what ONNX has: strings, or int64."""
    labels = classes.tolist()
    if all(isinstance(label, str) for label in labels):
        return np.array(labels, dtype=object)
    if all(isinstance(label, int | float) and _is_int64(label) for label in labels):
        return np.array([int(label) for label in labels], dtype=np.int64)
    raise ValueError(
        "classes_ must be strings, or whole numbers or booleans that int64 holds, to "
        f"be labels in ONNX. Got {classes!r} instead. Fit on labels of that kind, "
        "their indices for example."
    )


def _is_int64(label):
    return float(label).is_integer() and -(2**63) <= label < 2**63


# How


def _network(classifier, X, X_dtype, proba_dtype, *, unique_name=str, raw_scores=False):
    """The network as ONNX.

    Parameters
    ----------
    classifier : DigitMLPClassifier
        Fitted.
    X : str
        Name of the input.
    X_dtype, proba_dtype : dtype
        Of the input, and of the probabilities that come out.
    unique_name : callable
        Makes a name into one that the rest of the graph has not.
    raw_scores : bool
        Whether logits come out in place of probabilities.

    Returns
    -------
    nodes : list of onnx.NodeProto
        In the order of computing.
    constants : dict of str to ndarray
        What they compute with.
    """
    onnx = _import_onnx()
    nodes, constants = [], {}

    def constant(name, array):
        name = unique_name(name)
        constants[name] = array
        return name

    def node(op, inputs, output, **attributes):
        output = unique_name(output)
        nodes.append(onnx.helper.make_node(op, inputs, [output], output, **attributes))
        return output

    coefs, intercepts = list(classifier.coefs_), list(classifier.intercepts_)
    if classifier.out_activation_ == "logistic":
        # With an output of 0 for the first class, softmax and argmax do for two
        # classes what they do for more, ties included. Scores are of either sign.
        first = -1 if raw_scores else 0
        coefs[-1] = np.hstack([first * coefs[-1], coefs[-1]])
        intercepts[-1] = np.hstack([first * intercepts[-1], intercepts[-1]])
    dtype = coefs[0].dtype
    Z = X
    if X_dtype != dtype:
        Z = node("Cast", [Z], "X_cast", to=_onnx_dtype(dtype))
    if classifier._rescale is not None:
        factor = np.array(classifier._rescale, dtype=dtype)
        Z = node("Mul", [Z, constant("rescale", factor)], "X_rescaled")
    for i, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True)):
        weights = [constant(f"coefs_{i}", coef), constant(f"intercepts_{i}", intercept)]
        Z = node("Gemm", [Z, *weights], f"layer_{i}")
        hidden = i < len(coefs) - 1
        if hidden and classifier._activation in _ACTIVATIONS:
            Z = node(_ACTIVATIONS[classifier._activation], [Z], f"activation_{i}")
    # Of the outputs and not of the probabilities, which round to ties.
    index = node("ArgMax", [Z], "class_index", axis=1, keepdims=0)
    classes = constant("classes", _onnx_labels(classifier.classes_))
    node("Gather", [classes, index], "label")
    if proba_dtype == dtype and not raw_scores:
        node("Softmax", [Z], "probabilities", axis=1)
    else:
        P = Z if raw_scores else node("Softmax", [Z], "softmax", axis=1)
        node("Cast", [P], "probabilities", to=_onnx_dtype(proba_dtype))
    return nodes, constants


def _onnx_dtype(dtype):
    return _import_onnx().helper.np_dtype_to_tensor_dtype(dtype)


def _convert_classifier(classifier, dtype):
    onnx = _import_onnx()
    proba_dtype = classifier.coefs_[0].dtype
    nodes, constants = _network(classifier, "X", dtype, proba_dtype)
    label_dtype = constants["classes"].dtype

    def value(name, dtype, *shape):
        return onnx.helper.make_tensor_value_info(name, _onnx_dtype(dtype), shape)

    graph = onnx.helper.make_graph(
        nodes,
        type(classifier).__name__,
        [value("X", dtype, None, classifier.n_features_in_)],
        [
            value("label", label_dtype, None),
            value("probabilities", proba_dtype, None, len(classifier.classes_)),
        ],
        [
            onnx.numpy_helper.from_array(array, name)
            for name, array in constants.items()
        ],
    )
    opset = onnx.helper.make_opsetid("", _OPSETS[""])
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION)


def _convert_pipeline(transformers, classifier, dtype):
    skl2onnx = _import_skl2onnx()
    _register(type(classifier))
    types = skl2onnx.common.data_types
    # As scikit-learn's transformers do, which make float64 of integers.
    tensor_types = {"float32": types.FloatTensorType, "float64": types.DoubleTensorType}
    floating = dtype if dtype.name in tensor_types else np.dtype("float64")
    n_features = getattr(transformers[0], "n_features_in_", None)
    X_type = tensor_types[floating.name]([None, n_features])
    # Probabilities have the dtype of what comes into the classifier.
    cast = skl2onnx.sklapi.CastTransformer(dtype=classifier.coefs_[0].dtype.type)
    model = skl2onnx.to_onnx(
        make_pipeline(*transformers, cast, classifier),
        initial_types=[("X", X_type)],
        name="Pipeline",
        options={id(classifier): {"zipmap": False}},
        target_opset=_OPSETS,
    )
    if dtype != floating:
        _cast_input(model.graph, dtype, floating)
    return model


def _cast_input(graph, dtype, floating):
    """Have a graph take X of another dtype, and cast it to the one it took before."""
    onnx = _import_onnx()
    for node in graph.node:
        node.input[:] = ["X_floating" if name == "X" else name for name in node.input]
    to = _onnx_dtype(floating)
    cast = onnx.helper.make_node("Cast", ["X"], ["X_floating"], "X_floating", to=to)
    graph.node.insert(0, cast)
    graph.input[0].type.tensor_type.elem_type = _onnx_dtype(dtype)


# skl2onnx


def _register(cls):
    _import_skl2onnx().update_registered_converter(
        cls,
        f"Skdigits{cls.__name__}",
        _set_output_types,
        _convert_step,
        options={
            "zipmap": [True, False, "columns"],
            "output_class_labels": [False, True],
            "raw_scores": [False, True],
            "nocl": [False],  # asked for together with zipmap
        },
    )


def _set_output_types(operator):
    common = _import_skl2onnx().common
    common.utils.check_input_and_output_numbers(operator, 1, 2)
    types = common.data_types
    [X], (label, probabilities) = operator.inputs, operator.outputs
    classifier = operator.raw_operator
    n_samples = X.get_first_dimension()
    strings = _onnx_labels(classifier.classes_).dtype == object
    label_type = types.StringTensorType if strings else types.Int64TensorType
    label.set_type(label_type([n_samples]))
    number_type = types.guess_tensor_type(X.type).__class__
    probabilities.set_type(number_type([n_samples, len(classifier.classes_)]))


def _convert_step(scope, operator, container):
    onnx = _import_onnx()
    types = _import_skl2onnx().common.data_types
    classifier = operator.raw_operator
    [X], (label, probabilities) = operator.inputs, operator.outputs
    outputs = {"label": label.full_name, "probabilities": probabilities.full_name}

    def unique_name(name):
        return outputs.get(name) or scope.get_unique_variable_name(name)

    options = container.get_options(classifier, {"raw_scores": False})
    X_dtype = np.dtype(types.guess_numpy_type(X.type))
    proba_dtype = np.dtype(types.guess_numpy_type(probabilities.type))
    nodes, constants = _network(
        classifier,
        X.full_name,
        X_dtype,
        proba_dtype,
        unique_name=unique_name,
        raw_scores=options["raw_scores"],
    )
    for name, array in constants.items():
        strings = array.dtype == object
        values = [value.encode() for value in array] if strings else array.ravel()
        container.add_initializer(name, _onnx_dtype(array.dtype), array.shape, values)
    for node in nodes:
        attributes = {
            a.name: onnx.helper.get_attribute_value(a) for a in node.attribute
        }
        name = scope.get_unique_operator_name(node.op_type)
        container.add_node(
            node.op_type, list(node.input), list(node.output), name=name, **attributes
        )


# Packages and files


def _import_onnx():
    try:
        import onnx
    except ImportError as error:
        raise ImportError(
            "Export to ONNX requires onnx. Install it with "
            '`pip install "skdigits[onnx]"`.'
        ) from error
    return onnx


def _import_skl2onnx():
    try:
        import skl2onnx
        import skl2onnx.sklapi
    except ImportError as error:
        raise ImportError(
            "Export of a Pipeline to ONNX requires skl2onnx. Install it with "
            '`pip install "skdigits[onnx]"`.'
        ) from error
    return skl2onnx


def _write(content, path):
    """Write a file that is there completely or not at all."""
    path = os.path.realpath(path)
    part = f"{path}.{secrets.token_hex(4)}.part"
    try:
        with open(part, "xb") as file:
            file.write(content)
        os.replace(part, path)
    except BaseException:
        if os.path.exists(part):
            os.remove(part)
        raise
