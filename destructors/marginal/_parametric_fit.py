"""Maximum likelihood for a family of scipy.stats: the search for its parameters."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The likelihood is that of a mixture with this share of a Cauchy density: finite
# wherever a step of the search leads, and robust.
_CONTAMINATION = 1e-6
# Shapes to start the search from.
_STARTS = (1.0, 3.0, 0.3)
# The search: its steps, relative differences for gradients, and the dampings that are
# tried, relative to that of the last step. It ends after steps that gain less than this
# many nats a row.
_MOST_STEPS = 100
_DIFFERENCE = 1e-6
_DAMPINGS = 10.0 ** np.arange(-2, 5, 2)
_SMALL_GAIN = 1e-8
# The search sees values to this many binary digits: a change of units rounds them
# otherwise in their last ones, and so cannot lead it astray.
_DIGITS = 24
# Scales are not followed beyond this power of e, and gaps not beyond this one of the
# range of the values.
_FARTHEST_LOG, _FARTHEST_GAP = 50.0, 12.0
# Nor is the range seen by a start, beyond so many times the middle half of the values.
_FARTHEST_REACH = 100.0


def fit_family(
    law: Any, x: NDArray, mass: NDArray, start: tuple[float, ...] | None = None
) -> tuple[float, ...]:
    """Fit shapes, location and scale to weighted points, by maximum likelihood.

    Parameters
    ----------
    law : scipy.stats.rv_continuous
        The family.
    x : ndarray of shape (n_points,)
        Distinct, sorted values, at least two, in robust standard units.
    mass : ndarray of shape (n_points,)
        Positive weights.
    start : tuple of float, default=None
        Parameters to try as a start, besides those that match the middle of the data.

    Returns
    -------
    parameters : tuple of float
        Shapes, location and scale, as scipy.stats takes them.
    """
    total = mass.sum()
    share = mass / total
    if law.name == "norm":
        mean = share @ x
        # Scaled to at most 1, huge numbers are squared like any others.
        size = np.abs(x - mean).max()
        return float(mean), float(size * np.sqrt(share @ ((x - mean) / size) ** 2))
    if law.name == "uniform":
        # The edges lie as far beyond the extremes as values lie apart.
        gap = (x[-1] - x[0]) / max(total - 1.0, 1.0)
        return float(x[0] - gap), float(x[-1] - x[0] + 2.0 * gap)
    x = _round(x)
    log_cauchy = np.log(_CONTAMINATION / np.pi) - 2.0 * np.log(np.hypot(1.0, x))
    # No density can be told that is higher than one row in the closest gap.
    cap = np.log(total) + 2.0

    def likelihoods(thetas: NDArray) -> NDArray:
        """Return the log-likelihood of each point, for each row of parameters."""
        log_p = _log_densities_of(law, x, *_parameters_at(law, thetas, ends))
        return np.logaddexp(np.minimum(log_p, cap), log_cauchy)

    # Far enough out for no rounded value to lie beyond.
    margin = 4.0 * 2.0**-_DIGITS * np.hypot(1.0, x[[0, -1]])
    ends = x[0] - margin[0], x[-1] + margin[1]
    n_shapes = law.numargs
    tried = [_start(law, (shape,) * n_shapes, x, share) for shape in _STARTS]
    starts = [start for start in tried if start is not None]
    if not starts:
        # A family with shapes of another kind: scipy knows where to begin.
        even = np.interp((np.arange(100) + 0.5) / 100.0, np.cumsum(share), x)
        with np.errstate(all="ignore"):
            *shapes, location, scale = law.fit(even)
        starts = [(*shapes, location, scale)]
    if start is not None:
        starts.append(start)
    thetas = [_place_of(law, start, ends) for start in starts]
    found = _maximise(likelihoods, share, _round(np.array(thetas)))
    *shapes, locations, scales = _parameters_at(law, found[None], ends)
    return (*map(float, found[:n_shapes]), float(locations[0]), float(scales[0]))


def _parameters_at(
    law: Any, thetas: NDArray, ends: tuple[float, float]
) -> list[NDArray]:
    """Return shapes, locations and scales at places of the search.

    Its last two coordinates are location and log-scale; where the support has an end,
    one is the logarithm of the gap between it and the nearest value, so that no step
    leaves a value outside.
    """
    *shapes, p, q = thetas.T
    low, high = (np.broadcast_to(end, len(p)) for end in law._get_support(*shapes))
    has_low, has_high = np.isfinite(low), np.isfinite(high)
    # Seen from farther away values cannot be told apart.
    farthest_gap = np.log(ends[1] - ends[0]) + _FARTHEST_GAP
    farthest = np.where(has_low & has_high, farthest_gap, _FARTHEST_LOG)
    p = np.exp(np.clip(p, -_FARTHEST_LOG, farthest_gap))
    q = np.exp(np.clip(q, -_FARTHEST_LOG, farthest))
    low, high = np.where(has_low, low, 0.0), np.where(has_high, high, 0.0)
    both = has_low & has_high
    width = np.where(both, high - low, 1.0)
    scale = np.where(both, (ends[1] + q - (ends[0] - p)) / width, q)
    location = np.where(has_high, ends[1] + p - scale * high, thetas[:, -2])
    location = np.where(has_low, ends[0] - p - scale * low, location)
    return [*shapes, location, scale]


def _place_of(
    law: Any, parameters: tuple[float, ...], ends: tuple[float, float]
) -> NDArray:
    """Return where in the search parameters are; see `_parameters_at`."""
    *shapes, location, scale = parameters
    low, high = (location + scale * end for end in law._get_support(*shapes))
    p, q = location, np.log(scale)
    gaps = np.log(np.maximum([ends[0] - low, high - ends[1]], 1e-12))
    if np.isfinite(low):
        p, q = gaps[0], gaps[1] if np.isfinite(high) else q
    elif np.isfinite(high):
        p = gaps[1]
    return np.array([*shapes, p, q])


def _round(x: NDArray) -> NDArray:
    """Return numbers to the digits that the search sees."""
    unit = 2.0 ** (np.ceil(np.log2(np.hypot(1.0, x))) - _DIGITS)
    return np.round(x / unit) * unit


def _maximise(
    likelihoods: Callable[[NDArray], NDArray], share: NDArray, starts: NDArray
) -> NDArray:
    """Climb a mean of log-likelihoods from the best of several starts.

    The steps are those of Berndt, Hall, Hall and Hausman (*Estimation and inference in
    nonlinear structural models*, Annals of Economic and Social Measurement 3, 1974):
    Newton's, with the second moments of the points' gradients for the curvature. They
    are damped, by the best of several dampings, as those of Levenberg and Marquardt.

    Parameters
    ----------
    likelihoods : callable
        Gives the log-likelihood of each point, of shape (n, n_points), at parameters of
        shape (n, n_parameters).
    share : ndarray of shape (n_points,)
        Weights of sum 1.
    starts : ndarray of shape (n_starts, n_parameters)
        Parameters to start from.

    Returns
    -------
    theta : ndarray of shape (n_parameters,)
    """
    values = np.nan_to_num(likelihoods(starts) @ share, nan=-np.inf)
    theta, best = starts[values.argmax()], values.max()
    damping, n_small = 1e-2, 0
    for _ in range(_MOST_STEPS):
        size = _DIFFERENCE * np.maximum(np.abs(theta), 1.0)
        sides = likelihoods(theta + np.r_[np.diag(size), -np.diag(size)])
        gradients = np.subtract(*np.split(sides, 2)) / (2.0 * size[:, None])
        curvature = (gradients * share) @ gradients.T
        diagonal = np.maximum(np.diag(curvature), 1e-12)
        dampings = damping * _DAMPINGS
        damped = curvature + dampings[:, None, None] * np.diag(diagonal)
        steps = np.linalg.solve(damped, (gradients @ share)[None, :, None])[..., 0]
        values = np.nan_to_num(likelihoods(theta + steps) @ share, nan=-np.inf)
        k = int(values.argmax())
        gain = values[k] - best
        if gain > 0.0:
            theta, best = theta + steps[k], values[k]
            damping = float(np.clip(dampings[k], 1e-8, 1e8))
        else:
            damping *= 1e4
        n_small = n_small + 1 if gain < _SMALL_GAIN else 0
        if n_small == 3 or damping > 1e12:
            break
    return theta


def _log_densities_of(law: Any, x: NDArray, *parameters: NDArray) -> NDArray:
    """Return log densities, minus infinity where there is none, as often as a search
    asks for them: by the hooks that a family of scipy.stats defines, without the checks
    and masks of ``logpdf``, which take most of its time.
    """
    # The hooks take arrays of one shape, as scipy gives them.
    *shapes, location, scale = np.repeat(parameters, len(x), axis=1)
    with np.errstate(all="ignore"):
        y = (np.tile(x, len(parameters[0])) - location) / scale
        low, high = law._get_support(*shapes)
        is_valid = law._argcheck(*shapes) & (y >= low) & (y <= high)
        log_p = law._logpdf(np.clip(y, low, high), *shapes) - np.log(scale)
    log_p = np.where(is_valid & ~np.isnan(log_p), log_p, -np.inf)
    return log_p.reshape(-1, len(x))


def _start(law: Any, shapes: tuple, x: NDArray, share: NDArray) -> tuple | None:
    """Location and scale that match the middle half, and cover the data."""
    low, middle, high = np.interp([0.25, 0.5, 0.75], np.cumsum(share), x)
    with np.errstate(all="ignore"):
        quantiles = law.ppf([0.25, 0.5, 0.75], *shapes)
        support = law.support(*shapes)
    if not np.isfinite(quantiles).all() or quantiles[0] >= quantiles[2]:
        return None
    spread = high - low if high > low else x[-1] - x[0]
    scale = spread / (quantiles[2] - quantiles[0])
    location = middle - scale * quantiles[1]
    # A row far out must not take the start with it.
    reach = 0.05 * min(x[-1] - x[0], _FARTHEST_REACH * spread)
    below, above = (location + scale * end for end in support)
    if np.isfinite(support[0]) and np.isfinite(support[1]):
        below, above = min(below, x[0] - reach), max(above, x[-1] + reach)
        scale = (above - below) / (support[1] - support[0])
        location = below - scale * support[0]
    elif np.isfinite(support[0]):
        location = min(location, x[0] - reach - scale * support[0])
    elif np.isfinite(support[1]):
        location = max(location, x[-1] + reach - scale * support[1])
    return (*shapes, location, scale)
