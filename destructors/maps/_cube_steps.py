"""A piecewise constant density for each column, relative to the normal one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from destructors.maps._cube import from_cube, to_cube
from destructors.maps._map import Map

__all__ = ["CubeSteps"]


@dataclass(frozen=True, eq=False, repr=False)
class CubeSteps(Map):
    """Normal scores of a density that is a step function times the normal one.

    Each column goes to the unit interval by the normal distribution function (cut at 5
    standard deviations), through a piecewise linear distribution function there, and
    back. Beyond the cut it stays what it is; so does a column of one block.

    Parameters
    ----------
    edges : tuple of ndarray of shape (n_blocks_j + 1,)
        Edges of the blocks of each column, strictly increasing from 0 to 1.
    probabilities : tuple of ndarray of shape (n_blocks_j,)
        Probability of each block, positive; they sum to 1.

    Examples
    --------
    Twice as many below zero as above:

    >>> import numpy as np
    >>> from destructors.maps import CubeSteps
    >>> steps = CubeSteps((np.array([0.0, 0.5, 1.0]),), (np.array([2.0, 1.0]) / 3.0,))
    >>> steps.forward(np.array([[0.0], [6.0]]))[0].round(3).ravel()
    array([0.431, 6.   ])
    """

    edges: tuple[NDArray, ...]
    probabilities: tuple[NDArray, ...]

    feature_wise = True

    @cached_property
    def _steps(self) -> list[tuple[int, NDArray, NDArray]]:
        """Columns of several blocks: edges, and the distribution function there."""
        steps = []
        for j, probabilities in enumerate(self.probabilities):
            if len(probabilities) > 1:
                below = np.r_[0.0, np.cumsum(probabilities)]
                below[-1] = 1.0
                steps.append((j, self.edges[j], below))
        return steps

    def forward(self, X, context=None):
        """Map rows; see `Map.forward`."""
        U, log_det = to_cube(X), np.zeros(len(X))
        for j, edges, below in self._steps:
            U[:, j], log_slope = _interpolate(U[:, j], edges, below)
            log_det += log_slope
        Z, log_det_cube = from_cube(U, X)
        return Z, log_det + log_det_cube

    def inverse(self, Z, context=None):
        """Map rows back; see `Map.inverse`."""
        U, log_det = to_cube(Z), np.zeros(len(Z))
        for j, edges, below in self._steps:
            U[:, j], log_slope = _interpolate(U[:, j], below, edges)
            log_det += log_slope
        X, log_det_cube = from_cube(U, Z)
        return X, log_det + log_det_cube


def _interpolate(
    u: NDArray, knots: NDArray, values: NDArray
) -> tuple[NDArray, NDArray]:
    """Interpolate linearly; return values and log-slopes, the latter 0 at 0 and 1,
    where coordinates beyond the cube stand.
    """
    k = np.clip(np.searchsorted(knots, u, side="right") - 1, 0, len(knots) - 2)
    slope = (values[k + 1] - values[k]) / (knots[k + 1] - knots[k])
    moved = np.clip(values[k] + slope * (u - knots[k]), values[k], values[k + 1])
    inside = (u > 0.0) & (u < 1.0)
    moved = np.where(inside, moved, u)
    return moved, np.where(inside, np.log(slope), 0.0)
