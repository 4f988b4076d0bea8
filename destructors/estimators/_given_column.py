"""What is learned of a column given others: layers, kept if held-out rows gain."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.autoregressive._given import regress_last
from destructors.base import Destructor
from destructors.base_distributions import StandardNormal
from destructors.linear import Standardize
from destructors.maps import Chain, Columns, Map
from destructors.marginal import SplineGaussianizer
from destructors.rows import Fold, Rows, fold_rows, weighted_mean
from destructors.tree._conditional import ConditionalBoostedTrees

# This share is held out of all layers, to stop trees by and to calibrate the last ones.
# Of fewer rows it is too noisy; then trees stop by folds, and nothing is calibrated.
_SHARE, _ENOUGH_HELD_OUT, _N_FOLDS = 0.1, 1000, 5


class Settings(NamedTuple):
    """How the layers are fitted; names are those of `ConditionalDensity`."""

    regressors: list[Any]
    heteroscedastic: bool
    n_folds: int
    tol: float
    trees: dict[str, Any]


class Fitted(NamedTuple):
    """What was learned of one column.

    Attributes
    ----------
    context : Map
        Of the columns that are given, to what the other map sees of them.
    target : Map
        Of these columns and the last, of which it moves the last alone.
    layers : list of str
        Names of the layers of the target.
    """

    context: Map
    target: Chain
    layers: list[str]


def fit_column(values: NDArray, weight: NDArray, how: Settings, seed: int) -> Fitted:
    """Fit the last column given the others.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_given + 1)
        Different rows.
    weight : ndarray of shape (n_rows,)
        Their weights.
    how : Settings
        How.
    seed : int
        Of all that is drawn.
    """
    place = values.shape[1] - 1
    given = Rows.of(np.ascontiguousarray(values[:, :-1]), weight)
    context = _fit_map(SplineGaussianizer(), given)
    seen, _ = context.forward(given.values)
    fold = Fold(Rows.of(np.column_stack([seen, values[:, -1]]), weight))
    # Few different rows can spare none, however often each is there.
    is_enough = _SHARE * fold.train.total >= _ENOUGH_HELD_OUT
    if is_enough and len(fold.train) >= _ENOUGH_HELD_OUT:
        [fold] = fold.train.split(None, _SHARE, seed)
    found = []
    for start in (Standardize(robust=True), SplineGaussianizer()):
        marginal = _of_last(_fit_map(start, _last(fold.train)), place)
        regressions, moved = regress_last(
            fold.train.through(marginal),
            how.regressors,
            how.heteroscedastic,
            how.n_folds,
            how.tol,
            seed,
        )
        shape, score = _fit_shape(moved, how, seed)
        found.append((score, marginal, regressions, moved, shape))
    _, marginal, regressions, moved, shape = max(found, key=lambda each: each[0])
    maps = {"marginal": marginal}
    if len(regressions):
        maps["regressions"] = regressions
    if shape is not None:
        maps["shape"] = _of_last(shape, place)
        moved = moved.through(maps["shape"])
    so_far = Chain.of(maps.values())
    fold = Fold(moved.unseen(), fold.validation_through(so_far))
    if how.trees["max_iter"]:
        trees = _fit_trees(fold, how, seed)
        if trees is not None:
            maps["trees"] = trees
            fold = Fold(fold.train, fold.validation_through(trees))
    if fold.validation is not None:
        # Rows that no layer was fitted to. All others were taken as regressors of fewer
        # rows leave them, which is a little more than the last ones leave: the scale of
        # new rows is smaller. Two numbers of so many rows cost next to nothing.
        scale = _fit_map(Standardize(), _last(fold.validation))
        maps["calibration"] = _of_last(scale, place)
        calibrated = fold.validation.through(maps["calibration"])
        shape, _ = _fit_shape(calibrated, how, seed)
        if shape is not None:
            maps["calibration"] = _of_last(Chain((scale, shape)), place)
    return Fitted(context, Chain.of(maps.values()), list(maps))


def _fit_map(destructor: Destructor, rows: Rows) -> Map:
    destructor._fit_rows(Fold(rows))
    return destructor.map_


def _last(rows: Rows) -> Rows:
    return rows.columns(np.array([rows.n_features - 1]))


def _of_last(map_: Map, place: int) -> Map:
    return Columns((map_,), (np.array([place]),))


def _fit_shape(rows: Rows, how: Settings, seed: int) -> tuple[Map | None, float]:
    """Return a map of the residuals if held-out rows gain by it, and the mean log
    density of the rows with or without it.
    """
    last, base = _last(rows), StandardNormal(1)
    folds = fold_rows(rows.values, rows.weights, min(how.n_folds, len(rows)), seed)
    without = weighted_mean(base.logpdf(last.values), rows.weights)
    total = 0.0
    for train, test in folds:
        map_ = _fit_map(SplineGaussianizer(), last.take(train))
        part = last.take(test)
        total += part.through(map_).score(base) * part.total
    gain = total / rows.total - without
    before = weighted_mean(rows.log_det, rows.weights) + without
    if gain <= how.tol:
        return None, before
    return _fit_map(SplineGaussianizer(), last), before + gain


def _fit_trees(fold: Fold, how: Settings, seed: int) -> Map | None:
    """Return trees, as many as held-out rows gain by; None where that is none."""
    cv = None if fold.validation is not None else min(_N_FOLDS, len(fold.train))
    trees = ConditionalBoostedTrees(**how.trees, cv=cv, random_state=seed)
    trees._fit_rows(fold)
    return trees.map_ if trees.n_iter_ else None
