"""What imputers make of hidden entries of mixed tables: means, categories and draws."""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.model_selection import KFold

from destructors.estimators import DensityImputer, MixtureDensity

__all__ = ["measure_imputation"]

# Draws by which an energy score is estimated.
_N_DRAWS = 10
_OURS = "DensityImputer, mean"

# Takes rows to fit on; returns what gives draws of rows with holes.
_Fit = Callable[[NDArray], Callable[[NDArray], list[NDArray]]]


def measure_imputation(
    parts: list[NDArray],
    is_category: NDArray,
    share: float,
    n_masks: int,
    n_folds: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the errors of each imputer, on entries hidden completely at random.

    Each is fitted once, to rows with holes. What is hidden of the rows to fill in is
    drawn several times, the same for all imputers: in one draw few numbers of a small
    table are to be found, and which ones they are decides more than who finds them.

    Parameters
    ----------
    parts : list of ndarray of shape (n_samples, n_columns)
        Training, validation and test rows; the former two are fitted to.
    is_category : ndarray of bool of shape (n_columns,)
    share : float
        Of entries that are hidden.
    n_masks : int
        How often entries of the rows to fill in are hidden.
    n_folds : int or None
        With a number, so many folds of all rows are filled in, each by the others.

    Yields
    ------
    row : dict
        ``above`` is the root mean square less that of the means of a density, ``error``
        its standard error over rows.
    """
    X = np.vstack(parts)
    masks = [np.random.default_rng(i).random(X.shape) < share for i in range(n_masks)]
    if n_folds is None:
        splits = [np.split(np.arange(len(X)), [len(X) - len(parts[2])])]
    else:
        splits = list(KFold(n_folds, shuffle=True, random_state=0).split(X))
    found: dict[str, list[pd.DataFrame]] = {}
    seconds: dict[str, float] = defaultdict(float)
    for train, test in splits:
        scale = np.nanstd(X[train], axis=0)
        holed = np.where(masks[0], np.nan, X)[train]
        for name, fit in _imputers(is_category).items():
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                impute = fit(holed)
                filled = [impute(np.where(m, np.nan, X)[test]) for m in masks]
            seconds[name] += time.process_time() - start
            errors = [
                _errors(draws, X[test], mask[test], scale, is_category)
                for draws, mask in zip(filled, masks, strict=True)
            ]
            found.setdefault(name, []).append(sum(errors[1:], errors[0]))
    tables = {name: pd.concat(errors) for name, errors in found.items()}
    ours = tables[_OURS]
    for name, errors in tables.items():
        total = errors.sum()
        row: dict[str, Any] = {
            "rmse": None,
            "above": None,
            "error": None,
            "energy_score": None,
        }
        if total["n_numbers"]:
            row = {
                "rmse": _root_mean(errors),
                "above": _root_mean(errors) - _root_mean(ours),
                "error": _standard_error(errors, ours),
                "energy_score": float(total["energy"] / total["n_scored"]),
            }
        accuracy = float(total["n_right"] / total["n_codes"])
        known = {"missing": share, "imputer": name, **row, "accuracy": accuracy}
        yield {**known, "cpu_seconds": seconds[name]}


def _errors(
    draws: list[NDArray],
    truth: NDArray,
    mask: NDArray,
    scale: NDArray,
    is_category: NDArray,
) -> pd.DataFrame:
    """Return sums over the entries of each row, and of how many entries they are."""
    hidden, filled = mask & ~np.isnan(truth), draws[0]
    numbers, codes = hidden & ~is_category, hidden & is_category
    squares = np.where(numbers, (filled - truth) / scale, 0.0) ** 2
    columns = {
        "squares": squares.sum(axis=1),
        "n_numbers": numbers.sum(axis=1),
        "n_right": (codes & (filled == truth)).sum(axis=1),
        "n_codes": codes.sum(axis=1),
        "energy": _energy_scores(draws, truth, scale, numbers),
        "n_scored": numbers.any(axis=1),
    }
    return pd.DataFrame(columns, dtype=np.float64)


def _root_mean(errors: pd.DataFrame) -> float:
    return float(np.sqrt(errors["squares"].sum() / errors["n_numbers"].sum()))


def _standard_error(a: pd.DataFrame, b: pd.DataFrame) -> float:
    """Return the standard error of a difference of root mean squares, over rows.

    Each is a function of two means over rows, whose linear part is taken; all entries
    of a row, in all masks, are one draw.
    """

    def influence(errors: pd.DataFrame) -> NDArray:
        root = _root_mean(errors)
        of_row = errors["squares"] - root**2 * errors["n_numbers"]
        slope = 2.0 * root * errors["n_numbers"].mean()
        return np.asarray(of_row / max(slope, 1e-300))

    return float((influence(a) - influence(b)).std() / np.sqrt(len(a)))


def _energy_scores(
    draws: list[NDArray], truth: NDArray, scale: NDArray, seen: NDArray
) -> NDArray:
    """Return energy scores of the hidden numbers of each row, in standard units."""
    distance = lambda a, b: np.sqrt((((a - b) / scale) ** 2 * seen).sum(axis=1))
    truth = np.where(seen, truth, 0.0)
    draws = [np.where(seen, draw, 0.0) for draw in draws]
    score = np.mean([distance(draw, truth) for draw in draws], axis=0)
    if len(draws) > 1:
        pairs = [distance(a, b) for i, a in enumerate(draws) for b in draws[:i]]
        score = score - 0.5 * np.mean(pairs, axis=0)
    return score


def _imputers(is_category: NDArray) -> dict[str, _Fit]:
    """Return what fits imputers; the first of the density fits it, for those after."""
    fitted: list[DensityImputer] = []

    def by_density(strategy: Any) -> _Fit:
        def fit(train: NDArray) -> Callable[[NDArray], list[NDArray]]:
            if not fitted:
                density = MixtureDensity(
                    marginal=None, categorical_features=is_category, random_state=0
                )
                fitted.append(DensityImputer(density, random_state=0).fit(train))
            [imputer] = fitted

            def impute(test: NDArray) -> list[NDArray]:
                draws = []
                for seed in range(_N_DRAWS if strategy == "sample" else 1):
                    imputer.set_params(strategy=strategy, random_state=seed)
                    draws.append(np.asarray(imputer.transform(test), dtype=np.float64))
                return draws

            return impute

        return fit

    def by_sklearn(make: Callable[[], Any]) -> _Fit:
        def fit(train: NDArray) -> Callable[[NDArray], list[NDArray]]:
            fitted = make().fit(train)

            def impute(test: NDArray) -> list[NDArray]:
                filled = fitted.transform(test)
                # Codes are numbers to it: the nearest code is taken.
                most = np.nanmax(np.vstack([train, test]), axis=0)
                rounded = np.clip(np.rint(filled), 0, most)
                return [np.where(is_category, rounded, filled)]

            return impute

        return fit

    def simple(train: NDArray) -> Callable[[NDArray], list[NDArray]]:
        mean = SimpleImputer().fit(train)
        often = SimpleImputer(strategy="most_frequent").fit(train)
        return lambda test: [
            np.where(is_category, often.transform(test), mean.transform(test))
        ]

    return {
        _OURS: by_density("mean"),
        "DensityImputer, sample": by_density("sample"),
        "IterativeImputer": by_sklearn(lambda: IterativeImputer(random_state=0)),
        "KNNImputer": by_sklearn(KNNImputer),
        "mean, most frequent": simple,
    }
