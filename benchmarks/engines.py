"""Fits to tables on disk by threads, processes and clusters that lose workers."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from time import monotonic, perf_counter, process_time, sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from benchmarks.larger import _blocks
from destructors import (
    RBIG,
    AlignmentFlow,
    DiscreteTreeFlow,
    GaussianCopula,
    TreeFlow,
    open_rows,
    write_rows,
)
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows.engines import Engine, find_engine

__all__ = ["ENGINES", "Killing", "compare_engines", "measure_overhead"]

MODELS: dict[str, Any] = {
    "GaussianCopula": GaussianCopula(),
    "RBIG": RBIG(max_iter=2, random_state=0),
    "GaussianMixture": GaussianMixtureDestructor(4, max_iter=5, random_state=0),
    "TreeFlow": TreeFlow(n_components=4, max_trees=20, random_state=0),
    "DiscreteTreeFlow": DiscreteTreeFlow(base="chow-liu", max_iter=2, random_state=0),
    "AlignmentFlow": AlignmentFlow(max_iter=2, random_state=0),
}
# What they are given of a row: by name, what is made of ten numbers, and options of
# `open_rows`. The first are integers, the second have a domain behind them.
TABLES: dict[str, tuple[Callable[[NDArray], NDArray], dict[str, Any]]] = {
    "DiscreteTreeFlow": (
        lambda X: np.clip(np.round(2.0 * X[:, 5:]), -2, 2).astype(np.int64),
        {},
    ),
    "AlignmentFlow": (
        lambda X: np.c_[X[:, :3] + (X[:, 9:] > 0.0), X[:, 9] > 0.0],
        {"domain": 3},
    ),
}
_PLAIN: tuple[Callable[[NDArray], NDArray], dict[str, Any]] = (lambda X: X, {})
# Fits to a table by an engine whose workers are killed, at most: where these are slow
# to come back, there are passes without a kill.
_MOST_FITS = 40
# No process has this number.
_NOBODY = 2**22 + 1
# Seconds that a worker may take to come back, and within which it is killed.
_LONGEST, _SOON = 60.0, 0.05
# Seconds for which a cluster that does nothing is looked at.
_LISTEN = 5.0


class Killing(Engine):
    """An engine of which a worker is killed (SIGKILL) in each pass.

    Parameters
    ----------
    engine : Engine
        What does the work.
    find : callable or None
        Returns the ids of the processes that are its workers now.
    n_kills : int
        How many at most; zero only counts passes.
    seed : int
        Seed of the moments.
    """

    def __init__(
        self,
        engine: Any,
        find: Callable[[], list[int]] | None,
        n_kills: int,
        seed: int = 0,
    ):
        self._engine, self._find, self._left = engine, find, n_kills
        self._rng = np.random.default_rng(seed)
        self._is_due = False
        self.n_passes = self.n_killed = 0

    def share(self, work: Any) -> Any:
        """Hand over a pass."""
        self.n_passes += 1
        self._is_due = self._left > 0
        return self._engine.share(work)

    def submit(self, shared: Any, tasks: Any) -> Any:
        """Hand over tasks, and kill a worker soon after the first."""
        futures = self._engine.submit(shared, tasks)
        if self._is_due:
            self._is_due = False
            self._kill()
        return futures

    def _kill(self) -> None:
        assert self._find is not None
        end = monotonic() + _LONGEST
        while not (workers := self._find()) and monotonic() < end:
            sleep(0.05)
        sleep(self._rng.uniform(0.0, _SOON))
        try:
            os.kill(int(self._rng.choice(workers)), signal.SIGKILL)
        except (ProcessLookupError, ValueError):
            # It has ended, or none has come back, as those of an executor do not.
            return
        self._left, self.n_killed = self._left - 1, self.n_killed + 1

    def result(self, future: Any) -> Any:
        """Wait for a task."""
        return self._engine.result(future)

    def results(self, futures: Any) -> Any:
        """Wait for tasks."""
        return self._engine.results(futures)

    def cancel(self, future: Any) -> None:
        """Drop a task."""
        self._engine.cancel(future)

    def n_workers(self) -> int:
        """Return the number of workers."""
        return self._engine.n_workers()

    def rescue(self, *about: Any) -> Any:
        """Go on where workers end again and again."""
        return self._engine.rescue(*about)


# ---------------------------------------------------------------------- engines


@contextmanager
def _threads() -> Iterator[tuple[Any, None]]:
    with ThreadPoolExecutor(2) as pool:
        yield pool, None


@contextmanager
def _processes() -> Iterator[tuple[Any, Callable[[], list[int]]]]:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        # Once one has ended there are none any more.
        yield pool, lambda: list(pool._processes or [_NOBODY])


@contextmanager
def dask(n_workers: int = 2) -> Iterator[tuple[Any, Callable[[], list[int]]]]:
    """Start two workers of Dask."""
    import dask as library
    from distributed import Client, LocalCluster

    with (
        # A cluster forgets workers that do not come back in time, by default in 15
        # seconds: on a busy machine they take longer to start.
        library.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"}),
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client, partial(_find_dask, cluster)


def _find_dask(cluster: Any) -> list[int]:
    """Return the processes of Dask's workers that have started."""
    return [
        nanny.pid
        for nanny in list(cluster.workers.values())
        if nanny.is_alive() and nanny.worker_address in cluster.scheduler.workers
    ]


@contextmanager
def ray() -> Iterator[tuple[Any, Callable[[], list[int]]]]:
    """Start two workers of Ray."""
    import ray

    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="CRITICAL",
    )
    try:
        yield ray, _find_ray
    finally:
        ray.shutdown()


