"""The mass of a node by bins, the best cut of its box, and the rows on either side."""

import numpy as np

from destructors.maps._jit import jit

# Gains below this share of the mass are rounding: that of cuts, held in single
# precision, squared. Beside many rows it is more than a gain that is asked for.
ROUNDING = 1e-13
# By what two cuts, the ends of the box included, are rounded: gains that differ by less
# are the same, as those of a feature and of one that repeats it, turned about. (Not on
# the grids of trees among many, which are shifted, each feature otherwise.)
_TWO_CUTS = 2.0**-23


def _count_loops(bins, weight, rows, first, last, features, turn, histograms, place):
    """Fill in the mass by bins of a piece of the rows.

    Parameters
    ----------
    bins : ndarray of shape (n_samples, n_features), dtype uint8
    weight : ndarray of shape (n_samples,)
    rows : ndarray of shape (n_rows,), dtype uint32
    first, last : int
        The piece is ``rows[first:last]``.
    features : ndarray of shape (n_draws, n_drawn)
    turn : int
        Those of ``features[turn]`` are counted.
    histograms : ndarray of shape (n_places, n_features, max_bins + 1)
    place : int
        ``histograms[place]`` is filled.
    """
    n_drawn, n_bins = features.shape[1], histograms.shape[2]
    h, t = np.uint64(place), np.uint64(turn)
    for a in range(n_drawn):
        for b in range(n_bins):
            histograms[h, np.uint64(features[t, a]), b] = 0.0
    for q in range(first, last):
        # Unsigned numbers spare numba the test for indices that count from the end.
        i = np.uint64(rows[np.uint64(q)])
        w = weight[i]
        for a in range(n_drawn):
            f = np.uint64(features[t, np.uint64(a)])
            histograms[h, f, np.uint64(bins[i, f])] += w


def _count_vectorised(
    bins, weight, rows, first, last, features, turn, histograms, place
):
    drawn, piece, n_bins = features[turn], rows[first:last], histograms.shape[2]
    # All features in one count: each has cells of its own.
    cells = bins[piece][:, drawn] + n_bins * np.arange(len(drawn))
    shares = np.repeat(weight[piece], len(drawn))
    counts = np.bincount(cells.ravel(), shares, n_bins * len(drawn))
    histograms[place, drawn] = counts.reshape(-1, n_bins)


def _best_cut_loops(edges, low, high, node, mass, rule, drawn, histograms, place):
    """Return the best cut of a box.

    Parameters
    ----------
    edges : ndarray of shape (n_features, max_bins + 1)
        As in `Grid`.
    low, high : ndarray of shape (n_nodes, n_features), dtype uint8
        First bin of each box, and the one after its last.
    node : int
        Which box.
    mass : float
        The weight of its rows.
    rule : GrowthRule
        Its `min_samples_leaf` must lie on either side; the cut must gain more than its
        `min_gain`.
    drawn : tuple of (features, random_cuts)
        Features to try: ndarray of shape (n_draws, n_drawn); and, unless it is empty,
        where in the box to cut each feature, in [0, 1): ndarray of shape (n_draws,
        n_features).
    histograms, place
        What `count` has filled in.

    Returns
    -------
    gain : float
        Log-likelihood gain, in nats times weight. If `rule` is exact, that of the full
        step to ``p = below / mass``. Else its leading term times two, which ranks cuts
        by what a small step towards ``p`` gains.
    feature : int
        -1 where no cut is allowed.
    cut : int
        The first bin above.
    below : float
        Weight below the cut.
    """
    features, random_cuts = drawn
    h, min_mass, exact = np.uint64(place), rule.min_samples_leaf, rule.exact
    t, t_cut = node % len(features), node % len(random_cuts)
    best, best_feature, best_cut, best_below = (
        max(rule.min_gain, ROUNDING * mass),
        -1,
        0,
        0.0,
    )
    bar = best
    for a in range(features.shape[1]):
        f = np.uint64(features[t, a])
        start, stop = np.int64(low[node, f]) + 1, np.int64(high[node, f])
        first, last = start, stop
        if random_cuts.shape[1] > 0 and stop > start:
            first = start + int(random_cuts[t_cut, f] * (stop - start))
            last = first + 1
        origin = edges[f, start - 1]
        share = 1.0 / (edges[f, stop] - origin)
        below = 0.0
        for k in range(start, last):
            cut = np.uint64(k)
            below += histograms[h, f, cut - np.uint64(1)]
            above = mass - below
            if above < min_mass:
                break
            if k < first or below < min_mass:
                continue
            v = (edges[f, cut] - origin) * share
            if exact:
                # The logarithm of an empty side is multiplied by nothing.
                gain = below * np.log(max(below, 1e-300) / (mass * v))
                gain += above * np.log(max(above, 1e-300) / (mass * (1.0 - v)))
            else:
                excess = below - mass * v
                gain = excess * excess / (mass * (v * (1.0 - v)))
            if gain > bar:
                best, best_feature, best_cut, best_below = gain, int(f), k, below
                bar = gain
                if exact:
                    slope = abs(below - mass * v) / (v * (1.0 - v))
                    bar += _TWO_CUTS * share * slope
    return best, best_feature, best_cut, best_below


