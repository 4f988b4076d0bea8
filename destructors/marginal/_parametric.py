"""Each feature to N(0, 1) by the best of several parametric families."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from destructors._splits import split_rows
from destructors._threads import map_threads
from destructors.base import Destructor
from destructors.marginal._column import summarise
from destructors.marginal._families import family, fit_family, normal_scores

__all__ = ["ParametricGaussianizer"]

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
_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)
_VALIDATION_FRACTION = 1.0 / 3.0
# Normal scores at which the inverse is tabulated, dense in the middle.
_SCORES = np.r_[np.arange(0.0, 6.0, 0.125), np.arange(6.0, 24.5, 0.5)]
# Of as many rows, one lies beyond the point where a map leaves a bounded family.
_ROWS_TO_EDGE = 1000.0
# A family is not followed farther than this, in robust standard units.
_FARTHEST = 1e60
_N_NEWTON = 60


class ParametricGaussianizer(Destructor):
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
    _feature_wise = True

    def __init__(
        self, families: Sequence[str] | None = None, *, n_jobs: int | None = None
    ):
        self.families = families
        self.n_jobs = n_jobs

    def _fit(self, X, sample_weight, random_state):
        names = _DEFAULT_FAMILIES if self.families is None else self.families
        laws = [family(name) for name in names]
        if not laws:
            raise ValueError("families is empty: give at least one name.")
        self._columns = map_threads(
            lambda column: _fit_column(column, sample_weight, laws),
            X.T,
            self.n_jobs,
        )
        self.families_ = [column.name for column in self._columns]
        self.parameters_ = [column.parameters for column in self._columns]

    def _forward(self, X):
        Z, log_det = np.empty_like(X), np.zeros(len(X))
        for j, column in enumerate(self._columns):
            Z[:, j], log_slope = column.forward(X[:, j])
            log_det += log_slope
        return Z, log_det

    def _inverse(self, Z):
        X, log_det = np.empty_like(Z), np.zeros(len(Z))
        for j, column in enumerate(self._columns):
            X[:, j], log_slope = column.inverse(Z[:, j])
            log_det -= log_slope
        return X, log_det


def _fit_column(column: NDArray, weight: NDArray | None, laws: list) -> Any:
    x, mass, center, scale = summarise(column, weight)
    if len(x) == 1:
        return _Constant(center)
    law, start = laws[0], None
    if len(laws) > 1 and len(x) > 2 and (best := _best_law(column, weight, laws)):
        law = best.law
        *shapes, location, width = best.parameters
        start = (*shapes, (location - center) / scale, width / scale)
    return _Law(law, fit_family(law, x, mass, start), mass.sum(), center, scale)


def _best_law(column: NDArray, weight: NDArray | None, laws: list) -> Any:
    """Fit each to a part of the rows, and choose by the likelihood of the others.

    Equal values stand on one side. None if those to fit to are all equal.
    """
    train, held_out = split_rows(column[:, None], weight, _VALIDATION_FRACTION, 0)
    take = lambda rows: summarise(
        column[rows], None if weight is None else weight[rows]
    )
    x, mass, center, scale = take(train)
    if len(x) == 1:
        return None
    new, new_mass, new_center, new_scale = take(held_out)
    new = new_center + new_scale * new

    def score(law: _Law) -> float:
        z, log_slope = law.forward(new)
        # A law whose tails are that light for some row is out of the question.
        with np.errstate(over="ignore"):
            return float(new_mass @ (log_slope - 0.5 * z * z))

    fitted = [
        _Law(law, fit_family(law, x, mass), mass.sum(), center, scale) for law in laws
    ]
    return max(fitted, key=score)


class _Constant:
    """A feature that does not vary: shifted to zero with slope 1."""

    name = "constant"

    def __init__(self, center: float):
        self.parameters = (float(center), 1.0)

    def forward(self, x: NDArray) -> tuple[NDArray, NDArray]:
        return x - self.parameters[0], np.zeros(len(x))

    def inverse(self, z: NDArray) -> tuple[NDArray, NDArray]:
        return z + self.parameters[0], np.zeros(len(z))


class _Law:
    """A fitted family as a map, linear beyond where it can be followed."""

    def __init__(
        self, law: Any, parameters: tuple, total: float, center: float, scale: float
    ):
        self.law, self.name = law, law.name
        self._standard = parameters
        self._center, self._scale = center, scale
        *shapes, location, width = parameters
        self.parameters = (*shapes, center + scale * location, scale * width)
        bounded = np.isfinite(law.support(*parameters))
        edge = ndtri(1.0 / (_ROWS_TO_EDGE * (total + 1.0)))
        lower = self._follow(-_SCORES, edge if bounded[0] else -np.inf)
        upper = self._follow(_SCORES, -edge if bounded[1] else np.inf)
        self.x, self.z, slopes = (
            np.r_[below[::-1], above[1:]]
            for below, above in zip(lower, upper, strict=True)
        )
        least, most = 1e-100, np.where(bounded, 1.0, 1e6)
        self.end_slopes = np.clip(slopes[[0, -1]], least, most)

    def _follow(self, scores: NDArray, edge: float) -> tuple[NDArray, ...]:
        """Tabulate from the median outwards, as far as scipy is to be trusted."""
        if np.isfinite(edge):
            scores = np.r_[scores[np.abs(scores) < abs(edge)], edge]
        outwards = np.sign(scores[-1])
        with np.errstate(all="ignore"):
            quantile = self.law.ppf if outwards < 0 else self.law.isf
            x = quantile(ndtr(-np.abs(scores)), *self._standard)
            z, log_slope = normal_scores(self.law, x, self._standard)
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

    def forward(self, x: NDArray) -> tuple[NDArray, NDArray]:
        x = (x - self._center) / self._scale
        inside = np.clip(x, self.x[0], self.x[-1])
        z, log_slope = normal_scores(self.law, inside, self._standard)
        for end, outside in ((0, x < self.x[0]), (-1, x > self.x[-1])):
            slope = self.end_slopes[end]
            z[outside] = self.z[end] + slope * (x[outside] - self.x[end])
            log_slope[outside] = np.log(slope)
        return z, log_slope - np.log(self._scale)

    def inverse(self, z: NDArray) -> tuple[NDArray, NDArray]:
        x, log_slope = self._solve(np.clip(z, self.z[0], self.z[-1]))
        for end, outside in ((0, z < self.z[0]), (-1, z > self.z[-1])):
            slope = self.end_slopes[end]
            x[outside] = self.x[end] + (z[outside] - self.z[end]) / slope
            log_slope[outside] = np.log(slope)
        return x * self._scale + self._center, log_slope - np.log(self._scale)

    def _solve(self, z: NDArray) -> tuple[NDArray, NDArray]:
        """Invert by Newton steps in an interval of the table, halved if they leave."""
        k = np.clip(np.searchsorted(self.z, z, side="right") - 1, 0, len(self.z) - 2)
        low, high = self.x[k], self.x[k + 1]
        x = np.interp(z, self.z, self.x)
        left = np.arange(len(z))
        for _ in range(_N_NEWTON):
            score, log_slope = normal_scores(self.law, x[left], self._standard)
            miss = score - z[left]
            low = np.where(miss < 0, x[left], low)
            high = np.where(miss > 0, x[left], high)
            with np.errstate(all="ignore"):
                step = x[left] - miss / np.exp(log_slope)
            step = np.where((step >= low) & (step <= high), step, 0.5 * (low + high))
            moved = np.abs(step - x[left]) > 1e-14 * np.abs(step)
            x[left] = step
            left, low, high = left[moved], low[moved], high[moved]
            if not len(left):
                break
        return x, normal_scores(self.law, x, self._standard)[1]
