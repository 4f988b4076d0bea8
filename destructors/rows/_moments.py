"""Location and scale of each feature, to full precision in any unit."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors.rows._rows import Rows

# Share of the sum of the weights that rounding swallows.
_NOTHING = 2.0**-53


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
    smallest, largest = value_range(rows)
    middle, reach = 0.5 * smallest + 0.5 * largest, 0.5 * largest - 0.5 * smallest
    # Scaled to [-1, 1], tiny and huge numbers are added and squared like any others.
    reach[reach == 0] = 1.0
    total = rows.total
    offset = rows.sum(_sum_about, middle, reach) / total
    sd = np.sqrt(rows.sum(_squares_about, middle, reach, offset) / total)
    mean = middle + reach * offset
    # A column that varies by the last bits only is constant.
    rounding = 10 * np.finfo(float).eps * np.abs(mean)
    constant = (largest - smallest <= rounding) | (sd == 0)
    return mean, np.where(constant, 1.0, reach * sd), constant


def power_of_two(largest: ArrayLike) -> NDArray:
    """Return the largest power of two that is not above each of some numbers.

    Beside it no digit changes, and squares stay inside float64.

    Parameters
    ----------
    largest : array-like
        Non-negative; of zero it is a half.
    """
    return np.ldexp(1.0, np.frexp(largest)[1] - 1)


def weigh(values: NDArray, rows: Rows) -> NDArray:
    """Return values times the weights of their rows."""
    return values if rows.weight is None else values * rows.weight[:, None]


def sum_values(rows: Rows) -> NDArray:
    """Return the weighted sum of each feature."""
    return weigh(rows.values, rows).sum(axis=0)


def _sum_about(rows: Rows, middle: NDArray, reach: NDArray) -> NDArray:
    return weigh((rows.values - middle) / reach, rows).sum(axis=0)


def _squares_about(
    rows: Rows, middle: NDArray, reach: NDArray, offset: NDArray
) -> NDArray:
    scaled = rows.values - middle
    scaled /= reach
    scaled -= offset
    scaled *= scaled
    return weigh(scaled, rows).sum(axis=0)


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


def check_range(rows: Rows) -> None:
    """Raise unless differences of values can be held in float64.

    Parameters
    ----------
    rows : Rows

    Raises
    ------
    ValueError
        If a feature ranges over more than the largest number; it is named.
    """
    smallest, largest = value_range(rows)
    with np.errstate(over="ignore"):
        endless = np.flatnonzero(~np.isfinite(largest - smallest))
    if len(endless):
        raise ValueError(
            f"Column {rows.name(endless[0])} ranges from {smallest[endless[0]]:.3g} to "
            f"{largest[endless[0]]:.3g}, over more than the largest float64. Divide it "
            "by a constant."
        )


def scale_weight(weight: NDArray) -> NDArray:
    """Return weights whose sum can be one of rows.

    Weights count rows: sums from 1 to 2⁵³ stay what they are, others are brought there
    by a power of two. A row that a sum of float64 cannot tell from none weighs nothing.

    Parameters
    ----------
    weight : ndarray of shape (n_rows,)
        Non-negative.

    Returns
    -------
    weight : ndarray of shape (n_rows,)
    """
    if not weight.any():
        return weight
    exponent = np.frexp(weight.max())[1]
    # In two steps: the sum of the largest numbers is none, nor is 2 to the 1074.
    scaled = np.ldexp(weight, -exponent)
    total = scaled.sum()
    exponent = np.clip(exponent, -np.frexp(total)[1] + 1, 53 - np.frexp(total)[1])
    return np.ldexp(np.where(scaled < _NOTHING * total, 0.0, scaled), exponent)


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
