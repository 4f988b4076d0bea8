"""Many rows: fits on protein plus noise, from ten thousand rows to a million."""

from __future__ import annotations

import argparse
import resource
import sys
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.files import write_csv
from benchmarks.timing import time_once
from destructors.command._arguments import count
from destructors.datasets import load_density
from destructors.flows import TreeFlow
from destructors.mixture import GaussianMixtureDestructor

__all__ = ["add_arguments", "draw_rows", "measure", "run"]

_MODELS = {"tree-flow": TreeFlow, "mixture": GaussianMixtureDestructor}
_N_TEST = 20_000
_NOISE = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument(
        "--rows",
        nargs="+",
        type=count,
        default=[10_000, 100_000],
        metavar="N",
        help="numbers of training rows",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        choices=sorted(_MODELS),
        default=list(_MODELS),
        metavar="NAME",
        help=f"of {', '.join(_MODELS)}",
    )


def run(args: argparse.Namespace) -> int:
    """Print CPU seconds, memory and log-likelihoods; write ``many.csv``."""
    print(
        "Rows of protein, drawn with replacement, plus normal noise of a tenth of the"
    )
    print(f"standard deviation of each column; {_N_TEST:,} more of them to test on.")
    print("CPU seconds; memory is the largest of the process so far, so sizes rise.")
    with threadpool_limits(1):
        records = [
            measure(name, n_rows)
            for n_rows in sorted(args.rows)
            for name in args.models
        ]
    table = pd.DataFrame(records)
    print(table.round(3).to_string(index=False))
    write_csv(args.output / "many.csv", table)
    print(f"The table is in {args.output / 'many.csv'}.")
    return 0


def draw_rows(n_rows: int, random_state: int = 0) -> tuple[NDArray, NDArray]:
    """Return training rows and test rows of protein plus noise."""
    data = load_density("protein")
    X = np.vstack([data.train, data.val, data.test])
    rng, scale = np.random.default_rng(random_state), _NOISE * X.std(axis=0)

    def draw(n):
        return X[rng.integers(len(X), size=n)] + scale * rng.normal(
            size=(n, X.shape[1])
        )

    return draw(n_rows), draw(_N_TEST)


def measure(name: str, n_rows: int) -> dict[str, Any]:
    """Return what a fit costs, and the log-likelihood of test rows, in nats."""
    X, X_test = draw_rows(n_rows)
    model = _MODELS[name](random_state=0)
    # Kernels are compiled before.
    _MODELS[name](n_components=64, random_state=0).fit(X[:3000]).score(X_test[:5])
    fit = time_once(lambda: model.fit(X))
    score = time_once(lambda: model.score_samples(X_test))
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {
        "model": name,
        "rows": n_rows,
        "fit_cpu": fit.cpu,
        "score_cpu_per_row": score.cpu / _N_TEST,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,
        "n_components": model.n_components_,
        "nats": float(model.score(X_test)),
    }
