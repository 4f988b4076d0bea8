"""A map of each column of numbers by itself, of what is there of it."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from sklearn.base import clone

from destructors.base import Destructor
from destructors.base_distributions import StandardNormal
from destructors.compose import make_destructor_pipeline
from destructors.flows._starts import make_marginal
from destructors.maps import Affine, Columns, Identity, Map
from destructors.marginal import SplineGaussianizer
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows import Fold, Rows, robust_mean_and_scale

# A column of fewer different values, or of more rows for each, is standardised only.
_FEWEST_VALUES, _LEAST_DIFFERENT = 10, 0.5
# Knots of splines where room is short; the usual ones have up to 128.
_FEW_KNOTS = (8, 16, 32, 64)


def list_marginals(
    marginal: Destructor | Literal["auto"] | None, seed: int
) -> list[Destructor | None]:
    """Return the marginals that a parameter leaves to choose from.

    A mixture is for bumps and heavy tails; blocks for steps and for spikes that have a
    width. Which of them serves the layers after it, a column alone does not tell.
    """
    if marginal != "auto":
        return [marginal]
    mixture = GaussianMixtureDestructor(random_state=seed)
    return [make_destructor_pipeline(mixture, SplineGaussianizer()), make_marginal()]


def fit_marginals(rows: Rows, marginal: Destructor | None, is_own: bool) -> Map:
    """Return the map of each column of numbers, fitted to what is there of it.

    Parameters
    ----------
    rows : Rows
        Rows, NaN where a value is missing. Codes and integers stay what they are.
    marginal : Destructor or None
        What each column goes through; None only standardises.
    is_own : bool
        Whether it is the user's, who knows what he does where values repeat.

    Raises
    ------
    ValueError
        If the marginal does not end on the standard normal.
    """
    X, kinds, maps = rows.values, rows.kinds, []
    numbers = np.arange(X.shape[1]) if kinds is None else np.flatnonzero(kinds == 0)
    for j in numbers:
        part = rows.take(~np.isnan(X[:, j])).columns(np.array([j]))
        if len(part):
            maps.append(_fit_marginal(replace(part, kinds=None), marginal, is_own))
        else:
            # Some rows of a table where the column has values.
            maps.append(Affine(np.zeros(1), np.ones(1)))
    if not len(numbers):
        return Identity()
    return Columns(tuple(maps), tuple(numbers[:, None]))


def _fit_marginal(rows: Rows, marginal: Destructor | None, is_own: bool) -> Map:
    n_rows, rows = len(rows), Rows.of(*rows.unique()[:2], unit=rows.unit)
    # A density of values that repeat has no bound, so their spikes are left alone.
    repeats = len(rows) < max(_FEWEST_VALUES, _LEAST_DIFFERENT * n_rows)
    if marginal is None or (repeats and not is_own):
        center, scale, _ = robust_mean_and_scale(rows)
        return Affine(center, scale)
    fitted = clone(marginal)
    fitted._fit_rows(Fold(rows))
    if fitted.base_distribution_ != StandardNormal(1):
        raise ValueError(
            "marginal must end on the standard normal, but ends on "
            f"{fitted.base_distribution_!r}."
        )
    return fitted.map_


def list_splines() -> list[SplineGaussianizer]:
    """Return marginals that take less room than the usual ones, the smallest first."""
    return [SplineGaussianizer(n_knots=n_knots) for n_knots in _FEW_KNOTS]


def list_smaller(marginal: Destructor | None) -> list[list[dict[str, Any]]]:
    """Return parameters of smaller fits of what has splines unless it is given others;
    see `destructors.base.Destructor.shrink`.
    """
    if marginal is not None:
        return []
    return [[{"marginal": spline} for spline in list_splines()]]
