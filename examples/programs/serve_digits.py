r"""
A web service that reads digits
===============================

Serve a saved classifier over HTTP, with limits on what clients can use.

The service uses Starlette and uvicorn. It does not need TensorFlow: install
scikit-learn, skops, starlette and uvicorn, and then skdigits with
``pip install --no-deps``.

.. code-block:: bash

    python serve_digits.py digits.skops
    curl http://127.0.0.1:8000/predict \
        -H "Content-Type: application/json" \
        -d '{"images": [[0, 0.5, 1, ...]]}'

An image is a list of pixels, or a list of rows of pixels, in the range of the
training data. The response has the label and the probabilities of each image.
Without a file, the service uses the packaged digit reader. ``GET /health``
returns the classes and the number of pixels.

Requests use up to 0.5 GB of memory: the maximum number of connections times
the maximum size of a body, and the same again for buffers. Use a proxy in
front of the service for encryption, users and limits per address.
"""

import argparse
import asyncio
import contextlib
import json

import numpy as np
import skops.io
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from skdigits.pretrained import load_digit_reader

MAX_CONNECTIONS = 500
MAX_HEADERS = 16_000  # bytes
MAX_BODY = 500_000  # bytes: 100 images of 28 x 28 pixels in 0 to 255
MAX_IMAGES = 100


def load(path):
    """Return the classifier in a skops file, of no other types than these."""
    trusted = [
        "skdigits.DigitMLPClassifier",
        "skdigits.augmentation.RandomDistortion",  # the parameter `augment`
    ]
    return skops.io.load(path, trusted=trusted)


def make_app(classifier, timeout):
    """Return the service as an ASGI application."""
    turns = asyncio.Semaphore(2)  # bounds the memory of JSON and NumPy
    about = {
        "classes": classifier.classes_.tolist(),
        "pixels": classifier.n_features_in_,
    }

    async def health(request):
        return JSONResponse({"status": "ok", **about})

    async def predict(request):
        body = await read_body(request, timeout)
        try:
            async with asyncio.timeout(timeout), turns:
                if await request.is_disconnected():
                    raise HTTPException(400, "the connection ended")
                # In a thread, so that the event loop stays free.
                answer = await asyncio.to_thread(read_digits, classifier, body)
        except TimeoutError:
            raise HTTPException(
                503, "too many requests, try again later"
            ) from None
        return JSONResponse(answer)

    async def explain(request, error):
        return JSONResponse(
            {"error": error.detail}, error.status_code, error.headers
        )

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/predict", predict, methods=["POST"]),
        ],
        exception_handlers={HTTPException: explain},
    )


async def read_body(request, timeout):
    """Return the body of a request, and read no more of it than the limit."""
    content_type = request.headers.get("Content-Type", "").partition(";")[0]
    if content_type.strip().lower() != "application/json":
        raise HTTPException(415, "expected Content-Type: application/json")
    too_large = HTTPException(
        413, f"expected a body of at most {MAX_BODY} bytes"
    )
    if int(request.headers.get("Content-Length", 0)) > MAX_BODY:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(timeout):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise too_large
    except TimeoutError:
        raise HTTPException(
            408, f"expected the body within {timeout} s"
        ) from None
    except ClientDisconnect:
        raise HTTPException(400, "the connection ended") from None
    return body


def read_digits(classifier, body):
    """Return the response to a body, or raise an error that explains it."""
    try:
        # Integers as floats: int() is slow on thousands of digits.
        request = json.loads(body, parse_int=float)
    except (ValueError, RecursionError):
        raise HTTPException(400, "expected a body of JSON") from None
    images = request.get("images") if isinstance(request, dict) else None
    if not isinstance(images, list) or not 1 <= len(images) <= MAX_IMAGES:
        raise HTTPException(
            422, f'expected {{"images": [1 to {MAX_IMAGES} images]}}'
        )
    try:
        X = np.array(
            [pixels_of(image, classifier.n_features_in_) for image in images]
        )
        probabilities = classifier.predict_proba(X)
    except (
        ValueError
    ) as error:  # from predict_proba: NaN, infinity or huge values
        raise HTTPException(422, str(error)) from None
    labels = classifier.classes_[probabilities.argmax(axis=1)]
    return {"labels": labels.tolist(), "probabilities": probabilities.tolist()}


def pixels_of(image, n_pixels):
    """Return an image as a list of floats.

    NumPy must not get other JSON: for example, it would create a huge array
    from a list with one long string.
    """
    pixels = image if isinstance(image, list) else [image]
    if all(isinstance(row, list) for row in pixels):
        if len(set(map(len, pixels))) > 1:
            raise ValueError(
                "expected rows of pixels that all have the same length"
            )
        pixels = [pixel for row in pixels for pixel in row]
    if len(pixels) != n_pixels:
        raise ValueError(
            f"expected images of {n_pixels} pixels, got {len(pixels)}"
        )
    if any(type(pixel) is not float for pixel in pixels):
        raise ValueError("expected pixels that are numbers")
    return pixels


class BoundedProtocol(H11Protocol):
    """HTTP with a limited number of connections, and a limited time for each.

    uvicorn itself has no timeout for headers, nor for a client to receive its
    response.
    """

    timeout = 10  # seconds for a request, and the same again for its response

    def connection_made(self, transport):
        super().connection_made(transport)
        self.deadline = self.loop.call_later(2 * self.timeout, transport.abort)
        # Tasks too: they continue after their clients have disconnected.
        if max(len(self.connections), len(self.tasks)) > MAX_CONNECTIONS:
            transport.write(
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                b"Connection: close\r\nContent-Type: application/json\r\n\r\n"
                b'{"error": "too many connections, try again later"}'
            )
            transport.close()

    def connection_lost(self, error):
        self.deadline.cancel()
        super().connection_lost(error)


def main():
    parser = argparse.ArgumentParser(description="Serve a digit classifier.")
    parser.add_argument("classifier", nargs="?", help="file of skops")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--timeout", type=float, default=10, help="of a request, in s"
    )
    args = parser.parse_args()
    classifier = (
        load(args.classifier) if args.classifier else load_digit_reader()
    )
    BoundedProtocol.timeout = args.timeout
    config = uvicorn.Config(
        make_app(classifier, args.timeout),
        host=args.host,
        port=args.port,
        http=BoundedProtocol,
        h11_max_incomplete_event_size=MAX_HEADERS,
        # One request per connection, so that both have the same deadline.
        headers=[("Connection", "close")],
        ws="none",
        log_level="error",
    )
    listener = config.bind_socket()
    listener.listen()  # from here on, clients can connect
    address = f"http://{args.host}:{listener.getsockname()[1]}"
    print(f"Listening on {address}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
