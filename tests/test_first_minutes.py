"""Mistakes of the first minutes, and what a session or a notebook shows.

Each mistake raises an error, or a warning, that names what to use instead.
"""

import base64
import io
import pickle
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV

import skdigits
from skdigits import DigitMLPClassifier
from skdigits.augmentation import RandomDistortion
from skdigits.images import (
    BlankImageError,
    DigitImageTransformer,
    ImageError,
    SeveralDigitsError,
    find_digits,
    load_image,
    normalize_digit,
    read_digits,
)
from skdigits.pretrained import load_digit_reader

PIL_Image = pytest.importorskip("PIL.Image", exc_type=ImportError)

# Keras draws the seeds of a model's layers.
pytestmark = pytest.mark.changes("Python's random state")

READER = load_digit_reader()
PHOTO = np.full((480, 640), 200, dtype=np.uint8)
PILLOW_IMAGE = PIL_Image.fromarray(PHOTO)


@pytest.fixture(scope="module")
def data(digits):
    X, y = digits
    return X[:100], y[:100]


def quick(**params):
    return DigitMLPClassifier(max_iter=2, random_state=0, **params)


def page_of_ones():
    page = np.ones((200, 300))
    page[60:120, 50:58] = page[60:120, 150:158] = 0.1
    return page


def error_of(call, *arguments):
    try:
        call(*arguments)
    except Exception as error:
        return error
    raise AssertionError("no error")


# Names and values of Keras

ARGUMENTS = {
    "epochs": "Use DigitMLPClassifier(max_iter=...).",
    "optimizer": "Use DigitMLPClassifier(solver=...).",
    "lr": "Use DigitMLPClassifier(learning_rate_init=...).",
    "batch": "Use DigitMLPClassifier(batch_size=...).",
    "units": "Use DigitMLPClassifier(hidden_layer_sizes=...).",
    "weight_decay": "Use DigitMLPClassifier(alpha=...).",
    "patience": "Use DigitMLPClassifier(n_iter_no_change=...).",
    "validation_split": "early_stopping=True, validation_fraction=...",
    "validation_data": "Use fit(X, y, X_val=X_val, y_val=y_val).",
    "loss": "the loss is always the cross-entropy",
    "metrics": "use score or sklearn.metrics",
    "input_shape": "fit takes the number of features from X",
    "model": "DigitMLPClassifier.from_keras(model)",
}


@pytest.mark.parametrize(("name", "advice"), ARGUMENTS.items())
def test_argument_of_keras(name, advice, data):
    for method, positional in [(DigitMLPClassifier, ()), (quick().fit, data)]:
        error = error_of(lambda: method(*positional, **{name: 5}))  # noqa: B023
        assert isinstance(error, TypeError)
        assert f"got an unexpected keyword argument '{name}'. " in str(error)
        assert advice in str(error)


@pytest.mark.parametrize("name", ["batch_size", "verbose", "callbacks", "class_weight"])
def test_parameter_passed_to_fit(name, data):
    with pytest.raises(TypeError, match=rf"Use DigitMLPClassifier\({name}=...\)"):
        quick().fit(*data, **{name: 1})


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("compile", "Leave it out"),
        ("evaluate", "Use score(X, y)"),
        ("summary", "Use to_keras().summary()"),
        ("history", "Use loss_curve_"),
        ("save", "Use joblib.dump"),
        ("load_weights", "keras.saving.load_model"),
        ("layers", "coefs_ and intercepts_"),
        ("get_weights", "coefs_ and intercepts_"),
        ("predict_classes", "Use predict(X)"),
        ("train_on_batch", "Use partial_fit"),
        ("model_", "Use to_keras()"),
    ],
)
def test_attribute_of_keras(name, advice):
    with pytest.raises(AttributeError) as caught:
        getattr(quick(), name)
    message = str(caught.value)
    assert f"'DigitMLPClassifier' object has no attribute '{name}'. " in message
    assert advice in message
    assert name not in dir(quick())


