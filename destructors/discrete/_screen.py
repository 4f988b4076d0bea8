"""Candidate splits of a node, and how much each would help by itself."""

import numpy as np
from numpy.typing import NDArray

from destructors.discrete._counts import Layout, xlogx

# Codes that splits can single out, the most frequent ones.
_MAX_SINGLES = 512
# Codes of a column that are put in an order, whose beginnings are candidates as well.
_MAX_ORDERED = 128

# A split: the column, the codes that go left and, where it is known, the weight at each
# code among the rows that do.
Candidate = tuple[int, NDArray, NDArray | None]


def frequent_codes(counts: NDArray) -> NDArray:
    """Return the codes that splits can single out, in order."""
    order = np.argsort(-counts, kind="stable")[:_MAX_SINGLES]
    return np.sort(order[counts[order] > 0])


def propose(
    table: NDArray,
    counts: NDArray,
    codes: NDArray,
    layout: Layout,
    min_leaf: float,
    n_best: int,
) -> list[Candidate]:
    """Return the splits that help most by themselves: a code against the rest, or a
    beginning of the ordered codes of a column.

    Codes are ordered by the first axis of correspondence analysis, along which the
    other columns change most; the best bipartition often begins it.

    Parameters
    ----------
    table : ndarray of shape (n_lines, n_codes)
        Counts among the rows of the node that have the code of each line.
    counts : ndarray of shape (n_codes,)
        Counts among all rows of the node.
    codes : ndarray of shape (n_lines,)
        The code of each line.
    layout : Layout
        Of the columns.
    min_leaf : float
        Least weight of a side.
    n_best : int
        Largest number of splits.
    """
    mass = counts[layout.block(0)].sum()
    here = counts[codes] > 0
    features, left = [], []
    members: list[NDArray] = []
    for j in range(len(layout.sizes)):
        own = np.flatnonzero(here & (layout.columns[codes] == j))
        if not len(own) or counts[codes[own[0]]] == mass:
            continue
        features.extend([j] * len(own))
        members.extend(codes[own][:, None])
        left.append(table[own])
        if len(own) > 3:
            order = own[_order(table[own], counts, mass, layout.block(j))]
            # The first and the last are alone on their sides, as above.
            features.extend([j] * (len(order) - 3))
            members.extend(codes[order[:k]] for k in range(2, len(order) - 1))
            left.append(np.cumsum(table[order], axis=0)[1:-2])
    if not features:
        return []
    sides = np.concatenate(left)
    size = sides[:, layout.block(0)].sum(axis=1)
    least = np.minimum(size, mass - size)
    [kept] = np.nonzero(least >= max(min_leaf, 1e-12 * mass))
    gains = _screen(np.array(features)[kept], sides[kept], counts, layout)
    # Rounding must not decide between equals, or weights would not equal repeats.
    best = kept[np.argsort(-gains.round(6), kind="stable")[:n_best]]
    return [(features[i], members[i], sides[i]) for i in best]


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


def _screen(
    features: NDArray, left: NDArray, counts: NDArray, layout: Layout
) -> NDArray:
    """Score splits by the rows of the node alone, in nats times weight.

    The score is the log-likelihood that independent columns would gain if on both sides
    the r-th most frequent code of each column took the same place.
    """
    gains = np.zeros(len(features))
    right = counts - left
    for f in range(len(layout.sizes)):
        block = layout.block(f)
        together = np.sort(left[:, block], axis=1)
        together += np.sort(right[:, block], axis=1)
        gain = xlogx(together).sum(axis=1) - xlogx(counts[block]).sum()
        gains += np.where(features == f, 0.0, gain)
    return gains


def draw_candidate(
    counts: NDArray, layout: Layout, rng: np.random.RandomState, min_leaf: float
) -> list[Candidate]:
    """Draw a column and one of its codes; none where no split is possible.

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
        return []
    features = layout.columns[possible]
    j = rng.choice(np.unique(features))
    drawn = possible[features == j][[rng.randint((features == j).sum())]]
    return [(int(j), drawn, None)]
