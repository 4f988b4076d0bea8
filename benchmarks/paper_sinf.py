"""Sliced iterative normalizing flows (Dai and Seljak, ICML 2021): density sets."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.datasets import DATASETS
from benchmarks.environment import describe_environment
from benchmarks.files import write_json
from benchmarks.registry import ChoiceError, choose_names
from benchmarks.split import Split
from benchmarks.timing import time_by_turns, time_once
from destructors.flows import SlicedGaussianization

__all__ = ["CASES", "Case", "Outcome", "measure", "run"]

_N_SCORED = 1000


class Case(NamedTuple):
    """What the reference code reaches: nats of test rows, layers, CPU seconds.

    It ended by itself on wilt, and was stopped after 70 seconds on satellite and
    protein. Scoring 1,000 rows took 0.06 to 1.4 seconds. NaN is not known.
    """

    score: float
    n_layers: float = np.nan
    cpu_seconds: float = np.nan


CASES = {
    "wilt": Case(-3.617, 115, 60),
    "satellite": Case(3.055, cpu_seconds=70),
    "protein": Case(-1.145, cpu_seconds=70),
    "shuttle": Case(6.619),
}


@dataclass(frozen=True)
class Outcome:
    """Figures of one data set: of test rows, in nats, and CPU seconds."""

    score: float
    n_layers: int
    cpu_seconds: float
    score_seconds: float
    round_trip: float


def measure(data: Split, max_iter: int) -> Outcome:
    """Return what is measured of the flow as it comes.

    Parameters
    ----------
    data : Split
        Training, validation and test rows; the flow stops by the second.
    max_iter : int
        Largest number of layers.

    Returns
    -------
    outcome : Outcome
        ``score_seconds`` is what 1,000 rows take, in one call.
    """
    flow = SlicedGaussianization(max_iter=max_iter, random_state=0)
    fit_time = time_once(partial(flow.fit, data.train, X_val=data.val))
    rows = np.resize(data.test, (_N_SCORED, data.test.shape[1]))
    times = time_by_turns({"score": partial(flow.score_samples, rows)}, 7, min)
    back = flow.inverse_transform(flow.transform(data.test))
    return Outcome(
        score=flow.score(data.test),
        n_layers=flow.n_iter_,
        cpu_seconds=fit_time.cpu,
        score_seconds=times["score"].cpu,
        round_trip=float(np.abs(back - data.test).max()),
    )


def run(args: argparse.Namespace) -> int:
    """Print our figures beside those of the reference code; write ``sinf.json``."""
    names = choose_names(CASES, args.only)
    for name in names:
        if reason := DATASETS[name].missing():
            raise ChoiceError(f"{name}: {reason}")
    print("Mean log-likelihood of test rows, in nats. CPU seconds are of fitting,")
    print(
        "compiled before; milliseconds of scoring 1,000 rows. Reference code: stopped"
    )
    print("after 70 seconds on satellite and protein; scoring took 60 to 1,400 ms.\n")
    outcomes: dict[str, Outcome] = {}
    with threadpool_limits(1):
        few = np.random.default_rng(0).gamma(2.0, size=(200, 3))
        SlicedGaussianization(max_iter=3, random_state=0).fit(few).sample()
        for i, name in enumerate(names, start=1):
            print(f"[{i}/{len(names)}] {name} ...", end=" ", flush=True)
            data = DATASETS[name].make()
            if args.quick:
                data = data.head(1000)
            outcomes[name] = measure(data, max_iter=5 if args.quick else 100)
            print(f"{outcomes[name].score:.3f} nats", flush=True)
    rows = {name: _row(CASES[name], outcome) for name, outcome in outcomes.items()}
    print(f"\n{pd.DataFrame.from_dict(rows, orient='index').to_string()}")
    document = {
        "environment": describe_environment(),
        "results": {name: asdict(outcome) for name, outcome in outcomes.items()},
    }
    write_json(args.output / "sinf.json", document)
    print(f"The figures are in {args.output / 'sinf.json'}.")
    return 0


def _row(case: Case, found: Outcome) -> dict[Any, str]:
    known = lambda value: "-" if np.isnan(value) else f"{value:.0f}"
    return {
        ("reference", "nats"): f"{case.score:.3f}",
        ("reference", "layers"): known(case.n_layers),
        ("reference", "CPU"): known(case.cpu_seconds),
        ("here", "nats"): f"{found.score:.3f}",
        ("here", "layers"): f"{found.n_layers}",
        ("here", "CPU"): f"{found.cpu_seconds:.1f}",
        ("here", "ms"): f"{1e3 * found.score_seconds:.1f}",
        ("here", "ms a layer"): f"{1e3 * found.score_seconds / found.n_layers:.3f}",
        ("here", "round trip"): f"{found.round_trip:.0e}",
    }
