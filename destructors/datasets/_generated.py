"""Toy densities: of the plane, of any number of features, and of codes."""

from collections.abc import Callable, Iterator
from functools import wraps
from inspect import Parameter, signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.utils import check_random_state

Seed = int | np.random.RandomState | None
Rng = np.random.RandomState
Drawn = Iterator[NDArray]

LOG_2PI = np.log(2.0 * np.pi)
# Of the grid of codes: distance of the centres, the range that is kept, and places per
# unit of length.
_RADIUS, _REACH, _RESOLUTION = 2.0, 2.25, 20
_HIGHEST = round(2 * _REACH * _RESOLUTION)
# What a generator takes beside its own parameters.
_SEED = Parameter("random_state", Parameter.KEYWORD_ONLY, default=None, annotation=Seed)
_ASKED = _SEED.replace(name="return_log_density", default=False, annotation=bool)


def generator(*, closed_form: bool = True, **least: int) -> Callable[..., Any]:
    """Make a public generator of a private one, which yields rows, then log densities.

    What is decorated takes a source of randomness before checked parameters, among them
    the number of rows; the public function takes ``random_state`` and, if there is a
    closed form, ``return_log_density`` after them.

    Parameters
    ----------
    closed_form : bool, default=True
        Whether there are log densities.
    **least : int
        The least value of integers that must be more than 1.
    """

    def decorate(draw: Callable[..., Drawn]) -> Callable[..., Any]:
        _, *own = signature(draw).parameters.values()
        defaults = {parameter.name: parameter.default for parameter in own}
        public = signature(draw).replace(
            parameters=[*own, _SEED, _ASKED] if closed_form else [*own, _SEED],
            return_annotation=Any if closed_form else NDArray,
        )

        @wraps(draw)
        def make(
            n_samples: int = 1000, *, random_state: Seed = None, **own: Any
        ) -> Any:
            asked = closed_form and own.pop("return_log_density", False)
            options = defaults | {"n_samples": n_samples} | own
            for name, default in defaults.items():
                if isinstance(default, int):
                    options[name] = _at_least(least.get(name, 1), name, options[name])
                elif name in ("noise", "n_turns") and not options[name] > 0:
                    raise ValueError(f"{name} must be positive, got {options[name]}.")
            drawn = draw(check_random_state(random_state), **options)
            X = next(drawn)
            return (X, next(drawn)) if asked else X

        make.__signature__ = public  # type: ignore[attr-defined]
        return make

    return decorate


def _at_least(least: int, name: str, value: int) -> int:
    if value != int(value) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value}.")
    return int(value)


@generator()
def make_concentric_circles(
    rng: Rng, n_samples: int = 1000, *, n_circles: int = 4, noise: float = 0.1
) -> Drawn:
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
    weights = np.arange(1.0, n_circles + 1.0)
    return _draw_circles(rng, n_samples, weights, noise)


@generator()
def make_rings(
    rng: Rng, n_samples: int = 1000, *, n_rings: int = 3, noise: float = 0.1
) -> Drawn:
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
    return _draw_circles(rng, n_samples, np.ones(n_rings), noise)


def _draw_circles(rng: Rng, n_samples: int, weights: NDArray, noise: float) -> Drawn:
    """Draw points near circles of radii 1, 2, … of given weights."""
    radii, shares = np.arange(1.0, len(weights) + 1.0), weights / weights.sum()
    radius = rng.choice(radii, n_samples, p=shares)
    radius += noise * rng.standard_normal(n_samples)
    angle = rng.uniform(0.0, 2.0 * np.pi, n_samples)
    yield radius[:, None] * _on_unit_circle(angle)
    # A negative radius is the positive one at the opposite angle.
    r = np.abs(radius)[:, None]
    both = norm.logpdf(r, radii, noise), norm.logpdf(-r, radii, noise)
    log_radius = logsumexp(np.logaddexp(*both) + np.log(shares), axis=1)
    yield log_radius - np.log(r[:, 0]) - LOG_2PI


@generator(n_squares=2)
def make_checkerboard(rng: Rng, n_samples: int = 1000, *, n_squares: int = 4) -> Drawn:
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
    i, j = np.indices((n_squares, n_squares)).reshape(2, -1)
    black = np.column_stack([i, j])[(i + j) % 2 == 0]
    corner = black[rng.randint(len(black), size=n_samples)] - 0.5 * n_squares
    yield corner + rng.uniform(size=(n_samples, 2))
    yield np.full(n_samples, -np.log(len(black)))


