"""Compose lines of digits, signs, letters and dirt, of which every pixel is known."""

from contextlib import suppress

import numpy as np
from scipy import ndimage

from pretraining.pens import enlarge, ink_of, write
from pretraining.typefaces import printed, random_character, random_font
from skdigits.images._boxes import bounding_box
from skdigits.images._digit_ink import ink_of_digit
from skdigits.images._errors import BlankImageError
from skdigits.images._ink import estimate_ink
from skdigits.images._lattice import to_line
from skdigits.images._resampling import resize
from skdigits.images._segmentation import MIN_PAGE_PIXELS
from skdigits.images._strokes import find_strokes, to_chains

# Shares of lines: digits only, amounts with signs, words.
_KINDS = {"digits": 0.6, "signs": 0.3, "words": 0.1}

# Minimum share of the pixels of a digit that are found as strokes.
_MIN_VISIBLE = 0.6


def make_line(X, y, rng):
    """Compose a line of digits and other ink.

    Returns
    -------
    ink : ndarray of float32 of shape (height, width)
    numbers : ndarray of int32 of shape (height, width)
        Number of the digit of each pixel from 1, 0 for paper and -1 for other ink.
    labels : list of int
        Label of each digit.
    """
    kind = rng.choice(list(_KINDS), p=list(_KINDS.values()))
    height = rng.uniform(35, 75)
    pen = height * np.exp(rng.uniform(np.log(0.025), np.log(0.12)))
    # Digits of a line may touch, be close, or apart.
    tightness = rng.choice(["touching", "close", "apart"], p=[0.35, 0.45, 0.2])
    small_zeros = rng.random() < 0.25
    uneven = rng.choice([0.08, 0.2])
    canvas = np.zeros((round(3.2 * height), round(16 * height)), dtype=np.float32)
    numbers = np.zeros(canvas.shape, dtype=np.int32)
    place = 0.6 * height
    base = 2.1 * height
    labels = []
    slope = rng.uniform(-0.08, 0.08)
    for _ in range(rng.integers(1, 11)):
        ink, drop, label = _character(X, y, rng, kind, height, pen, uneven, small_zeros)
        if ink is None:
            continue
        tall, wide = ink.shape
        gap = {
            "touching": rng.uniform(-0.18, 0.1),
            "close": rng.uniform(0.02, 0.35),
            "apart": rng.uniform(0.3, 1.4),
        }[tightness]
        if rng.random() < 0.1:
            gap = rng.uniform(0.3, 2)
        left = round(place + gap * height)
        top = round(base + drop + slope * left - tall + rng.normal(0, 0.05) * height)
        if left + wide >= canvas.shape[1] - 5 or top < 0 or top + tall > len(canvas):
            break
        box = slice(top, top + tall), slice(max(left, 0), max(left, 0) + wide)
        more = ink > np.maximum(canvas[box], 0.3)
        if label is not None:
            labels.append(label)
        numbers[box][more] = -1 if label is None else len(labels)
        canvas[box] = np.maximum(canvas[box], ink)
        place = left + wide
    canvas = canvas[:, : round(place + height)]
    numbers = numbers[:, : round(place + height)]
    dirt = _dirt(canvas.shape, height, pen, rng)
    dirt *= rng.uniform(0.4, 1)
    numbers[(dirt > canvas) & (dirt > 0.3)] = -1
    return np.maximum(canvas, dirt), numbers, labels


def photographed(ink, numbers, rng):
    """Photograph or scan a line, often with few pixels, and find its strokes.

    Parameters
    ----------
    ink, numbers : ndarray of shape (height, width)
        See `make_line`.
    rng : numpy.random.Generator

    Returns
    -------
    strokes : Strokes
    numbers : ndarray of int32
        The numbers of the pixels of the strokes, 0 elsewhere. If less than 60 % of a
        digit is visible, that of other ink.
    """
    scale = 1.0 if rng.random() < 0.4 else np.exp(rng.uniform(np.log(0.13), 0))
    ink = ndimage.gaussian_filter(ink, rng.uniform(0.3, 1.2))
    shape = [max(8, round(side * scale)) for side in ink.shape]
    ink = resize(ink, shape)
    paper, contrast = rng.uniform(0.7, 1), rng.uniform(0.25, 1)
    grey = paper * (1 - contrast * ink / max(ink.max(), 0.5))
    if rng.random() < 0.5:
        grey += rng.normal(0, rng.uniform(0, 0.03), grey.shape)
    levels = rng.choice([2, 16, 255], p=[0.1, 0.2, 0.7])
    grey = np.rint(levels * np.clip(grey, 0, 1)) / levels
    strokes = strokes_of(grey.astype(np.float32))
    rows, columns = (
        np.arange(new) * old // new
        for old, new in zip(numbers.shape, strokes.labels.shape, strict=True)
    )
    numbers = numbers[np.ix_(rows, columns)]
    visible = np.where(strokes.labels > 0, numbers, 0)
    total, seen = (np.bincount(n.ravel() + 1) for n in (numbers, visible))
    faint = np.flatnonzero(seen < _MIN_VISIBLE * total[: len(seen)]) - 1
    visible[np.isin(visible, faint[faint > 0])] = -1
    return strokes, visible


def strokes_of(grey):
    """The strokes of an image by the estimate of ink that suits its size."""
    longer = max(grey.shape)
    is_small = longer < MIN_PAGE_PIXELS
    digit = np.zeros_like(grey)
    if is_small:  # the first estimate of larger images does not need it
        with suppress(BlankImageError):
            digit, _ = ink_of_digit(grey)
    ink, mask = next(estimate_ink(grey, digit, is_small=is_small))
    return find_strokes(ink, mask, max(1, max(ink.shape) / longer))


