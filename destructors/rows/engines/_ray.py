"""Blocks for the workers of a Ray cluster."""

import pickle
from collections.abc import Callable
from time import monotonic
from typing import Any

from destructors.rows.engines import _engine
from destructors.rows.engines._engine import (
    Engine,
    NoWorkers,
    Task,
    WorkerLost,
    do_task,
)
from destructors.rows.engines._packed import Packed


class Ray(Engine):
    """Workers of a cluster.

    Parameters
    ----------
    ray : module
        The library, which is the client.
    """

    def __init__(self, ray: Any):
        if not ray.is_initialized():
            raise RuntimeError("engine=ray: there is no cluster yet, call ray.init().")
        self._ray = ray
        self._do = ray.remote(max_retries=_engine.N_TRIES)(_do)

    def share(self, work: Callable[..., Any]) -> Any:
        """Put a pass where all workers find it; the copy here stays."""
        return self._ray.put(Packed.of(work))

    def n_workers(self) -> int:
        """Return how many CPUs there are."""
        return int(self._ray.cluster_resources().get("CPU", 0.0))

    def submit(self, shared: Any, tasks: list[Task]) -> list[Any]:
        """Submit tasks to the cluster."""
        return [self._do.remote(shared, task) for task in tasks]

    def result(self, future: Any) -> list[Any]:
        """Wait for what comes out."""
        errors, seen = self._ray.exceptions, monotonic()
        while True:
            try:
                found = self._ray.get(future, timeout=_engine.LOOK_EVERY)
            except errors.GetTimeoutError:
                if self.n_workers():
                    seen = monotonic()
                elif monotonic() > seen + _engine.PATIENCE:
                    raise NoWorkers(
                        "The Ray cluster", "add a node that has a CPU."
                    ) from None
            except errors.RayTaskError as error:
                # What the task has raised, rather than a mixture of both.
                raise (error.cause or error) from None
            except (
                errors.WorkerCrashedError,
                errors.NodeDiedError,
                errors.ObjectLostError,
                errors.OutOfMemoryError,
            ) as error:
                raise WorkerLost(str(error)) from error
            else:
                return pickle.loads(found)

    def cancel(self, future: Any) -> None:
        """Say that what comes out is not needed."""
        self._ray.cancel(future)


def _do(work: Packed, task: Task) -> bytes:
    """Return as bytes what comes out: see `Packed`."""
    return pickle.dumps(do_task(work, task))
