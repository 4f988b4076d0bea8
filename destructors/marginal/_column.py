"""What marginals know of a column: its sample in brief, and where detail goes."""

from abc import abstractmethod
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from destructors.base import Destructor
from destructors.rows import Rows, map_threads
from destructors.rows._moments import reach_of_constant, unit_of_constant

# A column is described by at most about this many points: more change nothing that the
# knots could show.
_N_POINTS = 512
# A smaller range cannot be told from none: slopes, up to a million times its
# reciprocal, would overflow.
_SMALLEST_RANGE = 1e-301
# A spread that is a smaller share of the next wider one is that of one repeated value,
# but not if it is less than what rounding leaves: a hundredth of the last place.
_ROUNDING, _LEAST_ROUNDING = 1e-12, 1e-18
# Where more than a tenth lie so far out, a column has no scale but that of all.
_MOST_NEAR = 0.9
_LARGE = 1e280
# In units of the scale no value lies farther out, so that all of them are numbers.
_FARTHEST = 1e305
# No gap between neighbouring points counts for more than this when knots are placed:
# a far outlier would else draw most of them into the void before it.
_LARGEST_GAP = 1.0
# Knots are at least this far apart, in robust standard units and relative to the
# distance from the center: ties would else allow arbitrarily high slopes.
_SMALLEST_SPACING = 1e-6
# Where two of them are so many times as far apart as the nearer one is from the center,
# in robust standard units, nothing is known of what lies between.
_VOID = 1e4
_LOG_4 = np.log(4.0)
# A density jumps only between values that are farther apart than this, in robust
# standard units or as a share of the distance from the center, and than so many units
# of the last place: rounding, that of a way there and back too, then carries no row
# across.
_SMALLEST_GAP, _GAP_ULPS = 1e-10, 16.0


class FeaturewiseDestructor(Destructor):
    """Base of what fits each feature by itself, by the hook ``_fit_column``."""

    n_jobs: int | None = None

    @abstractmethod
    def _fit_column(
        self, column: NDArray, weight: NDArray | None, unit: float | None
    ) -> tuple:
        """Return what is learned from one feature. Its unit may be known, where it is
        constant here, but not in other rows.
        """

    def _fit_columns(self, rows: Rows) -> Iterator[list]:
        """Yield lists, over the features, of each thing that `_fit_column` returns."""
        samples, units = rows.column_samples(), [None] * rows.n_features
        if rows.unit is not None:
            units = rows.unit.tolist()
        fitted = map_threads(
            lambda known: self._fit_column(*known[0], known[1]),
            list(zip(samples, units, strict=True)),
            self.n_jobs,
        )
        return map(list, zip(*fitted, strict=True))


