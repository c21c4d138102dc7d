"""Images that are not digits, for which the network should be unsure.

Letters and signs, words, strokes, pieces of rulings and of textures, digits that are
rotated, mirrored, inverted or overlapping, noise, and paper without ink.
"""

import numpy as np
from scipy import ndimage
from skimage.draw import line

from pretraining.camera import normalized_ink, normalized_photograph
from pretraining.pens import centre_line, ink_of
from pretraining.typefaces import printed, random_character, random_font

# Height and width of the canvas in pixels.
_SIZE = 120


def _normalized(ink, rng):
    normalize = normalized_photograph if rng.random() < 0.2 else normalized_ink
    return normalize(ink, rng)


def _letter(X, y, rng, held_out=False):
    font = random_font(rng, held_out)
    ink = printed(random_character(font, rng), font, rng)
    return None if ink is None else _normalized(ink, rng)


def _unseen_letter(X, y, rng):
    return _letter(X, y, rng, held_out=True)


def _word(X, y, rng):
    """Two to four characters, digits among them."""
    font = random_font(rng)
    length = rng.integers(2, 5)
    text = [
        str(rng.integers(10)) if rng.random() < 0.3 else random_character(font, rng)
        for _ in range(length)
    ]
    ink = printed("".join(text), font, rng)
    return None if ink is None else _normalized(ink, rng)


def _strokes(X, y, rng):
    """One to five strokes: lines, arcs, rings and curves, as in an unknown script."""
    path = np.zeros((_SIZE, _SIZE), dtype=bool)
    scale = np.exp(rng.uniform(np.log(15), np.log(50)))
    for _ in range(rng.integers(1, 6)):
        points = _curve(rng, scale)
        rows, columns = np.clip(np.rint(points).astype(int), 0, _SIZE - 1).T
        path[rows, columns] = True
    return _normalized(ink_of(path, np.exp(rng.uniform(0, 2.0))), rng)


def _curve(rng, scale):
    centre = rng.uniform(0.2 * _SIZE, 0.8 * _SIZE, 2)
    t = np.linspace(0, 1, 400)[:, None]
    kind = rng.choice(["line", "arc", "bezier", "zigzag"], p=[0.3, 0.25, 0.3, 0.15])
    if kind == "arc":
        start, span = rng.uniform(0, 2 * np.pi), rng.uniform(1.5, 2.2 * np.pi)
        angle = start + min(span, 2 * np.pi) * t
        circle = np.hstack([np.sin(angle), np.cos(angle)])
        return centre + circle * scale * rng.uniform(0.2, 0.8, 2)
    n_corners = {"line": 2, "bezier": rng.integers(3, 6), "zigzag": rng.integers(3, 5)}
    corners = centre + scale * rng.normal(0, 0.6, (n_corners[kind], 2))
    if kind == "zigzag":
        position = t[:, 0] * (len(corners) - 1)
        steps = np.arange(len(corners))
        return np.stack([np.interp(position, steps, c) for c in corners.T], axis=1)
    # A Bezier curve, by repeated interpolation (de Casteljau).
    points = np.broadcast_to(corners, (len(t), *corners.shape))
    while points.shape[1] > 1:
        points = (1 - t[:, None]) * points[:, :-1] + t[:, None] * points[:, 1:]
    return points[:, 0]


def _ruling(X, y, rng):
    """Corners, crossings and pieces of frames and grids."""
    path = np.zeros((_SIZE, _SIZE), dtype=bool)
    tilt = rng.normal(0, 4, 2)
    places = rng.uniform(10, _SIZE - 10, (2, 2))
    for down, column in [(0, places[0, 0]), (1, places[0, 1])]:
        if rng.random() < 0.8 - 0.4 * down:
            _line(path, rng, (0, column - tilt[0]), (_SIZE - 1, column + tilt[0]))
    for down, row in [(0, places[1, 0]), (1, places[1, 1])]:
        if rng.random() < 0.9 - 0.4 * down:
            _line(path, rng, (row - tilt[1], 0), (row + tilt[1], _SIZE - 1))
    if not path.any():
        return None
    return _normalized(ink_of(path, np.exp(rng.uniform(0, 2.2))), rng)


