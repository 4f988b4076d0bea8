"""Location and scale of each feature, to full precision in any unit."""

import numpy as np
from numpy.typing import NDArray

from destructors.rows._rows import Rows


def mean_and_scale(rows: Rows) -> tuple[NDArray, NDArray, NDArray]:
    """Return mean and standard deviation of each feature.

    Parameters
    ----------
    rows : Rows

    Returns
    -------
    mean : ndarray of shape (n_features,)
    scale : ndarray of shape (n_features,)
        Positive; 1 for a feature that is constant.
    constant : ndarray of bool of shape (n_features,)
        Whether a feature is constant up to rounding.
    """
    total = rows.total
    mean = rows.sum(sum_values) / total
    # Once more about the first mean, whose rounding grows with the rows.
    mean += rows.sum(lambda part: weigh(part.values - mean, part).sum(axis=0)) / total
    smallest, largest = value_range(rows)
    # Scaling before squaring keeps tiny and huge units from under- or overflowing.
    reach = np.maximum(largest - mean, mean - smallest)
    # A column that varies by the last bits only is constant.
    constant = largest - smallest <= 10 * np.finfo(float).eps * np.abs(mean)
    constant |= reach == 0
    reach[constant] = 1.0
    sd = np.sqrt(rows.sum(_squares_about, mean, reach) / total)
    sd[constant] = 1.0
    return mean, reach * sd, constant


def weigh(values: NDArray, rows: Rows) -> NDArray:
    """Return values times the weights of their rows."""
    return values if rows.weight is None else values * rows.weight[:, None]


def sum_values(rows: Rows) -> NDArray:
    """Return the weighted sum of each feature."""
    return weigh(rows.values, rows).sum(axis=0)


def _squares_about(rows: Rows, mean: NDArray, reach: NDArray) -> NDArray:
    centred = rows.values - mean
    centred /= reach
    centred *= centred
    return weigh(centred, rows).sum(axis=0)


def value_range(rows: Rows) -> tuple[NDArray, NDArray]:
    """Return the smallest and the largest value of each feature.

    Parameters
    ----------
    rows : Rows

    Returns
    -------
    smallest, largest : ndarray of shape (n_features,)
    """
    return rows.values.min(axis=0), rows.values.max(axis=0)


def repeat_rows(rows: Rows, what: str) -> NDArray:
    """Return the values as often as their weights say, for estimators without weights.

    Parameters
    ----------
    rows : Rows
    what : str
        Name of the estimator that takes none.

    Returns
    -------
    X : ndarray of shape (sum of the weights, n_features)

    Raises
    ------
    ValueError
        If a weight is no integer.
    """
    if rows.weight is None:
        return rows.values
    counts = rows.weight.astype(np.int64)
    if (counts != rows.weight).any():
        raise ValueError(
            f"{what} takes no sample_weight, so only integer weights can be used, as "
            "repeated rows."
        )
    return np.repeat(rows.values, counts, axis=0)
