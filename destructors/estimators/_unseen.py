"""Scores of rows by the mean of all densities that have not seen them."""

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from destructors.base import Destructor
from destructors.base._some_rows import fit_some_rows
from destructors.maps import Density
from destructors.maps._kernel_density import KernelDensity
from destructors.maps._mean_density import MeanLogDensity
from destructors.rows import Rows

# The least distance between quartiles that log densities are brought to one spread by.
_LEAST_SPREAD = 1e-6


class _Fit(NamedTuple):
    """What was fitted without some folds.

    Attributes
    ----------
    estimator : object
        A destructor, or several densities.
    densities : tuple of Density or KernelDensity
    logs : dict of int to ndarray of shape (n_densities, n_rows)
        Log densities of the rows of each fold that was left out.
    """

    estimator: Any
    densities: tuple[Density | KernelDensity, ...]
    logs: dict[int, NDArray]


def fit_unseen(
    estimator: Any,
    values: NDArray,
    weight: NDArray | None,
    place: NDArray,
    n_left_out: int,
    n_jobs: int | None,
) -> tuple[list[Any], list[Density | MeanLogDensity], NDArray]:
    """Fit to all folds but a few, in all ways to choose these.

    Parameters
    ----------
    estimator : object
        A destructor, or what is fitted to some rows of a ``whole``, and has
        ``densities_`` then, and in ``weights_`` how much each counts.
    values : ndarray of shape (n_samples, n_features)
        Rows.
    weight : ndarray of shape (n_samples,) or None
        Positive weights.
    place : ndarray of int of shape (n_samples,)
        Fold of each row.
    n_left_out : int
        Number of folds that each density does not see.
    n_jobs : int or None
        Number of fits side by side.

    Returns
    -------
    estimators : list
        What was fitted.
    members : list of Density or MeanLogDensity
        For each fold, the mean log density over all that have not seen it. Where an
        estimator has several densities, each has one weight.
    scores : ndarray of shape (n_samples,)
        Of each row by the member of its fold.
    """
    n_folds = int(place.max()) + 1
    fits = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(_fit_without)(estimator, values, weight, place, left_out)
        for left_out in combinations(range(n_folds), n_left_out)
    )
    weights = _weights(fits, place, weight)
    members, scores = list[Density | MeanLogDensity](), np.empty(len(values))
    for k in range(n_folds):
        unseen = [fit for fit in fits if k in fit.logs]
        densities = tuple(density for fit in unseen for density in fit.densities)
        logs = np.concatenate([fit.logs[k] for fit in unseen])
        if len(densities) == 1 and isinstance(densities[0], Density):
            members.append(densities[0])
            scores[place == k] = logs[0]
        else:
            shares = np.tile(weights / len(unseen), len(unseen))
            member = MeanLogDensity(densities, shares)
            members.append(member)
            scores[place == k] = member.mean_of_logs(logs)
    return [fit.estimator for fit in fits], members, scores


def _fit_without(
    estimator: Any,
    values: NDArray,
    weight: NDArray | None,
    place: NDArray,
    left_out: tuple[int, ...],
) -> _Fit:
    """Fit a clone on all other folds, and score the rows of those left out."""
    others = ~np.isin(place, left_out)
    given = None if weight is None else weight[others]
    whole = Rows.of(values, weight)
    fitted = clone(estimator)
    if isinstance(fitted, Destructor):
        fit_some_rows(fitted, values[others], given, whole)
        densities = (fitted.to_density(),)
    else:
        fitted.fit(values[others], sample_weight=given, whole=whole)
        densities = fitted.densities_
    logs = {
        k: np.stack([density.logpdf(values[place == k]) for density in densities])
        for k in left_out
    }
    return _Fit(fitted, densities, logs)


def _weights(fits: list[_Fit], place: NDArray, weight: NDArray | None) -> NDArray:
    """Return the weight of the log densities of each kind; they add up to one.

    Each is brought to one spread, by quartiles, and then counts as much as it should.
    """
    n_kinds = len(fits[0].densities)
    if n_kinds == 1:
        return np.ones(1)
    held_out = [(k, logs) for fit in fits for k, logs in fit.logs.items()]
    mass = np.ones(len(place)) if weight is None else weight
    low, high = np.quantile(
        np.concatenate([logs for _, logs in held_out], axis=1),
        (0.25, 0.75),
        axis=1,
        method="inverted_cdf",
        weights=np.concatenate([mass[place == k] for k, _ in held_out]),
    )
    weights = fits[0].estimator.weights_ / np.maximum(high - low, _LEAST_SPREAD)
    return weights / weights.sum()
