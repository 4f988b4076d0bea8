"""What gives blocks to workers: the seam to executors and clusters."""

import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from types import ModuleType
from typing import Any

# Blocks that are handed over together, at least, and lots of them that are under way:
# what comes out of them waits to be added up.
_N_TOGETHER, _N_LOTS = 16, 3
# So often a block is given to another worker where those that had it are gone.
N_TRIES = 10
# Seconds until one looks again whether there are workers, and until one stops waiting
# for any: a cluster may be starting them. Both workers of a local one, killed together
# on a machine with six times as much to do as it has cores, were away for a minute;
# pods and jobs of a queue take longer.
LOOK_EVERY, PATIENCE = 1.0, 300.0

Job = tuple[int, tuple[Any, ...]]
# What a worker does in one go: a few blocks, because a cluster takes about as long to
# give one away as a worker takes for it.
Task = list[Job]


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
    def submit(self, shared: Any, tasks: list[Task]) -> list[Any]:
        """Submit tasks to workers, and return futures."""

    @abstractmethod
    def result(self, future: Any) -> list[Any]:
        """Wait for what comes out of a task.

        Raises
        ------
        WorkerLost
            If workers have ended over it.
        NoWorkers
            If there are none that could do it.
        """

    def results(self, futures: list[Any]) -> list[Any]:
        """Wait for what comes out of tasks; of those that workers have ended over it is
        the error.
        """
        found: list[Any] = []
        for future in futures:
            try:
                found.append(self.result(future))
            except WorkerLost as error:
                found.append(error)
        return found

    def cancel(self, future: Any) -> None:
        """Say that what comes out is not needed."""
        future.cancel()

    def n_workers(self) -> int:
        """Return how many workers there are, where it costs time to ask one."""
        return _N_TOGETHER

    def rescue(self, work: Callable[..., Any], task: Task, error: Exception) -> Any:
        """Return what comes out where workers end again and again, or raise."""
        raise RuntimeError(
            f"{N_TRIES} times workers have ended over block {task[0][0]} ({error}). If "
            "they run out of memory, give them more, or open the rows with a smaller "
            "block_size."
        ) from error

    def each(self, work: Callable[..., Any], jobs: Iterable[Job]) -> Iterator[Any]:
        """Yield what comes out of each block, in their order."""
        shared, jobs = self.share(work), list(jobs)
        # A cluster may be about to start some.
        n_workers = self.n_workers() or _N_TOGETHER
        n_together = max(_N_TOGETHER, 2 * n_workers)
        n_each = max(1, min(len(jobs), n_together) // (2 * n_workers))
        waiting = iter([jobs[i : i + n_each] for i in range(0, len(jobs), n_each)])
        lots: deque[tuple[list[Task], list[Any]]] = deque()
        try:
            while lot := list(islice(waiting, -(-n_together // n_each))):
                lots.append((lot, self.submit(shared, lot)))
                if len(lots) == _N_LOTS:
                    yield from self._take(work, shared, lots)
            while lots:
                yield from self._take(work, shared, lots)
        finally:
            for _, futures in lots:
                for future in futures:
                    self.cancel(future)

    def _take(
        self, work: Callable[..., Any], shared: Any, lots: deque
    ) -> Iterator[Any]:
        """Yield what comes out of the first lot; give away again what is lost."""
        lot, futures = lots[0]
        found = self.results(futures)
        for _ in range(N_TRIES):
            lost = [i for i, one in enumerate(found) if isinstance(one, WorkerLost)]
            if not lost:
                break
            again = self.submit(shared, [lot[i] for i in lost])
            for i, future, one in zip(lost, again, self.results(again), strict=True):
                futures[i], found[i] = future, one
        for i, one in enumerate(found):
            if isinstance(one, WorkerLost):
                found[i] = self.rescue(work, lot[i], one)
        lots.popleft()
        return chain.from_iterable(found)


def do_task(work: Callable[..., Any], task: Task) -> list[Any]:
    """Return what comes out of each block."""
    return [work(*job) for job in task]


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

    def submit(self, shared: Any, tasks: list[Task]) -> list[Any]:
        """Submit tasks to threads."""
        return [self._pool.submit(do_task, shared, task) for task in tasks]

    def result(self, future: Any) -> list[Any]:
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
