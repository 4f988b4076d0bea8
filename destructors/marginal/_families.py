"""Maximum likelihood for a family of scipy.stats, with weights."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from destructors.maps._parametric import log_density

# The likelihood is that of a mixture with this share of a Cauchy density: finite
# wherever a step of the search leads, and robust.
_CONTAMINATION = 1e-6
# Shapes to start the search from.
_STARTS = (1.0, 3.0, 0.3)


def fit_family(
    law: Any, x: NDArray, mass: NDArray, start: tuple[float, ...] | None = None
) -> tuple[float, ...]:
    """Fit shapes, location and scale to weighted points.

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
        return float(mean), float(np.sqrt(share @ (x - mean) ** 2))
    if law.name == "uniform":
        # The edges lie as far beyond the extremes as values lie apart.
        gap = (x[-1] - x[0]) / max(total - 1.0, 1.0)
        return float(x[0] - gap), float(x[-1] - x[0] + 2.0 * gap)
    log_cauchy = np.log(_CONTAMINATION) - np.log(np.pi * (1.0 + x * x))
    # No density can be told that is higher than one row in the closest gap.
    cap = np.log(total) + 2.0

    def loss(theta):
        parameters = (*theta[:-1], np.exp(np.clip(theta[-1], -50.0, 50.0)))
        log_p = np.minimum(log_density(law, x, parameters), cap)
        value = share @ np.logaddexp(log_p, log_cauchy)
        return -value if np.isfinite(value) else 1e10

    n_shapes = law.numargs
    tried = [_start(law, (shape,) * n_shapes, x, share) for shape in _STARTS]
    starts = [start for start in tried if start is not None]
    if not starts:
        # A family with shapes of another kind: scipy knows where to begin.
        even = np.interp((np.arange(100) + 0.5) / 100.0, np.cumsum(share), x)
        with np.errstate(all="ignore"):
            *shapes, location, scale = law.fit(even)
        starts = [np.array([*shapes, location, np.log(scale)])]
    if start is not None:
        starts.append(np.array([*start[:-1], np.log(start[-1])]))
    found = min(starts, key=loss)
    # Simplices collapse now and then: a fresh one about the result goes on.
    for size in (0.3, 0.1):
        found = minimize(
            loss,
            found,
            method="Nelder-Mead",
            options={
                "initial_simplex": np.vstack(
                    [found, found + size * np.eye(len(found))]
                ),
                "maxfev": 250 * len(found),
                "fatol": 1e-6,
                "xatol": 1e-4,
            },
        ).x
    return (*map(float, found[:-1]), float(np.exp(np.clip(found[-1], -50.0, 50.0))))


def _start(law: Any, shapes: tuple, x: NDArray, share: NDArray) -> NDArray | None:
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
    reach = 0.05 * (x[-1] - x[0])
    below, above = (location + scale * end for end in support)
    if np.isfinite(support[0]) and np.isfinite(support[1]):
        below, above = min(below, x[0] - reach), max(above, x[-1] + reach)
        scale = (above - below) / (support[1] - support[0])
        location = below - scale * support[0]
    elif np.isfinite(support[0]):
        location = min(location, x[0] - reach - scale * support[0])
    elif np.isfinite(support[1]):
        location = max(location, x[-1] + reach - scale * support[1])
    return np.array([*shapes, location, np.log(scale)])
