"""Each feature to N(0, 1) by the best of several parametric families."""

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from destructors.maps import Affine, Columns, Map, ParametricColumn
from destructors.maps._parametric import family, family_scores
from destructors.marginal._column import FeaturewiseDestructor, summarise
from destructors.rows import Fold, is_over, split_rows

_DEFAULT_FAMILIES = (
    "norm",
    "t",
    "johnsonsu",
    "gamma",
    "lognorm",
    "weibull_min",
    "beta",
    "uniform",
)
_VALIDATION_FRACTION = 1.0 / 3.0
# Normal scores at which the inverse is tabulated, dense in the middle.
_SCORES = np.r_[np.arange(0.0, 6.0, 0.125), np.arange(6.0, 24.5, 0.5)]
# Of as many rows, one lies beyond the point where a map leaves a bounded family.
_ROWS_TO_EDGE = 1000.0
# A family is not followed farther than this, in robust standard units.
_FARTHEST = 1e60
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


class ParametricGaussianizer(FeaturewiseDestructor):
    r"""Map each feature to N(0, 1) by a parametric family of distributions.

    The map is :math:`\Phi^{-1}(F(x))` with the distribution function of a family of
    :mod:`scipy.stats`, fitted by maximum likelihood. Among several families the one
    that gives rows held out of the fit the highest likelihood is taken, for each
    feature, and fitted again to all rows.

    Parameters
    ----------
    families : sequence of str, default=None
        Names of continuous families of :mod:`scipy.stats`. None stands for "norm", "t",
        "johnsonsu", "gamma", "lognorm", "weibull_min", "beta" and "uniform": between
        them skewed, heavy-tailed, positive and bounded features.
    n_jobs : int, default=None
        Number of threads that fit features side by side. The result does not depend on
        it.

    Attributes
    ----------
    families_ : list of str
        Family of each feature; "constant" for one that does not vary.
    parameters_ : list of tuple of float
        Shapes, location and scale of each, as scipy.stats takes them.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    Raises
    ------
    ValueError
        In `fit`, if scipy.stats has no such continuous family.

    See Also
    --------
    SplineGaussianizer : Bound to no family.

    Notes
    -----
    The family is followed into its tails in log space, to 24 standard deviations of the
    latent or as far as scipy calculates them reliably, and on the side of a finite
    bound until one row in a thousand times the training rows. From there the map is
    linear, with the slope it has there; beyond a finite bound with at most that of the
    whole feature, so that a value just outside is rare but no more.

    Families are fitted to at most 512 weighted points a feature, so the cost beyond
    sorting does not grow with the rows. Weights count rows. A family with four shapes
    or more takes its time.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.marginal import ParametricGaussianizer
    >>> rng = np.random.default_rng(0)
    >>> X = np.c_[rng.gamma(2.0, size=2000), rng.standard_t(3, size=2000)]
    >>> ParametricGaussianizer(["norm", "gamma", "t"]).fit(X).families_
    ['gamma', 't']
    """

    _parameter_constraints: ClassVar[dict] = {
        "families": ["array-like", None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self, families: Sequence[str] | None = None, *, n_jobs: int | None = None
    ):
        self.families = families
        self.n_jobs = n_jobs

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        maps, self.families_, self.parameters_ = self._fit_columns(fold.train)
        return Columns(tuple(maps), tuple(np.arange(len(maps))[:, None]))

    def _fit_column(self, column: NDArray, weight: NDArray | None) -> tuple:
        """Return the map, its family, and parameters in the units of the feature."""
        names = _DEFAULT_FAMILIES if self.families is None else self.families
        laws = [family(name) for name in names]
        if not laws:
            raise ValueError("families is empty: give at least one name.")
        x, mass, center, scale = summarise(column, weight)
        if len(x) == 1:
            shift = Affine(np.array([center]), np.ones(1))
            return shift, "constant", (float(center), 1.0)
        law, start = laws[0], None
        if len(laws) > 1 and len(x) > 2 and (best := _best_law(column, weight, laws)):
            law = family(best.family)
            *shapes, location, width = _in_units(best)
            start = (*shapes, (location - center) / scale, width / scale)
        parameters = _fit_family(law, x, mass, start)
        map_ = _tabulate(law, parameters, mass.sum(), center, scale)
        return map_, law.name, _in_units(map_)


def _in_units(map_: ParametricColumn) -> tuple[float, ...]:
    """Return the parameters of the family in the units of the feature."""
    *shapes, location, width = map_.parameters
    return (*shapes, map_.center + map_.scale * location, map_.scale * width)


def _best_law(
    column: NDArray, weight: NDArray | None, laws: list[Any]
) -> ParametricColumn | None:
    """Fit each to a part of the rows, and choose by the likelihood of the others.

    Equal values stand on one side. None if those to fit to are all equal.
    """
    train, validation = split_rows(column[:, None], weight, _VALIDATION_FRACTION, 0)
    take = lambda rows: summarise(
        column[rows], None if weight is None else weight[rows]
    )
    x, mass, center, scale = take(train)
    if len(x) == 1:
        return None
    new, new_mass, new_center, new_scale = take(validation)
    new = new_center + new_scale * new

    def score(map_: ParametricColumn) -> float:
        z, log_slope = map_.forward(new[:, None])
        # A law whose tails are that light for some row is out of the question.
        with np.errstate(over="ignore"):
            return float(new_mass @ (log_slope - 0.5 * z[:, 0] * z[:, 0]))

    fitted: list[ParametricColumn] = []
    for law in laws:
        if fitted and is_over():
            break
        parameters = _fit_family(law, x, mass)
        fitted.append(_tabulate(law, parameters, mass.sum(), center, scale))
    return max(fitted, key=score)


def _tabulate(
    law: Any, parameters: tuple[float, ...], total: float, center: float, scale: float
) -> ParametricColumn:
    """Return the map of a family, as far as it is to be followed."""
    bounded = np.isfinite(law.support(*parameters))
    edge = ndtri(1.0 / (_ROWS_TO_EDGE * (total + 1.0)))
    lower = _follow(law, parameters, -_SCORES, edge if bounded[0] else -np.inf)
    upper = _follow(law, parameters, _SCORES, -edge if bounded[1] else np.inf)
    points, scores, slopes = (
        np.r_[below[::-1], above[1:]] for below, above in zip(lower, upper, strict=True)
    )
    least, most = 1e-100, np.where(bounded, 1.0, 1e6)
    end_slopes = np.clip(slopes[[0, -1]], least, most)
    return ParametricColumn(
        law.name, parameters, float(center), float(scale), points, scores, end_slopes
    )


def _follow(
    law: Any, parameters: tuple[float, ...], scores: NDArray, edge: float
) -> tuple[NDArray, NDArray, NDArray]:
    """Tabulate from the median outwards, as far as scipy is to be trusted."""
    if np.isfinite(edge):
        scores = np.r_[scores[np.abs(scores) < abs(edge)], edge]
    outwards = np.sign(scores[-1])
    with np.errstate(all="ignore"):
        quantile = law.ppf if outwards < 0 else law.isf
        x = quantile(ndtr(-np.abs(scores)), *parameters)
        z, log_slope = family_scores(law, x, parameters)
        good = np.isfinite(x) & np.isfinite(z) & np.isfinite(log_slope)
        good &= np.abs(x) < _FARTHEST
        good &= np.abs(z - scores) < 1e-3
        good[1:] &= outwards * np.diff(x) > 0
        # The slope must be that of the table, or it is that of rounding noise.
        rise = np.abs(np.diff(z)) / np.abs(np.diff(x))
        ends = np.exp(log_slope)
        good[1:] &= rise > 0.3 * np.minimum(ends[1:], ends[:-1])
        good[1:] &= rise < 3.0 * np.maximum(ends[1:], ends[:-1])
    n_good = len(good) if good.all() else max(int(good.argmin()), 1)
    return x[:n_good], z[:n_good], ends[:n_good]


def _fit_family(
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
        return float(mean), float(np.sqrt(share @ (x - mean) ** 2))
    if law.name == "uniform":
        # The edges lie as far beyond the extremes as values lie apart.
        gap = (x[-1] - x[0]) / max(total - 1.0, 1.0)
        return float(x[0] - gap), float(x[-1] - x[0] + 2.0 * gap)
    x = _round(x)
    log_cauchy = np.log(_CONTAMINATION) - np.log(np.pi * (1.0 + x * x))
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
    return (*shapes, location, scale)
