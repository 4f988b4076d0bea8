"""Standard units: location and scale of features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["standard_units"]


def standard_units(
    X: NDArray, sample_weight: NDArray | None
) -> tuple[NDArray, NDArray]:
    """Mean and standard deviation of each feature.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Finite rows.
    sample_weight : ndarray of shape (n_samples,) or None
        Positive weights.

    Returns
    -------
    center : ndarray of shape (n_features,)
        Weighted means.
    scale : ndarray of shape (n_features,)
        Standard deviations; 1 where a feature is constant up to rounding.
    """
    center = np.average(X, axis=0, weights=sample_weight)
    # Dividing before squaring keeps tiny and huge units from under- or overflowing.
    reach = np.abs(X - center).max(axis=0)
    reach[reach == 0] = 1.0
    square = np.average(((X - center) / reach) ** 2, axis=0, weights=sample_weight)
    scale = reach * np.sqrt(square)
    # Rounding makes a constant column deviate from its mean by the last bit.
    scale[scale <= 10 * np.finfo(np.float64).eps * np.abs(center)] = 1.0
    return center, scale
