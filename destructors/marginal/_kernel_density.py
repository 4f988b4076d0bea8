"""Kernel density of one column on a grid, with the bandwidth that predicts best.

Points are binned linearly onto a grid and smoothed by a cosine transform, so the cost
beyond sorting does not depend on the number of rows. The bandwidth maximises the
leave-one-out likelihood (Habbema, Hermans and van den Broek, 1974; Duin, 1976): unlike
plug-in rules it aims at the likelihood itself and needs no reference density. Its known
weakness, heavy tails, is met by working on ``asinh(a x) / a``, with ``a`` chosen by the
same likelihood; ties are left out together, so that they do not pull it to zero.

Where data end in a sharp edge, mass that would leak is reflected. Else the estimate is
shrunk towards the mean by the variance that smoothing adds (Jones, 1991), so that the
normal density itself is met without bias by a wide kernel.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct

_SQRT_2PI = np.sqrt(2.0 * np.pi)
_N_CELLS = 1024
# From nearly linear on all but outliers, to logarithmic in the tails.
_SQUASHES = (0.1, 1.0)
# Bandwidths in standard deviations. As wide as the last two is flat between edges.
_BANDWIDTHS = np.geomspace(0.01, 1.0, 24)
_WIDE_BANDWIDTHS = np.array([2.0, 4.0])
# Free of edges, the grid goes on by this share of the range on each side: several of
# the widest bandwidths.
_MARGIN = 0.75
# Nats that reflection has to gain: an edge is a claim.
_EDGE_COST = 3.0
# Share of a row that each empty cell counts at least.
_FLOOR = 1e-6


class GridDensity(NamedTuple):
    """A density that is constant in each cell of a grid.

    Attributes
    ----------
    edges : ndarray of shape (n_cells + 1,)
        Edges of the cells, in squashed units.
    mass : ndarray of shape (n_cells,)
        Probability of each cell, positive.
    squash : float
        The ``a`` of the squashed unit ``asinh(a x) / a``.
    bandwidth : float
        Standard deviation of the kernel, in squashed units.
    reflected : bool
        Whether mass is reflected at the smallest and largest value.
    log_likelihood : float
        Leave-one-out log-likelihood in the units of ``x``, in nats.
    """

    edges: NDArray
    mass: NDArray
    squash: float
    bandwidth: float
    reflected: bool
    log_likelihood: float


def estimate_density(
    x: NDArray, weight: NDArray, bandwidth: float | None
) -> GridDensity:
    """Estimate the density of weighted points.

    Parameters
    ----------
    x : ndarray of shape (n_points,)
        Distinct, sorted values, at least two, in robust standard units.
    weight : ndarray of shape (n_points,)
        Positive weights.
    bandwidth : float or None
        In standard deviations of the squashed values; None to choose it.

    Returns
    -------
    density : GridDensity
    """
    candidates = []
    for squash in _SQUASHES:
        y = np.arcsinh(squash * x) / squash
        log_jacobian = -0.5 * (weight @ np.log1p((squash * x) ** 2))
        for reflected in (False, True):
            if bandwidth is not None:
                tried = np.array([bandwidth])
            elif reflected:
                tried = np.r_[_BANDWIDTHS, _WIDE_BANDWIDTHS]
            else:
                tried = _BANDWIDTHS
            best = _best_bandwidth(y, weight, tried, reflected)
            gain = best[-1] + log_jacobian - _EDGE_COST * reflected
            candidates.append((gain, squash, reflected, best))
    gain, squash, reflected, (edges, mass, width, _) = max(
        candidates, key=lambda candidate: candidate[0]
    )
    return GridDensity(edges, mass, squash, width, reflected, float(gain))


def _best_bandwidth(
    y: NDArray, weight: NDArray, bandwidths: NDArray, reflected: bool
) -> tuple[NDArray, NDArray, float, float]:
    """Return edges, mass, bandwidth and leave-one-out log-likelihood of the best."""
    total = weight.sum()
    mean = weight @ y / total
    variance = weight @ (y - mean) ** 2 / total
    low, high = y[0], y[-1]
    floor = _FLOOR / (total * (high - low))
    n_cells = _N_CELLS
    if not reflected:
        margin = _MARGIN * (high - low)
        low, high, n_cells = low - margin, high + margin, 2 * n_cells
    length = high - low
    counts = _bin_linearly((y - low) / length, weight / total, n_cells)
    # The transform reflects at both ends of the grid.
    waves = dct(counts) * (n_cells / length)
    damping = -0.5 * (np.pi * np.arange(n_cells) / length) ** 2
    edges = np.linspace(low, high, n_cells + 1)
    middles = 0.5 * (edges[1:] + edges[:-1])
    best: tuple | None = None
    for width in bandwidths * np.sqrt(variance):
        density = np.maximum(idct(waves * np.exp(damping * width**2)), floor)
        shrink = 1.0 if reflected else np.sqrt(variance / (variance + width**2))
        # Where the estimate was before it was shrunk.
        source = mean + (y - mean) / shrink
        own = np.exp(-0.5 * ((source - y) / width) ** 2)
        if reflected:
            own += np.exp(-2.0 * ((y - low) / width) ** 2)
            own += np.exp(-2.0 * ((high - y) / width) ** 2)
        own *= weight / (_SQRT_2PI * width)
        others = total * np.interp(source, middles, density) - own
        others = np.maximum(others / (total - weight), floor) / shrink
        gain = weight @ np.log(others)
        if best is None or gain > best[-1]:
            mass = density / density.sum()
            best = mean + shrink * (edges - mean), mass, width, gain
    assert best is not None
    return best


def _bin_linearly(place: NDArray, share: NDArray, n_cells: int) -> NDArray:
    """Part each point between the two cells whose middles it lies between."""
    place = np.clip(place * n_cells - 0.5, 0.0, n_cells - 1.0)
    cell = np.minimum(place.astype(np.intp), n_cells - 2)
    right = share * (place - cell)
    counts = np.bincount(cell, share - right, n_cells)
    return counts + np.bincount(cell + 1, right, n_cells)
