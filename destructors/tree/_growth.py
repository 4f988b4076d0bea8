"""Growing trees on rows that earlier trees have moved."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors._cube import to_cube
from destructors._splits import hash_again
from destructors.tree._apply import beyond_cube, push_trees

__all__ = ["CubeRows", "Growth", "mean_scores"]


class CubeRows(NamedTuple):
    """Rows in standard units, and the hash of what they were before."""

    Z: NDArray
    weight: NDArray | None
    hashes: NDArray | None

    def take(self, index: Any) -> CubeRows:
        """Give a part of the rows."""
        weight = None if self.weight is None else self.weight[index]
        hashes = None if self.hashes is None else self.hashes[index]
        return CubeRows(self.Z[index], weight, hashes)


class _Placed:
    """Where rows are in the cube, and what the trees have brought them so far.

    Inside the cube the base is uniform, so the log-determinant of the trees is all that
    they change in the log density.
    """

    def __init__(self, rows: CubeRows):
        self.U, self.log_det = to_cube(rows.Z), np.zeros(len(rows.Z))
        self.beyond = beyond_cube(self.U)
        self.weight = rows.weight
        self.scores = [0.0]

    def push(self, tree: NDArray) -> None:
        """Move the rows by a tree."""
        starts = np.array([0, len(tree)])
        push_trees(self.U, self.beyond, tree, starts, self.log_det, False)
        self.scores.append(float(np.average(self.log_det, weights=self.weight)))


class Growth:
    """Trees grown on some rows, and judged by others."""

    def __init__(self, rows, held_out, rule, subsample):
        self.rows, self.rule, self.subsample = rows, rule, subsample
        self.train = _Placed(rows)
        self.validation = None if held_out is None else _Placed(held_out)
        n = len(rows.Z)
        self.weight = np.ones(n) if rows.weight is None else rows.weight
        self.trees: list[NDArray] = []
        # Of each tree: the rise of the mean training log density by each feature.
        self.gains: list[NDArray] = []

    def add_tree(self, entropy: int) -> None:
        """Grow a tree on the rows where they are now, and move them by it."""
        # A tree's draws depend on its number alone, so growth can be taken up again.
        place = np.random.SeedSequence([entropy, len(self.trees)])
        rng = np.random.RandomState(place.generate_state(4))
        U = self.train.U
        n, d = U.shape
        offsets = rng.uniform(size=d)
        rows = np.arange(n, dtype=np.uint32)
        if self.subsample < 1.0:
            # Chosen by content, so that equal rows are in or out together.
            share = hash_again(self.rows.hashes, rng.randint(2**31 - 1))
            chosen = rows[share < self.subsample]
            rows = chosen if len(chosen) else rows
        tree, gains = self.rule.grow(U, self.weight, rows, offsets, rng)
        by_feature = np.bincount(tree["feature"], gains, d)
        self.push(tree, by_feature / self.weight[rows].sum())

    def push(self, tree: NDArray, gains: NDArray) -> None:
        """Add a tree that is there already."""
        self.trees.append(tree)
        self.gains.append(gains)
        self.train.push(tree)
        if self.validation is not None:
            self.validation.push(tree)


def mean_scores(runs: list[Growth]) -> NDArray:
    """Mean held-out score of the runs after each tree."""
    return np.mean([run.validation.scores for run in runs], axis=0)