@pytest.mark.parametrize(
    ("params", "advice"),
    [
        ({"activation": "sigmoid"}, "Use activation='logistic'"),
        ({"activation": "linear"}, "Use activation='identity'"),
        ({"activation": "softmax"}, "activation of hidden layers"),
        ({"solver": "RMSprop"}, "Use solver='rmsprop'"),
        ({"learning_rate": 0.01}, "Use learning_rate_init for a number"),
    ],
    ids=str,
)
def test_value_of_keras(params, advice, data):
    error = error_of(quick(**params).fit, *data)
    assert isinstance(error, ValueError)
    (name,) = params
    assert f"The '{name}' parameter of DigitMLPClassifier must be " in str(error)
    assert advice in str(error)


def test_names_of_keras_do_not_disturb_scikit_learn():
    class WithEpochs(DigitMLPClassifier):
        def __init__(self, epochs=3):
            super().__init__(max_iter=epochs)
            self.epochs = epochs

    assert clone(WithEpochs(epochs=5)).max_iter == 5
    clf = pickle.loads(pickle.dumps(quick(alpha=0.5)))
    assert clf.get_params() == quick(alpha=0.5).get_params()
    assert not hasattr(clf, "coefs_")
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'$"):
        clf.nonsense  # noqa: B018
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'nonsense'$"):
        DigitMLPClassifier(nonsense=1)


