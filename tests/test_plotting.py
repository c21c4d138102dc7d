"""Tests for skdigits.plotting."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdigits import DigitMLPClassifier
from skdigits.images import read_digits
from skdigits.plotting import (
    DigitGridDisplay,
    DigitReadingDisplay,
    LossCurveDisplay,
)

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def plt():
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


def titles(display):
    return [text.get_text() for text in display.text_]


def drawn_images(display):
    """The pixels inside each frame, as they were handed to imshow."""
    mosaic = display.im_.get_array()
    images = []
    for frame in display.frame_:
        left, top = (round(c + 0.5) for c in frame.get_xy())
        height, width = round(frame.get_height()), round(frame.get_width())
        images.append(mosaic[top : top + height, left : left + width])
    return np.ma.filled(images, np.nan)


def test_import_is_light():
    code = (
        "import sys, skdigits.plotting; "
        "assert not {'matplotlib', 'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "draw",
    [DigitGridDisplay(np.eye(4)[None]).plot, LossCurveDisplay([1.0]).plot],
)
def test_error_without_matplotlib(monkeypatch, draw):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    match = r"Display\.plot requires matplotlib.*pip install matplotlib"
    with pytest.raises(ImportError, match=match):
        draw()


class TestDigitGridDisplay:
    def test_from_data(self, plt, digits):
        X, y = digits
        display = DigitGridDisplay.from_data(X, y)

        assert titles(display) == [str(label) for label in y[:40]]
        np.testing.assert_array_equal(display.images, X[:40].reshape(-1, 8, 8))
        np.testing.assert_array_equal(drawn_images(display), display.images)
        assert display.ax_.figure is display.figure_ is plt.gcf()

    def test_no_labels_no_titles(self, digits):
        display = DigitGridDisplay.from_data(digits[0], n_images=5)
        assert display.text_ == []
        assert len(display.frame_) == 5

    def test_images_are_told_from_the_paper_between_them(self, digits):
        mosaic = DigitGridDisplay.from_data(digits[0], n_images=7).im_.get_array()
        assert np.ma.count(mosaic) == 7 * 64

    @pytest.mark.parametrize("n_cols", [1, 3, 10])
    def test_n_cols(self, digits, n_cols):
        display = DigitGridDisplay.from_data(*digits, n_images=6, n_cols=n_cols)
        assert len({frame.get_x() for frame in display.frame_}) == min(n_cols, 6)
        assert len({frame.get_y() for frame in display.frame_}) == -(-6 // n_cols)

    def test_fewer_images_than_asked_for(self, digits):
        X, y = digits
        assert len(DigitGridDisplay.from_data(X[:3], y[:3]).images) == 3

    def test_from_data_marks_wrong_predictions(self, digits):
        X, y_true = digits[0][:4], [1, 2, 3, 4]
        display = DigitGridDisplay.from_data(X, y_true, [1, 7, 3, 4])

        assert titles(display) == ["1 → 1", "2 → 7", "3 → 3", "4 → 4"]
        right, wrong = display.text_[0], display.text_[1]
        assert wrong.get_weight() == "bold" != right.get_weight()
        assert wrong.get_color() != right.get_color()
        right, wrong = display.frame_[0], display.frame_[1]
        assert wrong.get_linewidth() > right.get_linewidth()
        assert wrong.get_edgecolor() != right.get_edgecolor()

    def test_from_estimator(self, digits):
        X, y = digits
        model = KNeighborsClassifier(1).fit(X[1000:], y[1000:])
        display = DigitGridDisplay.from_estimator(model, X[:900], y[:900], n_images=50)
        np.testing.assert_array_equal(display.y_pred, model.predict(X[:50]))
        np.testing.assert_array_equal(display.y_true, y[:50])

    def test_from_estimator_predicts_only_the_images_drawn(self, digits):
        class Recorder(DummyClassifier):
            def predict(self, X):
                self.seen = X
                return super().predict(X)

        X, y = pd.DataFrame(digits[0]), digits[1]
        model = Recorder().fit(X, y)
        DigitGridDisplay.from_estimator(model, X, y, n_images=3)
        pd.testing.assert_frame_equal(model.seen, X[:3])

    def test_from_estimator_with_our_own_classifier(self, digits):
        X, y = digits
        model = DigitMLPClassifier(max_iter=2, random_state=0).fit(X, y)
        display = DigitGridDisplay.from_estimator(model, X, y)
        np.testing.assert_array_equal(display.y_pred, model.predict(X[:40]))

    def test_from_estimator_not_fitted(self, digits):
        with pytest.raises(NotFittedError, match="not fitted"):
            DigitGridDisplay.from_estimator(KNeighborsClassifier(), *digits)

    def test_shuffle(self, digits):
        X, y = digits
        kw = {"shuffle": True, "n_images": 30}
        first = DigitGridDisplay.from_data(X, y, random_state=0, **kw)
        again = DigitGridDisplay.from_data(X, y, random_state=0, **kw)
        other = DigitGridDisplay.from_data(X, y, random_state=1, **kw)

        np.testing.assert_array_equal(first.images, again.images)
        assert not np.array_equal(first.images, other.images)
        # Image and label stay together, and no image comes twice.
        rows = [np.flatnonzero((X == image.ravel()).all(1)) for image in first.images]
        np.testing.assert_array_equal(y[[row[0] for row in rows]], first.y_true)
        assert len({row[0] for row in rows}) == 30

    @pytest.mark.parametrize(
        "convert",
        [
            np.asarray,
            lambda X: X.astype(np.uint8),
            lambda X: X.astype(np.float32),
            lambda X: X.astype(object),
            lambda X: X.reshape(-1, 8, 8),
            np.ndarray.tolist,
            pd.DataFrame,
            lambda X: pd.DataFrame(X.astype(int)).convert_dtypes(),
            pl.DataFrame,
            sp.csr_matrix,
            sp.csr_array,
            sp.coo_matrix,
            sp.csc_array,
        ],
    )
    @pytest.mark.parametrize("shuffle", [False, True])
    def test_containers(self, digits, convert, shuffle):
        X, y = digits
        kw = {"shuffle": shuffle, "random_state": 0, "n_images": 12}
        expected = DigitGridDisplay.from_data(X[:50], y[:50], **kw)
        display = DigitGridDisplay.from_data(convert(X[:50]), y[:50], **kw)
        np.testing.assert_array_equal(display.images, expected.images)
        np.testing.assert_array_equal(drawn_images(display), expected.images)

    def test_bool_pixels(self, digits):
        X = digits[0] > 8
        display = DigitGridDisplay.from_data(X)
        np.testing.assert_array_equal(drawn_images(display), X[:40].reshape(-1, 8, 8))
        display.figure_.canvas.draw()

    @pytest.mark.parametrize("container", [list, pd.Series, pl.Series, np.array])
    def test_string_labels(self, digits, container):
        X, y = digits[0][:3], container(["zero", "$1$", "two"])
        display = DigitGridDisplay.from_data(X, y, container(["zero"] * 3))
        assert titles(display) == ["zero → zero", "$1$ → zero", "two → zero"]
        assert [text.get_weight() == "bold" for text in display.text_] == [0, 1, 1]
        display.figure_.canvas.draw()

    def test_labels_as_a_column_of_floats(self, digits):
        y = digits[1].astype(float)[:, None]
        display = DigitGridDisplay.from_data(digits[0], y, n_images=3)
        assert titles(display) == ["0", "1", "2"]

    def test_order(self):
        image = np.arange(6).reshape(2, 3)
        for order in ("C", "F"):
            X = image.ravel(order=order)[None]
            display = DigitGridDisplay.from_data(X, image_shape=(2, 3), order=order)
            np.testing.assert_array_equal(drawn_images(display), image[None])

    @pytest.mark.parametrize("n_samples", [10**6, 10**9])
    @pytest.mark.parametrize("shuffle", [False, True])
    def test_huge_data(self, n_samples, shuffle):
        if n_samples == 10**6:
            X = sp.csr_array((n_samples, 400), dtype=np.uint8)
        else:
            X = np.broadcast_to(np.zeros(400, np.uint8), (n_samples, 400))
        y = np.broadcast_to(3, n_samples)
        display = DigitGridDisplay.from_data(X, y, shuffle=shuffle, random_state=0)
        assert display.images.shape == (40, 20, 20)

    def test_one_grey_scale_for_all_images(self, digits):
        X = digits[0][:3] * [[1], [2], [0]]
        display = DigitGridDisplay.from_data(X)
        assert display.im_.get_clim() == (0, X.max())
        assert display.im_.get_cmap().name == "gray_r"

    def test_keywords_reach_matplotlib(self, digits):
        display = DigitGridDisplay.from_data(
            *digits,
            im_kw={"cmap": "viridis", "vmax": 32},
            text_kw={"size": 4, "c": "red"},
        )
        assert display.im_.get_cmap().name == "viridis"
        assert display.im_.get_clim() == (0, 32)
        assert display.text_[0].get_fontsize() == 4
        assert display.text_[0].get_color() == "red"

    def test_given_axes(self, plt, digits):
        _, ax = plt.subplots()
        display = DigitGridDisplay.from_data(*digits, ax=ax)
        assert display.ax_ is ax
        assert len(plt.get_fignums()) == 1

    @pytest.mark.parametrize("labels", ["0123456789", ["forty-two", "seven hundred"]])
    @pytest.mark.parametrize("size", [None, (3, 3)])
    def test_titles_do_not_overlap(self, plt, digits, labels, size):
        ax = None if size is None else plt.subplots(figsize=size)[1]
        y = np.resize(list(labels), 30)
        display = DigitGridDisplay.from_data(
            digits[0][:30], y, np.resize(list(labels)[::-1], 30), ax=ax
        )
        display.figure_.canvas.draw()
        texts = [text.get_window_extent() for text in display.text_]
        frames = [frame.get_window_extent() for frame in display.frame_]
        for k in range(29):
            if k % 10 != 9:
                assert texts[k].x1 < texts[k + 1].x0
        for text in texts:
            assert not any(text.overlaps(frame) for frame in frames)

    def test_nothing_is_cut_off(self, digits):
        display = DigitGridDisplay.from_data(*digits)
        display.figure_.canvas.draw()
        figure = display.figure_.bbox
        for artist in [*display.text_, *display.frame_]:
            box = artist.get_window_extent()
            assert figure.containsx(box.x0)
            assert figure.containsx(box.x1)
            assert figure.containsy(box.y0)
            assert figure.containsy(box.y1)

    @pytest.mark.parametrize(
        ("X", "kw", "match"),
        [
            (np.ones((3, 10)), {}, r"Got 10 features.* Pass image_shape="),
            (
                np.ones((3, 12)),
                {"image_shape": (3, 5)},
                r"of 12.* Got \(3, 5\) instead",
            ),
            (np.ones((3, 12)), {"image_shape": (12,)}, r"of 12.* Got \(12,\) instead"),
            (np.ones((3, 4, 6)), {"image_shape": (3, 8)}, r"4, 6\)\. Got \(3, 8\) ins"),
            (np.ones((3, 4)), {"order": "K"}, "`order` must be 'C' or 'F'. Got 'K'"),
            (np.ones(4), {}, "Got an array of 1 dimension"),
            (np.ones((3, 4, 4, 1)), {}, "Got an array of 4 dimension"),
            (np.ones((0, 4)), {}, r"Found array with 0 sample\(s\)"),
            (np.full((3, 4), np.nan), {}, "Input X contains NaN"),
            (np.full((3, 4), np.inf), {}, "Input X contains infinity"),
            (np.full((3, 4), "a"), {}, "not compatible with arrays of bytes/strings"),
            (np.ones((3, 4)), {"n_images": 0}, "n_images == 0, must be >= 1"),
            (np.ones((3, 4)), {"n_cols": 0}, "n_cols == 0, must be >= 1"),
        ],
    )
    def test_bad_values(self, X, kw, match):
        with pytest.raises(ValueError, match=match):
            DigitGridDisplay.from_data(X, **kw)

    def test_bad_type(self):
        with pytest.raises(TypeError, match="n_images must be an instance of int"):
            DigitGridDisplay.from_data(np.ones((3, 4)), n_images=2.5)

    def test_lengths_differ(self):
        X = np.ones((3, 4))
        with pytest.raises(ValueError, match=r"numbers of samples: \[3, 2\]"):
            DigitGridDisplay.from_data(X, [1, 2])
        with pytest.raises(ValueError, match=r"numbers of samples: \[3, 3, 4\]"):
            DigitGridDisplay.from_data(X, [1, 2, 3], [1, 2, 3, 4])
        with pytest.raises(ValueError, match=r"numbers of samples: \[3, 2\]"):
            DigitGridDisplay.from_estimator(DummyClassifier(), X, [1, 2])


class Trained(BaseEstimator):
    """A network of which only the record of its training is left."""

    def __init__(self, loss=None, val_loss=None, val_scores=None, best_epoch=None):
        self.loss = loss
        self.val_loss = val_loss
        self.val_scores = val_scores
        self.best_epoch = best_epoch

    def fit(self, X=None, y=None):
        self.loss_curve_ = self.loss
        self.validation_loss_curve_ = self.val_loss
        self.validation_scores_ = self.val_scores
        self.best_epoch_ = self.best_epoch
        return self

    def score(self, X, y):
        return 0.0


LOSS, VAL_LOSS, VAL_SCORES = [3.0, 2.0, 1.0], [3.5, 2.5, 2.7], [0.2, 0.8, 0.7]


class TestLossCurveDisplay:
    def test_training_only(self, plt):
        display = LossCurveDisplay.from_estimator(Trained(LOSS, best_epoch=3).fit())

        (line,) = display.lines_
        np.testing.assert_array_equal(line.get_xydata(), [[1, 3], [2, 2], [3, 1]])
        assert display.ax_.get_xlabel() == "Epoch"
        assert display.ax_.get_ylabel() == "Loss (cross-entropy)"
        assert display.score_ax_ is None
        assert display.best_epoch_line_ is None
        assert display.ax_.figure is display.figure_ is plt.gcf()

    def test_with_validation(self):
        model = Trained(LOSS, VAL_LOSS, VAL_SCORES, best_epoch=2).fit()
        display = LossCurveDisplay.from_estimator(model)

        curves = {line.get_label(): line for line in display.lines_}
        assert list(curves) == ["Training loss", "Validation loss", "Validation score"]
        np.testing.assert_array_equal(curves["Validation loss"].get_ydata(), VAL_LOSS)
        scores = curves["Validation score"]
        np.testing.assert_array_equal(scores.get_ydata(), VAL_SCORES)
        assert scores.axes is display.score_ax_ is not display.ax_
        assert display.score_ax_.get_ylabel() == "Validation score"
        np.testing.assert_array_equal(display.best_epoch_line_.get_xdata(), [2, 2])
        legend = [t.get_text() for t in display.score_ax_.get_legend().get_texts()]
        assert legend == [*curves, "Best epoch (2)"]
        # Told apart in colour and in black and white.
        assert len({line.get_color() for line in display.lines_}) == 3
        assert len({line.get_linestyle() for line in display.lines_}) == 3

    def test_validation_loss_without_scores(self):
        display = LossCurveDisplay.from_estimator(Trained(LOSS, VAL_LOSS).fit())
        assert len(display.lines_) == 2
        assert display.score_ax_ is None
        assert display.best_epoch_line_ is None

    @pytest.mark.parametrize("n_epochs", [1, 3, 100])
    def test_epochs_are_whole_numbers(self, n_epochs):
        display = LossCurveDisplay(np.ones(n_epochs)).plot()
        display.figure_.canvas.draw()
        ticks = display.ax_.get_xticks()
        assert len(ticks)
        np.testing.assert_array_equal(ticks, ticks.round())

    def test_a_single_epoch_can_be_seen(self):
        assert LossCurveDisplay([1.0]).plot().lines_[0].get_marker() == "o"

    def test_given_axes_and_keywords(self, plt):
        _, ax = plt.subplots()
        display = LossCurveDisplay(LOSS, validation_loss_curve=VAL_LOSS)
        assert display.plot(ax=ax, line_kw={"lw": 4, "c": "k"}) is display
        assert display.ax_ is ax
        assert [line.get_linewidth() for line in display.lines_] == [4, 4]
        assert [line.get_color() for line in display.lines_] == ["k", "k"]

    def test_pipeline_and_search(self):
        pipeline = make_pipeline(MinMaxScaler(), Trained())
        X, y = np.ones((6, 1)), [0, 1] * 3
        grid = {"trained__loss": [LOSS]}
        search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
        for model in (search, search.best_estimator_, make_pipeline(search)):
            (line,) = LossCurveDisplay.from_estimator(model).lines_
            np.testing.assert_array_equal(line.get_ydata(), LOSS)

    def test_our_own_classifier(self, digits):
        model = DigitMLPClassifier(max_iter=3, early_stopping=True, random_state=0)
        display = LossCurveDisplay.from_estimator(model.fit(*digits))
        curves = [line.get_ydata() for line in display.lines_]
        np.testing.assert_array_equal(
            curves,
            [model.loss_curve_, model.validation_loss_curve_, model.validation_scores_],
        )
        assert display.best_epoch_line_.get_xdata()[0] == model.best_epoch_

    @pytest.mark.parametrize(
        "model",
        [
            Trained(),
            make_pipeline(MinMaxScaler(), Trained()),
            GridSearchCV(Trained(), {}),
        ],
    )
    def test_not_fitted(self, model):
        with pytest.raises(NotFittedError, match="not fitted"):
            LossCurveDisplay.from_estimator(model)

    def test_nothing_to_draw(self):
        model = DummyClassifier().fit([[0]], [0])
        match = "`loss_curve_`, such as DigitMLPClassifier. Got DummyClassifier instead"
        with pytest.raises(TypeError, match=match):
            LossCurveDisplay.from_estimator(model)


# Pages that were read


@pytest.fixture(scope="module")
def page():
    """A page with two rows of ones."""
    page = np.ones((200, 300))
    for top, left in [(20, 50), (20, 150), (120, 50)]:
        page[top : top + 60, left : left + 8] = 0.1
    return page


def test_reading_display_shows_page_boxes_and_digits(page):
    display = DigitReadingDisplay.from_image(page)
    assert display.reading.rows == ["11", "1"]
    np.testing.assert_allclose(display.im_.get_array(), page, atol=1e-6)
    boxes = [
        (box.get_y() + 0.5, box.get_x() + 0.5, box.get_height(), box.get_width())
        for box in display.box_
    ]
    assert boxes == [(20, 50, 60, 8), (20, 150, 60, 8), (120, 50, 60, 8)]
    assert titles(display) == ["1", "1", "1"]
    digits = display.reading.digits
    assert min(digit.confidence for digit in digits) > 0.995
    assert titles(display.digits_) == ["1 >99%"] * 3
    for drawn, digit in zip(drawn_images(display.digits_), digits, strict=True):
        np.testing.assert_array_equal(drawn, digit.image)


def test_reading_display_marks_unsure_digits(page):
    display = DigitReadingDisplay.from_image(page, min_confidence=1.0)
    sure = DigitReadingDisplay.from_image(page)
    assert titles(display) == ["1?", "1?", "1?"]
    assert display.box_[0].get_linestyle() != sure.box_[0].get_linestyle()
    assert display.box_[0].get_edgecolor() != sure.box_[0].get_edgecolor()
    assert display.digits_.text_[0].get_color() != sure.digits_.text_[0].get_color()


def test_reading_display_of_an_empty_page():
    display = DigitReadingDisplay.from_image(np.ones((40, 60)))
    assert display.box_ == display.text_ == []
    assert display.digits_ is None
    display.figure_.canvas.draw()


def test_reading_display_on_given_axes(page, plt):
    _, axes = plt.subplots(ncols=2)
    reading = read_digits(page)
    display = DigitReadingDisplay(page, reading).plot(
        axes=axes, im_kw={"cmap": "bone"}, text_kw={"size": 20}
    )
    assert list(display.axes_) == list(axes)
    assert display.figure_ is axes[0].figure
    assert display.im_.get_cmap().name == "bone"
    assert display.text_[0].get_fontsize() == 20
    assert display.image is page
    assert display.reading is reading
