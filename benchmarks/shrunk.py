"""Models that are shrunk to a number of bytes: what is left of their nats."""

from __future__ import annotations

from time import process_time
from typing import Any

import numpy as np
from sklearn.base import clone

from benchmarks.datasets import DATASETS
from destructors import RBIG, TreeFlow
from destructors.maps._cut import cut_to
from destructors.maps._save import n_bytes
from destructors.tree import BoostedTreeDestructor

__all__ = ["TABLE", "measure_shrunk"]

TABLE = "magic"
# Kilobytes.
_SIZES = (5, 20, 50)
_MODELS: dict[str, Any] = {
    "RBIG": RBIG(random_state=0),
    "TreeFlow": TreeFlow(random_state=0),
    "BoostedTrees": BoostedTreeDestructor(random_state=0),
}


def measure_shrunk(n_rows: int | None = None) -> list[dict[str, Any]]:
    """Fit models to a table, and shrink them.

    Parameters
    ----------
    n_rows : int, default=None
        Training rows that are used; None: all.

    Returns
    -------
    found : list of dict
        For each model as it is and for each size: kilobytes of its file, mean log
        density of test rows, in nats, that of the first layers and trees that fit into
        as many (NaN if none do), and CPU seconds.
    """
    parts = DATASETS[TABLE].make()
    found = []
    for name, model in _MODELS.items():
        began = process_time()
        model = clone(model).fit(parts.train[:n_rows])
        whole = model.to_density()
        sizes: list[Any] = [(None, whole, whole, process_time() - began)]
        for size in _SIZES:
            began = process_time()
            try:
                small = model.shrink(1000 * size, random_state=0)
            except ValueError:
                # No form of it is as small.
                continue
            seconds = process_time() - began
            sizes.append((size, small, cut_to(whole, 1000 * size), seconds))
        for size, density, first, seconds in sizes:
            found.append(
                {
                    "model": name,
                    "most kB": size,
                    "kB": n_bytes(density) / 1000,
                    "nats": density.logpdf(parts.test).mean(),
                    "first layers": np.nan
                    if first is None
                    else first.logpdf(parts.test).mean(),
                    "CPU": seconds,
                }
            )
    return found
