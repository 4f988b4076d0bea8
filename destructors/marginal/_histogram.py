"""Each feature to N(0, 1) by its histogram."""

from numbers import Integral, Real
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from destructors._compat import Interval, StrOptions
from destructors.maps import HistogramColumns, Map
from destructors.marginal import _column
from destructors.rows import Fold, Rows
from destructors.table import check_bounds

# Bins of a smaller probability would eat up the digits of the map, on the way back.
_LIGHTEST = 1e-9


class HistogramGaussianizer(_column.FeaturewiseDestructor):
    """Map each feature to N(0, 1) through its histogram.

    The density of a feature is constant in each bin; its distribution function is
    piecewise linear, and the normal quantile function is applied to it. Beyond the
    outermost bins the map is linear, so the density falls off like a normal one.

    Parameters
    ----------
    n_bins : int or "auto", default="auto"
        Number of bins. "auto" takes ``2 n_samples ** (1 / 3)``. Features with fewer
        unique values get fewer.
    strategy : {"adaptive", "quantile", "uniform"}, default="adaptive"
        How bins are placed: "uniform" makes them equally wide, "quantile" equally
        full, "adaptive" between the two: narrow where data are dense, without one
        bin for a whole tail.
    bounds : tuple of (float, float), default=None
        Where the bins of every feature begin and end, for the strategy "uniform": they
        then stay where they are. Pixels of 256 levels with uniform noise in [0, 1] are
        256 such bins. None takes the range of the feature.
    alpha : float, default=0.5
        Rows added to each bin, so that an empty bin has a positive density.
    n_jobs : int, default=None
        Number of threads that fit features and transform rows side by side. The result
        does not depend on it.

    Attributes
    ----------
    bin_edges_ : list of ndarray of shape (n_bins_j + 1,)
        Edges of the bins of each feature. All lie in the middle between neighbouring
        values, the outermost as far beyond the smallest and the largest value.
    probabilities_ : list of ndarray of shape (n_bins_j,)
        Probability of each bin. They sum to a little less than 1; the rest lies in the
        two tails.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen in `fit`, if all are strings.
    base_distribution_ : StandardNormal
        The base distribution.

    See Also
    --------
    SplineGaussianizer : Smooth, and closer to the truth for the same data.

    Notes
    -----
    The density jumps at an edge, so without ``bounds`` none is on a value: each is
    moved to the middle of a gap. Repeated values, such as multiples of 0.1, so stand
    inside their bins, where rounding changes nothing.

    A constant feature is one bin of width 2 about its value (wider where float64 could
    not tell the edges apart).

    References
    ----------
    D. I. Inouye and P. Ravikumar, *Deep density destructors*, ICML 2018, section 3.1
    (independent inverse CDF destructors, with histograms).

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.marginal import HistogramGaussianizer
    >>> X = np.random.default_rng(0).uniform(size=(2000, 1))
    >>> model = HistogramGaussianizer().fit(X)
    >>> bool(abs(model.score(X)) < 0.02)
    True
    """

    _takes_stored = True
    _parameter_constraints: ClassVar[dict] = {
        "n_bins": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "strategy": [StrOptions({"adaptive", "quantile", "uniform"})],
        "bounds": [tuple, list, None],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        n_bins: int | Literal["auto"] = "auto",
        strategy: Literal["adaptive", "quantile", "uniform"] = "adaptive",
        bounds: tuple[float, float] | None = None,
        alpha: float = 0.5,
        n_jobs: int | None = None,
    ):
        self.n_bins = n_bins
        self.strategy = strategy
        self.bounds = bounds
        self.alpha = alpha
        self.n_jobs = n_jobs

    def _fit(self, fold: Fold, random_state: np.random.RandomState | None) -> Map:
        if self.bounds is not None:
            self._check_bounds(fold.train)
        self.bin_edges_, self.probabilities_, *ends = self._fit_columns(fold.train)
        bins = tuple(self.bin_edges_), tuple(self.probabilities_)
        return HistogramColumns(*bins, *map(np.array, ends))

    def _fit_column(self, column: NDArray, weight: NDArray | None) -> tuple:
        """Return edges, probabilities, that of a tail, and scale of one feature."""
        if self.bounds is not None:
            return self._fit_between(column, weight)
        x, mass, center, scale = _column.summarise(column, weight)
        total = mass.sum()
        # Between fewer different values there is nothing to tell, whatever they weigh.
        most = len(np.unique(column))
        automatic = max(2, int(min(np.round(2.0 * total ** (1 / 3)), most)))
        n_bins = automatic if isinstance(self.n_bins, str) else self.n_bins
        if len(x) == 1:
            reach = _column.reach_of_constant(center)
            wide = edges = np.array([center - reach, center + reach])
        else:
            edges = center + scale * self._place_edges(x, mass, n_bins)
            values = np.sort(column)
            wide = _column.edges_between(values, edges, center, scale)
            edges = _column.cross_voids(values, wide, center, scale)
        n = len(edges) - 1
        bins = np.clip(np.searchsorted(edges, column, side="right") - 1, 0, n - 1)
        # What a bin across a void is cut into shares its additional rows.
        parent = np.searchsorted(wide, edges[:-1], side="right") - 1
        alpha = self.alpha / np.bincount(parent)[parent]
        counts = np.bincount(bins, weights=weight, minlength=n) + alpha
        probabilities = np.maximum(counts / counts.sum(), _LIGHTEST)
        tail = 0.5 / (total + 1.0)
        inside = (1.0 - 2.0 * tail) / probabilities.sum()
        return edges, probabilities * inside, tail, scale

    def _check_bounds(self, rows: Rows) -> None:
        """Raise ValueError if bins can't begin and end at the bounds."""
        if self.strategy != "uniform":
            raise ValueError(
                'bounds are for the strategy "uniform" only, whose bins can begin and '
                f"end anywhere; strategy is {self.strategy!r}."
            )
        check_bounds(rows, self.bounds)

    def _fit_between(self, column: NDArray, weight: NDArray | None) -> tuple:
        """Return what `_fit_column` does, for equal bins between the bounds."""
        low, high = self.bounds or (0.0, 1.0)
        total = float(len(column) if weight is None else weight.sum())
        automatic = max(2, int(np.round(2.0 * total ** (1 / 3))))
        n = automatic if isinstance(self.n_bins, str) else self.n_bins
        edges = np.linspace(low, high, n + 1)
        bins = np.clip(np.searchsorted(edges, column, side="right") - 1, 0, n - 1)
        counts = np.bincount(bins, weights=weight, minlength=n) + self.alpha
        probabilities = np.maximum(counts / counts.sum(), _LIGHTEST)
        tail = 0.5 / (total + 1.0)
        inside = (1.0 - 2.0 * tail) / probabilities.sum()
        return edges, probabilities * inside, tail, (high - low) / np.sqrt(12.0)

    def _place_edges(self, x: NDArray, mass: NDArray, n_bins: int) -> NDArray:
        if self.strategy == "uniform":
            return np.linspace(x[0], x[-1], n_bins + 1)
        if self.strategy == "adaptive":
            return _column.choose_knots(x, mass, n_bins + 1)
        share = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
        return np.interp(np.linspace(0.0, 1.0, n_bins + 1), share, x)
