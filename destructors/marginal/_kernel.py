"""Each feature to N(0, 1) by its kernel density, with the bandwidth that predicts best.

Points are binned linearly onto a grid and smoothed by a cosine transform, so the cost
beyond sorting does not depend on the number of rows. The bandwidth maximises the
leave-one-out likelihood (Habbema, Hermans and van den Broek, 1974; Duin, 1976): unlike
plug-in rules it aims at the likelihood itself and needs no reference density. Its known
weakness, heavy tails, is met by working on ``asinh(a x) / a``, with ``a`` chosen by the
same likelihood; ties are left out together, so that they do not pull it to zero.

Where data end in a sharp edge, mass that would leak is reflected. Else the estimate is
shrunk towards the mean by the variance that smoothing adds (Jones, 1991), so that the
normal density itself is met without bias by a wide kernel.
"""

from numbers import Real
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct

from destructors._compat import Interval, StrOptions
from destructors.maps import Map, RationalQuadraticSpline
from destructors.maps._cube import normal_scores
from destructors.marginal import _column
from destructors.marginal._rational import order_knots
from destructors.rows import Fold

_SQRT_2PI = np.sqrt(2.0 * np.pi)
# Knots of the map are at most this far apart, in bandwidths and in normal scores.
_SPACING, _SCORE_SPACING = 0.5, 0.2
_MOST_KNOTS = 256
# Rows that lie beyond each sharp edge.
_ROWS_BEYOND = 1.0
_N_CELLS = 1024
# From nearly linear on all but outliers, to logarithmic in the tails.
_SQUASHES = (0.1, 1.0)
# Bandwidths in standard deviations. As wide as the last two is flat between edges.
_BANDWIDTHS = np.geomspace(0.01, 1.0, 24)
_WIDE_BANDWIDTHS = np.array([2.0, 4.0])
# Free of edges, the grid goes on by this share of the range on each side: several of
# the widest bandwidths.
_MARGIN = 0.75
# Nats that reflection has to gain: an edge is a claim.
_EDGE_COST = 3.0
# Share of a row that each empty cell counts at least.
_FLOOR = 1e-6


class KernelGaussianizer(_column.FeaturewiseDestructor):
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
    A constant feature is shifted to zero with slope 1, less where numbers of float64
    are farther apart. Weights count rows.

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
        widths, self.knots_, self.values_, self.slopes_ = self._fit_columns(fold.train)
        self.bandwidth_ = np.array(widths)
        return RationalQuadraticSpline.of(self.knots_, self.values_, self.slopes_)

    def _fit_column(
        self, column: NDArray, weight: NDArray | None, unit: float | None
    ) -> tuple:
        x, mass, center, scale = _column.summarise(column, weight, unit)
        if len(x) == 1:
            return 0.0, *_column.constant_spline(center, scale)
        chosen = None if self.bandwidth == "auto" else float(self.bandwidth)
        density = estimate_density(x, mass, chosen)
        spline = _knots_of_map(density, x, mass.sum())
        knots, values, slopes = _column.finish_spline(*spline, center, scale)
        return scale * density.bandwidth, knots, values, slopes / scale


class GridDensity(NamedTuple):
    """A density that is constant in each cell of a grid.

    Attributes
    ----------
    edges : ndarray of shape (n_cells + 1,)
        Edges of the cells, in squashed units.
    mass : ndarray of shape (n_cells,)
        Probability of each cell, positive.
    squash : float
        The ``a`` of the squashed unit ``asinh(a x) / a``.
    bandwidth : float
        Standard deviation of the kernel, in squashed units.
    reflected : bool
        Whether mass is reflected at the smallest and largest value.
    log_likelihood : float
        Leave-one-out log-likelihood in the units of ``x``, in nats.
    """

    edges: NDArray
    mass: NDArray
    squash: float
    bandwidth: float
    reflected: bool
    log_likelihood: float


def estimate_density(
    x: NDArray, weight: NDArray, bandwidth: float | None
) -> GridDensity:
    """Estimate the density of weighted points.

    Parameters
    ----------
    x : ndarray of shape (n_points,)
        Distinct, sorted values, at least two, in robust standard units.
    weight : ndarray of shape (n_points,)
        Positive weights.
    bandwidth : float or None
        In standard deviations of the squashed values; None to choose it.

    Returns
    -------
    density : GridDensity
    """
    candidates = []
    for squash in _SQUASHES:
        y = np.arcsinh(squash * x) / squash
        log_jacobian = -(weight @ np.log(np.hypot(1.0, squash * x)))
        for reflected in (False, True):
            if bandwidth is not None:
                tried = np.array([bandwidth])
            elif reflected:
                tried = np.r_[_BANDWIDTHS, _WIDE_BANDWIDTHS]
            else:
                tried = _BANDWIDTHS
            best = _best_bandwidth(y, weight, tried, reflected)
            gain = best[-1] + log_jacobian - _EDGE_COST * reflected
            candidates.append((gain, squash, reflected, best))
    gain, squash, reflected, (edges, mass, width, _) = max(
        candidates, key=lambda candidate: candidate[0]
    )
    return GridDensity(edges, mass, squash, width, reflected, float(gain))


def _best_bandwidth(
    y: NDArray, weight: NDArray, bandwidths: NDArray, reflected: bool
) -> tuple[NDArray, NDArray, float, float]:
    """Return edges, mass, bandwidth and leave-one-out log-likelihood of the best."""
    total = weight.sum()
    mean = weight @ y / total
    variance = weight @ (y - mean) ** 2 / total
    low, high = y[0], y[-1]
    floor = _FLOOR / (total * (high - low))
    n_cells = _N_CELLS
    if not reflected:
        margin = _MARGIN * (high - low)
        low, high, n_cells = low - margin, high + margin, 2 * n_cells
    length = high - low
    counts = _bin_linearly((y - low) / length, weight / total, n_cells)
    # The transform reflects at both ends of the grid.
    waves = dct(counts) * (n_cells / length)
    damping = -0.5 * (np.pi * np.arange(n_cells) / length) ** 2
    edges = np.linspace(low, high, n_cells + 1)
    middles = 0.5 * (edges[1:] + edges[:-1])
    best: tuple | None = None
    for width in bandwidths * np.sqrt(variance):
        density = np.maximum(idct(waves * np.exp(damping * width**2)), floor)
        shrink = 1.0 if reflected else np.sqrt(variance / (variance + width**2))
        # Where the estimate was before it was shrunk.
        source = mean + (y - mean) / shrink
        own = np.exp(-0.5 * ((source - y) / width) ** 2)
        if reflected:
            own += np.exp(-2.0 * ((y - low) / width) ** 2)
            own += np.exp(-2.0 * ((high - y) / width) ** 2)
        own *= weight / (_SQRT_2PI * width)
        others = total * np.interp(source, middles, density) - own
        others = np.maximum(others / (total - weight), floor) / shrink
        gain = weight @ np.log(others)
        if best is None or gain > best[-1]:
            mass = density / density.sum()
            best = mean + shrink * (edges - mean), mass, width, gain
    assert best is not None
    return best


def _bin_linearly(place: NDArray, share: NDArray, n_cells: int) -> NDArray:
    """Part each point between the two cells whose middles it lies between."""
    place = np.clip(place * n_cells - 0.5, 0.0, n_cells - 1.0)
    cell = np.minimum(place.astype(np.intp), n_cells - 2)
    right = share * (place - cell)
    counts = np.bincount(cell, share - right, n_cells)
    return counts + np.bincount(cell + 1, right, n_cells)


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
