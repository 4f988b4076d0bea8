"""Quantile points: a column in brief, that two parts of a table can be added up to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

# Groups that a sorted block is reduced to. They are equally wide in normal scores, the
# heaviest, in the middle, hold 0.08 % of it. Where a quantile lies among a million rows
# is so known to about 1e-5 of them.
_N_POINTS = 4096
# Blocks whose points are kept side by side before they are reduced as one: memory does
# not grow with the number of blocks then, and errors with its logarithm only.
_N_PARTS = 32


@dataclass(frozen=True, eq=False)
class QuantilePoints:
    """Means of groups of neighbouring values, and the weights of these groups.

    Parts of a table that are added up in the same order give the same points, whoever
    has summarised them.

    Parameters
    ----------
    parts : tuple of (values, weights) pairs of ndarray
        Sorted values of blocks, and their weights.
    """

    parts: tuple[tuple[NDArray, NDArray], ...]

    @classmethod
    def of(cls, column: NDArray, weight: NDArray | None) -> "QuantilePoints":
        """Return the points of a column.

        Parameters
        ----------
        column : ndarray of shape (n_rows,)
            Finite values.
        weight : ndarray of shape (n_rows,) or None
            Positive weights.
        """
        if weight is None:
            return cls((reduce_points(np.sort(column), np.ones(len(column))),))
        order = np.argsort(column, kind="stable")
        return cls((reduce_points(column[order], weight[order]),))

    def __add__(self, other: "QuantilePoints") -> "QuantilePoints":
        parts = self.parts + other.parts
        if len(parts) < _N_PARTS:
            return QuantilePoints(parts)
        return QuantilePoints((reduce_points(*merge_points(parts)),))

    def merged(self) -> tuple[NDArray, NDArray]:
        """Return all points: sorted values, and their weights."""
        return merge_points(self.parts)


def merge_points(
    parts: tuple[tuple[NDArray, NDArray], ...],
) -> tuple[NDArray, NDArray]:
    """Return the points of all parts: sorted values, and their weights."""
    values = np.concatenate([part[0] for part in parts])
    weights = np.concatenate([part[1] for part in parts])
    order = np.argsort(values, kind="stable")
    return values[order], weights[order]


def reduce_points(
    x: NDArray, weight: NDArray, n_points: int = _N_POINTS
) -> tuple[NDArray, NDArray]:
    """Replace sorted values by the means of about so many groups.

    Smallest and largest value stay as they are, and so does a repeated one that a
    group would end in: where rows have an atom, it must be in one place in all blocks.
    """
    total = weight.sum()
    first = np.flatnonzero(np.append(True, x[1:] > x[:-1]))
    if len(first) > n_points:
        last_score = -ndtri(0.5 / max(total, 2.0))
        scores = np.linspace(-last_score, last_score, n_points + 1)[1:-1]
        cuts = np.searchsorted(np.cumsum(weight), total * ndtr(scores), side="right")
        at = x[np.minimum(cuts, len(x) - 1)]
        before = np.searchsorted(x, at)
        after = np.searchsorted(x, at, side="right")
        ends = (
            np.searchsorted(x, x[[0, -1]], side="right")[0],
            np.searchsorted(x, x[-1]),
        )
        repeated = after[(after - before > 1) & (after < len(x))]
        first = np.unique(np.r_[0, ends[0], before, repeated, ends[1]])
    counts = np.diff(np.append(first, len(x)))
    mass = np.add.reduceat(weight, first)
    # Of shares, which are at most 1, no sum overflows.
    means = np.add.reduceat(weight / np.repeat(mass, counts) * x, first)
    return np.clip(means, x[first], np.append(x[first[1:] - 1], x[-1])), mass
