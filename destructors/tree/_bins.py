"""Binning the unit cube for the growth of a tree."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.maps._jit import HAS_NUMBA, jit


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
    # Faster than np.clip on so few numbers.
    np.maximum(edges, 0.0, out=edges)
    np.minimum(edges, 1.0, out=edges)
    n_bins = (whole + (offsets > 0)).astype(np.uint8)
    bins = np.empty(U.shape, np.uint8)
    _bin(U, offsets, n_bins, whole, bins)
    return Grid(bins, edges, n_bins)


def _bin_loops(U, offsets, n_bins, n_whole, bins):
    n, d = U.shape
    for i in range(n):
        for j in range(d):
            k = int(U[i, j] * n_whole + offsets[j])
            bins[i, j] = min(k, n_bins[j] - 1)


def _bin_vectorised(U, offsets, n_bins, n_whole, bins):
    k = (U * n_whole + offsets).astype(np.int64)
    np.minimum(k, n_bins - 1, out=bins, casting="unsafe")


_bin = jit(_bin_loops) if HAS_NUMBA else _bin_vectorised
