"""The values at which each column is tried, to tell what is strange about it."""

import numpy as np
from numpy.typing import NDArray

from destructors.rows import Rows, robust_mean_and_scale

# Values at which a column is tried: so many quantiles of it, and points beyond them, in
# robust standard deviations.
_N_QUANTILES = 64
_BEYOND = np.array([0.5, 1.0, 2.0, 4.0, 8.0])


def grid_of_columns(rows: Rows) -> NDArray:
    """Return the values at which each column is tried, smallest first.

    Parameters
    ----------
    rows : Rows
        Training rows.

    Returns
    -------
    grid : ndarray of shape (n_points, n_features)
    """
    levels = np.linspace(0.0, 1.0, _N_QUANTILES)
    inside = np.quantile(
        rows.values, levels, axis=0, method="inverted_cdf", weights=rows.weights
    )
    _, scale, _ = robust_mean_and_scale(rows)
    beyond = _BEYOND[:, None] * scale
    return np.concatenate([inside[0] - beyond[::-1], inside, inside[-1] + beyond])
