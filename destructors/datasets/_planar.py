"""Toy densities of the plane: circles, squares, arms and spirals."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import norm

from destructors.datasets._generated import LOG_2PI, Seed, at_least, seeded


def make_concentric_circles(
    n_samples: int = 1000,
    *,
    n_circles: int = 4,
    noise: float = 0.1,
    random_state: Seed = None,
    return_log_density: bool = False,
) -> Any:
    """Draw points near concentric circles of radii 1, 2, ….

    A circle is chosen with probability proportional to its circumference, the angle is
    uniform, and the radius has normal noise.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_circles : int, default=4
        Number of circles.
    noise : float, default=0.1
        Standard deviation of the radius.
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
    >>> from destructors.datasets import make_concentric_circles
    >>> X, log_density = make_concentric_circles(
    ...     10_000, random_state=0, return_log_density=True
    ... )
    >>> bool(abs(log_density.mean() - -3.255) < 0.05)
    True
    """
    weights = np.arange(1.0, at_least("n_circles", n_circles, 1) + 1.0)
    return _draw_circles(weights, n_samples, noise, random_state, return_log_density)


def make_rings(
    n_samples: int = 1000,
    *,
    n_rings: int = 3,
    noise: float = 0.1,
    random_state: Seed = None,
    return_log_density: bool = False,
) -> Any:
    """Draw points near rings of radii 1, 2, … with as many points on each.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_rings : int, default=3
        Number of rings.
    noise : float, default=0.1
        Standard deviation of the radius.
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

    See Also
    --------
    make_concentric_circles : Equally dense along each circle.

    Examples
    --------
    >>> from destructors.datasets import make_rings
    >>> make_rings(5, random_state=0).shape
    (5, 2)
    """
    weights = np.ones(at_least("n_rings", n_rings, 1))
    return _draw_circles(weights, n_samples, noise, random_state, return_log_density)


def _draw_circles(
    weights: NDArray,
    n_samples: int,
    noise: float,
    random_state: Seed,
    return_log_density: bool,
) -> Any:
    """Draw points near circles of radii 1, 2, … of given weights."""
    radii, shares = np.arange(1.0, len(weights) + 1.0), weights / weights.sum()
    rng = seeded(n_samples, random_state, noise=noise)
    radius = rng.choice(radii, n_samples, p=shares)
    radius += noise * rng.standard_normal(n_samples)
    angle = rng.uniform(0.0, 2.0 * np.pi, n_samples)
    X = radius[:, None] * _on_unit_circle(angle)
    if not return_log_density:
        return X
    # A negative radius is the positive one at the opposite angle.
    r = np.abs(radius)[:, None]
    both = norm.logpdf(r, radii, noise), norm.logpdf(-r, radii, noise)
    log_radius = logsumexp(np.logaddexp(*both) + np.log(shares), axis=1)
    return X, log_radius - np.log(r[:, 0]) - LOG_2PI


def make_checkerboard(
    n_samples: int = 1000,
    *,
    n_squares: int = 4,
    random_state: Seed = None,
    return_log_density: bool = False,
) -> Any:
    """Draw points uniformly on the black squares of a board.

    Squares have side 1, and the board is centred at the origin.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_squares : int, default=4
        Number of squares along a side, at least 2.
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
    >>> from destructors.datasets import make_checkerboard
    >>> X, log_density = make_checkerboard(3, random_state=0, return_log_density=True)
    >>> log_density.round(4)
    array([-2.0794, -2.0794, -2.0794])
    """
    rng = seeded(n_samples, random_state)
    n_squares = at_least("n_squares", n_squares, 2)
    i, j = np.indices((n_squares, n_squares)).reshape(2, -1)
    black = np.column_stack([i, j])[(i + j) % 2 == 0]
    corner = black[rng.randint(len(black), size=n_samples)] - 0.5 * n_squares
    X = corner + rng.uniform(size=(n_samples, 2))
    if not return_log_density:
        return X
    return X, np.full(n_samples, -np.log(len(black)))


def make_pinwheel(
    n_samples: int = 1000,
    *,
    n_arms: int = 5,
    noise: float = 0.1,
    swirl: float = 1.0,
    random_state: Seed = None,
    return_log_density: bool = False,
) -> Any:
    """Draw points on the bent arms of a pinwheel.

    An arm is a normal around radius 1, ``3 noise`` along it and ``noise`` across,
    turned to its direction and then by the angle ``swirl r`` at radius ``r``.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_arms : int, default=5
        Number of arms.
    noise : float, default=0.1
        Standard deviation across an arm.
    swirl : float, default=1.0
        Turn of an arm for each unit of radius, in radians.
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
    >>> from destructors.datasets import make_pinwheel
    >>> make_pinwheel(5, random_state=0).shape
    (5, 2)
    """
    rng = seeded(n_samples, random_state, noise=noise)
    turns = 2.0 * np.pi * np.arange(at_least("n_arms", n_arms, 1)) / n_arms
    arm = rng.randint(n_arms, size=n_samples)
    straight = rng.standard_normal((n_samples, 2)) * [3.0 * noise, noise] + [1.0, 0.0]
    radius = np.hypot(*straight.T)
    X = _turn(straight, turns[arm] + swirl * radius)
    if not return_log_density:
        return X
    # Turning by an angle that depends on the radius alone keeps areas.
    back = _turn(X, -swirl * radius)
    arms = np.stack([_turn(back, np.full(n_samples, -turn)) for turn in turns])
    log_parts = norm.logpdf(arms, [1.0, 0.0], [3.0 * noise, noise]).sum(axis=2)
    return X, logsumexp(log_parts, axis=0) - np.log(n_arms)


def make_spirals(
    n_samples: int = 1000,
    *,
    n_spirals: int = 2,
    n_turns: float = 1.5,
    noise: float = 0.1,
    random_state: Seed = None,
) -> NDArray:
    """Draw points near interleaved spirals.

    A point on a spiral has the angle of its radius; its place along it is such that
    arcs of equal length are about equally likely. There is no closed form.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_spirals : int, default=2
        Number of spirals.
    n_turns : float, default=1.5
        Number of turns of each.
    noise : float, default=0.1
        Standard deviation of the noise about them.
    random_state : int, RandomState instance or None, default=None
        Pass an int for reproducible rows.

    Returns
    -------
    X : ndarray of shape (n_samples, 2)
        Rows; neighbouring turns of one spiral are ``n_spirals`` apart.

    Examples
    --------
    >>> from destructors.datasets import make_spirals
    >>> make_spirals(5, random_state=0).shape
    (5, 2)
    """
    rng = seeded(n_samples, random_state, noise=noise, n_turns=n_turns)
    n_spirals = at_least("n_spirals", n_spirals, 1)
    angle = 2.0 * np.pi * n_turns * np.sqrt(rng.uniform(size=n_samples))
    radius = n_spirals * angle / (2.0 * np.pi)
    start = 2.0 * np.pi * rng.randint(n_spirals, size=n_samples) / n_spirals
    X = radius[:, None] * _on_unit_circle(angle + start)
    return X + noise * rng.standard_normal((n_samples, 2))


def _turn(X: NDArray, angle: NDArray) -> NDArray:
    (cos, sin), (x, y) = _on_unit_circle(angle).T, X.T
    return np.column_stack([cos * x - sin * y, sin * x + cos * y])


def _on_unit_circle(angle: NDArray) -> NDArray:
    return np.column_stack([np.cos(angle), np.sin(angle)])
