"""The Rosenblatt map of a Gaussian mixture whose conditional densities trees correct.

A Gaussian mixture is smooth. Where a feature, given those before it, stands on a
lattice, ends at an edge or leaves a gap, no number of components finds the shape. Cut
into bins, its conditional density is easily put right: each bin gets more or less of
the probability than the mixture gives it,

    p(x_j | x_<j) = q(x_j | x_<j) exp(f_b(x_<j)) / Σ_c Q_c(x_<j) exp(f_c(x_<j))

where ``q`` is the mixture's density, ``b`` the bin of ``x_j``, ``Q_c`` what the mixture
gives bin ``c``, and ``f`` a sum of trees that ask for the bins of ``x_<j``. In the
probability ``u = Q(x_j | x_<j)`` the map is linear in each bin.

The borders of bins are known well enough by the heavy components alone: the bin of a
value is read off its latent value, forwards as backwards, so the map is one to one and
its log-determinant right whatever the borders are.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from destructors.maps._bins import Boost
from destructors.maps._boosted_kernels import MOST_BINS
from destructors.maps._jit import are_starts
from destructors.maps._map import Map, Mapped
from destructors.maps._rosenblatt import Rosenblatt


@dataclass(frozen=True, eq=False, repr=False)
class BoostedRosenblatt(Map):
    r"""Map a Gaussian mixture, with other shares of bins, to N(0, I).

    Values beyond 5 standard units of a feature's conditional stay where they are.
    Features are counted in the order in which the mixture maps them.

    Parameters
    ----------
    mixture : Rosenblatt
        The map of the mixture.
    edges : ndarray of shape (n_features, n_bins - 1)
        Inner edges of the bins of each feature, not descending.
    nodes : ndarray of shape (n_nodes, 3), dtype int32
        Of all trees: a feature; the last of its bins for which the next node is the
        third number, while for others it is the one after that. A leaf has feature -1,
        and the third number is its row in ``values``. Roots come first in their tree.
    roots : ndarray of shape (n_trees,), dtype int64
        The first node of each tree.
    starts : ndarray of shape (n_features + 1,), dtype int64
        Where the trees of each feature begin; they ask for features before it only.
    values : ndarray of shape (n_leaves, n_bins)
        What is added to the logarithm of the share of each bin.

    References
    ----------
    Boosting of densities: S. Rosset and E. Segal, *Boosting density estimation*, NIPS
    2002. Here each step corrects conditional densities, which stay normalised.
    """

    mixture: Rosenblatt
    edges: NDArray
    nodes: NDArray
    roots: NDArray
    starts: NDArray
    values: NDArray

    def __post_init__(self) -> None:
        # Compiled loops look at nothing else before they follow the nodes.
        if not self._can_be_followed():
            raise ValueError(
                "BoostedRosenblatt needs trees whose nodes lead on to later nodes or "
                "to leaves, and that ask for features before their own; got "
                f"{self!r}."
            )

    def _can_be_followed(self) -> bool:
        d, (nodes, values) = len(self.mixture.factors[0]), (self.nodes, self.values)
        if values.ndim != 2 or not 2 <= values.shape[1] <= MOST_BINS:
            return False
        if nodes.ndim != 2 or nodes.shape[1] != 3 or nodes.dtype != np.int32:
            return False
        if self.edges.shape != (d, values.shape[1] - 1):
            return False
        n = len(nodes)
        if self.roots.ndim != 1:
            return False
        ends = np.append(self.roots, n)
        if not (
            are_starts(self.starts, len(self.roots))
            and len(self.starts) == d + 1
            and are_starts(ends, n, 1)
        ):
            return False
        feature, cut, leads = nodes.T
        leaf, own = feature < 0, np.arange(n)
        sizes = np.diff(ends)
        last = np.repeat(ends[1:], sizes)
        of = np.repeat(np.repeat(np.arange(d), np.diff(self.starts)), sizes)
        # One less than the end: one more than the largest number would be negative.
        goes_on = (leads > own) & (leads < last - 1) & (feature < of) & (cut >= 0)
        is_known = (leads >= 0) & (leads < len(values))
        return bool(np.where(leaf, is_known, goes_on).all())

    def is_valid(self) -> bool:
        """Return whether the edges do not descend."""
        return self.mixture.is_valid() and bool((np.diff(self.edges) >= 0.0).all())

    @cached_property
    def _boost(self) -> Boost:
        d, n_bins = len(self.edges), self.values.shape[1]
        nothing = np.empty((0, d), np.uint8), np.empty((0, d, n_bins), np.float32)
        trees = self.nodes, self.roots, self.starts, self.values
        return (np.ascontiguousarray(self.edges), *trees, *nothing)

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        return self.mixture._solve(X, inverse=False, boost=self._boost)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        X, log_det = self.mixture._solve(Z, inverse=True, boost=self._boost)
        return X, -log_det

    def shares(self, X: NDArray) -> tuple[NDArray, NDArray]:
        """Return the bin of each value, and what the mixture gives each bin.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        bins : ndarray of shape (n_samples, n_features), dtype uint8
        shares : ndarray of shape (n_samples, n_features, n_bins), dtype float32
            Probabilities given the features before, but for those far out. Both of the
            features in the order in which they are mapped.
        """
        n, d = X.shape
        n_bins = self.values.shape[1]
        bins, shares = np.empty((n, d), np.uint8), np.empty((n, d, n_bins), np.float32)
        boost = (*self._boost[:5], bins, shares)
        self.mixture._solve(X, inverse=False, boost=boost)
        return bins, shares
