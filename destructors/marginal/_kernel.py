"""Each feature to N(0, 1) by its kernel density."""

from numbers import Real
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor
from destructors.maps import Map, RationalQuadraticSpline
from destructors.maps._cube import normal_scores
from destructors.marginal._column import (
    constant_spline,
    finish_spline,
    fit_columns,
    summarise,
)
from destructors.marginal._kernel_density import GridDensity, estimate_density
from destructors.marginal._rational import order_knots
from destructors.rows import Fold

_SQRT_2PI = np.sqrt(2.0 * np.pi)
# Knots of the map are at most this far apart, in bandwidths and in normal scores.
_SPACING, _SCORE_SPACING = 0.5, 0.2
_MOST_KNOTS = 256
# Rows that lie beyond each sharp edge.
_ROWS_BEYOND = 1.0


class KernelGaussianizer(Destructor):
    r"""Map each feature to N(0, 1) through its kernel density.

    The map is :math:`\Phi^{-1}(\hat F(x))` with the distribution function of a Gaussian
    kernel density, kept as a monotone spline through values and slopes at up to 256
    knots, so that map, inverse and log-determinant are exact among each other. Beyond
    the smallest and largest training value it is linear.

    The density is estimated on the scale :math:`\sinh^{-1}(a x) / a`, close to the
    logarithm in heavy tails. The bandwidth, ``a``, and whether the data end in sharp
    edges (where mass is reflected) are those of the best leave-one-out likelihood.
    Beyond sorting, the cost does not grow with the number of rows.

    Parameters
    ----------
    bandwidth : float or "auto", default="auto"
        Standard deviation of the kernel, in standard deviations of the feature on its
        scale. "auto" chooses it for each feature.

    Attributes
    ----------
    bandwidth_ : ndarray of shape (n_features,)
        Bandwidth of each feature in its units, about its median; 0 where the feature is
        constant.
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
    SplineGaussianizer : Fitted by penalised likelihood.

    Notes
    -----
    A constant feature is shifted to zero with slope 1. Weights count rows.

    References
    ----------
    J. D. F. Habbema, J. Hermans and K. van den Broek, *A stepwise discriminant analysis
    program using density estimation*, COMPSTAT 1974, and R. P. W. Duin, *On the choice
    of smoothing parameters for Parzen estimators*, IEEE Transactions on Computers 25,
    1976, for the bandwidth. M. P. Wand, J. S. Marron and D. Ruppert, *Transformations
    in density estimation*, Journal of the American Statistical Association 86, 1991,
    for the scale. M. C. Jones, *On correcting for variance inflation in kernel density
    estimation*, Computational Statistics and Data Analysis 11, 1991.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.marginal import KernelGaussianizer
    >>> X = np.random.default_rng(0).gamma(2.0, size=(1000, 1))
    >>> Z = KernelGaussianizer().fit_transform(X)
    >>> bool(abs(Z.mean()) < 0.1 and abs(Z.std() - 1) < 0.1)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "bandwidth": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})]
    }

    def __init__(self, *, bandwidth: float | Literal["auto"] = "auto"):
        self.bandwidth = bandwidth

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        chosen = None if self.bandwidth == "auto" else float(self.bandwidth)
        widths, self.knots_, self.values_, self.slopes_ = fit_columns(
            _fit_column, fold.train, None, chosen
        )
        self.bandwidth_ = np.array(widths)
        return RationalQuadraticSpline.of(self.knots_, self.values_, self.slopes_)


def _fit_column(
    column: NDArray, weight: NDArray | None, bandwidth: float | None
) -> tuple[float, NDArray, NDArray, NDArray]:
    """Return bandwidth, knots, values and slopes of one feature."""
    x, mass, center, scale = summarise(column, weight)
    if len(x) == 1:
        return 0.0, *constant_spline(center)
    density = estimate_density(x, mass, bandwidth)
    spline = _knots_of_map(density, x, mass.sum())
    knots, values, slopes = finish_spline(*spline, center, scale)
    return scale * density.bandwidth, knots, values, slopes / scale


def _knots_of_map(
    density: GridDensity, x: NDArray, total: float
) -> tuple[NDArray, NDArray, NDArray]:
    """Choose knots among the edges of cells that cover the data."""
    edges, mass, squash = density.edges, density.mass, density.squash
    tail = _ROWS_BEYOND / (total + 2.0 * _ROWS_BEYOND) if density.reflected else 0.0
    mass = mass * (1.0 - 2.0 * tail)
    # Both tails of the distribution function, since 1 - F(x) has no digits left where
    # F(x) is nearly 1.
    below = tail + np.cumsum(np.r_[0.0, mass])
    above = tail + np.cumsum(np.r_[0.0, mass[::-1]])[::-1]
    first, last = np.searchsorted(edges, np.arcsinh(squash * x[[0, -1]]) / squash)
    inside = slice(max(first - 1, 1 - density.reflected), last + 1)
    if not density.reflected:
        inside = slice(inside.start, min(inside.stop, len(edges) - 1))
    below, above, y = below[inside], above[inside], edges[inside]
    values = normal_scores(below, above)
    steps = np.r_[mass[:1], 0.5 * (mass[1:] + mass[:-1]), mass[-1:]][inside]
    slope_of_y = steps / (edges[1] - edges[0])
    place = (y - y[0]) / (_SPACING * density.bandwidth)
    place += (values - values[0]) / _SCORE_SPACING
    n_knots = min(int(np.ceil(place[-1])) + 2, _MOST_KNOTS)
    chosen = np.searchsorted(place, np.linspace(0.0, place[-1], n_knots))
    chosen = np.unique(np.clip(chosen, 0, len(y) - 1))
    values = values[chosen]
    knots = np.sinh(squash * y[chosen]) / squash
    slopes = slope_of_y[chosen] * _SQRT_2PI * np.exp(0.5 * values**2)
    slopes /= np.hypot(1.0, squash * knots)
    return order_knots(knots, values, slopes)
