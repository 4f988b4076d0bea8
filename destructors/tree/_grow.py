"""Growing one density tree on the binned unit cube.

A node is a box. Its split cuts the box at a bin edge; ``v`` is the share of the box's
volume, and ``p`` the share of its mass, that lies below. The tree's map moves the cut
so that the volumes of both parts become their shares of the mass: then the mass is
uniform as far as the tree can tell. The rows of a node stand side by side in one array,
so a split is a partition of a piece of it.
"""

import numpy as np

from destructors.maps._jit import jit
from destructors.maps._trees import SPLIT
from destructors.tree._look_ahead import look_ahead

# More than any tree has.
NO_LIMIT = 2**31
# Nothing is pressed together by more than this along a feature: a row that lies far out
# in a region that is all but empty would not come back with its digits.
LEAST_SLOPE = 1e-5

# ---------------------------------------------------------------------- the best cut


@jit
def _gain(below, mass, v, exact):
    """Log-likelihood gain of a cut, in nats times weight.

    Exact: that of the full step to ``p = below / mass``. Else its leading term times
    two, which ranks cuts by what a small step towards ``p`` gains.
    """
    if not exact:
        return (below - mass * v) ** 2 / (mass * (v * (1.0 - v)))
    # The logarithm of an empty side is multiplied by nothing.
    above = mass - below
    return below * np.log(np.maximum(below, 1e-300) / (mass * v)) + above * np.log(
        np.maximum(above, 1e-300) / (mass * (1.0 - v))
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


def _best_split_loops(grid, weight, rows, box, rule, drawn, histogram):
    """Return the best cut of a box.

    Parameters
    ----------
    grid : Grid
        All rows on a grid.
    weight : ndarray of shape (n_samples,)
        Weight of each row.
    rows : ndarray of shape (n_rows,), dtype uint32
        Those in the box.
    box : tuple of (low, high, mass)
        First bin of the box, and the one after its last, of each feature: ndarray of
        shape (n_features,), dtype uint8; and the weight of the rows.
    rule : GrowthRule
        Its `min_samples_leaf` must lie on either side; the cut must gain more than its
        `min_gain`.
    drawn : tuple of (features, random_cuts)
        Features to try: ndarray of shape (n_drawn,); and, unless it is empty, where in
        the box to cut each feature, in [0, 1): ndarray of shape (n_features,).
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
    (low, high, mass), (features, random_cuts) = box, drawn
    edges, min_mass = grid.edges, rule.min_samples_leaf
    for f in features:
        for k in range(np.int64(low[f]), np.int64(high[f])):
            histogram[f, k] = 0.0
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


def _best_split_vectorised(grid, weight, rows, box, rule, drawn, histogram):
    (low, high, mass), (features, random_cuts) = box, drawn
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


best_split = jit(_best_split_loops, plain=_best_split_vectorised)
partition = jit(_partition_loops, plain=_partition_vectorised)

# ---------------------------------------------------------------------- growing


@jit
def _is_before(rank, a, b):
    return rank[a] < rank[b] or (rank[a] == rank[b] and a < b)


@jit
def _pop(heap, n, rank):
    """Take the first node from a heap, and leave n."""
    node, last, at = heap[0], heap[n], 0
    child = 1
    while child < n:
        if child + 1 < n and _is_before(rank, heap[child + 1], heap[child]):
            child += 1
        if not _is_before(rank, heap[child], last):
            break
        heap[at] = heap[child]
        at = child
        child = 2 * at + 1
    heap[at] = last
    return node


@jit
def grow_tree(
    grid, weight, rows, total, max_splits, rule, features, random_cuts, ahead
):
    """Grow a tree.

    Parameters
    ----------
    grid : Grid
        Rows on a grid.
    weight : ndarray of shape (n_samples,)
        Weight of each row.
    rows : ndarray of shape (n_rows,), dtype uint32
        The rows to grow on; reordered in place.
    total : float
        Their weight.
    max_splits : int
        Largest number of splits.
    rule : GrowthRule
        How to grow.
    features : ndarray of shape (2 max_splits + 1 or 1, n_drawn)
        Features that each node, or all, may cut.
    random_cuts : ndarray of shape (2 max_splits + 1, n_features) or (1, 0)
        Where to cut them, see `best_split`.
    ahead : True or None
        Whether to look ahead. For None that is not compiled either.

    Returns
    -------
    splits : ndarray of shape (n_splits,), dtype SPLIT
    gains : ndarray of shape (n_splits,)
        Log-likelihood that each brings on its rows, in nats times weight.
    """
    bins, edges, n_bins = grid
    d, best_first = bins.shape[1], rule.max_leaf_nodes < NO_LIMIT
    n_max = 2 * max_splits + 1
    splits, gains = np.empty(max_splits, SPLIT), np.empty(max_splits)
    # Of each node: its rows, its box in bins and that box's image, and its best cut.
    first, last = np.empty(n_max, np.int64), np.empty(n_max, np.int64)
    depth, volume = np.empty(n_max, np.int64), np.empty(n_max)
    low, high = np.empty((n_max, d), np.uint8), np.empty((n_max, d), np.uint8)
    low_image = np.empty((n_max, d), np.float32)
    high_image = np.empty((n_max, d), np.float32)
    mass, below = np.empty(n_max), np.empty(n_max)
    feature, cut = np.empty(n_max, np.int64), np.empty(n_max, np.int64)
    # Loops, where a slice would do, compile several times faster.
    for j in range(d):
        low[0, j], high[0, j] = 0, n_bins[j]
        low_image[0, j], high_image[0, j] = 0.0, 1.0
    first[0], last[0], depth[0], mass[0], volume[0] = 0, len(rows), 0, total, 1.0

    histogram = np.empty(edges.shape)
    buffer = np.empty(len(rows), np.uint32)
    # Nodes that can be split, as a heap: first those of largest gain, or the newest.
    heap, rank, n_open = np.empty(n_max, np.int64), np.empty(n_max), 0
    n_splits, n_nodes, n_seen = 0, 1, 0
    while n_splits < max_splits:
        for node in range(n_seen, n_nodes):
            is_light = mass[node] < 2.0 * rule.min_samples_leaf
            if is_light or mass[node] <= 0.0 or depth[node] == rule.max_depth:
                continue
            piece, box = (
                rows[first[node] : last[node]],
                (low[node], high[node], mass[node]),
            )
            drawn = features[node % len(features)], random_cuts[node % len(random_cuts)]
            found = best_split(grid, weight, piece, box, rule, drawn, histogram)
            if ahead is not None:
                found = look_ahead(grid, weight, piece, box, rule, drawn[0], found)
            gain, feature[node], cut[node], below[node] = found
            if feature[node] >= 0:
                rank[node] = -gain if best_first else -node
                at = n_open
                while at > 0 and _is_before(rank, node, heap[(at - 1) >> 1]):
                    heap[at] = heap[(at - 1) >> 1]
                    at = (at - 1) >> 1
                heap[at] = node
                n_open += 1
        n_seen = n_nodes
        if n_open == 0:
            break
        n_open -= 1
        node = _pop(heap, n_open, rank)

        f = feature[node]
        start, stop = edges[f, low[node, f]], edges[f, high[node, f]]
        t = edges[f, cut[node]]
        v = (t - start) / (stop - start)
        p = (below[node] + rule.prior * v) / (mass[node] + rule.prior)
        decay = (1.0 - np.log2(volume[node])) ** -rule.scale_decay
        q = v + rule.learning_rate * decay * (p - v)
        a, b = low_image[node, f], high_image[node, f]
        least = LEAST_SLOPE * (stop - start) / (np.float64(b) - np.float64(a))
        q = min(max(q, least * v), 1.0 - least * (1.0 - v))
        t_in, t_out = np.float32(t), np.float32(a + q * (b - a))
        thin = not np.float32(start) < t_in < np.float32(stop)
        if thin or not a < t_out < b:
            # A box too thin for the digits of a cut stays a leaf.
            continue
        gains[n_splits] = below[node] * np.log(q / v)
        gains[n_splits] += (mass[node] - below[node]) * np.log((1.0 - q) / (1.0 - v))
        splits[n_splits]["node"], splits[n_splits]["feature"] = node, f
        splits[n_splits]["t_in"], splits[n_splits]["t_out"] = t_in, t_out
        n_splits += 1

        piece = rows[first[node] : last[node]]
        middle = first[node] + partition(piece, bins, f, cut[node], buffer)
        left, right = n_nodes, n_nodes + 1
        for child in (left, right):
            depth[child] = depth[node] + 1
            for j in range(d):
                low[child, j], low_image[child, j] = low[node, j], low_image[node, j]
                high[child, j] = high[node, j]
                high_image[child, j] = high_image[node, j]
        first[left], last[left] = first[node], middle
        high[left, f], high_image[left, f] = cut[node], t_out
        mass[left], volume[left] = below[node], volume[node] * v
        first[right], last[right] = middle, last[node]
        low[right, f], low_image[right, f] = cut[node], t_out
        mass[right] = mass[node] - below[node]
        volume[right] = volume[node] * (1.0 - v)
        n_nodes += 2
    return splits[:n_splits].copy(), gains[:n_splits]
