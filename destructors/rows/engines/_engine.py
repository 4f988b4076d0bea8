"""What gives blocks to workers: the seam to executors and clusters."""

import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

# Blocks that are under way together: what comes out of them waits to be added up.
_N_TOGETHER = 32
# So often a block is given to another worker where those that had it are gone.
N_TRIES = 10
# Seconds until one looks again whether there are workers, and until one stops waiting
# for any: a cluster may be starting them.
LOOK_EVERY, PATIENCE = 1.0, 60.0

Job = tuple[int, tuple[Any, ...]]


class Engine(ABC):
    """Gives the blocks of a pass to workers, and takes up what they make of them.

    A pass is handed over once, and then the number of a block and what is known of it,
    by position. A worker may be slow, end, or come later: what a block gives is the
    same wherever it is computed, and sums are taken in the order of the blocks.
    """

    # Whether workers are threads of this process, which see what it sees.
    is_local = False

    @abstractmethod
    def share(self, work: Callable[..., Any]) -> Any:
        """Hand over a pass, ``work(place, known)``; return what `submit` is to name."""

    @abstractmethod
    def submit(self, shared: Any, job: Job) -> Any:
        """Give a block to a worker, and return a future."""

    @abstractmethod
    def result(self, future: Any) -> Any:
        """Wait for what comes out.

        Raises
        ------
        WorkerLost
            If workers have ended over it.
        NoWorkers
            If there are none that could do it.
        """

    def cancel(self, future: Any) -> None:
        """Say that what comes out is not needed."""
        future.cancel()

    def rescue(self, work: Callable[..., Any], job: Job, error: Exception) -> Any:
        """Return what comes out where workers end again and again, or raise."""
        raise RuntimeError(
            f"{N_TRIES} workers have ended over block {job[0]} ({error}). If they run "
            "out of memory, give them more, or open the rows with a smaller block_size."
        ) from error

    def each(self, work: Callable[..., Any], jobs: Iterable[Job]) -> Iterator[Any]:
        """Yield what comes out of each block, in their order."""
        shared = self.share(work)
        waiting: deque[tuple[Job, Any]] = deque()
        try:
            for job in jobs:
                if len(waiting) == _N_TOGETHER:
                    yield self._take(work, shared, waiting)
                waiting.append((job, self.submit(shared, job)))
            while waiting:
                yield self._take(work, shared, waiting)
        finally:
            for _, future in waiting:
                self.cancel(future)

    def _take(
        self, work: Callable[..., Any], shared: Any, waiting: deque[tuple[Job, Any]]
    ) -> Any:
        """Return what comes out of the first block that is waited for."""
        job, future = waiting[0]
        for _ in range(N_TRIES):
            try:
                found = self.result(future)
            except WorkerLost as error:
                lost = error
                future = self.submit(shared, job)
                waiting[0] = job, future
            else:
                break
        else:
            found = self.rescue(work, job, lost)
        waiting.popleft()
        return found


class WorkerLost(Exception):
    """The workers that had a block are gone."""


class NoWorkers(RuntimeError):
    """Nobody is there to work on blocks."""

    def __init__(self, who: str, what_to_do: str):
        super().__init__(
            f"{who} has had no workers for {PATIENCE:.0f} seconds: {what_to_do}"
        )


class Threads(Engine):
    """Threads of this process.

    Parameters
    ----------
    pool : ThreadPoolExecutor
    """

    is_local = True

    def __init__(self, pool: Any):
        self._pool = pool

    def share(self, work: Callable[..., Any]) -> Any:
        """Return the pass itself."""
        return work

    def submit(self, shared: Any, job: Job) -> Any:
        """Give a block to a thread."""
        return self._pool.submit(shared, *job)

    def result(self, future: Any) -> Any:
        """Wait for what comes out."""
        return future.result()


def find_engine(given: Any) -> Engine | None:
    """Return what gives blocks to an executor, a cluster, or to nobody.

    Parameters
    ----------
    given : object
        See `open_rows`.

    Returns
    -------
    engine : Engine or None

    Raises
    ------
    TypeError
        If it is nothing of the kind.
    """
    if given is None or isinstance(given, Engine):
        return given
    # Nothing is imported to look at it: who has a client has its library.
    distributed = sys.modules.get("distributed")
    if distributed is not None and isinstance(given, distributed.Client):
        from destructors.rows.engines._dask import Dask

        return Dask(given)
    if isinstance(given, ModuleType) and given.__name__ == "ray":
        from destructors.rows.engines._ray import Ray

        return Ray(given)
    if not hasattr(given, "submit"):
        raise TypeError(
            "engine must be a dask.distributed.Client, the module ray, or have a "
            "method submit, as executors of concurrent.futures have; got "
            f"{type(given).__name__}."
        )
    if isinstance(given, ThreadPoolExecutor):
        return Threads(given)
    from destructors.rows.engines._processes import Processes

    return Processes(given)
