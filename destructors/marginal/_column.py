"""What marginals know of a column: its sample in brief, and where detail goes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

__all__ = ["choose_knots", "summarise"]

# A column is described by at most about this many points: more change nothing that the
# knots could show.
_N_POINTS = 512
# A smaller range cannot be told from none: its reciprocal, a slope, would overflow.
_SMALLEST_RANGE = 1e-290
# A spread that is a smaller share of the next wider one is that of one repeated value.
_ROUNDING = 1e-12
# No gap between neighbouring points counts for more than this when knots are placed:
# a far outlier would else draw most of them into the void before it.
_LARGEST_GAP = 1.0
# Knots are at least this far apart, in robust standard units and relative to the
# distance from the center: ties would else allow arbitrarily high slopes.
_SMALLEST_SPACING = 1e-6


def summarise(
    column: NDArray, sample_weight: NDArray | None
) -> tuple[NDArray, NDArray, float, float]:
    """Sort a column and reduce it to weighted points in standard units.

    Parameters
    ----------
    column : ndarray of shape (n_samples,)
        Values of one feature.
    sample_weight : ndarray of shape (n_samples,) or None
        Positive weights.

    Returns
    -------
    x : ndarray of shape (n_points,)
        Distinct, sorted values ``(value - center) / scale``; one if the column is
        constant.
    mass : ndarray of shape (n_points,)
        Weight of each point.
    center, scale : float
        Robust location and (positive) scale.
    """
    if sample_weight is None:
        x, mass = _compress(np.sort(column), None, _N_POINTS)
    else:
        order = np.argsort(column)
        x, mass = _compress(column[order], sample_weight[order], _N_POINTS)
    if x[-1] - x[0] < _SMALLEST_RANGE:
        return np.zeros(1), mass.sum(keepdims=True), x[0], 1.0
    center, scale = _location_scale(x, mass)
    return (x - center) / scale, mass, center, scale


def _compress(
    x: NDArray, weight: NDArray | None, n_points: int
) -> tuple[NDArray, NDArray]:
    """Replace a sorted sample by at most about ``n_points`` weighted points.

    Groups are equally wide in normal scores, so that the extremes stay single points;
    equal values are never parted. Groups depend on weights as on repeated values.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        Sorted values.
    weight : ndarray of shape (n_samples,) or None
        Positive weights.
    n_points : int
        Number of groups aimed for.

    Returns
    -------
    x : ndarray of shape (n_groups,)
        Distinct, sorted.
    weight : ndarray of shape (n_groups,)
    """
    total = len(x) if weight is None else weight.sum()
    rises = x[1:] > x[:-1]
    if np.count_nonzero(rises) < n_points:
        distinct = np.r_[0, 1 + np.flatnonzero(rises)]
    else:
        last_score = -ndtri(0.5 / max(total, 2.0))
        cuts = total * ndtr(np.linspace(-last_score, last_score, n_points + 1)[1:-1])
        if weight is None:
            position = np.floor(cuts).astype(np.intp)
        else:
            position = np.searchsorted(np.cumsum(weight), cuts, side="right")
        position = np.searchsorted(x, x[np.minimum(position, len(x) - 1)])
        distinct = np.unique(np.r_[0, position, np.searchsorted(x, x[-1])])
    if weight is None:
        mass = np.diff(distinct, append=len(x)).astype(np.float64)
        sums = np.add.reduceat(x, distinct)
    else:
        mass = np.add.reduceat(weight, distinct)
        sums = np.add.reduceat(weight * x, distinct)
    means = np.clip(sums / mass, x[distinct], np.r_[x[distinct[1:] - 1], x[-1]])
    return means, mass


def choose_knots(x: NDArray, weight: NDArray, n_knots: int) -> NDArray:
    """Place knots from the smallest to the largest value.

    They are equally spaced in ``u + 1.5 asinh(z)``, where ``u`` is the normal score of
    the rank and ``z`` the value in robust standard units: dense where data are, and
    still present in gaps between modes, which ranks alone would skip.

    Parameters
    ----------
    x : ndarray of shape (n_points,)
        Distinct, sorted values, at least two, in robust standard units.
    weight : ndarray of shape (n_points,)
        Positive weights.
    n_knots : int
        Number of knots aimed for.

    Returns
    -------
    knots : ndarray of shape (n_knots,)
        Strictly increasing; fewer than ``n_knots`` where values are tied or few.
    """
    share = (np.cumsum(weight) - 0.5 * weight) / weight.sum()
    gaps = np.diff(ndtri(share) + 1.5 * np.arcsinh(x))
    place = np.cumsum(np.r_[0.0, np.minimum(gaps, _LARGEST_GAP)])
    knots = np.interp(np.linspace(0.0, place[-1], min(n_knots, len(x))), place, x)
    apart = np.diff(knots) > _SMALLEST_SPACING * np.hypot(1.0, knots[1:])
    knots = knots[np.r_[True, apart]]
    knots[-1] = x[-1]
    return knots


def _location_scale(x: NDArray, mass: NDArray) -> tuple[float, float]:
    """Median, and a spread that is not zero: of the middle half, of the middle 98 %, or
    the whole range.
    """
    share = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
    low1, low25, median, high25, high1 = np.interp(
        [0.01, 0.25, 0.5, 0.75, 0.99], share, x
    )
    half, most = (high25 - low25) / 1.349, (high1 - low1) / 4.653
    if half > max(_ROUNDING * most, _SMALLEST_RANGE):
        return median, half
    return median, most if most > _SMALLEST_RANGE else x[-1] - x[0]
