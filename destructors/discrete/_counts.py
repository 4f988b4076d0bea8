"""Counts of codes: alone, in pairs of columns, and the information in pairs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from destructors.maps._jit import HAS_NUMBA, jit

__all__ = [
    "Layout",
    "code_counts",
    "count_candidates",
    "pair_counts",
    "pair_information",
    "spanning_tree",
    "xlogx",
]


class Layout(NamedTuple):
    """Where the codes of each column stand when all are put in one row.

    Attributes
    ----------
    sizes : ndarray of shape (n_features,)
        Number of codes of each column.
    starts : ndarray of shape (n_features + 1,)
        Place of code 0 of each column, and the number of all codes.
    """

    sizes: NDArray
    starts: NDArray

    @classmethod
    def of(cls, sizes: NDArray) -> Layout:
        """Lay out columns of given sizes."""
        sizes = np.asarray(sizes, dtype=np.int64)
        return cls(sizes, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))

    @property
    def total(self) -> int:
        """Number of all codes."""
        return int(self.starts[-1])

    def block(self, j: int) -> slice:
        """Places of the codes of a column."""
        return slice(int(self.starts[j]), int(self.starts[j + 1]))


def xlogx(x: NDArray) -> NDArray:
    """``x log x``, zero at zero."""
    return x * np.log(np.where(x > 0, x, 1.0))


def code_counts(X: NDArray, weight: NDArray, layout: Layout) -> NDArray:
    """Count each code.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Codes.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    layout : Layout
        Of the columns.

    Returns
    -------
    counts : ndarray of shape (n_codes,)
    """
    places = (X + layout.starts[:-1]).ravel()
    spread = np.repeat(weight, X.shape[1])
    return np.bincount(places, weights=spread, minlength=layout.total)


def pair_counts(X: NDArray, weight: NDArray, layout: Layout, f: int, g: int) -> NDArray:
    """Count the pairs of codes of two columns.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Codes.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    layout : Layout
        Of the columns.
    f, g : int
        Two columns.

    Returns
    -------
    counts : ndarray of shape (sizes[f], sizes[g])
    """
    shape = layout.sizes[f], layout.sizes[g]
    cells = X[:, f] * shape[1] + X[:, g]
    return np.bincount(cells, weight, shape[0] * shape[1]).reshape(shape)


# ------------------------------------------------------------------ tables of a node


def count_candidates(
    X: NDArray,
    weight: NDArray,
    rows: NDArray,
    layout: Layout,
    line: NDArray,
    n_lines: int,
) -> NDArray:
    """Count the codes among the rows that have a certain code.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Codes.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    rows : ndarray of int
        The rows that count.
    layout : Layout
        Of the columns.
    line : ndarray of shape (n_codes,), dtype int64
        In which line of the table the rows with a code are counted; -1 for none.
    n_lines : int
        Number of lines.

    Returns
    -------
    table : ndarray of shape (n_lines, n_codes)
    """
    if HAS_NUMBA:
        table = np.zeros((n_lines, layout.total))
        _count_loops(X, weight, rows, layout.starts, line, table)
        return table
    places = X[rows] + layout.starts[:-1]
    n, d = places.shape
    ends = np.arange(n + 1) * d
    one_hot = csr_array((np.ones(n * d), places.ravel(), ends), (n, layout.total))
    chosen = line[places]
    kept = chosen >= 0
    lengths = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    spread = np.broadcast_to(weight[rows][:, None], places.shape)[kept]
    lines = csr_array((spread, chosen[kept], lengths), (n, n_lines))
    return (lines.T @ one_hot).toarray()


@jit
def _count_loops(X, weight, rows, starts, line, table):  # pragma: no cover
    d = X.shape[1]
    places = np.empty(d, np.int64)
    for i in rows:
        for f in range(d):
            places[f] = starts[f] + X[i, f]
        for j in range(d):
            to = line[places[j]]
            if to >= 0:
                for f in range(d):
                    table[to, places[f]] += weight[i]


# ------------------------------------------------------------------ information


def pair_information(
    X: NDArray, weight: NDArray, layout: Layout, max_cells: int
) -> NDArray:
    """Mutual information of each pair of columns, in nats.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Codes.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    layout : Layout
        Of the columns.
    max_cells : int
        Pairs with more cells than this are given none.

    Returns
    -------
    information : ndarray of shape (n_features, n_features)
        Symmetric, with zeros on the diagonal and where there are too many cells.
    """
    d, total = X.shape[1], weight.sum()
    alone = np.add.reduceat(xlogx(code_counts(X, weight, layout)), layout.starts[:-1])
    together = np.zeros((d, d))
    few = np.outer(layout.sizes, layout.sizes) <= max_cells
    if layout.total**2 <= _MAX_TABLE and few.all():
        lines = np.arange(layout.total)
        rows = np.arange(len(X))
        table = count_candidates(X, weight, rows, layout, lines, layout.total)
        together = np.add.reduceat(xlogx(table), layout.starts[:-1], axis=0)
        together = np.add.reduceat(together, layout.starts[:-1], axis=1)
    else:
        for f in range(d):
            for g in range(f):
                if few[f, g]:
                    counts = pair_counts(X, weight, layout, f, g)
                    together[f, g] = together[g, f] = xlogx(counts).sum()
    information = together - alone[:, None] - alone + xlogx(np.array(total))
    information = np.maximum(information / total, 0.0)
    information[~few] = 0.0
    np.fill_diagonal(information, 0.0)
    return information


# Largest table of all pairs of codes that is made at once.
_MAX_TABLE = 2**22


def spanning_tree(information: NDArray, allowed: NDArray) -> NDArray:
    """Find the tree of most information.

    Parameters
    ----------
    information : ndarray of shape (n_features, n_features)
        From `pair_information`.
    allowed : ndarray of bool of shape (n_features, n_features)
        Which pairs may be linked; where too few may, the tree falls into several.

    Returns
    -------
    parents : ndarray of shape (n_features,)
        Parent of each feature, -1 of a root. Sorted by ``np.argsort`` of the depth,
        parents come before children; see `ChowLiuTree`.
    """
    d = len(information)
    # One more, that all distances are negative and none is zero, which would be no
    # edge.
    distances = np.where(allowed, -1.0 - information, 0.0)
    np.fill_diagonal(distances, 0.0)
    forest = minimum_spanning_tree(csr_array(distances))
    parents = np.full(d, -2)
    for root in range(d):
        if parents[root] == -2:
            order, before = breadth_first_order(forest, root, directed=False)
            parents[order] = before[order]
            parents[root] = -1
    return parents
