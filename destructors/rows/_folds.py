"""Folds of rows that are known by what they contain, those of later too."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from destructors.rows import _splits as splits


@dataclass(frozen=True, eq=False)
class KnownFolds:
    """Which fold a row belongs to: of the rows that were split, and of any other.

    A row of which the folds were made comes back to its own, so that what was fitted
    without that fold has not seen it; a new row goes to a fold by chance, but always
    to the same. Made by `KnownFolds.of`.

    Parameters
    ----------
    units : ndarray of shape (3, n_features)
        Middle and unit of each column, and a factor, as they were when the rows were
        split.
    starts : ndarray of uint64 of shape (n_folds - 1,)
        First hash of each fold but the first.
    seed : int
        Seed of the hashes.
    """

    units: NDArray
    starts: NDArray
    seed: int

    @classmethod
    def of(
        cls, X: NDArray, sample_weight: NDArray | None, n_folds: int, seed: int
    ) -> "KnownFolds":
        """Split rows into folds of equal weight; see `fold_rows`.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows of float64.
        sample_weight : ndarray of shape (n_samples,) or None
            Positive weights.
        n_folds : int
            Number of folds.
        seed : int
            Seed of the split.

        Returns
        -------
        folds : KnownFolds

        Raises
        ------
        ValueError
            If there are fewer different rows than folds.
        """
        units = splits.columns_units(X, sample_weight)
        hashes = splits.hash_in_units(X, units, seed)
        parts = splits.fold_rows(X, sample_weight, n_folds, seed)
        starts = [hashes[held_out].min() for _, held_out in parts[1:]]
        return cls(units, np.array(starts, dtype=np.uint64), seed)

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
        hashes = splits.hash_in_units(X, self.units, self.seed)
        return np.searchsorted(self.starts, hashes, side="right")
