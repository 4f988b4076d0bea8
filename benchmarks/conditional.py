"""One column given others: log density, coverage and seconds, beside boosting.

On magic and protein (the first column, given the others) and on five generated
regressions whose density is known. NGBoost is measured where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.environment import describe_environment
from benchmarks.files import write_json
from benchmarks.registry import ChoiceError, choose_names
from benchmarks.timing import time_once
from destructors.datasets._loaders import find_local
from destructors.estimators import ConditionalDensity

__all__ = ["GENERATED", "MODELS", "REAL", "add_arguments", "measure", "run"]

REAL = ("magic", "protein")
_N_TRAIN, _N_TEST, _COVERAGE = 3000, 5000, 0.9
# Levels of the quantile baseline.
_LEVELS = np.arange(1, 20) / 20

Draw = Callable[[Any, int], tuple[NDArray, NDArray, NDArray]]
# Log density and interval of each row.
Scores = tuple[NDArray, NDArray]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this job."""
    parser.add_argument("--quick", action="store_true", help="two generated sets")
    parser.add_argument("--datasets", nargs="+", metavar="NAME", help="of these alone")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="of these alone")


def run(args: argparse.Namespace) -> int:
    """Print a table and write ``conditional.json``."""
    names = choose_names((*GENERATED, *REAL), args.datasets)
    if args.quick:
        names = [name for name in names if name in ("bimodal", "skewed")]
    models = choose_names(MODELS, args.models)
    if "NGBoost" in models and importlib.util.find_spec("ngboost") is None:
        print("NGBoost is left out: pip install ngboost")
        models = [name for name in models if name != "NGBoost"]
    results = []
    for name in names:
        *rows, truth = _load(name)
        for model in models:
            figures = measure(MODELS[model], *rows)
            results.append({"data": name, "model": model, **figures, "truth": truth})
            print(results[-1], flush=True)
    content = {"environment": describe_environment(), "results": results}
    write_json(args.output / "conditional.json", content)
    table = pd.DataFrame(results)
    print()
    print(table.to_string(index=False, float_format="{:.3f}".format, na_rep="-"))
    print(f"\nThe figures are in {args.output / 'conditional.json'}.")
    return 0


def measure(
    fit: Callable[[NDArray, NDArray], Callable[[NDArray, NDArray], Scores]],
    X: NDArray,
    y: NDArray,
    X_test: NDArray,
    y_test: NDArray,
) -> dict[str, float]:
    """Return mean test log density in nats, share of test rows in the 90 % interval,
    and CPU seconds of the fit.
    """
    fitted: list[Callable[[NDArray, NDArray], Scores]] = []
    seconds = time_once(lambda: fitted.append(fit(X, y)))
    scores, interval = fitted[0](X_test, y_test)
    inside = (interval[:, 0] <= y_test) & (y_test <= interval[:, 1])
    return {
        "log_density": float(scores.mean()),
        "standard_error": float(scores.std() / np.sqrt(len(scores))),
        "coverage": float(inside.mean()),
        "fit_cpu_seconds": seconds.cpu,
    }


# ---------------------------------------------------------------------- data


def _load(name: str) -> tuple[NDArray, NDArray, NDArray, NDArray, float]:
    if name in GENERATED:
        rng = np.random.default_rng(0)
        X, y, _ = GENERATED[name](rng, _N_TRAIN)
        X_test, y_test, truth = GENERATED[name](rng, _N_TEST)
        return X, y, X_test, y_test, float(truth.mean())
    path = find_local(f"density/{name}.npz")
    if path is None:
        raise ChoiceError(f"needs DESTRUCTORS_DATA set to a folder with {name}.npz")
    with np.load(path) as file:
        train, test = np.vstack([file["train"], file["val"]]), file["test"]
    return train[:, 1:], train[:, 0], test[:, 1:], test[:, 0], np.nan


def _heteroscedastic(rng: Any, n: int) -> tuple[NDArray, NDArray, NDArray]:
    X = rng.uniform(-2.0, 2.0, size=(n, 3))
    law = stats.norm(X[:, 0] ** 2 - X[:, 1], 0.2 + np.abs(X[:, 0] + X[:, 2]) / 2)
    y = law.rvs(random_state=rng)
    return X, y, law.logpdf(y)


def _skewed(rng: Any, n: int) -> tuple[NDArray, NDArray, NDArray]:
    X = rng.normal(size=(n, 3))
    law = stats.skewnorm(
        8.0 * np.tanh(X[:, 0]), np.sin(2.0 * X[:, 1]), np.exp(X[:, 2] / 2)
    )
    y = law.rvs(random_state=rng)
    return X, y, law.logpdf(y)