def to_lines(strokes):
    """The lines of a page in which something has the size of a digit.

    Returns
    -------
    lines : list of Line
    labels : ndarray of int of shape (height, width)
        Those of the pieces of the lines.
    """
    labels = strokes.labels.copy()
    lines = [to_line(strokes, chain, labels) for chain in to_chains(strokes.boxes)]
    return [line for line in lines if line is not None], labels


def _character(X, y, rng, kind, height, pen, uneven, small_zeros):
    """Ink of a digit or of another character, or None for a missing character.

    Also how far its lower end lies below the line, and the label of a digit.
    """
    if kind == "signs" and rng.random() < 0.3:
        return *_sign(height, pen, rng), None
    if kind == "words" and rng.random() < 0.85:
        font = random_font(rng)
        ink = printed(random_character(font, rng), font, rng)
        if ink is not None:
            ink = _scaled(ink, height * rng.uniform(0.6, 1.2))
        return ink, 0.0, None
    index = rng.integers(len(X))
    tall, drop = height * np.exp(rng.normal(0, uneven)), 0.0
    if small_zeros and y[index] == 0:
        tall *= rng.uniform(0.35, 0.8)
        drop = -rng.uniform(0, 0.3) * height
    return _digit(X[index], y[index], tall, rng), drop, int(y[index])


def _digit(digit, label, tall, rng):
    if rng.random() < 0.6:
        ink = write(digit, label, rng)
    else:
        ink = np.clip(3 * ndimage.gaussian_filter(enlarge(digit), 2) - 1, 0, 1)
    return _scaled(ink, tall)


def _scaled(ink, longer):
    ink = ink[bounding_box(ink > 0.3)]
    scale = longer / max(ink.shape)
    return resize(ink, [max(2, round(side * scale)) for side in ink.shape])


def _strokes(height, pen, lines):
    """Straight strokes between points in units of the height."""
    size = round(2 * height)
    path = np.zeros((size, size), dtype=bool)
    for start, stop in lines:
        t = np.linspace(0, 1, 4 * size)[:, None]
        points = np.array(start) * (1 - t) + np.array(stop) * t
        rows, columns = np.rint(points * height).astype(int).clip(0, size - 1).T
        path[rows, columns] = True
    return ink_of(path, max(0.7, pen / 2))


def _sign(height, pen, rng):
    """A sign, and how far its lower end lies below the line."""

    def around(*values):
        return tuple(value + rng.normal(0, 0.04) for value in values)

    sign = rng.choice(list(",./-+x=:()÷"))
    if sign == ",":
        line = (around(0.1, 0.3), around(0.1 + rng.uniform(0.1, 0.35), 0.2))
        return _strokes(height, pen, [line]), rng.uniform(0, 0.25) * height
    if sign == ".":
        return _strokes(height, pen, [((0.1, 0.1), (0.14, 0.12))]), 0
    if sign == "/":
        line = (around(0.1, 0.6), around(rng.uniform(1.1, 1.7), 0.1))
        return _strokes(height, pen, [line]), rng.uniform(0, 0.3) * height
    if sign == "-":
        line = (around(0.3, 0.1), around(0.3, rng.uniform(0.4, 0.9)))
        return _strokes(height, pen, [line]), -0.45 * height
    if sign == "+":
        lines = [
            (around(0.3, 0.0), around(0.3, 0.6)),
            (around(0, 0.3), around(0.6, 0.3)),
        ]
        return _strokes(height, pen, lines), -0.2 * height
    if sign == "x":
        lines = [(around(0, 0), around(0.5, 0.5)), (around(0.5, 0.02), around(0, 0.5))]
        return _strokes(height, pen, lines), -0.15 * height
    if sign == "=":
        lines = [(around(0.1, 0), around(0.1, 0.6)), (around(0.4, 0), around(0.4, 0.6))]
        return _strokes(height, pen, lines), -0.3 * height
    if sign == ":":
        lines = [((0.1, 0.1), (0.14, 0.1)), ((0.6, 0.1), (0.64, 0.1))]
        return _strokes(height, pen, lines), -0.1 * height
    if sign == "÷":
        lines = [
            ((0.1, 0.4), (0.12, 0.4)),
            ((0.7, 0.4), (0.72, 0.4)),
            (around(0.4, 0), around(0.4, 0.8)),
        ]
        return _strokes(height, pen, lines), -0.1 * height
    bend = 0.25 if sign == "(" else -0.25
    points = [around(0.05, 0.4), around(0.6, 0.4 - bend), around(1.3, 0.4)]
    return _strokes(height, pen, [points[:2], points[1:]]), 0.15 * height


def _dirt(shape, height, pen, rng):
    """Specks, and the rest of a line that was removed."""
    dirt = np.zeros(shape, dtype=np.float32)
    for _ in range(rng.integers(0, 5) if rng.random() < 0.4 else 0):
        row, column = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        rows, columns = np.indices(shape, sparse=True)
        radius = rng.uniform(0.02, 0.1) * height
        distance = np.hypot(rows - row, columns - column)
        dirt = np.maximum(dirt, np.clip(radius + 0.5 - distance, 0, 1))
    if rng.random() < 0.25:
        upright = rng.random() < 0.5
        for _ in range(rng.integers(1, 6)):
            thick = max(1, round(rng.uniform(0.02, 0.07) * height))
            if upright:
                long = round(rng.uniform(0.3, 2.6) * height)
                row = rng.integers(0, max(1, shape[0] - long))
                column = rng.integers(0, shape[1] - thick)
                dirt[row : row + long, column : column + thick] = 1
            else:
                long = round(rng.uniform(0.2, 3) * height)
                row = rng.integers(0, shape[0] - thick)
                column = rng.integers(0, max(1, shape[1] - long))
                dirt[row : row + thick, column : column + long] = 1
    return dirt
