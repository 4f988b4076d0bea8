"""Different rows, and how often each is there: what tables of codes come down to."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from destructors.maps._hash import hash_rows
from destructors.rows._rows import Rows


@dataclass(frozen=True, eq=False)
class Distinct:
    """The different rows of a part of a table, or those of the lowest hashes.

    Parts add up to what all rows together give: a row that is among the lowest of all
    is so in each part that it is in, and so its weight is exact. (The sample of the
    smallest hashes: E. Cohen and H. Kaplan, *Summarizing data using bottom-k sketches*,
    PODC 2007.)

    Parameters
    ----------
    values : ndarray of shape (n_distinct, n_features)
    hashes : ndarray of shape (n_distinct,), dtype uint64
        In increasing order.
    weight : ndarray of shape (n_distinct,)
        That of all rows that equal each.
    n_most : int
        How many are kept.
    """

    values: NDArray
    hashes: NDArray
    weight: NDArray
    n_most: int

    @classmethod
    def of(cls, rows: Rows, n_most: int) -> Self:
        """Return the different rows of a block."""
        return cls._reduced(
            rows.values, hash_rows(rows.values, 0), rows.weights, n_most
        )

    @classmethod
    def _reduced(
        cls, values: NDArray, hashes: NDArray, weight: NDArray, n_most: int
    ) -> Self:
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        first = np.flatnonzero(np.diff(hashes, prepend=~hashes[:1]) != 0)
        weight = np.add.reduceat(weight[order], first)
        kept = first[:n_most]
        return cls(values[order[kept]], hashes[kept], weight[:n_most], n_most)

    def __add__(self, other: Self) -> Self:
        return self._reduced(
            np.concatenate([self.values, other.values]),
            np.concatenate([self.hashes, other.hashes]),
            np.concatenate([self.weight, other.weight]),
            self.n_most,
        )

    def rows(self, kinds: NDArray | None) -> Rows:
        """Return the rows, whose weights make up for those that are not there."""
        share = 1.0
        if len(self.hashes) == self.n_most:
            share = float(self.hashes[-1]) * 2.0**-64
        return Rows.of(self.values, self.weight / share, kinds=kinds)