def summarise(
    column: NDArray, sample_weight: NDArray | None, unit: float | None = None
) -> tuple[NDArray, NDArray, float, float]:
    """Sort a column and reduce it to weighted points in standard units.

    Parameters
    ----------
    column : ndarray of shape (n_samples,)
        Values of one feature.
    sample_weight : ndarray of shape (n_samples,) or None
        Positive weights.
    unit : float, default=None
        Scale of a column that is constant here, but not in other rows.

    Returns
    -------
    x : ndarray of shape (n_points,)
        Unique, sorted values ``(value - center) / scale``; one if the column is
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
        scale = float(unit_of_constant(x[0], unit))
        return np.zeros(1), mass.sum(keepdims=True), x[0], scale
    center, scale = _location_scale(x, mass)
    equal = _are_equal((x - center) / scale)
    # In how many parts rounding leaves a value is no matter of the scale either.
    parts = equal & (x[1:] - x[:-1] <= _SMALLEST_GAP * np.abs(x[1:]))
    if parts.any():
        x, mass = _join(x, mass, parts)
        center, scale = _location_scale(x, mass)
    x = (x - center) / scale
    return *_join(x, mass, _are_equal(x)), center, scale


def _are_equal(x: NDArray) -> NDArray:
    """Return which points differ from the one before by rounding alone: how many there
    are must not hang on the last bits of a layer before.
    """
    return x[1:] - x[:-1] <= _SMALLEST_GAP * np.maximum(1.0, np.abs(x[1:]))


def _join(x: NDArray, mass: NDArray, equal: NDArray) -> tuple[NDArray, NDArray]:
    """Join points to the one before."""
    if not equal.any():
        return x, mass
    first = np.flatnonzero(np.concatenate([[True], ~equal]))
    return x[first], np.add.reduceat(mass, first)


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
        Unique, sorted.
    weight : ndarray of shape (n_groups,)
    """
    total = len(x) if weight is None else weight.sum()
    rises = x[1:] > x[:-1]
    if np.count_nonzero(rises) < n_points:
        unique = np.concatenate([[0], 1 + np.flatnonzero(rises)])
    else:
        cuts = _cuts(float(total), n_points)
        if weight is None:
            position = np.floor(cuts).astype(np.intp)
        else:
            position = np.searchsorted(weight.cumsum(), cuts, side="right")
        position = np.searchsorted(x, x[np.minimum(position, len(x) - 1)])
        first = np.concatenate([[0], position, [np.searchsorted(x, x[-1])]])
        unique = first[np.concatenate([[True], first[1:] > first[:-1]])]
    counts = np.concatenate([unique[1:], [len(x)]]) - unique
    if weight is None:
        mass = counts.astype(np.float64)
        # A power of two that rounds nothing keeps sums in range.
        unit = 2.0 ** -np.frexp(len(x))[1]
        means = np.add.reduceat(unit * x, unique) / (unit * mass)
    else:
        mass = np.add.reduceat(weight, unique)
        # Of shares, which are at most 1, no sum overflows.
        means = np.add.reduceat(weight / np.repeat(mass, counts) * x, unique)
    means = np.clip(means, x[unique], np.concatenate([x[unique[1:] - 1], x[-1:]]))
    return means, mass


@lru_cache
def _cuts(total: float, n_points: int) -> NDArray:
    """Return masses that are equally spaced in normal scores: all columns of a table,
    in all layers, have the same.
    """
    last_score = -ndtri(0.5 / max(total, 2.0))
    return total * ndtr(np.linspace(-last_score, last_score, n_points + 1)[1:-1])


def choose_knots(x: NDArray, weight: NDArray, n_knots: int) -> NDArray:
    """Place knots from the smallest to the largest value.

    They are equally spaced in ``u + 1.5 asinh(z)``, where ``u`` is the normal score of
    the rank and ``z`` the value in robust standard units: dense where data are, and
    still present in gaps between modes, which ranks alone would skip.

    Parameters
    ----------
    x : ndarray of shape (n_points,)
        Unique, sorted values, at least two, in robust standard units.
    weight : ndarray of shape (n_points,)
        Positive weights.
    n_knots : int
        Number of knots aimed for.

    Returns
    -------
    knots : ndarray of shape (n_knots,)
        Strictly increasing; fewer than ``n_knots`` where values are tied or few.
    """
    scores = rank_scores(weight) + 1.5 * np.arcsinh(x)
    gaps = np.minimum(scores[1:] - scores[:-1], _LARGEST_GAP)
    place, n_knots = np.concatenate([[0.0], gaps.cumsum()]), min(n_knots, len(x))
    knots = np.interp(place[-1] / (n_knots - 1) * np.arange(n_knots), place, x)
    # Rounding must not tell on which side of a knot the value is that it falls on.
    after = np.searchsorted(x, knots).clip(1, len(x) - 1)
    for near in (x[after - 1], x[after]):
        falls = np.abs(knots - near) <= _SMALLEST_GAP * np.maximum(1.0, np.abs(near))
        knots = np.where(falls, near, knots)
    apart = knots[1:] - knots[:-1] > _SMALLEST_SPACING * np.hypot(1.0, knots[1:])
    knots = knots[np.concatenate([[True], apart])]
    knots[-1] = x[-1]
    return knots


def rank_scores(weight: NDArray) -> NDArray:
    """Return normal scores of the ranks of sorted points, to full precision in both
    tails, however light the weights there.
    """
    total = weight.sum()
    below = weight.cumsum() - 0.5 * weight
    above = weight[::-1].cumsum()[::-1] - 0.5 * weight
    # The nearer tail knows all digits.
    scores = ndtri(np.minimum(below, above) / total)
    return np.where(below < above, scores, -scores)


