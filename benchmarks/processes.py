"""Processes to measure in: one a peer, so that no library disturbs another."""

import http.client
import importlib
import json
import multiprocessing
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path


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
        try:
            self._connection.send((task, settings))
            return self._connection.recv()
        except (EOFError, OSError):
            self._process.join(30)
            return {"error": f"the process ended with {self._process.exitcode}"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with suppress(OSError):  # the process has crashed
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


class Service:
    """The example service as a process, started with a saved classifier."""

    _SCRIPT = Path(__file__).parent.parent / "examples/programs/serve_digits.py"
    _BODY = json.dumps({"images": [[0.0] * 400]})

    def __init__(self, path):
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, str(self._SCRIPT), path, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._address = self._process.stdout.readline().split("//")[-1].strip()
        self._ask(self._connect())
        self.seconds_to_start = time.perf_counter() - start

    def _connect(self):
        return http.client.HTTPConnection(self._address, timeout=30)

    def _ask(self, connection):
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/predict", self._BODY, headers)
        answer = connection.getresponse()
        return answer.status == 200 and bool(json.loads(answer.read())["labels"])

    def ask_for(self, seconds):
        """Ask again and again; requests and errors."""
        connection = self._connect()
        n_requests = n_errors = 0
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            n_requests += 1
            try:
                n_errors += not self._ask(connection)
            except (OSError, http.client.HTTPException, ValueError):
                n_errors += 1
                connection = self._connect()
        return n_requests, n_errors

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(30)
        self._process.stdout.close()
