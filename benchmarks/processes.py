"""Processes to measure in: one a peer, so that no library disturbs another."""

import importlib
import multiprocessing
import subprocess
import sys
import time


def _serve(connection, peer):
    tasks = importlib.import_module("benchmarks.tasks")
    while True:
        call = connection.recv()
        if call is None:
            return
        name, settings = call
        try:
            answer = getattr(tasks, name)(peer, **settings)
        except Exception as error:
            first_line = (str(error).strip() or "no message").splitlines()[0]
            answer = {"error": f"{type(error).__name__}: {first_line}"}
        connection.send(answer)


class Worker:
    """A process that runs tasks for one peer, one at a time."""

    def __init__(self, peer):
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, peer))
        self._process.start()
        theirs.close()

    def call(self, task, **settings):
        self._connection.send((task, settings))
        try:
            return self._connection.recv()
        except EOFError:
            return {"error": f"the process ended with {self._process.exitcode}"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.is_alive():
            self._connection.send(None)
        self._process.join(30)
        if self._process.is_alive():
            self._process.kill()


def whole_process(code):
    """Seconds that a fresh Python takes for some code, imports included."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        return {"error": lines[-1]}
    return {"seconds": seconds}
