"""Tests of the export to ONNX, against ONNX Runtime."""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import skl2onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

import skdigits
from skdigits import DigitMLPClassifier
from skdigits.export import register_converter, to_onnx

ONNX_TYPES = {"float32": "tensor(float)", "float64": "tensor(double)"}
# Largest difference of a probability; labels are the same.
TOLERANCES = {"float32": 1e-6, "float64": 1e-12}


def quick(**params):
    return DigitMLPClassifier(**{"max_iter": 3, "random_state": 0, **params})


def session(model):
    content = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def run(model, X):
    """Labels and probabilities from ONNX Runtime."""
    return session(model).run(["label", "probabilities"], {"X": X})


def assert_same_predictions(model, estimator, X, tolerance=None):
    label, P = run(model, X)
    expected = estimator.predict_proba(X)
    assert P.dtype == expected.dtype
    tolerance = TOLERANCES[P.dtype.name] if tolerance is None else tolerance
    np.testing.assert_allclose(P, expected, rtol=0, atol=tolerance)
    assert label.shape == (len(X),)
    np.testing.assert_array_equal(label, estimator.predict(X))


@pytest.fixture(scope="module")
def fitted(digits):
    return quick().fit(*digits)


@pytest.fixture(scope="module")
def labels(digits):
    """Targets with one, two and ten classes."""
    _, y = digits
    return {1: np.full_like(y, 7), 2: (y > 4).astype(int), 10: y}


# A classifier alone


@pytest.mark.parametrize("n_classes", [1, 2, 10])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_of_dtypes_and_numbers_of_classes(digits, labels, dtype, n_classes):
    X = digits[0].astype(dtype)
    clf = quick().fit(X, labels[n_classes])
    assert clf.coefs_[0].dtype == dtype
    assert_same_predictions(to_onnx(clf), clf, X)


@pytest.mark.parametrize("activation", ["identity", "logistic", "relu", "tanh"])
@pytest.mark.parametrize(
    "params",
    [
        {"hidden_layer_sizes": (9,)},
        {"hidden_layer_sizes": (12, 9, 7), "batch_norm": True},
    ],
    ids=["one layer", "three layers"],
)
def test_predictions_of_networks(digits, activation, params):
    X, y = digits[0].astype(float), digits[1]
    clf = quick(activation=activation, **params).fit(X, y)
    assert_same_predictions(to_onnx(clf), clf, X)


def test_activation_and_rescale_are_those_that_were_fitted(digits):
    X, y = digits
    clf = quick(rescale=0.5, activation="tanh").fit(X, y)
    clf.set_params(rescale=7, activation="relu")
    assert_same_predictions(to_onnx(clf), clf, X)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_images_of_bytes_with_rescale(digits, dtype):
    X, y = digits
    images = (X * 255).astype(np.uint8)
    clf = quick(rescale=1 / 255, dtype=dtype).fit(images, y)
    model = to_onnx(clf, dtype="uint8")
    assert_same_predictions(model, clf, images)
    # By default the same pixels are taken as floats.
    label, P = run(to_onnx(clf), images.astype(dtype))
    np.testing.assert_array_equal(label, clf.predict(images))
    np.testing.assert_array_equal(P, run(model, images)[1])


@pytest.mark.parametrize(
    "dtype",
    [
        *(bool, np.uint8, "uint16", np.uint32, np.dtype("uint64")),
        *("int8", "int16", int, "<i8", ">i4"),
        *("float16", np.float32, float),
    ],
)
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_dtype_of_the_input(digits, fitted, dtype, in_pipeline):
    X = (digits[0] * 16).round().astype(dtype).astype(np.dtype(dtype).name)
    estimator = fitted
    if in_pipeline:
        # Powers of two, which even float16 divides by without rounding.
        scaler = MinMaxScaler().fit(np.vstack([np.zeros(64), np.full(64, 16)]))
        estimator = make_pipeline(scaler, fitted)
    model = to_onnx(estimator, dtype=dtype)
    assert_same_predictions(model, estimator, X)
    assert session(model).get_outputs()[1].type == "tensor(float)"


