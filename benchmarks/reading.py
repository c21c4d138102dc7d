"""Time and memory of a process that reads a page.

`python -m benchmarks.reading` makes pages of 2 and 24 million pixels. They are read in
turns by `skdigits read` and, if it is installed, by Tesseract.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from statistics import median

sys.path.append(str(Path(__file__).parents[1] / "tests"))


def run(command):
    """Seconds and peak MiB of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise RuntimeError(f"{command} failed with status {status}")
    return seconds, used.ru_maxrss / 1024


def make_pages(folder):
    """Paths of two JPEGs of the same page."""
    from PIL import Image
    from synthetic_pages import make_page

    page = make_page(0, shape=(1200, 1600), height=120).image
    page, paths = Image.fromarray(page), {}
    for width, height in [(1600, 1200), (5600, 4200)]:
        name = f"{width} x {height}"
        paths[name] = str(folder / f"{name}.jpg")
        page.resize((width, height), Image.Resampling.BICUBIC).save(paths[name])
    return paths


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reading", description=__doc__
    )
    parser.add_argument("--repeats", type=int, default=7, help="default: %(default)s")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # In another process, because children inherit the peak memory of this one.
        with get_context("spawn").Pool(1) as pool:
            pages = pool.apply(make_pages, (Path(folder),))
        for name, path in pages.items():
            commands = {"skdigits": [sys.executable, "-m", "skdigits", "read", path]}
            if shutil.which("tesseract"):
                commands["Tesseract"] = ["tesseract", path, "-", "--psm", "6"]
            used = {peer: [] for peer in commands}
            for _ in range(args.repeats + 1):
                for peer, command in commands.items():
                    used[peer].append(run(command))
            for peer, numbers in used.items():
                # Without the first run, which reads files from the disk.
                seconds, memory = map(median, zip(*numbers[1:], strict=True))
                print(f"{name}: {peer:10} {seconds:6.2f} s {memory:6.0f} MiB")


if __name__ == "__main__":
    main()
