"""Marginals: how many nats per feature each loses against the truth."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.report import describe_environment, write_json
from destructors.base import Destructor
from destructors.marginal import (
    HistogramGaussianizer,
    KernelGaussianizer,
    ParametricGaussianizer,
    RationalQuadraticGaussianizer,
    SplineGaussianizer,
)

__all__ = ["add_arguments", "measure", "run"]

_N_TEST = 20_000
_N_FEATURES = 5


class Law(NamedTuple):
    """A known density of one feature."""

    draw: Callable[[np.random.RandomState, Any], NDArray]
    log_density: Callable[[NDArray], NDArray]
    n_samples: int = 2000


def _two_modes(rng: np.random.RandomState, shape: Any) -> NDArray:
    return rng.choice([-2.0, 2.0], shape) + 0.5 * rng.standard_normal(shape)


def _log_two_modes(x: NDArray) -> NDArray:
    parts = stats.norm.logpdf(x, -2.0, 0.5), stats.norm.logpdf(x, 2.0, 0.5)
    return np.logaddexp(*parts) - np.log(2.0)


def _law(frozen: Any, n_samples: int = 2000) -> Law:
    draw = lambda rng, shape: frozen.rvs(shape, random_state=rng)
    return Law(draw, frozen.logpdf, n_samples)


LAWS = {
    "normal": _law(stats.norm(), 1000),
    "Student t(3)": _law(stats.t(3)),
    "gamma(2)": _law(stats.gamma(2.0)),
    "beta(2, 5)": _law(stats.beta(2.0, 5.0)),
    "two modes": Law(_two_modes, _log_two_modes),
    "uniform": _law(stats.uniform()),
}
MARGINALS = [
    SplineGaussianizer(),
    KernelGaussianizer(),
    RationalQuadraticGaussianizer(),
    ParametricGaussianizer(),
    HistogramGaussianizer(),
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument("--quick", action="store_true", help="one seed: only a try")
    parser.add_argument(
        "--seeds", type=int, default=5, metavar="N", help="mean over so many draws"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("results"), metavar="DIR", help="where to"
    )


def run(args: argparse.Namespace) -> int:
    """Print a table and write ``marginals.json``."""
    n_seeds = 1 if args.quick else args.seeds
    rule = " ".join(["=" * 29, *["=" * 12] * len(LAWS)])
    print("Nats per feature that are lost on new rows, against the true density;")
    print(f"mean of {n_seeds} draws of {_N_FEATURES} features.\n")
    print(rule)
    print(" ".join([f"{'':29}", *[f"{name:12}" for name in LAWS]]).rstrip())
    print(rule)
    losses: dict[str, dict[str, float]] = {}
    for marginal in MARGINALS:
        name = type(marginal).__name__
        losses[name] = {
            law_name: float(
                np.mean([measure(marginal, law, seed) for seed in range(n_seeds)])
            )
            for law_name, law in LAWS.items()
        }
        cells = [f"{loss:<12.4f}" for loss in losses[name].values()]
        print(" ".join([f"{name:29}", *cells]).rstrip(), flush=True)
    print(rule)
    write_json(
        args.output / "marginals.json",
        {"environment": describe_environment(1), "losses": losses},
    )
    print(f"\nThe figures are in {args.output / 'marginals.json'}.")
    return 0


def measure(marginal: Destructor, law: Law, seed: int) -> float:
    """Fit a marginal to a draw of a law, and compare it with the truth on another.

    Parameters
    ----------
    marginal : Destructor
        What to fit.
    law : Law
        What to draw from.
    seed : int
        Seed of the draws.

    Returns
    -------
    loss : float
        Nats per feature.
    """
    rng = np.random.RandomState(seed)
    train = law.draw(rng, (law.n_samples, _N_FEATURES))
    test = law.draw(rng, (_N_TEST, _N_FEATURES))
    truth = law.log_density(test).sum(axis=1).mean()
    return float(truth - marginal.fit(train).score(test)) / _N_FEATURES
