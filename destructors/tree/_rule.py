"""How a density tree is grown."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.tree._bins import bin_rows, make_edges

__all__ = ["GrowthRule", "count_drawn"]

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

    def arguments(
        self,
        U: NDArray,
        weight: NDArray,
        rows: NDArray,
        offsets: NDArray,
        rng: np.random.RandomState,
    ) -> tuple:
        """Return what `grow_tree` needs to grow a tree on some rows of the cube.

        Parameters
        ----------
        U : ndarray of shape (n_samples, n_features)
            Points of the closed unit cube.
        weight : ndarray of shape (n_samples,)
            Their weights.
        rows : ndarray of shape (n_rows,), dtype uint32
            Those to grow on; the kernel reorders them in place.
        offsets : ndarray of shape (n_features,)
            By which the bins are shifted, see `make_edges`.
        rng : RandomState
            For what is drawn at each node.
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
        return (
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

    def _max_leaves(self, depth: int, n_rows: int, mass: float) -> int:
        """Return a bound on the number of leaves, for the arrays that hold them."""
        # Rounding of sums must not cost a leaf.
        by_mass = int(min(mass / self.min_samples_leaf * (1.0 + 1e-9), 2**31)) + 1
        bounds = [n_rows, by_mass, 2 ** min(depth, 31)]
        if self.max_leaf_nodes is not None:
            bounds.append(self.max_leaf_nodes)
        return min(bounds)


def count_drawn(max_features: int | float | str | None, n_features: int) -> int:
    """Return the number of features to draw for a split, as scikit-learn does."""
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
