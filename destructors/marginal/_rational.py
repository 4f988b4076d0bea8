"""Each feature to N(0, 1) by a rational-quadratic spline, in closed form."""

from numbers import Integral
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from destructors._compat import Interval, StrOptions
from destructors.maps import Map, RationalQuadraticSpline
from destructors.maps._cube import HALF_LOG_2PI, LARGEST
from destructors.marginal import _column
from destructors.rows import Fold

# Numbers of knots to choose from.
_N_KNOTS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 96, 128)
# Standard deviation of the smoothing window, in gaps between knots.
_WINDOW = 0.5
# Cost of a knot in the criterion, in nats: somewhat more than Akaike's 1, against the
# ragged fits it picks now and then.
_KNOT_COST = 1.4
# Knots are at least this far apart in robust standard units, relative to the distance
# from the center, and slopes no farther from 1, or from its inverse, than by this.
_SMALLEST = 1e-6


class RationalQuadraticGaussianizer(_column.FeaturewiseDestructor):
    """Map each feature to N(0, 1) by a monotone rational-quadratic spline.

    Knots stand at equally spaced normal scores. Their place in the data and the slope
    there come from straight lines fitted to the quantile plot, each by weighted least
    squares in a window about its knot: smoothed quantiles and slopes in closed form.
    The number of knots, which sets the width of the window too, is chosen per feature
    by a penalised likelihood; normal data need two. The map is continuously
    differentiable, and linear beyond the smallest and largest training value.

    Parameters
    ----------
    n_knots : int or "auto", default="auto"
        Number of knots of each spline. "auto" chooses it for each feature, at most 128.
        Features with fewer unique values get fewer.

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
    SplineGaussianizer : Fitted by penalised likelihood; closer to the truth.

    Notes
    -----
    A constant feature is shifted to zero with slope 1, less where numbers of float64
    are farther apart. Weights count rows.

    References
    ----------
    C. Durkan, A. Bekasov, I. Murray and G. Papamakarios, *Neural spline flows*,
    NeurIPS 2019, for the map. W. S. Cleveland, *Robust locally weighted regression and
    smoothing scatterplots*, Journal of the American Statistical Association 74, 1979,
    for lines in windows.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.marginal import RationalQuadraticGaussianizer
    >>> X = np.random.default_rng(0).gamma(2.0, size=(1000, 1))
    >>> Z = RationalQuadraticGaussianizer().fit_transform(X)
    >>> bool(abs(Z.mean()) < 0.05 and abs(Z.std() - 1) < 0.05)
    True
    """

    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {
        "n_knots": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})]
    }

    def __init__(self, *, n_knots: int | Literal["auto"] = "auto"):
        self.n_knots = n_knots

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        self.knots_, self.values_, self.slopes_ = self._fit_columns(fold.train)
        return RationalQuadraticSpline.of(self.knots_, self.values_, self.slopes_)

    def _fit_column(
        self, column: NDArray, weight: NDArray | None, unit: float | None
    ) -> tuple:
        x, mass, center, scale = _column.summarise(column, weight, unit)
        if len(x) == 1:
            return _column.constant_spline(center, scale)
        scores = _column.rank_scores(mass)
        if self.n_knots == "auto":
            candidates = [m for m in _N_KNOTS if m == 2 or 2 * m <= len(x)]
        else:
            candidates = [min(self.n_knots, len(x))]
        splines = [_smooth_quantiles(x, mass, scores, m) for m in candidates]
        best = max(
            splines,
            key=lambda spline: (
                mass @ _log_density(x, spline) - _KNOT_COST * len(spline[0])
            ),
        )
        knots, values, slopes = _column.finish_spline(*best, center, scale)
        return knots, values, slopes / scale


def _smooth_quantiles(
    x: NDArray, mass: NDArray, scores: NDArray, n_knots: int
) -> tuple[NDArray, NDArray, NDArray]:
    """Fit a line about each knot to values as a function of their normal scores."""
    values = np.linspace(scores[0], scores[-1], n_knots)
    width = _WINDOW * (values[1] - values[0])
    offset = (scores - values[:, None]) / width
    weight = mass * np.exp(-0.5 * offset**2)
    # Nearest values are always in the window, however far.
    weight += 1e-300 * (np.abs(offset) == np.abs(offset).min(axis=1, keepdims=True))
    total = weight.sum(axis=1)
    center = (weight * offset).sum(axis=1) / total
    centred = offset - center[:, None]
    # A window that holds one value alone has no slope.
    spread = np.maximum((weight * centred**2).sum(axis=1), 1e-12 * total)
    rise = (weight * centred) @ x / spread
    knots = (weight @ x) / total - rise * center
    slopes = width / np.maximum(rise, 1e-300)
    return order_knots(knots, values, slopes)


def order_knots(
    knots: NDArray, values: NDArray, slopes: NDArray
) -> tuple[NDArray, NDArray, NDArray]:
    """Make knots and values strictly increasing and slopes moderate, in robust standard
    units: they can be neither where values are tied or rounding decides.
    """
    size = np.hypot(1.0, knots)
    slopes = np.clip(slopes, _SMALLEST / size, 1.0 / (_SMALLEST * size))
    climb = np.cumsum(_SMALLEST * size)
    knots = np.maximum.accumulate(knots - climb) + climb
    climb = _SMALLEST * np.arange(len(values))
    values = np.maximum.accumulate(values - climb) + climb
    return knots, values, slopes


def _log_density(x: NDArray, spline: tuple[NDArray, NDArray, NDArray]) -> NDArray:
    map_ = RationalQuadraticSpline.of(*([part] for part in spline))
    z, log_slope = map_.forward(x[:, None])
    z = np.clip(z[:, 0], -LARGEST, LARGEST)
    return log_slope - 0.5 * z**2 - HALF_LOG_2PI
