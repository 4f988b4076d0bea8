"""Blocks for the workers of a Dask cluster."""

from collections.abc import Callable
from concurrent.futures import CancelledError
from time import monotonic
from typing import Any

from distributed import Future, KilledWorker

from destructors.rows.engines import _engine
from destructors.rows.engines._engine import Engine, Job, NoWorkers, WorkerLost
from destructors.rows.engines._packed import Packed, call, itself


class Dask(Engine):
    """Workers of a cluster.

    Dask gives what a dead worker had to another. Only where three have died over a block
    it takes the block for the cause: it is asked again then.

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

    def submit(self, shared: Future, job: Job) -> Future:
        """Give a block to the cluster."""
        return self._client.submit(call, shared, *job, pure=False)

    def result(self, future: Future) -> Any:
        """Wait for what comes out."""
        seen = monotonic()
        while True:
            try:
                return future.result(timeout=_engine.LOOK_EVERY)
            except TimeoutError:
                if future.status == "error":
                    raise
                if self._client.nthreads():
                    seen = monotonic()
                elif monotonic() > seen + _engine.PATIENCE:
                    raise NoWorkers(
                        "The Dask cluster", "start some, as cluster.scale(2) does."
                    ) from None
            except (KilledWorker, CancelledError) as error:
                raise WorkerLost(str(error)) from error
