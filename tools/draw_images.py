"""Draw the images of README and the guide that are figures of examples or of the demo.

python tools/draw_images.py [EXAMPLE ...]
"""

import runpy
import sys
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

from skdigits.plotting import DigitReadingDisplay

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
# By example, the names of images and of the variables that hold their figures.
FIGURES = {
    "training/plot_distortions": {
        "distorted-digits": "copies",
        "distortions-one-by-one": "one_by_one",
        "distortion-curves": "figure",
    },
}
PAGE = "reading/plot_page_read"
DEMO = "programs/train_digits"


def main():
    matplotlib.use("Agg")
    for example in sys.argv[1:] or [PAGE, DEMO, *FIGURES]:
        variables = runpy.run_path(str(ROOT / "examples" / f"{example}.py"))
        if example == PAGE:
            page = np.uint8(255 * variables["page"])
            Image.fromarray(page).save(IMAGES / "page.jpg", quality=85)
            display = DigitReadingDisplay.from_image(IMAGES / "page.jpg")
            save(display.figure_, "page-read")
        if example == DEMO:
            draw_demo(variables["main"])
        for name, variable in FIGURES.get(example, {}).items():
            drawn = variables[variable]
            save(getattr(drawn, "figure_", drawn), name)


def draw_demo(main):
    """Draw the figures of `make demo`, at half their size."""
    with tempfile.TemporaryDirectory() as folder:
        main(["--output", folder])
        for path in sorted(Path(folder).glob("*.png")):
            with Image.open(path) as image:
                small = image.convert("RGB").reduce(2)
            small.quantize(64).save(IMAGES / path.name, optimize=True)


def save(figure, name):
    """Save a figure with 128 colours, which takes a third of the space."""
    path = IMAGES / f"{name}.png"
    figure.savefig(path, dpi=110)
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    main()
