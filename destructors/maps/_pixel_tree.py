"""Each pixel given those before it: one tree of histograms for all pixels.

A pixel has neighbours that come before it. By their levels, and by where the pixel is,
a tree leads to a leaf, and there is a histogram of the levels that such a pixel takes.
Neighbours are seen by their bin, so rounding inside a bin is never seen.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from destructors.maps._checks import are_positions, check_width, increases
from destructors.maps._cube import HALF_LOG_2PI, normal_scores
from destructors.maps._jit import jit
from destructors.maps._map import Map, Mapped

_LARGEST = np.finfo(np.float64).max


@dataclass(frozen=True, eq=False, repr=False)
class PixelTree(Map):
    r"""Normal scores of each pixel by a histogram that its neighbours choose.

    .. math:: z_j = \Phi^{-1}(F_{l(j)}(x_j))

    where the leaf :math:`l(j)` is found by a tree from the bins of neighbours that come
    before pixel :math:`j`. Beyond the bins the map is linear.

    Parameters
    ----------
    order : ndarray of int of shape (n_features,)
        Pixels in the order in which they are mapped.
    neighbors : ndarray of int of shape (n_features, n_neighbors)
        Pixels that each one sees, earlier in the order; -1 outside the image.
    places : ndarray of int of shape (n_features, n_places)
        Numbers that tell where a pixel is; a tree sees them after the neighbours.
    feature, threshold, left : ndarray of int of shape (n_nodes,)
        What a node asks for, the largest number with which a row goes left, and its
        left child; the right one is next to it. A leaf is its own left child.
    edges : ndarray of shape (n_bins + 1,)
        Edges of the bins, strictly increasing.
    probabilities : ndarray of shape (n_nodes, n_bins)
        Probability of each bin in each node, positive; with the tails they sum to one.
    tail : float
        Probability beyond each end.
    scale : float
        Spread of a pixel, whose reciprocal bounds the slopes of the tails.
    """

    order: NDArray
    neighbors: NDArray
    places: NDArray
    feature: NDArray
    threshold: NDArray
    left: NDArray
    edges: NDArray
    probabilities: NDArray
    tail: float
    scale: float

    _positive = ("probabilities", "tail", "scale")

    def __post_init__(self) -> None:
        # Compiled loops read wherever these point, and a file may be damaged.
        listed = self.order, self.feature, self.left
        if not (
            all(part.ndim == 1 for part in listed)
            and self.neighbors.ndim == self.places.ndim == self.probabilities.ndim == 2
        ):
            raise ValueError(f"PixelTree needs lists and tables; got {self!r}.")
        d, n_nodes = len(self.order), len(self.left)
        node, leaf = np.arange(n_nodes), self.left == np.arange(n_nodes)
        asked = self.neighbors.shape[1] + self.places.shape[1]
        if not (
            self.neighbors.shape[0] == self.places.shape[0] == d
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
        d = len(self.order)
        if not (are_positions(self.order, d) and increases(self.edges)):
            return False
        place = np.append(np.argsort(self.order), -1)
        return (
            bool((place[self.neighbors] < place[:-1, None]).all())
            and self.probabilities.shape[1] == len(self.edges) - 1 > 0
        )

    @cached_property
    def _tables(self) -> tuple[NDArray, ...]:
        """Both tails at the edges of each node, normal scores there, slopes beyond."""
        p, zero = self.probabilities, np.zeros((len(self.left), 1))
        below = self.tail + np.hstack([zero, np.cumsum(p, axis=1)])
        above = self.tail + np.hstack([np.cumsum(p[:, ::-1], axis=1)[:, ::-1], zero])
        scores = normal_scores(below, above)
        log_density = np.log(p / np.diff(self.edges))
        ends = scores[:, [0, -1]]
        steepest = log_density[:, [0, -1]] + 0.5 * ends**2 + HALF_LOG_2PI
        slopes = np.exp(np.minimum(steepest, -np.log(self.scale)))
        return below, above, scores, log_density, slopes

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        check_width(X, len(self.order), "PixelTree")
        bins = find_bins(X, self.edges)
        leaves = np.zeros(X.shape, np.int64)
        _find_leaves(bins, self.order, *self._tree, leaves)
        return self._scores(X, bins, leaves)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        check_width(Z, len(self.order), "PixelTree")
        X, bins = np.empty(Z.shape), np.zeros(Z.shape, np.int64)
        leaves, log_det = np.zeros(Z.shape, np.int64), np.zeros(len(Z))
        for i in range(len(self.order)):
            one = self.order[i : i + 1]
            j = one[0]
            _find_leaves(bins, one, *self._tree, leaves)
            X[:, j], bins[:, j], log_slope = self._values(Z[:, j], leaves[:, j])
            log_det -= log_slope
        return X, log_det

    @property
    def _tree(self) -> tuple[NDArray, ...]:
        nodes = self.feature, self.threshold, self.left
        return self.neighbors, self.places, *nodes

    def _scores(self, X: NDArray, k: NDArray, leaf: NDArray) -> Mapped:
        below, above, scores, log_density, slopes = self._tables
        low, high = self.edges[[0, -1]]
        p = self.probabilities[leaf, k]
        width = np.diff(self.edges)[k]
        share = np.clip((np.clip(X, low, high) - self.edges[k]) / width, 0.0, 1.0)
        z = normal_scores(
            below[leaf, k] + share * p, above[leaf, k + 1] + (1.0 - share) * p
        )
        log_slope = log_density[leaf, k] + 0.5 * z * z + HALF_LOG_2PI
        for end, outside in ((0, low > X), (-1, high < X)):
            at = leaf[outside]
            with np.errstate(over="ignore"):
                line = scores[at, end] + slopes[at, end] * (
                    X[outside] - self.edges[end]
                )
            z[outside] = np.clip(line, -_LARGEST, _LARGEST)
            log_slope[outside] = np.log(slopes[at, end])
        return z, log_slope.sum(axis=1)

    def _values(self, z: NDArray, leaf: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        below, above, scores, log_density, slopes = self._tables
        n_bins = len(self.edges) - 1
        k = np.clip((scores[leaf] <= z[:, None]).sum(axis=1) - 1, 0, n_bins - 1)
        p = self.probabilities[leaf, k]
        share = np.where(
            z < 0.0,
            (ndtr(z) - below[leaf, k]) / p,
            1.0 - (ndtr(-z) - above[leaf, k + 1]) / p,
        )
        x = self.edges[k] + np.clip(share, 0.0, 1.0) * np.diff(self.edges)[k]
        # Rounding leads no row into the next bin, whose neighbours see another one.
        x = np.minimum(x, np.nextafter(self.edges[k + 1], -np.inf))
        inside = np.clip(z, scores[leaf, 0], scores[leaf, -1])
        log_slope = log_density[leaf, k] + 0.5 * inside * inside + HALF_LOG_2PI
        for end, outside in ((0, z < scores[leaf, 0]), (-1, z > scores[leaf, -1])):
            at = leaf[outside]
            with np.errstate(over="ignore"):
                line = (
                    self.edges[end] + (z[outside] - scores[at, end]) / slopes[at, end]
                )
            x[outside] = np.clip(line, -_LARGEST, _LARGEST)
            log_slope[outside] = np.log(slopes[at, end])
        return x, k, log_slope


def find_bins(X: NDArray, edges: NDArray) -> NDArray:
    """Return the bin of each number; that at the end for one beyond."""
    k = np.searchsorted(edges, X, side="right") - 1
    return np.clip(k, 0, len(edges) - 2)


def _find_leaves_loops(
    bins, order, neighbors, places, feature, threshold, left, leaves
):
    """Fill in the leaf of some pixels of each row.

    Parameters
    ----------
    bins : ndarray of int of shape (n_samples, n_features)
        Bins of the pixels: those of neighbours are read.
    order : ndarray of int of shape (n_pixels,)
        Pixels whose leaves are found.
    neighbors, places, feature, threshold, left : ndarray of int
        As in `PixelTree`.
    leaves : ndarray of int of shape (n_samples, n_features)
        Filled, in the columns of these pixels.
    """
    n_neighbors = neighbors.shape[1]
    for i in range(len(bins)):
        for j in order:
            node = 0
            while left[node] != node:
                f = feature[node]
                if f >= n_neighbors:
                    seen = places[j, f - n_neighbors]
                elif neighbors[j, f] >= 0:
                    seen = bins[i, neighbors[j, f]]
                else:
                    seen = -1
                node = left[node] + (1 if seen > threshold[node] else 0)
            leaves[i, j] = node


def _find_leaves_vectorised(
    bins, order, neighbors, places, feature, threshold, left, leaves
):
    rows = np.arange(len(bins))[:, None]
    padded = np.hstack([bins, np.full((len(bins), 1), -1)])
    node = np.zeros((len(bins), len(order)), np.int64)
    n_neighbors = neighbors.shape[1]
    while (left[node] != node).any():
        f, inner = feature[node], left[node] != node
        near = neighbors[order, np.minimum(f, n_neighbors - 1)] if n_neighbors else f
        seen = padded[rows, near] if n_neighbors else node
        if places.shape[1]:
            own = places[order, np.clip(f - n_neighbors, 0, None)]
            seen = np.where(f >= n_neighbors, own, seen)
        node = np.where(inner, left[node] + (seen > threshold[node]), node)
    leaves[:, order] = node


_find_leaves = jit(_find_leaves_loops, plain=_find_leaves_vectorised)
find_leaves = _find_leaves
