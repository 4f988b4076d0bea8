"""Shifts and scales of one feature by functions of those before it.

The functions are regressions as data: a number predicted from the features of a row.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from destructors.maps._blocks import multiply
from destructors.maps._checks import are_positions, increases
from destructors.maps._jit import jit
from destructors.maps._map import Data, Map, Mapped

# A scale that varies stays within this factor of the constant one.
_LARGEST_FACTOR = 20.0
# Rows that go down a tree side by side.
_N_CHUNK = 128


class Predictor(Data, ABC):
    """A regression that has been learned."""

    @abstractmethod
    def predict(self, X: NDArray) -> NDArray:
        """Predict a number for each row.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """


@dataclass(frozen=True, eq=False, repr=False)
class Linear(Predictor):
    """``coefficients · x + intercept``.

    Parameters
    ----------
    coefficients : ndarray of shape (n_features,)
    intercept : float
    """

    coefficients: NDArray
    intercept: float

    def predict(self, X: NDArray) -> NDArray:
        """Predict a number for each row; see `Predictor.predict`."""
        return multiply(X, self.coefficients[:, None])[:, 0] + self.intercept


@dataclass(frozen=True, eq=False, repr=False)
class BoostedTrees(Predictor):
    """A baseline and the sum of regression trees.

    A row starts at the root of a tree. From a node it goes to the left child where its
    feature is at most the threshold, else to the right one, which stands next to the
    left. A leaf is its own left child, and no value is above its threshold.

    Parameters
    ----------
    baseline : float
        What is predicted without trees.
    roots : ndarray of int of shape (n_trees,)
        Nodes where the trees begin.
    feature : ndarray of int of shape (n_nodes,)
        Feature that a node asks for.
    threshold : ndarray of shape (n_nodes,)
        Largest value that goes left; infinity at leaves.
    left : ndarray of int of shape (n_nodes,)
        Left child of each node.
    value : ndarray of shape (n_nodes,)
        What a leaf adds.

    Raises
    ------
    ValueError
        If a root, a child or a feature lies where none can be: children come after
        their parent.
    """

    baseline: float
    roots: NDArray
    feature: NDArray
    threshold: NDArray
    left: NDArray
    value: NDArray

    # Nothing is above the threshold of a leaf.
    _infinite = ("threshold",)

    def __post_init__(self) -> None:
        # Loops read wherever these point, and a file may be damaged.
        if not self._are_trees():
            raise ValueError("These are no trees: a node points where none can be.")

    def _are_trees(self) -> bool:
        pointers, n_nodes = (self.roots, self.feature, self.left), len(self.left)
        if not (
            all(a.ndim == 1 and a.dtype.kind == "i" for a in pointers)
            and self.feature.shape == self.threshold.shape == self.value.shape
            and len(self.feature) == n_nodes
        ):
            return False
        node = np.arange(n_nodes)
        leaf = self.left == node
        left = self.left[~leaf]
        fits = (
            ((node[~leaf] < left) & (left < n_nodes - 1)).all()
            and increases(self.roots)
            and ((self.roots >= 0) & (self.roots < n_nodes)).all()
            and (self.threshold[leaf] == np.inf).all()
            and (self.feature >= 0).all()
        )
        # A node that several lead to would be gone down from each.
        reached = np.concatenate([self.roots, left, left + 1])
        return bool(fits) and len(np.unique(reached)) == len(reached)

    @cached_property
    def _depths(self) -> NDArray:
        """Steps from the root of each tree to its farthest leaf."""
        depths = np.zeros(len(self.roots), np.int64)
        nodes, trees = self.roots, np.arange(len(self.roots))
        while len(nodes):
            is_inner = self.left[nodes] != nodes
            left, trees = self.left[nodes[is_inner]], trees[is_inner]
            depths[np.unique(trees)] += 1
            nodes, trees = np.r_[left, left + 1], np.r_[trees, trees]
        return depths

    def predict(self, X: NDArray) -> NDArray:
        """Predict a number for each row; see `Predictor.predict`."""
        if self.feature.max(initial=0) >= X.shape[1]:
            raise ValueError(f"The trees ask for more features than {X.shape[1]}.")
        total = np.full(len(X), self.baseline)
        nodes = self.feature, self.threshold, self.left, self.value
        _add_trees(np.ascontiguousarray(X), self.roots, self._depths, *nodes, total)
        return total


def _add_trees_loops(X, roots, depths, feature, threshold, left, value, total):
    node = np.empty(_N_CHUNK, np.int64)
    for start in range(0, len(X), _N_CHUNK):
        n = min(_N_CHUNK, len(X) - start)
        for tree in range(len(roots)):
            for i in range(n):
                node[i] = roots[tree]
            # Rows go down side by side: none waits for another, and nothing branches.
            for _ in range(depths[tree]):
                for i in range(n):
                    at = node[i]
                    node[i] = left[at] + (X[start + i, feature[at]] > threshold[at])
            for i in range(n):
                total[start + i] += value[node[i]]


def _add_trees_vectorised(X, roots, depths, feature, threshold, left, value, total):
    rows = np.arange(len(X))
    for root, depth in zip(roots, depths, strict=True):
        node = np.full(len(X), root)
        for _ in range(depth):
            node = left[node] + (X[rows, feature[node]] > threshold[node])
        total += value[node]


_add_trees = jit(_add_trees_loops, plain=_add_trees_vectorised)


@dataclass(frozen=True, eq=False, repr=False)
class Autoregressive(Map):
    r"""Take from each feature what those before it tell about its mean and scale.

    .. math:: z_j = (x_j - f_j(x_{<j})) / (s_j e^{b(g_j(x_{<j}))})

    with ``b`` a smooth bound to ±log 20. Predictors see features in single precision,
    so that the last bits that an inverse may lose carry no row across a jump.

    Parameters
    ----------
    order : ndarray of int of shape (n_features,)
        Features in the order in which they are predicted.
    means : tuple of Predictor or None
        ``f_j`` of each feature; None leaves it alone. A predictor gets the features
        before its own, in the order.
    log_scales : tuple of Predictor or None
        ``g_j`` of each feature; None for a constant scale.
    scale : ndarray of shape (n_features,)
        ``s_j``, positive.

    References
    ----------
    Papamakarios, Pavlakou and Murray, *Masked autoregressive flow for density
    estimation*, NeurIPS 2017.
    """

    order: NDArray
    means: tuple[Predictor | None, ...]
    log_scales: tuple[Predictor | None, ...]
    scale: NDArray

    _positive = ("scale",)

    def is_valid(self) -> bool:
        """Return whether each feature comes once, and has its predictors."""
        d = len(self.order)
        sizes = {len(self.means), len(self.log_scales), len(self.scale)}
        return sizes == {d} and are_positions(self.order, d)

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        Z, log_det = X.copy(), np.zeros(len(X))
        for j, mean, log_s in self._predict(X):
            Z[:, j] = (X[:, j] - mean) * np.exp(-log_s)
            log_det -= log_s
        return Z, log_det

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        X, log_det = Z.copy(), np.zeros(len(Z))
        for j, mean, log_s in self._predict(X):
            X[:, j] = Z[:, j] * np.exp(log_s) + mean
            log_det += log_s
        return X, log_det

    def _predict(self, X: NDArray) -> Iterator[tuple[int, NDArray, NDArray]]:
        """Yield mean and log-scale of each feature, once those before it are known."""
        for k, j in enumerate(self.order):
            mean, log_scale = self.means[j], self.log_scales[j]
            if mean is None:
                continue
            before = round_seen(X[:, self.order[:k]])
            log_s = np.full(len(X), np.log(self.scale[j]))
            if log_scale is not None:
                log_s += bound_log_scale(log_scale.predict(before))
            yield j, mean.predict(before), log_s


def round_seen(before: NDArray) -> NDArray:
    """Round features to single precision, as predictors see them."""
    reach = np.finfo(np.float32).max
    return np.clip(before, -reach, reach).astype(np.float32).astype(np.float64)


def bound_log_scale(log_factor: NDArray) -> NDArray:
    """Keep a predicted log-scale within reason, smoothly."""
    reach = np.log(_LARGEST_FACTOR)
    return reach * np.tanh(log_factor / reach)
