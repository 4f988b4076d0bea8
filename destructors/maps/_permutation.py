"""Categories that change places, by a tree of tests on them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from destructors.maps._jit import jit
from destructors.maps._map import Map, Mapped


@dataclass(frozen=True, eq=False, repr=False)
class Permutation(Map):
    r"""A tree whose leaves hold a permutation of the codes of each column.

    .. math:: z_j = \pi_{\ell(x), j}(x_j), \qquad \log |\det J| = 0,

    where :math:`\ell(x)` is the leaf that a row comes to. A node sends the rows with
    some codes of a column left. All leaves below permute these codes among themselves,
    so that the same test, on other codes, tells the rows apart after the permutation,
    and the way back takes the same path. Rows come out as int64.

    ``len(permutation)`` is the number of leaves.

    Parameters
    ----------
    sizes : ndarray of shape (n_features,)
        Number of codes of each column.
    features : ndarray of shape (n_nodes,)
        Column that a node looks at; -1 for a leaf.
    children : ndarray of shape (n_nodes, 2)
        Nodes to the left and right; for a leaf, its number twice. Their numbers are
        larger than the node's.
    before, after : ndarray of bool of shape (n_nodes, n_widest)
        Codes that go left, of data and of latent rows.
    places : ndarray of shape (n_leaves, n_codes), dtype int32
        Place of each code in its column, those of all columns in one row: in each
        column a permutation.

    Raises
    ------
    ValueError
        If the arrays do not fit together.
    """

    _any_dtype = ("before", "after")

    sizes: NDArray
    features: NDArray
    children: NDArray
    before: NDArray
    after: NDArray
    places: NDArray

    def __post_init__(self) -> None:
        # Compiled loops look at nothing else before they follow the nodes.
        if not self._fits():
            raise ValueError(
                "Permutation needs nodes whose children come after them, leaves that "
                f"are there, and places and tests of all codes; got {self!r}."
            )

    def _fits(self) -> bool:
        n, sizes = len(self.features), self.sizes
        wide = n, sizes.max(initial=0)
        shapes = [part.shape for part in (self.children, self.before, self.after)]
        if shapes != [(n, 2), wide, wide] or self.places.shape[1:] != (sizes.sum(),):
            return False
        [inner] = np.nonzero(self.features >= 0)
        below, leaves = self.children[inner], self.children[self.features < 0]
        return bool(
            n > 0
            and self.before.dtype == self.after.dtype == bool
            and (sizes > 0).all()
            and (self.features < len(sizes)).all()
            and ((inner[:, None] < below) & (below < n)).all()
            and ((leaves >= 0) & (leaves < len(self.places))).all()
            and ((self.places >= 0) & (self.places < np.repeat(sizes, sizes))).all()
        )

    def __len__(self) -> int:
        """Return the number of leaves."""
        return len(self.places)

    @cached_property
    def depth(self) -> int:
        """Number of tests on the longest path."""
        depths = np.zeros(len(self.features), dtype=int)
        for node in np.flatnonzero(self.features >= 0):
            depths[self.children[node]] = depths[node] + 1
        return int(depths.max())

    @cached_property
    def _starts(self) -> NDArray:
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)

    @cached_property
    def _codes(self) -> NDArray:
        """Code that has come to each place."""
        own = np.repeat(self._starts[:-1], self.sizes)
        return (np.argsort(self.places + own, axis=1) - own).astype(np.int32)

    def keeps(self, codes: NDArray) -> NDArray:
        """Return the columns whose code has its own place in all leaves."""
        inside = (codes >= 0) & (codes < self.sizes)
        places = self.places[:, self._starts[:-1] + np.where(inside, codes, 0)]
        return inside & (places == codes).all(axis=0)

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        return self._apply(X, self.before, self.places), np.zeros(len(X))

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        return self._apply(Z, self.after, self._codes), np.zeros(len(Z))

    def _apply(self, X: NDArray, goes_left: NDArray, table: NDArray) -> NDArray:
        with np.errstate(invalid="ignore"):
            codes = np.ascontiguousarray(X, dtype=np.int64)
        # Without their sign, negative numbers are large ones.
        if not (
            X.shape[1:] == self.sizes.shape
            and (codes.view(np.uint64) < self.sizes.astype(np.uint64)).all()
            and (X.dtype.kind != "f" or (codes == X).all())
        ):
            raise ValueError(
                "Rows must be integer codes from 0, each column's below "
                f"{self.sizes.tolist()}."
            )
        Z, tree = np.empty_like(codes), (self.features, self.children, goes_left)
        _apply(codes, *tree, table, self._starts, Z)
        return Z


def _apply_vectorised(X, features, children, left, table, starts, Z):
    """Permute rows of codes, into ``Z``."""
    node = np.zeros(len(X), dtype=np.intp)
    active = np.flatnonzero(features[node] >= 0)
    while len(active):
        at = node[active]
        goes_left = left[at, X[active, features[at]]]
        node[active] = children[at, np.where(goes_left, 0, 1)]
        active = active[features[node[active]] >= 0]
    Z[:] = table[children[node, :1], X + starts[:-1]]


def _apply_loops(X, features, children, left, table, starts, Z):  # pragma: no cover
    """Map row by row."""
    for i in range(X.shape[0]):
        node = 0
        while features[node] >= 0:
            side = 0 if left[node, X[i, features[node]]] else 1
            node = children[node, side]
        leaf = children[node, 0]
        for f in range(X.shape[1]):
            Z[i, f] = table[leaf, starts[f] + X[i, f]]


_apply = jit(_apply_loops, plain=_apply_vectorised)
