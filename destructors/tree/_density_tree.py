"""Density trees on the unit cube: growing them, and the arrays that hold many."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors._cube import from_cube, to_cube
from destructors.tree._apply import SPLIT, beyond_cube, push_trees
from destructors.tree._bins import bin_rows, make_edges
from destructors.tree._grow import grow_tree

__all__ = ["Forest", "GrowthRule", "count_drawn"]

# Random draws are made for so many nodes, and the nodes of a tree take turns in them.
_N_DRAWS = 257


class GrowthRule(NamedTuple):
    """How a tree is grown; the names are those of the estimators' parameters."""

    max_depth: int | None
    max_leaf_nodes: int | None
    min_samples_leaf: float
    min_gain: float
    max_bins: int
    n_drawn: int
    random: bool
    exact: bool
    learning_rate: float
    scale_decay: float

    def grow(
        self,
        U: NDArray,
        weight: NDArray,
        rows: NDArray,
        offsets: NDArray,
        rng: np.random.RandomState,
    ) -> tuple[NDArray, NDArray]:
        """Grow one tree on some rows of the cube, on bins shifted by ``offsets``.

        Parameters
        ----------
        U : ndarray of shape (n_samples, n_features)
            Points of the closed unit cube.
        weight : ndarray of shape (n_samples,)
            Their weights.
        rows : ndarray of shape (n_rows,), dtype uint32
            Those to grow on; reordered in place.
        offsets : ndarray of shape (n_features,)
            See `make_edges`.
        rng : RandomState
            For what is drawn at each node.

        Returns
        -------
        splits : ndarray of shape (n_splits,), dtype SPLIT
            The tree.
        gains : ndarray of shape (n_splits,)
            Log-likelihood that each split brings on the rows, in nats times weight.
        """
        d, total = U.shape[1], weight[rows].sum()
        edges, n_bins = make_edges(offsets, self.max_bins)
        depth = 2**31 if self.max_depth is None else self.max_depth
        features, cuts = np.arange(d)[None], np.empty((1, 0))
        if self.n_drawn < d:
            draws = rng.uniform(size=(_N_DRAWS, d))
            features = np.argsort(draws, axis=1)[:, : self.n_drawn]
        if self.random:
            cuts = rng.uniform(size=(_N_DRAWS, d))
        splits, gains, n_splits = grow_tree(
            bin_rows(U, offsets, n_bins, self.max_bins),
            edges,
            n_bins,
            weight,
            rows,
            total,
            depth,
            self._max_leaves(depth, len(rows), total) - 1,
            self.max_leaf_nodes is not None,
            float(self.min_samples_leaf),
            float(self.min_gain),
            features,
            cuts,
            self.exact,
            float(self.learning_rate),
            float(self.scale_decay),
        )
        return splits[:n_splits].copy(), gains[:n_splits].copy()

    def _max_leaves(self, depth: int, n_rows: int, mass: float) -> int:
        """Bound the number of leaves, for the arrays that hold them."""
        # Rounding of sums must not cost a leaf.
        by_mass = int(min(mass / self.min_samples_leaf * (1.0 + 1e-9), 2**31)) + 1
        bounds = [n_rows, by_mass, 2 ** min(depth, 31)]
        if self.max_leaf_nodes is not None:
            bounds.append(self.max_leaf_nodes)
        return min(bounds)


class Forest:
    """Trees that are applied one after the other, end to end in one array.

    Parameters
    ----------
    trees : list of ndarray of dtype SPLIT
        The trees.

    Attributes
    ----------
    splits : ndarray of shape (n_splits,), dtype SPLIT
        Splits of all trees.
    starts : ndarray of shape (n_trees + 1,), dtype int64
        Where each tree begins.
    """

    def __init__(self, trees: list[NDArray]):
        self.starts = np.cumsum([0, *map(len, trees)], dtype=np.int64)
        self.splits = np.concatenate([np.empty(0, SPLIT), *trees])

    def __len__(self) -> int:
        return len(self.starts) - 1

    def tree(self, i: int) -> NDArray:
        """Splits of one tree."""
        return self.splits[self.starts[i] : self.starts[i + 1]]

    def forward(self, Z: NDArray) -> tuple[NDArray, NDArray]:
        """Map latent rows through the cube and back: ``(moved, log_det)``."""
        return self._through_cube(Z, inverse=False)

    def inverse(self, Z: NDArray) -> tuple[NDArray, NDArray]:
        """Undo `forward`."""
        return self._through_cube(Z, inverse=True)

    def _through_cube(self, Z: NDArray, inverse: bool) -> tuple[NDArray, NDArray]:
        if len(self.splits) == 0:
            return Z, np.zeros(len(Z))
        U, log_det = to_cube(Z), np.zeros(len(Z))
        push_trees(U, beyond_cube(U), self.splits, self.starts, log_det, inverse)
        moved, log_det_cube = from_cube(U, Z)
        return moved, log_det + log_det_cube


def count_drawn(max_features: int | float | str | None, n_features: int) -> int:
    """Number of features drawn for a split, by scikit-learn's conventions."""
    if max_features is None:
        return n_features
    if max_features == "sqrt":
        return max(1, int(np.sqrt(n_features)))
    if max_features == "log2":
        return max(1, int(np.log2(n_features)))
    if isinstance(max_features, (int, np.integer)):
        if max_features > n_features:
            raise ValueError(
                f"max_features={max_features} exceeds the {n_features} features."
            )
        return int(max_features)
    return max(1, int(max_features * n_features))
