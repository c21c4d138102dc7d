"""Distorted images: what each parameter does, and how training uses them."""

import joblib
import numpy as np
import pytest
import skops.io
import tensorflow as tf
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import check_random_state

from skdigits import DigitMLPClassifier
from skdigits.augmentation._random_distortion import RandomDistortion
from skdigits.augmentation._warp import Distortion, distort

SIDE = 41
CENTRE = (SIDE - 1) / 2
Y, X = np.mgrid[:SIDE, :SIDE] - CENTRE

OFF = {"rotation": 0, "shear": 0, "scale": 0, "translation": 0, "elastic_std": 0}


def only(**strengths):
    return RandomDistortion(**{**OFF, **strengths})


def moments(images):
    """Mass, centroid (y, x) and central second moments (yy, xy, xx) of each image."""
    images = images.reshape(-1, SIDE, SIDE)
    mass = images.sum(axis=(1, 2))
    y, x = ((images * a).sum(axis=(1, 2)) / mass for a in (Y, X))
    dy, dx = Y - y[:, None, None], X - x[:, None, None]
    second = [
        (images * a * b).sum(axis=(1, 2)) / mass
        for a, b in [(dy, dy), (dx, dy), (dx, dx)]
    ]
    return mass, np.stack([y, x]), np.stack(second)


def blob(std_y=4.0, std_x=4.0, at=(0, 0)):
    """A smooth spot, whose moments interpolation hardly changes."""
    y, x = (Y - at[0]) / std_y, (X - at[1]) / std_x
    return np.exp(-(y**2 + x**2) / 2).reshape(1, -1)