def _find_ray() -> list[int]:
    """Return the processes of Ray's workers, which are those of this one's."""
    import psutil

    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if re.match("ray::_?(do|IDLE)", " ".join(process.cmdline())):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


ENGINES: dict[str, Callable[[], Any]] = {
    "threads": _threads,
    "processes": _processes,
    "dask": dask,
    "ray": ray,
}


# ---------------------------------------------------------------------- measures


def compare_engines(
    n_rows: int, n_kills: int, models: Sequence[str] = tuple(MODELS)
) -> Iterator[dict[str, Any]]:
    """Fit models to a table on disk by each engine, whose workers are killed.

    Parameters
    ----------
    n_rows : int
        Number of rows, in 10 blocks.
    n_kills : int
        How many workers of each engine to kill, shared out to the models, one in each
        pass at most. Fits go on until as many are.
    models : sequence of str
        Some of `MODELS`.

    Yields
    ------
    found : dict
        For each engine and model: fits from ``.npy`` and from Parquet, by turns; those
        of them that ended on the bits of a fit in one thread from ``.npy``, passes over
        the table, workers that were killed, and wall seconds.
    """
    share = -(-n_kills // max(len(models), 1))
    with tempfile.TemporaryDirectory() as folder:
        sources, fit = {}, partial(_fit, folder=folder, block_size=-(-n_rows // 10))
        for name in models:
            change, _ = TABLES.get(name, _PLAIN)
            sources[name] = [
                write_rows(Path(folder, name + suffix), map(change, _blocks(n_rows)))
                for suffix in (".npy", ".parquet")
            ]
        expected = {name: fit(name, sources[name][0], None) for name in models}
        for engine, start in ENGINES.items():
            with start() as (given, find):
                # With kills last: an executor loses all of its processes.
                for limit in (0, share) if find else (0,):
                    for name in models:
                        killing = Killing(find_engine(given), find, limit)
                        began, bits = perf_counter(), list[bytes]()
                        for path in islice(cycle(sources[name]), _MOST_FITS):
                            with warnings.catch_warnings():
                                # That the executor is done without.
                                warnings.simplefilter("ignore", RuntimeWarning)
                                bits.append(fit(name, path, killing))
                            is_done = killing.n_killed >= limit or engine == "processes"
                            if is_done and len(bits) >= len(sources[name]):
                                break
                        yield {
                            "engine": engine + (", kills" if limit else ""),
                            "model": name,
                            "fits": len(bits),
                            "same bits": bits.count(expected[name]),
                            "passes": killing.n_passes,
                            "kills": killing.n_killed,
                            "seconds": round(perf_counter() - began, 2),
                        }


def _fit(name: str, path: Path, engine: Any, *, folder: str, block_size: int) -> bytes:
    _, options = TABLES.get(name, _PLAIN)
    if path.suffix == ".parquet" and "domain" in options:
        options = {"domain": "x3"}
    rows = open_rows(
        path, engine=engine, scratch=folder, block_size=block_size, **options
    )
    return _bits(clone(MODELS[name]).fit(rows))


def measure_overhead(n_rows: int, n_repeats: int = 3) -> list[dict[str, Any]]:
    """Return seconds of threads and of Dask, on blocks of the usual size.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    n_repeats : int
        How often each fits, by turns; the fastest counts.

    Returns
    -------
    found : list of dict
        For each model: passes of a fit; wall and CPU seconds of two threads, and of two
        workers with the process that asks them and the scheduler in it; of these CPU
        seconds those that the cluster takes in as much time when nobody asks it for
        anything (heartbeats, and a profiler that looks 100 times a second); what the
        rest is more than that of threads, for each pass and as a share of the fit.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder, dask() as (client, find):
        path = write_rows(Path(folder, "rows.npy"), _blocks(n_rows))
        idle = _idle_rate(find())
        for name in ("GaussianCopula", "RBIG", "TreeFlow"):
            model = clone(MODELS[name]).set_params(n_jobs=2)
            times: dict[str, list[NDArray]] = {"threads": [], "dask": []}
            for _ in range(n_repeats + 1):
                for way, found in times.items():
                    engine = Killing(find_engine(client), None, 0)
                    given = open_rows(
                        path,
                        engine=engine if way == "dask" else None,
                        scratch=folder,
                    )
                    began = _clocks(find())
                    clone(model).fit(given)
                    found.append(_clocks(find()) - began)
            # The first fit of each worker loads what there is to load.
            fastest = [min(found[1:], key=lambda t: t[1]) for found in times.values()]
            (wall, cpu), (wall_dask, cpu_dask) = (t.tolist() for t in fastest)
            more = cpu_dask - idle * wall_dask - cpu
            rows.append(
                {
                    "model": name,
                    "rows": n_rows,
                    "passes": engine.n_passes,
                    "threads": wall,
                    "dask": wall_dask,
                    "threads CPU": cpu,
                    "dask CPU": cpu_dask,
                    "of it idle": idle * wall_dask,
                    "more CPU a pass": more / engine.n_passes,
                    "share": more / cpu,
                }
            )
    return rows


def _idle_rate(workers: list[int]) -> float:
    """Return CPU seconds a second of this process and of workers that do nothing."""
    began = _clocks(workers)
    sleep(_LISTEN)
    wall, cpu = _clocks(workers) - began
    return float(cpu / wall)


def _clocks(workers: list[int]) -> NDArray:
    """Return wall seconds, and CPU seconds of this process and of workers."""
    import psutil

    times = [psutil.Process(pid).cpu_times() for pid in workers]
    return np.array(
        [perf_counter(), process_time() + sum(t.user + t.system for t in times)]
    )


def _bits(model: Any) -> bytes:
    """Return a hash of what was learned, whatever columns are called."""
    return replace(model.to_density(), schema=None, labels=None).digest()
