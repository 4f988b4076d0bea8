"""Stacks whose candidates are judged by what the next layers make of them."""

from __future__ import annotations

from time import process_time
from typing import Any

from benchmarks.datasets import DATASETS
from destructors.compose import IterativeDestructor
from destructors.linear import PCARotation, RandomRotation, SlicedRotation
from destructors.marginal import SplineGaussianizer
from destructors.mixture import GaussianMixtureDestructor

__all__ = ["TABLES", "WAYS", "measure_ahead"]

TABLES = ("wilt", "magic")
# Layers ahead, and beams.
WAYS = ((0, 1), (1, 2), (1, 5), (2, 2))
_MOST_LAYERS = 15


def measure_ahead(name: str, n_rows: int | None = None) -> list[dict[str, Any]]:
    """Grow a stack of five kinds of layers with and without look-ahead.

    Parameters
    ----------
    name : str
        A table of `TABLES`.
    n_rows : int, default=None
        Training rows that are used; None: all.

    Returns
    -------
    found : list of dict
        For each way: layers, mean log densities of the held-out rows that choose and of
        the test rows, in nats, and CPU seconds.
    """
    parts = DATASETS[name].make()
    found = []
    for look_ahead, n_beams in WAYS:
        model = IterativeDestructor(
            [
                ("spline", SplineGaussianizer()),
                ("pca", PCARotation()),
                ("random", RandomRotation()),
                ("sliced", SlicedRotation()),
                ("mixture", GaussianMixtureDestructor(8)),
            ],
            look_ahead=look_ahead,
            n_beams=n_beams,
            max_iter=_MOST_LAYERS,
            random_state=0,
        )
        began = process_time()
        model.fit(parts.train[:n_rows], X_val=parts.val)
        seconds = process_time() - began
        found.append(
            {
                "table": name,
                "ahead": look_ahead,
                "beams": n_beams if look_ahead else 0,
                "layers": len(model),
                "held-out": model.score(parts.val),
                "test": model.score(parts.test),
                "CPU": seconds,
            }
        )
    return found
