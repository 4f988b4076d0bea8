"""A fitted tree-structured permutation: routes, tables, and rows through them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from destructors._jit import HAS_NUMBA, jit
from destructors.discrete._counts import Layout

__all__ = ["PermutationTree"]


class PermutationTree:
    """A tree whose leaves hold a permutation of the codes of each column.

    A node sends the rows with some codes of a column left. All leaves below permute
    these codes among themselves, so that the same test, on other codes, tells the rows
    apart after the permutation, and the way back takes the same path.

    Parameters
    ----------
    layout : Layout
        Of the columns.
    features : ndarray of shape (n_nodes,)
        Column that a node looks at; -1 for a leaf.
    children : ndarray of shape (n_nodes, 2)
        Nodes to the left and right; for a leaf, its number twice.
    before, after : ndarray of bool of shape (n_nodes, n_widest)
        Codes that go left, of data and of latent rows.
    maps : ndarray of shape (n_leaves, n_codes)
        Place of each code: in each column a permutation.
    """

    def __init__(
        self,
        layout: Layout,
        features: NDArray,
        children: NDArray,
        before: NDArray,
        after: NDArray,
        maps: NDArray,
    ):
        self.layout = layout
        self.features = features
        self.children = children
        self.before = before
        self.after = after
        own = np.repeat(layout.starts[:-1], layout.sizes)
        self.to_place = (maps - own).astype(np.int32)
        self.to_code = (np.argsort(maps, axis=1) - own).astype(np.int32)

    def __len__(self) -> int:
        """Number of leaves."""
        return len(self.to_place)

    @property
    def depth(self) -> int:
        """Number of tests on the longest path."""
        depths = np.zeros(len(self.features), dtype=int)
        # Children have larger numbers than their parents.
        for node in np.flatnonzero(self.features >= 0):
            depths[self.children[node]] = depths[node] + 1
        return int(depths.max())

    def forward(self, X: NDArray) -> NDArray:
        """Permute rows of codes."""
        return self._apply(X, self.before, self.to_place)

    def inverse(self, Z: NDArray) -> NDArray:
        """Undo `forward`."""
        return self._apply(Z, self.after, self.to_code)

    def _apply(self, X: NDArray, goes_left: NDArray, table: NDArray) -> NDArray:
        codes = X if X.dtype == np.int64 else X.astype(np.int64)
        if HAS_NUMBA:
            Z = np.empty_like(codes)
            starts = self.layout.starts
            bad = _apply_loops(
                codes, starts, self.features, self.children, goes_left, table, Z
            )
        else:
            bad = not ((codes >= 0) & (codes < self.layout.sizes)).all()
            Z = codes if bad else self._apply_vectorised(codes, goes_left, table)
        if bad:
            raise ValueError(
                "Rows must be integer codes from 0, each column's below "
                f"{self.layout.sizes.tolist()}."
            )
        return Z

    def _apply_vectorised(
        self, codes: NDArray, goes_left: NDArray, table: NDArray
    ) -> NDArray:
        node = np.zeros(len(codes), dtype=np.intp)
        active = np.flatnonzero(self.features[node] >= 0)
        while len(active):
            at = node[active]
            left = goes_left[at, codes[active, self.features[at]]]
            node[active] = self.children[at, np.where(left, 0, 1)]
            active = active[self.features[node[active]] >= 0]
        leaf = self.children[node, 0]
        return table[leaf[:, None], codes + self.layout.starts[:-1]].astype(np.int64)


@jit
def _apply_loops(
    X, starts, features, children, goes_left, table, Z
):  # pragma: no cover
    d = X.shape[1]
    for i in range(X.shape[0]):
        for f in range(d):
            if X[i, f] < 0 or X[i, f] >= starts[f + 1] - starts[f]:
                return True
        node = 0
        while features[node] >= 0:
            side = 0 if goes_left[node, X[i, features[node]]] else 1
            node = children[node, side]
        leaf = children[node, 0]
        for f in range(d):
            Z[i, f] = table[leaf, starts[f] + X[i, f]]
    return False
