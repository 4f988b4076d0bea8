"""Normal scores of a histogram for each column."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from destructors.maps._map import Map

__all__ = ["HistogramColumns"]

_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


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

    @cached_property
    def _columns(self) -> list[_Column]:
        return [
            _Column(*column)
            for column in zip(
                self.edges, self.probabilities, self.tails, self.scales, strict=True
            )
        ]

    def forward(self, X, context=None):
        """Map rows; see `Map.forward`."""
        Z, log_det = np.empty(X.shape), np.zeros(len(X))
        for j, column in enumerate(self._columns):
            Z[:, j], log_slope = column.forward(X[:, j])
            log_det += log_slope
        return Z, log_det

    def inverse(self, Z, context=None):
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
        self.values = _scores(self.below, self.above)
        self.widths = np.diff(edges)
        density = probabilities[[0, -1]] / self.widths[[0, -1]]
        steepest = density / np.exp(-0.5 * self.values[[0, -1]] ** 2 - _HALF_LOG_2PI)
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


def _scores(below: NDArray, above: NDArray) -> NDArray:
    return np.where(below < above, ndtri(below), -ndtri(above))