# Each mistake: the call, with X, y and a fitted classifier; the type of the error; and
# words of its message.
MISTAKES = {
    # Parameters
    "sizes as two arguments": (
        lambda X, y: DigitMLPClassifier(25, 15).fit(X, y),
        ValueError,
        ["'activation'", "hidden_layer_sizes=(25, 15)"],
    ),
    "size of zero": (
        lambda X, y: quick(hidden_layer_sizes=0).fit(X, y),
        ValueError,
        ["'hidden_layer_sizes'", "Got 0"],
    ),
    "sizes as a string": (
        lambda X, y: quick(hidden_layer_sizes="25,15").fit(X, y),
        ValueError,
        ["hidden_layer_sizes", "Got '25,15'"],
    ),
    "rescale as a string": (
        lambda X, y: quick(rescale="1/255").fit(X, y),
        ValueError,
        ["'rescale'", "Got '1/255'"],
    ),
    "dropout of 1": (
        lambda X, y: quick(dropout=1.0).fit(X, y),
        ValueError,
        ["'dropout'", "[0.0, 1.0)", "Got 1.0"],
    ),
    "augment without a distortion": (
        lambda X, y: quick(augment=True).fit(X, y),
        ValueError,
        ["'augment'", "RandomDistortion"],
    ),
    "augment of rows that are not square": (
        lambda X, y: quick(augment=RandomDistortion(rotation=10)).fit(X[:, :60], y),
        ValueError,
        ["square", "60"],
    ),
    "lbfgs": (
        lambda X, y: quick(solver="lbfgs").fit(X, y),
        ValueError,
        ["no L-BFGS", "solver='adam'"],
    ),
    "callbacks as a string": (
        lambda X, y: quick(callbacks="EarlyStopping").fit(X, y),
        ValueError,
        ["'callbacks'", "list"],
    ),
    "class_weight as a list": (
        lambda X, y: quick(class_weight=[1, 2]).fit(X, y),
        ValueError,
        ["'class_weight'", "'balanced'"],
    ),
    "random_state of NumPy": (
        lambda X, y: DigitMLPClassifier(random_state=np.random.default_rng(0)).fit(
            X, y
        ),
        ValueError,
        ["'random_state'", "Generator"],
    ),
    "set_params(epochs=...)": (
        lambda X, y: quick().set_params(epochs=5),
        ValueError,
        ["Invalid parameter 'epochs'", "'max_iter'"],
    ),
    "a search over epochs": (
        lambda X, y: GridSearchCV(quick(), {"epochs": [5]}, cv=2).fit(X, y),
        ValueError,
        ["Invalid parameter 'epochs'", "'max_iter'"],
    ),
    # Data for fit
    "images": (
        lambda X, y: quick().fit(X.reshape(-1, 8, 8), y),
        ValueError,
        ["dim 3", "X.reshape(len(X), -1)"],
    ),
    "a list of images": (
        lambda X, y: quick().fit(X.reshape(-1, 8, 8).tolist(), y),
        ValueError,
        ["dim 3", "X.reshape(len(X), -1)"],
    ),
    "one-dimensional X": (
        lambda X, y: quick().fit(X[:, 0], y),
        ValueError,
        ["1D array", "one row of pixels per image"],
    ),
    "one-hot labels": (
        lambda X, y: quick().fit(X, np.eye(10)[y]),
        ValueError,
        ["y.argmax(axis=1)"],
    ),
    "continuous labels": (
        lambda X, y: quick().fit(X, y + 0.5),
        ValueError,
        ["continuous"],
    ),
    "no labels": (lambda X, y: quick().fit(X), TypeError, ["'y'"]),
    "X and y swapped": (
        lambda X, y: quick().fit(y, X),
        ValueError,
        ["y should be a 1d array"],
    ),
    "X shorter than y": (
        lambda X, y: quick().fit(X[:50], y),
        ValueError,
        ["inconsistent numbers of samples", "[50, 100]"],
    ),
    "CSV as strings": (
        lambda X, y: quick().fit(X.astype(str), y),
        ValueError,
        ["CSV", "np.asarray(X, dtype=float)"],
    ),
    "CSV as objects with a header": (
        lambda X, y: quick().fit(
            np.vstack([["pixel"] * 64, X.astype(object)]), [0, *y]
        ),
        ValueError,
        ["'pixel'", "header"],
    ),
    "CSV with a header as NaN": (
        lambda X, y: quick().fit(np.vstack([[np.nan] * 64, X]), y),
        ValueError,
        ["contains NaN", "header"],
    ),
    "paths for fit": (
        lambda X, y: quick().fit(["0.png", "1.png"], [0, 1]),
        ValueError,
        ["'0.png'", "normalize_digit"],
    ),
    "X_val without y_val": (
        lambda X, y: quick().fit(X, y, X_val=X),
        ValueError,
        ["X_val and y_val must be passed together"],
    ),
    "early stopping on a few rows": (
        lambda X, y: quick(early_stopping=True).fit(X[:20], y[:20]),
        ValueError,
        ["Pass more rows"],
    ),
    "partial_fit without classes": (
        lambda X, y: quick().partial_fit(X, y),
        ValueError,
        ["classes must be passed"],
    ),
    # Data for predict
    "predict before fit": (
        lambda X, y: quick().predict(X),
        NotFittedError,
        ["not fitted yet"],
    ),
    **{
        f"{name} for predict": (
            lambda X, y, image=image: READER.predict(image),
            ValueError,
            ["read_digits", "normalize_digit", *words],
        )
        for name, image, words in [
            ("a path", "page.jpg", ["'page.jpg'"]),
            ("a Path", Path("page.jpg"), ["page.jpg"]),
            ("a list of paths", ["0.jpg", "1.jpg"], ["'0.jpg'"]),
            ("the bytes of a file", b"\x89PNG", ["PNG"]),
            ("a Pillow image", PILLOW_IMAGE, ["PIL.Image.Image"]),
            ("a list of Pillow images", [PILLOW_IMAGE], ["PIL.Image.Image"]),
            ("a photograph", PHOTO, ["640 features", "784"]),
            ("a colour photograph", np.stack([PHOTO] * 3, axis=-1), ["dim 3"]),
            ("a single image", np.zeros((28, 28)), ["28 features", "reshape(1, -1)"]),
        ]
    },
    "a row for predict": (
        lambda X, y: READER.predict(np.zeros(784)),
        ValueError,
        ["1D array", "X.reshape(1, -1)"],
    ),
    "a row as a list for predict": (
        lambda X, y: READER.predict([0.0] * 784),
        ValueError,
        ["1D array", "X.reshape(1, -1)"],
    ),
    # Reading
    "bytes for read_digits": (
        lambda X, y: read_digits(b"\x89PNG"),
        ImageError,
        ["Got bytes", "io.BytesIO"],
    ),
    "a list of paths for read_digits": (
        lambda X, y: read_digits(["page.jpg"]),
        ImageError,
        ["Got list", "one by one"],
    ),
    "an address for read_digits": (
        lambda X, y: read_digits("https://example.org/page.jpg"),
        FileNotFoundError,
        ["Download the image", "https://example.org/page.jpg"],
    ),
    "a folder for read_digits": (
        lambda X, y: read_digits(Path(__file__).parent),
        OSError,
        ["tests"],
    ),
    "a missing file for read_digits": (
        lambda X, y: read_digits("missing.jpg"),
        FileNotFoundError,
        ["missing.jpg"],
    ),
    "a text file for read_digits": (
        lambda X, y: read_digits(__file__),
        ImageError,
        ["not an image in a supported format", "PNG"],
    ),
    "None for read_digits": (
        lambda X, y: read_digits(None),
        ImageError,
        ["Got NoneType"],
    ),
    "a row for read_digits": (
        lambda X, y: read_digits(np.zeros(784)),
        ImageError,
        ["(height, width)", "(784,)"],
    ),
    "floats up to 255 for read_digits": (
        lambda X, y: read_digits(255 * page_of_ones()),
        ImageError,
        ["[0, 1]", "by 255"],
    ),
    "integers for read_digits": (
        lambda X, y: read_digits(page_of_ones().astype(int)),
        ImageError,
        ["int64", "dtype=np.uint8"],
    ),
    "channels first": (
        lambda X, y: read_digits(np.ones((3, 20, 30))),
        ImageError,
        ["channels to the last axis", "(3, 20, 30)"],
    ),
    "a confidence in per cent": (
        lambda X, y: read_digits(page_of_ones(), min_confidence=95),
        ValueError,
        ["min_confidence must be in [0, 1]", "95"],
    ),
    "a classifier that was not fitted": (
        lambda X, y: read_digits(page_of_ones(), quick()),
        NotFittedError,
        ["not fitted yet"],
    ),
    "a classifier of other images": (
        lambda X, y: read_digits(page_of_ones(), LogisticRegression().fit(X, y)),
        ValueError,
        ["784 or 400 features", "64 features", "normalize_digit"],
    ),
    "a classifier without probabilities": (
        lambda X, y: read_digits(page_of_ones(), RidgeClassifier()),
        ValueError,
        ["predict_proba", "RidgeClassifier"],
    ),
    "several digits for normalize_digit": (
        lambda X, y: normalize_digit(page_of_ones()),
        SeveralDigitsError,
        ["find_digits"],
    ),
    "a blank image for normalize_digit": (
        lambda X, y: normalize_digit(np.ones((28, 28))),
        BlankImageError,
        ["ink"],
    ),
    "one image for DigitImageTransformer": (
        lambda X, y: DigitImageTransformer().transform("digit.png"),
        ValueError,
        ["a list of images", "into a list"],
    ),
    # Keras models and files
    "the file of a model for from_keras": (
        lambda X, y: DigitMLPClassifier.from_keras("model.keras"),
        TypeError,
        ["Got str", "keras.saving.load_model"],
    ),
    "a name in the package": (
        lambda X, y: skdigits.image,
        AttributeError,
        ["'skdigits' has no attribute 'image'"],
    ),
}