def _bimodal(rng: Any, n: int) -> tuple[NDArray, NDArray, NDArray]:
    X = rng.uniform(-1.0, 1.0, size=(n, 3))
    share, apart = 0.5 + 0.4 * X[:, 1], 1.0 + X[:, 0]
    low, high = stats.norm(-apart, 0.3), stats.norm(apart, 0.5)
    first = rng.random(n) < share
    y = np.where(first, low.rvs(random_state=rng), high.rvs(random_state=rng))
    parts = np.log(share) + low.logpdf(y), np.log1p(-share) + high.logpdf(y)
    return X, y, np.logaddexp(*parts)


def _heavy_tails(rng: Any, n: int) -> tuple[NDArray, NDArray, NDArray]:
    X = rng.normal(size=(n, 3))
    law = stats.t(3.0, 2.0 * np.sin(X[:, 0]) + X[:, 1], np.exp(0.5 * X[:, 2]))
    y = law.rvs(random_state=rng)
    return X, y, law.logpdf(y)


def _multiplicative(rng: Any, n: int) -> tuple[NDArray, NDArray, NDArray]:
    X = np.c_[rng.integers(0, 5, n), rng.random(n) < 0.4, rng.gamma(2.0, size=n)]
    middle = (1.0 + X[:, 0]) * (1.0 + X[:, 2]) / (1.0 + 2.0 * X[:, 1])
    law = stats.lognorm(0.15 + 0.1 * X[:, 0], scale=middle)
    y = law.rvs(random_state=rng)
    return X, y, law.logpdf(y)


GENERATED: dict[str, Draw] = {
    "heteroscedastic": _heteroscedastic,
    "skewed": _skewed,
    "bimodal": _bimodal,
    "heavy tails": _heavy_tails,
    "multiplicative": _multiplicative,
}


# ---------------------------------------------------------------------- models


def _conditional(X: NDArray, y: NDArray) -> Callable[[NDArray, NDArray], Scores]:
    model = ConditionalDensity(random_state=0).fit(X, y)
    return lambda X, y: (model.score_samples(X, y), model.interval(X, _COVERAGE))


def _ngboost(X: NDArray, y: NDArray) -> Callable[[NDArray, NDArray], Scores]:
    from ngboost import NGBRegressor

    # A tenth is held out to stop by.
    model = NGBRegressor(n_estimators=500, verbose=False, random_state=0)
    last = np.random.default_rng(0).random(len(X)) < 0.1
    held_out = {"X_val": X[last], "Y_val": y[last], "early_stopping_rounds": 30}
    model.fit(X[~last], y[~last], **held_out)

    def score(X: NDArray, y: NDArray) -> Scores:
        law = model.pred_dist(X)
        ends = [law.ppf(0.5 - _COVERAGE / 2), law.ppf(0.5 + _COVERAGE / 2)]
        return law.logpdf(y), np.column_stack(ends)

    return score


def _quantiles(X: NDArray, y: NDArray) -> Callable[[NDArray, NDArray], Scores]:
    """Fit boosted trees of 19 quantiles: even between them, exponential beyond."""
    models = [
        HistGradientBoostingRegressor(
            loss="quantile", quantile=q, early_stopping=True, random_state=0
        ).fit(X, y)
        for q in _LEVELS
    ]
    # No gap is nearly empty, no tail nearly flat.
    least = 0.01 * np.subtract(*np.quantile(y, [0.75, 0.25]))

    def score(X: NDArray, y: NDArray) -> Scores:
        knots = np.sort([model.predict(X) for model in models], axis=0).T
        ends = knots[:, [0, -1]]
        knots = (
            knots[:, :1]
            + np.c_[
                np.zeros(len(X)), np.cumsum(np.maximum(np.diff(knots), least), axis=1)
            ]
        )
        place = (knots <= y[:, None]).sum(axis=1)
        inner = np.clip(place, 1, len(_LEVELS) - 1)
        rows = np.arange(len(X))
        gap = knots[rows, inner] - knots[rows, inner - 1]
        # The tails begin with the density of the gaps next to them.
        beyond = np.maximum(np.maximum(knots[:, 0] - y, y - knots[:, -1]), 0.0)
        return np.log(_LEVELS[0] / gap) - beyond / gap, ends

    return score


MODELS = {
    "ConditionalDensity": _conditional,
    "NGBoost": _ngboost,
    "quantile boosting": _quantiles,
}
