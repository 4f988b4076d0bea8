"""Each feature to N(0, 1) by its histogram."""

from __future__ import annotations

from numbers import Integral, Real
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from destructors._compat import Interval, StrOptions
from destructors.base import Destructor
from destructors.marginal._column import choose_knots, summarise

__all__ = ["HistogramGaussianizer", "HistogramMap"]

_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


class HistogramGaussianizer(Destructor):
    """Map each feature to N(0, 1) through its histogram.

    The density of a feature is constant in each bin; its distribution function is
    piecewise linear, and the normal quantile function is applied to it. Beyond the
    outermost bins the map is linear, so the density falls off like a normal one.

    Parameters
    ----------
    n_bins : int or "auto", default="auto"
        Number of bins. "auto" takes ``2 n_samples ** (1 / 3)``. Features with fewer
        distinct values get fewer.
    strategy : {"adaptive", "quantile", "uniform"}, default="adaptive"
        How bins are placed: "uniform" makes them equally wide, "quantile" equally
        full, "adaptive" between the two: narrow where data are dense, without one
        bin for a whole tail.
    alpha : float, default=0.5
        Rows added to each bin, so that an empty bin has a positive density.

    Attributes
    ----------
    bin_edges_ : list of ndarray of shape (n_bins_j + 1,)
        Edges of the bins of each feature, from its smallest to its largest value.
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

    _parameter_constraints: ClassVar[dict] = {
        "n_bins": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "strategy": [StrOptions({"adaptive", "quantile", "uniform"})],
        "alpha": [Interval(Real, 0, None, closed="neither")],
    }
    _feature_wise = True

    def __init__(
        self,
        *,
        n_bins: int | Literal["auto"] = "auto",
        strategy: Literal["adaptive", "quantile", "uniform"] = "adaptive",
        alpha: float = 0.5,
    ):
        self.n_bins = n_bins
        self.strategy = strategy
        self.alpha = alpha

    def _fit(self, X, sample_weight, random_state):
        self._columns = [
            _fit_histogram(
                column, sample_weight, self.n_bins, self.strategy, self.alpha
            )
            for column in X.T
        ]
        self.bin_edges_ = [column.edges for column in self._columns]
        self.probabilities_ = [column.probabilities for column in self._columns]

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


def _fit_histogram(column, weight, n_bins, strategy, alpha):
    x, mass, center, scale = summarise(column, weight)
    total = mass.sum()
    if n_bins == "auto":
        n_bins = max(2, int(np.round(2.0 * total ** (1 / 3))))
    if len(x) == 1:
        reach = max(1.0, 1e-6 * abs(center))
        edges = center + np.array([-reach, reach])
    else:
        edges = center + scale * _place_edges(x, mass, n_bins, strategy)
        # In units whose rounding is coarse, close edges can fall together.
        edges = np.unique(edges)
    n = len(edges) - 1
    bins = np.clip(np.searchsorted(edges, column, side="right") - 1, 0, n - 1)
    counts = np.bincount(bins, weights=weight, minlength=n) + alpha
    tail = 0.5 / (total + 1.0)
    return HistogramMap(edges, counts / counts.sum() * (1.0 - 2.0 * tail), tail, scale)


class HistogramMap:
    """Normal scores of a piecewise linear distribution function, with linear tails.

    Parameters
    ----------
    edges : ndarray of shape (n_bins + 1,)
        Strictly increasing.
    probabilities : ndarray of shape (n_bins,)
        Positive; with the two tails they sum to 1.
    tail : float
        Probability beyond each end, positive.
    scale : float
        Spread of the feature, which bounds the slopes of the tails.
    """

    def __init__(
        self, edges: NDArray, probabilities: NDArray, tail: float, scale: float
    ):
        self.edges, self.probabilities = edges, probabilities
        # Both tails of the distribution function, since 1 - F(x) has no digits left
        # where F(x) is nearly 1.
        rise = np.cumsum(self.probabilities)
        self.below = tail + np.r_[0.0, rise]
        self.above = tail + np.r_[np.cumsum(self.probabilities[::-1])[::-1], 0.0]
        self.values = _scores(self.below, self.above)
        self.widths = np.diff(self.edges)
        density = self.probabilities[[0, -1]] / self.widths[[0, -1]]
        steepest = density / _normal_density(self.values[[0, -1]])
        self.tail_slopes = np.minimum(steepest, 1.0 / scale)

    def forward(self, x: NDArray) -> tuple[NDArray, NDArray]:
        n = len(self.widths)
        k = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, n - 1)
        share = np.clip((x - self.edges[k]) / self.widths[k], 0.0, 1.0)
        below = self.below[k] + share * self.probabilities[k]
        above = self.above[k + 1] + (1.0 - share) * self.probabilities[k]
        z = _scores(below, above)
        log_density = np.log(self.probabilities[k] / self.widths[k])
        log_slope = log_density + 0.5 * z * z + _HALF_LOG_2PI
        for end, outside in ((0, x < self.edges[0]), (-1, x > self.edges[-1])):
            slope = self.tail_slopes[end]
            beyond = slope * (x[outside] - self.edges[end])
            z[outside] = self.values[end] + beyond
            log_slope[outside] = np.log(slope)
        return z, log_slope

    def inverse(self, z: NDArray) -> tuple[NDArray, NDArray]:
        n = len(self.widths)
        k = np.clip(np.searchsorted(self.values, z, side="right") - 1, 0, n - 1)
        p = self.probabilities[k]
        share = np.where(
            z < 0.0,
            (ndtr(z) - self.below[k]) / p,
            1.0 - (ndtr(-z) - self.above[k + 1]) / p,
        )
        x = self.edges[k] + np.clip(share, 0.0, 1.0) * self.widths[k]
        inside = np.clip(z, self.values[0], self.values[-1])
        log_slope = np.log(p / self.widths[k]) + 0.5 * inside * inside + _HALF_LOG_2PI
        for end, outside in ((0, z < self.values[0]), (-1, z > self.values[-1])):
            slope = self.tail_slopes[end]
            beyond = (z[outside] - self.values[end]) / slope
            x[outside] = self.edges[end] + beyond
            log_slope[outside] = np.log(slope)
        return x, log_slope


def _place_edges(x, mass, n_bins, strategy):
    if strategy == "uniform":
        return np.linspace(x[0], x[-1], n_bins + 1)
    if strategy == "adaptive":
        return choose_knots(x, mass, n_bins + 1)
    share = (np.cumsum(mass) - 0.5 * mass) / mass.sum()
    edges = np.interp(np.linspace(0.0, 1.0, n_bins + 1), share, x)
    return np.r_[x[0], edges[1:-1], x[-1]]


def _scores(below: NDArray, above: NDArray) -> NDArray:
    return np.where(below < above, ndtri(below), -ndtri(above))


def _normal_density(z: NDArray) -> NDArray:
    return np.exp(-0.5 * z * z - _HALF_LOG_2PI)