@pytest.mark.parametrize(
    ("call", "kind", "words"), MISTAKES.values(), ids=MISTAKES.keys()
)
def test_mistake(call, kind, words, data):
    error = error_of(call, *data)
    assert isinstance(error, kind), repr(error)
    for word in words:
        assert word in str(error)
    assert len(str(error)) < 600
    assert "HistGradientBoosting" not in str(error)


# Warnings


def test_pixels_of_0_to_255_warn_without_rescale(data):
    X, y = (255 * data[0]).astype(np.uint8), data[1]
    with pytest.warns(UserWarning, match=r"from 0 to 255.*rescale=1 / 255") as caught:
        quick().fit(X, y)
    assert len(caught) == 1
    quick(rescale=1 / 255).fit(X, y)  # warnings are errors
    quick(batch_norm=True).fit(X, y)


# What is accepted


@pytest.mark.parametrize("sizes", [20, [20, 10], (20, 10), np.array([20, 10])], ids=str)
def test_hidden_layer_sizes_of_any_sequence(sizes, data):
    clf = quick(hidden_layer_sizes=sizes, solver="rmsprop").fit(*data)
    assert clf.n_layers_ in (3, 4)


def test_labels_as_strings(data):
    X, y = data
    assert quick().fit(X, y.astype(str)).predict(X[:1])[0] in "0123456789"


