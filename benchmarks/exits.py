"""Detectors whose rows leave early, beside the same with full scores."""

from __future__ import annotations

from time import process_time
from typing import Any

import numpy as np
from sklearn.base import clone

from benchmarks.datasets import DATASETS
from destructors import RBIG, GaussianCopula, TreeFlow
from destructors.estimators import OutlierDetector
from destructors.tree import BoostedTreeDestructor

__all__ = ["TABLES", "measure_exits"]

TABLES = ("magic", "protein")
# What is flagged, and how many verdicts may differ, as a share of that.
_FLAGGED, _ERROR = 0.01, 0.05
# Times are the least of so many.
_N_TIMES = 3
_MODELS: dict[str, Any] = {
    "default": None,
    "RBIG": RBIG(),
    "TreeFlow": TreeFlow(cv=None),
    "GaussianCopula": GaussianCopula(),
    "BoostedTrees": BoostedTreeDestructor(),
}


def measure_exits(name: str, n_rows: int | None = None) -> list[dict[str, Any]]:
    """Fit detectors to one half of a table, and flag rows of the other.

    Parameters
    ----------
    name : str
        A table of `TABLES`.
    n_rows : int, default=None
        Rows of it that are used; None: all.

    Returns
    -------
    found : list of dict
        Of each model: rows flagged by full scores; of those how many are missed, and
        how many others are flagged; the share of all rows that have the same verdict;
        the share of work that was expected, and that of CPU seconds of `predict`.
    """
    parts = DATASETS[name].make()
    X = np.concatenate([parts.train, parts.val, parts.test])
    X = X[np.random.default_rng(0).permutation(len(X))[:n_rows]]
    known, new = X[::2], X[1::2]
    found = []
    for label, model in _MODELS.items():
        detector = OutlierDetector(
            None if model is None else clone(model),
            contamination=_FLAGGED,
            n_folds=2,
            early_exit_error=_ERROR,
            random_state=0,
        ).fit(known)
        # What is compiled and cached is so by now.
        detector.predict(new[:100])
        detector.score_samples(new[:100])
        times = []
        for _ in range(_N_TIMES):
            began = process_time()
            full = detector.decision_function(new) < 0.0
            between = process_time()
            early = detector.predict(new) < 0
            times.append((between - began, process_time() - between))
        in_full, with_exits = np.min(times, axis=0)
        found.append(
            {
                "table": name,
                "model": label,
                "rows": len(new),
                "flagged": int(full.sum()),
                "missed": int((full & ~early).sum()),
                "others": int((early & ~full).sum()),
                "agreement": float((full == early).mean()),
                "work": detector.early_exit_cost_,
                "CPU": with_exits / in_full,
            }
        )
    return found
