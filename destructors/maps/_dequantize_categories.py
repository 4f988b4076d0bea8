"""Noise that makes categories continuous, and takes itself back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from destructors.maps._hash import hash_again, hash_rows
from destructors.maps._map import Surjection

__all__ = ["DequantizeCategories"]

_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)
# Noise stays off the edges of its interval by this share, so that rounding never
# carries it across. It can make the bound too high by 0.001 nats a column.
_GUARD = 5e-4


class _Column(NamedTuple):
    """Where the intervals of a column are, in the order of their ranks."""

    place: int
    ranks: NDArray
    probabilities: NDArray
    starts: NDArray
    codes: NDArray


@dataclass(frozen=True, eq=False, repr=False)
class DequantizeCategories(Surjection):
    r"""Categories spread over intervals of the normal distribution, by noise.

    The code of rank r goes to a place z between the quantiles
    :math:`\Phi^{-1}(p_0 + \dots + p_{r-1})` and :math:`\Phi^{-1}(p_0 + \dots + p_r)`;
    the log-determinant is :math:`\log p_r - \log \varphi(z)`. The inverse gives the
    code in whose interval z lies. The other columns stay what they are.

    The place within the interval is a hash of the row and the seed, so a row gets the
    same in any batch. The log density of the row is, on average, a lower bound.

    Parameters
    ----------
    seed : int
        Another seed, other noise.
    columns : ndarray of int of shape (n_columns,)
        Positions of the columns that hold codes.
    probabilities : tuple of ndarray of shape (n_codes_j,)
        Probability of each rank, one array a column: positive, of sum 1.
    ranks : tuple of ndarray of int of shape (n_codes_j,)
        Rank of each code.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import DequantizeCategories
    >>> shares, ranks = np.array([0.75, 0.25]), np.array([1, 0])
    >>> spread = DequantizeCategories(0, np.array([0]), (shares,), (ranks,))
    >>> Z, log_det = spread.forward(np.array([[0.0], [1.0]]))
    >>> spread.inverse(Z)[0].ravel()
    array([0., 1.])
    """

    seed: int
    columns: NDArray
    probabilities: tuple[NDArray, ...]
    ranks: tuple[NDArray, ...]

    feature_wise = True

    @cached_property
    def _columns(self) -> list[_Column]:
        return list(self._intervals())

    def _intervals(self) -> Iterator[_Column]:
        for j, p, ranks in zip(
            self.columns.tolist(), self.probabilities, self.ranks, strict=True
        ):
            starts = np.concatenate([[0.0], np.cumsum(p)[:-1]])
            yield _Column(j, ranks, p, starts, np.argsort(ranks))

    def forward(self, X, context=None):
        """Map rows; see `Map.forward`."""
        return self.spread(X, hash_rows(X, self.seed))

    def spread(self, X: NDArray, hashes: NDArray) -> tuple[NDArray, NDArray]:
        """Map rows with the noise that belongs to these hashes of 64 bits."""
        Z, log_det = X.astype(np.float64), np.zeros(len(X))
        for j, ranks, p, starts, _ in self._columns:
            rank = ranks[X[:, j].astype(np.intp)]
            noise = hash_again(hashes, self.seed + j)
            share = _GUARD + (1.0 - 2.0 * _GUARD) * noise
            z = ndtri(starts[rank] + p[rank] * share)
            Z[:, j] = z
            log_det += np.log(p)[rank] - _log_density(z)
        return Z, log_det

    def inverse(self, Z, context=None):
        """Map rows back; see `Map.inverse`."""
        X, log_det = Z.copy(), np.zeros(len(Z))
        for j, _, p, starts, codes in self._columns:
            rank = np.searchsorted(starts[1:], ndtr(Z[:, j]), side="right")
            X[:, j] = codes[rank]
            log_det += _log_density(Z[:, j]) - np.log(p)[rank]
        return X, log_det


def _log_density(z: NDArray) -> NDArray:
    return -(z**2) / 2.0 - _HALF_LOG_2PI