def edges_between(
    values: NDArray, edges: NDArray, center: float, scale: float
) -> NDArray:
    """Move edges, at which a density jumps, to the middle between neighbouring values.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        Sorted values, not all equal.
    edges : ndarray of shape (n_edges,)
        Increasing, at least two: from the smallest to the largest value.
    center, scale : float
        Robust location and standard deviation.

    Returns
    -------
    edges : ndarray of shape (n_moved,)
        Strictly increasing; fewer than there were where several meet in a gap. The
        outermost lie half a gap beyond the values.
    """
    gaps, middles = np.diff(values), values[:-1] + 0.5 * np.diff(values)
    rounding = _GAP_ULPS * np.spacing(np.maximum(-values[:-1], values[1:]))
    least = _SMALLEST_GAP * np.maximum(scale, np.abs(middles - center))
    open_ = np.flatnonzero(gaps > np.maximum(least, rounding))
    if not len(open_):
        open_ = np.argmax(gaps, keepdims=True)
    gaps, middles = gaps[open_], middles[open_]
    inner = edges[1:-1]
    above = np.minimum(np.searchsorted(middles, inner), len(middles) - 1)
    below = np.maximum(above - 1, 0)
    # Of two that are as near, up to rounding, the lower.
    farther = inner - middles[below] - (middles[above] - inner)
    is_below = farther < _SMALLEST_GAP * scale
    inner = middles[np.where(is_below, below, above)]
    ends = values[[0, -1]] + 0.5 * np.array([-gaps[0], gaps[-1]])
    moved = np.unique(np.concatenate([ends, inner]))
    kept = moved[np.concatenate([[True], np.diff(moved) > _SMALLEST_SPACING * scale])]
    kept[-1] = moved[-1]
    return kept


def constant_spline(value: float, scale: float) -> tuple[NDArray, NDArray, NDArray]:
    """Return knots, values and slopes for a constant column: a shift to zero, in the
    unit that `summarise` gives.
    """
    # The value itself is a knot, beside which no digits of it are lost.
    knots = np.array([value, value + max(float(reach_of_constant(value)), scale)])
    return knots, (knots - value) / scale, np.full(2, 1.0 / scale)


def finish_spline(
    knots: NDArray, values: NDArray, slopes: NDArray, center: float, scale: float
) -> tuple[NDArray, NDArray, NDArray]:
    """Return knots in the units of the column, values, and slopes in standard units;
    just outside the data the slope falls to at most 1, and across the void before an
    outlier there are knots.

    A density that ends in a sharp edge is steep there. Taken further, that slope would
    make a new value a little beyond the edge absurdly unlikely; relaxed, such a value
    is rare but no more. The mass outside stays what the last value of the map says.
    """
    knots, values, slopes = _cross_voids(knots, values, slopes)
    if slopes[0] > 1.0:
        knots = np.concatenate([[knots[0] - 1.0 / slopes[0]], knots])
        slopes = np.concatenate([[1.0], slopes])
        rise = 0.5 * (knots[1] - knots[0]) * (slopes[1] + slopes[0])
        values = np.concatenate([[values[0] - rise], values])
    if slopes[-1] > 1.0:
        knots = np.concatenate([knots, [knots[-1] + 1.0 / slopes[-1]]])
        slopes = np.concatenate([slopes, [1.0]])
        rise = 0.5 * (knots[-1] - knots[-2]) * (slopes[-1] + slopes[-2])
        values = np.concatenate([values, [values[-1] + rise]])
    # In units whose rounding is coarse, close knots can fall together.
    knots = center + scale * knots
    kept = np.concatenate([[True], knots[1:] > knots[:-1]])
    return knots[kept], values[kept], slopes[kept]