def test_input_and_outputs_are_described(digits, fitted):
    model = session(to_onnx(fitted))
    [X] = model.get_inputs()
    assert (X.name, X.type, X.shape) == ("X", "tensor(float)", [None, 64])
    label, proba = model.get_outputs()
    assert (label.name, label.type, label.shape) == ("label", "tensor(int64)", [None])
    assert (proba.name, proba.type) == ("probabilities", "tensor(float)")
    assert proba.shape == [None, 10]


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_any_number_of_rows(digits, fitted, in_pipeline):
    X, _ = digits
    estimator = fitted
    if in_pipeline:
        estimator = make_pipeline(StandardScaler().fit(X), fitted)
    model = to_onnx(estimator)
    for n_rows in (1, 7, 1000):
        assert_same_predictions(model, estimator, np.resize(X, (n_rows, 64)))
    label, P = run(model, X[:0])
    assert (label.shape, P.shape) == ((0,), (0, 10))


@pytest.mark.parametrize("n_classes", [2, 10])
def test_ties_go_to_the_first_class(digits, labels, n_classes):
    X, _ = digits
    clf = quick().fit(X, labels[n_classes])
    clf.coefs_ = [np.zeros_like(coef) for coef in clf.coefs_]
    clf.intercepts_ = [np.zeros_like(intercept) for intercept in clf.intercepts_]
    assert_same_predictions(to_onnx(clf), clf, X)
    assert set(clf.predict(X)) == {0}
    # Too little for probabilities of float32 to tell apart.
    clf.intercepts_[-1][-1] = 1e-9
    assert_same_predictions(to_onnx(clf), clf, X)
    assert set(clf.predict(X)) == {n_classes - 1}


def test_probabilities_of_0_and_1(digits, labels):
    X, _ = digits
    clf = quick().fit(X, labels[2])
    for bias in (-1000, -50, 50, 1000):
        clf.intercepts_[-1][:] = bias
        assert_same_predictions(to_onnx(clf), clf, X)


# Classes

NAMES = np.array(["null", "eins", "zwei", "drei", "4", "fünf", "", "七", "ate", "ß"])


@pytest.mark.parametrize(
    "names",
    [
        NAMES,
        NAMES.astype(object),
        NAMES[[0, 0, 0, 0, 0, 1, 1, 1, 1, 1]],
        np.array(["one"] * 10),
        np.arange(10) % 2 == 0,
        np.arange(10, dtype=np.uint8),
        np.arange(10) * 1000 - 5000,
        np.array([-(2**63), 2**63 - 1] * 5),
        np.arange(10.0),
    ],
    ids=[
        *("str", "object", "two str", "one str", "bool", "uint8", "gaps", "int64"),
        "float",
    ],
)
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_labels_and_metadata(digits, names, in_pipeline):
    X, y = digits
    estimator = quick()
    if in_pipeline:
        estimator = make_pipeline(MinMaxScaler(), estimator)
    estimator.fit(X, names[y])
    model = to_onnx(estimator)
    assert_same_predictions(model, estimator, X)
    label_type = session(model).get_outputs()[0].type
    strings = isinstance(names[0], str)
    assert label_type == ("tensor(string)" if strings else "tensor(int64)")
    about = session(model).get_modelmeta()
    assert about.producer_name == "skdigits"
    classes = json.loads(about.custom_metadata_map["classes"])
    assert classes == estimator.classes_.tolist()
    assert type(classes[0]) is type(estimator.classes_.tolist()[0])
    version = about.custom_metadata_map["skdigits_version"]
    assert version == skdigits.__version__


