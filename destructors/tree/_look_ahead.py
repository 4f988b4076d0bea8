"""Cuts that gain nothing themselves, but let other features tell more on either side.

On a checkerboard no single cut gains: both halves are even along each axis. But the
second feature is spread differently below a good cut than above it. So all pairs of
features are counted in a coarse table of equal masses; the cut of one feature gains
what the likelihood ratio says against the other being spread alike on both sides, less
what so many free shares gain by chance.
"""

import numpy as np

from destructors.maps._jit import jit
from destructors.tree._cut import ROUNDING

# Cells of the other feature, at most, and the weight for which there is one.
_MAX_CELLS, _MASS_A_CELL = 16, 20.0
# The logarithm of nothing is multiplied by nothing.
_TINY = 1e-300


@jit
def _log_mass(mass):
    """Mass times its logarithm."""
    return mass * np.log(np.maximum(mass, _TINY))


def _table_loops(bins, weight, rows, first, second, table):
    """Fill in the mass by two features, each a pair: its number, the codes of bins."""
    (f, codes_f), (g, codes_g) = first, second
    table[:, :] = 0.0
    for i in rows:
        table[codes_f[bins[i, f]], codes_g[bins[i, g]]] += weight[i]


def _table_vectorised(bins, weight, rows, first, second, table):
    (f, codes_f), (g, codes_g) = first, second
    n_codes = table.shape[1]
    flat = codes_f[bins[rows, f]].astype(np.intp) * n_codes + codes_g[bins[rows, g]]
    table[:] = np.bincount(flat, weight[rows], table.size).reshape(table.shape)


fill_table = jit(_table_loops, plain=_table_vectorised)


@jit
def _cell_of_bins(bins, weight, rows, box, features, n_cells, cells):
    """Fill in the cell of each bin: cells have about equal mass."""
    (low, high, mass), n_bins = box, cells.shape[1]
    same, none = np.arange(n_bins).astype(np.uint8), np.zeros(n_bins, np.uint8)
    counts = np.empty((n_bins, 1))
    for f in features:
        fill_table(bins, weight, rows, (f, same), (f, none), counts)
        below = 0.0
        for b in range(np.int64(low[f]), np.int64(high[f])):
            middle = (below + 0.5 * counts[b, 0]) / mass
            cells[f, b] = min(int(middle * n_cells), n_cells - 1)
            below += counts[b, 0]


@jit
def _best_cut(table, mass, least):
    """Return the best cut of the first axis of a table, and what it gains.

    Returns
    -------
    gain : float
        Likelihood ratio, in nats times weight, without what it gains by chance.
    cut : int
        The first row above; 0 where none has the least mass on either side.
    """
    n, m = table.shape
    below, total = np.zeros(m), np.zeros(m)
    for k in range(n):
        for c in range(m):
            total[c] += table[k, c]
    whole = 0.0
    for c in range(m):
        whole += _log_mass(total[c])
    best, best_cut, mass_below = -np.inf, 0, 0.0
    for k in range(n - 1):
        for c in range(m):
            below[c] += table[k, c]
            mass_below += table[k, c]
        if mass_below < least or mass - mass_below < least:
            continue
        gain = _log_mass(mass) - _log_mass(mass_below) - _log_mass(mass - mass_below)
        for c in range(m):
            gain += _log_mass(below[c]) + _log_mass(total[c] - below[c])
        if gain - whole > best + ROUNDING * mass:
            best, best_cut = gain - whole, k + 1
    return best, best_cut


def _best_pair_loops(bins, weight, rows, features, cells, n_cells, mass, least):
    """Return the feature to cut and the one that tells most of it then; -1 for none."""
    table = np.empty((n_cells, n_cells))
    best, best_f, best_g = -np.inf, -1, -1
    for a in range(len(features)):
        for b in range(a):
            f, g = features[a], features[b]
            first, second = (f, cells[f]), (g, cells[g])
            fill_table(bins, weight, rows, first, second, table)
            for turn in range(2):
                way = table if turn == 0 else table.T.copy()
                gain, cut = _best_cut(way, mass, least)
                if cut > 0 and gain > best + ROUNDING * mass:
                    best, best_f, best_g = gain, f, g
                    if turn == 1:
                        best_f, best_g = g, f
    return best_f, best_g


def _best_pair_vectorised(bins, weight, rows, features, cells, n_cells, mass, least):
    best, found, table = -np.inf, (-1, -1), np.empty((n_cells, n_cells))
    for a in range(len(features)):
        for b in range(a):
            f, g = features[a], features[b]
            _table_vectorised(bins, weight, rows, (f, cells[f]), (g, cells[g]), table)
            for way, names in ((table, (f, g)), (table.T, (g, f))):
                below = np.cumsum(way, axis=0)[:-1]
                total, side = way.sum(axis=0), below.sum(axis=1)
                gain = _log_mass(below).sum(axis=1)
                gain += _log_mass(total - below).sum(axis=1) - _log_mass(total).sum()
                gain += _log_mass(mass) - _log_mass(side) - _log_mass(mass - side)
                gain[(side < least) | (mass - side < least)] = -np.inf
                if gain.max(initial=-np.inf) > best + ROUNDING * mass:
                    best, found = gain.max(), names
    return found


best_pair = jit(_best_pair_loops, plain=_best_pair_vectorised)


@jit
def look_ahead(grid, weight, rows, box, rule, features, found):
    """Return the best cut of a box, if it is better than one that gains by itself.

    Parameters
    ----------
    grid, weight, rows, box, rule
        As in `best_cut`.
    features : ndarray of shape (n_drawn,)
        Features to try.
    found : tuple of (gain, feature, cut, below)
        What `best_cut` returns.

    Returns
    -------
    gain, feature, cut, below
        As in `best_cut`.
    """
    bins, edges, _ = grid
    low, high, mass = box
    n_cells = int(min(mass / _MASS_A_CELL, float(_MAX_CELLS)))
    if n_cells < 2 or len(features) < 2:
        return found
    least = max(_MASS_A_CELL, rule.min_samples_leaf)
    cells = np.zeros(edges.shape, np.uint8)
    _cell_of_bins(bins, weight, rows, box, features, n_cells, cells)
    f, g = best_pair(bins, weight, rows, features, cells, n_cells, mass, least)
    if f < 0:
        return found
    # Its place among all edges, for the best pair alone.
    first, n_bins = np.int64(low[f]), np.int64(high[f]) - np.int64(low[f])
    own = np.zeros(edges.shape[1], np.uint8)
    for k in range(n_bins):
        own[first + k] = k
    table = np.empty((n_bins, n_cells))
    fill_table(bins, weight, rows, (f, own), (g, cells[g]), table)
    gain, place = _best_cut(table, mass, least)
    if place == 0:
        return found
    below = table[:place].sum()
    origin = edges[f, first]
    v = (edges[f, first + place] - origin) / (edges[f, first + n_bins] - origin)
    gain -= 0.5 * (n_cells - 1) * np.log(mass)
    # And what the cut gains by itself, as in `best_cut`.
    gain += _log_mass(below) + _log_mass(mass - below) - _log_mass(mass)
    gain -= below * np.log(v) + (mass - below) * np.log(1.0 - v)
    if gain > found[0]:
        return gain, f, first + place, below
    return found
