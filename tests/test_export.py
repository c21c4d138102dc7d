"""Tests of the export to ONNX, against ONNX Runtime."""

import json
import sys
from functools import partial

import numpy as np
import onnx
import onnxruntime
import pytest
import skl2onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, SplineTransformer, StandardScaler

import skdigits
from skdigits import DigitMLPClassifier
from skdigits.export import to_onnx
from skdigits.pretrained import load_digit_reader

ONNX_TYPES = {"float32": "tensor(float)", "float64": "tensor(double)"}
# Largest difference of a probability; labels are the same.
TOLERANCES = {"float32": 1e-6, "float64": 1e-12}


def quick(**params):
    return DigitMLPClassifier(**{"max_iter": 2, "random_state": 0, **params})


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString())


def assert_same_predictions(model, estimator, X):
    label, P = session(model).run(["label", "probabilities"], {"X": X})
    expected = estimator.predict_proba(X)
    assert P.dtype == expected.dtype
    np.testing.assert_allclose(P, expected, rtol=0, atol=TOLERANCES[P.dtype.name])
    assert label.shape == (len(X),)
    np.testing.assert_array_equal(label, estimator.predict(X))


@pytest.fixture(scope="module")
def fitted(digits):
    return quick(activation="tanh").fit(*digits)


# A classifier alone


@pytest.mark.filterwarnings("ignore:y has a single class")
@pytest.mark.parametrize(
    ("dtype", "names"),
    [
        ("float32", np.array(["0", "eins", "", "七", "ate", "ß", "6", "7", "8", "9"])),
        ("float64", np.array(["no", "yes"], dtype=object).repeat(5)),
        ("float32", np.arange(10) > 4),
        ("float64", np.full(10, 7)),
        ("float32", np.array([-(2**31), 2**31 - 1]).repeat(5)),
        ("float64", np.arange(10.0)),
    ],
    ids=["str", "two str", "bool", "one class", "two int", "float"],
)
def test_classes_and_dtypes(digits, dtype, names):
    X, y = digits[0].astype(dtype), names[digits[1]]
    clf = quick().fit(X, y)
    model = to_onnx(clf)
    for rows in (X, X[:1]):
        assert_same_predictions(model, clf, rows)
    [X_info], (label, _) = session(model).get_inputs(), session(model).get_outputs()
    assert (X_info.type, X_info.shape) == (ONNX_TYPES[dtype], [None, 64])
    strings = isinstance(names[0], str)
    assert label.type == ("tensor(string)" if strings else "tensor(int64)")
    metadata = session(model).get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == clf.classes_.tolist()
    assert metadata["skdigits_version"] == skdigits.__version__


@pytest.mark.parametrize("activation", ["identity", "logistic", "relu", "tanh"])
def test_activation_and_rescale_are_those_that_were_fitted(digits, activation):
    X, y = digits
    clf = quick(hidden_layer_sizes=(9, 7), activation=activation, batch_norm=True)
    clf.set_params(rescale=0.5).fit(X, y)
    clf.set_params(rescale=7, activation="relu" if activation == "tanh" else "tanh")
    assert_same_predictions(to_onnx(clf), clf, X)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uint8_images_with_rescale(digits, dtype):
    X, y = (digits[0] * 255).astype(np.uint8), digits[1]
    clf = quick(rescale=1 / 255, dtype=dtype).fit(X, y)
    assert_same_predictions(to_onnx(clf, dtype="uint8"), clf, X)


@pytest.mark.parametrize("dtype", [bool, "int8", int, "uint64", "float16"])
def test_other_dtypes_of_X(digits, fitted, dtype):
    X = digits[0].astype(dtype)
    assert_same_predictions(to_onnx(fitted, dtype=dtype), fitted, X)


def test_pretrained_reader():
    reader = load_digit_reader()
    X = np.random.default_rng(0).integers(0, 256, (50, 784)).astype(np.uint8)
    assert_same_predictions(to_onnx(reader, dtype="uint8"), reader, X)


def test_file(fitted, tmp_path):
    path = tmp_path / "digits.onnx"
    model = to_onnx(fitted, path)
    assert onnx.load(path) == model == to_onnx(fitted)


# Pipelines, searches and other estimators


TRANSFORMERS = {
    "scaled PCA": [StandardScaler(), PCA(20, whiten=True, random_state=0)],
    "nested": ["passthrough", make_pipeline(FunctionTransformer(), StandardScaler())],
    "none": [],
}


