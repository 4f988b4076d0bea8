"""To the barycenter of the domains: what layers share, and features one by one.

The quantile functions of the domains, averaged, are that of the barycenter; the optimal
map of a domain is ``F_barycenter⁻¹ ∘ F_domain``. It is made of few numbers: the means
of the rows between equally spaced quantile levels are the knots of a domain, the
averages of the knots over domains their images. Means of groups are known better than
single quantiles, and a mean of a group is moved to that of the barycenter exactly.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from destructors._compat import Interval, StrOptions
from destructors.alignment._apart import PartApart
from destructors.alignment._base import DomainDestructor
from destructors.alignment._domains import (
    by_domain,
    check_digits,
    divergence,
    divided,
    scale_of,
    split_domains,
)
from destructors.alignment._levels import group_means
from destructors.alignment._summaries import most_levels
from destructors.maps import Map, RationalQuadraticSpline, Switch
from destructors.rows import Fold, Rows
from destructors.rows._moments import power_of_two

# Shares of the way that are compared on held-out rows.
_RATES = (1.0, 0.75, 0.5, 0.25, 0.0)
_VALIDATION_FRACTION = 0.2
# Between knots and beyond, a map is never steeper than this nor flatter than its
# reciprocal: all rows come back to full precision, however many layers there are.
_STEEPEST = 30.0
# Knots are at least this far apart, relative to the spread of all domains and, where
# digits end, to the distance from zero.
_SMALLEST_GAP, _ROUNDING = 1e-7, 1e-12
# Beside their distance from zero values that differ by less are constant.
_CONSTANT = 10.0 * np.finfo(float).eps
# Nearer than this float64 cannot tell knots apart, in the units of the column.
_SMALLEST = 1e-313
_MOST_KNOTS = 64


class BarycenterDestructor(DomainDestructor):
    """Base of the layers: a subclass implements `_fit_barycenter`."""

    _parameter_constraints: ClassVar[dict] = {
        **DomainDestructor._parameter_constraints,
        "learning_rate": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
    }

    learning_rate: float | Literal["auto"]

    @abstractmethod
    def _fit_barycenter(
        self, parts: list[Rows], random_state: np.random.RandomState
    ) -> Callable[[float], Map]:
        """Fit to the rows of each domain.

        Returns
        -------
        at : callable
            Takes the share of the way to the barycenter to go, and returns that map.
        """

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        seed = check_random_state(random_state).randint(2**31 - 1)
        fit = lambda rows: self._fit_barycenter(
            by_domain(rows), check_random_state(seed)
        )
        rate = self.learning_rate
        if rate == "auto" and fold.validation is None:
            # What maps are worth to new rows, maps of some rows show on the others.
            [part] = split_domains(fold.train, None, _VALIDATION_FRACTION, seed)
            rate = _best_rate(fit(part.train), part.validation)
        at = fit(fold.train)
        self.learning_rate_ = (
            _best_rate(at, fold.validation) if rate == "auto" else float(rate)
        )
        map_ = at(self.learning_rate_)
        check_digits(fold.train, map_)
        return map_

    def _refit_params(self, fitted: "list[BarycenterDestructor]") -> dict[str, float]:
        # Without held-out rows a layer goes as far as it did with them.
        if self.learning_rate != "auto":
            return {}
        return {"learning_rate": float(np.mean([x.learning_rate_ for x in fitted]))}


def _best_rate(at: Callable[[float], Map], rows: Any) -> float:
    """Return the share of the way that brings held-out rows closest.

    Maps of columns one by one know nothing of the units of others: what they bring
    closer is seen in standard deviations.
    """
    maps = [at(rate) for rate in _RATES]
    unit = scale_of(rows) if maps[0].feature_wise else 1.0
    moved = [rows.through(map_) for map_ in maps]
    losses = [divergence(one.after(partial(divided, unit))) for one in moved]
    return _RATES[int(np.argmin(losses))]


class MarginalBarycenter(BarycenterDestructor):
    """Bring the domains together in each feature by itself.

    Each feature is mapped by univariate optimal transport to the barycenter of the
    domains: a smooth increasing map through the means of groups of rows, linear beyond.
    What the domains' dependences differ by stays.

    Parameters
    ----------
    n_knots : int or "auto", default="auto"
        Number of groups of rows that a map goes through. "auto" takes twice the cube
        root of the size of the smallest domain, and at most 64.
    domain_weights : str, dict or array-like, default="uniform"
        Share of each domain in the barycenter: the same ("uniform"), as the numbers of
        rows ("proportional"), or all for the targets, whose labels are negative
        ("target"). A dict gives weights by label (a label that is not there has none:
        ``{"b": 1}`` aligns everything to "b"), an array in the order of ``domains_``.
    learning_rate : float or "auto", default="auto"
        Share of the way to the barycenter to go: 0 leaves all rows where they are, 1
        goes all the way. "auto" takes what brings held-out rows closest: those that are
        given, or a fifth.
    random_state : int, RandomState instance or None, default=None
        Seed of the hold-out.

    Attributes
    ----------
    learning_rate_ : float
        Share of the way to the barycenter that the maps go.
    domains_ : ndarray of shape (n_domains,)
        Labels of the domains.
    domain_weights_ : ndarray of shape (n_domains,)
        Share of each in the barycenter.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of features seen in `fit`, if all are strings.

    See Also
    --------
    SlicedBarycenter : The same along the directions in which the domains differ most.

    References
    ----------
    Zhou, Gong, Ravikumar and Inouye, *Iterative alignment flows*, AISTATS 2022, section
    3 (naive barycenter).

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.alignment import MarginalBarycenter
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.normal(0, 1, (500, 1)), rng.normal(4, 1, (500, 1))]
    >>> domain = np.repeat(["a", "b"], 500)
    >>> layer = MarginalBarycenter(random_state=0).fit(X, sample_domain=domain)
    >>> Z = layer.transform(X, sample_domain=domain)
    >>> bool(np.allclose([Z[:500].mean(), Z[500:].mean()], 2, atol=0.1))
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BarycenterDestructor._parameter_constraints,
        "n_knots": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
    }

    def __init__(
        self,
        *,
        n_knots: int | Literal["auto"] = "auto",
        domain_weights: str | Mapping | ArrayLike = "uniform",
        learning_rate: float | Literal["auto"] = "auto",
        random_state: int | np.random.RandomState | None = None,
    ):
        self.n_knots = n_knots
        self.domain_weights = domain_weights
        self.learning_rate = learning_rate
        self.random_state = random_state

    def _fit_barycenter(
        self, parts: list[Rows], random_state: np.random.RandomState
    ) -> Callable[[float], Map]:
        maps = fit_monotone(parts, self.domain_weights_, self.n_knots)
        return lambda share: Switch(splines(maps, share))