def _best_cut_vectorised(edges, low, high, node, mass, rule, drawn, histograms, place):
    features, random_cuts = (draws[node % len(draws)] for draws in drawn)
    low, high = low[node, features].astype(int), high[node, features].astype(int)
    counts, cut = histograms[place, features], np.arange(histograms.shape[2])
    # What lies outside the box has no part in the sums: it is counted for others.
    inside = (cut >= low[:, None]) & (cut < high[:, None])
    below = np.roll(np.cumsum(np.where(inside, counts, 0.0), axis=1), 1, axis=1)
    allowed = (cut > low[:, None]) & (cut < high[:, None])
    if len(random_cuts):
        only = low + 1 + (random_cuts[features] * (high - low - 1)).astype(int)
        allowed &= cut == only[:, None]
    least = rule.min_samples_leaf
    allowed &= (below >= least) & (mass - below >= least)
    row, cut = np.nonzero(allowed)
    f, below = features[row], below[row, cut]
    above, origin = mass - below, edges[f, low[row]]
    share = 1.0 / (edges[f, high[row]] - origin)
    v = (edges[f, cut] - origin) * share
    if rule.exact:
        gain = below * np.log(np.maximum(below, 1e-300) / (mass * v))
        gain += above * np.log(np.maximum(above, 1e-300) / (mass * (1.0 - v)))
    else:
        gain = (below - mass * v) ** 2 / (mass * (v * (1.0 - v)))
    least_gain = max(rule.min_gain, ROUNDING * mass)
    ties = rule.exact * _TWO_CUTS * share * np.abs(below - mass * v) / (v * (1.0 - v))
    best, bar, before = -1, least_gain, np.concatenate([[least_gain], gain])
    # The first of the best, as loops find it: none but a record is more than those.
    for k in np.flatnonzero(gain > np.maximum.accumulate(before)[:-1]):
        if gain[k] > bar:
            best, bar = int(k), gain[k] + ties[k]
    if best < 0:
        return least_gain, -1, 0, 0.0
    return gain[best], f[best], cut[best], below[best]


def _partition_loops(rows, first, last, bins, feature, cut, buffer):
    """Put the rows of a piece that lie below a cut first, in order; return its end."""
    f, one = np.uint64(feature), np.uint64(1)
    n_below, n_above = np.uint64(first), np.uint64(0)
    for q in range(first, last):
        i = rows[np.uint64(q)]
        is_below = np.uint64(bins[np.uint64(i), f] < cut)
        # Both are written and one counts: cheaper than a branch no one can foretell.
        rows[n_below], buffer[n_above] = i, i
        n_below += is_below
        n_above += one - is_below
    for q in range(n_above):
        rows[n_below + q] = buffer[q]
    return np.int64(n_below)


def _partition_vectorised(rows, first, last, bins, feature, cut, buffer):
    piece = rows[first:last]
    is_below = bins[piece, feature] < cut
    piece[:] = np.r_[piece[is_below], piece[~is_below]]
    return first + np.count_nonzero(is_below)


count = jit(_count_loops, plain=_count_vectorised)
best_cut = jit(_best_cut_loops, plain=_best_cut_vectorised)
partition = jit(_partition_loops, plain=_partition_vectorised)