@pytest.mark.parametrize(
    "classes",
    [
        np.arange(10) + 0.5,
        np.arange(10.0) * 1e300,
        np.append(np.arange(9.0), np.inf),
        np.arange(10, dtype=np.uint64) + 2**63,
        np.arange(10).astype("datetime64[D]"),
        np.arange(10).astype(bytes),
    ],
    ids=["fractions", "large", "inf", "uint64", "dates", "bytes"],
)
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_labels_that_onnx_has_not(digits, fitted, classes, in_pipeline):
    estimator = copy.copy(fitted)
    estimator.classes_ = classes
    if in_pipeline:
        estimator = make_pipeline(MinMaxScaler().fit(digits[0]), estimator)
    match = r"classes_ must be strings, or whole numbers .* Got array\("
    with pytest.raises(ValueError, match=match):
        to_onnx(estimator)


# Pipelines and searches

TRANSFORMERS = {
    "StandardScaler": [StandardScaler()],
    "MinMaxScaler": [MinMaxScaler(clip=True)],
    "PCA": [PCA(20, random_state=0)],
    "whitened": [PCA(20, whiten=True, random_state=0)],
    "scaled PCA": [StandardScaler(), PCA(20, random_state=0)],
    "none": [],
    "passthrough": ["passthrough", StandardScaler(), None],
    "only passthrough": ["passthrough"],
    "nested": [make_pipeline(StandardScaler(), PCA(20, random_state=0))],
    "function": [FunctionTransformer(), StandardScaler()],
}


@pytest.mark.parametrize(
    ("transformers", "dtype", "n_classes"),
    [(transformers, "float64", 10) for transformers in TRANSFORMERS]
    + [("scaled PCA", dtype, n) for n in (1, 2) for dtype in ("float32", "float64")],
)
def test_pipelines(digits, labels, transformers, dtype, n_classes):
    X = digits[0].astype(dtype)
    pipeline = make_pipeline(*TRANSFORMERS[transformers], quick())
    pipeline.fit(X, labels[n_classes])
    model = to_onnx(pipeline)
    assert_same_predictions(model, pipeline, X)
    types = [value.type for value in session(model).get_inputs()]
    assert types == [ONNX_TYPES[dtype]]


