"""Normal scores of a histogram for each column."""

from dataclasses import dataclass
from functools import cached_property
from itertools import starmap

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from destructors.maps._checks import increases
from destructors.maps._cube import HALF_LOG_2PI, normal_scores
from destructors.maps._map import Map, Mapped

_LARGEST = np.finfo(np.float64).max


@dataclass(frozen=True, eq=False, repr=False)
class HistogramColumns(Map):
    r"""Normal scores :math:`\Phi^{-1}(F_j(x_j))` of a histogram for each column.

    The density is constant in each bin, so the distribution function :math:`F_j` is
    piecewise linear. Beyond the outermost bins the map is linear, so the density falls
    off like a normal one.

    Parameters
    ----------
    edges : tuple of ndarray of shape (n_bins_j + 1,)
        Edges of the bins of each column, strictly increasing.
    probabilities : tuple of ndarray of shape (n_bins_j,)
        Probability of each bin, positive; with the two tails they sum to 1.
    tails : ndarray of shape (n_features,)
        Probability beyond each end, positive.
    scales : ndarray of shape (n_features,)
        Spread of each column, whose reciprocal bounds the slopes of the tails.

    References
    ----------
    D. I. Inouye and P. Ravikumar, *Deep density destructors*, ICML 2018, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import HistogramColumns
    >>> edges, probabilities = np.array([0.0, 1.0, 3.0]), np.array([0.4, 0.4])
    >>> tails, scales = np.array([0.1]), np.array([1.0])
    >>> scores = HistogramColumns((edges,), (probabilities,), tails, scales)
    >>> scores.forward(np.array([[0.0], [3.0]]))[0].round(3).ravel()
    array([-1.282,  1.282])
    """

    edges: tuple[NDArray, ...]
    probabilities: tuple[NDArray, ...]
    tails: NDArray
    scales: NDArray

    feature_wise = True
    _positive = ("probabilities", "tails", "scales")

    def is_valid(self) -> bool:
        """Return whether there are increasing edges around the bins of each column."""
        pairs = zip(self.edges, self.probabilities, strict=True)
        return self.tails.shape == self.scales.shape == (len(self.edges),) and all(
            increases(edges) and edges[1:].shape == p.shape and len(p) > 0
            for edges, p in pairs
        )

    @cached_property
    def _columns(self) -> "list[_Column]":
        parts = self.edges, self.probabilities, self.tails, self.scales
        return list(starmap(_Column, zip(*parts, strict=True)))

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        Z, log_det = np.empty(X.shape), np.zeros(len(X))
        for j, column in enumerate(self._columns):
            Z[:, j], log_slope = column.forward(X[:, j])
            log_det += log_slope
        return Z, log_det

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        X, log_det = np.empty(Z.shape), np.zeros(len(Z))
        for j, column in enumerate(self._columns):
            X[:, j], log_slope = column.inverse(Z[:, j])
            log_det -= log_slope
        return X, log_det


class _Column:
    """The map of one column; both ways return the log-slope of the forward one."""

    def __init__(
        self, edges: NDArray, probabilities: NDArray, tail: float, scale: float
    ):
        self.edges, self.probabilities = edges, probabilities
        # Both tails of the distribution function, since 1 - F(x) has no digits left
        # where F(x) is nearly 1.
        self.below = tail + np.r_[0.0, np.cumsum(probabilities)]
        self.above = tail + np.r_[np.cumsum(probabilities[::-1])[::-1], 0.0]
        self.values = normal_scores(self.below, self.above)
        self.widths = np.diff(edges)
        steepest = self._log_slope(np.array([0, -1]), self.values[[0, -1]])
        self.tail_slopes = np.exp(np.minimum(steepest, -np.log(scale)))

    def forward(self, x: NDArray) -> Mapped:
        k = self._find(self.edges, x)
        inside = np.clip(x, self.edges[0], self.edges[-1])
        share = np.clip((inside - self.edges[k]) / self.widths[k], 0.0, 1.0)
        below = self.below[k] + share * self.probabilities[k]
        above = self.above[k + 1] + (1.0 - share) * self.probabilities[k]
        z = normal_scores(below, above)
        # Edges to the bit: what lies on one, where the density jumps, comes back there.
        for end in (0, 1):
            z = np.where(inside == self.edges[k + end], self.values[k + end], z)
        log_slope = self._log_slope(k, z)
        extrapolate(x, z, log_slope, self.edges, self.values, self.tail_slopes)
        return z, log_slope

    def inverse(self, z: NDArray) -> Mapped:
        k = self._find(self.values, z)
        share = np.where(
            z < 0.0,
            (ndtr(z) - self.below[k]) / self.probabilities[k],
            1.0 - (ndtr(-z) - self.above[k + 1]) / self.probabilities[k],
        )
        x = self.edges[k] + np.clip(share, 0.0, 1.0) * self.widths[k]
        x = np.where(z == self.values[k], self.edges[k], x)
        log_slope = self._log_slope(k, np.clip(z, self.values[0], self.values[-1]))
        extrapolate(
            x, z, log_slope, self.edges, self.values, self.tail_slopes, back=True
        )
        return x, log_slope

    def _find(self, places: NDArray, at: NDArray) -> NDArray:
        k = np.searchsorted(places, at, side="right") - 1
        return np.clip(k, 0, len(self.widths) - 1)

    def _log_slope(self, k: NDArray, z: NDArray) -> NDArray:
        log_density = np.log(self.probabilities[k]) - np.log(self.widths[k])
        return log_density + 0.5 * z * z + HALF_LOG_2PI


def extrapolate(
    x: NDArray,
    z: NDArray,
    log_slope: NDArray,
    points: NDArray,
    scores: NDArray,
    slopes: NDArray,
    back: bool = False,
) -> None:
    """Go on linearly beyond the ends of a column, in place.

    Parameters
    ----------
    x, z, log_slope : ndarray of shape (n_samples,)
        Places, their images, and log-slopes of the map at them.
    points, scores : ndarray of shape (n_points,)
        Places, the first and the last of which are the ends, and their images.
    slopes : ndarray of shape (2,)
        Those of the map beyond the ends.
    back : bool, default=False
        Whether to set ``x`` by ``z`` instead.
    """
    known, ends = (z, scores) if back else (x, points)
    moved = x if back else z
    for end, outside in ((0, known < ends[0]), (-1, known > ends[-1])):
        with np.errstate(over="ignore"):
            if back:
                x[outside] = points[end] + (z[outside] - scores[end]) / slopes[end]
            else:
                z[outside] = scores[end] + slopes[end] * (x[outside] - points[end])
        log_slope[outside] = np.log(slopes[end])
        # Where the line leads out of float64.
        moved[outside] = np.clip(moved[outside], -_LARGEST, _LARGEST)
