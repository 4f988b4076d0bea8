"""Speed: the figures behind the claims about fitting and transforming."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.environment import describe_environment
from benchmarks.files import write_json
from benchmarks.generated import normal_mixture
from benchmarks.scaling import make_rows
from benchmarks.timing import Work, time_by_turns
from destructors.command._arguments import count
from destructors.flows import RBIG
from destructors.marginal import SplineGaussianizer
from destructors.mixture import GaussianMixtureDestructor

__all__ = [
    "add_arguments",
    "measure_marginal",
    "measure_mixture",
    "measure_rbig",
    "run",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument(
        "--quick", action="store_true", help="a twentieth of the rows: only a try"
    )
    parser.add_argument(
        "--repeats", type=count, default=5, metavar="N", help="median of so many"
    )


def run(args: argparse.Namespace) -> int:
    """Print the figures and write ``speed.json``."""
    shrink = 20 if args.quick else 1
    print("One core, unless n_jobs says otherwise; compiled before timing; median of")
    print(f"{args.repeats} runs each.")
    with threadpool_limits(1):
        rbig = measure_rbig(6_000 // shrink, args.repeats)
        print(
            f"RBIG, {rbig['n_layers']} layers on {rbig['n_samples']:,} × "
            f"{rbig['n_features']}: fit {rbig['fit_seconds']:.3f} s, "
            f"score {rbig['score_seconds']:.3f} s"
        )
        mixture = measure_mixture(100_000 // shrink, args.repeats)
        print(
            f"Mixture of {mixture['n_components']} normals in {mixture['n_features']} "
            f"dimensions: forward {mixture['forward_rows_per_second']:,.0f}, inverse "
            f"{mixture['inverse_rows_per_second']:,.0f} rows/s"
        )
        marginal = measure_marginal(1_000_000 // shrink, args.repeats)
    print(
        f"np.sort(X, axis=0) of {marginal['n_samples']:,} × {marginal['n_features']}: "
        f"{marginal['sort_seconds']:.3f} s"
    )
    for n_jobs in (1, 2):
        print(
            f"SplineGaussianizer(n_jobs={n_jobs}) fit and transform of the same: "
            f"{marginal[f'n_jobs_{n_jobs}_seconds']:.3f} s, "
            f"{marginal[f'n_jobs_{n_jobs}_ratio']:.2f} times the sort"
        )
    document = {
        "environment": describe_environment(),
        "rbig": rbig,
        "mixture": mixture,
        "marginal": marginal,
    }
    write_json(args.output / "speed.json", document)
    print(f"The figures are in {args.output / 'speed.json'}.")
    return 0


def measure_rbig(n_samples: int, n_repeats: int) -> dict[str, Any]:
    """Return the time of 12 layers of RBIG in eight dimensions.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    n_repeats : int
        Number of runs, of which the median is taken.

    Returns
    -------
    figures : dict
        ``fit_seconds``, ``score_seconds``, ``n_layers`` and the shape of the data.
    """
    X, _ = normal_mixture(n_samples, random_state=0)
    model = RBIG(max_iter=12, early_stopping=False, random_state=0)
    model.fit(X[:200]).score(X[:200])
    works: dict[str, Work] = {
        "fit": partial(model.fit, X),
        "score": partial(model.score, X),
    }
    times = time_by_turns(works, n_repeats)
    return {
        "n_samples": n_samples,
        "n_features": X.shape[1],
        "n_layers": model.n_iter_,
        **{f"{name}_seconds": time.wall for name, time in times.items()},
    }


def measure_mixture(n_samples: int, n_repeats: int) -> dict[str, Any]:
    """Return the speed of the map of 16 full normals in ten dimensions, both ways.

    Parameters
    ----------
    n_samples : int
        Number of rows that are mapped.
    n_repeats : int
        Number of runs, of which the median is taken.

    Returns
    -------
    figures : dict
        ``forward_rows_per_second``, ``inverse_rows_per_second`` and the sizes.
    """
    X = make_rows(n_samples, 10)
    model = GaussianMixtureDestructor(16, max_iter=1000, random_state=0).fit(X[:5_000])
    Z = model.transform(X)
    model.inverse_transform(Z[:200])
    works: dict[str, Work] = {
        "forward": partial(model.transform, X),
        "inverse": partial(model.inverse_transform, Z),
    }
    times = time_by_turns(works, n_repeats)
    return {
        "n_samples": n_samples,
        "n_features": X.shape[1],
        "n_components": model.n_components_,
        **{f"{name}_rows_per_second": n_samples / t.wall for name, t in times.items()},
    }


def measure_marginal(n_samples: int, n_repeats: int) -> dict[str, Any]:
    """Return the time of ten marginals beside a sort of the same ten columns.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    n_repeats : int
        Number of runs, of which the median is taken.

    Returns
    -------
    figures : dict
        Seconds of the sort and of fit and transform with one and two threads, and the
        ratios of the latter to the former.
    """
    X = np.random.default_rng(0).standard_normal((n_samples, 10))
    SplineGaussianizer().fit_transform(X[:200])
    works: dict[str, Work] = {
        "sort": partial(np.sort, X, axis=0),
        "n_jobs_1": partial(SplineGaussianizer(n_jobs=1).fit_transform, X),
        "n_jobs_2": partial(SplineGaussianizer(n_jobs=2).fit_transform, X),
    }
    times = time_by_turns(works, n_repeats)
    seconds = {name: time.wall for name, time in times.items()}
    return {
        "n_samples": n_samples,
        "n_features": X.shape[1],
        **{f"{name}_seconds": value for name, value in seconds.items()},
        "n_jobs_1_ratio": seconds["n_jobs_1"] / seconds["sort"],
        "n_jobs_2_ratio": seconds["n_jobs_2"] / seconds["sort"],
    }
