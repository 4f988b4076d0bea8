"""Cuts of features that are given, by what the others are like on either side.

A cut of a feature that is given moves nothing, so by itself it gains nothing. It gains
by the cuts of other features that come after it: one below it, another above it. So a
node is cut along a given feature where the best cuts of the others on both sides
together gain more than the best one of the whole node.
"""

import numpy as np

from destructors.maps._jit import jit
from destructors.tree._look_ahead import fill_table

# Cells of a feature that is moved, at most, and the weight for which there is one.
_MAX_CELLS, _MASS_A_CELL = 16, 10.0


@jit
def _find_cells(bins, edges, weight, rows, box, f, n_cells, cells, shares):
    """Fill in the cell of each bin of a feature, and the share of the volume below the
    end of each cell; return the number of cells.
    """
    (low, high, mass), n_bins = box, cells.shape[1]
    own = f - (bins.shape[1] - cells.shape[0])
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
        cells[own, b] = cell
        shares[own, cell] = (edges[f, b + 1] - edges[f, first]) / size
        below += counts[b]
    return cell + 1


def _best_given_loops(tables, shares, sizes, mass, least):
    """Return what the best cuts of other features gain on both sides of the best cut of
    the first axis, and that cut.

    Parameters
    ----------
    tables : ndarray of shape (n_moved, n_bins, max_cells)
        Mass by bins of a given feature and cells of each feature that is moved.
    shares : ndarray of shape (n_moved, max_cells)
        Share of the volume below the end of each cell.
    sizes : ndarray of shape (n_moved,)
        Number of cells of each.
    mass : float
        Of a table.
    least : float
        Mass on either side of a cut of the given feature.

    Returns
    -------
    gain : float
        As in `best_cut`.
    cut : int
        The first bin above; 0 where there is none.
    """
    n_moved, n, m = tables.shape
    below, total = np.zeros((n_moved, m)), np.zeros((n_moved, m))
    for g in range(n_moved):
        for k in range(n):
            for c in range(m):
                total[g, c] += tables[g, k, c]
    best, best_cut, mass_below = 0.0, 0, 0.0
    for k in range(n - 1):
        for c in range(m):
            mass_below += tables[0, k, c]
        for g in range(n_moved):
            for c in range(m):
                below[g, c] += tables[g, k, c]
        mass_above = mass - mass_below
        if mass_below < least or mass_above < least:
            continue
        gain_below, gain_above = 0.0, 0.0
        for g in range(n_moved):
            at_below, at_above = 0.0, 0.0
            for c in range(sizes[g] - 1):
                v = shares[g, c]
                even = 1.0 / (v * (1.0 - v))
                at_below += below[g, c]
                at_above += total[g, c] - below[g, c]
                excess = at_below - mass_below * v
                gain_below = max(gain_below, excess * excess * even)
                excess = at_above - mass_above * v
                gain_above = max(gain_above, excess * excess * even)
        gain = gain_below / mass_below + gain_above / mass_above
        if gain > best:
            best, best_cut = gain, k + 1
    return best, best_cut


def _best_given_vectorised(tables, shares, sizes, mass, least):
    n_cuts = tables.shape[1] - 1
    gain, allowed = np.zeros(n_cuts), np.ones(n_cuts, bool)
    below, total = np.cumsum(tables, axis=1)[:, :-1], tables.sum(axis=1)
    for side in (below, total[:, None] - below):
        mass_of_side, most = side[0].sum(axis=1), np.zeros(n_cuts)
        allowed &= mass_of_side >= least
        for one, v, m in zip(side, shares, sizes, strict=True):
            v = v[: m - 1]
            excess = np.cumsum(one, axis=1)[:, : m - 1] - mass_of_side[:, None] * v
            square = excess**2 / (v * (1.0 - v))
            most = np.maximum(most, square.max(axis=1, initial=0.0))
        gain += most / np.maximum(mass_of_side, least)
    gain[~allowed] = 0.0
    k = int(gain.argmax())
    return (gain[k], k + 1) if gain[k] > 0.0 else (0.0, 0)


best_given = jit(_best_given_loops, plain=_best_given_vectorised)


@jit
def cut_given(grid, weight, rows, box, rule, given, found):
    """Return the best cut of a box along a given feature, if it is better than the best
    one along a feature that is moved.

    Parameters
    ----------
    grid, weight, rows, box, rule
        As in `best_cut`.
    given : ndarray of shape (n_given,)
        Features to try.
    found : tuple of (gain, feature, cut, below)
        What `best_cut` returns for the features that are moved.

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
    n_given, n_bins = rule.n_given, edges.shape[1]
    n_moved = bins.shape[1] - n_given
    cells, shares = np.zeros((n_moved, n_bins), np.uint8), np.zeros((n_moved, n_cells))
    sizes, most = np.zeros(n_moved, np.int64), 0
    for g in range(n_moved):
        sizes[g] = _find_cells(
            bins, edges, weight, rows, box, n_given + g, n_cells, cells, shares
        )
        most = max(most, sizes[g])
    if most < 2:
        return found
    same = np.arange(n_bins).astype(np.uint8)
    tables = np.empty((n_moved, n_bins, n_cells))
    best, feature, cut, below = found
    for f in given:
        if np.int64(high[f]) - np.int64(low[f]) < 2:
            continue
        for g in range(n_moved):
            other = (n_given + g, cells[g])
            fill_table(bins, weight, rows, (f, same), other, tables[g])
        gain, place = best_given(tables, shares, sizes, mass, rule.min_samples_leaf)
        if place > 0 and gain > best:
            best, feature, cut = gain, int(f), place
            below = tables[0, :place].sum()
    return best, feature, cut, below
