"""The best cut of a box, and the partition of its rows."""

import numpy as np

from destructors.maps._jit import HAS_NUMBA, jit


@jit
def _gain(below, mass, v, exact):
    """Log-likelihood gain of a cut, in nats times weight.

    Exact: that of the full step to ``p = below / mass``. Else its leading term times
    two, which ranks cuts by what a small step towards ``p`` gains.
    """
    if not exact:
        return (below - mass * v) ** 2 / (mass * (v * (1.0 - v)))
    above = mass - below
    return below * np.log(below / (mass * v)) + above * np.log(
        above / (mass * (1.0 - v))
    )


@jit
def _fill(bins, weight, rows, features, histogram):
    """Add the rows to the histograms of the features."""
    for q in range(len(rows)):
        # Unsigned numbers spare numba the test for indices that count from the end.
        i = np.uint64(rows[np.uint64(q)])
        w = weight[i]
        for f in features:
            k = np.uint64(f)
            histogram[k, bins[i, k]] += w


def _best_split_loops(
    grid, weight, rows, low, high, mass, rule, features, random_cuts, histogram
):
    """Return the best cut of a box.

    Parameters
    ----------
    grid : Grid
        All rows on a grid.
    weight : ndarray of shape (n_samples,)
        Weight of each row.
    rows : ndarray of shape (n_rows,), dtype uint32
        Those in the box.
    low, high : ndarray of shape (n_features,), dtype uint8
        First bin of the box, and the one after its last.
    mass : float
        Weight of the rows.
    rule : GrowthRule
        Its `min_samples_leaf` must lie on either side; the cut must gain more than its
        `min_gain`.
    features : ndarray of shape (n_drawn,)
        Features to try.
    random_cuts : ndarray of shape (n_features,) or (0,)
        If given, where in the box to cut each feature, in [0, 1).
    histogram : ndarray of shape (n_features, max_bins + 1)
        To work in.

    Returns
    -------
    gain : float
        In nats times weight.
    feature : int
        -1 where no cut is allowed.
    cut : int
        The first bin above.
    below : float
        Weight below the cut.
    """
    edges, min_mass = grid.edges, rule.min_samples_leaf
    for f in features:
        histogram[f, low[f] : high[f]] = 0.0
    _fill(grid.bins, weight, rows, features, histogram)
    best, best_feature, best_cut, best_below = rule.min_gain, -1, 0, 0.0
    for f in features:
        start, stop = np.int64(low[f]) + 1, np.int64(high[f])
        first, last = start, stop
        if len(random_cuts) > 0 and stop > start:
            first = start + int(random_cuts[f] * (stop - start))
            last = first + 1
        origin = edges[f, start - 1]
        share = 1.0 / (edges[f, stop] - origin)
        below = 0.0
        for k in range(start, last):
            cut = np.uint64(k)
            below += histogram[np.uint64(f), cut - np.uint64(1)]
            if mass - below < min_mass:
                break
            if k < first or below < min_mass:
                continue
            v = (edges[np.uint64(f), cut] - origin) * share
            gain = _gain(below, mass, v, rule.exact)
            if gain > best:
                best, best_feature, best_cut, best_below = gain, f, k, below
    return best, best_feature, best_cut, best_below


def _best_split_vectorised(
    grid, weight, rows, low, high, mass, rule, features, random_cuts, histogram
):
    edges, min_mass = grid.edges, rule.min_samples_leaf
    n_cells = histogram.shape[1]
    low, high = low[features].astype(np.int64), high[features].astype(np.int64)
    # All features in one count: each has cells of its own.
    cells = grid.bins[rows][:, features] + n_cells * np.arange(len(features))
    shares = np.repeat(weight[rows], len(features))
    counts = np.bincount(cells.ravel(), shares, n_cells * len(features))
    below = np.roll(np.cumsum(counts.reshape(-1, n_cells), axis=1), 1, axis=1)
    cut = np.arange(n_cells)
    allowed = (cut > low[:, None]) & (cut < high[:, None])
    if len(random_cuts):
        only = low + 1 + (random_cuts[features] * (high - low - 1)).astype(np.int64)
        allowed &= cut == only[:, None]
    allowed &= (below >= min_mass) & (mass - below >= min_mass)
    row, cut = np.nonzero(allowed)
    f, below = features[row], below[row, cut]
    origin = edges[f, low[row]]
    v = (edges[f, cut] - origin) * (1.0 / (edges[f, high[row]] - origin))
    gain = _gain(below, mass, v, rule.exact)
    if len(gain) == 0 or gain.max() <= rule.min_gain:
        return rule.min_gain, -1, 0, 0.0
    k = gain.argmax()
    return gain[k], f[k], cut[k], below[k]


def _partition_loops(rows, bins, feature, cut, buffer):
    """Put the rows below a cut first, in order; return their number."""
    f, one = np.uint64(feature), np.uint64(1)
    n_below, n_above = np.uint64(0), np.uint64(0)
    for q in range(len(rows)):
        i = rows[np.uint64(q)]
        is_below = np.uint64(bins[i, f] < cut)
        # Both are written and one counts: cheaper than a branch no one can foretell.
        rows[n_below], buffer[n_above] = i, i
        n_below += is_below
        n_above += one - is_below
    for q in range(n_above):
        rows[n_below + q] = buffer[q]
    return np.int64(n_below)


def _partition_vectorised(rows, bins, feature, cut, buffer):
    is_below = bins[rows, feature] < cut
    rows[:] = np.r_[rows[is_below], rows[~is_below]]
    return np.count_nonzero(is_below)


best_split = jit(_best_split_loops) if HAS_NUMBA else _best_split_vectorised
partition = jit(_partition_loops) if HAS_NUMBA else _partition_vectorised