def _line(path, rng, start, stop):
    """Draw the part of a line between two random points."""
    a, b = np.sort(rng.uniform(0, 1, 2)) if rng.random() < 0.6 else (0, 1)
    start, stop = np.array(start), np.array(stop)
    ends = np.concatenate([start + a * (stop - start), start + b * (stop - start)])
    ends = np.clip(np.rint(ends).astype(int), 0, np.tile(path.shape, 2) - 1)
    path[line(*ends)] = True


def _texture(X, y, rng):
    """A piece of bricks, fabric, grass or blotches, most often connected."""
    ink = texture((_SIZE, _SIZE), rng)
    if rng.random() < 0.7:
        labels, number = ndimage.label(ink)
        if number:
            sizes = np.bincount(labels.ravel())[1:]
            ink = labels == 1 + rng.choice(number, p=sizes / sizes.sum())
    if np.count_nonzero(ink) < 60:
        return None
    return normalized_ink(ink.astype(np.float32), rng)


def texture(shape, rng):
    """Bricks, fabric, grass or blotches, as an array of bool of a shape."""
    rows, columns = np.indices(shape)
    kind = rng.choice(
        ["blotches", "bricks", "weave", "grass"], p=[0.5, 0.2, 0.15, 0.15]
    )
    if kind == "blotches":
        ink = ndimage.gaussian_filter(
            rng.normal(0, 1, rows.shape), rng.uniform(2, 14, 2)
        )
        ink = ink > np.quantile(ink, rng.uniform(0.5, 0.85))
    elif kind == "bricks":
        height, width = rng.uniform(20, 60), rng.uniform(40, 100)
        course = (rows + rng.uniform(0, height)) // height
        gap = rng.uniform(2, 10)
        ink = (rows + rng.uniform(0, height)) % height < gap
        ink |= (columns + course % 2 * width / 2 + rng.uniform(0, width)) % width < gap
        ink ^= rng.random() < 0.3
    elif kind == "weave":
        period = rng.uniform(15, 60, 2)
        phase = rng.uniform(0, 6, 2)
        waves = np.sin(6.28 * rows / period[0] + phase[0]) * np.sin(
            6.28 * columns / period[1] + phase[1]
        )
        ink = waves > rng.uniform(-0.3, 0.4)
    else:
        path = np.zeros(rows.shape, dtype=bool)
        for _ in range(rng.integers(4, 20) * path.size // _SIZE**2):
            row, column = rng.uniform(10, np.array(shape) - 10)
            lean = rng.normal(0, 20)
            _line(path, rng, (row + 30, column), (row - 40, column + lean))
        ink = ink_of(path, rng.uniform(1, 4)) > 0.5
    return ink


def _dash(X, y, rng):
    """A horizontal stroke, or a blot."""
    rows, columns = np.indices((_SIZE, _SIZE)) - _SIZE / 2
    wide = rng.uniform(25, 50)
    tall = wide * (
        rng.uniform(0.05, 0.25) if rng.random() < 0.5 else rng.uniform(0.7, 1)
    )
    rows = rows + rng.normal(0, 0.15) * columns
    ink = (rows / tall) ** 2 + (columns / wide) ** 2 < 1
    return _normalized(ink.astype(np.float32), rng)


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
    return _normalized(ink_of(paths, np.exp(rng.uniform(-0.3, 1.7))), rng)


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
    "letters": (_letter, 0.5),
    "words": (_word, 0.06),
    "strokes": (_strokes, 0.18),
    "rulings": (_ruling, 0.05),
    "textures": (_texture, 0.07),
    "dashes": (_dash, 0.02),
    "turned": (_turned, 0.03),
    "mirrored": (_mirrored, 0.02),
    "overwritten": (_overwritten, 0.03),
    "inverted": (_inverted, 0.02),
    "noise": (_noise, 0.015),
    "paper": (_paper, 0.005),
    # For evaluation.
    "unseen letters": (_unseen_letter, 0.0),
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
