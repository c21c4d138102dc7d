"""Drawings as a hand makes them: the same ones for Python, JavaScript and the pointer.

A drawing is a list of strokes, a stroke a list of (x, y) on paper of 600 x 400.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, radians, sin

WIDTH, HEIGHT = 600, 400


@dataclass(frozen=True)
class Drawing:
    """A drawing, the width of its pen, and its text, None where nobody could tell."""

    strokes: list
    width: int
    text: str | None


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


def placed(digit, left=200, top=100, size=200, slant=0.0, turn=0.0):
    """The strokes of a digit, slanted by a share of their height, turned by degrees."""

    def place(x, y):
        x, y = x - 0.5 + slant * (0.5 - y), y - 0.5
        angle = turn * pi / 180
        x, y = x * cos(angle) - y * sin(angle), x * sin(angle) + y * cos(angle)
        return left + size * (x + 0.5), top + size * (y + 0.5)

    return [[place(x, y) for x, y in stroke] for stroke in SHAPES[digit]]


def written(text, left, top, size, step=0.8, slant=0.0):
    """The strokes of digits and spaces in a line, a step apart in sizes of a digit."""
    strokes = []
    for place, digit in enumerate(text):
        if digit != " ":
            strokes += placed(int(digit), left + place * step * size, top, size, slant)
    return strokes


# The ten digits with the pen that the page begins with.
DIGITS = {digit: Drawing(placed(digit), 14, str(digit)) for digit in SHAPES}

DRAWINGS = {f"digit {digit}": drawing for digit, drawing in DIGITS.items()} | {
    "2026": Drawing(written("2026", 60, 120, 120, 1.05), 14, "2026"),
    "touching": Drawing(written("2056", 60, 120, 120, 0.72), 12, "2056"),
    "joined": Drawing(
        [*written("25", 100, 100, 150), line((180, 240), (260, 235))], 12, None
    ),
    "lines": Drawing(
        written("314 15", 30, 30, 80, 1.06)
        + written("92", 60, 150, 80)
        + written("65 35", 40, 270, 90, slant=0.15),
        12,
        "314 15\n92\n65 35",
    ),
    "slanting line": Drawing(
        [s for n in range(4) for s in placed(3 + n, 40 + 120 * n, 60 + 20 * n, 110)],
        12,
        None,
    ),
    "dense": Drawing(
        written("0123456", 20, 20, 70, 1.1)
        + written("789 012", 20, 110, 70, 1.1)
        + written("34567", 20, 200, 70, 1.1)
        + written("89 01", 20, 300, 70, 1.1),
        8,
        None,
    ),
    "small zeros": Drawing(
        written("1", 60, 100, 140) + written("00", 180, 160, 80, 1.1), 12, None
    ),
    "slanted, fine pen": Drawing(placed(4, slant=0.25), 6, "4"),
    "slanted, broad pen": Drawing(placed(2, slant=0.2), 30, "2"),
    "leaning back": Drawing(placed(8, slant=-0.15, turn=-5), 20, "8"),
    "small, in a corner": Drawing(placed(5, 12, 14, 60), 8, "5"),
    "tiny": Drawing(placed(7, 100, 90, 24), 6, None),
    "huge": Drawing(placed(6, 120, 20, 360), 22, "6"),
    "with a speck": Drawing([*placed(9), [(20.3, 315.6)]], 14, None),
    "a dot": Drawing([[(97.4, 133.7)]], 16, None),
    "scribble": Drawing(
        [line((40, 50), (200, 60), (50, 120), (190, 150), (60, 200), (180, 210))],
        14,
        None,
    ),
    "parts that do not touch": Drawing(
        [line((180, 100), (176, 180)), line((186, 100), (270, 96))]
        + [arc(210, 230, 65, 55, -120, 150)],
        14,
        "5",
    ),
    "cross": Drawing(
        [line((100, 100), (200, 200)), line((200, 100), (100, 200))], 14, ""
    ),
    "cut at the left": Drawing(placed(3, -60, 110, 180), 16, None),
    "cut at the bottom": Drawing(
        written("25", 60, 120, 120) + placed(8, 300, 310, 120), 14, "25\n?"
    ),
    "blank": Drawing([], 16, ""),
    "out of the paper": Drawing([line((-40, 80), (-30, 120))], 10, ""),
}
