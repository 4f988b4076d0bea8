"""Blocks for executors of `concurrent.futures` whose workers are processes."""

import warnings
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from typing import Any

from destructors.rows.engines._engine import Engine, Task, WorkerLost, do_task
from destructors.rows.engines._packed import Packed


class Processes(Engine):
    """Processes of an executor, or whatever has its method ``submit``.

    Such an executor is of no use any more once a process of it has ended. The fit goes
    on without it then.

    Parameters
    ----------
    pool : Executor
    """

    def __init__(self, pool: Any):
        self._pool = pool
        self._is_broken = False

    def share(self, work: Callable[..., Any]) -> Packed:
        """Pickle the pass."""
        return Packed.of(work)

    def submit(self, shared: Packed, tasks: list[Task]) -> list[Any]:
        """Submit tasks to processes."""
        try:
            return [self._pool.submit(do_task, shared, task) for task in tasks]
        except BrokenExecutor as error:
            broken: Future = Future()
            broken.set_exception(error)
            return [broken] * len(tasks)

    def result(self, future: Any) -> list[Any]:
        """Wait for what comes out."""
        try:
            return future.result()
        except BrokenExecutor as error:
            raise WorkerLost(str(error)) from error

    def rescue(self, work: Callable[..., Any], task: Task, error: Exception) -> Any:
        """Do a task here."""
        if not self._is_broken:
            self._is_broken = True
            warnings.warn(
                f"The executor has lost a process and takes no more work ({error}). "
                "The fit goes on in this process; what comes out is the same.",
                RuntimeWarning,
                stacklevel=2,
            )
        return do_task(work, task)
