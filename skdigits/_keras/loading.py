"""Imports of TensorFlow and Keras, without messages and only where they can work.

The rest of the library imports both through `load_keras` and `load_tensorflow`, when it
trains and never when it is imported.
"""

import contextlib
import functools
import importlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from skdigits._keras.compile_cache import enable_compile_cache

_NOISE = re.compile(
    rb"^(WARNING: All log messages before absl::InitializeLog|[IWE]\d{4} \d\d:\d\d:"
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] "
    rb"|To enable the following instructions"
    rb"|\s*(StreamExecutor|devices?) \[)",
    re.IGNORECASE,
)
_noise_lock = threading.RLock()
_forked_after_tensorflow = False


def _note_fork() -> None:
    global _forked_after_tensorflow
    _forked_after_tensorflow = "tensorflow" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


@functools.cache
def _lost_its_threads() -> bool:
    """Whether this process was forked from one that had started TensorFlow.

    `_note_fork` is called for later forks, but not if the fork came before skdigits was
    imported. TensorFlow keeps threads from its start on, and a fork copies only the
    calling thread. So if this process has no threads but those of Python, TensorFlow
    was started before the fork. It can be detected on Linux only, and not if another
    library has started threads since.
    """
    context = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(context, "_context", None)
    if getattr(context, "_context_handle", None) is None:
        return False  # not started
    try:
        native = {int(name) for name in os.listdir("/proc/self/task")}
    except (OSError, ValueError):
        return False
    of_python = {thread.native_id for thread in threading.enumerate()}
    # After a fork, Python may still hold the old identifier of the main thread.
    return native <= {*of_python, os.getpid(), threading.get_native_id()}


def load_keras() -> Any:
    """Import Keras 3 on its TensorFlow backend.

    Returns
    -------
    keras : module

    Raises
    ------
    ImportError
        If TensorFlow, or a Keras 3, is not installed.
    RuntimeError
        If Keras uses another backend, or if this process was forked from one that had
        loaded TensorFlow, where training would hang.
    """
    if _forked_after_tensorflow or _lost_its_threads():
        raise RuntimeError(
            "Cannot train in this process: it was forked from one that had already "
            "loaded TensorFlow, whose threads do not survive a fork, so training "
            "would hang. Use joblib's 'loky' or 'threading' backend, or "
            "multiprocessing's 'spawn' start method. Prediction works here."
        )
    if "keras" not in sys.modules:
        _check_backend(os.environ.get("KERAS_BACKEND") or "tensorflow")
        enable_compile_cache()
        with quiet_tensorflow():
            _import_keras()
    keras = importlib.import_module("keras")  # waits for a thread that imports it
    _check_version(keras)
    _check_backend(keras.config.backend())
    _start_tensorflow()
    return keras


def load_tensorflow() -> Any:
    """Import TensorFlow; raises the errors of `load_keras`."""
    load_keras()
    return importlib.import_module("tensorflow")


@functools.cache
def _start_tensorflow() -> None:
    # The first use of a device searches for all kinds of devices and prints messages.
    with quiet_tensorflow():
        importlib.import_module("tensorflow").config.list_logical_devices()


def _import_keras() -> None:
    try:
        importlib.import_module("tensorflow")
        importlib.import_module("keras")
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] not in ("tensorflow", "keras"):
            raise RuntimeError(
                "Training a DigitMLPClassifier needs Keras on its 'tensorflow' "
                f"backend, and importing Keras failed: {error}. Where keras.json "
                "names another backend, set KERAS_BACKEND to 'tensorflow'."
            ) from error
        raise ImportError(
            f"Training a DigitMLPClassifier needs TensorFlow and Keras 3, and "
            f"{error.name!r} is not installed. Install them with "
            "`pip install tensorflow`. Prediction needs neither."
        ) from error


def _check_version(keras: Any) -> None:
    version = getattr(keras, "__version__", "unknown")
    major = version.partition(".")[0]
    if not (major.isdigit() and int(major) >= 3):
        raise ImportError(
            f"Training a DigitMLPClassifier needs Keras 3. Got keras {version} "
            "instead. Install a newer one with `pip install --upgrade keras`."
        )


def _check_backend(backend: str) -> None:
    if backend != "tensorflow":
        raise RuntimeError(
            "Training a DigitMLPClassifier needs Keras on its 'tensorflow' backend. "
            f"Got {backend!r} instead. Unset KERAS_BACKEND, or set it to "
            "'tensorflow', before Keras is first imported in this process. "
            "Prediction works with any backend."
        )


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Suppress the start-up messages of TensorFlow on standard error.

    C++ code writes them before TensorFlow reads any setting, so file descriptor 2 is
    redirected to a file. Other output is copied from there to standard error at the
    end.
    """
    with _noise_lock, contextlib.ExitStack() as stack:
        try:
            kept = os.dup(2)
        except OSError:  # no standard error at all
            yield
            return
        stack.callback(os.close, kept)
        log = stack.enter_context(tempfile.TemporaryFile())
        level = os.environ.get("TF_CPP_MIN_LOG_LEVEL")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        _flush_stderr()
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            _flush_stderr()
            os.dup2(kept, 2)
            if level is None:
                os.environ.pop("TF_CPP_MIN_LOG_LEVEL", None)
            log.seek(0)
            for line in log:
                if line.strip() and not _NOISE.match(line):
                    os.write(2, line)


def _flush_stderr() -> None:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.flush()
