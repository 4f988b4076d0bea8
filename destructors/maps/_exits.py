"""Early exits: rows whose verdict is clear leave before they are scored in full."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from destructors.maps._map import Data
from destructors.maps._stages import Member, Stages

# Rows go through all stages in blocks of about this many numbers, as through maps.
_BLOCK_SIZE = 2**17
# Rounding depends on where a sum is cut; a score this near the threshold, relative to
# it, is computed as a whole.
_NEAR = 1e-6


@dataclass(frozen=True, eq=False)
class Exits(Data):
    """Where rows leave, and with what verdict.

    Parameters
    ----------
    shares : ndarray of shape (n_exits,)
        Share of the work of a full score that is done at each exit, ascending.
    low, high : ndarray of shape (n_exits,)
        A row that scores below the one there is an outlier, above the other it is
        none; infinite where no row leaves.
    """

    _infinite = ("low", "high")

    shares: NDArray
    low: NDArray
    high: NDArray

    def is_valid(self) -> bool:
        """Return whether exits are in order, and thresholds too."""
        ends = np.concatenate([[0.0], self.shares, [1.0]])
        return bool(
            self.shares.ndim == 1
            and self.shares.shape == self.low.shape == self.high.shape
            and (np.diff(ends) > 0.0).all()
            and (self.low <= self.high).all()
        )

    def flaggers(
        self, members: Sequence[Member], offset: float
    ) -> list[Callable[[NDArray], NDArray]]:
        """Return for each density what tells rows below a threshold.

        Parameters
        ----------
        members : sequence of Density or MeanLogDensity
            The densities.
        offset : float
            The threshold of full scores, in nats.

        Returns
        -------
        flaggers : list of callable
            From rows to booleans; rows leave as soon as they are decided.
        """
        cuts = [Stages.of(member, self.shares) for member in members]
        return [partial(self._flag, cut, offset) for cut in cuts]

    def _flag(self, stages: Stages, offset: float, X: NDArray) -> NDArray:
        flagged = np.zeros(len(X), dtype=bool)
        n_rows = max(1, _BLOCK_SIZE // X.shape[1])
        for first in range(0, len(X), n_rows):
            block = slice(first, first + n_rows)
            flagged[block] = self._judge(stages, X[block], offset)
        return flagged

    def _judge(self, stages: Stages, X: NDArray, offset: float) -> NDArray:
        flagged, left = np.zeros(len(X), dtype=bool), np.arange(len(X))
        rows, total = stages.enter(X)
        for number, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            rows, total = stages.step(number, rows, total)
            scores = stages.judge(number, rows, total)
            flagged[left[scores < low]] = True
            goes_on = (scores >= low) & (scores <= high)
            rows, total, left = rows[goes_on], total[goes_on], left[goes_on]
            if not len(left):
                return flagged
        rows, total = stages.step(len(self.shares), rows, total)
        scores = stages.judge(len(self.shares), rows, total)
        flagged[left] = scores < offset
        near = left[np.abs(scores - offset) <= _NEAR * (1.0 + abs(offset))]
        if len(near):
            flagged[near] = stages.whole.logpdf(X[near]) < offset
        return flagged