@pytest.mark.parametrize("weights", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pipelines_compute_in_the_dtype_of_the_input(digits, weights, dtype):
    X, y = digits[0].astype(float), digits[1]
    pipeline = make_pipeline(StandardScaler(), PCA(20), quick(dtype=weights))
    pipeline.fit(X, y)
    model = to_onnx(pipeline, dtype=dtype)
    tolerance = max(TOLERANCES[weights], TOLERANCES[dtype])
    assert_same_predictions(model, pipeline, X.astype(dtype), tolerance)


def test_pipeline_in_double_precision_before_weights_in_single(digits):
    X, y = digits[0].astype(float) + 1e6, digits[1]
    pipeline = make_pipeline(StandardScaler(), quick(dtype="float32")).fit(X, y)
    assert_same_predictions(to_onnx(pipeline, dtype="float64"), pipeline, X)


def test_integers_into_a_pipeline_are_scaled_in_double_precision(digits):
    X, y = (digits[0] * 16).astype(int) + 10**9, digits[1]
    pipeline = make_pipeline(StandardScaler(), quick()).fit(X, y)
    assert_same_predictions(to_onnx(pipeline, dtype=int), pipeline, X)


def test_pipeline_of_a_classifier_alone_is_the_classifier(fitted):
    assert to_onnx(make_pipeline(fitted)) == to_onnx(fitted)


@pytest.mark.parametrize(
    ("search_class", "place"),
    [
        (GridSearchCV, "alone"),
        (GridSearchCV, "around"),
        (GridSearchCV, "inside"),
    ],
)
def test_searches(digits, search_class, place):
    X, y = digits
    if place == "around":
        pipeline = make_pipeline(StandardScaler(), quick())
        grid = {"digitmlpclassifier__alpha": [0, 1]}
        search = search_class(pipeline, grid, cv=2)
    else:
        search = search_class(quick(), {"alpha": [0, 1]}, cv=2)
    if place == "inside":
        search = make_pipeline(StandardScaler(), search)
    search.fit(X, y)
    assert_same_predictions(to_onnx(search), search, X)


def test_subclass(digits):
    class Subclass(DigitMLPClassifier):
        pass

    X, y = digits
    clf = Subclass(max_iter=3, random_state=0).fit(X, y)
    assert_same_predictions(to_onnx(clf), clf, X)
    pipeline = make_pipeline(StandardScaler().fit(X), clf)
    assert_same_predictions(to_onnx(pipeline), pipeline, X)


# With skl2onnx itself


@pytest.mark.parametrize(("dtype", "n_classes"), [("float32", 10), ("float64", 2)])
@pytest.mark.parametrize(
    "around",
    [
        lambda clf: clf,
        lambda clf: BaggingClassifier(clf, n_estimators=2, random_state=0),
        lambda clf: CalibratedClassifierCV(clf, cv=2),
    ],
    ids=["alone", "bagging", "calibrated"],
)
def test_estimators_that_hold_classifiers(digits, labels, dtype, n_classes, around):
    X = digits[0].astype(dtype)
    estimator = around(quick()).fit(X, labels[n_classes])
    for _ in range(2):
        register_converter()
    model = skl2onnx.to_onnx(estimator, X[:1], options={"zipmap": False})
    label, P = run(model, X)
    expected = estimator.predict_proba(X)
    assert P.dtype == dtype
    np.testing.assert_allclose(P, expected, rtol=0, atol=TOLERANCES[dtype])
    np.testing.assert_array_equal(label, estimator.predict(X))


@pytest.mark.parametrize("names", [NAMES, np.arange(10), np.arange(10) > 4])
def test_zipmap(digits, names):
    X, y = digits
    clf = quick().fit(X, names[y])
    register_converter()
    label, maps = session(skl2onnx.to_onnx(clf, X[:1])).run(None, {"X": X})
    np.testing.assert_array_equal(label, clf.predict(X))
    assert [*maps[0]] == clf.classes_.tolist()
    P = [list(probabilities.values()) for probabilities in maps]
    np.testing.assert_allclose(P, clf.predict_proba(X), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 10])
def test_raw_scores(digits, labels, n_classes):
    X, _ = digits
    clf = quick().fit(X, labels[n_classes])
    register_converter()
    options = {"zipmap": False, "raw_scores": True}
    label, Z = run(skl2onnx.to_onnx(clf, X[:1], options=options), X)
    np.testing.assert_array_equal(label, clf.predict(X))
    expected = clf.decision_function(X)
    if n_classes == 2:
        expected = np.column_stack([-expected, expected])
    np.testing.assert_allclose(Z, expected, rtol=1e-5, atol=1e-5)


def test_integers_by_way_of_skl2onnx(digits, fitted):
    X = (digits[0] * 16).astype(int)
    register_converter()
    model = skl2onnx.to_onnx(fitted, X[:1], options={"zipmap": False})
    assert_same_predictions(model, fitted, X)


# Files


@pytest.mark.parametrize("as_path", [str, Path])
def test_file_is_the_model(digits, fitted, tmp_path, as_path):
    path = tmp_path / "digits.onnx"
    path.write_bytes(b"older")
    model = to_onnx(fitted, as_path(path))
    assert path.read_bytes() == model.SerializeToString()
    assert onnx.load(path) == model
    assert_same_predictions(path.read_bytes(), fitted, digits[0])
    assert [*tmp_path.iterdir()] == [path]


def test_file_that_a_link_points_to(fitted, tmp_path):
    path, link = tmp_path / "digits.onnx", tmp_path / "link.onnx"
    try:
        link.symlink_to(path)
    except OSError:
        pytest.skip("no symbolic links here")
    model = to_onnx(fitted, link)
    assert link.is_symlink()
    assert path.read_bytes() == model.SerializeToString()


