"""Each feature to N(0, 1) by the best of several parametric families."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from destructors.maps import Affine, Columns, Map, ParametricColumn
from destructors.maps._parametric import family, family_scores
from destructors.marginal._column import FeaturewiseDestructor, summarise
from destructors.marginal._parametric_fit import fit_family
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
# A family is not followed farther than this, in robust standard units or in its own
# scale, where that is larger.
_FARTHEST = 1e60


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
        Family of each feature; "constant" for one that does not vary, and "norm" where
        the values span so many decades that no other has digits.
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

    def _fit_column(
        self, column: NDArray, weight: NDArray | None, unit: float | None
    ) -> tuple:
        """Return the map, its family, and parameters in the units of the feature."""
        names = _DEFAULT_FAMILIES if self.families is None else self.families
        laws = [family(name) for name in names]
        if not laws:
            raise ValueError("families is empty: give at least one name.")
        x, mass, center, scale = summarise(column, weight, unit)
        if len(x) == 1:
            shift = Affine(np.array([center]), np.array([scale]))
            return shift, "constant", (float(center), float(scale))
        law, start = laws[0], None
        if len(laws) > 1 and len(x) > 2 and (best := _best_law(column, weight, laws)):
            law = family(best.family)
            *shapes, location, width = _in_units(best)
            start = (*shapes, (location - center) / scale, width / scale)
        parameters = fit_family(law, x, mass, start)
        map_ = _tabulate(law, parameters, mass.sum(), center, scale)
        if not map_.is_valid():
            # Of values over hundreds of decades the place of a law may have no digits.
            law = family("norm")
            parameters = fit_family(law, x, mass)
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

    Equal values stand on one side. None if those to fit to are all equal, or no law has
    digits there.
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
        parameters = fit_family(law, x, mass)
        map_ = _tabulate(law, parameters, mass.sum(), center, scale)
        if map_.is_valid():
            fitted.append(map_)
    return max(fitted, key=score, default=None)


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
    least = max(1e-100 / max(parameters[-1], 1.0), 1e-300)
    most = np.where(bounded, 1.0, 1e6)
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
        good &= np.abs(x) < _FARTHEST * max(parameters[-1], 1.0)
        good &= np.abs(z - scores) < 1e-3
        good[1:] &= outwards * np.diff(x) > 0
        # The slope must be that of the table, or it is that of rounding noise.
        rise = np.abs(np.diff(z)) / np.abs(np.diff(x))
        ends = np.exp(log_slope)
        good[1:] &= rise > 0.3 * np.minimum(ends[1:], ends[:-1])
        good[1:] &= rise < 3.0 * np.maximum(ends[1:], ends[:-1])
    n_good = len(good) if good.all() else max(int(good.argmin()), 1)
    return x[:n_good], z[:n_good], ends[:n_good]
