"""How fits run: side by side in threads, until time is up or the user interrupts.

A fit is made of fits. Who asked for a limit of time is outside, what takes the time is
inside; so whoever goes on step by step asks here whether to go on.
"""

import contextvars
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Event
from time import perf_counter
from typing import Any, TypeVar

from joblib import effective_n_jobs, parallel_config
from sklearn import get_config, set_config

Item = TypeVar("Item")
Result = TypeVar("Result")

# When to end, and what stops all that runs inside the outermost limit.
_CLOCK = contextvars.ContextVar[tuple[float, Event] | None]("clock", default=None)


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Limit the time of what runs inside; None sets no limit of its own."""
    end, stopped = _CLOCK.get() or (float("inf"), Event())
    if seconds is not None:
        end = min(end, perf_counter() + seconds)
    token = _CLOCK.set((end, stopped))
    try:
        yield
    finally:
        _CLOCK.reset(token)


@contextmanager
def limited(estimator: Any) -> Iterator[None]:
    """Limit the time of a fit, by its parameter ``max_time`` and by its callbacks."""
    limits = [getattr(estimator, "max_time", None)]
    for callback in getattr(estimator, "_skl_callbacks", ()):
        if hasattr(callback, "seconds_left"):
            limits.append(callback.seconds_left(estimator))
    given = [limit for limit in limits if limit is not None]
    with time_limit(min(given, default=None)):
        yield


def is_over() -> bool:
    """Return whether to end with what there is: time is up, or the user interrupted."""
    clock = _CLOCK.get()
    return clock is not None and (clock[1].is_set() or perf_counter() > clock[0])


def stop_all() -> None:
    """Let all that is being fitted around here end with what there is."""
    if (clock := _CLOCK.get()) is not None:
        clock[1].set()


def as_interrupt(error: BaseException) -> BaseException:
    """Return the interrupt behind an error, or the error itself.

    An interrupt that arrives while a compiled kernel hands back its result comes out
    as a SystemError that it caused, or that another such error caused.
    """
    inner: BaseException | None = error
    while isinstance(inner, SystemError):
        inner = inner.__cause__ or inner.__context__
    return inner if isinstance(inner, KeyboardInterrupt) else error


def map_threads(
    function: Callable[[Item], Result], items: Iterable[Item], n_jobs: int | None
) -> list[Result]:
    """Apply a function to each item, in ``n_jobs`` threads.

    ``n_jobs`` is understood as joblib does. joblib's own threads look for results every
    10 ms, which is longer than most of what is done here takes.

    Parameters
    ----------
    function : callable
        What releases the interpreter's lock, or runs kernels that do, gains.
    items : iterable
        One argument each.
    n_jobs : int or None
        Number of threads; negative ones count from the number of cores.

    Returns
    -------
    results : list
        In the order of the items. An error in one is raised; items not yet begun are
        dropped then.
    """
    items = list(items)
    if len(items) == 1 and n_jobs != 0:
        # To count threads takes longer than many an item.
        return [function(items[0])]
    # joblib counts threads, not processes: those a daemonic process may not start, of
    # which it would warn.
    with parallel_config(backend="threading"):
        n_threads = min(effective_n_jobs(n_jobs), len(items))
    if n_threads <= 1:
        return [function(item) for item in items]
    # The configuration of scikit-learn is one of each thread, and so are context
    # variables: a limit of time set outside holds inside.
    pool = ThreadPoolExecutor(
        n_threads, initializer=partial(set_config, **get_config())
    )
    contexts = [contextvars.copy_context() for _ in items]
    try:
        return list(pool.map(lambda c, item: c.run(function, item), contexts, items))
    except KeyboardInterrupt:
        # Threads are not interrupted: they must hear of it.
        stop_all()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
