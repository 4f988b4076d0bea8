"""Means of rows between quantile levels."""

import numpy as np
from numpy.typing import NDArray

from destructors.rows import Rows
from destructors.rows._moments import power_of_two

# Beside the spread of all, or the last places of the largest, values that are nearer
# than this to each other differ by rounding alone.
_ROUNDING = 1e-10


def group_means(rows: Rows, n_groups: int) -> NDArray:
    """Return means of the rows between equally spaced quantile levels.

    A row that lies across a level is divided, so that weights are repeated rows.

    Parameters
    ----------
    rows : Rows
    n_groups : int
        Number of groups.

    Returns
    -------
    means : ndarray of shape (n_columns, n_groups)
        Not decreasing along a row.
    """
    unit = power_of_two(np.abs(rows.values).max(axis=0))
    columns, weight = (rows.values / unit).T, rows.weight
    # Of equal values no sum is rounded.
    lowest = columns.min(axis=1, keepdims=True)
    columns = columns - lowest
    if weight is None:
        means = means_between_levels(np.sort(columns, axis=1), None, n_groups)
    else:
        order = np.argsort(columns, axis=1)
        columns = np.take_along_axis(columns, order, axis=1)
        means = means_between_levels(columns, weight[order], n_groups)
    return (lowest + means) * unit[:, None]


def means_between_levels(
    ordered: NDArray, weight: NDArray | None, n_groups: int
) -> NDArray:
    """Return means of sorted numbers between equally spaced quantile levels.

    Parameters
    ----------
    ordered : ndarray of shape (n_columns, n_rows)
        Not decreasing along a row.
    weight : ndarray of shape (n_columns, n_rows) or None
        Of these numbers.
    n_groups : int
        Number of groups.

    Returns
    -------
    means : ndarray of shape (n_columns, n_groups)
    """
    n_columns, n_rows = ordered.shape
    levels = np.linspace(0.0, 1.0, n_groups + 1)
    if weight is None:
        place = levels * n_rows
        whole = np.minimum(place.astype(np.intp), n_rows - 1)
        before = from_zero(ordered)[:, whole]
        passed = before + (place - whole) * ordered[:, whole]
        return np.diff(passed, axis=1) * (n_groups / n_rows)
    mass, before = from_zero(weight), from_zero(weight * ordered)
    means = np.empty((n_columns, n_groups))
    for own, total, sums in zip(means, mass, before, strict=True):
        passed = np.interp(levels * total[-1], total, sums)
        own[:] = np.diff(passed) * (n_groups / total[-1])
    return means


def from_zero(numbers: NDArray) -> NDArray:
    """Return cumulative sums along each row, the first of which is zero."""
    sums = np.zeros((len(numbers), numbers.shape[1] + 1))
    np.cumsum(numbers, axis=1, out=sums[:, 1:])
    return sums


def cut_between(values: NDArray, cuts: NDArray) -> NDArray:
    """Move cuts to the middle between neighbouring values, the nearest one.

    On a value that many rows share, rounding would decide where all of them belong.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        At least two that differ by more than rounding, or nothing is moved.
    cuts : ndarray of shape (n_cuts,)
        Not decreasing.

    Returns
    -------
    cuts : ndarray of shape (n_cuts,)
        Not decreasing; equal where they lie between the same two values.
    """
    values = np.unique(values)
    with np.errstate(over="ignore"):
        gaps, spread = np.diff(values), values[-1] - values[0]
    digits = 16.0 * np.spacing(np.abs(values).max())
    is_gap = gaps > max(_ROUNDING * spread, digits)
    if not is_gap.any():
        return cuts
    middles = (values[:-1] + 0.5 * gaps)[is_gap]
    above = np.searchsorted(middles, cuts).clip(0, len(middles) - 1)
    below = np.maximum(above - 1, 0)
    # Of two that are as near, up to rounding, the lower.
    lead = middles[above] - cuts - (cuts - middles[below])
    return middles[np.where(lead > -_ROUNDING * spread, below, above)]
