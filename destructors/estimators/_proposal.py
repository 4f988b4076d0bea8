"""Mixtures that stand in for a density where rows have holes."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from destructors.base_distributions import MixedMixture, StandardNormal
from destructors.flows._mixed_start import fit_start
from destructors.greedy import Progress
from destructors.maps import (
    Affine,
    Chain,
    CodeForest,
    Density,
    Gaussians,
    Identity,
    Map,
    Rosenblatt,
)
from destructors.mixture._mixed_fit import MixedSettings
from destructors.rows import Fold, Rows

# Rows that are drawn of a density to fit a mixture to.
_N_DRAWN = 5000
# Share of the proposals of each column of codes that are spread over all of them: so
# the weight of a code that the mixture knows little of is bounded, and its error is
# seen. An effective sample loses no more than this for each column (defensive
# importance sampling: T. Hesterberg, *Weighted average importance sampling and
# defensive mixture distributions*, Technometrics 37, 1995).
_SHARE_OF_ALL = 0.02


@dataclass(frozen=True)
class Proposal:
    """A mixture of classes, after a map of each column of numbers by itself.

    Attributes
    ----------
    density : Density
        One that sums out what is missing, of the same columns.
    """

    density: Density

    @classmethod
    def of(cls, density: Density, rng: np.random.RandomState) -> "Proposal":
        """Return the mixture that a density is, or else one fitted to rows of it."""
        own = None
        if density.base == StandardNormal(density.n_features):
            own = _read_mixture(density.map, density.n_features)
        if own is not None:
            return cls(replace(density, map=Identity(), base=own))
        X = density.sample_rows(_N_DRAWN, rng)
        rows = Rows.of(X, np.ones(len(X)), kinds=density.kinds)
        of = MixedSettings(), rng, Progress(None)
        start = fit_start(Fold(rows, None), "auto", *of)
        return cls(replace(density, map=start.map, base=_defend(start.em.mixture)))

    def draw(self, rows: NDArray, n_draws: int, rng: np.random.RandomState) -> NDArray:
        """Return rows with what they miss drawn given what they have.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features)
            Rows, as the map knows them.
        n_draws : int
            Number of draws for each.
        rng : RandomState
            Source of randomness.

        Returns
        -------
        filled : ndarray of shape (n_rows, n_draws, n_features)
            Codes of what was not seen are not drawn.
        """
        return self._fill(rows, n_draws, rng, self.density.unknown)

    def draw_alike(self, rows: NDArray, n_draws: int, seed: int) -> NDArray:
        """Return what `draw` does, with the same random numbers for each row.

        Codes of what was not seen are drawn as well: means are over all there is.
        """
        # What is drawn of a row by one generator would depend on the rows before it.
        each = [
            self._fill(row[None], n_draws, np.random.RandomState(seed), None)
            for row in rows
        ]
        return np.concatenate(each)

    def _fill(
        self,
        rows: NDArray,
        n_draws: int,
        rng: np.random.RandomState,
        without: NDArray | None,
    ) -> NDArray:
        many = np.repeat(rows, n_draws, axis=0)
        map_, base = self.density.map, self.density.base
        Z, _ = map_.forward(rows)
        X, _ = map_.inverse(base.fill(Z, rng, without, n_draws))
        shape = len(rows), n_draws, rows.shape[1]
        return np.where(np.isnan(many), X, many).reshape(shape)

    def log_density(self, filled: NDArray, rows: NDArray) -> NDArray:
        """Return the log density of what was drawn, given the rest, in nats.

        Parameters
        ----------
        filled : ndarray of shape (n_rows, n_draws, n_features)
            What was drawn. Of what `draw` returns, up to a constant of each row.
        rows : ndarray of shape (n_rows, n_features)
            What it was given.

        Returns
        -------
        log_density : ndarray of shape (n_rows, n_draws)
        """
        n_rows, n_draws, d = filled.shape
        score = self.density.score_rows
        joint = score(filled.reshape(-1, d)).reshape(n_rows, n_draws)
        return joint - score(rows)[:, None]


def _defend(mixture: MixedMixture) -> MixedMixture:
    """Return the mixture with a share of all codes in each class."""
    emissions = tuple(
        replace(each, tables=tuple(map(_spread, each.tables)))
        if isinstance(each, CodeForest)
        else each
        for each in mixture.emissions
    )
    return replace(mixture, emissions=emissions)


def _spread(table: NDArray) -> NDArray:
    return (1.0 - _SHARE_OF_ALL) * table + _SHARE_OF_ALL / table.shape[-1]


def _read_mixture(map_: Map, n_features: int) -> MixedMixture | None:
    """Return the Gaussian mixture that a map to N(0, I) makes of it, if it is one."""
    # z = A x + b, so far.
    A, b = np.eye(n_features), np.zeros(n_features)
    weights, means = np.ones(1), np.zeros((1, n_features))
    covariances = np.eye(n_features)[None]
    parts = _flatten(map_)
    last = parts[-1] if parts else None
    if isinstance(last, Rosenblatt):
        # Its tilt is too small to tell, and weights make up for it.
        parts.pop()
        weights, means, covariances = last.weights, last.means, last.covariances
    for part in parts:
        if not isinstance(part, Affine | Identity):
            return None
        # What is linear is known by what it does to the origin and to the axes.
        points, _ = part.forward(np.vstack([b, b + A.T]))
        b, A = points[0], (points[1:] - points[0]).T
    try:
        back = np.linalg.inv(A)
    except np.linalg.LinAlgError:
        # In the units of the table it has no digits.
        return None
    gaussians = Gaussians((means - b) @ back.T, back @ covariances @ back.T)
    return MixedMixture(weights, (gaussians,), (np.arange(n_features),))


def _flatten(map_: Map) -> list[Map]:
    if not isinstance(map_, Chain):
        return [map_]
    return [part for each in map_.maps for part in _flatten(each)]