def fit_monotone(
    parts: list[Rows],
    domain_weights: NDArray,
    n_knots: int | Literal["auto"] = "auto",
    unit: float = 1.0,
) -> NDArray:
    """Fit increasing maps of all domains to the barycenter of each column.

    Parameters
    ----------
    parts : list of Rows
        Rows of each domain.
    domain_weights : ndarray of shape (n_domains,)
        Share of each domain in the barycenter; they sum to 1.
    n_knots : int or "auto"
        Number of knots of each map. The error is the bias of long groups and the noise
        of small ones: with a cube root ("auto") both fall as the rows grow.
    unit : float, default=1.0
        Power of two that rows were divided by. Knots and values are in units of before,
        in which they must be apart.

    Returns
    -------
    maps : ndarray of shape (3, n_domains, n_columns, n_knots)
        Knots, values and slopes: the maps are rational-quadratic between knots, and
        linear beyond.
    """
    if n_knots == "auto":
        smallest = min(part.total for part in parts)
        n_knots = int(np.clip(round(2.0 * smallest ** (1.0 / 3.0)), 2, _MOST_KNOTS))
    if isinstance(parts[0], PartApart):
        n_knots = most_levels(parts, n_knots)
    knots = np.stack([part.ask(group_means, n_knots) for part in parts])
    own = power_of_two(np.abs(knots).max(axis=(0, 2)))[:, None]
    knots /= own
    units = np.maximum(unit * own, np.finfo(float).smallest_subnormal)
    spread = np.ptp(knots, axis=(0, 2), keepdims=True)
    reach = np.abs(knots).max(axis=(0, 2), keepdims=True)
    gap = np.maximum(_SMALLEST_GAP * spread, _ROUNDING * reach)
    # Of a constant they are about as far apart as it is from zero, and still inside.
    apart = power_of_two(1.0 / n_knots)
    gap = np.where(spread <= _CONSTANT * reach, apart, gap)
    gap = np.maximum(gap, _SMALLEST / units)
    climb = gap * np.arange(n_knots)
    middle = knots.mean(axis=2, keepdims=True)
    knots = np.maximum.accumulate(knots - climb, axis=2) + climb
    # Widening ties has moved the domain.
    knots += middle - knots.mean(axis=2, keepdims=True)
    knots = _move_inside(knots, units)
    target = np.einsum("k,kcm->cm", domain_weights, knots)
    runs = np.diff(knots, axis=2)
    rises = np.clip(np.diff(target, axis=1), runs / _STEEPEST, runs * _STEEPEST)
    values = np.concatenate([np.zeros_like(knots[:, :, :1]), rises.cumsum(2)], axis=2)
    # Where slopes are cut the mean of the domain still goes to that of the barycenter.
    values += target.mean(axis=1, keepdims=True) - values.mean(axis=2, keepdims=True)
    slopes = _choose_slopes(runs, rises)
    return np.stack([units * knots, units * _move_inside(values, units), slopes])


def _move_inside(places: NDArray, units: NDArray) -> NDArray:
    """Return increasing places moved so that, times units, all are in float64."""
    end = np.finfo(float).max / np.maximum(units, 1.0)
    places = places - np.maximum(places[:, :, -1:] - end, 0.0)
    return places + np.maximum(-end - places[:, :, :1], 0.0)


def _choose_slopes(runs: NDArray, rises: NDArray) -> NDArray:
    """Return slopes at knots: harmonic means of those beside them, by distance.

    F. N. Fritsch and J. Butland, *A method for constructing local monotone piecewise
    cubic interpolants*, SIAM Journal on Scientific and Statistical Computing 5, 1984.
    """
    secants, left, right = rises / runs, runs[..., :-1], runs[..., 1:]
    towards_left, towards_right = left + 2.0 * right, 2.0 * left + right
    inner = (towards_left + towards_right) / (
        towards_left / secants[..., :-1] + towards_right / secants[..., 1:]
    )
    return np.concatenate([secants[..., :1], inner, secants[..., -1:]], axis=2)


def splines(maps: NDArray, share: float) -> tuple[RationalQuadraticSpline, ...]:
    """Return a map for each domain, a share of the way from the identity to these."""
    knots, values, slopes = maps
    values = (1.0 - share) * knots + share * values
    slopes = (1.0 - share) + share * slopes
    return tuple(map(RationalQuadraticSpline.of, knots, values, slopes))
