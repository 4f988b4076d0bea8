"""Each feature to N(0, 1) by a smooth monotone spline."""

from numbers import Integral, Real
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from destructors._compat import Interval, StrOptions
from destructors.maps import Map, QuadraticSpline
from destructors.marginal import _column
from destructors.marginal._spline_fit import PENALTIES, fit_slopes
from destructors.rows import Fold

# A map rises by one over the number of rows at least between knots: so much probability
# lies between neighbours of n values on average, and all of it costs less of the
# likelihood than one parameter. With less, the digits of a row in a gap are lost after
# few layers. Never less than the one, nor more than the other, whatever weights say.
_SMALLEST_RISE, _LARGEST_RISE = 1e-6, 1e-2
# A latent is rounded in its sixteenth digit. So that no log-slope moves by more than
# about the eighth where rows come back, it changes by this much at most for each unit
# of the latent.
_STEEPEST = 1e7
# A map that rises by more between neighbouring numbers feels the rounding of its knots.
_FEELS_ROUNDING = 1e-3
# Less is no digit that a slope could ask for: its reciprocal would overflow.
_LEAST_SPACING = 1e-307


class SplineGaussianizer(_column.FeaturewiseDestructor):
    """Map each feature to N(0, 1) by a smooth, strictly increasing spline.

    The map of a feature is a piecewise quadratic spline with positive slopes, found by
    penalised maximum likelihood: its complexity is chosen per feature by Akaike's
    criterion, so that a normal feature costs about three parameters and a multimodal
    one as many as it needs. The density is continuous; beyond the smallest and largest
    training value the map goes on with the slope it has there, or that of the whole
    feature where this is less, so the density falls off like a normal one.

    Parameters
    ----------
    n_knots : int or "auto", default="auto"
        Number of knots of each spline. "auto" takes ``8 n_samples ** (1 / 5)`` and at
        most 128. Features with fewer unique values get fewer; one that ends steeply
        gets one more beyond that end, where its slope relaxes.
    alpha : float or "auto", default="auto"
        Strength of the penalty on the second differences of the log-slopes, per row.
        "auto" chooses it for each feature.
    n_jobs : int, default=None
        Number of threads that fit features and transform rows side by side. The result
        does not depend on it.

    Attributes
    ----------
    knots_ : list of ndarray of shape (n_knots_j,)
        Knots of each feature, in its units.
    values_ : list of ndarray of shape (n_knots_j,)
        Value of the map at each knot, in standard normal units.
    slopes_ : list of ndarray of shape (n_knots_j,)
        Slope of the map at each knot.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    HistogramGaussianizer : Piecewise constant densities.

    Notes
    -----
    A constant feature is shifted to zero with slope 1, less where numbers of float64
    are farther apart. The mass of a value that occurs
    many times is spread over the gap to its neighbours, never more narrowly than a
    millionth of the spread of the feature.

    Weights count rows: for weights that are relative only, scale them to sum to the
    number of rows they stand for.

    References
    ----------
    T. Hothorn, L. Möst and P. Bühlmann, *Most likely transformations*, Scandinavian
    Journal of Statistics 45, 2018, for the likelihood; P. H. C. Eilers and B. D. Marx,
    *Flexible smoothing with B-splines and penalties*, Statistical Science 11, 1996, for
    the penalty.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.marginal import SplineGaussianizer
    >>> X = np.random.default_rng(0).gamma(2.0, size=(1000, 1))
    >>> Z = SplineGaussianizer().fit_transform(X)
    >>> bool(abs(Z.mean()) < 0.05 and abs(Z.std() - 1) < 0.05)
    True
    """

    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {
        "n_knots": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
        "alpha": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        n_knots: int | Literal["auto"] = "auto",
        alpha: float | Literal["auto"] = "auto",
        n_jobs: int | None = None,
    ):
        self.n_knots = n_knots
        self.alpha = alpha
        self.n_jobs = n_jobs

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        self.knots_, self.values_, self.slopes_ = self._fit_columns(fold.train)
        return QuadraticSpline.of(self.knots_, self.values_, self.slopes_)

    def _fit_column(
        self, column: NDArray, weight: NDArray | None, unit: float | None
    ) -> tuple:
        x, mass, center, scale = _column.summarise(column, weight, unit)
        if len(x) == 1:
            return _column.constant_spline(center, scale)
        n_knots = self.n_knots
        if n_knots == "auto":
            n_knots = int(np.clip(np.round(8.0 * mass.sum() ** 0.2), 8, 128))
        penalties = PENALTIES if self.alpha == "auto" else np.array([float(self.alpha)])
        knots = _column.choose_knots(x, mass, n_knots)
        first_value, eta = fit_slopes(x, mass, knots, penalties)
        gaps, slopes = knots[1:] - knots[:-1], np.exp(eta)
        values = _integrate(gaps, slopes, 0, first_value)
        around = np.concatenate([[0.0], gaps, [0.0]])
        rise = np.clip(1.0 / mass.sum(), _SMALLEST_RISE, _LARGEST_RISE)
        flattest = rise * _magnitude(values) / np.maximum(around[1:], around[:-1])
        slopes = np.maximum(slopes, flattest)
        # Where most rows are, values stay: what is added in a void, and the rounding of
        # all that lies behind an outlier, would move them from the first knot on.
        values = _integrate(gaps, slopes, *_middle(knots, values, 0.0))
        knots, values, slopes = _column.finish_spline(
            knots, values, slopes, center, scale
        )
        middle, value = _middle(knots, values, center)
        place = knots[middle]
        knots, slopes = _bend(knots, slopes, scale, _magnitude(values))
        at = int(np.searchsorted(knots, place))
        values = _integrate((knots[1:] - knots[:-1]) / scale, slopes, at, value)
        return _limit(knots, values, slopes / scale, at, column, weight)


