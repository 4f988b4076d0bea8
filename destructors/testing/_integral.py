"""Integrals of a density over space, by importance sampling.

The proposal has independent Student t(3) features, rotated and scaled to cover both
data and samples: its tails are heavier than those of any destructor, so no mass far
out is overlooked. Points are scrambled Sobol sequences, which in two dimensions are
some ten times as accurate as random ones; the spread over independent scramblings
tells the error.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc, t

__all__ = ["DensityPoints", "spread_points"]

_N_SCRAMBLES = 8
_LOG2_N_POINTS = 13


class DensityPoints(NamedTuple):
    """Points in space, each with its share of the integral of the density.

    The estimate of an integral over a region is the sum of the shares of the points in
    it, the mean of which is taken over scramblings.

    Attributes
    ----------
    points : ndarray of shape (n_scrambles, n_points, n_features)
        Coordinates in the proposal's frame.
    shares : ndarray of shape (n_scrambles, n_points)
        ``exp(score_samples)`` over the density of the proposal, over ``n_points``.
    centre : ndarray of shape (n_features,)
        Origin of the frame.
    root : ndarray of shape (n_features, n_features)
        Axes of the frame, in columns.
    """

    points: NDArray
    shares: NDArray
    centre: NDArray
    root: NDArray

    def to_frame(self, X: NDArray) -> NDArray:
        """Return the coordinates of data in the proposal's frame."""
        return np.linalg.solve(self.root, (X - self.centre).T).T


def spread_points(model: Any, covered: NDArray, seed: int) -> DensityPoints:
    """Spread points over a density.

    Parameters
    ----------
    model : Destructor
        A fitted one.
    covered : ndarray of shape (n_samples, n_features)
        Rows that the proposal should cover.
    seed : int
        Seed of the scramblings.

    Returns
    -------
    points : DensityPoints
    """
    d = covered.shape[1]
    centre = covered.mean(axis=0)
    root = np.linalg.cholesky(np.atleast_2d(np.cov(covered.T)))
    student, rng = t(3), np.random.default_rng(seed)
    points, shares = [], []
    for _ in range(_N_SCRAMBLES):
        uniform = qmc.Sobol(d, rng=rng).random_base2(_LOG2_N_POINTS)
        y = student.ppf(np.clip(uniform, 1e-12, 1.0 - 1e-12))
        log_proposal = student.logpdf(y).sum(axis=1) - np.log(np.diag(root)).sum()
        log_density = model.score_samples(y @ root.T + centre)
        points.append(y)
        shares.append(np.exp(log_density - log_proposal) / len(y))
    return DensityPoints(np.stack(points), np.stack(shares), centre, root)
