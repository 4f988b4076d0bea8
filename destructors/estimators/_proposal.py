"""Gaussian mixtures that stand in for a density where rows have holes."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from destructors.base_distributions import MixedMixture, StandardNormal
from destructors.estimators._mixture_density import MixtureDensity
from destructors.maps import (
    Affine,
    Chain,
    Density,
    Gaussians,
    Identity,
    Map,
    Rosenblatt,
)

# Rows that are drawn of a density to fit a mixture to.
_N_DRAWN = 5000


@dataclass(frozen=True)
class Proposal:
    """A mixture of Gaussians, after a map of each column by itself.

    Attributes
    ----------
    density : Density
        One that sums out what is missing, of numbers alone.
    """

    density: Density

    @classmethod
    def of(cls, density: Density, rng: np.random.RandomState) -> "Proposal":
        """Return the mixture that a density is, or else one fitted to rows of it."""
        own = None
        if density.base == StandardNormal(density.n_features):
            own = _read_mixture(density.map, density.n_features)
        if own is not None:
            return cls(Density(Identity(), own, density.n_features))
        X = density.sample_rows(_N_DRAWN, rng)
        with warnings.catch_warnings():
            # The weights make up for what is not yet quite right.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = MixtureDensity(random_state=rng.randint(2**31 - 1)).fit(X)
        return cls(model.to_density())

    def draw(self, rows: NDArray, u: NDArray, noise: NDArray) -> NDArray:
        """Return rows with what they miss drawn given what they have.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
            Rows that miss the same columns.
        u : ndarray of shape (n_rows or 1, n_draws)
            Uniform values, which choose the component.
        noise : ndarray of shape (n_rows or 1, n_draws, n_features)
            Standard normal values.

        Returns
        -------
        filled : ndarray of shape (n_rows, n_draws, n_features)
        """
        base, to_data = self.density.base, self.density.map.inverse
        Z, _ = self.density.map.forward(rows)
        known = ~np.isnan(rows[0])
        gaussians, shares = base.gaussians, base.posterior(Z)
        given = gaussians.given(known)
        ends = np.cumsum(shares, axis=1)
        shape = len(rows), u.shape[1]
        classes = np.zeros(shape, dtype=np.intp)
        for end in (ends[:, :-1] / ends[:, -1:]).T:
            classes += u > end[:, None]
        filled = np.repeat(Z[:, None], shape[1], axis=1)
        noise = np.broadcast_to(noise[:, :, ~known], (*shape, int((~known).sum())))
        roots = np.linalg.cholesky(given.covariance)
        for k in np.unique(classes):
            mean = gaussians.mean_of(given, Z[:, known], k, ~known)
            i, j = np.nonzero(classes == k)
            drawn = mean[i] + noise[i, j] @ roots[k].T
            filled[i[:, None], j[:, None], np.flatnonzero(~known)] = drawn
        X = to_data(filled.reshape(-1, rows.shape[1]))[0].reshape(filled.shape)
        return np.where(known, rows[:, None], X)

    def log_density(self, filled: NDArray, rows: NDArray) -> NDArray:
        """Return the log density of what was drawn, given the rest, in nats.

        Parameters
        ----------
        filled : ndarray of shape (n_rows, n_draws, n_features)
            What `draw` returned.
        rows : ndarray of shape (n_rows, n_features)
            What it was given.

        Returns
        -------
        log_density : ndarray of shape (n_rows, n_draws)
        """
        n_rows, n_draws, d = filled.shape
        joint = self.density.logpdf(filled.reshape(-1, d)).reshape(n_rows, n_draws)
        return joint - self.density.logpdf(rows)[:, None]


def _read_mixture(map_: Map, n_features: int) -> MixedMixture | None:
    """Return the Gaussian mixture that a map to N(0, I) makes of it, if it is one."""
    # z = A x + b, so far.
    A, b = np.eye(n_features), np.zeros(n_features)
    weights, means = np.ones(1), np.zeros((1, n_features))
    factors = np.eye(n_features)[None]
    parts = _flatten(map_)
    last = parts[-1] if parts else None
    if isinstance(last, Rosenblatt):
        # Its tilt is too small to tell, and weights make up for it.
        parts.pop()
        weights, means, factors = last.weights, last.means, last.factors
    for part in parts:
        if not isinstance(part, Affine | Identity):
            return None
        # What is linear is known by what it does to the origin and to the axes.
        points, _ = part.forward(np.vstack([b, b + A.T]))
        b, A = points[0], (points[1:] - points[0]).T
    back = np.linalg.inv(A)
    factors = back @ factors
    covariances = factors @ factors.transpose(0, 2, 1)
    gaussians = Gaussians((means - b) @ back.T, covariances)
    return MixedMixture(weights, (gaussians,), (np.arange(n_features),))


def _flatten(map_: Map) -> list[Map]:
    if not isinstance(map_, Chain):
        return [map_]
    return [part for each in map_.maps for part in _flatten(each)]
