"""Toy densities of two or more features, and of codes, in closed form."""

from typing import Any

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.utils import check_random_state

Seed = int | np.random.RandomState | None
LOG_2PI = np.log(2.0 * np.pi)
# Of the grid of codes: distance of the centres, the range that is kept, and places per
# unit of length.
_RADIUS, _REACH, _RESOLUTION = 2.0, 2.25, 20
_HIGHEST = round(2 * _REACH * _RESOLUTION)


def make_gaussian_grid(
    n_samples: int = 1000,
    *,
    n_per_side: int = 5,
    n_features: int = 2,
    noise: float = 0.1,
    random_state: Seed = None,
    return_log_density: bool = False,
) -> Any:
    """Draw from equal normals on the points of a grid with spacing 1.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_per_side : int, default=5
        Number of normals along each axis; the grid is centred at the origin.
    n_features : int, default=2
        Number of features.
    noise : float, default=0.1
        Standard deviation of each normal.
    random_state : int, RandomState instance or None, default=None
        Pass an int for reproducible rows.
    return_log_density : bool, default=False
        Whether to return the true log density as well.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    log_density : ndarray of shape (n_samples,)
        True log density of each row, in nats; if ``return_log_density``.

    Examples
    --------
    >>> from destructors.datasets import make_gaussian_grid
    >>> make_gaussian_grid(5, n_features=3, random_state=0).shape
    (5, 3)
    """
    rng = seeded(n_samples, random_state, noise=noise)
    n_features = at_least("n_features", n_features, 1)
    places = np.arange(at_least("n_per_side", n_per_side, 1)) - 0.5 * (n_per_side - 1)
    X = rng.choice(places, (n_samples, n_features))
    X = X + noise * rng.standard_normal(X.shape)
    if not return_log_density:
        return X
    log_parts = norm.logpdf(X[:, :, None], places, noise)
    by_feature = logsumexp(log_parts, axis=2) - np.log(n_per_side)
    return X, by_feature.sum(axis=1)


def make_sine_wave(
    n_samples: int = 1000,
    *,
    n_waves: float = 2.0,
    noise: float = 0.1,
    random_state: Seed = None,
    return_log_density: bool = False,
) -> Any:
    r"""Draw points near a sine wave.

    The first feature is uniform on :math:`(-\pi, \pi)`; the second is the sine of
    ``n_waves`` times it, with normal noise.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_waves : float, default=2.0
        Number of waves.
    noise : float, default=0.1
        Standard deviation of the noise.
    random_state : int, RandomState instance or None, default=None
        Pass an int for reproducible rows.
    return_log_density : bool, default=False
        Whether to return the true log density as well.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        Rows.
    log_density : ndarray of shape (n_samples,)
        True log density of each row, in nats; if ``return_log_density``.

    Examples
    --------
    >>> from destructors.datasets import make_sine_wave
    >>> make_sine_wave(5, random_state=0).shape
    (5, 2)
    """
    rng = seeded(n_samples, random_state, noise=noise)
    x = rng.uniform(-np.pi, np.pi, n_samples)
    error = noise * rng.standard_normal(n_samples)
    X = np.column_stack([x, np.sin(n_waves * x) + error])
    if not return_log_density:
        return X
    return X, norm.logpdf(error, scale=noise) - LOG_2PI


def make_autoregressive(
    n_samples: int = 1000,
    *,
    n_features: int = 5,
    coef: float = 0.8,
    noise: float = 1.0,
    random_state: Seed = None,
    return_log_density: bool = False,
) -> Any:
    """Draw rows that are stretches of a nonlinear autoregressive series.

    The first feature is normal; each next one is ``coef`` times twice the hyperbolic
    tangent of the one before, with normal noise.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=5
        Number of features.
    coef : float, default=0.8
        Strength of the dependence.
    noise : float, default=1.0
        Standard deviation of the first feature and of the noise.
    random_state : int, RandomState instance or None, default=None
        Pass an int for reproducible rows.
    return_log_density : bool, default=False
        Whether to return the true log density as well.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    log_density : ndarray of shape (n_samples,)
        True log density of each row, in nats; if ``return_log_density``.

    Examples
    --------
    >>> from destructors.datasets import make_autoregressive
    >>> make_autoregressive(5, random_state=0).shape
    (5, 5)
    """
    rng = seeded(n_samples, random_state, noise=noise)
    n_features = at_least("n_features", n_features, 1)
    errors = noise * rng.standard_normal((n_samples, n_features))
    X = errors.copy()
    for j in range(1, n_features):
        X[:, j] += 2.0 * coef * np.tanh(X[:, j - 1])
    if not return_log_density:
        return X
    return X, norm.logpdf(errors, scale=noise).sum(axis=1)


def make_banana(
    n_samples: int = 1000,
    *,
    n_features: int = 2,
    bend: float = 0.5,
    random_state: Seed = None,
    return_log_density: bool = False,
) -> Any:
    """Draw from a normal that is bent along a parabola.

    The second feature of a standard normal is raised by ``bend`` times the square of
    the first, less its mean.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features : int, default=2
        Number of features, at least 2; further ones are standard normal.
    bend : float, default=0.5
        Curvature.
    random_state : int, RandomState instance or None, default=None
        Pass an int for reproducible rows.
    return_log_density : bool, default=False
        Whether to return the true log density as well.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    log_density : ndarray of shape (n_samples,)
        True log density of each row, in nats; if ``return_log_density``.

    References
    ----------
    H. Haario, E. Saksman and J. Tamminen, *Adaptive proposal distribution for random
    walk Metropolis algorithm*, Computational Statistics 14, 1999.

    Examples
    --------
    >>> from destructors.datasets import make_banana
    >>> make_banana(5, random_state=0).shape
    (5, 2)
    """
    rng = seeded(n_samples, random_state)
    Z = rng.standard_normal((n_samples, at_least("n_features", n_features, 2)))
    X = Z.copy()
    X[:, 1] += bend * (Z[:, 0] ** 2 - 1.0)
    if not return_log_density:
        return X
    return X, norm.logpdf(Z).sum(axis=1)


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
    rng = seeded(n_samples, random_state, noise=noise)
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


def seeded(
    n_samples: int, random_state: Seed, **positive: float
) -> np.random.RandomState:
    """Return the source of randomness, after a check of the other arguments."""
    at_least("n_samples", n_samples, 1)
    for name, value in positive.items():
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value}.")
    return check_random_state(random_state)


def at_least(name: str, value: int, least: int) -> int:
    """Return a number, after a check that it is an integer and not too small."""
    if value != int(value) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value}.")
    return int(value)
