"""Cuts of features that are given, by what the last feature is like on either side.

A cut of a feature that is given moves nothing, so by itself it gains nothing. It gains
by the cuts of the last feature that come after it: one below it, another above it. So a
node is cut along a given feature where the best cuts of the last feature on both sides
together gain more than the best one of the whole node.
"""

import numpy as np

from destructors.maps._jit import jit
from destructors.tree._look_ahead import fill_table

# Cells of the last feature, at most, and the weight for which there is one.
_MAX_CELLS, _MASS_A_CELL = 16, 10.0


@jit
def _cells_of_last(bins, edges, weight, rows, box, n_cells, cells, shares):
    """Fill in the cell of each bin of the last feature, and the share of the volume
    below the end of each cell; return the number of cells.
    """
    (low, high, mass), n_bins = box, cells.shape[0]
    f = bins.shape[1] - 1
    first, last = np.int64(low[f]), np.int64(high[f])
    counts = np.zeros(n_bins)
    for i in rows:
        counts[bins[i, f]] += weight[i]
    size, below, cell, known = edges[f, last] - edges[f, first], 0.0, -1, -1
    for b in range(first, last):
        middle = (below + 0.5 * counts[b]) / mass
        place = min(int(middle * n_cells), n_cells - 1)
        if place != known:
            cell, known = cell + 1, place
        cells[b], shares[cell] = cell, (edges[f, b + 1] - edges[f, first]) / size
        below += counts[b]
    return cell + 1


def _best_given_loops(table, shares, mass, least):
    """Return what the best cuts of the second axis gain on both sides of the best cut
    of the first, and that cut.

    Parameters
    ----------
    table : ndarray of shape (n_bins, n_cells)
        Mass by bins of a given feature and cells of the last.
    shares : ndarray of shape (n_cells,)
        Share of the volume below the end of each cell.
    mass : float
        Of the table.
    least : float
        Mass on either side of a cut of the given feature.

    Returns
    -------
    gain : float
        As in `best_cut`.
    cut : int
        The first bin above; 0 where there is none.
    """
    n, m = table.shape
    below, total = np.zeros(m), np.zeros(m)
    for k in range(n):
        for c in range(m):
            total[c] += table[k, c]
    best, best_cut, mass_below = 0.0, 0, 0.0
    for k in range(n - 1):
        for c in range(m):
            below[c] += table[k, c]
            mass_below += table[k, c]
        mass_above = mass - mass_below
        if mass_below < least or mass_above < least:
            continue
        at_below, at_above, gain_below, gain_above = 0.0, 0.0, 0.0, 0.0
        for c in range(m - 1):
            v = shares[c]
            even = 1.0 / (v * (1.0 - v))
            at_below += below[c]
            at_above += total[c] - below[c]
            excess = at_below - mass_below * v
            gain_below = max(gain_below, excess * excess * even)
            excess = at_above - mass_above * v
            gain_above = max(gain_above, excess * excess * even)
        gain = gain_below / mass_below + gain_above / mass_above
        if gain > best:
            best, best_cut = gain, k + 1
    return best, best_cut


def _best_given_vectorised(table, shares, mass, least):
    below = np.cumsum(table, axis=0)[:-1]
    total, v = table.sum(axis=0), shares[: table.shape[1] - 1]
    gain, allowed = np.zeros(len(below)), np.ones(len(below), bool)
    for side in (below, total - below):
        sizes = side.sum(axis=1)
        allowed &= sizes >= least
        excess = np.cumsum(side, axis=1)[:, :-1] - sizes[:, None] * v
        most = (excess**2 / (v * (1.0 - v))).max(axis=1)
        gain += most / np.maximum(sizes, least)
    gain[~allowed] = 0.0
    k = int(gain.argmax())
    return (gain[k], k + 1) if gain[k] > 0.0 else (0.0, 0)


best_given = jit(_best_given_loops, plain=_best_given_vectorised)


@jit
def cut_given(grid, weight, rows, box, rule, given, found):
    """Return the best cut of a box along a given feature, if it is better than the best
    one along the last.

    Parameters
    ----------
    grid, weight, rows, box, rule
        As in `best_cut`.
    given : ndarray of shape (n_given,)
        Features to try.
    found : tuple of (gain, feature, cut, below)
        What `best_cut` returns for the last feature.

    Returns
    -------
    gain, feature, cut, below
        As in `best_cut`.
    """
    bins, edges, _ = grid
    low, high, mass = box
    n_cells = int(min(mass / _MASS_A_CELL, float(_MAX_CELLS)))
    if n_cells < 2:
        return found
    last, n_bins = bins.shape[1] - 1, edges.shape[1]
    cells, shares = np.zeros(n_bins, np.uint8), np.zeros(n_cells)
    n_cells = _cells_of_last(bins, edges, weight, rows, box, n_cells, cells, shares)
    if n_cells < 2:
        return found
    same, table = np.arange(n_bins).astype(np.uint8), np.empty((n_bins, n_cells))
    best, feature, cut, below = found
    for f in given:
        if np.int64(high[f]) - np.int64(low[f]) < 2:
            continue
        fill_table(bins, weight, rows, (f, same), (last, cells), table)
        gain, place = best_given(table, shares, mass, rule.min_samples_leaf)
        if place > 0 and gain > best:
            best, feature, cut = gain, int(f), place
            below = table[:place].sum()
    return best, feature, cut, below