# What a session or a notebook shows


@pytest.fixture(scope="module")
def reading():
    return read_digits(page_of_ones())


def test_a_reading_is_short_and_iterates(reading):
    assert repr(reading) == "<PageReading: 2 digits, '11'>"
    assert str(reading) == reading.text
    assert len(reading) == len(list(reading)) == 2
    digit = list(reading)[1]
    assert str(digit) == "1"
    region = find_digits(page_of_ones())[1]
    for shown in (repr(digit), repr(region)):
        assert "box=(60, 150, 120, 158)" in shown
        assert len(shown) < 150


def test_crop_is_the_box_of_the_page(reading, tmp_path):
    page, digit = page_of_ones(), reading.digits[1]
    path = tmp_path / "page.png"
    PIL_Image.fromarray((255 * page).astype(np.uint8)).save(path)
    for image in (page, path):
        cropped = load_image(image)[60:120, 150:158]
        np.testing.assert_array_equal(digit.crop(image), cropped)
    with pytest.raises(ImageError, match="Pass the image that was read"):
        digit.crop(page[:, :150])


@pytest.mark.parametrize("orientation", [0, 90])
def test_html_of_a_reading_shows_the_page_with_its_boxes(orientation):
    page = np.kron(page_of_ones(), np.ones((4, 4)))
    page = np.rot90(page, orientation // 90)  # counter-clockwise
    reading = read_digits(page.astype(np.float32), orientation=orientation)
    shown = reading._repr_html_()
    assert f'viewBox="0 0 {page.shape[1]} {page.shape[0]}"' in shown
    assert shown.count("<polygon") == shown.count(">1</text>") == 2
    top, left, bottom, right = reading.digits[0].box
    points = f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}"
    assert points in shown
    content = base64.b64decode(shown.split("base64,")[1].partition('"')[0])
    assert max(PIL_Image.open(io.BytesIO(content)).size) <= 800
    assert len(shown) < 50_000


def test_html_without_pillow_is_left_to_the_text(reading, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert reading._repr_html_() is None


def test_progress_bar_in_a_notebook_does_not_warn(data, monkeypatch, capfd):
    # As tqdm sees it: Jupyter runs, without ipywidgets.
    for module in ("tqdm.auto", "tqdm.autonotebook", "tqdm.notebook"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    jupyter = SimpleNamespace(get_ipython=lambda: None)
    monkeypatch.setitem(sys.modules, "IPython", jupyter)
    monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", jupyter)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with warnings.catch_warnings(record=True) as caught:  # tqdm would catch errors
        warnings.simplefilter("always")
        quick(verbose=1).fit(*data)
    assert not caught
    assert "DigitMLPClassifier: 100%" in capfd.readouterr().err
