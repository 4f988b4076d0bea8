"""Each feature to N(0, 1) by its histogram."""

from numbers import Integral, Real
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from destructors._compat import Interval, StrOptions
from destructors.maps import HistogramColumns, Map
from destructors.marginal import _column
from destructors.rows import Fold, Rows
from destructors.rows._moments import reach_of_constant
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
        rows = fold.train
        if self.bounds is not None:
            self._check_bounds(rows)
        self.bin_edges_, parents, scales = self._fit_columns(rows)
        # Of all rows, also where bins were placed by a sample of the column.
        counts = rows.sum(_count_in_bins, self.bin_edges_)
        tail = 0.5 / (rows.total + 1.0)
        self.probabilities_ = [
            self._smooth(count, parent, tail)
            for count, parent in zip(counts, parents, strict=True)
        ]
        bins = tuple(self.bin_edges_), tuple(self.probabilities_)
        return HistogramColumns(*bins, np.full(len(counts), tail), np.array(scales))

    def _smooth(self, counts: NDArray, parent: NDArray, tail: float) -> NDArray:
        """Return probabilities of bins; each of the two tails has one of its own."""
        # What a bin across a void is cut into shares its additional rows.
        counts = counts + self.alpha / np.bincount(parent)[parent]
        probabilities = np.maximum(counts / counts.sum(), _LIGHTEST)
        return probabilities * ((1.0 - 2.0 * tail) / probabilities.sum())

    def _fit_column(
        self, column: NDArray, weight: NDArray | None, unit: float | None
    ) -> tuple:
        """Return edges, the bin of which each is a part, and scale of one feature."""
        total = float(len(column) if weight is None else weight.sum())
        automatic = max(2, int(np.round(2.0 * total ** (1 / 3))))
        if self.bounds is not None:
            low, high = self.bounds
            n = automatic if isinstance(self.n_bins, str) else self.n_bins
            edges = np.linspace(low, high, n + 1)
            return edges, np.arange(n), (high - low) / np.sqrt(12.0)
        x, mass, center, scale = _column.summarise(column, weight, unit)
        # Between fewer different values there is nothing to tell, whatever they weigh.
        automatic = max(2, min(automatic, len(np.unique(column))))
        n_bins = automatic if isinstance(self.n_bins, str) else self.n_bins
        if len(x) == 1:
            reach = float(reach_of_constant(center, unit))
            return np.array([center - reach, center + reach]), np.zeros(1, int), scale
        edges = center + scale * self._place_edges(x, mass, n_bins)
        values = np.sort(column)
        wide = _column.edges_between(values, edges, center, scale)
        edges = _column.cross_voids(values, wide, center, scale)
        return edges, np.searchsorted(wide, edges[:-1], side="right") - 1, scale

    def _check_bounds(self, rows: Rows) -> None:
        """Raise ValueError if bins can't begin and end at the bounds."""
        if self.strategy != "uniform":
            raise ValueError(
                'bounds are for the strategy "uniform" only, whose bins can begin and '
                f"end anywhere; strategy is {self.strategy!r}."
            )
        check_bounds(rows, self.bounds)

    def _place_edges(self, x: NDArray, mass: NDArray, n_bins: int) -> NDArray:
        if self.strategy == "uniform":
            return np.linspace(x[0], x[-1], n_bins + 1)
        if self.strategy == "adaptive":
            return _column.choose_knots(x, mass, n_bins + 1)
        share = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
        return np.interp(np.linspace(0.0, 1.0, n_bins + 1), share, x)


def _count_in_bins(rows: Rows, edges: list[NDArray]) -> tuple[NDArray, ...]:
    """Return the weight in each bin of each column."""
    counts = []
    for column, ends in zip(rows.values.T, edges, strict=True):
        n = len(ends) - 1
        bins = np.clip(np.searchsorted(ends, column, side="right") - 1, 0, n - 1)
        counts.append(np.bincount(bins, weights=rows.weight, minlength=n))
    return tuple(counts)