def displacements(distortion, n, shape=(SIDE, SIDE), margin=8):
    """Displacements along y and x inside of an image, read off ramps of grey."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    # Both ramps are distorted in the same way: each is distorted first in its call.
    fields = [
        distortion.sample(ramp.reshape(1, -1), n, random_state=0).reshape(-1, *shape)
        - ramp
        for ramp in (y, x)
    ]
    inner = slice(margin, -margin)
    return [field[:, inner, inner] for field in fields]


# The images


def test_no_strength_leaves_images_as_they_are():
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (5, 784))
    distorted = only().sample(images, random_state=0)
    np.testing.assert_allclose(distorted, images, rtol=0, atol=1e-6)


def test_shift_moves_the_centroid():
    _, centroid, second = moments(only(translation=5).sample(blob(), 500, 0))
    assert abs(centroid).max() == pytest.approx(5, abs=0.05)
    # Uniform on both axes, independently, and nothing else.
    np.testing.assert_allclose(centroid.std(axis=1), 5 / np.sqrt(3), rtol=0.1)
    np.testing.assert_allclose(centroid.mean(axis=1), 0, atol=0.5)
    assert abs(np.corrcoef(centroid)[0, 1]) < 0.2
    np.testing.assert_allclose(second[[0, 2]], 16, rtol=0.05)


def test_rotation_turns_about_the_centre():
    long = blob(std_y=2, std_x=6)
    _, centroid, (yy, xy, xx) = moments(only(rotation=30).sample(long, 500, 0))
    angle = np.rad2deg(np.arctan2(2 * xy, xx - yy) / 2)
    assert abs(angle).max() == pytest.approx(30, abs=0.5)
    assert angle.std() == pytest.approx(30 / np.sqrt(3), rel=0.1)
    assert abs(angle.mean()) < 2
    np.testing.assert_allclose(centroid, 0, atol=0.01)
    np.testing.assert_allclose(yy + xx, 40, rtol=0.02)


def test_rotation_by_half_a_turn():
    image = np.zeros((5, 5))
    image[0, 1] = 1
    upside_down = only(rotation=180).sample(image.reshape(1, -1), 2000, 0)
    nearest = upside_down[upside_down[:, 23].argmax()].reshape(5, 5)
    np.testing.assert_allclose(nearest, image[::-1, ::-1], atol=0.05)


def test_scale_changes_height_and_width():
    mass, centroid, (yy, xy, xx) = moments(only(scale=0.25).sample(blob(), 500, 0))
    factors = np.sqrt(np.stack([yy, xx]) / 16)
    assert factors.min() == pytest.approx(0.75, abs=0.01)
    assert factors.max() == pytest.approx(1.25, abs=0.01)
    np.testing.assert_allclose(factors.std(axis=1), 0.25 / np.sqrt(3), rtol=0.1)
    assert abs(np.corrcoef(factors)[0, 1]) < 0.2
    np.testing.assert_allclose(mass / blob().sum(), factors.prod(axis=0), rtol=0.01)
    np.testing.assert_allclose(centroid, 0, atol=0.01)
    np.testing.assert_allclose(xy, 0, atol=0.05)


def test_shear_slants_to_both_sides():
    _, centroid, (yy, xy, xx) = moments(only(shear=0.5).sample(blob(), 500, 0))
    slant = xy / yy
    assert slant.min() == pytest.approx(-0.5, abs=0.01)
    assert slant.max() == pytest.approx(0.5, abs=0.01)
    assert slant.std() == pytest.approx(0.5 / np.sqrt(3), rel=0.1)
    np.testing.assert_allclose(yy, 16, rtol=0.02)
    np.testing.assert_allclose(xx, 16 * (1 + slant**2), rtol=0.02)
    np.testing.assert_allclose(centroid, 0, atol=0.01)


def test_elastic_displacements_are_as_documented():
    std, sigma = 0.8, 5.0
    dy, dx = displacements(only(elastic_std=std, elastic_sigma=sigma), 3000, (29, 29))
    for field in (dy, dx):
        # Everywhere alike: the same at each pixel, over many images.
        np.testing.assert_allclose(field.std(axis=0), std, rtol=0.1)
        np.testing.assert_allclose(field.mean(axis=0), 0, atol=0.08)
        for distance in (1, 3, 6, 10):
            expected = np.exp(-(distance**2) / (4 * sigma**2))
            for a, b in [
                (field[:, distance:], field[:, :-distance]),
                (field[:, :, distance:], field[:, :, :-distance]),
            ]:
                assert (a * b).mean() / std**2 == pytest.approx(expected, abs=0.06)
        # Normal: the shares within one, two and three standard deviations.
        within = [np.mean(abs(field[:, 6, 6]) < k * std) for k in (1, 2, 3)]
        np.testing.assert_allclose(within, [0.683, 0.954, 0.997], atol=0.03)
    # Along y and along x independently, unlike Keras's RandomElasticTransform.
    assert abs(np.corrcoef(dy[:, 6, 6], dx[:, 6, 6])[0, 1]) < 0.06


def test_pixels_from_outside_are_zero():
    white = np.ones((1, 28 * 28))
    moved = only(translation=6).sample(white, 200, 0).reshape(-1, 28, 28)
    assert moved.min() == 0
    assert moved.max() == pytest.approx(1)
    far = only(translation=1000).sample(white, 200, 0)
    assert (far == 0).all(axis=1).mean() > 0.9


def test_images_keep_their_sharpness():
    # Bilinear interpolation alone takes a tenth and more from a stroke this thin.
    stroke = blob(std_y=1.5, std_x=8)
    sharp = only(translation=1.5).sample(stroke, 500, 0).max(axis=1)
    assert sharp.mean() > 0.97
    assert sharp.max() <= stroke.max()


def test_images_keep_their_range():
    rng = np.random.default_rng(0)
    images = rng.choice([0, 255], size=(5, 784)).astype(np.float32)
    distorted = RandomDistortion().sample(images, 20, random_state=0)
    assert distorted.min() == 0
    assert distorted.max() == 255


def test_images_need_not_be_square():
    image = np.zeros((12, 30))
    image[3:9, 8:22] = 1
    rows = image.reshape(1, -1)
    distorted = only(image_shape=(12, 30), translation=3).sample(rows, 300, 0)
    images = distorted.reshape(-1, 12, 30)
    y = (images.sum(axis=2) * np.arange(12)).sum(axis=1) / images.sum(axis=(1, 2))
    x = (images.sum(axis=1) * np.arange(30)).sum(axis=1) / images.sum(axis=(1, 2))
    assert abs(y - 5.5).max() == pytest.approx(3, abs=0.1)
    assert abs(x - 14.5).max() == pytest.approx(3, abs=0.1)
    dy, dx = displacements(
        only(image_shape=(20, 30), elastic_std=0.5, elastic_sigma=4), 2000, (20, 30)
    )
    for field in (dy, dx):
        np.testing.assert_allclose(field.std(axis=0), 0.5, rtol=0.1)


def test_sample_returns_the_copies_of_each_image_together(digits):
    images = digits[0][:7]
    distorted = only(rotation=10, translation=0.3).sample(images, 3, 0)
    assert distorted.shape == (21, 64)
    distances = np.linalg.norm(distorted[:, None] - images, axis=2)
    np.testing.assert_array_equal(distances.argmin(axis=1), np.repeat(np.arange(7), 3))
    assert len(np.unique(distorted, axis=0)) == 21


def test_sample_repeats_with_its_random_state(digits):
    images, distortion = digits[0], RandomDistortion()
    first = distortion.sample(images, 2, 7)
    np.testing.assert_array_equal(distortion.sample(images, 2, 7), first)
    assert not np.array_equal(distortion.sample(images, 2, 8), first)
    state = np.random.RandomState(7)
    np.testing.assert_array_equal(distortion.sample(images, 2, state), first)
    assert not np.array_equal(distortion.sample(images, 2, state), first)


def test_sample_without_random_state_differs(digits):
    shared = check_random_state(None)
    state = shared.get_state()
    first, second = (RandomDistortion().sample(digits[0]) for _ in range(2))
    shared.set_state(state)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("uint8", "float32"), ("float32", "float32"), ("float64", "float64")],
)
def test_sample_takes_any_dtype_and_leaves_its_input(dtype, expected):
    images = np.arange(2 * 64).reshape(2, 64).astype(dtype)
    images.flags.writeable = False
    distorted = RandomDistortion().sample(images, random_state=0)
    assert distorted.dtype == expected
    assert distorted.min() >= 0
    assert distorted.max() <= images.max() + 1e-3


def test_compiled_form_agrees_with_numpy():
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(8, 12 * 12))
    distortion = Distortion(RandomDistortion(), 12 * 12, np.float64)
    coefficients = distortion.coefficients(8, rng)
    terms = distortion.terms
    expected = distort(np, images, coefficients, terms, (12, 12))
    assert abs(expected - images).max() > 0.5
    for compiled in (False, True):
        function = tf.function(
            lambda images, coefficients: distort(
                tf, images, coefficients, terms, (12, 12)
            ),
            jit_compile=compiled,
        )
        made = function(tf.constant(images), tf.constant(coefficients)).numpy()
        np.testing.assert_allclose(made, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_strongest_distortions_give_finite_images(digits, dtype):
    strongest = RandomDistortion(180, 10, 0.999, 1000, 0.5, 1000)
    distorted = strongest.sample(digits[0].astype(dtype), 5, random_state=0)
    assert distorted.min() >= 0
    assert distorted.max() <= 1
    clf = classifier(augment=strongest, max_iter=2).fit(*digits)
    assert np.isfinite(clf.loss_curve_).all()


# Parameters


def test_get_params_set_params_and_clone():
    distortion = RandomDistortion(rotation=5)
    assert distortion.get_params()["rotation"] == 5
    assert clone(distortion).set_params(shear=0.1).get_params() == {
        **distortion.get_params(),
        "shear": 0.1,
    }
    clf = DigitMLPClassifier(augment=RandomDistortion(), random_state=0)
    clf.set_params(augment__rotation=3)
    assert clf.augment.rotation == 3
    assert clf.get_params()["augment__shear"] == 0.2
    copied = clone(clf)
    assert copied.augment is not clf.augment
    assert copied.augment.rotation == 3
    assert "RandomDistortion" in repr(clf)
    assert "RandomDistortion" in clf._repr_html_()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rotation", 181),
        ("shear", np.inf),
        ("scale", 1.0),
        ("translation", np.nan),
        ("elastic_sigma", 0.4),
        ("elastic_std", "1"),
        ("final_strength", 1.1),
    ],
)
def test_parameters_out_of_range_are_refused(digits, name, value):
    distortion = RandomDistortion(**{name: value})
    message = f"The '{name}' parameter of RandomDistortion must be"
    with pytest.raises(ValueError, match=message):
        distortion.sample(digits[0])
    clf = DigitMLPClassifier(augment=distortion, random_state=0)
    with pytest.raises(ValueError, match=message):
        clf.fit(*digits)
    assert not hasattr(clf, "coefs_")


@pytest.mark.parametrize("n", [0, 1.5])
def test_sample_n_must_be_positive(digits, n):
    with pytest.raises(
        ValueError, match=r"The 'n' parameter of RandomDistortion\.sample"
    ):
        RandomDistortion().sample(digits[0], n)


@pytest.mark.parametrize(
    "shape",
    [
        *((8, 9), (64,), (4, 4, 4), (-8, -8), (-1, -1), (9, -1), (0, -1)),
        *((8.0, 8.0), 64, "8x8"),
    ],
)
def test_image_shape_that_does_not_match_is_refused(digits, shape):
    distortion = RandomDistortion(image_shape=shape)
    with pytest.raises(ValueError, match="image_shape"):
        distortion.sample(digits[0])
    clf = DigitMLPClassifier(augment=distortion, random_state=0)
    with pytest.raises(ValueError, match="image_shape"):
        clf.fit(*digits)


def test_images_that_are_not_square_need_image_shape(digits):
    X, y = digits[0][:, :60], digits[1]
    clf = classifier(augment=RandomDistortion(), max_iter=2)
    with pytest.raises(ValueError, match="Got 60 features, which is not a square"):
        clf.fit(X, y)
    with pytest.raises(ValueError, match=r"Pass image_shape=\(height, width\)"):
        RandomDistortion().sample(X, random_state=0)
    clf.set_params(augment__image_shape=np.array([10, 6])).fit(X, y)


@pytest.mark.parametrize("shape", [(6, -1), (-1, 10)])
def test_image_shape_of_minus_1_is_inferred(digits, shape):
    X = digits[0][:, :60]
    whole, rest = (
        RandomDistortion(image_shape=either).sample(X, random_state=0)
        for either in [(6, 10), shape]
    )
    np.testing.assert_array_equal(rest, whole)


@pytest.mark.parametrize("augment", [RandomDistortion, "distort", True, MinMaxScaler()])
def test_augment_must_be_a_random_distortion(digits, augment):
    clf = DigitMLPClassifier(augment=augment, random_state=0)
    with pytest.raises(ValueError, match="The 'augment' parameter"):
        clf.fit(*digits)


# Training

GENTLE = {"rotation": 10, "translation": 0.5, "elastic_sigma": 2, "elastic_std": 0.3}


def classifier(**params):
    return DigitMLPClassifier(
        **{
            "augment": RandomDistortion(**GENTLE),
            "max_iter": 4,
            "random_state": 0,
            **params,
        }
    )


def standing_still(**params):
    """A classifier whose loss changes with the images alone."""
    return classifier(learning_rate_init=1e-12, shuffle=False, **params)


def test_every_epoch_is_distorted_differently(digits):
    losses = standing_still(max_iter=5).fit(*digits).loss_curve_
    assert len(np.unique(np.round(losses, 6))) == 5
    unchanging = standing_still(max_iter=5, augment=None).fit(*digits).loss_curve_
    assert np.ptp(unchanging) < 1e-6


def test_every_image_of_a_batch_is_distorted_differently(digits):
    # Forty times the same image, in batches of 8. Only five of them count.
    X, y = np.repeat(digits[0][:1], 40, axis=0), np.arange(40) % 2
    losses = []
    for start in range(0, 40, 5):
        weight = np.zeros(40)
        weight[start : start + 5] = 1
        clf = standing_still(max_iter=1, batch_size=8)
        losses.append(clf.fit(X, y, weight).loss_)
    assert len(np.unique(np.round(losses, 6))) == len(losses)


def test_random_state_of_augment(digits):
    first, second, other = (
        classifier(random_state=seed).fit(*digits) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.coefs_[0], second.coefs_[0])
    assert not np.array_equal(first.coefs_[0], other.coefs_[0])


def test_augment_of_no_strength_trains_as_augment_none(digits):
    plain = classifier(augment=None).fit(*digits)
    distorted = classifier(augment=only()).fit(*digits)
    np.testing.assert_allclose(distorted.loss_curve_, plain.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(distorted.coefs_[0], plain.coefs_[0], atol=1e-5)


def test_augment_makes_predictions_robust_to_translation(digits):
    X, y = digits
    moved = only(translation=1.5).sample(X, 3, random_state=1)
    labels = np.repeat(y, 3)
    params = {"max_iter": 60, "hidden_layer_sizes": (60, 30)}
    plain = classifier(augment=None, **params).fit(X, y)
    trained = classifier(augment=only(translation=1.5, final_strength=1), **params).fit(
        X, y
    )
    assert trained.score(moved, labels) > plain.score(moved, labels) + 0.1


def test_strength_decays_to_final_strength_in_the_last_quarter(digits):
    # What an image of ones loses when it is shifted tells how far it was.
    X, y = np.ones_like(digits[0]), digits[1]
    augment = only(translation=4, final_strength=0)
    losses = standing_still(max_iter=40, augment=augment).fit(X, y).loss_curve_
    still = standing_still(max_iter=1, augment=None).fit(X, y).loss_
    away = abs(np.array(losses) - still)
    assert away[-1] == pytest.approx(0, abs=1e-5)
    assert away[:30].min() > 0.3 * away[:30].max()
    assert away[:30].mean() > away[30:35].mean() > away[35:39].mean() > 0
    assert away[35:].mean() < 0.4 * away[:30].mean()


def test_final_strength_of_1_keeps_the_strength(digits):
    X, y = np.ones_like(digits[0]), digits[1]
    augment = only(translation=4, final_strength=1)
    losses = standing_still(max_iter=40, augment=augment).fit(X, y).loss_curve_
    assert np.mean(losses[30:]) == pytest.approx(
        np.mean(losses[:30]), abs=np.ptp(losses)
    )
    still = standing_still(max_iter=1, augment=None).fit(X, y).loss_
    assert abs(losses[-1] - still) > 0.3 * abs(np.mean(losses[:30]) - still)


@pytest.mark.parametrize(
    "params",
    [
        {"batch_norm": True, "ema": 0.9, "label_smoothing": 0.1, "dropout": 0.2},
        {"solver": "sgd", "learning_rate": "flat_cosine", "alpha": 0.01},
        {"early_stopping": True, "class_weight": "balanced", "activation": "tanh"},
        {"max_iter": 90, "batch_size": 16},  # compiled
    ],
    ids=lambda params: " ".join(params),
)
def test_augment_with_other_parameters(digits, params):
    clf = classifier(**params).fit(*digits)
    again = classifier(**params).fit(*digits)
    np.testing.assert_array_equal(clf.coefs_[0], again.coefs_[0])
    assert np.isfinite(clf.predict_proba(digits[0])).all()


def test_augment_of_uint8_images_is_that_of_floats(digits):
    X = np.round(digits[0] * 16)
    params = {"rescale": 1 / 16, "dtype": "float32"}
    clf = classifier(**params).fit(X.astype(np.uint8), digits[1])
    as_float = classifier(**params).fit(X, digits[1])
    np.testing.assert_allclose(clf.coefs_[0], as_float.coefs_[0], atol=1e-6)


def test_augment_of_data_in_chunks():
    # 20 MB of float32 are not held on the device as a whole.
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(6500, 28 * 28)).astype(np.float32)
    y = rng.integers(10, size=6500)
    params = {"max_iter": 1, "batch_size": 500, "hidden_layer_sizes": (5, 5)}
    plain = standing_still(augment=only(), **params).fit(X, y).loss_
    without = standing_still(augment=None, **params).fit(X, y).loss_
    assert plain == pytest.approx(without, rel=1e-5)
    shift = only(translation=5)
    losses = [standing_still(augment=shift, **params).fit(X, y).loss_ for _ in range(2)]
    assert losses[0] == losses[1] != pytest.approx(plain, rel=1e-3)


def test_partial_fit_distorts_at_full_strength(digits):
    X, y = np.ones_like(digits[0]), digits[1]
    clf = standing_still(augment=only(translation=4, final_strength=0))
    losses = [clf.partial_fit(X, y, classes=np.arange(10)).loss_ for _ in range(5)]
    assert len(set(losses)) == 5
    still = standing_still(max_iter=1, augment=None).fit(X, y).loss_
    away = abs(np.array(losses) - still)
    assert away.min() > 0.3 * away.max()


def test_warm_start_continues_with_new_distortions(digits):
    clf = standing_still(
        max_iter=2, warm_start=True, augment=only(translation=1, final_strength=1)
    )
    losses = clf.fit(*digits).fit(*digits).loss_curve_
    whole = standing_still(
        max_iter=4, augment=only(translation=1, final_strength=1)
    ).fit(*digits)
    np.testing.assert_allclose(losses, whole.loss_curve_, rtol=1e-6)


def test_validation_data_are_not_distorted(digits):
    X, y = digits
    clf = standing_still(max_iter=3).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert np.ptp(clf.validation_loss_curve_) < 1e-6


def test_augment_in_pipeline_and_grid_search(digits):
    grid = {"digitmlpclassifier__augment__rotation": [0, 20]}
    search = GridSearchCV(make_pipeline(MinMaxScaler(), classifier()), grid, cv=2)
    search.fit(*digits)
    assert set(search.cv_results_["param_" + next(iter(grid))]) == {0, 20}
    scores = search.cv_results_["split0_test_score"]
    assert np.isfinite(scores).all()


def test_augment_is_saved_by_joblib_and_skops(digits, tmp_path):
    clf = classifier().fit(*digits)
    joblib.dump(clf, tmp_path / "clf.joblib")
    loaded = joblib.load(tmp_path / "clf.joblib")
    assert loaded.augment.get_params() == clf.augment.get_params()
    np.testing.assert_array_equal(loaded.predict(digits[0]), clf.predict(digits[0]))
    skops.io.dump(clf, tmp_path / "clf.skops")
    types = skops.io.get_untrusted_types(file=tmp_path / "clf.skops")
    assert set(types) == {
        "skdigits.DigitMLPClassifier",
        "skdigits.augmentation.RandomDistortion",
    }
    loaded = skops.io.load(tmp_path / "clf.skops", trusted=types)
    assert loaded.augment.get_params() == clf.augment.get_params()
