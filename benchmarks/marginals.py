"""Marginals: how many nats per feature each loses against the truth."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from benchmarks.environment import describe_environment
from benchmarks.files import write_json
from destructors.base import Destructor
from destructors.command._arguments import count
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
        "--seeds", type=count, default=5, metavar="N", help="mean over so many draws"
    )


def run(args: argparse.Namespace) -> int:
    """Print a table and write ``marginals.json``."""
    n_seeds = 1 if args.quick else args.seeds
    print("Nats per feature that are lost on new rows, against the true density;")
    print(f"mean of {n_seeds} draws of {_N_FEATURES} features.\n")
    losses = {
        type(marginal).__name__: {
            name: float(
                np.mean([measure(marginal, law, seed) for seed in range(n_seeds)])
            )
            for name, law in LAWS.items()
        }
        for marginal in MARGINALS
    }
    table = pd.DataFrame.from_dict(losses, orient="index")
    print(table.to_string(float_format="{:.4f}".format))
    write_json(
        args.output / "marginals.json",
        {"environment": describe_environment(), "losses": losses},
    )
    print(f"\nThe figures are in {args.output / 'marginals.json'}.")
    return 0


def measure(marginal: Destructor, law: Law, seed: int) -> float:
    """Return what a marginal that is fitted to a draw of a law loses on another.

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
