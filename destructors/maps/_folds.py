"""Folds of rows that are known by what they contain, those of later too."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from destructors.maps._hash import N_BITS, hash_in_units
from destructors.maps._map import Data


@dataclass(frozen=True, eq=False)
class KnownFolds(Data):
    """Which fold a row belongs to: of the rows that were split, and of any other.

    A row of which the folds were made comes back to its own, so that what was fitted
    without that fold has not seen it; a new row goes to a fold by chance, but always
    to the same. Made by `destructors.rows.known_folds`.

    Parameters
    ----------
    units : ndarray of shape (3, n_features)
        Middle and unit of each column, and a factor, as they were when the rows were
        split.
    starts : ndarray of uint64 of shape (n_folds - 1,)
        First hash of each fold but the first.
    seed : int
        Seed of the hashes.
    n_bits : int, default=16
        How many bits of a distance from the middle are hashed.
    """

    units: NDArray
    starts: NDArray
    seed: int
    n_bits: int = N_BITS

    def is_valid(self) -> bool:
        """Return whether there are units of each column, and hashes in order."""
        return bool(
            self.units.ndim == 2
            and len(self.units) == 3
            and (self.units[1:] > 0).all()
            and self.starts.dtype == np.uint64
            and self.starts.ndim == 1
            and (self.starts[1:] >= self.starts[:-1]).all()
            and 0 <= self.seed < 2**64
            and 0 < self.n_bits < 52
        )

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return len(self.starts) + 1

    def place(self, X: NDArray) -> NDArray:
        """Return the fold of each row.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows of float64.

        Returns
        -------
        folds : ndarray of int of shape (n_samples,)
        """
        hashes = hash_in_units(X, self.units, self.seed, self.n_bits)
        return np.searchsorted(self.starts, hashes, side="right")


def apply_by_fold(
    functions: Sequence[Callable[[NDArray], NDArray]], X: NDArray, place: NDArray
) -> NDArray:
    """Apply to each row the function of its fold.

    Parameters
    ----------
    functions : sequence of callable
        That of each fold; rows to one value or more for each row.
    X : ndarray of shape (n_samples, n_features)
        Rows.
    place : ndarray of int of shape (n_samples,)
        Fold of each row.

    Returns
    -------
    values : ndarray of shape (n_samples, ...)
    """
    # One fold at least: what no rows become has a shape as well.
    found = [(k, functions[k](X[place == k])) for k in np.unique(place)]
    values = np.empty((len(X), *found[0][1].shape[1:]))
    for k, own in found:
        values[place == k] = own
    return values
