"""Binary sets of the literature on tractable models: hidden trees and permutations."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.environment import describe_environment
from benchmarks.files import write_json
from benchmarks.registry import choose_names
from benchmarks.timing import time_once
from destructors.datasets import load_binary
from destructors.flows import DiscreteTreeFlow

__all__ = ["CASES", "Case", "evaluate", "run"]

_QUICK_ROWS = 500


class Case(NamedTuple):
    """What is known of a set: mean test log-likelihoods, in nats.

    ``published`` is that of hidden Chow–Liu tree circuits (Liu and Van den Broeck,
    NeurIPS 2021), the mean of five runs.
    """

    published: float


CASES = {
    "nltcs": Case(-5.999),
    "plants": Case(-14.263),
    "baudio": Case(-39.774),
    "accidents": Case(-26.744),
    "dna": Case(-79.056),
    "bbc": Case(-251.05),
}


def run(args: argparse.Namespace) -> int:
    """Print the table and write ``debd.json``."""
    names = choose_names(CASES, args.only)
    print("Mean log-likelihood of test rows, in nats; one set of defaults, everything")
    print("is chosen on the validation rows. CPU seconds are of fitting.\n")
    rows = {}
    with threadpool_limits(1):
        for name in names:
            rows[name] = {
                "published": CASES[name].published,
                **evaluate(name, _QUICK_ROWS if args.quick else None),
            }
            print(name, rows[name], flush=True)
    table = pd.DataFrame.from_dict(rows, orient="index")
    print("\n" + table.to_string(float_format="{:.3f}".format))
    path: Path = args.output / "debd.json"
    write_json(path, {"environment": describe_environment(), "sets": rows})
    print(f"\nThe figures are in {path}.")
    return 0


def evaluate(name: str, n_rows: int | None = None) -> dict[str, float | str]:
    """Return the score of the flow on a set, and what it cost.

    Parameters
    ----------
    name : str
        Of the set.
    n_rows : int or None
        Number of training rows; None takes all.

    Returns
    -------
    figures : dict
        ``test``, mean log-likelihood in nats; ``cpu_seconds`` of the fit; ``base``,
        the structure that was chosen; ``n_permutations``.
    """
    data = load_binary(name)
    model = DiscreteTreeFlow(random_state=0)
    fit = partial(model.fit, data.train[:n_rows], X_val=data.val[:n_rows])
    seconds = time_once(fit).cpu
    return {
        "test": float(np.mean(model.score_samples(data.test))),
        "cpu_seconds": seconds,
        "base": model.structure_,
        "n_permutations": len(model),
    }
