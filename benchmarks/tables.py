"""Tables of numbers and categories: densities, drawn rows, and filled-in values."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.environment import describe_environment
from benchmarks.files import write_json
from benchmarks.registry import ChoiceError
from benchmarks.tables_imputation import measure_imputation
from benchmarks.tables_peers import installed_peers, within
from benchmarks.tables_synthetic import leakage, two_sample_area, usefulness
from destructors.datasets._loaders import find_local
from destructors.estimators import MixtureDensity
from destructors.flows import TreeFlow

__all__ = ["add_arguments", "run"]

_SETS = ["adult", "abalone", "german", "crx", "dermatology"]
_SHARES = [0.1, 0.5]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument("--quick", action="store_true", help="crx alone: only a try")
    parser.add_argument(
        "--data", nargs="+", default=_SETS, choices=_SETS, metavar="NAME", help="which"
    )
    parser.add_argument(
        "--folds",
        type=int,
        metavar="N",
        help="imputation alone, cross-validated on all rows: test rows are few",
    )
    parser.add_argument(
        "--masks",
        type=int,
        default=10,
        metavar="N",
        help="how often entries of the rows to fill in are hidden, each time others",
    )
    parser.add_argument(
        "--peer-minutes",
        type=int,
        default=10,
        metavar="N",
        help="largest CPU time of each density of another library on each set",
    )


def run(args: argparse.Namespace) -> int:
    """Print the tables and write ``tables.json``."""
    names = ["crx"] if args.quick else args.data
    densities, imputations = [], []
    for name in names:
        table = Table(name)
        if not args.folds:
            for row in _measure_densities(table, args.peer_minutes):
                densities.append(row)
                print(_line(row), flush=True)
        for share in _SHARES:
            how = table.parts, table.is_category, share, args.masks, args.folds
            for row in measure_imputation(*how):
                imputations.append({"data": name, **row})
                print(_line(imputations[-1]), flush=True)
    figures = {"density": densities, "imputation": imputations}
    write_json(
        args.output / "tables.json",
        {"environment": describe_environment(), "figures": figures},
    )
    for rows in filter(None, figures.values()):
        print()
        print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format))
    print(f"\nThe figures are in {args.output / 'tables.json'}.")
    return 0


class Table:
    """A data set with its splits.

    Parameters
    ----------
    name : str
        Its name in the folder ``mixed`` of ``DESTRUCTORS_DATA``.
    """

    def __init__(self, name: str):
        path = find_local(f"mixed/{name}.npz")
        if path is None:
            raise ChoiceError(
                f"needs DESTRUCTORS_DATA set to a folder with mixed/{name}.npz"
            )
        with np.load(Path(path)) as file:
            self.parts = [file[part].copy() for part in ("train", "valid", "test")]
            self.is_category = file["is_category"]
        self.name = name

    def spread(self) -> list[NDArray]:
        """Return the parts with noise on number columns whose values repeat."""
        rng, parts = np.random.default_rng(0), [part.copy() for part in self.parts]
        whole = np.vstack(parts)
        for j in np.flatnonzero(~self.is_category):
            values, counts = np.unique(whole[:, j], return_counts=True)
            if counts.max() > 1:
                for part in parts:
                    part[:, j] += np.diff(values).min() * rng.uniform(size=len(part))
        return parts

    def without_holes(self, parts: list[NDArray]) -> tuple[list[NDArray], NDArray]:
        """Return parts where what is missing is one more code, and numbers of codes."""
        highest = np.where(self.is_category, np.nanmax(np.vstack(parts), axis=0), 0)
        holed = np.isnan(np.vstack(parts)).any(axis=0) & self.is_category
        filled = [np.where(np.isnan(part) & holed, highest + 1, part) for part in parts]
        return filled, np.where(self.is_category, highest + 1 + holed, 0).astype(int)


def _measure_densities(table: Table, peer_minutes: int) -> Iterator[dict[str, Any]]:
    """Yield the mean log density of test rows, in nats, and what drawn rows are worth.

    A hole is a category. A model that takes too long has no figures.
    """
    (train, valid, test), n_codes = table.without_holes(table.spread())
    real = np.vstack([train, valid])
    how: dict[str, Any] = {
        "categorical_features": table.is_category,
        "random_state": 0,
    }
    own = {"MixtureDensity": MixtureDensity(**how), "TreeFlow": TreeFlow(**how)}
    of_real = usefulness(real, test, table.is_category)
    for name, model in {**own, **installed_peers(n_codes)}.items():
        run = partial(_measure_density, model, real, test, n_codes)
        found = run() if name in own else within(60 * peer_minutes, run)
        known = {"trained_on_real": of_real} if found else {}
        yield {"data": table.name, "model": name, **(found or {}), **known}


def _measure_density(
    model: Any, real: NDArray, test: NDArray, n_codes: NDArray
) -> dict[str, Any]:
    start = time.process_time()
    model.fit(real)
    fitted = time.process_time()
    drawn = np.asarray(model.sample(len(real), random_state=0), dtype=np.float64)
    sampled = time.process_time()
    scores, is_category = model.score_samples(test), n_codes > 0
    return {
        "log_likelihood": float(scores.mean()),
        "standard_error": float(scores.std() / np.sqrt(len(scores))),
        "two_sample_area": two_sample_area(drawn, test, is_category),
        "trained_on_drawn": usefulness(drawn, test, is_category),
        "nearer_to_training": leakage(drawn, real, test, n_codes),
        "n_components": getattr(model, "n_components_", None),
        "fit_cpu_seconds": fitted - start,
        "sample_cpu_seconds": sampled - fitted,
    }


def _line(row: dict[str, Any]) -> str:
    return "  ".join(
        f"{value:.3f}" if isinstance(value, float) else str(value)
        for value in row.values()
    )
