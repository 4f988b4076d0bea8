"""Seconds that work takes: one way for all jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from statistics import median
from time import perf_counter, process_time
from timeit import Timer
from typing import Any, NamedTuple, TypeVar

__all__ = ["Seconds", "Work", "calls_per_second", "time_by_turns", "time_once"]

Key = TypeVar("Key")
Work = Callable[[], Any]


class Seconds(NamedTuple):
    """Wall time, and processor time of all threads of the process together."""

    wall: float
    cpu: float


def time_once(work: Work) -> Seconds:
    """Return the time that work takes, done once."""
    wall, cpu = perf_counter(), process_time()
    work()
    return Seconds(perf_counter() - wall, process_time() - cpu)


def time_by_turns(
    works: Mapping[Key, Work],
    n_repeats: int,
    summarize: Callable[[Iterable[float]], float] = median,
) -> dict[Key, Seconds]:
    """Return the time that each work takes, done several times.

    They take turns, so that what else the machine does meets them all.

    Parameters
    ----------
    works : mapping of callable
        What to time.
    n_repeats : int
        How often each is done.
    summarize : callable, default=median
        Makes one of so many times; `min` where the work is always the same.

    Returns
    -------
    times : dict of Seconds
        With the keys of ``works``.
    """
    runs: dict[Key, list[Seconds]] = {key: [] for key in works}
    for _ in range(n_repeats):
        for key, work in works.items():
            runs[key].append(time_once(work))
    return {
        key: Seconds(*map(summarize, zip(*times, strict=True)))
        for key, times in runs.items()
    }


def calls_per_second(work: Work) -> float:
    """Return how often work is done a second, over as many calls as take 0.2 s."""
    n_calls, wall = Timer(work, timer=perf_counter).autorange()
    return n_calls / wall