@pytest.mark.parametrize("transformers", TRANSFORMERS)
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_pipelines(digits, transformers, dtype):
    X, y = (digits[0] * 16).astype(dtype), digits[1] > 4
    pipeline = make_pipeline(*TRANSFORMERS[transformers], quick()).fit(X, y)
    assert_same_predictions(to_onnx(pipeline, dtype=dtype), pipeline, X)


def test_searches(digits):
    X, y = digits[0].astype(float), digits[1]
    pipeline = make_pipeline(StandardScaler(), quick())
    search = GridSearchCV(pipeline, {"digitmlpclassifier__alpha": [0.1]}, cv=2)
    inside = make_pipeline(StandardScaler(), GridSearchCV(quick(), {}, cv=2))
    for estimator in (search.fit(X, y), inside.fit(X, y)):
        assert_same_predictions(to_onnx(estimator), estimator, X)


def test_subclass(digits):
    class Subclass(DigitMLPClassifier):
        pass

    clf = Subclass(max_iter=2, random_state=0).fit(*digits)
    assert_same_predictions(to_onnx(clf), clf, digits[0])


@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize(
    "ensemble",
    [
        partial(BaggingClassifier, n_estimators=2, random_state=0),
        partial(CalibratedClassifierCV, cv=2),
        OneVsRestClassifier,
        # skl2onnx does not convert its default, flatten_transform=True.
        lambda clf: VotingClassifier(
            [("a", clf), ("b", LogisticRegression())],
            voting="soft",
            flatten_transform=False,
        ),
    ],
    ids=["bagging", "calibrated", "one-vs-rest", "voting"],
)
def test_skl2onnx_converts_ensembles(digits, ensemble, n_classes):
    X, y = digits[0], digits[1] % n_classes
    estimator = ensemble(quick()).fit(X, y)
    model = skl2onnx.to_onnx(estimator, X[:1], options={"zipmap": False})
    _, P = session(model).run(None, {"X": X})
    np.testing.assert_allclose(P, estimator.predict_proba(X), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 10])
def test_raw_scores_and_zipmap_of_skl2onnx(digits, n_classes):
    X, y = digits[0], digits[1] % n_classes
    clf = quick().fit(X, y)
    options = {"zipmap": True, "raw_scores": True}
    label, maps = session(skl2onnx.to_onnx(clf, X, options=options)).run(None, {"X": X})
    np.testing.assert_array_equal(label, clf.predict(X))
    Z = np.array([[scores[name] for name in clf.classes_] for scores in maps])
    expected = clf.decision_function(X)
    if n_classes == 2:
        expected = np.column_stack([-expected, expected])
    np.testing.assert_allclose(Z, expected, rtol=1e-5, atol=1e-5)


# Errors


@pytest.mark.parametrize("scale", [0.5, 2**30, 1e300])
def test_classes_that_onnx_cannot_hold(digits, scale):
    clf = quick().fit(digits[0], np.arange(400) % 10)
    clf.classes_ = np.arange(10) * scale
    with pytest.raises(ValueError, match="strings or whole numbers of 32 bits"):
        to_onnx(clf)


def test_not_fitted(fitted):
    for estimator in (quick(), make_pipeline(StandardScaler(), fitted)):
        with pytest.raises(NotFittedError, match="is not fitted yet"):
            to_onnx(estimator)


def test_other_estimators(digits):
    match = "must be a DigitMLPClassifier, a Pipeline .* Got LogisticRegression"
    with pytest.raises(TypeError, match=match):
        to_onnx(LogisticRegression().fit(*digits))
    search = GridSearchCV(quick(), {"alpha": [0]}, cv=2, refit=False).fit(*digits)
    with pytest.raises(TypeError, match=r"with refit=True. Got GridSearchCV"):
        to_onnx(search)


def test_step_that_skl2onnx_cannot_convert(digits):
    X, y = digits
    pipeline = make_pipeline(SplineTransformer(), quick()).fit(X[:, 10:13], y)
    with pytest.raises(RuntimeError, match="SplineTransformer"):
        to_onnx(pipeline)


def test_complex_dtype(fitted):
    with pytest.raises(ValueError, match=r"real dtype or None\. Got complex64"):
        to_onnx(fitted, dtype="complex64")


def test_skl2onnx_is_not_installed(fitted, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match="`pip install onnx skl2onnx`"):
        to_onnx(fitted)
