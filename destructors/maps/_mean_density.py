"""The mean of several log densities, brought to one level and spread."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from destructors.maps._density import Density
from destructors.maps._kernel_density import KernelDensity
from destructors.maps._map import Data


@dataclass(frozen=True, eq=False)
class MeanLogDensity(Data):
    r"""Mean log density of several densities, brought to one level and spread.

    .. math:: s(x) = \bar{l} + \bar{b} \, \frac{1}{m} \sum_{i=1}^m
        \frac{\log p_i(x) - l_i}{b_i}

    Parameters
    ----------
    densities : tuple of Density or KernelDensity
        The densities.
    level, spread : ndarray of shape (n_densities,)
        Where the log densities of each lie, and how far apart.
    """

    _positive = ("spread",)

    densities: tuple[Density | KernelDensity, ...]
    level: NDArray
    spread: NDArray

    def is_valid(self) -> bool:
        """Return whether there is a level and a spread of each density."""
        shape = (len(self.densities),)
        sizes = {density.n_features for density in self.densities}
        return len(sizes) == 1 and self.level.shape == self.spread.shape == shape

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return self.densities[0].n_features

    def logpdf(self, X: NDArray) -> NDArray:
        """Return the mean log density of rows, in nats."""
        return self.mean_of_logs(np.stack([each.logpdf(X) for each in self.densities]))

    def mean_of_logs(self, logs: NDArray) -> NDArray:
        """Return the mean log density of rows, in nats, given all log densities."""
        standard = (logs.T - self.level) / self.spread
        return self.mean_of(standard.mean(axis=1))

    def standard(self, X: NDArray, members: slice) -> NDArray:
        """Return log densities by some members, each less its level, in its spread."""
        logs = np.stack([density.logpdf(X) for density in self.densities[members]])
        return ((logs.T - self.level[members]) / self.spread[members]).T

    def mean_of(self, standard: NDArray) -> NDArray:
        """Return what has a mean of standard log densities, in nats."""
        return self.level.mean() + self.spread.mean() * standard
