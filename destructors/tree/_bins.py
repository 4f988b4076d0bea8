"""Binning the unit cube for the growth of a tree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from destructors.maps._jit import HAS_NUMBA, jit

__all__ = ["bin_rows", "make_edges"]


def make_edges(offsets: NDArray, max_bins: int) -> tuple[NDArray, NDArray]:
    """Return a grid of equal bins for each feature.

    Parameters
    ----------
    offsets : ndarray of shape (n_features,)
        Share of a bin, in [0, 1), by which the grid is shifted to the left. Trees with
        shifted grids cut at different places, which makes their sum smoother.
    max_bins : int
        Largest number of bins. A shifted grid has a part of a bin at either end.

    Returns
    -------
    edges : ndarray of shape (n_features, max_bins + 1)
        From 0 to 1, the last repeated where there are fewer bins.
    n_bins : ndarray of shape (n_features,), dtype uint8
        Number of bins of each feature.
    """
    whole = max_bins - (offsets > 0).any()
    edges = (np.arange(max_bins + 1) - offsets[:, None]) / whole
    # Faster than np.clip on so few numbers.
    np.maximum(edges, 0.0, out=edges)
    np.minimum(edges, 1.0, out=edges)
    return edges, (whole + (offsets > 0)).astype(np.uint8)


def _bin_loops(U, offsets, n_bins, max_bins, bins):
    n, d = U.shape
    for i in range(n):
        for j in range(d):
            k = int(U[i, j] * max_bins + offsets[j])
            bins[i, j] = min(k, n_bins[j] - 1)


def _bin_vectorised(U, offsets, n_bins, max_bins, bins):
    np.minimum(
        (U * max_bins + offsets).astype(np.int64),
        n_bins - 1,
        out=bins,
        casting="unsafe",
    )


_bin = jit(_bin_loops) if HAS_NUMBA else _bin_vectorised


def bin_rows(U: NDArray, offsets: NDArray, n_bins: NDArray, max_bins: int) -> NDArray:
    """Return the bin of each coordinate, for the edges of `make_edges`.

    Parameters
    ----------
    U : ndarray of shape (n_samples, n_features)
        Points of the closed unit cube.
    offsets, n_bins : ndarray of shape (n_features,)
        Shift and number of bins of each feature.
    max_bins : int
        Largest number of bins, at most 255.

    Returns
    -------
    bins : ndarray of shape (n_samples, n_features), dtype uint8
    """
    bins = np.empty(U.shape, np.uint8)
    _bin(U, offsets, n_bins, max_bins - int((offsets > 0).any()), bins)
    return bins
