"""An environment without TensorFlow, as on a server: it can load and predict.

It has scikit-learn and skops with what they need, as installed here, and skdigits.
"""

import importlib.metadata
import os
import pickle
import shutil
import subprocess
import textwrap
import venv
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from packaging.requirements import Requirement
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdigits
from skdigits import DigitMLPClassifier
from skdigits.pretrained import load_digit_reader

PROJECT = Path(skdigits.__file__).parents[1]

pytestmark = pytest.mark.skipif(
    not (PROJECT / "pyproject.toml").exists(), reason="needs a clone of the project"
)


def requirements(*names):
    """Names of the installed distributions that some need, themselves included."""
    found, new = set(), set(names)
    while new:
        found |= new
        needed = (
            Requirement(text)
            for name in new
            for text in importlib.metadata.requires(name) or ()
        )
        new = {
            need.name.lower()
            for need in needed
            if need.marker is None or need.marker.evaluate({"extra": ""})
        } - found
    return found


class Environment:
    """A virtual environment, and files to load in it.

    Nothing of the environment around it is seen there: not its packages, and not
    the project's folder either.
    """

    def __init__(self, folder, *names):
        self.folder = folder
        builder = venv.EnvBuilder(symlinks=os.name != "nt")
        builder.create(folder / "env")
        self._python = builder.ensure_directories(folder / "env").env_exe
        site_packages = self.execute(
            "import sysconfig; print(sysconfig.get_path('purelib'))"
        )
        self._site_packages = Path(site_packages.strip())
        self.install(*names)
        shutil.copytree(PROJECT / "skdigits", self._site_packages / "skdigits")

    def install(self, *names):
        """Link distributions and their requirements; return the new links."""
        links = []
        for name in requirements(*names):
            distribution = importlib.metadata.distribution(name)
            for part in {file.parts[0] for file in distribution.files} - {".."}:
                target = self._site_packages / part
                if not target.exists():  # folders of namespaces are shared
                    target.symlink_to(distribution.locate_file(part))
                    links.append(target)
        return links

    @contextmanager
    def installed(self, *names):
        """Have further distributions inside the context."""
        links = self.install(*names)
        try:
            yield
        finally:
            for link in links:
                link.unlink()

    def execute(self, code):
        hidden = {"PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS"}
        env = {name: os.environ[name] for name in os.environ.keys() - hidden}
        done = subprocess.run(
            [self._python, "-W", "error", "-c", textwrap.dedent(code)],
            env=env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def files(digits, tmp_path_factory):
    """A folder with saved classifiers, and what they predict here."""
    import keras

    X, y = digits
    folder = tmp_path_factory.mktemp("server")
    clf = DigitMLPClassifier(max_iter=5, batch_norm=True, random_state=0)
    models = {
        "plain": clf.fit(X, y.astype(str)),
        "warm": DigitMLPClassifier(max_iter=5, warm_start=True, random_state=0).fit(
            X, y
        ),
        "pipeline": make_pipeline(StandardScaler(), clone(clf)).fit(X, y),
    }
    arrays = {"X": X}
    for name, model in models.items():
        joblib.dump(model, folder / f"{name}.joblib")
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(model))
        skops.io.dump(model, folder / f"{name}.skops")
        arrays[name] = model.predict_proba(X)
    np.savez(folder / "expected.npz", **arrays)
    clf.set_params(callbacks=[keras.callbacks.History()])
    joblib.dump(clf, folder / "with_callbacks.joblib")
    return folder


@pytest.fixture(scope="module")
def server(files):
    return Environment(files, "scikit-learn", "skops")


def test_what_is_installed(server):
    out = server.execute(
        """
        import importlib.metadata
        print(*sorted(d.name.lower() for d in importlib.metadata.distributions()))
        import skdigits
        print(skdigits.__file__)
        """
    )
    installed, path = out.splitlines()
    assert not {"keras", "matplotlib", "tensorflow", "tqdm"} & set(installed.split())
    assert Path(path).is_relative_to(server.folder)


