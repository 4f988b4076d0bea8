"""Blocks for the workers of a Dask cluster."""

import ctypes
import os
import sys
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import cache
from time import monotonic
from typing import Any

from distributed import Future, KilledWorker, wait

from destructors.rows.engines import _engine
from destructors.rows.engines._engine import (
    Engine,
    NoWorkers,
    Task,
    WorkerLost,
    do_task,
)
from destructors.rows.engines._packed import Packed, itself

# Names of glibc, and where its own rule for them ends.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _LARGEST_ARRAY = -1, -3, 2**25


class Dask(Engine):
    """Workers of a cluster.

    Dask gives what a dead worker had to another. Only where more than three have died
    over a block does it take the block for the cause; it is asked again then.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Any):
        if client.asynchronous:
            raise TypeError(
                "engine must be a client that waits: Client(..., asynchronous=False)."
            )
        self._client = client

    def share(self, work: Callable[..., Any]) -> Future:
        """Hand over a pass as a task.

        Data that is scattered is lost with the worker that holds it; what a task has
        returned is made again.
        """
        return self._client.submit(itself, Packed.of(work), pure=False)

    def n_workers(self) -> int:
        """Return how many threads of workers there are."""
        return sum(self._client.nthreads().values())

    def submit(self, shared: Future, tasks: list[Task]) -> list[Future]:
        """Submit tasks to the cluster as one graph: it costs about what a task does."""
        return self._client.map(_do, [shared] * len(tasks), tasks, pure=False)

    def results(self, futures: list[Future]) -> list[Any]:
        """Wait for what comes out of tasks, and fetch it together."""
        self._wait(futures)
        ended = [future for future in futures if future.status == "finished"]
        whole = dict(zip(ended, self._client.gather(ended), strict=True))
        rest = [future for future in futures if future not in whole]
        whole |= zip(rest, super().results(rest), strict=True)
        return [whole[future] for future in futures]

    def result(self, future: Future) -> list[Any]:
        """Wait for what comes out."""
        self._wait([future])
        try:
            return future.result()
        except (KilledWorker, CancelledError) as error:
            raise WorkerLost(str(error)) from error

    def _wait(self, futures: list[Future]) -> None:
        """Wait until all have ended, well or not, as long as there are workers."""
        seen = monotonic()
        while True:
            try:
                wait(futures, timeout=_engine.LOOK_EVERY)
            except TimeoutError:
                if self.n_workers():
                    seen = monotonic()
                elif monotonic() > seen + _engine.PATIENCE:
                    raise NoWorkers(
                        "The Dask cluster", "start some, as cluster.scale(2) does."
                    ) from None
            except CancelledError:
                # Told where results are asked for.
                return
            else:
                return


def _do(work: Packed, task: Task) -> list[Any]:
    """Return what comes out of each block."""
    _reuse_memory()
    return do_task(work, task)


@cache
def _reuse_memory() -> None:
    """Let a worker use the memory of one array for the next, as other processes do.

    Dask has its workers hand back all that is freed at once, by a variable of the
    environment that also ends glibc's own rule; so each array of a block came as new
    pages, and a fit took up to twice the CPU seconds.
    """
    if sys.platform != "linux" or "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_ARRAY)
        mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_ARRAY)
