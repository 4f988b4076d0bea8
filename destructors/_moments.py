"""Location and scale of each feature, to full precision in any unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["mean_and_scale", "repeat_rows"]


def mean_and_scale(
    X: NDArray, sample_weight: NDArray | None
) -> tuple[NDArray, NDArray, NDArray]:
    """Mean and standard deviation of each feature.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    sample_weight : ndarray of shape (n_samples,) or None
        Positive weights.

    Returns
    -------
    mean : ndarray of shape (n_features,)
    scale : ndarray of shape (n_features,)
        Positive; 1 for a feature that is constant.
    constant : ndarray of bool of shape (n_features,)
        Whether a feature is constant up to rounding.
    """
    mean = np.average(X, axis=0, weights=sample_weight)
    # Once more about the first mean, whose rounding grows with the rows.
    mean += np.average(X - mean, axis=0, weights=sample_weight)
    centred = X - mean
    # Scaling before squaring keeps tiny and huge units from under- or overflowing.
    reach = np.abs(centred).max(axis=0)
    # A column that varies by the last bits only is constant.
    constant = np.ptp(X, axis=0) <= 10 * np.finfo(float).eps * np.abs(mean)
    constant |= reach == 0
    reach[constant] = 1.0
    centred /= reach
    sd = np.sqrt(np.average(centred**2, axis=0, weights=sample_weight))
    sd[constant] = 1.0
    return mean, reach * sd, constant


def repeat_rows(X: NDArray, sample_weight: NDArray | None, what: str) -> NDArray:
    """Give the rows as often as their weights say, for estimators without weights.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    sample_weight : ndarray of shape (n_samples,) or None
        Positive weights.
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
    if sample_weight is None:
        return X
    counts = sample_weight.astype(np.int64)
    if (counts != sample_weight).any():
        raise ValueError(
            f"{what} takes no sample_weight, so only integer weights can be used, as "
            "repeated rows."
        )
    return np.repeat(X, counts, axis=0)
