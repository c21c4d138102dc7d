"""The example service, as a process that is sent real requests, and attacked."""

import contextlib
import http.client
import json
import os
import runpy
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import numpy as np
import pytest
import skops.io
from sklearn.dummy import DummyClassifier

import skdigits
from skdigits.pretrained import load_digit_reader

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
SCRIPT = Path(__file__).parent.parent / "examples/programs/serve_digits.py"
pytestmark = pytest.mark.skipif(
    not SCRIPT.exists(), reason="needs a clone of the project"
)
# Seconds that a client has for a request, and the service then for its answer.
TIMEOUT = 2


@pytest.fixture(scope="module")
def classifier():
    return load_digit_reader()


@pytest.fixture(scope="module")
def X(digits):
    """20 digits of 28 x 28 pixels in 0 to 255."""
    enlarged = digits[0][:20].reshape(-1, 8, 8).repeat(3, axis=1).repeat(3, axis=2)
    return 255 * np.pad(enlarged, [(0, 0), (2, 2), (2, 2)]).reshape(-1, 784)


@pytest.fixture(scope="module")
def service(classifier, tmp_path_factory):
    """The service on a port that the system chose, where TensorFlow can't be imported.

    Whatever its tests send, nothing is written to its stderr.
    """
    folder = tmp_path_factory.mktemp("served")
    skops.io.dump(classifier, folder / "digits.skops")
    for name in ("keras", "tensorflow"):
        (folder / f"{name}.py").write_text("raise ImportError('not installed')")
    path = [str(folder), str(Path(skdigits.__file__).parent.parent)]
    command = [sys.executable, SCRIPT, folder / "digits.skops", "--port", "0"]
    stderr = folder / "stderr"
    with (
        open(stderr, "w") as file,
        subprocess.Popen(
            [*command, "--timeout", str(TIMEOUT)],
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        ) as process,
    ):
        try:
            announced = process.stdout.readline()
            assert announced, stderr.read_text()
            url = urlsplit(announced.split()[-1])
            yield SimpleNamespace(address=(url.hostname, url.port), pid=process.pid)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
    assert stderr.read_text() == ""


def ask(service, body=None, path="/predict", method="POST", type="application/json"):
    """The status and the JSON of an answer."""
    connection = http.client.HTTPConnection(*service.address, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, body, {"Content-Type": type})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def connect(service):
    return socket.create_connection(service.address, timeout=30)


