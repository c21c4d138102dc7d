"""Images that are not digits, for which the network should be unsure.

Letters and signs, scribbles, digits that are rotated, mirrored, inverted or
overlapping, noise, and paper without ink.
"""

from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from skimage.morphology import skeletonize

from pretraining.camera import normalized_photograph
from pretraining.pens import centre_line, ink_of

# Letters that do not look like digits: without O, l, S, Z, B, g, q and so on.
LETTERS = "ACEFHKLMNPRUVWXacdefhkmnpuvwxÄΔΣΩΨΠΞλπωψжшюфщ#&@%?*+=<>~{}[]$€^§¿±"

# Height and width of the canvas in pixels.
_SIZE = 160


@lru_cache(maxsize=1)
def fonts():
    """Paths of the typefaces of Matplotlib with these letters."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return sorted(
        str(path) for path in folder.glob("DejaVu*.ttf") if "Display" not in path.name
    )


def printed(character, rng):
    """Draw a character of a random typeface, slightly distorted as if by hand.

    Parameters
    ----------
    character : str
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32 of shape (height, width)
        From 0 for paper to 1 for ink.
    """
    font = ImageFont.truetype(rng.choice(fonts()), 90)
    canvas = Image.new("L", (_SIZE, _SIZE))
    ImageDraw.Draw(canvas).text(
        (_SIZE // 2, _SIZE // 2), character, fill=255, font=font, anchor="mm"
    )
    ink = np.asarray(canvas, dtype=np.float32) / 255
    if rng.random() < 0.6:
        radius = np.exp(rng.uniform(np.log(0.8), np.log(8)))
        ink = ink_of(skeletonize(ink > 0.5), radius)
    return _bent(ink, rng)


def _bent(ink, rng):
    """Rotate, shear and bend ink at random about its centre."""
    ink = np.pad(ink, 30)
    middle = np.array(ink.shape)[:, None, None] / 2
    from_middle = np.indices(ink.shape, dtype=np.float32) - middle
    matrix = np.eye(2) + rng.normal(0, 0.12, (2, 2))
    places = np.tensordot(matrix, from_middle, 1) + middle
    bend, sigma = rng.uniform(0, 5), 25
    for axis in range(2):
        waves = ndimage.gaussian_filter(rng.normal(0, 1, ink.shape), sigma)
        # The filter reduces the standard deviation to 1 / (2 sqrt(pi) sigma).
        places[axis] += bend * waves * 2 * np.sqrt(np.pi) * sigma
    return ndimage.map_coordinates(ink, places, order=1)


def _letter(X, y, rng):
    return normalized_photograph(printed(rng.choice(list(LETTERS)), rng), rng)


def _scribble(X, y, rng):
    """Two to five random strokes."""
    path = np.zeros((_SIZE, _SIZE), dtype=bool)
    for _ in range(rng.integers(2, 6)):
        corners = rng.uniform(20, _SIZE - 20, (rng.integers(3, 6), 2))
        # A Bezier curve, by repeated interpolation (de Casteljau).
        t = np.linspace(0, 1, 600)[:, None, None]
        points = np.broadcast_to(corners, (600, *corners.shape))
        while points.shape[1] > 1:
            points = (1 - t) * points[:, :-1] + t * points[:, 1:]
        rows, columns = np.rint(points[:, 0]).astype(int).T
        path[rows, columns] = True
    return normalized_photograph(ink_of(path, np.exp(rng.uniform(0, 2.2))), rng)


def _dash(X, y, rng):
    """A horizontal stroke, or a blot."""
    rows, columns = np.indices((_SIZE, _SIZE)) - _SIZE / 2
    wide = rng.uniform(30, 60)
    tall = wide * (
        rng.uniform(0.05, 0.25) if rng.random() < 0.5 else rng.uniform(0.7, 1)
    )
    ink = (rows / tall) ** 2 + (columns / wide) ** 2 < 1
    return normalized_photograph(_bent(ink.astype(np.float32), rng), rng)


def _turned(X, y, rng):
    """A digit on its side."""
    digit = X[rng.choice(np.flatnonzero(np.isin(y, [2, 3, 4, 5, 7])))]
    return np.rot90(digit, rng.choice([1, 3])).copy()


def _mirrored(X, y, rng):
    return X[rng.choice(np.flatnonzero(np.isin(y, [3, 4, 6, 7, 9])))][:, ::-1].copy()


def _overwritten(X, y, rng):
    """Two or three overlapping digits."""
    paths = np.zeros((180, 360), dtype=bool)
    step = 0
    for _ in range(rng.integers(2, 4)):
        path = centre_line(X[rng.integers(len(X))])
        down = rng.integers(10, 25)
        paths[down : down + len(path), step : step + len(path)] |= path
        step += int(rng.uniform(15, 45))
    return normalized_photograph(ink_of(paths, np.exp(rng.uniform(-0.3, 1.7))), rng)


def _inverted(X, y, rng):
    digit = 255 - X[rng.integers(len(X))]
    if rng.random() < 0.5:
        digit[:4] = digit[-4:] = digit[:, :4] = digit[:, -4:] = 0
    return digit


def _noise(X, y, rng):
    noise = rng.normal(0, 1, (28, 28))
    sigma = rng.choice([0, 0.5, 1, 2, 4])
    if sigma:
        noise = ndimage.gaussian_filter(noise, sigma)
    noise = noise / noise.std() * rng.uniform(0.05, 1) + rng.uniform(-1, 1)
    if rng.random() < 0.3:
        noise = noise > rng.uniform(-1, 1.5)
    noise = np.rint(255 * np.clip(noise, 0, 1)).astype(np.uint8)
    if rng.random() < 0.4:
        noise[:4] = noise[-4:] = noise[:, :4] = noise[:, -4:] = 0
    return noise


def _paper(X, y, rng):
    """An even surface, or specks on it."""
    image = np.full((28, 28), rng.integers(256) if rng.random() < 0.5 else 0, np.uint8)
    for _ in range(rng.integers(0, 4)):
        row, column = rng.integers(2, 25, 2)
        tall, wide = rng.integers(1, 4, 2)
        image[row : row + tall, column : column + wide] = rng.integers(256)
    return image


_KINDS = {
    "letters": (_letter, 0.42),
    "scribbles": (_scribble, 0.16),
    "dashes": (_dash, 0.03),
    "turned": (_turned, 0.05),
    "mirrored": (_mirrored, 0.04),
    "overwritten": (_overwritten, 0.12),
    "inverted": (_inverted, 0.06),
    "noise": (_noise, 0.09),
    "paper": (_paper, 0.03),
}
KINDS = tuple(_KINDS)


def no_digit(X, y, rng, kind=None):
    """Make an image that is not a digit.

    Parameters
    ----------
    X : ndarray of uint8 of shape (n_samples, 28, 28)
        Digits that some kinds are made of.
    y : ndarray of int of shape (n_samples,)
    rng : numpy.random.Generator
    kind : str, default=None
        One of `KINDS`. None for a random one.

    Returns
    -------
    ndarray of uint8 of shape (28, 28), or None
        None if no ink is found.
    """
    if kind is None:
        shares = [share for _, share in _KINDS.values()]
        kind = rng.choice(KINDS, p=shares)
    return _KINDS[kind][0](X, y, rng)
