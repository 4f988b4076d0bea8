"""A weighted mean of several log densities."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from destructors.maps._density import Density
from destructors.maps._kernel_density import KernelDensity
from destructors.maps._map import Data


@dataclass(frozen=True, eq=False)
class MeanLogDensity(Data):
    r"""Weighted mean of the log densities of several densities.

    .. math:: s(x) = \sum_{i=1}^m w_i \log p_i(x)

    Parameters
    ----------
    densities : tuple of Density or KernelDensity
        The densities.
    weights : ndarray of shape (n_densities,)
        Their weights, which add up to one.
    """

    _positive = ("weights",)

    densities: tuple[Density | KernelDensity, ...]
    weights: NDArray

    def is_valid(self) -> bool:
        """Return whether there is a weight of each density."""
        sizes = {density.n_features for density in self.densities}
        return len(sizes) == 1 and self.weights.shape == (len(self.densities),)

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self.densities[0].n_features

    def logpdf(self, X: NDArray) -> NDArray:
        """Return the mean log density of rows, in nats."""
        return self.mean_of_logs(np.stack([each.logpdf(X) for each in self.densities]))

    def mean_of_logs(self, logs: NDArray) -> NDArray:
        """Return the mean log density of rows, in nats, given all log densities."""
        # Added up along a row, so that no row depends on how many others there are.
        return (logs.T * self.weights).sum(axis=1)

    def part(self, X: NDArray, members: slice) -> NDArray:
        """Return what some members add to the mean log density of rows, in nats."""
        logs = np.stack([density.logpdf(X) for density in self.densities[members]])
        return (logs.T * self.weights[members]).sum(axis=1)
