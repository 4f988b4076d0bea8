"""What another process does in the test beside this file: run with ``-W error``.

Run as ``python -m tests.stress.jobs [NAME ...]``.
"""

import multiprocessing
import os
import resource
import sys
import threading
from typing import Any

import numpy as np

from destructors.flows import RBIG
from destructors.linear import Whitening
from destructors.marginal import SplineGaussianizer

__all__ = ["JOBS"]


def _rows(n_rows: int = 300) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.gamma(2.0, size=n_rows)
    return np.c_[x, np.sin(x) + 0.2 * rng.normal(size=n_rows), rng.normal(size=n_rows)]


def _fit_and_score(n_jobs: int) -> bytes:
    X = _rows()
    flow = RBIG(random_state=0, n_jobs=n_jobs, max_iter=2).fit(X)
    return flow.score_samples(X).tobytes()


def fork() -> None:
    """Fit in a child that was forked after threads and kernels had run."""
    expected = _fit_and_score(2)
    read, write = os.pipe()
    # Python warns of the threads of BLAS: that such a fork works is what is tested.
    if not (child := os.fork()):
        os.write(write, np.frombuffer(_fit_and_score(2)).tobytes())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        found = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert found == expected


def pool() -> None:
    """Fit with threads in a worker of a pool: a daemon, which may start no process."""
    with multiprocessing.get_context("fork").Pool(1) as workers:
        assert workers.apply(_fit_and_score, (2,)) == _fit_and_score(1)


def threads() -> None:
    """Score with one model in many threads at once, from the first call on."""
    X = _rows(2000)
    flow = RBIG(random_state=0, max_iter=3).fit(X)
    expected = RBIG(random_state=0, max_iter=3).fit(X).score_samples(X)
    # Data that are computed once, at the first call, are not there yet.
    ready, wrong = threading.Barrier(8), []

    def score() -> None:
        ready.wait()
        for _ in range(3):
            if (flow.score_samples(X) != expected).any():
                wrong.append(threading.current_thread())

    workers = [threading.Thread(target=score) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def memory() -> None:
    """Fit and score a hundred times: the process does not grow."""
    X = _rows(1000)

    def work() -> Any:
        for model in (SplineGaussianizer(), Whitening()):
            model.fit(X).score_samples(X)
            model.sample(100, random_state=0)

    for _ in range(20):
        work()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(100):
        work()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    # In KiB; a copy of the rows kept from each fit would be 2,300.
    assert grown < 1200, grown


# In this order: threads and kernels have run before the forks.
JOBS = {job.__name__: job for job in (memory, threads, fork, pool)}

if __name__ == "__main__":
    for name in sys.argv[1:] or JOBS:
        JOBS[name]()
