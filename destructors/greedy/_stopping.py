"""When growth ends, and how much of it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Scores that differ by less, beside the best, differ by rounding errors.
TIE = 1e-10


@dataclass
class Stopping:
    """End when held-out rows no longer gain; keep what they found best.

    Parameters
    ----------
    n_iter_no_change : int, default=1
        Number of layers without improvement after which to end.
    tol : float, default=0.0
        Rise of the held-out objective that counts as improvement.
    enough : float, default=0.0
        Loss, beside the best, for which fewer layers are kept.
    least : int, default=0
        Number of layers that are kept in any case. What was without them is not
        compared to.
    free : int, default=0
        Number of layers, the first ones, whose losses do not count towards the end.
    """

    n_iter_no_change: int = 1
    tol: float = 0.0
    enough: float = 0.0
    least: int = 0
    free: int = 0

    def ends(self, train: Sequence[float], criterion: Sequence[float]) -> bool:
        """Return whether to add no further layer.

        Parameters
        ----------
        train, criterion : sequence of float
            Objective on training rows, and what is chosen by, after 0, 1, … layers;
            NaN in the second where nothing was held out, as in layers from an earlier
            fit that a warm start goes on from.
        """
        n, criterion = self.n_iter_no_change, criterion[self.least :]
        if len(criterion) <= n + self.free or np.isnan(criterion[-1]):
            return False
        before = np.fmax.reduce(criterion[:-n])
        return bool(np.fmax.reduce(criterion[-n:]) < before + self.tol)

    def best(self, train: Sequence[float], criterion: Sequence[float]) -> int:
        """Return how many layers to keep."""
        if np.isnan(criterion[-1]) or len(criterion) <= self.least:
            return len(criterion) - 1
        scores = np.array(criterion[self.least :])
        top = np.nanmax(scores)
        loss = max(self.enough, TIE * max(1.0, abs(top)))
        return self.least + int(np.flatnonzero(scores >= top - loss)[0])


class Never(Stopping):
    """Go on to the largest number of layers, and keep them all."""

    def ends(self, train: Sequence[float], criterion: Sequence[float]) -> bool:
        """Return False."""
        return False

    def best(self, train: Sequence[float], criterion: Sequence[float]) -> int:
        """Return the number of layers."""
        return len(criterion) - 1
