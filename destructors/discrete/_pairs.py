"""Which columns of codes depend on one another: the tree of pairs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from destructors.discrete._counts import xlogx
from destructors.rows import Rows

# Columns of more codes are counted a pair at a time, others by products of matrices.
_FEW_CODES = 64
# Codes whose pairs are counted at once, and numbers in the tables for that.
_MOST_CODES, _BLOCK = 2**11, 2**23


def find_parents(rows: Rows, max_cells: int, max_size: float = np.inf) -> NDArray:
    """Find the tree of pairs of columns that has the most mutual information.

    Parameters
    ----------
    rows : Rows
        Codes.
    max_cells : int
        Pairs of columns with more cells than this are not linked.
    max_size : float, default=inf
        Neither are columns with more codes.

    Returns
    -------
    parents : ndarray of shape (n_features,)
        Parent of each feature, -1 of a root. Where too few pairs may be linked, the
        tree falls into several.
    """
    assert rows.kinds is not None
    sizes = np.where(rows.kinds > max_size, np.inf, rows.kinds)
    allowed = np.outer(sizes, sizes) <= max_cells
    # One more, that all distances are negative and none is zero, which would be no
    # edge.
    distances = np.where(allowed, -1.0 - _pair_information(rows, allowed), 0.0)
    np.fill_diagonal(distances, 0.0)
    forest = minimum_spanning_tree(csr_array(distances))
    parents = np.full(len(sizes), -2)
    for root in range(len(parents)):
        if parents[root] == -2:
            order, before = breadth_first_order(forest, root, directed=False)
            parents[order] = before[order]
            parents[root] = -1
    return parents


def _pair_information(rows: Rows, allowed: NDArray) -> NDArray:
    """Return the mutual information of those pairs that are allowed, in nats."""
    assert rows.kinds is not None
    d, together = rows.n_features, np.zeros((rows.n_features,) * 2)
    counts = [count_codes(rows, j) for j in range(d)]
    n_seen = np.array([(own > 0).sum() for own in counts])
    few = np.flatnonzero(n_seen <= _FEW_CODES)
    if len(few):
        together[np.ix_(few, few)] = _count_blocks(rows, few, n_seen[few], counts)
    for f in np.flatnonzero(n_seen > _FEW_CODES):
        for g in np.flatnonzero(allowed[f]):
            if g != f:
                both = xlogx(count_codes(rows, g, f)).sum()
                together[f, g] = together[g, f] = both
    alone = np.array([xlogx(own).sum() for own in counts])
    total = xlogx(np.array(rows.total))
    found = np.maximum(together - alone[:, None] - alone + total, 0.0) / rows.total
    return np.where(allowed, found, 0.0)


def _count_blocks(
    rows: Rows, columns: NDArray, sizes: NDArray, counts: list[NDArray]
) -> NDArray:
    """Return the sums of ``n log n`` over the cells of all pairs of columns.

    Each code that rows have is a column of zeros and ones; products of such matrices
    count how often two codes meet, for blocks of columns and blocks of rows.
    """
    # The place of each code among those that there are.
    places = [np.cumsum(counts[j] > 0) - 1 for j in columns]
    block = (np.cumsum(sizes) - 1) // _MOST_CODES
    parts = [np.flatnonzero(block == b) for b in np.unique(block)]
    n_rows = max(1, _BLOCK // _MOST_CODES)
    together = np.zeros((len(columns),) * 2)

    def spread(part: NDArray, lines: slice) -> NDArray:
        ends = np.cumsum(sizes[part])
        table = np.zeros((len(rows.values[lines]), ends[-1]))
        line = np.arange(len(table))
        for i, end in zip(part, ends, strict=True):
            own = places[i][rows.values[lines, columns[i]]]
            table[line, end - sizes[i] + own] = 1.0
        return table

    for a, first in enumerate(parts):
        for second in parts[: a + 1]:
            table = np.zeros((sizes[first].sum(), sizes[second].sum()))
            for start in range(0, len(rows), n_rows):
                lines = slice(start, start + n_rows)
                left = spread(first, lines)
                right = left if second is first else spread(second, lines)
                table += (left * rows.weights[lines, None]).T @ right
            for axis, part in enumerate((first, second)):
                starts = np.cumsum(sizes[part]) - sizes[part]
                table = xlogx(table) if axis == 0 else table
                table = np.add.reduceat(table, starts, axis=axis)
            together[np.ix_(first, second)] = table
            together[np.ix_(second, first)] = table.T
    return together


def count_codes(rows: Rows, j: Any, parent: Any = None) -> NDArray:
    """Return the weight at each code of a column; a line for each of another one."""
    assert rows.kinds is not None
    X, k = rows.values, rows.kinds[j]
    if parent is None:
        return np.bincount(X[:, j], rows.weights, k)
    cells = X[:, parent] * k + X[:, j]
    return np.bincount(cells, rows.weights, k * rows.kinds[parent]).reshape(-1, k)
