"""Each pixel given those before it, by a mixture of shapes that guide one tree.

A component of the mixture is a shape: numbers that say, for each pixel, what is to come
there and around. With the bins of the neighbours that come before, they lead down a
tree to a histogram. The pixels before say how likely each component is by now, and what
maps the pixel is the mean of the histograms: the Rosenblatt transform of the mixture.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from destructors.maps._checks import increases
from destructors.maps._cube import HALF_LOG_2PI, normal_scores
from destructors.maps._jit import jit
from destructors.maps._map import Map, Mapped
from destructors.maps._pixel_tree import find_bins

_LARGEST = np.finfo(np.float64).max


@dataclass(frozen=True, eq=False, repr=False)
class PixelMixture(Map):
    r"""Normal scores of each pixel by a mean of histograms, one for each component.

    .. math:: z_j = \Phi^{-1}\Bigl(\sum_k r_k(x_1, \dots, x_{j-1})
        F_{l_k(j)}(x_j)\Bigr)

    where the leaf :math:`l_k(j)` is found by a tree from the bins of neighbours that
    come before pixel :math:`j`, and from the guides of component :math:`k` there;
    :math:`r_k` is the probability of the component, given the pixels before. Beyond the
    bins the map is linear.

    Parameters
    ----------
    neighbors : ndarray of int of shape (n_features, n_neighbors)
        Pixels that each one sees, earlier ones; -1 outside the image.
    guides : ndarray of int of shape (n_features, n_components, n_guides)
        Numbers that a tree sees after the neighbours.
    shares : ndarray of shape (n_components,)
        Weights of the components, positive and of sum one.
    feature, threshold, left : ndarray of int of shape (n_nodes,)
        As in `PixelTree`.
    edges : ndarray of shape (n_bins + 1,)
        Edges of the bins, strictly increasing.
    probabilities : ndarray of shape (n_nodes, n_bins)
        Probability of each bin in each node, positive; with the tails they sum to one.
    tail : float
        Probability beyond each end.
    scale : float
        Spread of a pixel, whose reciprocal bounds the slopes of the tails.
    """

    neighbors: NDArray
    guides: NDArray
    shares: NDArray
    feature: NDArray
    threshold: NDArray
    left: NDArray
    edges: NDArray
    probabilities: NDArray
    tail: float
    scale: float

    _positive = ("shares", "probabilities", "tail", "scale")

    def __post_init__(self) -> None:
        # Compiled loops read wherever these point, and a file may be damaged.
        d, n_nodes = len(self.neighbors), len(self.left)
        node, leaf = np.arange(n_nodes), self.left == np.arange(n_nodes)
        asked = self.neighbors.shape[1] + self.guides.shape[2]
        if not (
            self.guides.shape[:2] == (d, len(self.shares))
            and self.feature.shape == self.threshold.shape == self.left.shape
            and len(self.probabilities) == n_nodes > 0
            and ((self.neighbors >= -1) & (self.neighbors < d)).all()
            and ((self.feature >= 0) & (self.feature < max(asked, 1))).all()
            and (leaf | (node < self.left) & (self.left < n_nodes - 1)).all()
            and (leaf.all() or asked > 0)
        ):
            raise ValueError("This is no tree: a node points where none can be.")

    def is_valid(self) -> bool:
        """Return whether pixels see earlier ones only, and there are bins."""
        place = np.arange(len(self.neighbors))[:, None]
        return (
            bool((self.neighbors < place).all())
            and increases(self.edges)
            and self.probabilities.shape[1] == len(self.edges) - 1 > 0
        )

    @cached_property
    def _tails(self) -> tuple[NDArray, NDArray]:
        """Probability below and above each edge, in each node."""
        p, zero = self.probabilities, np.zeros((len(self.left), 1))
        below = self.tail + np.hstack([zero, np.cumsum(p, axis=1)])
        above = self.tail + np.hstack([np.cumsum(p[:, ::-1], axis=1)[:, ::-1], zero])
        return below, above

    @cached_property
    def _end(self) -> float:
        """Normal score of the last edge, and minus that of the first."""
        return float(normal_scores(np.array(1.0 - self.tail), np.array(self.tail)))

    def _start(self, n: int) -> tuple[NDArray, NDArray]:
        n_components = len(self.shares)
        shares = self.shares / self.shares.sum()
        return np.tile(shares, (n, 1)), np.zeros((n, n_components), np.int64)

    def _find_leaves(self, bins: NDArray, j: int, leaves: NDArray) -> None:
        near, guides = self.neighbors[j], self.guides[j]
        nodes = self.feature, self.threshold, self.left
        find_leaves(bins, near, guides, *nodes, leaves)

    def _log_slope(self, mass: NDArray, k: NDArray, z: NDArray) -> NDArray:
        log_density = np.log(mass / np.diff(self.edges)[k])
        return log_density + 0.5 * z * z + HALF_LOG_2PI

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        below, above = self._tails
        low, high = self.edges[[0, -1]]
        bins, Z, log_det = find_bins(X, self.edges), np.empty(X.shape), np.zeros(len(X))
        weights, leaves = self._start(len(X))
        for j in range(X.shape[1]):
            self._find_leaves(bins, j, leaves)
            k, x = bins[:, j], X[:, j]
            p = self.probabilities[leaves, k[:, None]]
            mass = (weights * p).sum(axis=1)
            width = np.diff(self.edges)[k]
            share = np.clip((np.clip(x, low, high) - self.edges[k]) / width, 0.0, 1.0)
            z = normal_scores(
                (weights * below[leaves, k[:, None]]).sum(axis=1) + share * mass,
                (weights * above[leaves, k[:, None] + 1]).sum(axis=1)
                + (1.0 - share) * mass,
            )
            slope = self._log_slope(mass, k, z)
            for sign, edge, out in ((-1, low, x < low), (1, high, x > high)):
                end = np.full(out.sum(), sign * self._end)
                steep = self._log_slope(mass[out], k[out], end)
                slope[out] = np.minimum(steep, -np.log(self.scale))
                with np.errstate(over="ignore"):
                    line = end + np.exp(slope[out]) * (x[out] - edge)
                z[out] = np.clip(line, -_LARGEST, _LARGEST)
            Z[:, j], log_det = z, log_det + slope
            weights *= p / mass[:, None]
        return Z, log_det

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        below, above = self._tails
        X, bins, log_det = (
            np.empty(Z.shape),
            np.zeros(Z.shape, np.int64),
            np.zeros(len(Z)),
        )
        weights, leaves = self._start(len(Z))
        widths = np.diff(self.edges)
        for j in range(Z.shape[1]):
            self._find_leaves(bins, j, leaves)
            z = Z[:, j]
            lower, upper = ndtr(z), ndtr(-z)
            first = np.zeros(len(Z), np.int64)
            last = np.full(len(Z), len(widths) - 1)
            while (first < last).any():
                # The last edge that is not beyond the score.
                middle = (first + last + 1) // 2
                under = (weights * below[leaves, middle[:, None]]).sum(axis=1)
                over = (weights * above[leaves, middle[:, None]]).sum(axis=1)
                passed = np.where(z < 0.0, under <= lower, over >= upper)
                first = np.where(passed, middle, first)
                last = np.where(passed, last, middle - 1)
            k = first
            p = self.probabilities[leaves, k[:, None]]
            mass = (weights * p).sum(axis=1)
            under = (weights * below[leaves, k[:, None]]).sum(axis=1)
            over = (weights * above[leaves, k[:, None] + 1]).sum(axis=1)
            share = np.where(
                z < 0.0, (lower - under) / mass, 1.0 - (upper - over) / mass
            )
            x = self.edges[k] + np.clip(share, 0.0, 1.0) * widths[k]
            # Rounding leads no row into the next bin, whose neighbours see another one.
            x = np.minimum(x, np.nextafter(self.edges[k + 1], -np.inf))
            slope = self._log_slope(mass, k, np.clip(z, -self._end, self._end))
            for sign, edge in ((-1, self.edges[0]), (1, self.edges[-1])):
                out = sign * z > self._end
                slope[out] = np.minimum(slope[out], -np.log(self.scale))
                with np.errstate(over="ignore"):
                    line = edge + (z[out] - sign * self._end) / np.exp(slope[out])
                x[out] = np.clip(line, -_LARGEST, _LARGEST)
            X[:, j], bins[:, j], log_det = x, k, log_det - slope
            weights *= p / mass[:, None]
        return X, log_det


def _find_leaves_loops(bins, near, guides, feature, threshold, left, leaves):
    """Fill in the leaf of one pixel, for each row and component.

    Parameters
    ----------
    bins : ndarray of int of shape (n_samples, n_features)
        Bins of the pixels: those of neighbours are read.
    near : ndarray of int of shape (n_neighbors,)
    guides : ndarray of int of shape (n_components, n_guides)
    feature, threshold, left : ndarray of int
        As in `PixelMixture`.
    leaves : ndarray of int of shape (n_samples, n_components)
        Filled.
    """
    n_neighbors = len(near)
    for i in range(len(bins)):
        for k in range(len(guides)):
            node = 0
            while left[node] != node:
                f = feature[node]
                if f >= n_neighbors:
                    seen = guides[k, f - n_neighbors]
                elif near[f] >= 0:
                    seen = bins[i, near[f]]
                else:
                    seen = -1
                node = left[node] + (1 if seen > threshold[node] else 0)
            leaves[i, k] = node


def _find_leaves_vectorised(bins, near, guides, feature, threshold, left, leaves):
    n, n_neighbors = len(bins), len(near)
    padded = np.hstack([bins, np.full((n, 1), -1)])
    seen = np.empty((n, len(guides), n_neighbors + guides.shape[1]), np.int64)
    seen[:, :, :n_neighbors] = padded[:, None, near]
    seen[:, :, n_neighbors:] = guides
    rows, components = np.ogrid[:n, : len(guides)]
    leaves[:] = 0
    while (left[leaves] != leaves).any():
        passed = seen[rows, components, feature[leaves]] > threshold[leaves]
        inner = left[leaves] != leaves
        leaves[:] = np.where(inner, left[leaves] + passed, leaves)


find_leaves = jit(_find_leaves_loops, plain=_find_leaves_vectorised)
