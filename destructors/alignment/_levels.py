"""Means of rows between quantile levels."""

import numpy as np
from numpy.typing import NDArray

from destructors.rows import Rows
from destructors.rows._moments import power_of_two


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
