"""Shares of the bins of one feature, many rows at once, without a compiler.

It is the reference of the kernels in `destructors.maps._boosted_kernels`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from destructors.maps import _boosted_kernels as kernels
from destructors.maps._boosted_kernels import ABOVE, BELOW
from destructors.maps._map import Mapped

# What the kernel takes; see `destructors.maps.BoostedRosenblatt`.
Boost = tuple[NDArray, ...]


class Bins:
    """The bins of a feature in some rows: the reference of the kernels.

    Parameters
    ----------
    j : int
        The feature.
    conditional : destructors.maps._rosenblatt.Conditional
        What the mixture says of it.
    places : ndarray of shape (n_features, n_samples)
        Bins of the features before it.
    boost : tuple
        What the kernel takes.
    """

    def __init__(self, j: int, conditional: Any, places: NDArray, boost: Boost):
        edges, nodes, roots, starts, values, *_ = boost
        factor, offset, log_weight, _ = conditional
        weight = np.exp(log_weight - log_weight.max(axis=0)) - kernels.LEAST_WEIGHT
        weight = np.maximum(weight, 0.0) / np.maximum(weight, 0.0).sum(axis=0)
        n_rows, most = offset.shape[1], 1.0 - kernels.OUTER
        below = np.empty((edges.shape[1] + 2, n_rows))
        below[0], below[-1] = kernels.OUTER, most
        for b, edge in enumerate(edges[j], 1):
            u = (factor * edge)[:, None] + offset
            t = np.clip(u / kernels.REACH, -1.0, 1.0)
            share = 0.5 + t * np.polyval(kernels.COEFFICIENTS, t * t)
            sums = np.einsum("kn,kn->n", weight, share)
            below[b] = np.clip(sums, below[b - 1], most)
        above = 1.0 - below
        above[-1] = kernels.OUTER
        self.mass = np.diff(below, axis=0)
        logs = np.zeros((values.shape[1], n_rows))
        for root in roots[starts[j] : starts[j + 1]]:
            node = np.full(n_rows, root)
            while (inner := np.flatnonzero(nodes[node, 0] >= 0)).size:
                feature, cut, leads = nodes[node[inner]].T
                node[inner] = leads + (places[feature, inner] > cut)
            logs += values[nodes[node, 2]].T
        slopes = np.exp(np.clip(logs, -kernels.MOST, kernels.MOST))
        self.slopes = slopes * (
            (1.0 - 2.0 * kernels.OUTER) / (slopes * self.mass).sum(0)
        )
        grown = self.slopes * self.mass
        edge = np.full((1, n_rows), kernels.OUTER)
        images = np.cumsum(np.concatenate([edge, grown]), axis=0)
        above_images = np.cumsum(np.concatenate([edge, grown[::-1]]), axis=0)[::-1]
        self.borders = (below, above), (images, above_images)

    def find(self, z: NDArray, back: bool = False) -> NDArray:
        """Return the bin in which each latent value lies, or its image."""
        borders, tail = self.borders[back], ndtr(-np.abs(z))
        by_below = (borders[BELOW][1:-1] <= tail).sum(axis=0)
        by_above = (borders[ABOVE][1:-1] > tail).sum(axis=0)
        return np.where(z < 0.0, by_below, by_above)

    def move(self, z: NDArray, back: bool = False) -> Mapped:
        """Return where latent values go, and the logarithm of the slope there."""
        rows, b, tail = np.arange(len(z)), self.find(z, back), ndtr(-np.abs(z))
        at, to = self.borders[back], self.borders[not back]
        slope = 1.0 / self.slopes[b, rows] if back else self.slopes[b, rows]
        low = to[BELOW][b, rows] + (tail - at[BELOW][b, rows]) * slope
        high = to[ABOVE][b + 1, rows] + (tail - at[ABOVE][b + 1, rows]) * slope
        below = np.where(z < 0.0, low, 1.0 - high)
        above = np.where(z < 0.0, 1.0 - low, high)
        size = -ndtri(np.clip(np.minimum(below, above), kernels.OUTER, 0.5))
        moved = np.where(below < above, -size, size)
        near = np.abs(z) < kernels.NEAR
        log_slope = np.log(slope) + 0.5 * (moved - z) * (moved + z)
        return np.where(near, moved, z), np.where(near, log_slope, 0.0)
