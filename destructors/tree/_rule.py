"""How a density tree is grown, and on which grid of bins of the unit cube."""

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors._compat import Interval, StrOptions
from destructors.maps._jit import jit
from destructors.tree._grow import NO_LIMIT

# Random draws are made for so many nodes, and the nodes of a tree take turns in them.
_N_DRAWS = 257

# Constraints of the parameters that `GrowthRule.of` reads.
CONSTRAINTS: dict = {
    "max_depth": [Interval(Integral, 1, None, closed="left"), None],
    "max_leaf_nodes": [Interval(Integral, 2, None, closed="left"), None],
    "min_samples_leaf": [Interval(Real, 0, None, closed="neither")],
    "max_features": [
        Interval(Integral, 1, None, closed="left"),
        Interval(Real, 0, 1, closed="right"),
        StrOptions({"sqrt", "log2"}),
        None,
    ],
}


class GrowthRule(NamedTuple):
    """How a tree is grown; most names are those of the estimators' parameters.

    Attributes
    ----------
    max_depth, max_leaf_nodes : int
        Limits, or ``NO_LIMIT``. With one of leaves the split of largest gain is made
        first, which is slower: memory is then visited here and there.
    min_samples_leaf : float
        Smallest weight of a leaf.
    max_bins : int
        Largest number of bins of a feature.
    n_drawn : int
        Number of features that are drawn for each split.
    min_gain : float
        A split must gain more than this; see `best_cut` for the unit.
    random : bool
        Whether cuts are drawn.
    exact : bool
        Whether cuts are ranked by the gain of the full step.
    look_ahead : bool
        Whether a cut may also gain by what it lets other features tell.
    n_given : int
        How many features, the first, are given: they are cut where the others are then
        spread otherwise on either side, and such a cut moves nothing.
    prior : float
        Weight of uniform mass that is added to each box before it is cut.
    learning_rate, scale_decay : float
        Each share is pulled to that of the volume, ``p ← v + c (p - v)``, with
        ``c = learning_rate (1 - log2 volume) ** -scale_decay``.
    """

    max_depth: int
    max_leaf_nodes: int
    min_samples_leaf: float
    max_bins: int
    n_drawn: int
    min_gain: float = 0.0
    random: bool = False
    exact: bool = False
    look_ahead: bool = False
    n_given: int = 0
    prior: float = 0.0
    learning_rate: float = 1.0
    scale_decay: float = 0.0

    @classmethod
    def of(cls, learner: Any, n_features: int, **own: Any) -> "GrowthRule":
        """Return the rule that the parameters of a destructor make."""
        return cls(
            int(learner.max_depth or NO_LIMIT),
            int(learner.max_leaf_nodes or NO_LIMIT),
            float(learner.min_samples_leaf),
            int(learner.max_bins),
            count_drawn(learner.max_features, n_features),
            **own,
        )

    def arguments(
        self,
        grid: "Grid",
        weight: NDArray,
        rows: NDArray,
        rng: np.random.RandomState,
    ) -> tuple[Any, ...]:
        """Return what `grow_tree` takes, to grow a tree on some rows of the cube.

        Parameters
        ----------
        grid : Grid
            All rows on a grid.
        weight : ndarray of shape (n_samples,)
            Their weights.
        rows : ndarray of shape (n_rows,), dtype uint32
            Those to grow on; the kernel reorders them in place.
        rng : RandomState
            For what is drawn at each node.
        """
        d, total = grid.bins.shape[1], weight[rows].sum()
        features, cuts = np.arange(d)[None], np.empty((1, 0))
        if self.n_drawn < d:
            draws = rng.uniform(size=(_N_DRAWS, d))
            features = np.argsort(draws, axis=1)[:, : self.n_drawn]
        if self.random:
            cuts = rng.uniform(size=(_N_DRAWS, d))
        # Rounding of sums must not cost a leaf.
        least = max(self.min_samples_leaf, total * 2.0**-31)
        # Nor may it make one where nothing is, unless leaves may be empty: what it
        # leaves of huge weights is more than any smallest weight.
        rule = self._replace(min_samples_leaf=least * (self.min_samples_leaf > 0.0))
        by_mass = int(total / least * (1.0 + 1e-9)) + 1
        by_depth = 2 ** min(self.max_depth, 31)
        max_splits = min(len(rows), by_mass, by_depth, self.max_leaf_nodes) - 1
        ahead = True if self.look_ahead else None
        given = None
        if self.n_given:
            given = features[:, features[0] < self.n_given]
            features = np.arange(self.n_given, d)[None]
        more = ahead, given
        return grid, weight, rows, total, max_splits, rule, features, cuts, *more


