"""Learning base distributions of codes: independent columns, and a tree of pairs."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.base_distributions import ChowLiuTree, IndependentCategorical
from destructors.discrete._counts import (
    Layout,
    code_counts,
    pair_counts,
    pair_information,
    spanning_tree,
)

__all__ = ["BaseCounts", "Structure"]

Structure = Literal["independent", "chow-liu"]

# Pairs of columns with more cells than this are never linked.
_MAX_CELLS = 2**20


def _find_parents(X: NDArray, weight: NDArray, layout: Layout) -> NDArray:
    information = pair_information(X, weight, layout, _MAX_CELLS)
    few = np.outer(layout.sizes, layout.sizes) <= _MAX_CELLS
    return spanning_tree(information, few)


class BaseCounts(NamedTuple):
    """What the probabilities of a base are made of, whatever the smoothing.

    Attributes
    ----------
    parents : ndarray of shape (n_features,)
        Parent of each feature; -1 for a root.
    alone : list of ndarray of shape (n_categories_j,)
        Counts of the codes of each feature.
    joint : list of ndarray of shape (n_categories_parent, n_categories_j)
        Counts together with those of the parent; empty for a root.
    """

    parents: NDArray
    alone: list
    joint: list

    @classmethod
    def of(
        cls, X: NDArray, weight: NDArray, layout: Layout, parents: NDArray
    ) -> BaseCounts:
        """Count codes, and pairs along the edges of a tree."""
        counts = code_counts(X, weight, layout)
        alone = [counts[layout.block(j)] for j in range(len(parents))]
        joint = [
            np.empty((0, 0)) if g < 0 else pair_counts(X, weight, layout, g, j)
            for j, g in enumerate(parents)
        ]
        return cls(parents, alone, joint)

    @classmethod
    def learn(
        cls, X: NDArray, weight: NDArray, layout: Layout, structure: Structure
    ) -> BaseCounts:
        """Count for independent features or for the best tree.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Codes.
        weight : ndarray of shape (n_samples,)
            Weights of the rows.
        layout : Layout
            Of the columns.
        structure : {"independent", "chow-liu"}
            Which.
        """
        if structure == "independent":
            parents = np.full(X.shape[1], -1)
        else:
            parents = _find_parents(X, weight, layout)
        return cls.of(X, weight, layout, parents)

    def base(self, alpha: float) -> IndependentCategorical | ChowLiuTree:
        """Return the distribution, smoothed by ``alpha`` pseudo-counts a category."""
        if (self.parents < 0).all():
            return IndependentCategorical(tuple(self._smooth_alone(alpha)))
        return self.tree(alpha)

    def tree(self, alpha: float) -> ChowLiuTree:
        """Return the same as a tree, if only of roots.

        A conditional gets as many pseudo-counts as a column alone, half of them shared
        out as the feature's own distribution is, and half evenly: else what is rare
        anywhere would be all but impossible.
        """
        alone = self._smooth_alone(alpha)
        tables = []
        for p, parent, joint in zip(alone, self.parents, self.joint, strict=True):
            if parent < 0:
                tables.append(p)
            else:
                prior = 0.5 * alpha * (len(p) * p + 1.0)
                mass = joint.sum(axis=1, keepdims=True) + prior.sum()
                tables.append((joint + prior) / mass)
        return ChowLiuTree(self.parents, tuple(tables))

    def _smooth_alone(self, alpha: float) -> list:
        return [(n + alpha) / (n.sum() + alpha * len(n)) for n in self.alone]
