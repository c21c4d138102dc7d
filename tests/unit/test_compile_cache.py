"""The folder for compiled programs: only the user's own, unchanged files are used."""

import os
import sys

import pytest

from skdigits._keras import compile_cache
from skdigits._keras.compile_cache import VARIABLE, enable_compile_cache

pytestmark = pytest.mark.skipif(
    not hasattr(os, "getuid"), reason="needs owners of files, as POSIX has them"
)


@pytest.fixture
def at_exit(tmp_path, monkeypatch):
    """Set the variable; return the calls that are registered for the exit."""
    calls = []
    monkeypatch.setattr(
        compile_cache.atexit, "register", lambda *call: calls.append(call)
    )
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("TF_XLA_FLAGS", "")  # restored at the end
    return calls


def folder_of(calls):
    return calls[-1][1]


def end_process(calls):
    function, *arguments = calls[-1]
    function(*arguments)


def test_compile_cache_is_off_by_default(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("TF_XLA_FLAGS", raising=False)
    enable_compile_cache()
    assert "TF_XLA_FLAGS" not in os.environ


def test_compile_cache_is_a_private_folder_of_this_processor(at_exit, tmp_path):
    enable_compile_cache()
    folder = folder_of(at_exit)
    assert folder.parent == tmp_path / "cache"
    assert folder.stat().st_mode & 0o777 == 0o700
    flag = f"--tf_xla_persistent_cache_directory={folder}"
    assert flag in os.environ["TF_XLA_FLAGS"].split()


def test_compile_cache_keeps_files_that_a_process_left_unchanged(at_exit):
    enable_compile_cache()
    folder = folder_of(at_exit)
    for name in ("kept", "damaged"):
        (folder / name).write_bytes(b"machine code")
    end_process(at_exit)
    (folder / "damaged").write_bytes(b"machine")
    (folder / "foreign").write_bytes(b"machine code")
    enable_compile_cache()
    assert sorted(path.name for path in folder.iterdir()) == ["checksums.json", "kept"]


@pytest.mark.parametrize("checksums", [None, "", "[]", "not JSON"])
def test_compile_cache_without_valid_checksums_is_emptied(at_exit, checksums):
    enable_compile_cache()
    folder = folder_of(at_exit)
    (folder / "program").write_bytes(b"machine code")
    if checksums is not None:
        (folder / "checksums.json").write_text(checksums)
    enable_compile_cache()
    assert not (folder / "program").exists()


def test_compile_cache_is_bounded_by_removing_the_oldest(at_exit, monkeypatch):
    monkeypatch.setattr(compile_cache, "_MAX_BYTES", 25)
    enable_compile_cache()
    folder = folder_of(at_exit)
    for age, name in enumerate(["new", "older", "oldest"]):
        (folder / name).write_bytes(bytes(10))
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    end_process(at_exit)
    enable_compile_cache()
    assert {path.name for path in folder.iterdir()} == {
        "checksums.json",
        "new",
        "older",
    }


@pytest.mark.parametrize("mode", [0o770, 0o777])
def test_compile_cache_that_others_may_change_is_not_used(at_exit, tmp_path, mode):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(mode)
    with pytest.warns(RuntimeWarning, match="other users may change"):
        enable_compile_cache()
    assert not at_exit
    assert not os.environ["TF_XLA_FLAGS"]


def test_compile_cache_that_is_a_link_is_not_used(at_exit, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "elsewhere")
    with pytest.warns(RuntimeWarning, match="other users may change"):
        enable_compile_cache()


def test_compile_cache_that_cannot_be_created_is_not_used(at_exit, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.warns(RuntimeWarning, match=r"SKDIGITS_COMPILE_CACHE names cannot"):
        enable_compile_cache()


def test_compile_cache_does_not_import_tensorflow(at_exit):
    before = set(sys.modules)
    enable_compile_cache()
    assert not {"tensorflow", "keras"} & (set(sys.modules) - before)
