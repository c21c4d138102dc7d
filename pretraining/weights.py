"""Write the file of weights: one byte per weight, no pickle, and a checksum."""

import hashlib
import io
import json

import numpy as np


def quantize(clf):
    """Round the weights of each unit to integer multiples of a step.

    Parameters
    ----------
    clf : DigitMLPClassifier
        Fitted; its `coefs_` are rounded in place.

    Returns
    -------
    list of tuple
        For each layer, weights of int8, and steps of float32, one per unit.
    """
    layers = []
    for coef in clf.coefs_:
        step = np.abs(coef).max(axis=0) / 127
        step[step == 0] = 1
        whole = np.rint(coef / step).astype(np.int8)
        step = step.astype(np.float32)
        coef[...] = whole * step
        layers.append((whole, step))
    return layers


def save(folder, clf, layers, error_table):
    """Write `digit_reader.npz` and the module with its checksum; return its size."""
    parameters = clf.get_params(deep=False)
    parameters["augment"] = parameters["augment"].get_params()
    parameters["verbose"] = 0
    about = {
        "parameters": parameters,
        "n_layers": len(layers),
        "n_samples_seen": clf.t_,
        "loss_curve": clf.loss_curve_,
        "error_table": error_table,
    }
    arrays = {"about": np.array(json.dumps(about)), "classes": clf.classes_}
    for layer, ((whole, step), intercept) in enumerate(
        zip(layers, clf.intercepts_, strict=True)
    ):
        arrays |= {
            f"coef_{layer}": whole,
            f"step_{layer}": step,
            f"intercept_{layer}": intercept,
        }
    # Needed to resume training.
    for layer, norm in enumerate(clf._batch_norms):
        arrays[f"norm_{layer}"] = norm
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    content = file.getvalue()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "digit_reader.npz").write_bytes(content)
    checksum = hashlib.sha256(content).hexdigest()
    (folder / "_checksums.py").write_text(
        '"""Checksums of the files in this folder, written by `make pretrained`."""\n\n'
        f'SHA256 = {{\n    "digit_reader.npz": "{checksum[:32]}"\n'
        f'    "{checksum[32:]}",\n}}\n',
        "utf-8",
    )
    return len(content)
