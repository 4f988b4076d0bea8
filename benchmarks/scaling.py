"""Scaling: how the cost of boosted trees grows with rows, columns and trees."""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.report import describe_environment, write_json
from benchmarks.scaling_plot import plot_scaling
from destructors.tree import BoostedTreeDestructor, TreeDestructor

__all__ = ["Point", "add_arguments", "exponent", "measure_scaling", "run"]

# What is doubled, and from where; the rest stays at the base.
_BASE = {"n_samples": 20_000, "n_features": 10, "n_trees": 50}
_SIZES = {
    "n_samples": [5_000, 10_000, 20_000, 40_000, 80_000, 160_000],
    "n_features": [10, 20, 40, 80, 160],
    "n_trees": [25, 50, 100, 200, 400],
}
_TREES: dict[str, Any] = {
    "max_depth": 8,
    "max_bins": 64,
    "early_stopping": False,
    "random_state": 0,
}


class Point(NamedTuple):
    """One fit."""

    varied: str
    n_samples: int
    n_features: int
    n_trees: int
    seconds: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument(
        "--quick", action="store_true", help="a twentieth of the rows: only a try"
    )
    parser.add_argument(
        "--repeats", type=int, default=3, metavar="N", help="median of so many"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("results"), metavar="DIR", help="where to"
    )


def run(args: argparse.Namespace) -> int:
    """Print the figures; write ``scaling.csv``, ``.json`` and ``.png``."""
    shrink = 20 if args.quick else 1
    print("One core, unless n_jobs says otherwise; compiled before timing. Trees of")
    print("depth 8 on 64 bins.")
    with threadpool_limits(1):
        _fit(make_rows(500, 3), 2).sample(10)
        points = measure_scaling(shrink, args.repeats)
        exponents = {varied: exponent(points, varied) for varied in _SIZES}
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
        rates = measure_rates(200_000 // shrink, 500 // shrink, args.repeats)
    for way in ("score", "sample"):
        one, two = (rates[f"{way}_rows_per_second_n_jobs_{n}"] for n in (1, 2))
        print(
            f"{way} through {rates['n_trees']} trees on {rates['n_features']} columns: "
            f"{one:,.0f} rows/s, with n_jobs=2 {two:,.0f}: {two / one:.2f} times"
        )
    write_points(args.output / "scaling.csv", points)
    document = {
        "environment": describe_environment(1),
        "exponents": exponents,
        "one_tree": single,
        "large_fit": large,
        "rates": rates,
    }
    write_json(args.output / "scaling.json", document)
    plot_scaling(points, exponents, args.output / "scaling.png")
    print(f"The figures are in {args.output}: scaling.csv, scaling.json, scaling.png.")
    return 0


def make_rows(n_samples: int, n_features: int) -> NDArray:
    """Draw rows in which each feature bends with the one before it."""
    X = np.random.default_rng(0).standard_normal((n_samples, n_features))
    X[:, 1:] += 0.5 * X[:, :-1] ** 2
    return X


def measure_scaling(shrink: int, n_repeats: int) -> list[Point]:
    """Time fits while one size after the other is doubled.

    Parameters
    ----------
    shrink : int
        The number of rows is divided by this.
    n_repeats : int
        Number of fits of each size, of which the median is taken. Sizes take turns, so
        that what else the machine does meets them all.

    Returns
    -------
    points : list of Point
        In the order of `_SIZES`.
    """
    settings = [
        (varied, _BASE | {varied: size})
        for varied, sizes in _SIZES.items()
        for size in sizes
    ]
    runs: list[list[float]] = [[] for _ in settings]
    for _ in range(n_repeats):
        for (_, sizes), times in zip(settings, runs, strict=True):
            X = make_rows(sizes["n_samples"] // shrink, sizes["n_features"])
            times.append(_seconds(partial(_fit, X, sizes["n_trees"])))
    return [
        Point(
            varied,
            sizes["n_samples"] // shrink,
            sizes["n_features"],
            sizes["n_trees"],
            median(times),
        )
        for (varied, sizes), times in zip(settings, runs, strict=True)
    ]


def exponent(points: Sequence[Point], varied: str) -> float:
    """Power of a size that the cost grows with: the slope in logarithms."""
    own = [point for point in points if point.varied == varied]
    sizes = np.log([getattr(point, varied) for point in own])
    slope, _ = np.polyfit(sizes, np.log([point.seconds for point in own]), 1)
    return float(slope)


def measure_one_tree(n_samples: int, n_repeats: int) -> dict[str, Any]:
    """Time fitting and applying one tree."""
    X = make_rows(n_samples, 10)
    tree = TreeDestructor(max_depth=8, min_gain=0.0, min_samples_leaf=5)
    tree.fit(X).transform(X)
    return {
        "n_samples": n_samples,
        "n_features": X.shape[1],
        "n_leaves": tree.n_leaves_,
        "fit_seconds": _median_seconds(lambda: tree.fit(X), n_repeats),
        "apply_seconds": _median_seconds(lambda: tree.transform(X), n_repeats),
    }


def measure_large_fit(n_samples: int, n_trees: int) -> dict[str, Any]:
    """Time one large fit."""
    X = make_rows(n_samples, 10)
    return {
        "n_samples": n_samples,
        "n_features": X.shape[1],
        "n_trees": n_trees,
        "fit_seconds": _seconds(lambda: _fit(X, n_trees)),
    }


def measure_rates(n_samples: int, n_trees: int, n_repeats: int) -> dict[str, Any]:
    """Count the rows that are scored and drawn per second, by one and two threads."""
    model = _fit(make_rows(n_samples // 10, 10), n_trees)
    X = make_rows(n_samples, 10)
    figures: dict[str, Any] = {
        "n_samples": n_samples,
        "n_features": X.shape[1],
        "n_trees": n_trees,
    }
    ways: dict[str, Callable[[], Any]] = {
        "score": lambda: model.score_samples(X),
        "sample": lambda: model.sample(n_samples, random_state=0),
    }
    for name, work in ways.items():
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(n_repeats):
            for n_jobs, times in seconds.items():
                model.set_params(n_jobs=n_jobs)
                times.append(_seconds(work))
        for n_jobs, times in seconds.items():
            rate = n_samples / median(times)
            figures[f"{name}_rows_per_second_n_jobs_{n_jobs}"] = rate
    return figures


def write_points(path: Path, points: Sequence[Point]) -> None:
    """Write the points to a CSV file, and make the folder it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Point._fields)
        writer.writerows(points)


def _fit(X: NDArray, n_trees: int) -> BoostedTreeDestructor:
    return BoostedTreeDestructor(max_iter=n_trees, **_TREES).fit(X)


def _median_seconds(work: Callable[[], Any], n_repeats: int) -> float:
    return median(_seconds(work) for _ in range(n_repeats))


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
