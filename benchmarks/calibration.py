"""Calibration: how far models of known densities are off, and whether they know it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from time import process_time
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import cdist

from benchmarks.calibration_plot import plot_calibration
from benchmarks.environment import describe_environment
from benchmarks.files import write_csv, write_json
from benchmarks.models import MODELS
from benchmarks.registry import choose, choose_names
from destructors.command._arguments import count
from destructors.datasets import make_banana, make_checkerboard, make_gaussian_grid

__all__ = ["LAWS", "add_arguments", "decay", "measure", "run", "summarise"]

# Shares that a region of highest density should hold.
LEVELS = (0.5, 0.9, 0.95, 0.99)
_SIZES, _QUICK_SIZES = (250, 500, 1000, 2000, 4000, 8000), (250, 500)
_N_FRESH, _N_QUICK = 20_000, 2000
# Rows of a test: enough to see an error that matters, too few to see any.
_N_TESTED, _N_PERMUTATIONS = 300, 199
_ALPHA = 0.05

Drawn = tuple[NDArray, NDArray]


def _gauss(n_features: int, n_samples: int, random_state: int) -> Drawn:
    """Normal, correlated by 0.8 from a feature to the next."""
    place = np.arange(n_features)
    covariance = 0.8 ** np.abs(place[:, None] - place)
    law = stats.multivariate_normal(np.zeros(n_features), covariance)
    X = law.rvs(n_samples, random_state=np.random.RandomState(random_state))
    return X, law.logpdf(X)


def _heavy(n_samples: int, random_state: int) -> Drawn:
    """Student t with 2 degrees of freedom beside an exponential."""
    rng = np.random.RandomState(random_state)
    X = np.c_[rng.standard_t(2.0, n_samples), rng.exponential(size=n_samples)]
    return X, stats.t.logpdf(X[:, 0], 2.0) + stats.expon.logpdf(X[:, 1])


def _toy(make: Callable[..., Any], **given: Any) -> Callable[..., Drawn]:
    return partial(make, return_log_density=True, **given)


# Each takes a number of rows and a random state; returns rows and true log densities.
LAWS: dict[str, Callable[..., Drawn]] = {
    "gauss": partial(_gauss, 2),
    "9-grid": _toy(make_gaussian_grid, n_per_side=3),
    "banana": _toy(make_banana),
    "t2-exponential": _heavy,
    "checkerboard": _toy(make_checkerboard),
    "gauss-5d": partial(_gauss, 5),
    "gauss-10d": partial(_gauss, 10),
    "banana-5d": _toy(make_banana, n_features=5),
    "banana-10d": _toy(make_banana, n_features=10),
}
_DEFAULT_MODELS = ["auto", "tree-flow", "rbig"]


class Job(NamedTuple):
    """A model on a draw of a law."""

    model: str
    law: str
    n_samples: int
    seed: int
    n_fresh: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument(
        "--quick", action="store_true", help="one draw of small sizes: only a try"
    )
    parser.add_argument(
        "--seeds", type=count, default=10, metavar="N", help="mean over so many draws"
    )
    parser.add_argument(
        "--models", nargs="+", metavar="NAME", help=f"of {', '.join(MODELS)}"
    )
    parser.add_argument(
        "--laws", nargs="+", metavar="NAME", help=f"of {', '.join(LAWS)}"
    )
    parser.add_argument(
        "--sizes", nargs="+", type=count, metavar="N", help="numbers of training rows"
    )


def run(args: argparse.Namespace) -> int:
    """Print a table; write ``calibration.csv``, ``.json`` and ``.png``."""
    models, _ = choose(MODELS, args.models or _DEFAULT_MODELS)
    laws = choose_names(LAWS, args.laws)
    sizes = args.sizes or list(_QUICK_SIZES if args.quick else _SIZES)
    n_fresh = _N_QUICK if args.quick else _N_FRESH
    rows: list[dict[str, Any]] = []
    for entry in models:
        for law in laws:
            for n_samples in sizes:
                for seed in range(1 if args.quick else args.seeds):
                    job = Job(entry.name, law, n_samples, seed, n_fresh)
                    rows.append({**job._asdict(), **measure(entry.make(seed), job)})
                print(_line(pd.DataFrame(rows), entry.name, law, n_samples), flush=True)
            # What is there already is not lost to an interrupt.
            write_csv(args.output / "calibration.csv", pd.DataFrame(rows))
    points = pd.DataFrame(rows)
    summary, powers = summarise(points), decay(points)
    for (model, law), power in powers.items():
        print(f"{model} on {law}: divergence falls with rows to the power {power:.2f}.")
    write_json(
        args.output / "calibration.json",
        {
            "environment": describe_environment(),
            "summary": summary.to_dict(orient="records"),
            "decay": [
                {"model": model, "law": law, "power": power}
                for (model, law), power in powers.items()
            ],
        },
    )
    plot_calibration(summary, LEVELS, args.output / "calibration.png")
    print(f"\nThe figures are in {args.output / 'calibration.csv'}, .json and .png.")
    return 0


def _line(points: pd.DataFrame, model: str, law: str, n_samples: int) -> str:
    here = points[(points["model"] == model) & (points["law"] == law)]
    of_size = summarise(here[here["n_samples"] == n_samples]).iloc[0]
    held = " ".join(f"{100 * of_size[f'coverage_{level:g}']:.1f}" for level in LEVELS)
    return (
        f"{model:<12}{law:<16}{n_samples:>6} rows  KL {of_size['divergence']:.4f} ± "
        f"{of_size['divergence_error']:.4f}  optimism {of_size['optimism']:+.3f}  "
        f"rejected: latents {of_size['latent_rejected']:.2f}, samples "
        f"{of_size['sample_rejected']:.2f}  held, %: {held}"
    )


# ---------------------------------------------------------------------- one fit


def measure(model: Any, job: Job) -> dict[str, float]:
    """Fit a model to a draw of a law and return how far it is off.

    Parameters
    ----------
    model : Destructor
        What to fit.
    job : Job
        What to draw.

    Returns
    -------
    figures : dict of float
        ``divergence``: Kullback-Leibler, from fresh rows, in nats. ``optimism``: what
        ``validation_score_`` promises above the score of fresh rows, in nats; NaN
        without any. ``latent_p_value``: the smallest of Kolmogorov-Smirnov tests of the
        latents' normal distribution functions, times their number; ``latent_distance``:
        the largest distance. ``sample_p_value``: of samples and fresh rows being alike.
        ``coverage_0.5``, …: share of fresh rows in the region of highest density that
        should hold so much. ``cpu_seconds`` of the fit.
    """
    draw = LAWS[job.law]
    X, _ = draw(job.n_samples, random_state=job.seed)
    # No draw of training rows has so large a seed.
    fresh, truth = draw(job.n_fresh, random_state=1_000_003 + job.seed)
    start = process_time()
    model.fit(X)
    seconds = process_time() - start
    log_density = model.score_samples(fresh)
    promised = getattr(model, "validation_score_", np.empty(0))
    best = np.max(promised) if len(promised) else np.nan
    sample = model.sample(job.n_fresh, random_state=job.seed)
    limits = np.quantile(model.score_samples(sample), 1.0 - np.array(LEVELS))
    held = np.mean(log_density[:, None] >= limits, axis=0)
    U = stats.norm.cdf(model.transform(fresh[:_N_TESTED]))
    tests = [stats.kstest(u, "uniform") for u in U.T]
    smallest = min(test.pvalue for test in tests)
    return {
        "divergence": float(np.mean(truth - log_density)),
        "optimism": float(best - log_density.mean()),
        "latent_p_value": min(1.0, float(smallest) * len(tests)),
        "latent_distance": max(float(test.statistic) for test in tests),
        "sample_p_value": alike(sample[:_N_TESTED], fresh[:_N_TESTED], job.seed),
        **{
            f"coverage_{level:g}": float(h)
            for level, h in zip(LEVELS, held, strict=True)
        },
        "cpu_seconds": seconds,
    }


def alike(first: NDArray, second: NDArray, seed: int) -> float:
    """Return the p-value of two samples being of one law.

    It is a permutation test of the energy distance between their ranks, feature by
    feature, so heavy tails do not hide the rest.

    Parameters
    ----------
    first, second : ndarray of shape (n_samples, n_features)
        As many rows.
    seed : int
        Of the permutations.
    """
    n = len(first)
    ranks = stats.rankdata(np.r_[first, second], axis=0) / (2 * n)
    distances = cdist(ranks, ranks)
    rng, side = np.random.RandomState(seed), np.r_[np.ones(n), -np.ones(n)]
    sides = np.column_stack(
        [side, *(rng.permutation(side) for _ in range(_N_PERMUTATIONS))]
    )
    # The energy distance, but for a constant factor.
    energy = -np.einsum("ik,ik->k", sides, distances @ sides)
    return float(np.mean(energy >= energy[0] * (1.0 - 1e-12)))


# ---------------------------------------------------------------------- all of them


def summarise(points: pd.DataFrame) -> pd.DataFrame:
    """Return means over draws, one row for each model, law and size."""
    known = {
        "latent_rejected": points["latent_p_value"] <= _ALPHA,
        "sample_rejected": points["sample_p_value"] <= _ALPHA,
    }
    groups = points.assign(**known).groupby(["model", "law", "n_samples"], sort=False)
    means = groups.mean(numeric_only=True)
    means["divergence_error"] = groups["divergence"].sem().fillna(0.0)
    return means.drop(columns=["seed", "n_fresh"]).reset_index()


def decay(points: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return the power of the rows with which the mean divergence of each falls."""
    powers: dict[tuple[str, str], float] = {}
    for (model, law), group in summarise(points).groupby(["model", "law"], sort=False):
        # Sampling noise can make one of nearly nothing negative.
        seen = group[group["divergence"] > 0.0]
        if len(seen) > 1:
            logs = np.log(seen[["n_samples", "divergence"]].to_numpy())
            powers[model, law] = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
    return powers
