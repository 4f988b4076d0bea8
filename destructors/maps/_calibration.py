"""Scores of rows that were held out, and how many of them are as low as others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from destructors.maps._map import Data

# Weights are sums in another order when rows are; scores differ by as little on another
# machine.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Calibration(Data):
    """Scores of held-out rows, smallest first.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        The scores.
    mass : ndarray of shape (n_samples + 1,)
        Weight of the rows before each, and of all.
    """

    scores: NDArray
    mass: NDArray

    @classmethod
    def of(cls, scores: NDArray, weight: NDArray) -> "Calibration":
        """Sort scores."""
        order = np.argsort(scores, kind="stable")
        return cls(scores[order], np.concatenate([[0.0], np.cumsum(weight[order])]))

    def is_valid(self) -> bool:
        """Return whether both are in order, and as many as they should be."""
        return bool(
            self.scores.ndim == self.mass.ndim == 1
            and len(self.mass) == len(self.scores) + 1 > 1
            and (np.diff(self.scores) >= 0).all()
            and self.mass[0] == 0.0
            and (np.diff(self.mass) >= 0).all()
        )

    def threshold(self, share: float) -> float:
        """Return the score below which this share of new rows is expected to be.

        Below the ``i``-th lowest of ``n`` scores a new one is in ``i`` of ``n + 1``
        cases. In between it is interpolated; of the ``n`` themselves no more than the
        share is below.
        """
        total = self.mass[-1]
        wanted = max(1.0, share * (total + 1.0))
        low, high = self._ordered(np.array([np.floor(wanted), np.ceil(wanted)]))
        below = share * total * (1.0 + _ROUNDING)
        n_below = int(np.searchsorted(self.mass, below, side="right")) - 1
        most = self.scores[min(n_below, len(self.scores) - 1)]
        return float(min(low + (wanted % 1.0) * (high - low), most))

    def _ordered(self, place: NDArray) -> NDArray:
        """Return scores by their place from the lowest, weights being repeats."""
        slack = _ROUNDING * self.mass[-1]
        index = np.searchsorted(self.mass, place - slack, side="left") - 1
        return self.scores[np.clip(index, 0, len(self.scores) - 1)]

    def p_values(self, scores: NDArray) -> NDArray:
        """Return the shares of rows that score no higher, the new row among them."""
        slack = _ROUNDING * (1.0 + np.abs(scores))
        place = np.searchsorted(self.scores, scores + slack, side="right")
        return (1.0 + self.mass[place]) / (1.0 + self.mass[-1])
