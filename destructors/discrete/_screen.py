"""Candidate splits of a node, and how much each would help by itself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.discrete._counts import Layout, xlogx

__all__ = ["Candidates", "Lines", "draw_candidate", "propose", "screen"]

# Codes that splits can single out, the most frequent ones.
_MAX_LINES = 512
# Codes of a column that are put in an order, whose beginnings are candidates as well.
_MAX_ORDERED = 128


class Lines(NamedTuple):
    """Codes that splits can single out, and the lines of the tables they have.

    Attributes
    ----------
    codes : ndarray of shape (n_lines,)
        The code of each line, among all.
    features : ndarray of shape (n_lines,)
        Its column.
    line : ndarray of shape (n_codes,)
        The line of each code; -1 for none.
    """

    codes: NDArray
    features: NDArray
    line: NDArray

    @classmethod
    def choose(cls, counts: NDArray, layout: Layout) -> Lines:
        """Take the most frequent codes."""
        order = np.argsort(-counts, kind="stable")[:_MAX_LINES]
        codes = np.sort(order[counts[order] > 0])
        line = np.full(layout.total, -1)
        line[codes] = np.arange(len(codes))
        features = np.searchsorted(layout.starts, codes, side="right") - 1
        return cls(codes, features, line)


class Candidates(NamedTuple):
    """Splits: rows with one of some codes of a column go left.

    Attributes
    ----------
    features : ndarray of shape (n_candidates,)
        The columns.
    members : list of ndarray
        The codes, among all.
    left : ndarray of shape (n_candidates, n_codes)
        Counts of the rows that go left.
    """

    features: NDArray
    members: list
    left: NDArray

    def take(self, kept: NDArray) -> Candidates:
        """Keep some."""
        members = [self.members[i] for i in kept]
        return Candidates(self.features[kept], members, self.left[kept])


def propose(
    table: NDArray, counts: NDArray, lines: Lines, layout: Layout, min_leaf: float
) -> Candidates:
    """List splits: each code against the rest, and beginnings of ordered codes.

    Codes are ordered by the first axis of correspondence analysis, along which the
    other columns change most; the best bipartition often begins it.

    Parameters
    ----------
    table : ndarray of shape (n_lines, n_codes)
        Counts among the rows of the node that have the code of each line.
    counts : ndarray of shape (n_codes,)
        Counts among all rows of the node.
    lines : Lines
        What the lines of the table are.
    layout : Layout
        Of the columns.
    min_leaf : float
        Least weight of a side.
    """
    mass = counts[layout.block(0)].sum()
    here = counts[lines.codes] > 0
    features, members, left = [], [], []
    for j in range(len(layout.sizes)):
        own = np.flatnonzero(here & (lines.features == j))
        if not len(own) or counts[lines.codes[own[0]]] == mass:
            continue
        features += [j] * len(own)
        members += list(lines.codes[own][:, None])
        left.append(table[own])
        if len(own) > 3:
            order = own[_order(table[own], counts, mass, layout.block(j))]
            # The first and the last are alone on their sides, as above.
            features += [j] * (len(order) - 3)
            members += [lines.codes[order[:k]] for k in range(2, len(order) - 1)]
            left.append(np.cumsum(table[order], axis=0)[1:-2])
    if not features:
        return Candidates(np.empty(0, int), [], np.empty((0, layout.total)))
    candidates = Candidates(np.array(features), members, np.concatenate(left))
    sides = candidates.left[:, layout.block(0)].sum(axis=1)
    least = np.minimum(sides, mass - sides)
    return candidates.take(np.flatnonzero(least >= max(min_leaf, 1e-12 * mass)))


def _order(table: NDArray, counts: NDArray, mass: float, own: slice) -> NDArray:
    """Order codes by the first axis of correspondence analysis."""
    if len(table) > _MAX_ORDERED:
        frequent = np.argsort(-table[:, own].sum(axis=1), kind="stable")[:_MAX_ORDERED]
        return frequent[_order(table[frequent], counts, mass, own)]
    weight = table[:, own].sum(axis=1)
    seen = counts > 0
    seen[own] = False
    expected = np.outer(weight, counts[seen]) / mass
    residual = (table[:, seen] - expected) / np.sqrt(expected)
    _, vectors = np.linalg.eigh(residual @ residual.T)
    return np.argsort(vectors[:, -1] / np.sqrt(weight), kind="stable")


def screen(candidates: Candidates, counts: NDArray, layout: Layout) -> NDArray:
    """Score splits by the rows of the node alone.

    The score is the log-likelihood that independent columns would gain if on both sides
    the r-th most frequent code of each column took the same place.

    Parameters
    ----------
    candidates : Candidates
        The splits.
    counts : ndarray of shape (n_codes,)
        Counts among all rows of the node.
    layout : Layout
        Of the columns.

    Returns
    -------
    gains : ndarray of shape (n_candidates,)
        In nats times weight.
    """
    gains = np.zeros(len(candidates.features))
    right = counts - candidates.left
    for f in range(len(layout.sizes)):
        block = layout.block(f)
        together = np.sort(candidates.left[:, block], axis=1)
        together += np.sort(right[:, block], axis=1)
        gain = xlogx(together).sum(axis=1) - xlogx(counts[block]).sum()
        gains += np.where(candidates.features == f, 0.0, gain)
    return gains


def draw_candidate(
    counts: NDArray, layout: Layout, rng: np.random.RandomState, min_leaf: float
) -> tuple[int, NDArray] | None:
    """Draw a column and one of its codes; None where no split is possible.

    Parameters
    ----------
    counts : ndarray of shape (n_codes,)
        Counts among the rows of the node.
    layout : Layout
        Of the columns.
    rng : RandomState
        Source of randomness.
    min_leaf : float
        Least weight of a side.
    """
    mass = counts[layout.block(0)].sum()
    least = max(min_leaf, 1e-12 * mass)
    possible = np.flatnonzero((counts >= least) & (mass - counts >= least))
    if not len(possible):
        return None
    features = np.searchsorted(layout.starts, possible, side="right") - 1
    j = rng.choice(np.unique(features))
    return int(j), possible[features == j][[rng.randint((features == j).sum())]]
