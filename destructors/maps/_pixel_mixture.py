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

from destructors.maps._checks import check_width, increases
from destructors.maps._cube import HALF_LOG_2PI, normal_scores
from destructors.maps._map import Map, Mapped
from destructors.maps._pixel_mixture_kernels import (
    Learned,
    find_answers,
    find_masses,
    find_places,
)
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
        if not (
            self.shares.ndim == self.feature.ndim == self.left.ndim == 1
            and self.neighbors.ndim == self.probabilities.ndim == 2
            and self.guides.ndim == 3
            and len(self.shares) > 0
        ):
            raise ValueError(f"PixelMixture needs lists and tables; got {self!r}.")
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

    @cached_property
    def _learned(self) -> Learned:
        """What both kernels take."""
        nodes = np.c_[self.feature, self.threshold, self.left]
        question, answers = find_answers(self.guides, nodes, self.neighbors.shape[1])
        nodes = np.ascontiguousarray(np.c_[nodes, question], dtype=np.int64)
        shares = self.shares / self.shares.sum()
        tree = self.neighbors, self.guides, nodes, shares, self.probabilities
        return *tree, *self._tails, answers, find_places()

    def _log_slope(self, mass: NDArray, k: NDArray, z: NDArray) -> NDArray:
        log_density = np.log(mass / np.diff(self.edges)[k])
        return log_density + 0.5 * z * z + HALF_LOG_2PI

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        check_width(X, len(self.neighbors), "PixelMixture")
        low, high = self.edges[[0, -1]]
        k = find_bins(X, self.edges)
        mass, under, over = (np.empty(X.shape) for _ in range(3))
        # Nothing is looked for: any arrays will do for what is given then.
        find_masses(k, False, under, over, self._learned, mass, under, over)
        width = np.diff(self.edges)[k]
        share = np.clip((np.clip(X, low, high) - self.edges[k]) / width, 0.0, 1.0)
        Z = normal_scores(under + share * mass, over + (1.0 - share) * mass)
        slope = self._log_slope(mass, k, Z)
        for sign, edge, out in ((-1, low, low > X), (1, high, high < X)):
            end = np.full(out.sum(), sign * self._end)
            steep = self._log_slope(mass[out], k[out], end)
            slope[out] = np.minimum(steep, -np.log(self.scale))
            with np.errstate(over="ignore"):
                line = end + np.exp(slope[out]) * (X[out] - edge)
            Z[out] = np.clip(line, -_LARGEST, _LARGEST)
        return Z, slope.sum(axis=1)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        check_width(Z, len(self.neighbors), "PixelMixture")
        k = np.empty(Z.shape, np.int64)
        mass, under, over = (np.empty(Z.shape) for _ in range(3))
        lower, upper = ndtr(Z), ndtr(-Z)
        find_masses(k, True, lower, upper, self._learned, mass, under, over)
        share = np.where(Z < 0.0, (lower - under) / mass, 1.0 - (upper - over) / mass)
        X = self.edges[k] + np.clip(share, 0.0, 1.0) * np.diff(self.edges)[k]
        # Rounding leads no row into the next bin, whose neighbours see another one.
        X = np.minimum(X, np.nextafter(self.edges[k + 1], -np.inf))
        slope = self._log_slope(mass, k, np.clip(Z, -self._end, self._end))
        for sign, edge in ((-1, self.edges[0]), (1, self.edges[-1])):
            out = sign * Z > self._end
            slope[out] = np.minimum(slope[out], -np.log(self.scale))
            with np.errstate(over="ignore"):
                line = edge + (Z[out] - sign * self._end) / np.exp(slope[out])
            X[out] = np.clip(line, -_LARGEST, _LARGEST)
        return X, -slope.sum(axis=1)
