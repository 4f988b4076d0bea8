"""A toy distribution of codes, in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

from destructors.datasets._checks import Seed, at_least, positive, seeded

__all__ = ["make_discrete_gaussian_grid"]

# Distance of the centres, the range that is kept, and places per unit of length.
_RADIUS, _REACH, _RESOLUTION = 2.0, 2.25, 20
_HIGHEST = round(2 * _REACH * _RESOLUTION)


def make_discrete_gaussian_grid(
    n_samples: int = 1000,
    *,
    n_centers: int = 8,
    noise: float = 0.1,
    random_state: Seed = None,
    return_log_density: bool = False,
) -> Any:
    """Draw from equal normals on a circle, rounded to a grid of 91 × 91 places.

    The centres lie on a circle of radius 2; points are clipped to ± 2.25 and become
    ``round(20 x) + 45``.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_centers : int, default=8
        Number of normals.
    noise : float, default=0.1
        Standard deviation of each normal.
    random_state : int, RandomState instance or None, default=None
        Pass an int for reproducible rows.
    return_log_density : bool, default=False
        Whether to return the true log probability as well.

    Returns
    -------
    X : ndarray of int of shape (n_samples, 2)
        Codes from 0 to 90.
    log_density : ndarray of shape (n_samples,)
        True log probability of each row, in nats; if ``return_log_density``.

    References
    ----------
    D. Tran, K. Vafa, K. K. Agrawal, L. Dinh and B. Poole, *Discrete flows: invertible
    generative models of discrete data*, NeurIPS 2019, section 4.

    Examples
    --------
    >>> from destructors.datasets import make_discrete_gaussian_grid
    >>> make_discrete_gaussian_grid(3, random_state=0).shape
    (3, 2)
    """
    rng = seeded(n_samples, random_state)
    noise = positive("noise", noise)
    n_centers = at_least("n_centers", n_centers, 1)
    angles = 2.0 * np.pi * np.arange(n_centers) / n_centers
    centers = _RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = centers[rng.randint(n_centers, size=n_samples)]
    points = points + noise * rng.standard_normal(points.shape)
    places = _RESOLUTION * np.clip(points, -_REACH, _REACH)
    X = np.round(places).astype(np.intp) + _HIGHEST // 2
    if not return_log_density:
        return X
    # What is clipped falls on the outermost places.
    edges = (np.arange(_HIGHEST + 2) - 0.5 - _HIGHEST // 2) / _RESOLUTION
    edges[0], edges[-1] = -np.inf, np.inf
    below = norm.cdf(edges[:, None, None], centers, noise)
    with np.errstate(divide="ignore"):
        log_share = np.log(np.diff(below, axis=0))
    log_parts = log_share[X[:, 0], :, 0] + log_share[X[:, 1], :, 1]
    return X, logsumexp(log_parts, axis=1) - np.log(n_centers)