def count_drawn(max_features: int | float | str | None, n_features: int) -> int:
    """Return the number of features to draw for a split, as scikit-learn does."""
    if isinstance(max_features, str):
        # They are named as NumPy names them.
        return max(1, int(getattr(np, max_features)(n_features)))
    if not isinstance(max_features, Integral):
        return max(1, int((max_features or 1.0) * n_features))
    if max_features > n_features:
        raise ValueError(
            f"max_features={max_features} exceeds the {n_features} features."
        )
    return int(max_features)


def choose_learning_rate(total: float, n_parts: int) -> float:
    """Return the step of the root for so many rows.

    Held-out rows want it small: to double 0.2 costs 0.04 nats of 0.43 on 15,000 rows
    (magic) and 0.01 of 0.21 on 400,000 (protein with noise), and halves the number of
    trees. That is worth it only where there are so many rows that they tell most.

    Where parts of the rows take turns, it stays small: trees learn what is particular
    to a part, and those of the next parts unlearn the more of it, the smaller the steps
    (see `destructors.tree._turns`).
    """
    if n_parts > 1:
        return 0.2
    return 0.2 * min(max(1.0, total / 200_000) ** 0.43, 2.0)


# ---------------------------------------------------------------------- the grid


class Grid(NamedTuple):
    """Rows on a grid of equal bins for each feature.

    Attributes
    ----------
    bins : ndarray of shape (n_samples, n_features), dtype uint8
        Bin of each coordinate.
    edges : ndarray of shape (n_features, max_bins + 1)
        Edges of the bins, from 0 to 1, the last repeated where there are fewer bins.
    n_bins : ndarray of shape (n_features,), dtype uint8
        Number of bins of each feature.
    """

    bins: NDArray
    edges: NDArray
    n_bins: NDArray


def make_grid(U: NDArray, offsets: NDArray, max_bins: int) -> Grid:
    """Return rows on a grid.

    Parameters
    ----------
    U : ndarray of shape (n_samples, n_features)
        Points of the closed unit cube.
    offsets : ndarray of shape (n_features,)
        Share of a bin, in [0, 1), by which the grid is shifted to the left. Trees with
        shifted grids cut at different places, which makes their sum smoother.
    max_bins : int
        Largest number of bins, at most 255. A shifted grid has a part of a bin at
        either end.
    """
    whole = max_bins - int((offsets > 0).any())
    edges = (np.arange(max_bins + 1) - offsets[:, None]) / whole
    # Faster than np.clip on so few numbers. As a tree holds its cuts, so that rows lie
    # on the side where the tree sends them.
    edges = np.minimum(np.maximum(edges, 0.0), 1.0).astype(np.float32)
    edges = edges.astype(np.float64)
    n_bins = (whole + (offsets > 0)).astype(np.uint8)
    bins = np.empty(U.shape, np.uint8)
    _bin(U, offsets, n_bins, whole, edges, bins)
    return Grid(bins, edges, n_bins)


def _bin_loops(U, offsets, n_bins, n_whole, edges, bins):
    n, d = U.shape
    for i in range(n):
        for j in range(d):
            u = U[i, j]
            k = min(int(u * n_whole + offsets[j]), n_bins[j] - 1)
            # Edges are rounded.
            if u < edges[j, k]:
                k -= 1
            elif u >= edges[j, k + 1] and k + 1 < n_bins[j]:
                k += 1
            bins[i, j] = k


def _bin_vectorised(U, offsets, n_bins, n_whole, edges, bins):
    k = np.minimum((U * n_whole + offsets).astype(np.int64), n_bins - 1)
    j = np.arange(U.shape[1])
    above = (edges[j, k + 1] <= U) & (k + 1 < n_bins)
    bins[:] = k - (edges[j, k] > U) + above


_bin = jit(_bin_loops, plain=_bin_vectorised)
