"""Scaling: how the cost of boosted trees grows with rows, columns and trees."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.environment import describe_environment
from benchmarks.files import write_csv, write_json
from benchmarks.scaling_plot import plot_scaling
from benchmarks.timing import Work, time_by_turns, time_once
from destructors.command._arguments import count
from destructors.tree import BoostedTreeDestructor, TreeDestructor

__all__ = ["add_arguments", "exponent", "make_rows", "measure_scaling", "run"]

# What is doubled, and from where; the rest stays at the base.
_BASE = {"n_samples": 20_000, "n_features": 10, "n_trees": 50}
_SIZES = {
    "n_samples": [5_000, 10_000, 20_000, 40_000, 80_000, 160_000],
    "n_features": [10, 20, 40, 80, 160],
    "n_trees": [25, 50, 100, 200, 400],
}
# Rows of trees that are as deep as they are by default.
_MANY_ROWS = [100_000, 200_000, 400_000, 800_000]
_TREES: dict[str, Any] = {
    "max_depth": 8,
    "max_bins": 64,
    "early_stopping": False,
    "random_state": 0,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument(
        "--quick", action="store_true", help="a twentieth of the rows: only a try"
    )
    parser.add_argument(
        "--repeats", type=count, default=3, metavar="N", help="median of so many"
    )


def run(args: argparse.Namespace) -> int:
    """Print the figures; write ``scaling.csv``, ``.json`` and ``.png``."""
    shrink = 20 if args.quick else 1
    print("One core, unless n_jobs says otherwise; compiled before timing. Trees of")
    print("depth 8 on 64 bins.")
    with threadpool_limits(1):
        _fit(make_rows(500, 3), 2).sample(10)
        points = measure_scaling(shrink, args.repeats)
        exponents = {
            varied: exponent(points[points["varied"] == varied], varied)
            for varied in _SIZES
        }
        for varied, power in exponents.items():
            print(f"Fit cost grows with {varied} to the power of {power:.2f}.")
        single = measure_one_tree(15_216 // shrink, 5 * args.repeats)
        print(
            f"One tree on {single['n_samples']:,} × {single['n_features']}: fit "
            f"{1e3 * single['fit_seconds']:.2f} ms, apply "
            f"{1e3 * single['apply_seconds']:.2f} ms"
        )
        large = measure_large_fit(200_000 // shrink, 1_000 // shrink)
        print(
            f"{large['n_trees']:,} trees on {large['n_samples']:,} × "
            f"{large['n_features']}: fit {large['fit_seconds']:.1f} s"
        )
        many = measure_many_rows([size // shrink for size in _MANY_ROWS], 10)
        for line in many.itertuples():
            print(
                f"A tree with default parameters on {line.n_samples:,} × 10: "
                f"{1e9 * line.seconds / line.n_samples:.0f} ns a row"
            )
        deep = exponent(many, "n_samples")
        print(f"It grows with their number to the power of {deep:.2f}.")
        rates = measure_rates(200_000 // shrink, 500 // shrink, args.repeats)
    for way in ("score", "sample"):
        one, two = (rates[f"{way}_rows_per_second_n_jobs_{n}"] for n in (1, 2))
        print(
            f"{way} through {rates['n_trees']} trees on {rates['n_features']} columns: "
            f"{one:,.0f} rows/s, with n_jobs=2 {two:,.0f}: {two / one:.2f} times"
        )
    write_csv(args.output / "scaling.csv", points)
    document = {
        "environment": describe_environment(),
        "exponents": exponents,
        "one_tree": single,
        "large_fit": large,
        "many_rows": {"exponent": deep, **many.to_dict("list")},
        "rates": rates,
    }
    write_json(args.output / "scaling.json", document)
    plot_scaling(points, exponents, args.output / "scaling.png")
    print(f"The figures are in {args.output}: scaling.csv, scaling.json, scaling.png.")
    return 0


def make_rows(n_samples: int, n_features: int) -> NDArray:
    """Return rows in which each feature bends with the one before it."""
    X = np.random.default_rng(0).standard_normal((n_samples, n_features))
    X[:, 1:] += 0.5 * X[:, :-1] ** 2
    return X


def measure_scaling(shrink: int, n_repeats: int) -> pd.DataFrame:
    """Return the cost of fits while one size after the other is doubled.

    Parameters
    ----------
    shrink : int
        The number of rows is divided by this.
    n_repeats : int
        Number of fits of each size, of which the median is taken.

    Returns
    -------
    points : DataFrame
        The size that is ``varied``, all sizes and ``seconds``; in the order of
        `_SIZES`.
    """
    points = pd.DataFrame(
        {"varied": varied, **_BASE, varied: size}
        for varied, sizes in _SIZES.items()
        for size in sizes
    )
    points["n_samples"] //= shrink
    fits = {
        row.Index: partial(_fit, make_rows(row.n_samples, row.n_features), row.n_trees)
        for row in points.itertuples()
    }
    times = time_by_turns(fits, n_repeats)
    return points.assign(seconds=[time.wall for time in times.values()])


def exponent(points: pd.DataFrame, varied: str) -> float:
    """Return the power of a size that the cost grows with: the slope in logarithms."""
    slope, _ = np.polyfit(np.log(points[varied]), np.log(points["seconds"]), 1)
    return float(slope)


def measure_one_tree(n_samples: int, n_repeats: int) -> dict[str, Any]:
    """Return the time of fitting and of applying one tree."""
    X = make_rows(n_samples, 10)
    tree = TreeDestructor(max_depth=8, min_gain=0.0, min_samples_leaf=5)
    tree.fit(X).transform(X)
    works: dict[str, Work] = {
        "fit": partial(tree.fit, X),
        "apply": partial(tree.transform, X),
    }
    times = time_by_turns(works, n_repeats)
    return {
        "n_samples": n_samples,
        "n_features": X.shape[1],
        "n_leaves": tree.n_leaves_,
        **{f"{name}_seconds": time.wall for name, time in times.items()},
    }


def measure_large_fit(n_samples: int, n_trees: int) -> dict[str, Any]:
    """Return the time of one large fit."""
    X = make_rows(n_samples, 10)
    return {
        "n_samples": n_samples,
        "n_features": X.shape[1],
        "n_trees": n_trees,
        "fit_seconds": time_once(partial(_fit, X, n_trees)).wall,
    }


def measure_many_rows(sizes: list[int], n_trees: int) -> pd.DataFrame:
    """Return the time of one more tree with default parameters.

    Parameters
    ----------
    sizes : list of int
        Numbers of rows.
    n_trees : int
        So many are grown after the first; what a fit does once is not counted.

    Returns
    -------
    table : DataFrame
        ``n_samples``, and ``seconds`` of CPU a tree.
    """
    lines = []
    for n_samples in sizes:
        X, cpu = make_rows(n_samples, 10), []
        for n in (1, 1 + n_trees):
            model = BoostedTreeDestructor(
                max_iter=n, early_stopping=False, random_state=0
            )
            cpu.append(time_once(partial(model.fit, X)).cpu)
        lines.append((n_samples, (cpu[1] - cpu[0]) / n_trees))
    return pd.DataFrame(lines, columns=["n_samples", "seconds"])


def measure_rates(n_samples: int, n_trees: int, n_repeats: int) -> dict[str, Any]:
    """Return the rows that are scored and drawn per second, by one and two threads."""
    model = _fit(make_rows(n_samples // 10, 10), n_trees)
    X = make_rows(n_samples, 10)

    def work(way, n_jobs):
        model.set_params(n_jobs=n_jobs)
        if way == "score":
            model.score_samples(X)
        else:
            model.sample(n_samples, random_state=0)

    works: dict[str, Work] = {
        f"{way}_rows_per_second_n_jobs_{n_jobs}": partial(work, way, n_jobs)
        for way in ("score", "sample")
        for n_jobs in (1, 2)
    }
    times = time_by_turns(works, n_repeats)
    return {
        "n_samples": n_samples,
        "n_features": X.shape[1],
        "n_trees": n_trees,
        **{name: n_samples / time.wall for name, time in times.items()},
    }


def _fit(X: NDArray, n_trees: int) -> BoostedTreeDestructor:
    return BoostedTreeDestructor(max_iter=n_trees, **_TREES).fit(X)
