"""Drawings as a hand makes them: the same ones for Python, JavaScript and the pointer.

A drawing is a list of strokes, a stroke a list of (x, y) on paper of 240 x 240.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, radians, sin

SIDE = 240


@dataclass(frozen=True)
class Drawing:
    """A drawing, the width of its pen, and what is to be seen in it.

    Attributes
    ----------
    expected : int, str or None
        A digit, "blank", "several" or "cut"; None where nobody could tell.
    """

    strokes: list
    width: int
    expected: int | str | None


def arc(x, y, across, down, start, stop, points=12):
    """Part of an ellipse, in degrees; 0 is right, 90 below."""
    steps = [start + (stop - start) * n / (points - 1) for n in range(points)]
    return [
        (x + across * cos(radians(angle)), y + down * sin(radians(angle)))
        for angle in steps
    ]


def line(*corners, points=4):
    """Straight from corner to corner."""
    places = [corners[0]]
    for (x, y), (to_x, to_y) in pairwise(corners):
        for n in range(1, points + 1):
            part = n / points
            places.append((x + part * (to_x - x), y + part * (to_y - y)))
    return places


# Each digit in a box from 0 to 1, as high as it is wide.
SHAPES = {
    0: [arc(0.5, 0.5, 0.32, 0.5, -80, 285, 20)],
    1: [line((0.36, 0.18), (0.53, 0), (0.5, 1))],
    2: [
        arc(0.5, 0.28, 0.32, 0.28, -165, 35)
        + line((0.75, 0.47), (0.18, 0.98), (0.85, 0.98))
    ],
    3: [
        arc(0.45, 0.26, 0.32, 0.26, -150, 90) + arc(0.45, 0.74, 0.36, 0.26, -90, 150),
    ],
    4: [line((0.55, 0), (0.15, 0.62), (0.9, 0.62)), line((0.68, 0.3), (0.66, 1))],
    5: [
        line((0.3, 0.02), (0.26, 0.45)) + arc(0.45, 0.69, 0.35, 0.3, -120, 150),
        line((0.3, 0.02), (0.8, 0)),
    ],
    6: [
        arc(0.85, 0.66, 0.62, 0.66, -100, -180)
        + arc(0.5, 0.71, 0.27, 0.28, 180, -190, 16)
    ],
    7: [line((0.15, 0.03), (0.85, 0.0), (0.42, 1))],
    8: [
        arc(0.5, 0.25, 0.26, 0.25, -60, -270) + arc(0.5, 0.74, 0.32, 0.25, -90, 270, 16)
        + arc(0.5, 0.25, 0.26, 0.25, 90, -60)
    ],
    9: [arc(0.5, 0.29, 0.28, 0.29, -20, -350) + line((0.78, 0.25), (0.72, 1))],
}  # fmt: skip


def placed(digit, left=50, top=40, size=160, slant=0.0, turn=0.0):
    """The strokes of a digit, slanted by a share of their height, turned by degrees."""

    def place(x, y):
        x, y = x - 0.5 + slant * (0.5 - y), y - 0.5
        angle = turn * pi / 180
        x, y = x * cos(angle) - y * sin(angle), x * sin(angle) + y * cos(angle)
        return left + size * (x + 0.5), top + size * (y + 0.5)

    return [[place(x, y) for x, y in stroke] for stroke in SHAPES[digit]]


# The ten digits with the pen that the page begins with.
DIGITS = {digit: Drawing(placed(digit), 16, digit) for digit in SHAPES}

DRAWINGS = {f"digit {digit}": drawing for digit, drawing in DIGITS.items()} | {
    "slanted, fine pen": Drawing(placed(4, slant=0.25), 6, 4),
    "slanted, broad pen": Drawing(placed(2, slant=0.2), 30, 2),
    "turned": Drawing(placed(3, turn=12), 12, 3),
    "leaning back": Drawing(placed(8, slant=-0.15, turn=-5), 20, 8),
    "small, in a corner": Drawing(placed(5, 12, 14, 60), 8, 5),
    "tiny": Drawing(placed(7, 100, 90, 24), 6, None),
    "huge": Drawing(placed(6, 14, 12, 214), 22, 6),
    "edge to edge": Drawing(placed(1, 0, 0, 240), 14, 1),
    "with a speck": Drawing([*placed(9), [(20.3, 215.6)]], 16, 9),
    "with a dot": Drawing([*placed(0), [(20.0, 215.0), (32.0, 222.0)]], 16, None),
    "a dot": Drawing([[(97.4, 133.7)]], 16, None),
    # As high as the box of the result, which is then taken pixel by pixel.
    "twenty pixels": Drawing([line((60, 53), (61, 67))], 6, None),
    "scribble": Drawing(
        [line((40, 50), (200, 60), (50, 120), (190, 150), (60, 200), (180, 210))],
        14,
        None,
    ),
    "parts that do not touch": Drawing(
        [line((80, 50), (76, 110)), *[line((84, 50), (150, 46))]]
        + [arc(110, 150, 50, 42, -120, 150)],
        14,
        5,
    ),
    "blank": Drawing([], 16, "blank"),
    "two digits": Drawing(
        placed(1, 0, 60, 110) + placed(7, 120, 60, 110), 12, "several"
    ),
    "cut at the left": Drawing(placed(3, -60, 60, 120), 16, "cut"),
    "cut at the bottom": Drawing(placed(8, 60, 110, 150), 16, "cut"),
    "cut at the top": Drawing(placed(0, 70, -50, 120), 16, "cut"),
    "out of the paper": Drawing([line((-40, 80), (-30, 120))], 10, "blank"),
}
