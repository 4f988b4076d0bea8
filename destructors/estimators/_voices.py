"""Four densities of a table, from no dependence to all: the default for outliers."""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator

from destructors.flows import GaussianCopula
from destructors.maps import Density
from destructors.maps._kernel_density import KernelDensity
from destructors.marginal import SplineGaussianizer
from destructors.mixture import GaussianMixtureDestructor
from destructors.rows import Rows, robust_mean_and_scale

# Kernels are as wide as the median distance to this neighbour, in each column. Five is
# what neighbours are usually counted to; 20 did no better on the tables below.
_N_NEIGHBORS = 5
# Rows that have a kernel; 300 did as well as 1,000.
_MOST_CENTRES = 1000
# Rows on lattices repeat: a kernel is no narrower than this, in units of the columns.
_LEAST_WIDTH = 1e-3


class Voices(BaseEstimator):
    """Marginals, a Gaussian copula, a mixture of normals, and a kernel at each row.

    Each sees another dependence among columns: none, one of ranks, groups, and
    whatever the nearest rows show. What an outlier is unlike is not known, so each has
    its say. The fewer the parameters, the less do outliers among the training rows move
    a density; the more, the finer is what it tells apart.

    Which densities, and the widths of the kernels, were compared on 36 tasks from 20
    labelled tables of UCI that are none of ADBench's.

    Parameters
    ----------
    random_state : int, default=None
        Seed of the mixture, and of which rows have a kernel.

    Attributes
    ----------
    densities_ : tuple of (Density or KernelDensity)
    """

    def __init__(self, random_state: int | None = None):
        self.random_state = random_state

    def fit(self, X: NDArray, *, sample_weight: NDArray | None = None) -> Self:
        """Fit all four."""
        learners = (
            SplineGaussianizer(),
            GaussianCopula(),
            GaussianMixtureDestructor(random_state=self.random_state),
        )
        densities: list[Density | KernelDensity] = [
            learner.fit(X, sample_weight=sample_weight).to_density()
            for learner in learners
        ]
        densities.append(fit_kernels(Rows.of(X, sample_weight), self.random_state or 0))
        self.densities_ = tuple(densities)
        return self


def fit_kernels(rows: Rows, seed: int) -> KernelDensity:
    """Return a density with a kernel at each of some rows.

    Parameters
    ----------
    rows : Rows
        Training rows; weights are repeats.
    seed : int
        Seed of which rows have a kernel, where these are many.

    Returns
    -------
    density : KernelDensity
    """
    center, scale, _ = robust_mean_and_scale(rows)
    drawn = rows.take(rows.draw(_MOST_CENTRES, seed))
    values, weights, _ = drawn.unique()
    with np.errstate(over="ignore"):
        centres = np.clip((values - center) / scale, -1e100, 1e100)
    distances = cdist(centres, centres)
    order = np.argsort(distances, axis=1, kind="stable")
    # A row is no neighbour of itself, but its repeats are.
    mass = np.cumsum(weights[order], axis=1)
    place = (mass < 1.0 + _N_NEIGHBORS).sum(axis=1)
    last = order[np.arange(len(order)), np.minimum(place, len(order) - 1)]
    reach = distances[np.arange(len(order)), last] / np.sqrt(rows.n_features)
    width = np.quantile(reach, 0.5, method="inverted_cdf", weights=weights)
    return KernelDensity(
        center,
        scale,
        centres,
        weights / weights.sum(),
        max(float(width), _LEAST_WIDTH),
    )