def _cross_voids(
    knots: NDArray, values: NDArray, slopes: NDArray
) -> tuple[NDArray, NDArray, NDArray]:
    """Add knots between which the distance from the center quadruples, where two are
    many times as far apart as the nearer of them is from the center.

    The map rises with the logarithm there: a straight line, from here to an outlier at
    1e30, would have no digits left for what lies at 1e5, and rows would not come back.
    """
    is_void, k, places = _places_in_voids(knots)
    if not is_void.any():
        return knots, values, slopes
    ends, added = np.arcsinh(knots), np.sinh(places)
    # Between knots whose values are one number the map rises by its last place.
    rises = np.maximum(np.diff(values), np.spacing(np.abs(values[1:])))
    rates = rises / np.where(is_void, np.diff(ends), np.inf)
    # Next to a void the slope is about that in it.
    slopes = slopes.copy()
    for side in (slice(None, -1), slice(1, None)):
        slope = rates / np.hypot(1.0, knots[side])
        clipped = np.clip(slopes[side], 0.25 * slope, 100.0 * slope)
        slopes[side] = np.where(is_void, clipped, slopes[side])
    order = np.argsort(np.r_[knots, added], kind="stable")
    return (
        np.r_[knots, added][order],
        np.r_[values, values[k] + rates[k] * (places - ends[k])][order],
        np.r_[slopes, rates[k] / np.hypot(1.0, added)][order],
    )


def cross_voids(
    values: NDArray, edges: NDArray, center: float, scale: float
) -> NDArray:
    """Add edges of bins where there are knots in `finish_spline`, for the same reason.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        Sorted values, which keep off the edges.
    edges : ndarray of shape (n_edges,)
        Increasing.
    center, scale : float
        Robust location and standard deviation.

    Returns
    -------
    edges : ndarray of shape (n_more,)
    """
    _, _, places = _places_in_voids(edges / scale - center / scale)
    added = center + scale * np.sinh(places)
    reach = _SMALLEST_GAP * np.maximum(scale, np.abs(added - center))
    first, last = (np.searchsorted(values, added + way * reach) for way in (-1, 1))
    return np.union1d(edges, added[first == last])


def _places_in_voids(knots: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return which intervals are voids; for each place to cross one at its interval,
    and its inverse hyperbolic sine.
    """
    ends = np.arcsinh(knots)
    # From where zero lies between, the distance quadruples both ways.
    nearest = np.maximum(np.maximum(knots[:-1], -knots[1:]), 0.0)
    is_void = np.diff(knots) > _VOID * (1.0 + nearest)
    if not is_void.any():
        return is_void, np.empty(0, np.intp), np.empty(0)
    places = np.arange(np.ceil(ends[0] / _LOG_4), np.ceil(ends[-1] / _LOG_4)) * _LOG_4
    k = np.clip(np.searchsorted(ends, places) - 1, 0, len(ends) - 2)
    inside = is_void[k] & (places - ends[k] > 0.5) & (ends[k + 1] - places > 0.5)
    return is_void, k[inside], places[inside]


def _location_scale(x: NDArray, mass: NDArray) -> tuple[float, float]:
    """Median, and a spread that is not zero: of the middle half, of the middle 98 %, or
    the whole range.

    Where the middle half may be one value, parted by rounding, the wider spread tells;
    a few values so far out that their rounding would be more have no say then.
    """
    low1, low25, median, high25, high1 = _quantiles(x, mass)
    half, most = (high25 - low25) / 1.349, (high1 - low1) / 4.653
    if 0.0 < half <= _LEAST_ROUNDING * most:
        near = np.abs(x / 2 - median / 2) <= half / 2 / _LEAST_ROUNDING
        if mass[near].sum() >= _MOST_NEAR * mass.sum():
            low1, *_, high1 = _quantiles(x[near], mass[near])
            most = (high1 - low1) / 4.653
    # Distances are multiplied by weights.
    smallest = (x[-1] - x[0]) / _FARTHEST * max(1.0, mass.sum())
    smallest = max(_SMALLEST_RANGE, smallest)
    if half > max(_ROUNDING * most, smallest):
        return median, half
    return median, most if most > smallest else x[-1] - x[0]


def _quantiles(x: NDArray, mass: NDArray) -> NDArray:
    """Return those of 1, 25, 50, 75 and 99 %."""
    share = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
    # A difference over a share is larger than the difference.
    unit = 2.0**64 if max(-x[0], x[-1]) > _LARGE else 1.0
    return unit * np.interp([0.01, 0.25, 0.5, 0.75, 0.99], share, x / unit)
