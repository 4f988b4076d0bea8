"""Information: how far estimates are from closed forms, and from their own errors."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.feature_selection import mutual_info_regression

from benchmarks.environment import describe_environment
from benchmarks.files import write_json
from destructors.command._arguments import count
from destructors.information import (
    InformationEstimate,
    conditional_mutual_information,
    entropy,
    jensen_shannon_divergence,
    kullback_leibler_divergence,
    mutual_information,
    negentropy,
    total_correlation,
)

__all__ = ["add_arguments", "measure", "run"]

_LOG_2_PI_E = np.log(2.0 * np.pi * np.e)


class Case(NamedTuple):
    """A quantity of a known distribution."""

    estimate: Callable[..., InformationEstimate]
    draw: Callable[[np.random.Generator, int], tuple[NDArray, ...]]
    truth: float


def _blocks(n_features: int, correlation: float) -> Case:
    """Two Gaussian blocks, each column of one correlated with one of the other."""

    def draw(rng: np.random.Generator, n_samples: int) -> tuple[NDArray, ...]:
        x, noise = rng.normal(size=(2, n_samples, n_features))
        return x, correlation * x + np.sqrt(1.0 - correlation**2) * noise

    truth = -0.5 * n_features * np.log1p(-(correlation**2))
    return Case(mutual_information, draw, truth)


def _equally_correlated(n_features: int, correlation: float) -> NDArray:
    full = np.full((n_features, n_features), correlation)
    return full + (1.0 - correlation) * np.eye(n_features)


def _draw_gaussian(covariance: NDArray) -> Callable[..., tuple[NDArray, ...]]:
    root = np.linalg.cholesky(covariance)
    return lambda rng, n: (rng.normal(size=(n, len(root))) @ root.T,)


def _common_cause(rng: np.random.Generator, n_samples: int) -> tuple[NDArray, ...]:
    z, x, y = rng.normal(size=(3, n_samples))
    x = x + z
    return x, 0.5 * x + y + z, z


def _shifted(
    n_features: int, shift: float, scale: float = 1.0
) -> Callable[..., tuple[NDArray, ...]]:
    return lambda rng, n: (
        shift + scale * rng.normal(size=(n, n_features)),
        rng.normal(size=(n, n_features)),
    )


def _shannon_of_shift(shift: float) -> float:
    """Jensen-Shannon divergence between N(0, 1) and N(shift, 1), by quadrature."""
    x = np.linspace(-12.0, 12.0 + shift, 200_001)
    p, q = (np.exp(-0.5 * (x - m) ** 2) / np.sqrt(2.0 * np.pi) for m in (0.0, shift))
    m = 0.5 * (p + q)
    parts = (one * np.log(np.maximum(one, 1e-300) / m) for one in (p, q))
    return float(0.5 * sum(part.sum() for part in parts) * (x[1] - x[0]))


_TEN = _equally_correlated(10, 0.3)
CASES = {
    "mutual information, 1 + 1, r = 0": _blocks(1, 0.0),
    "mutual information, 1 + 1, r = 0.5": _blocks(1, 0.5),
    "mutual information, 3 + 3, r = 0.5": _blocks(3, 0.5),
    "mutual information, 5 + 5, r = 0.3": _blocks(5, 0.3),
    "mutual information, 10 + 10, r = 0": _blocks(10, 0.0),
    "mutual information, 10 + 10, r = 0.3": _blocks(10, 0.3),
    "entropy, 10": Case(
        entropy,
        _draw_gaussian(_TEN),
        5.0 * _LOG_2_PI_E + 0.5 * np.linalg.slogdet(_TEN)[1],
    ),
    "total correlation, 10": Case(
        total_correlation, _draw_gaussian(_TEN), -0.5 * np.linalg.slogdet(_TEN)[1]
    ),
    "conditional mutual information, 1 + 1 | 1": Case(
        conditional_mutual_information, _common_cause, 0.5 * np.log(1.25)
    ),
    "negentropy of a uniform, 1": Case(
        negentropy,
        lambda rng, n: (rng.uniform(size=(n, 1)),),
        0.5 * (_LOG_2_PI_E - np.log(12.0)),
    ),
    "Kullback-Leibler, 1": Case(
        kullback_leibler_divergence, _shifted(1, 0.5), 0.5 * 0.5**2
    ),
    "Kullback-Leibler, 5": Case(
        kullback_leibler_divergence,
        _shifted(5, 0.3, 0.9),
        2.5 * (0.9**2 + 0.3**2 - 1.0) - 5.0 * np.log(0.9),
    ),
    "Jensen-Shannon, 1": Case(
        jensen_shannon_divergence, _shifted(1, 1.0), _shannon_of_shift(1.0)
    ),
    "Jensen-Shannon, equal, 3": Case(jensen_shannon_divergence, _shifted(3, 0.0), 0.0),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument("--quick", action="store_true", help="two seeds: only a try")
    parser.add_argument(
        "--seeds", type=count, default=100, metavar="N", help="number of draws"
    )
    parser.add_argument(
        "--samples", type=count, default=5000, metavar="N", help="rows of a draw"
    )
    parser.add_argument(
        "--n-jobs", type=count, default=1, metavar="N", help="fits side by side"
    )
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="cases whose name has this"
    )


def run(args: argparse.Namespace) -> int:
    """Print a table and write ``information.json``."""
    n_seeds = 2 if args.quick else args.seeds
    print(f"Estimates from {args.samples:,} rows against closed forms, in nats, over")
    print(f"{n_seeds} draws; within: share of errors of at most two standard errors.\n")
    rows = {}
    for name, case in CASES.items():
        if args.only not in name:
            continue
        rows[name] = measure(case, n_seeds, args.samples, args.n_jobs)
        line = ", ".join(f"{key} {value:.4f}" for key, value in rows[name].items())
        print(f"{name}: {line}", flush=True)
    table = pd.DataFrame.from_dict(rows, orient="index")
    print("\n" + table.to_string(float_format="{:.4f}".format, na_rep="-"))
    path = args.output / "information.json"
    write_json(path, {"environment": describe_environment(), "cases": rows})
    print(f"\nThe figures are in {path}.")
    return 0


def measure(
    case: Case, n_seeds: int, n_samples: int, n_jobs: int = 1
) -> dict[str, float]:
    """Return how estimates of a quantity are spread around the truth.

    Parameters
    ----------
    case : Case
        What to estimate.
    n_seeds : int
        Number of draws.
    n_samples : int
        Rows of each.
    n_jobs : int, default=1
        Fits side by side.

    Returns
    -------
    figures : dict of str to float
        The truth; mean and root mean square error; mean error of held-out scores
        without the correction; mean standard error; share of the errors within two
        standard errors; root mean square error of scikit-learn's neighbour estimator
        where it can be asked.
    """
    found, peers = [], []
    for seed in range(n_seeds):
        samples = case.draw(np.random.default_rng(seed), n_samples)
        found.append(case.estimate(*samples, random_state=seed, n_jobs=n_jobs))
        if case.estimate is mutual_information and samples[0].shape[1] == 1:
            x, y = samples
            peers += list(mutual_info_regression(x, y[:, 0], random_state=seed))
    value, error, held_out = np.transpose(
        [(one.value, one.standard_error, one.held_out_value) for one in found]
    )
    off = value - case.truth
    return {
        "truth": float(case.truth),
        "mean error": float(off.mean()),
        "rms error": _root_mean_square(off),
        "uncorrected": float(held_out.mean() - case.truth),
        "standard error": float(error.mean()),
        "within": float(np.mean(np.abs(off) <= 2.0 * error)),
        "neighbours rms": _root_mean_square(np.array(peers) - case.truth),
    }


def _root_mean_square(errors: Any) -> float:
    return float(np.sqrt(np.mean(np.square(errors)))) if len(errors) else np.nan