def answer_before_the_end(connection):
    """All that is received until the service closes the connection."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(2**16):
            received += part
    return received


def images(*images):
    return json.dumps({"images": images}).encode()


IMAGE = [0] * 784


def assert_it_goes_on(service):
    assert ask(service, images(IMAGE))[0] == 200


@pytest.mark.parametrize("shape", [(784,), (28, 28), (1, 784)])
def test_answers_like_the_classifier(service, classifier, X, shape):
    status, answer = ask(service, images(*X.reshape(-1, *shape).tolist()))
    assert status == 200
    assert answer["labels"] == classifier.predict(X).tolist()
    np.testing.assert_allclose(
        answer["probabilities"], classifier.predict_proba(X), atol=1e-6
    )


def test_health(service, classifier):
    status, answer = ask(service, path="/health", method="GET")
    assert status == 200
    assert answer == {
        "status": "ok",
        "classes": classifier.classes_.tolist(),
        "pixels": 784,
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"images":' * 40_000, 400),
        (b"null", 422),
        (b"[]", 422),
        (b"{}", 422),
        (images(), 422),
        (b'{"images": 3}', 422),
        (b'{"images": "0000"}', 422),
        (images(1, 2), 422),
        (images([]), 422),
        (images([[]] * 784), 422),
        (images([[0]] * 784 + [[]]), 422),
        (images([IMAGE[1:], [0]]), 422),
        (images([[[pixel] for pixel in IMAGE]]), 422),
        (images([float("nan")] * 784), 422),
        (images([float("-inf")] * 784), 422),
        (images([1e300] * 784), 422),
        (images([10**400] * 784), 422),
        (b'{"images": [[' + b"9" * 400_000 + b"]]}", 422),
        (images(["1"] * 784), 422),
        (images([None] * 784), 422),
        (images([True] * 784), 422),
        (images([{}] * 784), 422),
        (images(IMAGE[1:]), 422),
        (images(IMAGE, IMAGE[1:]), 422),
        (images(*[IMAGE] * 101), 422),
    ],
    ids=lambda value: repr(value[:30]) if isinstance(value, bytes) else None,
)
def test_bad_bodies(service, body, expected):
    status, answer = ask(service, body)
    assert (status, list(answer)) == (expected, ["error"])
    assert_it_goes_on(service)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"type": "text/plain"}, 415),
        ({"type": ""}, 415),
        ({"method": "GET"}, 405),
        ({"method": "BREW"}, 405),
        ({"path": "/"}, 404),
        ({"path": "/predict/../../etc/passwd"}, 404),
    ],
)
def test_other_requests(service, request_, expected):
    status, answer = ask(service, images(IMAGE), **request_)
    assert (status, list(answer)) == (expected, ["error"])


def test_small_requests_need_little_memory(service):
    status = Path(f"/proc/{service.pid}/status")
    if not status.exists():
        pytest.skip("needs /proc")

    def peak():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024  # MiB

    before = peak()
    # As an array of strings, the first takes 850 MB. The others are many objects.
    assert ask(service, images(["0" * 2500] + [""] * 60_000))[0] == 422
    assert ask(service, images([{}] * 120_000))[0] == 422
    assert ask(service, b'{"images":[[' + b"[]," * 160_000 + b"0]]}")[0] == 422
    assert peak() - before < 100


def test_idle_connections_do_not_block(service):
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connect(service))
        assert_it_goes_on(service)


def test_more_connections_are_refused(service):
    resource = pytest.importorskip("resource")
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 1000:
        pytest.skip("needs 1000 open files")
    with contextlib.ExitStack() as stack:
        for _ in range(500):
            stack.enter_context(connect(service))
        answer = answer_before_the_end(stack.enter_context(connect(service)))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b'{"error": ' in answer
    # The service may see a moment later that they are closed.
    for _ in range(100):
        if ask(service, images(IMAGE))[0] == 200:
            return
        time.sleep(0.1)
    pytest.fail("the service still refuses connections")


POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("headers", "part"),
    [
        (b"Content-Length: 400000000\r\n\r\n", b" " * 50_000),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"c350\r\n" + b" " * 50_000 + b"\r\n"),
    ],
    ids=["announced", "chunked"],
)
def test_large_bodies_are_not_read(service, headers, part):
    with connect(service) as connection:
        connection.sendall(POST + headers)
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 400_000_000:
                connection.sendall(part)
                sent += len(part)
        assert answer_before_the_end(connection).startswith(b"HTTP/1.1 413 ")
    assert sent < 50_000_000  # most of it in buffers of the system


def test_an_announced_large_body_is_answered_before_it_comes(service):
    with connect(service) as connection:
        connection.sendall(
            POST + b"Expect: 100-continue\r\nContent-Length: 500001\r\n\r\n"
        )
        assert answer_before_the_end(connection).startswith(b"HTTP/1.1 413 ")


def test_slow_clients_are_cut_off(service):
    body = POST + b"Content-Length: 1000\r\n\r\n"
    # By name: the bytes that a client sends at first, and then one by one.
    clients = {
        "idle": (b"", b""),
        "slow headers": (b"GET / HTTP/1.1\r\n", b"a: b\r\n" * 50),
        "stopped headers": (POST, b""),
        "slow body": (body, b" " * 300),
        "stopped body": (body, b""),
    }

    def answer(client):
        first, slow = client
        with connect(service) as connection, contextlib.suppress(ConnectionError):
            connection.sendall(first)
            connection.settimeout(0.1)
            for i in range(300):
                try:
                    return connection.recv(1000)
                except TimeoutError:
                    connection.sendall(slow[i : i + 1])
            return "it is still connected"
        return b""  # reset

    with ThreadPoolExecutor(len(clients)) as pool:
        answers = dict(zip(clients, pool.map(answer, clients.values()), strict=True))
    assert {name: answer[:13] for name, answer in answers.items()} == {
        "idle": b"",
        "slow headers": b"",
        "stopped headers": b"",
        "slow body": b"HTTP/1.1 408 ",
        "stopped body": b"HTTP/1.1 408 ",
    }


GOOD = POST + b"Content-Length: %d\r\n\r\n" % len(images(IMAGE)) + images(IMAGE)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"\x00\xff\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),  # TLS
        (b"GET /health HTTP/1.1\r\n\r\n", 400),  # without a Host
        (b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 10_000, 400),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n12", 400),
        (POST + b"Content-Length: 99999999999999999999\r\n\r\n", 413),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n0\r\n\r\n", 400),
        (GOOD + GOOD, 200),
        (GOOD + b"\x00 garbage \r\n\r\n" * 10_000, 200),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n", 200),
    ],
    ids=lambda value: repr(value[-30:]) if isinstance(value, bytes) else None,
)
def test_one_answer_to_each_connection(service, request_, expected):
    with connect(service) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request_)
        answer = answer_before_the_end(connection)
    assert answer.startswith(b"HTTP/1.1 %d " % expected)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert_it_goes_on(service)


def test_clients_that_go_away(service):
    for part in (GOOD, GOOD[:-1], POST, POST[:10]):
        with connect(service) as connection:
            connection.sendall(part)
    assert_it_goes_on(service)


def test_eight_clients_at_once(service, classifier, X):
    def label(x):
        _, answer = ask(service, images(x.tolist()))
        return answer["labels"][0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(label, X)) == classifier.predict(X).tolist()


def test_loads_no_other_types(tmp_path):
    class Unknown(DummyClassifier):
        pass

    skops.io.dump(Unknown().fit([[0]], [0]), tmp_path / "unknown.skops")
    load = runpy.run_path(SCRIPT)["load"]
    with pytest.raises(skops.io.exceptions.UntrustedTypesFoundException):
        load(tmp_path / "unknown.skops")
