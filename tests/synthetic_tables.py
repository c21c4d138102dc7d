"""Made-up images of tables, and the shapes of their grids."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from sklearn.datasets import load_digits

# Properties of tables and of their images, each of which a table has with this
# probability.
SHARE = 0.15
PROPERTIES = (
    "one row",
    "many rows",
    "uneven cells",
    "empty",
    "heading",
    "text around",
    "thin lines",
    "thick lines",
    "thick outer lines",
    "double lines",
    "hand-drawn",
    "gaps in lines",
    "open sides",
    "pattern",
    "dark surroundings",
    "perspective",
    "curl",
    "rotated",
    "noise",
    "small",
)
WORDS = ["Name", "Total", "Week", "Points", "Class", "Result", "Mean", "Date", "Price"]


class Table(NamedTuple):
    """A grey image, the number of rows and of columns, and the properties."""

    image: np.ndarray
    shape: tuple
    properties: set


def make_table(seed, properties=PROPERTIES, size=None):
    """A table that has some of the properties, on an image of `size` pixels."""
    rng = np.random.default_rng(seed)
    own = {name for name in properties if rng.random() < SHARE}
    many = 41 if "many rows" in own else 15
    rows = 1 if "one row" in own else int(rng.integers(2, many))
    columns = int(rng.integers(1 + (rows == 1), 13))
    ink = _page(rng, rows, columns, own)
    size = size or int(rng.integers(900, 1500))
    return Table(_photograph(rng, ink, size, own), (rows, columns), own)


def _page(rng, rows, columns, own):
    """The ink of a page with a table."""
    height = min(70, 1400 / rows)
    width = min(height * rng.uniform(0.8, 2.5), 1400 / columns)
    sizes = np.full(rows, float(height)), np.full(columns, width)
    if "uneven cells" in own:
        sizes = [size * rng.uniform(0.6, 1.8, len(size)) for size in sizes]
    margin = int(rng.integers(60, 200))
    y, x = (np.append(0, np.cumsum(size)) + margin for size in sizes)
    page = Image.new("L", (int(x[-1]) + margin, int(y[-1]) + margin))
    draw = ImageDraw.Draw(page)
    _draw_lines(rng, draw, y, x, own)
    font = ImageFont.load_default(max(8, 0.4 * height))
    digits = (load_digits().images * 15).astype(np.uint8)
    for row in range(rows):
        for column in range(columns):
            left, top = int(x[column]), int(y[row])
            if row == 0 and "heading" in own:
                text = str(rng.choice(WORDS))[: int(width / height * 3)]
                draw.text((left + 5, top + 0.25 * height), text, fill=210, font=font)
            elif "empty" not in own and rng.random() < 0.6:
                room = np.array([x[column + 1] - left, y[row + 1] - top])
                side = int(rng.uniform(0.45, 0.75) * room.min())
                digit = Image.fromarray(digits[rng.integers(len(digits))])
                place = [left, top] + rng.uniform(0.1, 0.9, 2) * (room - side)
                box = tuple(place.astype(int))
                page.paste(210, box, digit.resize((side, side)))
    if "text around" in own:
        text = "\n".join(" ".join(rng.choice(WORDS, 30)) for _ in range(margin // 24))
        font = ImageFont.load_default(16)
        draw.text((10, 5), text, fill=200, font=font)
        draw.text((10, y[-1] + 8), text, fill=200, font=font)
    return np.asarray(page) / 255


def _draw_lines(rng, draw, y, x, own):
    width = 1 if "thin lines" in own else 7 if "thick lines" in own else 3
    fill = int(255 * rng.uniform(0.5, 0.9))
    for axis, (places, across) in enumerate(((y, x), (x, y))):
        # A last line is missing only if enough others remain.
        missing = rng.random(2) < 0.5 * ("open sides" in own and len(places) > 3)
        for index, place in enumerate(places):
            outer = index in (0, len(places) - 1)
            if outer and missing[int(index > 0)]:
                continue
            number = max(3, int(across[-1] - across[0]) // 6)
            along = np.linspace(across[0], across[-1], number)
            line = np.full(number, place)
            if "hand-drawn" in own:
                noise = rng.normal(0, 9, number + 80)
                line += ndimage.gaussian_filter1d(noise, 12)[40:-40]
                line += np.linspace(*rng.normal(0, 2, 2), number)
                along += np.linspace(*rng.normal(0, 4, 2), number)
            gaps = rng.random(number) < 0.06 * ("gaps in lines" in own)
            for offset in (-4, 4) if "double lines" in own else (0,):
                points = np.stack([along, line + offset][:: 1 - 2 * axis], axis=1)
                first, *others = np.split(points, np.flatnonzero(gaps))
                for piece in [first, *(piece[1:] for piece in others)]:
                    own_width = width + 4 * (outer and "thick outer lines" in own)
                    draw.line(piece.ravel().tolist(), fill=fill, width=own_width)


def _photograph(rng, ink, size, own):
    """The image of a page with some ink, from 0 for black to 1 for white."""
    share = rng.uniform(0.2, 0.4) if "small" in own else rng.uniform(0.6, 1)
    middle = np.array(ink.shape) / 2
    y, x = np.indices((size, size)) / size - 0.5
    angle = np.deg2rad(rng.uniform(-20, 20) if "rotated" in own else rng.uniform(-3, 3))
    y, x = y * np.cos(angle) - x * np.sin(angle), y * np.sin(angle) + x * np.cos(angle)
    if "perspective" in own:
        a, b = rng.uniform(-0.3, 0.3, 2)
        y, x = np.array([y, x]) / (1 + a * y + b * x)
    if "curl" in own:
        y = y + rng.uniform(-0.02, 0.02) * np.cos(6 * x * share)
    scale = max(ink.shape) / share
    ink = ndimage.gaussian_filter(ink, max(0.3, 0.4 * scale / size))
    places = y * scale + middle[0], x * scale + middle[1]
    seen = ndimage.map_coordinates(ink, places, order=1, cval=-1)
    surroundings = 0.2 if "dark surroundings" in own else 1
    paper = np.where(seen < 0, surroundings, 1 - np.clip(seen, 0, 1))
    if "pattern" in own:
        waves = np.sin(y * rng.uniform(100, 600)) * np.sin(x * rng.uniform(100, 600))
        paper *= 1 - rng.uniform(0.02, 0.06) * (1 + waves)
    light = rng.uniform(0.6, 1) * (1 + x * rng.uniform(-0.4, 0.4)) / 1.2
    noise = rng.normal(0, 0.04 if "noise" in own else 0.01, paper.shape)
    return np.clip(paper * light + noise, 0, 1).astype(np.float32)
