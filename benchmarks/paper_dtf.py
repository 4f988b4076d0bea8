"""Discrete tree flows (Elkady, Lim and Inouye, ICML 2022): Table 1 and its timings."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from benchmarks.environment import describe_environment
from benchmarks.files import write_json
from benchmarks.registry import choose_names
from benchmarks.timing import Work, time_by_turns, time_once
from destructors.base import Destructor
from destructors.datasets import load_cop, load_mushroom, make_discrete_gaussian_grid
from destructors.discrete import CategoricalBase
from destructors.flows import DiscreteTreeFlow

__all__ = ["CASES", "MODELS", "Case", "evaluate", "measure_speed", "run"]

_N_FOLDS = 5


class Case(NamedTuple):
    """A data set with what is known of it: negative log-likelihoods, in nats.

    ``published`` holds the figures of the reference code at its best depth, picked on
    test rows, for random and for greedy splits, and the CPU seconds of the latter for
    five folds; ``chow_liu`` that of the tree, and ``truth`` that of the true or the
    full joint distribution. ``cv`` is how rows are held out of the training rows.
    """

    load: Callable[[], NDArray]
    published: tuple[float, float, float]
    chow_liu: float
    truth: float
    target: float
    cv: Any = None


def _mushroom() -> NDArray:
    """Return all columns but stalk-root, where values are missing."""
    data = load_mushroom()
    return np.delete(data.data, data.feature_names.index("stalk-root"), axis=1)


CASES = {
    "COP-H": Case(
        lambda: load_cop("COP-H").data, (1.325, 1.325, 8.0), 1.220, 1.220, 1.225
    ),
    "COP-M": Case(
        lambda: load_cop("COP-M").data, (1.399, 1.399, 9.0), 1.295, 1.288, 1.295
    ),
    "COP-W": Case(
        lambda: load_cop("COP-W").data, (2.214, 2.212, 11.0), 2.240, 2.165, 2.175
    ),
    "8 Gaussians": Case(
        lambda: make_discrete_gaussian_grid(12_800, random_state=0),
        (6.888, 6.444, 78.0),
        6.439,
        6.320,
        6.40,
    ),
    # The file is sorted, and so training rows tell of test rows less than of one
    # another: rows are held out as the test rows are, in runs.
    "Mushroom": Case(
        _mushroom, (17.36, 14.34, 91.0), 19.59, np.nan, 13.5, KFold(_N_FOLDS)
    ),
    "Mushroom, shuffled": Case(
        lambda: np.random.RandomState(0).permutation(_mushroom()),
        (12.92, 11.49, 137.0),
        14.32,
        np.nan,
        10.5,
    ),
}


def _as_published(splitter: str, case: Case) -> DiscreteTreeFlow:
    """Return ten permutations over independent columns, whatever they bring."""
    return DiscreteTreeFlow(
        splitter=splitter,  # type: ignore[arg-type]
        base="independent",
        alpha=0.1,
        max_iter=10,
        early_stopping=False,
        random_state=0,
    )


MODELS: dict[str, Callable[[Case], Destructor]] = {
    "RND": lambda case: _as_published("random", case),
    "GLP": lambda case: _as_published("glp", case),
    "Chow-Liu": lambda case: CategoricalBase(structure="chow-liu", random_state=0),
    # Its permutations are what the paper is about: no hidden states.
    "flow": lambda case: DiscreteTreeFlow(
        base=["independent", "chow-liu"], cv=case.cv, random_state=0
    ),
}


def run(args: argparse.Namespace) -> int:
    """Print the tables and write ``dtf.json``."""
    names = choose_names(CASES, args.only)
    n_folds = 1 if args.quick else _N_FOLDS
    print("Mean negative log-likelihood of test rows, in nats; folds of n // 5 rows in")
    print(
        "order. Published: best of the depths 3, 5 and 8 by the test rows. Here: depth"
    )
    print(
        "8; length and base of the flow by held-out training rows. CPU seconds are of"
    )
    print(f"fitting, compiled before, on {n_folds} fold(s); published on {_N_FOLDS}.\n")
    figures: dict[str, dict[str, Any]] = {}
    with threadpool_limits(1):
        _compile()
        for i, name in enumerate(names, start=1):
            print(f"[{i}/{len(names)}] {name} ...", end=" ", flush=True)
            figures[name] = {
                model: evaluate(make, CASES[name], n_folds)
                for model, make in MODELS.items()
            }
            losses = (f"{m} {each['loss']:.3f}" for m, each in figures[name].items())
            print(f"{', '.join(losses)} nats", flush=True)
        speed = measure_speed()
    print(f"\n{_format_table(figures)}")
    print(
        f"\nThrough {speed['n_layers']} permutations of {speed['n_samples']:,} × "
        f"{speed['n_features']} (Mushroom): {speed['forward']:,.0f} rows a second "
        f"forward, {speed['inverse']:,.0f} back."
    )
    document = {
        "environment": describe_environment(),
        "n_folds": n_folds,
        "figures": figures,
        "speed": speed,
    }
    write_json(args.output / "dtf.json", document)
    print(f"The figures are in {args.output / 'dtf.json'}.")
    return 0


def _format_table(figures: dict[str, dict[str, Any]]) -> str:
    rows = {name: _row(CASES[name], found) for name, found in figures.items()}
    # Each column has its own number of digits, so cells are text already.
    return pd.DataFrame.from_dict(rows, orient="index").to_string()


def _row(case: Case, found: dict[str, dict[str, float]]) -> dict[Any, str]:
    rnd, glp, published_seconds = case.published
    return {
        ("published", "RND"): f"{rnd:.3f}",
        ("published", "GLP"): f"{glp:.3f}",
        ("published", "CPU"): f"{published_seconds:.0f}",
        ("published", "tree"): f"{case.chow_liu:.3f}",
        ("true or", "joint"): "-" if np.isnan(case.truth) else f"{case.truth:.3f}",
        ("here", "RND"): f"{found['RND']['loss']:.3f}",
        ("here", "GLP"): f"{found['GLP']['loss']:.3f}",
        ("here", "CPU"): f"{found['GLP']['cpu_seconds']:.2f}",
        ("here", "tree"): f"{found['Chow-Liu']['loss']:.3f}",
        ("here", "flow"): f"{found['flow']['loss']:.3f}",
        ("here", "flow CPU"): f"{found['flow']['cpu_seconds']:.2f}",
        ("", "target"): f"{case.target:.3f}",
    }


def _compile() -> None:
    X = _mushroom()[::20]
    for make in MODELS.values():
        make(CASES["COP-H"]).fit(X).score(X)


def evaluate(
    make: Callable[[Case], Destructor], case: Case, n_folds: int
) -> dict[str, float]:
    """Return loss and cost of a model on the published folds.

    Parameters
    ----------
    make : callable
        Returns the model for a case.
    case : Case
        The data set.
    n_folds : int
        Number of folds that are gone through, of five.

    Returns
    -------
    figures : dict
        ``loss``, the mean over folds of the mean negative log-likelihood of the test
        rows, in nats; and ``cpu_seconds`` of all fits.
    """
    X = case.load()
    # As in the reference, the categories of a column are known beforehand.
    sizes = (X.max(axis=0) + 1).tolist()
    fold_size = len(X) // _N_FOLDS
    losses, seconds = [], 0.0
    for fold in range(n_folds):
        test = np.arange(fold * fold_size, (fold + 1) * fold_size)
        model = make(case).set_params(categories=sizes, handle_unknown="error")
        seconds += time_once(partial(model.fit, np.delete(X, test, axis=0))).cpu
        losses.append(-model.score(X[test]))
    return {"loss": float(np.mean(losses)), "cpu_seconds": seconds}


def measure_speed(n_samples: int = 100_000) -> dict[str, float]:
    """Return rows a second through ten permutations.

    Parameters
    ----------
    n_samples : int
        Number of rows, repeated from Mushroom.

    Returns
    -------
    figures : dict
        ``forward`` and ``inverse``, in rows a second of CPU time; and the shape.
    """
    X = _mushroom()
    sizes = (X.max(axis=0) + 1).tolist()
    model = _as_published("glp", CASES["Mushroom"])
    model.set_params(categories=sizes, handle_unknown="error").fit(X)
    rows = np.resize(X, (n_samples, X.shape[1]))
    works: dict[str, Work] = {
        "forward": partial(model.transform, rows),
        "inverse": partial(model.inverse_transform, model.transform(rows)),
    }
    times = time_by_turns(works, 3, min)
    return {
        "n_samples": n_samples,
        "n_features": X.shape[1],
        "n_layers": len(model),
        **{way: n_samples / time.cpu for way, time in times.items()},
    }
