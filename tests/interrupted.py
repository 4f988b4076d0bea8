"""Fit again and again in a process that is interrupted (Ctrl-C) at random moments.

Run as ``python -m tests.interrupted NAME N_MOMENTS SEED``; prints how each fit ended,
and fails if one ended otherwise than it may.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections import Counter

import numpy as np
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from destructors import (
    RBIG,
    AlignmentFlow,
    AutoDestructor,
    DiscreteTreeFlow,
    TreeFlow,
)
from destructors.tree import BoostedTreeDestructor

__all__ = ["MODELS"]


def _numbers(n_rows=1500):
    rng = np.random.default_rng(0)
    x = rng.gamma(2.0, size=n_rows)
    return np.c_[x, np.sin(x) + 0.2 * rng.normal(size=n_rows), rng.normal(size=n_rows)]


def _codes():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, 3000)
    b = (a + rng.integers(0, 2, 3000)) % 4
    return np.stack([a, b, (a * b) % 3, rng.integers(0, 5, 3000)], axis=1)


MODELS = {
    "TreeFlow": lambda: (TreeFlow(random_state=0), _numbers(400), {}),
    "TreeFlow-2": lambda: (TreeFlow(random_state=0, n_jobs=2), _numbers(400), {}),
    "AutoDestructor": lambda: (AutoDestructor(random_state=0), _numbers(250), {}),
    "RBIG": lambda: (RBIG(random_state=0), _numbers(3000), {}),
    "BoostedTreeDestructor": lambda: (
        BoostedTreeDestructor(random_state=0),
        _numbers(2000),
        {},
    ),
    "AlignmentFlow": lambda: (
        AlignmentFlow(random_state=0),
        _numbers(300),
        {"sample_domain": np.arange(300) // 2 % 2},
    ),
    "DiscreteTreeFlow": lambda: (DiscreteTreeFlow(random_state=0), _codes(), {}),
}


def _outputs(model, X, labels):
    """Return what a usable model gives; raise NotFittedError if it is none."""
    Z = model.transform(X[:50], **labels)
    if "sample_domain" in labels:
        return Z
    assert np.isfinite(model.score_samples(X[:50])).all()
    assert len(model.sample(3, random_state=0)) == 3
    return np.c_[Z, model.score_samples(X[:50])]


def _fit_interrupted(model, X, labels, delay):
    """Fit; an interrupt comes after so many seconds. Tell how it ended."""
    timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ended = "finished"
        try:
            timer.start()
            model.fit(X, **labels)
            timer.join()
            # The interrupt of a fit that had ended arrives here at the latest.
            time.sleep(0.01)
        except KeyboardInterrupt:
            ended = "raised"
        try:
            timer.join()
            time.sleep(0.01)
        except KeyboardInterrupt:
            pass
    said = [w for w in caught if issubclass(w.category, ConvergenceWarning)]
    if ended == "finished" and any("KeyboardInterrupt" in str(w.message) for w in said):
        ended = "kept"
    if ended == "finished" and any("interrupted" in str(w.message) for w in said):
        ended = "kept"
    return ended


def main(name, n_moments, seed):
    rng = np.random.default_rng(seed)
    model, X, labels = MODELS[name]()
    some = {key: value[:50] for key, value in labels.items()}
    model.fit(X, **labels)
    began = time.perf_counter()
    model.fit(X, **labels)
    duration = time.perf_counter() - began
    whole = _outputs(model, X, some)
    counts = Counter()
    for moment in rng.uniform(0.0, duration, n_moments):
        for kind in ("first fit", "refit"):
            model = MODELS[name]()[0]
            former = None
            if kind == "refit":
                # Fitted on other rows, so that the two can be told apart.
                half = {key: value[::2] for key, value in labels.items()}
                model.fit(X[::2], **half)
                former = _outputs(model, X, some)
            ended = _fit_interrupted(model, X, labels, moment)
            try:
                now = _outputs(model, X, some)
            except NotFittedError:
                assert kind == "first fit", "a refit lost the former fit"
                assert ended == "raised"
                counts[kind, "not fitted"] += 1
                continue
            if former is not None and np.array_equal(now, former):
                assert ended == "raised", "a refit changed nothing and did not say so"
                counts[kind, "former fit"] += 1
            elif ended == "kept":
                counts[kind, "kept what was fitted, and said so"] += 1
            else:
                np.testing.assert_array_equal(now, whole, "half a model, unsaid")
                counts[kind, "whole"] += 1
    for (kind, outcome), count in sorted(counts.items()):
        print(f"{name}, {kind}: {outcome}: {count}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
