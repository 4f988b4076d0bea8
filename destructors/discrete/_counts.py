"""Counts of codes: alone, in pairs of columns, and the information in pairs."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from destructors.maps._jit import HAS_NUMBA, jit
from destructors.rows import Rows

# Largest table of all pairs of codes that is made at once.
_MAX_TABLE = 2**22


class Layout(NamedTuple):
    """Places of codes, and behind them of the cells of linked columns, in one row.

    Attributes
    ----------
    sizes : ndarray of shape (n_features,)
        Number of codes of each column.
    starts : ndarray of shape (n_features + 1,)
        Place of code 0 of each column, and the number of all codes.
    columns : ndarray of shape (n_codes,)
        Column of each code.
    parents : ndarray of shape (n_features,)
        The column that each is linked to; -1 for none.
    cells : ndarray of shape (n_features + 1,)
        Where the cells begin in which a column and its parent are counted together
        (those of a code of the parent stand side by side), and the number of places.
    surplus : ndarray of shape (n_features,)
        Number of links of each column beyond the first.
    """

    sizes: NDArray
    starts: NDArray
    columns: NDArray
    parents: NDArray
    cells: NDArray
    surplus: NDArray

    @classmethod
    def of(cls, rows: Rows, parents: NDArray | None = None) -> "Layout":
        """Lay out the columns of rows of codes, each linked to its parent."""
        sizes = np.asarray(rows.kinds, dtype=np.int64)
        d = len(sizes)
        parents = np.full(d, -1) if parents is None else parents.astype(np.int64)
        n_cells = np.where(parents < 0, 0, sizes * sizes[parents])
        n_links = (parents >= 0) + np.bincount(parents[parents >= 0], minlength=d)
        starts = np.cumsum(np.append(0, sizes))
        return cls(
            sizes,
            starts,
            np.repeat(np.arange(d), sizes),
            parents,
            starts[-1] + np.cumsum(np.append(0, n_cells)),
            n_links - 1.0,
        )

    @property
    def n_codes(self) -> int:
        """Number of codes of all columns."""
        return int(self.starts[-1])

    @property
    def has_links(self) -> bool:
        """Whether a column has a parent."""
        return self.cells[-1] > self.starts[-1]

    def block(self, j: int) -> slice:
        """Places of the codes of a column."""
        return slice(int(self.starts[j]), int(self.starts[j + 1]))

    def places(self, X: NDArray) -> NDArray:
        """Return the places of the codes of each row, and of the cells it is in."""
        [linked] = np.nonzero(self.parents >= 0)
        codes = X + self.starts[:-1]
        if not len(linked):
            return codes
        cells = X[:, self.parents[linked]] * self.sizes[linked] + X[:, linked]
        return np.hstack([codes, cells + self.cells[linked]])


def xlogx(x: NDArray) -> NDArray:
    """Return ``x log x``, zero at zero."""
    return x * np.log(np.where(x > 0, x, 1.0))


# ------------------------------------------------------------------ counts


def count_places(
    places: NDArray, weight: NDArray, rows: NDArray, layout: Layout
) -> NDArray:
    """Return the weight of rows at each place.

    Parameters
    ----------
    places : ndarray of shape (n_samples, n_features + n_links)
        From `Layout.places`.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    rows : ndarray of int
        The rows that count.
    layout : Layout
        Of the columns.

    Returns
    -------
    counts : ndarray of shape (n_places,)
    """
    n_places = int(layout.cells[-1])
    if HAS_NUMBA:
        counts = np.zeros(n_places)
        _count_places_loops(places, weight, rows, counts)
        return counts
    spread = np.repeat(weight[rows], places.shape[1])
    return np.bincount(places[rows].ravel(), spread, n_places)


@jit
def _count_places_loops(places, weight, rows, counts):  # pragma: no cover
    for i in rows:
        for j in range(places.shape[1]):
            counts[places[i, j]] += weight[i]


def count_together(
    places: NDArray, weight: NDArray, rows: NDArray, codes: NDArray, layout: Layout
) -> NDArray:
    """Count the codes among the rows that have a certain code.

    Parameters
    ----------
    places, weight, rows, layout
        As in `count_places`.
    codes : ndarray of shape (n_lines,)
        The certain codes, by their places.

    Returns
    -------
    table : ndarray of shape (n_lines, n_codes)
    """
    line = np.full(layout.n_codes, -1)
    line[codes] = np.arange(len(codes))
    d, table = len(layout.sizes), np.zeros((len(codes), layout.n_codes))
    if HAS_NUMBA:
        _count_together_loops(places, d, weight, rows, line, table)
        return table
    for j in range(d):
        to = line[places[rows, j]]
        kept, to = rows[to >= 0], to[to >= 0]
        for f in range(d):
            np.add.at(table, (to, places[kept, f]), weight[kept])
    return table


@jit
def _count_together_loops(places, d, weight, rows, line, table):  # pragma: no cover
    for i in rows:
        for j in range(d):
            to = line[places[i, j]]
            if to >= 0:
                for f in range(d):
                    table[to, places[i, f]] += weight[i]


# ------------------------------------------------------------------ information


def find_parents(rows: Rows, max_cells: int, max_size: int | None = None) -> NDArray:
    """Find the tree of pairs of columns that has the most mutual information.

    Parameters
    ----------
    rows : Rows
        Codes.
    max_cells : int
        Pairs of columns with more cells than this are not linked.
    max_size : int, default=None
        Neither are columns with more codes.

    Returns
    -------
    parents : ndarray of shape (n_features,)
        Parent of each feature, -1 of a root. Where too few pairs may be linked, the
        tree falls into several.
    """
    layout = Layout.of(rows)
    allowed = np.outer(layout.sizes, layout.sizes) <= max_cells
    if max_size is not None:
        many = layout.sizes > max_size
        allowed[many] = allowed[:, many] = False
    information = _pair_information(rows, layout, allowed)
    # One more, that all distances are negative and none is zero, which would be no
    # edge.
    distances = np.where(allowed, -1.0 - information, 0.0)
    np.fill_diagonal(distances, 0.0)
    forest = minimum_spanning_tree(csr_array(distances))
    parents = np.full(len(allowed), -2)
    for root in range(len(parents)):
        if parents[root] == -2:
            order, before = breadth_first_order(forest, root, directed=False)
            parents[order] = before[order]
            parents[root] = -1
    return parents


def _pair_information(rows: Rows, layout: Layout, allowed: NDArray) -> NDArray:
    """Return the mutual information of those pairs that are allowed, in nats."""
    X, weight, starts = rows.values, rows.weights, layout.starts[:-1]
    d, everyone, places = X.shape[1], np.arange(len(X)), layout.places(X)
    counts = count_places(places, weight, everyone, layout)
    alone = np.add.reduceat(xlogx(counts), starts)
    together = np.zeros((d, d))
    if layout.n_codes**2 <= _MAX_TABLE and allowed.all():
        codes = np.arange(layout.n_codes)
        table = count_together(places, weight, everyone, codes, layout)
        together = np.add.reduceat(xlogx(table), starts, axis=0)
        together = np.add.reduceat(together, starts, axis=1)
    else:
        for f, g in zip(*np.nonzero(np.tril(allowed, -1)), strict=True):
            cells = X[:, f] * layout.sizes[g] + X[:, g]
            together[f, g] = together[g, f] = xlogx(np.bincount(cells, weight)).sum()
    total = weight.sum()
    information = together - alone[:, None] - alone + xlogx(np.array(total))
    return np.maximum(information / total, 0.0)