def _middle(knots: NDArray, values: NDArray, center: float) -> tuple[int, float]:
    """Return the knot nearest to the center, and its value."""
    middle = int(np.abs(knots - center).argmin())
    return middle, float(values[middle])


def _magnitude(values: NDArray) -> NDArray:
    """Return how many times the last place of latents is that of one."""
    return np.maximum(np.abs(values), 1.0)


def _bend(
    knots: NDArray, slopes: NDArray, scale: float, magnitude: NDArray
) -> tuple[NDArray, NDArray]:
    """Add knots where a slope falls to next to nothing: beside the low end ``g`` of a
    straight line its logarithm changes by ``(slope of the line) / g²`` for each unit of
    the latent, without bound.

    There the reciprocal of the slope rises at most linearly, by `_STEEPEST` over the
    magnitude of the latent, until it meets the line, at knots between which the slope
    is parted by four. What the map rises by is the same up to about the reciprocal of
    that.
    """
    steepest = _STEEPEST / np.maximum(magnitude[1:], magnitude[:-1])
    low, high = _low_and_high(slopes)
    with np.errstate(over="ignore"):
        if not (high > steepest * ((knots[1:] - knots[:-1]) / scale) * low * low).any():
            # Nearly always: no line is so steep.
            return knots, slopes
    knots, slopes, steepest = _lift(knots, slopes, scale, steepest)
    widths, rises = (knots[1:] - knots[:-1]) / scale, slopes[1:] > slopes[:-1]
    low, high = _low_and_high(slopes)
    # From here on the straight line is no steeper.
    with np.errstate(divide="ignore"):
        log_meets = 0.5 * (np.log(high) - np.log(widths) - np.log(4.0 * steepest))
    n_added = np.ceil(np.maximum(log_meets - np.log(low), 0.0) / np.log(4.0))
    n_added = n_added.astype(np.intp)
    k = np.repeat(np.arange(len(widths)), n_added)
    if not len(k):
        return knots, slopes
    step = 1 + np.arange(len(k)) - np.repeat(np.cumsum(n_added) - n_added, n_added)
    # Half of the interval is there for it.
    reach = np.minimum(1.0 / (steepest * low), 0.5 * widths)[k]
    aside = scale * reach * (1.0 - 0.25**step)
    added = np.where(rises[k], knots[k] + aside, knots[k + 1] - aside)
    order = np.argsort(np.r_[knots, added], kind="stable")
    knots, slopes = np.r_[knots, added][order], np.r_[slopes, low[k] * 4.0**step][order]
    kept = np.concatenate([[True], knots[1:] > knots[:-1]])
    return knots[kept], slopes[kept]


