"""Streams: one pass over many rows beside a fit to all of them, and a drift."""

from __future__ import annotations

import pickle
import resource
from collections.abc import Iterator
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.compose import DestructorPipeline, IncrementalDestructor

__all__ = ["measure_drift", "measure_stream"]

# Rows of a batch, columns of a row, and rows to score.
_BATCH, _N_COLUMNS, _N_HELD_OUT = 10_000, 6, 50_000


def measure_stream(n_rows: int) -> dict[str, Any]:
    """Learn from rows in one pass, and fit the same steps to all of them.

    Returns
    -------
    found : dict
        Held-out nats and CPU seconds of both; megabytes of the model after a tenth of
        the stream and at its end, and by which the process grew in between; how many
        steps have settled. Batches are made one after the other, not kept.
    """
    held_out = _draw(_N_HELD_OUT, np.random.default_rng(1))
    model = IncrementalDestructor(random_state=0)
    sizes, peaks, seconds = [], [], 0.0
    n_batches = max(1, n_rows // _BATCH)
    marks = {max(1, n_batches // 10), n_batches}
    for number, batch in enumerate(_batches(n_batches), 1):
        began = process_time()
        model.partial_fit(batch)
        seconds += process_time() - began
        if number in marks:
            sizes.append(len(pickle.dumps(model)) / 1e6)
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    # The steps have their seeds as parameters, so that rotations are the same.
    batch_fit = DestructorPipeline(model.steps_)
    began = process_time()
    batch_fit.fit(np.concatenate(list(_batches(n_batches))))
    in_memory = process_time() - began
    return {
        "rows": n_batches * _BATCH,
        "stream": model.score(held_out),
        "batch": batch_fit.score(held_out),
        "CPU stream": seconds,
        "CPU batch": in_memory,
        "MB at a tenth": sizes[0],
        "MB at the end": sizes[-1],
        "grown by": peaks[-1] - peaks[0],
        "settled": model.n_settled_,
    }


def measure_drift(half_life: int) -> dict[str, Any]:
    """Learn from rows whose law changes at once.

    Returns
    -------
    found : dict
        Nats that the new rows lack beside a model of many of them: at the change, and
        after one and four times the half-life.
    """
    rng, n_batch = np.random.default_rng(0), max(100, half_life // 20)
    model = IncrementalDestructor(half_life=half_life, random_state=0)
    for _ in range(5 * half_life // n_batch):
        model.partial_fit(_draw(n_batch, rng))
    held_out = _drifted(_N_HELD_OUT, np.random.default_rng(1))
    best = IncrementalDestructor(random_state=0).fit(_drifted(10 * half_life, rng))
    lost = [best.score(held_out) - model.score(held_out)]
    for number in range(1, 4 * half_life // n_batch + 1):
        model.partial_fit(_drifted(n_batch, rng))
        if number * n_batch in (half_life, 4 * half_life):
            lost.append(best.score(held_out) - model.score(held_out))
    names = ("lost at once", "after a half-life", "after four")
    return {"half-life": half_life, **dict(zip(names, lost, strict=True))}


def _batches(n_batches: int) -> Iterator[NDArray]:
    return (_draw(_BATCH, np.random.default_rng([0, i])) for i in range(n_batches))


def _draw(n_rows: int, rng: np.random.Generator) -> NDArray:
    x = rng.gamma(2.0, size=(n_rows, _N_COLUMNS // 2))
    return np.c_[x, np.sin(x) + rng.normal(scale=0.3, size=x.shape)]


def _drifted(n_rows: int, rng: np.random.Generator) -> NDArray:
    X, half = _draw(n_rows, rng), _N_COLUMNS // 2
    return np.c_[1.5 * X[:, :half] + 2.0, X[:, half:][:, ::-1]]
