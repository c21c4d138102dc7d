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
    WEIGHTS,
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


def split_weights(weights):
    """Parts of `path_weights`: of windows, skipped pieces, joints and other lines."""
    return np.split(weights, np.cumsum([np.size(own) for own in WEIGHTS])[:-1])


def log_likelihood(weights, chains):
    """Sum over chains of the log-likelihood of the true paths, and its gradient."""
    parts = split_weights(weights)
    results = [_log_likelihood(parts, *chain) for chain in chains]
    values, gradients = zip(*results, strict=True)
    return sum(values), np.sum(gradients, axis=0)


def _log_likelihood(parts, F, S, cuts, other, spans, path):
    for_windows, for_skips, for_joints, for_others = parts
    starts, stops = np.transpose(spans)
    scores, skips, joints = F @ for_windows, S @ for_skips, for_joints * cuts
    before, closed, before_window = _forward(starts, stops, scores, skips, joints)
    after, opened, after_window = _backward(starts, stops, scores, skips, joints)
    Z = before[-1]
    nothing = skips.sum() + other @ for_others
    both = np.logaddexp(Z, nothing)
    share = np.exp(before_window[starts] + scores + after_window[stops] - Z)
    skip_share = np.exp(before[:-1] + skips + after[1:] - Z)
    joint_share = np.exp(closed[:-1] + joints + opened - Z)
    places = np.arange(len(skips))
    skipped = np.ones(len(skips))
    for index in path:
        skipped[slice(*spans[index])] = 0
    joint = np.isin(places, starts[path]) & np.isin(places, stops[path])
    digits = np.exp(Z - both)
    true = scores[path].sum() + skips @ skipped + joints @ joint
    own = 1.0  # share of the true paths in which the line consists of digits
    if not path:
        either = np.logaddexp(true, nothing)
        own, true = np.exp(true - either), either
    gradient = [
        F[path].sum(0) - digits * share @ F,
        (own * skipped - digits * skip_share) @ S + (digits - own) * S.sum(axis=0),
        [(joint - digits * joint_share) @ cuts],
        (digits - own) * other,
    ]
    return true - both, np.concatenate(gradient)


def _forward(starts, stops, scores, skips, joints):
    """Log of the sum over all paths to each piece.

    Also over those that end there with a window, and over all of them if a window
    begins there, with the joint of the two.
    """
    before, closed = np.full((2, len(skips) + 1), -np.inf)
    before_window = np.zeros(len(skips))
    before[0] = 0.0
    for stop, skip in enumerate(skips, start=1):
        own = stops == stop
        closed[stop] = np.logaddexp.reduce(before_window[starts[own]] + scores[own])
        skipped = before[stop - 1] + skip
        before[stop] = np.logaddexp(skipped, closed[stop])
        if stop < len(skips):
            joined = closed[stop] + joints[stop]
            before_window[stop] = np.logaddexp(skipped, joined)
    return before, closed, before_window


def _backward(starts, stops, scores, skips, joints):
    """Log of the sum over all paths from each piece.

    Also over those that begin there with a window, and over all of them if a window
    ends there, with the joint of the two.
    """
    after, after_window = np.zeros((2, len(skips) + 1))
    opened = np.zeros(len(skips))
    for first in reversed(range(len(skips))):
        own = starts == first
        opened[first] = np.logaddexp.reduce(after_window[stops[own]] + scores[own])
        skipped = after[first + 1] + skips[first]
        after[first] = np.logaddexp(skipped, opened[first])
        after_window[first] = np.logaddexp(skipped, opened[first] + joints[first])
    return after, opened, after_window


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
    names = ("WINDOW_WEIGHTS", "SKIP_WEIGHTS", "JOINT_WEIGHT", "OTHER_WEIGHTS")
    for name, part in zip(names, split_weights(result.x), strict=True):
        print(name, np.round(part, 2).tolist())


if __name__ == "__main__":
    main()
