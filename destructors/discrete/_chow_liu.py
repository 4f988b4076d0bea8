"""Base distributions of codes: independent columns, and a tree of pairs."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors.base_distributions import IndependentCategorical
from destructors.discrete._counts import (
    Layout,
    code_counts,
    pair_counts,
    pair_information,
    spanning_tree,
)

__all__ = ["BaseCounts", "ChowLiuTree", "Structure"]

Structure = Literal["independent", "chow-liu"]

# Pairs of columns with more cells than this are never linked.
_MAX_CELLS = 2**20


class ChowLiuTree:
    r"""Categorical features, each dependent on one other: a tree of conditionals.

    .. math:: p(z) = \prod_j p(z_j \mid z_{\pi(j)}),

    where :math:`\pi(j)` is the parent of feature j; a root has none. Of all trees, the
    one fitted has the largest likelihood.

    Parameters
    ----------
    parents : array-like of shape (n_features,)
        Parent of each feature; -1 for a root.
    probabilities : list of ndarray
        Of shape ``(n_categories_j,)`` for a root, else
        ``(n_categories_parent, n_categories_j)``. Each row must be positive and sum to
        one.

    Attributes
    ----------
    n_categories : ndarray of shape (n_features,)
        Number of categories of each feature.

    Raises
    ------
    ValueError
        If the parents go round in a circle, or probabilities are not positive, do not
        sum to one or are not of the right shape.

    References
    ----------
    C. K. Chow and C. N. Liu, *Approximating discrete probability distributions with
    dependence trees*, IEEE Transactions on Information Theory 14, 1968.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.discrete import ChowLiuTree
    >>> base = ChowLiuTree([-1, 0], [[0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]]])
    >>> np.exp(base.logpdf(np.array([[0, 1], [1, 1]])))
    array([0.05, 0.4 ])
    """

    def __init__(self, parents: ArrayLike, probabilities: list):
        self.parents = np.asarray(parents, dtype=np.int64)
        self.probabilities = [np.asarray(p, dtype=np.float64) for p in probabilities]
        self.n_features = len(self.parents)
        self.n_categories = np.array([p.shape[-1] for p in self.probabilities])
        self._order = _parents_first(self.parents)
        for j, (parent, p) in enumerate(
            zip(self.parents, self.probabilities, strict=True)
        ):
            size = self.n_categories[j]
            shape = (size,) if parent < 0 else (self.n_categories[parent], size)
            if p.shape != shape:
                raise ValueError(
                    f"probabilities[{j}] must have shape {shape}, got {p.shape}."
                )
            if not (p > 0).all() or not np.allclose(p.sum(axis=-1), 1.0):
                raise ValueError(
                    f"probabilities[{j}] must be positive and sum to 1, got {p}."
                )
        self._logs = [np.log(np.atleast_2d(p)) for p in self.probabilities]

    def __repr__(self) -> str:
        return f"ChowLiuTree(n_categories={self.n_categories.tolist()})"

    @classmethod
    def fit(
        cls,
        X: NDArray,
        n_categories: ArrayLike,
        sample_weight: NDArray | None = None,
        alpha: float = 1.0,
    ) -> ChowLiuTree:
        """Find the tree of most mutual information, and its smoothed probabilities.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Integer codes.
        n_categories : array-like of shape (n_features,)
            Number of categories of each feature.
        sample_weight : ndarray of shape (n_samples,), default=None
            Weights of the rows.
        alpha : float, default=1.0
            Pseudo-count for each category; must be positive. A conditional gets as
            many, half of them shared out as the feature's own distribution is, and
            half evenly: else what is rare anywhere would be all but impossible.

        Returns
        -------
        base : ChowLiuTree
        """
        if alpha <= 0:
            raise ValueError(f"alpha must be positive, got {alpha}.")
        codes = np.asarray(X).astype(np.int64)
        weight = np.ones(len(codes)) if sample_weight is None else sample_weight
        layout = Layout.of(np.asarray(n_categories))
        parents = _find_parents(codes, weight, layout)
        return BaseCounts.of(codes, weight, layout, parents).tree(alpha)

    def logpdf(self, Z: NDArray) -> NDArray:
        """Log probability of each row, in nats; minus infinity outside the codes.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_features)
            Integer codes.

        Returns
        -------
        log_probability : ndarray of shape (n_samples,)
        """
        rows = np.asarray(Z)
        codes = np.clip(rows, 0, self.n_categories - 1).astype(np.int64)
        result = np.zeros(len(rows))
        for j, (parent, logs) in enumerate(zip(self.parents, self._logs, strict=True)):
            given = 0 if parent < 0 else codes[:, parent]
            result += logs[given, codes[:, j]]
        result[(codes != rows).any(axis=1)] = -np.inf
        return result

    def sample(self, n_samples: int, rng: np.random.RandomState) -> NDArray:
        """Draw rows of codes.

        Parameters
        ----------
        n_samples : int
            Number of rows.
        rng : RandomState
            Source of randomness.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
            Integer codes.
        """
        Z = np.zeros((n_samples, self.n_features), dtype=np.int64)
        for j in self._order:
            parent, table = self.parents[j], np.atleast_2d(self.probabilities[j])
            given = np.zeros(n_samples, np.int64) if parent < 0 else Z[:, parent]
            # The distribution functions of all conditionals, end to end.
            steps = (np.cumsum(table, axis=1) + np.arange(len(table))[:, None]).ravel()
            drawn = np.searchsorted(steps, given + rng.uniform(size=n_samples), "right")
            size = table.shape[1]
            Z[:, j] = np.clip(drawn - size * given, 0, size - 1)
        return Z


def _parents_first(parents: NDArray) -> NDArray:
    """Order features so that a parent comes before its children."""
    depth = np.zeros(len(parents), dtype=np.int64)
    above = parents.copy()
    while (above >= 0).any():
        depth += above >= 0
        above = np.where(above >= 0, parents[above], -1)
        if depth.max() > len(parents):
            raise ValueError(f"The parents {parents.tolist()} go round in a circle.")
    return np.argsort(depth, kind="stable")


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
        """Give the distribution, smoothed by ``alpha`` pseudo-counts a category."""
        if (self.parents < 0).all():
            return IndependentCategorical(self._smooth_alone(alpha))
        return self.tree(alpha)

    def tree(self, alpha: float) -> ChowLiuTree:
        """Give the same as a tree, if only of roots."""
        alone = self._smooth_alone(alpha)
        tables = []
        for p, parent, joint in zip(alone, self.parents, self.joint, strict=True):
            if parent < 0:
                tables.append(p)
            else:
                prior = 0.5 * alpha * (len(p) * p + 1.0)
                mass = joint.sum(axis=1, keepdims=True) + prior.sum()
                tables.append((joint + prior) / mass)
        return ChowLiuTree(self.parents, tables)

    def _smooth_alone(self, alpha: float) -> list:
        return [(n + alpha) / (n.sum() + alpha * len(n)) for n in self.alone]
