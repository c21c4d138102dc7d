"""Characters of typefaces, as if printed or written by hand."""

import unicodedata
from functools import cache
from pathlib import Path

import fontpkg
import matplotlib
import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from skimage.morphology import skeletonize

from pretraining.pens import ink_of

# Typefaces for evaluation: the network is not trained on them.
HELD_OUT = (
    "kalam",
    "lobster",
    "merriweather",
    "noto-sans-telugu",
    "open-sans",
    "roboto-mono",
    "shadows-into-light",
    "unbounded",
)

# Characters that equal a digit, or that only their size distinguishes from a 1: those
# of ASCII, and Greek and Cyrillic letters and signs of the same shapes.
_LOOKALIKES = frozenset(
    "OoIl|/\\()[]{}'`,!"
    "\u039f\u03bf\u041e\u043e\u01c0\u2223\u00b4\u00a6\u0131\u0399\u0406\u04c0"
)

# Font size, and height of the canvas, in pixels.
_FONT_SIZE = 48
_SIZE = 96


@cache
def typefaces(held_out=False):
    """Files of each typeface: DejaVu, which Matplotlib contains, and those of fontpkg.

    Returns
    -------
    list of list of str
    """
    if held_out:
        names, files = HELD_OUT, []
    else:
        names = sorted(set(fontpkg.families()).difference(HELD_OUT))
        folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        files = [
            sorted(str(path) for path in folder.glob(f"{name}*.ttf"))
            for name in ("DejaVuSans", "DejaVuSerif")
        ]
    return files + [
        sorted(str(file.path) for file in fontpkg.family(name).files) for name in names
    ]


@cache
def characters(path):
    """ASCII letters, ASCII signs, and others of a font that do not equal a digit."""
    with TTFont(path) as font:
        codes = sorted(font.getBestCmap())
    found = [
        character
        for character in map(chr, codes)
        if unicodedata.category(character)[0] in "LPS" and character not in _LOOKALIKES
    ]
    ascii_ones = [character for character in found if character.isascii()]
    return (
        [character for character in ascii_ones if character.isalpha()],
        [character for character in ascii_ones if not character.isalpha()],
        [character for character in found if not character.isascii()],
    )


@cache
def _font(path):
    return ImageFont.truetype(path, _FONT_SIZE)


def random_font(rng, held_out=False):
    """Path of a font of a random typeface."""
    families = typefaces(held_out)
    return rng.choice(families[rng.integers(len(families))])


def random_character(path, rng):
    """A character of a font that is not a digit, most often a Latin letter."""
    ascii_letters, ascii_signs, others = characters(path)
    kind = rng.choice(3, p=[0.55, 0.15, 0.3])
    choices = (ascii_letters, ascii_signs, others)[kind] or others or ascii_letters
    return choices[rng.integers(len(choices))]


def printed(text, path, rng):
    """Draw text, slightly distorted, in its own strokes or with a round pen.

    Parameters
    ----------
    text : str
    path : str
        Of the font.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32 of shape (height, width), or None
        From 0 for paper to 1 for ink; None if the font draws nothing.
    """
    font = _font(path)
    try:
        axes = font.get_variation_axes()
    except OSError:  # a font of one weight
        axes = []
    if axes:
        # Of Pillow and FreeType, axes are integers.
        font.set_variation_by_axes(
            [rng.integers(axis["minimum"], axis["maximum"] + 1) for axis in axes]
        )
    canvas = Image.new("L", (_SIZE * (len(text) + 1) // 2, _SIZE))
    middle = canvas.width // 2, _SIZE // 2
    try:
        ImageDraw.Draw(canvas).text(middle, text, fill=255, font=font, anchor="mm")
    except OSError:  # FreeType cannot draw the outline
        return None
    ink = np.asarray(canvas, dtype=np.float32) / 255
    if np.count_nonzero(ink > 0.5) < 20:
        return None
    if rng.random() < 0.5:
        radius = np.exp(rng.uniform(np.log(0.5), np.log(4)))
        ink = ink_of(skeletonize(ink > 0.5), radius)
    if rng.random() < 0.3:
        return ink
    ink = np.pad(ink, 10)
    middle = np.array(ink.shape) / 2
    matrix = np.eye(2) + rng.normal(0, 0.12, (2, 2))
    return ndimage.affine_transform(ink, matrix, middle - matrix @ middle, order=1)
