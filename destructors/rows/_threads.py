"""Work on items side by side, in threads."""

import contextvars
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from joblib import effective_n_jobs
from sklearn import get_config, set_config

from destructors.rows._clock import stop_all

Item = TypeVar("Item")
Result = TypeVar("Result")


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
