"""Fit the weights with which lines of digits are segmented, and print them.

`python -m pretraining.segmentation --data mnist.npz` composes lines of digits and signs
of which every pixel is known, and maximises the likelihood of the true paths through
their windows: a semi-Markov conditional random field (Sarawagi and Cohen, 2004).
"""

import argparse
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from scipy import optimize

from pretraining.__main__ import load
from pretraining.lines import make_line, photographed, to_lines
from skdigits.images._lattice import (
    OTHER_WEIGHTS,
    WEIGHTS,
    WINDOW_WEIGHTS,
    line_features,
    skip_features,
    window_features,
)


def examples(X, y, seed):
    """Chains of a line: features of windows and pieces, and the true path."""
    rng = np.random.default_rng([seed, 5])
    ink, numbers, _ = make_line(X, y, rng)
    strokes, numbers = photographed(ink, numbers, rng)
    lines, labels = to_lines(strokes)
    found = []
    for line in lines:
        path = _true_path(line.pieces, line.windows, labels, numbers)
        if path is None:
            found.append(None)
            continue
        spans = [(window.first, window.stop) for window in line.windows]
        cuts = np.array([piece.cut_before for piece in line.pieces])
        features = window_features(line), skip_features(line), cuts, line_features(line)
        found.append((*features, spans, path))
    return found


def _true_path(pieces, windows, labels, numbers):
    """Indices of the windows of digits; None if a digit has no window of its own."""
    owners = []
    for piece in pieces:
        own = numbers[piece.box][labels[piece.box] == piece.label]
        counts = np.bincount(own + 1, minlength=2)
        counts[1] = 0  # blur around a stroke
        owners.append(int(counts.argmax()) - 1)
    path = []
    for digit in sorted(set(owners) - {-1, 0}):
        indices = [i for i, owner in enumerate(owners) if owner == digit]
        span = indices[0], indices[-1] + 1
        others = {owners[i] for i in range(*span)} - {digit}
        match = [i for i, w in enumerate(windows) if (w.first, w.stop) == span]
        if others - {-1} or not match:
            return None
        inside = np.isin(labels, [pieces[i].label for i in range(*span)])
        pixels = numbers == digit
        union = (inside & (numbers != 0)) | pixels
        if (inside & pixels).sum() < 0.8 * union.sum():
            return None
        path.append(match[0])
    return path


def path_weights():
    """The weights of skdigits in the order of `log_likelihood`."""
    return np.hstack(WEIGHTS)


def log_likelihood(weights, chains):
    """Sum over chains of the log-likelihood of the true paths, and its gradient."""
    n, m = len(WINDOW_WEIGHTS), -len(OTHER_WEIGHTS)
    total, gradient = 0.0, np.zeros_like(weights)
    for F, S, cuts, other, spans, path in chains:
        scores, skips = F @ weights[:n], S @ weights[n : m - 1]
        joints = weights[m - 1] * cuts
        n_pieces = len(S)
        starting = [[] for _ in range(n_pieces + 1)]
        ending = [[] for _ in range(n_pieces + 1)]
        for index, (first, stop) in enumerate(spans):
            starting[first].append(index)
            ending[stop].append(index)
        # Paths to each piece: all of them, and those that end there with a window.
        before, closed = np.full((2, n_pieces + 1), -np.inf)
        before[0] = 0.0
        before_window = np.zeros(n_pieces + 1)
        for stop in range(n_pieces + 1):
            if stop:
                closed[stop] = np.logaddexp.reduce(
                    [before_window[spans[i][0]] + scores[i] for i in ending[stop]]
                    or [-np.inf]
                )
                skipped = before[stop - 1] + skips[stop - 1]
                before[stop] = np.logaddexp.reduce([skipped, closed[stop]])
            else:
                skipped = 0.0
            if stop < n_pieces:
                joined = closed[stop] + joints[stop]
                before_window[stop] = np.logaddexp.reduce([skipped, joined])
        # Paths from each piece: those after a skipped piece, and after a window.
        after, after_window = np.zeros(n_pieces + 1), np.zeros(n_pieces + 1)
        windows = np.full(n_pieces + 1, -np.inf)
        for first in range(n_pieces - 1, -1, -1):
            windows[first] = np.logaddexp.reduce(
                [after_window[spans[i][1]] + scores[i] for i in starting[first]]
                or [-np.inf]
            )
            skipped = after[first + 1] + skips[first]
            after[first] = np.logaddexp.reduce([skipped, windows[first]])
            after_window[first] = np.logaddexp.reduce(
                [skipped, windows[first] + joints[first]]
            )
        Z = before[-1]
        # Of the paths together: those of digits, and the one of another line.
        nothing = skips.sum() + other @ weights[m:]
        both = np.logaddexp(Z, nothing)
        starts, stops = np.array(spans, dtype=int).T
        share = np.exp(before_window[starts] + scores + after_window[stops] - Z)
        skip_share = np.exp(before[:-1] + skips + after[1:] - Z)
        joint_share = np.exp(closed[:-1] + joints + windows[:-1] - Z)
        skipped = np.ones(n_pieces)
        joint = np.zeros(n_pieces)
        for index in path:
            skipped[slice(*spans[index])] = 0
            joint[spans[index][0]] = any(
                spans[other][1] == spans[index][0] for other in path
            )
        digits = np.exp(Z - both)
        true = scores[path].sum() + skips @ skipped + joints @ joint
        own = 1.0  # share of the digits' state in the true paths
        if not path:
            either = np.logaddexp(true, nothing)
            own, true = np.exp(true - either), either
        total += true - both
        gradient[:n] += F[path].sum(0) - digits * share @ F
        gradient[n : m - 1] += (own * skipped - digits * skip_share) @ S
        gradient[n : m - 1] += (digits - own) * S.sum(axis=0)
        gradient[m - 1] += (joint - digits * joint_share) @ cuts
        gradient[m:] += (digits - own) * other
    return total, gradient


def main():
    parser = argparse.ArgumentParser(
        prog="python -m pretraining.segmentation", description=__doc__
    )
    parser.add_argument("--data", type=Path, metavar="FILE")
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    (X, y), (X_held, y_held) = load(args.data)
    fitted, held = (
        Parallel(n_jobs=args.jobs)(
            delayed(examples)(images, labels, seed) for seed in seeds
        )
        for images, labels, seeds in (
            (X, y, range(args.lines)),
            (X_held, y_held, range(args.lines, args.lines + args.lines // 4)),
        )
    )
    sets = []
    for found in (fitted, held):
        chains = [chain for line in found for chain in line]
        kept = [chain for chain in chains if chain is not None]
        lost = sum(chain is None for chain in chains)
        print(f"{len(kept)} chains, {lost} without a true path")
        sets.append(kept)

    def objective(weights):
        value, gradient = log_likelihood(weights, sets[0])
        penalty = 0.05 * weights
        return -value + penalty @ weights / 2, -gradient + penalty

    start = path_weights()
    result = optimize.minimize(
        objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 40}
    )
    for weights in (start, result.x):
        print([-log_likelihood(weights, part)[0] / len(part) for part in sets])
    n, m = len(WINDOW_WEIGHTS), -len(OTHER_WEIGHTS)
    print("WINDOW_WEIGHTS", np.round(result.x[:n], 2).tolist())
    print("SKIP_WEIGHTS", np.round(result.x[n : m - 1], 2).tolist())
    print("JOINT_WEIGHT", np.round(result.x[m - 1], 2))
    print("OTHER_WEIGHTS", np.round(result.x[m:], 2).tolist())


if __name__ == "__main__":
    main()