def _low_and_high(slopes: NDArray) -> tuple[NDArray, NDArray]:
    """Return the slopes at the two ends of each interval, the lower first."""
    before, after = slopes[:-1], slopes[1:]
    return np.minimum(before, after), np.maximum(before, after)


def _lift(
    knots: NDArray, slopes: NDArray, scale: float, steepest: NDArray
) -> tuple[NDArray, NDArray, NDArray]:
    """Lift slopes at knots to which they fall in an interval too narrow for a bend.

    The wider interval beside it goes on with its own line from its middle, so that it
    has room for the rest of the bend.
    """
    widths, higher = (knots[1:] - knots[:-1]) / scale, slopes.copy()
    left, right = slice(None, -1), slice(1, None)
    with np.errstate(over="ignore"):
        room = steepest * widths
        for side, other in ((left, right), (right, left)):
            # A square of slopes next to nothing may be none, beside endless room.
            least = room * slopes[side] * slopes[side]
            is_steep = slopes[other] - slopes[side] > least
            lifted = np.minimum(2.0 / room, slopes[other])
            lifted = np.where(is_steep, lifted, slopes[side])
            higher[side] = np.maximum(higher[side], lifted)
    knot = 1 + np.flatnonzero((higher > slopes)[1:-1])
    if not len(knot):
        return knots, slopes, steepest
    wide = np.unique(np.where(widths[knot] > widths[knot - 1], knot, knot - 1))
    inner = np.zeros(len(slopes), bool)
    inner[knot] = True
    slopes, before = np.where(inner, higher, slopes), slopes
    return (
        np.insert(knots, wide + 1, knots[wide] + 0.5 * (knots[wide + 1] - knots[wide])),
        np.insert(slopes, wide + 1, 0.5 * (before[wide] + before[wide + 1])),
        np.insert(steepest, wide, steepest[wide]),
    )


def _limit(
    knots: NDArray,
    values: NDArray,
    slopes: NDArray,
    at: int,
    column: NDArray,
    weight: NDArray | None,
) -> tuple[NDArray, NDArray, NDArray]:
    """Limit slopes to one unit of the latent between two neighbouring numbers: steeper,
    the sum of the density over all numbers of float64 is no longer its integral.

    The mean of the latent is zero, as it is where the likelihood is largest, but for
    the rounding of knots, which moves steep maps.
    """
    steepest = 1.0 / np.maximum(2.0 * np.spacing(0.5 * np.abs(knots)), _LEAST_SPACING)
    if (slopes <= _FEELS_ROUNDING * steepest).all():
        return knots, values, slopes
    slopes = np.minimum(slopes, steepest)
    values = _integrate(np.diff(knots), slopes, at, values[at])
    Z, _ = QuadraticSpline.of([knots], [values], [slopes]).forward(column[:, None])
    share = None if weight is None else weight / weight.max()
    return knots, values - np.average(Z[:, 0], weights=share), slopes


def _integrate(widths: NDArray, slopes: NDArray, at: int, value: float) -> NDArray:
    """Return the values at the knots of a map that has a value at one of them: summed
    from there, so that those near it have no rounding of what lies far out.
    """
    rises = 0.5 * widths * (slopes[1:] + slopes[:-1])
    below, above = rises[:at][::-1].cumsum()[::-1], rises[at:].cumsum()
    return np.concatenate([value - below, [value], value + above])
