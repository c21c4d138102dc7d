"""A folder in which compiled programs are kept for later processes.

XLA writes machine code there and runs it without a check of its own. So the folder must
be writable by the user alone, programs are kept apart by processor and versions, and
only files whose checksum was noted when a process ended are used again.
"""

import atexit
import contextlib
import hashlib
import json
import os
import platform
import stat
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Environment variable that names the folder.
VARIABLE = "SKDIGITS_COMPILE_CACHE"
# Maximum bytes of the programs of one processor and version: about 300 programs.
_MAX_BYTES = 64 * 2**20
_CHECKSUMS = "checksums.json"


def enable_compile_cache() -> None:
    """Use the folder that `SKDIGITS_COMPILE_CACHE` names, if any.

    It has no effect once TensorFlow has compiled a program. A folder that cannot be
    used is reported by a warning.
    """
    name = os.environ.get(VARIABLE)
    if not name:
        return
    try:
        folder = _private_folder(Path(name).expanduser().absolute() / _key())
        _remove_unknown(folder)
    except OSError as error:
        warnings.warn(
            f"Compiled programs are not kept, because the folder that {VARIABLE} names "
            f"cannot be used: {error}. Expected a folder that the current user owns "
            "and nobody else can write to.",
            RuntimeWarning,
            stacklevel=2,
        )
        return
    flags = os.environ.get("TF_XLA_FLAGS", "")
    os.environ["TF_XLA_FLAGS"] = (
        f"{flags} --tf_xla_persistent_cache_directory={folder} "
        "--tf_xla_persistent_cache_device_types=CPU,XLA_CPU_JIT"
    ).strip()
    atexit.register(_note_checksums, folder)


def _private_folder(folder: Path) -> Path:
    """Create the folder, and check that nobody else can write to it or its parent."""
    if " " in str(folder):
        raise OSError(f"its path has a space, which TensorFlow cannot read: {folder}")
    if not hasattr(os, "getuid"):
        raise OSError("its owner cannot be determined on this system")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in (folder.parent, folder):
        found = each.lstat()
        shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or shared:
            raise OSError(f"other users may change {each}")
    return folder


def _key() -> str:
    """Name of the folder for this processor and these versions."""
    processor = [platform.machine(), platform.processor()]
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        wanted = ("model name", "flags", "Features")
        processor += sorted({line for line in lines if line.startswith(wanted)})
    versions = []
    for package in ("skdigits", "tensorflow", "tensorflow-cpu", "keras", "numpy"):
        with contextlib.suppress(PackageNotFoundError):
            versions.append(f"{package} {version(package)}")
    text = "\n".join([*processor, *versions])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _remove_unknown(folder: Path) -> None:
    """Remove files that are not as they were when a process ended."""
    try:
        known = json.loads((folder / _CHECKSUMS).read_text("utf-8"))
    except (OSError, ValueError):
        known = {}
    for path in _programs(folder):
        if not isinstance(known, dict) or known.get(path.name) != _checksum(path):
            path.unlink()


def _note_checksums(folder: Path) -> None:
    """Remove the oldest programs beyond the limit, and note checksums of the others."""
    with contextlib.suppress(OSError):
        newest_first = sorted(_programs(folder), key=lambda path: -path.stat().st_mtime)
        total, known = 0, {}
        for path in newest_first:
            total += path.stat().st_size
            if total > _MAX_BYTES:
                path.unlink()
            else:
                known[path.name] = _checksum(path)
        written = folder / f"{_CHECKSUMS}.{os.getpid()}"
        written.write_text(json.dumps(known), "utf-8")
        written.replace(folder / _CHECKSUMS)


def _programs(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if not p.name.startswith(_CHECKSUMS)]


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
