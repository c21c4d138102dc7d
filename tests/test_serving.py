"""The example service, as a process that is sent real requests."""

import http.client
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import joblib
import numpy as np
import pytest

from skdigits import DigitMLPClassifier

pytest.importorskip("flask")
pytest.importorskip("waitress")
SCRIPT = Path(__file__).parent.parent / "examples" / "serve_digits.py"
pytestmark = pytest.mark.skipif(
    not SCRIPT.exists(), reason="needs a clone of the project"
)


@pytest.fixture(scope="module")
def classifier():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return DigitMLPClassifier(max_iter=5, random_state=0).fit(X / 16, y.astype(str))


@pytest.fixture(scope="module")
def address(classifier, tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "digits.joblib"
    joblib.dump(classifier, path)
    command = [sys.executable, str(SCRIPT), str(path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield urlsplit(process.stdout.readline().split()[-1]).netloc
        finally:
            process.terminate()


def ask(address, body, content_type="application/json", method="POST"):
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request(method, "/predict", body, {"Content-Type": content_type})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_answers_like_the_classifier(address, classifier, digits):
    X = digits[0][:20]
    status, answer = ask(address, json.dumps({"images": X.tolist()}))
    assert status == 200
    assert answer["labels"] == classifier.predict(X).tolist()
    np.testing.assert_allclose(
        answer["probabilities"], classifier.predict_proba(X), atol=1e-6
    )


def test_takes_images_as_rows_of_pixels(address, classifier, digits):
    X = digits[0][:2]
    images = X.reshape(-1, 8, 8).tolist()
    _, answer = ask(address, json.dumps({"images": images}))
    assert answer["labels"] == classifier.predict(X).tolist()


IMAGE = [0.0] * 64


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b"null", 422),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"images": []}', 422),
        (b'{"images": 3}', 422),
        (b'{"images": [1, 2]}', 422),
        (b'{"images": [[1, 2], [3]]}', 422),
        (b'{"images": [[NaN]]}', 422),
        (json.dumps({"images": [[float("nan")] * 64]}).encode(), 422),
        (json.dumps({"images": [[1e300] * 64]}).encode(), 422),
        (json.dumps({"images": [["1"] * 64]}).encode(), 422),
        (json.dumps({"images": [[None] * 64]}).encode(), 422),
        (json.dumps({"images": [[True] * 64]}).encode(), 422),
        (json.dumps({"images": [[{}] * 64]}).encode(), 422),
        (json.dumps({"images": [[10**400] * 64]}).encode(), 422),
        (json.dumps({"images": [IMAGE[1:]]}).encode(), 422),
        (json.dumps({"images": [IMAGE] * 1001}).encode(), 422),
        (b" " * (17 * 2**20), 413),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else None,
)
def test_bad_bodies_are_answered_and_the_service_goes_on(address, body, expected):
    status, answer = ask(address, body)
    assert status == expected
    assert answer["error"]
    assert ask(address, json.dumps({"images": [IMAGE]}))[0] == 200


def test_other_requests_are_answered(address):
    good = json.dumps({"images": [IMAGE]})
    assert ask(address, good, content_type="text/plain")[0] == 415
    assert ask(address, None, method="GET")[0] == 405


def test_eight_clients_at_once(address, classifier, digits):
    X = digits[0]
    expected = classifier.predict(X).tolist()

    def client(number):
        answers = []
        for row in range(number, len(X), 8):
            status, answer = ask(address, json.dumps({"images": [X[row].tolist()]}))
            assert status == 200
            answers.append((row, *answer["labels"]))
        return answers

    with ThreadPoolExecutor(8) as pool:
        answers = dict(pair for some in pool.map(client, range(8)) for pair in some)
    assert [answers[row] for row in range(len(X))] == expected
