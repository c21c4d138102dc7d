"""Build the sdist and the wheel of the last commit, and check them: `make release`.

They are built twice, in folders with other names, file orders and permissions, and must
be equal byte for byte. All files have the time of the commit. The wheel is built from
the sdist, some tests run in the unpacked sdist, and `check_installs.py` installs the
wheel. The results are in the folder `dist`. Nothing is uploaded.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
# Tests of the unpacked sdist: files of earlier releases, and algorithms without a fit.
QUICK_TESTS = ["tests/unit", "tests/test_golden_files.py"]
TO_DO = """
{files}

are checked. To publish them, tag the commit, and publish a release of the tag on
GitHub. A workflow then builds and checks them again, and uploads them to PyPI:

    git tag -a v{version} -m "skdigits {version}" {commit}
    git push origin v{version}
    gh release create v{version} --title "skdigits {version}" --notes "{changes}"
"""


def run(*command, **settings):
    """Run a command in the project's folder, and exit if it fails."""
    print("+", *command, flush=True)
    done = subprocess.run(command, **{"cwd": ROOT, **settings})
    if done.returncode:
        sys.exit(f"error: the command failed with status {done.returncode}")


def git(*arguments):
    """Output of a git command."""
    return subprocess.check_output(["git", *arguments], cwd=ROOT, text=True).strip()


def build(archive, folder, permissions, reverse):
    """Build from a tar file in a new folder; return the content of each file built."""
    with tarfile.open(archive) as files:
        members = [member for member in files if member.isfile()]
        for member in sorted(members, key=lambda m: m.name, reverse=reverse):
            member.mode &= permissions
            files.extract(member, folder, filter="data")
    time = {"SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct")}
    run(sys.executable, "-m", "build", cwd=folder, env=os.environ | time)
    return {path.name: path.read_bytes() for path in (folder / "dist").iterdir()}


def build_twice(folder):
    """Build twice in a folder; return the content of each file built."""
    archive = folder / "commit.tar"
    run("git", "archive", "--output", archive, "HEAD")
    built = build(archive, folder / "one", permissions=0o755, reverse=False)
    again = build(archive, folder / "the other", permissions=0o700, reverse=True)
    if built != again:
        names = sorted(n for n in {*built, *again} if built.get(n) != again.get(n))
        sys.exit(f"error: the second build differs in {', '.join(names)}")
    return built


def print_to_do(sdist, wheel):
    """Print how to publish the files of the last commit."""
    version = wheel.name.split("-")[1]
    if "dev" in version:
        sys.exit(f"error: {version} is a development version, which is not published")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    changes = project["urls"]["Changelog"].replace("/main/", f"/v{version}/")
    commit = git("rev-parse", "--short", "HEAD")
    files = f"{sdist}\n{wheel}"
    print(TO_DO.format(files=files, version=version, commit=commit, changes=changes))


def main():
    """Build, check and test."""
    if changes := git("status", "--porcelain"):
        sys.exit(f"error: commit or remove these files first:\n{changes}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        built = build_twice(folder)
        shutil.rmtree(DIST, ignore_errors=True)
        DIST.mkdir()
        for name, content in built.items():
            (DIST / name).write_bytes(content)
        [wheel], [sdist] = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
        run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
        run(sys.executable, "-m", "check_wheel_contents", wheel)
        with tarfile.open(sdist) as files:
            files.extractall(folder, filter="data")
        unpacked = folder / sdist.name.removesuffix(".tar.gz")
        run(sys.executable, "-m", "pytest", "-q", *QUICK_TESTS, cwd=unpacked)
    run(sys.executable, "tools/check_installs.py", wheel)
    print_to_do(sdist, wheel)


if __name__ == "__main__":
    main()