def test_loading_and_predicting(server):
    server.execute(
        """
        import pickle
        import joblib
        import numpy as np

        expected = np.load("expected.npz")
        X = expected["X"]
        for name in ("plain", "warm", "pipeline"):
            with open(f"{name}.pickle", "rb") as file:
                models = [joblib.load(f"{name}.joblib"), pickle.load(file)]
            for model in models:
                P = model.predict_proba(X)
                np.testing.assert_allclose(P, expected[name], rtol=1e-4, atol=1e-6)
                most_likely = model.classes_[P.argmax(axis=1)]
                np.testing.assert_array_equal(model.predict(X), most_likely)
                assert model.decision_function(X).shape == P.shape
                assert np.isfinite(model.predict_log_proba(X)).all()
        # Another file can be made of it there.
        joblib.dump(model, "again.joblib")
        np.testing.assert_array_equal(joblib.load("again.joblib").predict_proba(X), P)
        """
    )


def test_reading_a_page(server):
    """Arrays need nothing more, files need Pillow."""
    server.execute(
        """
        import numpy as np
        from skdigits.images import read_digits
        from skdigits.pretrained import load_digit_reader

        page = np.ones((200, 300))
        page[60:120, 50:58] = page[60:120, 150:158] = 0.1
        reading = read_digits(page)
        assert reading.text == "11", reading.text
        rows = np.stack([digit.image.ravel() for digit in reading.digits])
        assert load_digit_reader().predict(rows).tolist() == [1, 1]
        try:
            read_digits("expected.npz")
        except ImportError as error:
            assert "`pip install pillow`" in str(error), error
        else:
            raise AssertionError("no error")
        """
    )


def test_commands_read_and_evaluate(server, files):
    Image = pytest.importorskip("PIL.Image")
    page = np.full((200, 300), 255, dtype=np.uint8)
    page[60:120, 50:58] = page[60:120, 150:158] = 25
    Image.fromarray(page).save(files / "page.png")
    distance = np.hypot(*np.mgrid[-40:41, -40:41])
    ring = np.where(abs(distance - 25) < 4, 25, 255).astype(np.uint8)
    for label, image in [("0", ring), ("1", page[:, :100])]:
        (files / "single" / label).mkdir(parents=True)
        Image.fromarray(image).save(files / "single" / label / "image.png")
    joblib.dump(load_digit_reader(), files / "reader.joblib")
    command = "from skdigits._commands import main; main({})"
    with server.installed("pillow"):
        assert server.execute(command.format(["read", "page.png"])) == "11\n"
        out = server.execute(command.format(["evaluate", "reader.joblib", "single"]))
    assert out.startswith("accuracy 100.00%: 2 of 2 images")


def test_training_says_what_to_install(server):
    server.execute(
        """
        import joblib
        import numpy as np
        from skdigits import DigitMLPClassifier

        X = np.load("expected.npz")["X"]
        loaded = joblib.load("plain.joblib")
        for train in (
            lambda: DigitMLPClassifier().fit(X, np.arange(len(X)) % 10),
            lambda: DigitMLPClassifier(verbose=1).fit(X, np.arange(len(X)) % 10),
            lambda: loaded.partial_fit(X, loaded.predict(X)),
            loaded.to_keras,
        ):
            try:
                train()
            except ImportError as error:
                assert "needs TensorFlow and Keras 3" in str(error), error
                assert "`pip install tensorflow`" in str(error), error
            else:
                raise AssertionError("no error")
        assert loaded.predict(X).shape == (len(X),)
        """
    )


def test_keras_callbacks_in_a_file_need_keras(server, files):
    server.execute(
        """
        import joblib

        try:
            joblib.load("with_callbacks.joblib")
        except ModuleNotFoundError as error:
            assert error.name == "keras", error
        else:
            raise AssertionError("no error")
        """
    )
    clf = joblib.load(files / "with_callbacks.joblib")
    joblib.dump(clf.set_params(callbacks=None), files / "without_callbacks.joblib")
    server.execute("import joblib; joblib.load('without_callbacks.joblib')")


def test_skops(server):
    server.execute(
        """
        import numpy as np
        import skops.io

        expected = np.load("expected.npz")
        ours = ["skdigits.DigitMLPClassifier"]
        for name in ("plain", "warm", "pipeline"):
            assert skops.io.get_untrusted_types(file=f"{name}.skops") == ours
            model = skops.io.load(f"{name}.skops", trusted=ours)
            P = model.predict_proba(expected["X"])
            np.testing.assert_allclose(P, expected[name], rtol=1e-4, atol=1e-6)
        """
    )