def test_exporting_twice_gives_the_same_file(digits, fitted):
    pipeline = make_pipeline(StandardScaler().fit(digits[0]), fitted)
    for estimator in (fitted, pipeline):
        first, second = to_onnx(estimator), to_onnx(estimator)
        assert first.SerializeToString() == second.SerializeToString()


def test_full_disk_leaves_what_was_there(fitted, tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "digits.onnx"
    path.write_bytes(b"older")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Writing fails part of the way, as it does on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            to_onnx(fitted, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"older"
    assert [*tmp_path.iterdir()] == [path]


def test_path_that_cannot_be_written(fitted, tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        to_onnx(fitted, tmp_path / "missing" / "digits.onnx")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="folder"):
        to_onnx(fitted, folder)
    assert [*tmp_path.iterdir()] == [folder]


# Errors


@pytest.mark.parametrize(
    "estimator",
    [
        quick(),
        make_pipeline(StandardScaler(), quick()),
        make_pipeline(quick()),
        GridSearchCV(quick(), {"alpha": [0, 1]}),
        make_pipeline(StandardScaler(), GridSearchCV(quick(), {"alpha": [0, 1]})),
    ],
    ids=["classifier", "pipeline", "classifier in pipeline", "search", "both"],
)
def test_not_fitted(estimator):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        to_onnx(estimator)


def test_pipeline_with_a_step_that_is_not_fitted(fitted):
    with pytest.raises(NotFittedError, match="StandardScaler instance is not fitted"):
        to_onnx(make_pipeline(StandardScaler(), fitted))


def test_search_without_refit(digits):
    search = GridSearchCV(quick(), {"alpha": [0, 1]}, cv=2, refit=False).fit(*digits)
    with pytest.raises(ValueError, match=r"instead\. Fit it with refit=True"):
        to_onnx(search)


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(quick(), "passthrough"),
        BaggingClassifier(quick()),
        DigitMLPClassifier,
        None,
    ],
    ids=["other", "pipeline", "passthrough", "bagging", "class", "None"],
)
def test_other_estimators(estimator):
    match = "must be a DigitMLPClassifier, a Pipeline .* Got .* instead"
    with pytest.raises(TypeError, match=match):
        to_onnx(estimator)


@pytest.mark.parametrize("dtype", ["complex64", "pixels", str, object])
def test_other_dtypes(fitted, dtype):
    with pytest.raises(ValueError, match=r"dtype must be one of bool, .* instead"):
        to_onnx(fitted, dtype=dtype)


def test_packages_that_are_not_installed(digits, fitted, monkeypatch):
    pipeline = make_pipeline(StandardScaler().fit(digits[0]), fitted)
    match = r'requires {}. Install it with `pip install "skdigits\[onnx\]"`'
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    to_onnx(fitted)
    for call in (lambda: to_onnx(pipeline), register_converter):
        with pytest.raises(ImportError, match=match.format("skl2onnx")):
            call()
    monkeypatch.setitem(sys.modules, "onnx", None)
    for estimator in (fitted, pipeline):
        with pytest.raises(ImportError, match=match.format("onnx")):
            to_onnx(estimator)


@pytest.mark.parametrize("damage", ["empty", "truncated", "another format"])
def test_damaged_file_is_refused_by_the_runtime(fitted, tmp_path, damage):
    path = tmp_path / "digits.onnx"
    to_onnx(fitted, path)
    content = path.read_bytes()
    damaged = {
        "empty": b"",
        "truncated": content[: len(content) // 2],
        "another format": b"PK\x03\x04 is how a zip file starts",
    }
    path.write_bytes(damaged[damage])
    with pytest.raises(Exception, match=r"(?i)protobuf|load|model"):
        onnxruntime.InferenceSession(path)
