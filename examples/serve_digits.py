"""
A web service that reads digits
===============================

Loads a classifier and answers requests with Flask behind Waitress. It needs no
TensorFlow: ``pip install --no-deps skdigits`` and then scikit-learn, joblib, flask and
waitress are enough. ::

    python examples/serve_digits.py digits.skops
    curl http://127.0.0.1:8000/predict -H "Content-Type: application/json" \
        -d '{"images": [[0, 0.5, 1, ...]]}'

An image is a list of pixels, or a list of rows of pixels, with values like those the
classifier was trained on. The answer has a label and the probability of each class.
"""

import argparse
from pathlib import Path

import joblib
import numpy as np
import waitress
from flask import Flask, abort, jsonify, request
from werkzeug.exceptions import HTTPException

LARGEST_BODY = 16 * 2**20
MOST_IMAGES = 1000


def load(path):
    """A classifier from a file of skops or, if you made it yourself, of joblib."""
    if Path(path).suffix != ".skops":
        return joblib.load(path)
    import skops.io

    ours = {"skdigits._classifier.DigitMLPClassifier"}
    unknown = set(skops.io.get_untrusted_types(file=path)) - ours
    if unknown:
        raise SystemExit(f"{path} has types that are not trusted: {sorted(unknown)}")
    return skops.io.load(path, trusted=sorted(ours))


def make_app(classifier):
    """The service as a WSGI application."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    n_pixels = classifier.n_features_in_
    classes = classifier.classes_.tolist()

    @app.get("/")
    def about():
        return jsonify(classes=classes, pixels=n_pixels)

    @app.post("/predict")
    def predict():
        try:
            # Itself answers 415 to another content type, 400 to what isn't JSON.
            body = request.get_json()
        except RecursionError:
            abort(400, "expected JSON that is not nested so deeply")
        X = images_in(body, n_pixels)
        try:
            probabilities = classifier.predict_proba(X)
        except ValueError as error:  # values far from any image's
            abort(422, str(error))
        labels = classifier.classes_[probabilities.argmax(axis=1)]
        return jsonify(labels=labels.tolist(), probabilities=probabilities.tolist())

    @app.errorhandler(HTTPException)
    def explain(error):
        return jsonify(error=error.description), error.code

    return app


def images_in(body, n_pixels):
    """The images of a request as rows, or an answer that says what is wrong."""
    images = body.get("images") if isinstance(body, dict) else None
    if not isinstance(images, list) or not 1 <= len(images) <= MOST_IMAGES:
        abort(422, f'expected {{"images": [...]}} with 1 to {MOST_IMAGES} images')
    try:
        X = np.array(images)
    except ValueError:
        abort(422, "expected images that all have the same size")
    X = X.reshape(len(X), -1)
    if X.shape[1] != n_pixels:
        abort(422, f"expected images of {n_pixels} pixels, got {X.shape[1]}")
    if X.dtype.kind not in "iuf" or not np.isfinite(X).all():
        abort(422, "expected pixels that are finite numbers")
    return X.astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description="Serve a digit classifier.")
    parser.add_argument("classifier", help="file of skops (.skops) or joblib")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    args = parser.parse_args()
    server = waitress.create_server(
        make_app(load(args.classifier)), host=args.host, port=args.port, threads=8
    )
    print(f"Listening on http://{args.host}:{server.effective_port}", flush=True)
    server.run()


if __name__ == "__main__":
    main()
