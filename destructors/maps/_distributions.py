"""Base distributions: the known densities that data are destroyed into.

Each has independent features, a closed-form log-density (nats) and a sampler. A fitted
destructor carries one as ``base_distribution_``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from destructors.maps._checks import are_positions
from destructors.maps._map import Data

_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)
# Beyond this the square of a latent would overflow. log-densities there differ from
# one another by more than float64 can tell, so the clip changes no comparison that
# could have been made.
_LARGEST_LATENT = 1e150


class Distribution(Data, ABC):
    """A known distribution of rows, as data: `logpdf`, `sample`, and how wide it is."""

    n_features: int
    # Whether what is NaN in a row is summed out, and can be drawn given the rest.
    sums_out: ClassVar[bool] = False

    @property
    def n_categories(self) -> NDArray:
        """Number of categories of each feature; 0 for numbers."""
        return np.zeros(self.n_features, dtype=np.int64)

    @abstractmethod
    def logpdf(self, Z: NDArray) -> NDArray:
        """Return the log density of each row, in nats."""

    @abstractmethod
    def sample(self, n_samples: int, rng: np.random.RandomState) -> NDArray:
        """Return rows drawn from it."""

    def sample_without(
        self, n_samples: int, rng: np.random.RandomState, codes: NDArray
    ) -> NDArray:
        """Return rows drawn from it given that no feature has its code.

        Parameters
        ----------
        n_samples : int
            Number of rows.
        rng : RandomState
            Source of randomness.
        codes : ndarray of shape (n_features,)
            Code that each feature must not have; -1 for none.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            By default nothing is left out: whoever asks looks for himself.
        """
        return self.sample(n_samples, rng)


@dataclass(frozen=True, eq=False, repr=False)
class StandardNormal(Distribution):
    """Independent standard normal features, N(0, I).

    Parameters
    ----------
    n_features : int
        Number of features.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.base_distributions import StandardNormal
    >>> StandardNormal(2).logpdf(np.zeros((1, 2))).round(4)
    array([-1.8379])
    """

    n_features: int

    def logpdf(self, Z: NDArray) -> NDArray:
        """Return the log density of each row, in nats.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Points of the latent space.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            Finite for every finite row.
        """
        if Z.size and max(Z.max(), -Z.min()) > _LARGEST_LATENT:
            Z = np.clip(Z, -_LARGEST_LATENT, _LARGEST_LATENT)
        return -0.5 * np.einsum("ij,ij->i", Z, Z) - self.n_features * _HALF_LOG_2PI

    def cdf(self, Z: NDArray) -> NDArray:
        """Return the distribution function of each feature.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Points of the latent space.

        Returns
        -------
        U : ndarray of shape (n_samples, n_features)
            Uniform on the unit cube when ``Z`` follows this distribution.
        """
        return ndtr(Z)

    def sample(self, n_samples: int, rng: np.random.RandomState) -> NDArray:
        """Return rows drawn from it.

        Parameters
        ----------
        n_samples : int
            Number of rows.
        rng : RandomState
            Source of randomness.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
        """
        return rng.standard_normal((n_samples, self.n_features))


@dataclass(frozen=True, eq=False, repr=False)
class Uniform(Distribution):
    """Independent features, uniform on the unit cube.

    Points outside the closed cube have density zero, a log-density of minus infinity.

    Parameters
    ----------
    n_features : int
        Number of features.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.base_distributions import Uniform
    >>> Uniform(2).logpdf(np.array([[0.5, 0.5], [0.5, 1.5]]))
    array([  0., -inf])
    """

    n_features: int

    def logpdf(self, Z: NDArray) -> NDArray:
        """Return the log density of each row, in nats: 0 in the cube, else -inf.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Points of the latent space.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
        """
        inside = ((Z >= 0) & (Z <= 1)).all(axis=1)
        return np.where(inside, 0.0, -np.inf)

    def cdf(self, Z: NDArray) -> NDArray:
        """Return the distribution function of each feature.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Points of the latent space.

        Returns
        -------
        U : ndarray of shape (n_samples, n_features)
        """
        return np.clip(Z, 0.0, 1.0)

    def sample(self, n_samples: int, rng: np.random.RandomState) -> NDArray:
        """Return rows drawn from it.

        Parameters
        ----------
        n_samples : int
            Number of rows.
        rng : RandomState
            Source of randomness.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
        """
        return rng.uniform(size=(n_samples, self.n_features))


@dataclass(frozen=True, eq=False, repr=False)
class JointDistribution(Distribution):
    """Groups of features, independent of one another, each with its distribution.

    Its log density is with respect to lengths in continuous features and counts in
    discrete ones.

    Parameters
    ----------
    distributions : tuple of Distribution
        One a group.
    groups : tuple of ndarray of int
        Positions of the features of each.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.base_distributions import (
    ...     IndependentCategorical, JointDistribution, StandardNormal
    ... )
    >>> fair = IndependentCategorical([[0.5, 0.5]])
    >>> base = JointDistribution((StandardNormal(1), fair), ([0], [1]))
    >>> base.logpdf(np.array([[0.0, 1.0]])).round(4)
    array([-1.6121])
    """

    distributions: tuple[Distribution, ...]
    groups: tuple[NDArray, ...]

    def __post_init__(self) -> None:
        groups = tuple(np.asarray(columns, dtype=np.intp) for columns in self.groups)
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "distributions", tuple(self.distributions))

    def is_valid(self) -> bool:
        """Return whether each feature is in one group, that of its distribution."""
        sizes = [part.n_features for part in self.distributions]
        return sizes == list(map(len, self.groups)) and are_positions(
            np.concatenate([np.empty(0, np.intp), *self.groups]), self.n_features
        )

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """Number of features."""
        return sum(map(len, self.groups))

    @cached_property
    def n_categories(self) -> NDArray:
        """Number of categories of each feature; 0 for numbers."""
        sizes = np.zeros(self.n_features, dtype=np.int64)
        for part, columns in self._parts():
            sizes[columns] = part.n_categories
        return sizes

    def _parts(self) -> Iterator[tuple[Distribution, NDArray]]:
        return zip(self.distributions, self.groups, strict=True)

    def logpdf(self, Z: NDArray) -> NDArray:
        """Return the log density of each row, in nats.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Points of the latent space.

        Returns
        -------
        log_density : ndarray of shape (n_samples,)
            The sum over the groups.
        """
        Z = np.asarray(Z)
        return sum(
            (part.logpdf(Z[:, columns]) for part, columns in self._parts()),
            np.zeros(len(Z)),
        )

    def sample(self, n_samples: int, rng: np.random.RandomState) -> NDArray:
        """Return rows drawn from it.

        Parameters
        ----------
        n_samples : int
            Number of rows.
        rng : RandomState
            Source of randomness.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
        """
        return self.sample_without(n_samples, rng, np.full(self.n_features, -1))

    def sample_without(
        self, n_samples: int, rng: np.random.RandomState, codes: NDArray
    ) -> NDArray:
        """Return rows without some codes; see `Distribution.sample_without`."""
        Z = np.empty((n_samples, self.n_features))
        for part, columns in self._parts():
            own = codes[columns]
            if (own >= 0).any():
                Z[:, columns] = part.sample_without(n_samples, rng, own)
            else:
                Z[:, columns] = part.sample(n_samples, rng)
        return Z