@generator()
def make_pinwheel(
    rng: Rng,
    n_samples: int = 1000,
    *,
    n_arms: int = 5,
    noise: float = 0.1,
    swirl: float = 1.0,
) -> Drawn:
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
    turns = 2.0 * np.pi * np.arange(n_arms) / n_arms
    arm = rng.randint(n_arms, size=n_samples)
    straight = rng.standard_normal((n_samples, 2)) * [3.0 * noise, noise] + [1.0, 0.0]
    radius = np.hypot(*straight.T)
    yield (X := _turn(straight, turns[arm] + swirl * radius))
    # Turning by an angle that depends on the radius alone keeps areas.
    back = _turn(X, -swirl * radius)
    arms = np.stack([_turn(back, np.full(n_samples, -turn)) for turn in turns])
    log_parts = norm.logpdf(arms, [1.0, 0.0], [3.0 * noise, noise]).sum(axis=2)
    yield logsumexp(log_parts, axis=0) - np.log(n_arms)


@generator(closed_form=False)
def make_spirals(
    rng: Rng,
    n_samples: int = 1000,
    *,
    n_spirals: int = 2,
    n_turns: float = 1.5,
    noise: float = 0.1,
) -> Drawn:
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
    angle = 2.0 * np.pi * n_turns * np.sqrt(rng.uniform(size=n_samples))
    radius = n_spirals * angle / (2.0 * np.pi)
    start = 2.0 * np.pi * rng.randint(n_spirals, size=n_samples) / n_spirals
    X = radius[:, None] * _on_unit_circle(angle + start)
    yield X + noise * rng.standard_normal((n_samples, 2))


def _turn(X: NDArray, angle: NDArray) -> NDArray:
    (cos, sin), (x, y) = _on_unit_circle(angle).T, X.T
    return np.column_stack([cos * x - sin * y, sin * x + cos * y])


def _on_unit_circle(angle: NDArray) -> NDArray:
    return np.column_stack([np.cos(angle), np.sin(angle)])


@generator()
def make_gaussian_grid(
    rng: Rng,
    n_samples: int = 1000,
    *,
    n_per_side: int = 5,
    n_features: int = 2,
    noise: float = 0.1,
) -> Drawn:
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
    places = np.arange(n_per_side) - 0.5 * (n_per_side - 1)
    X = rng.choice(places, (n_samples, n_features))
    yield (X := X + noise * rng.standard_normal(X.shape))
    log_parts = norm.logpdf(X[:, :, None], places, noise)
    yield (logsumexp(log_parts, axis=2) - np.log(n_per_side)).sum(axis=1)


@generator()
def make_sine_wave(
    rng: Rng, n_samples: int = 1000, *, n_waves: float = 2.0, noise: float = 0.1
) -> Drawn:
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
    x = rng.uniform(-np.pi, np.pi, n_samples)
    error = noise * rng.standard_normal(n_samples)
    yield np.column_stack([x, np.sin(n_waves * x) + error])
    yield norm.logpdf(error, scale=noise) - LOG_2PI


@generator()
def make_autoregressive(
    rng: Rng,
    n_samples: int = 1000,
    *,
    n_features: int = 5,
    coef: float = 0.8,
    noise: float = 1.0,
) -> Drawn:
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
    errors = noise * rng.standard_normal((n_samples, n_features))
    X = errors.copy()
    for j in range(1, n_features):
        X[:, j] += 2.0 * coef * np.tanh(X[:, j - 1])
    yield X
    yield norm.logpdf(errors, scale=noise).sum(axis=1)


@generator(n_features=2)
def make_banana(
    rng: Rng, n_samples: int = 1000, *, n_features: int = 2, bend: float = 0.5
) -> Drawn:
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
    Z = rng.standard_normal((n_samples, n_features))
    X = Z.copy()
    X[:, 1] += bend * (Z[:, 0] ** 2 - 1.0)
    yield X
    yield norm.logpdf(Z).sum(axis=1)


@generator()
def make_discrete_gaussian_grid(
    rng: Rng, n_samples: int = 1000, *, n_centers: int = 8, noise: float = 0.1
) -> Drawn:
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
    angles = 2.0 * np.pi * np.arange(n_centers) / n_centers
    centers = _RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = centers[rng.randint(n_centers, size=n_samples)]
    points = points + noise * rng.standard_normal(points.shape)
    places = _RESOLUTION * np.clip(points, -_REACH, _REACH)
    yield (X := np.round(places).astype(np.intp) + _HIGHEST // 2)
    # What is clipped falls on the outermost places.
    edges = (np.arange(_HIGHEST + 2) - 0.5 - _HIGHEST // 2) / _RESOLUTION
    edges[0], edges[-1] = -np.inf, np.inf
    below = norm.cdf(edges[:, None, None], centers, noise)
    with np.errstate(divide="ignore"):
        log_share = np.log(np.diff(below, axis=0))
    log_parts = log_share[X[:, 0], :, 0] + log_share[X[:, 1], :, 1]
    yield logsumexp(log_parts, axis=1) - np.log(n_centers)
