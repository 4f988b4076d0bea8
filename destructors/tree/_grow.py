"""Growing one density tree on the binned unit cube.

A node is a box. Its split cuts the box at a bin edge; ``v`` is the share of the box's
volume, and ``p`` the share of its mass, that lies below. The tree's map moves the cut
so that the volumes of both parts become their shares of the mass: then the mass is
uniform as far as the tree can tell. The rows of a node stand side by side in one array,
so a split is a partition of a piece of it.

The mass by bins of a node is that of both parts, so only those of the smaller part are
counted; the larger has what is left.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from destructors.maps._jit import jit
from destructors.maps._trees import SPLIT, UNKNOWN
from destructors.tree._cut import best_cut, count, partition
from destructors.tree._given import cut_given
from destructors.tree._look_ahead import look_ahead

if TYPE_CHECKING:
    from destructors.tree._rule import Grid, GrowthRule

# More than any tree has.
NO_LIMIT = 2**31
# Nothing is pressed together by more than this along a feature: a row that lies far out
# in a region that is all but empty would not come back with its digits.
LEAST_SLOPE = 1e-5
# Nodes whose mass by bins is kept until they are split. Depth first there are no more
# than levels; the parts of others are both counted.
_N_KEPT = 32
# What is known of a node, by column: whole numbers and others.
_FIRST, _LAST, _DEPTH, _FEATURE, _CUT, _PLACE = range(6)
_MASS, _VOLUME, _BELOW, _RANK = range(4)

# ---------------------------------------------------------------------- growing


@jit
def _push_open(heap, n, rank, node):
    """Put a node on a heap of n."""
    while n > 0:
        parent = (n - 1) >> 1
        other = heap[parent]
        key, than = rank[node, _RANK], rank[other, _RANK]
        if key > than or (key == than and node > other):
            break
        heap[n] = other
        n = parent
    heap[n] = node


@jit
def _pop_open(heap, n, rank):
    """Take the first node from a heap, and leave n."""
    first, last, at, child = heap[0], heap[n], 0, 1
    while child < n:
        if child + 1 < n:
            a, b = heap[child + 1], heap[child]
            key, than = rank[a, _RANK], rank[b, _RANK]
            if key < than or (key == than and a < b):
                child += 1
        other = heap[child]
        key, than = rank[other, _RANK], rank[last, _RANK]
        if key > than or (key == than and other > last):
            break
        heap[at] = other
        at = child
        child = 2 * at + 1
    heap[at] = last
    return first


@jit
def _grow(
    grid, weight, rows, total, rule, drawn, ahead, given, nodes, boxes, work, out
):
    """Grow a tree; see `grow_tree`, which makes room for what is filled in here."""
    bins, edges, n_bins = grid
    (known, values), (low, high, image) = nodes, boxes
    (histograms, heap, free, buffer), (ends, cuts, gains) = work, out
    features = drawn[0]
    d, max_splits, n_free = bins.shape[1], len(gains), len(free)
    best_first = rule.max_leaf_nodes < NO_LIMIT
    # Loops, where a slice would do, compile several times faster.
    for j in range(d):
        low[0, j], high[0, j] = 0, n_bins[j]
        image[0, j, 0], image[0, j, 1] = 0.0, 1.0
    for k in range(n_free):
        free[k] = k + 1
    known[0, _FIRST], known[0, _LAST], known[0, _DEPTH] = 0, len(rows), 0
    values[0, _MASS], values[0, _VOLUME] = total, 1.0
    n_splits, n_open, smaller, larger, kept = 0, 0, -1, 0, 0
    while True:
        # The two parts of what was cut last, the smaller first; to begin with the cube.
        for side in range(2):
            child = larger if side == 1 else smaller
            if child < 0:
                continue
            mass, place = values[child, _MASS], 0
            first, last = known[child, _FIRST], known[child, _LAST]
            is_open = mass >= 2.0 * rule.min_samples_leaf and first < last
            is_open = is_open and mass > 0.0 and known[child, _DEPTH] < rule.max_depth
            if side == 1 and kept > 0:
                place = kept
            elif is_open or kept > 0:
                if n_free > 0:
                    n_free -= 1
                    place = free[n_free]
                turn = child % len(features)
                count(
                    bins, weight, rows, first, last, features, turn, histograms, place
                )
                if kept > 0:
                    h, g = np.uint64(kept), np.uint64(place)
                    for f in range(d):
                        for b in range(histograms.shape[2]):
                            rest = histograms[h, f, b] - histograms[g, f, b]
                            # Where nothing is left rounding may leave less.
                            histograms[h, f, b] = max(rest, 0.0)
            if is_open:
                found = best_cut(
                    edges, low, high, child, mass, rule, drawn, histograms, place
                )
                if ahead is not None:
                    found = look_ahead(
                        grid,
                        weight,
                        rows[first:last],
                        (low[child], high[child], mass),
                        rule,
                        features[child % len(features)],
                        found,
                    )
                if given is not None:
                    found = cut_given(
                        grid,
                        weight,
                        rows[first:last],
                        (low[child], high[child], mass),
                        rule,
                        given[child % len(given)],
                        found,
                    )
                gain, feature, cut, below = found
                known[child, _FEATURE], known[child, _CUT] = feature, cut
                values[child, _BELOW] = below
                values[child, _RANK] = -gain if best_first else -child
                is_open = feature >= 0
            if is_open:
                _push_open(heap, n_open, values, child)
                n_open += 1
            elif place > 0:
                free[n_free] = place
                n_free += 1
            known[child, _PLACE] = place
        if n_open == 0 or n_splits == max_splits:
            return n_splits
        n_open -= 1
        node = _pop_open(heap, n_open, values)

        f, cut, kept = known[node, _FEATURE], known[node, _CUT], known[node, _PLACE]
        mass, volume, below = (
            values[node, _MASS],
            values[node, _VOLUME],
            values[node, _BELOW],
        )
        start, stop = edges[f, low[node, f]], edges[f, high[node, f]]
        t = edges[f, cut]
        v = (t - start) / (stop - start)
        p = (below + rule.prior * v) / (mass + rule.prior)
        decay = (1.0 - np.log2(volume)) ** -rule.scale_decay
        q = v + rule.learning_rate * decay * (p - v)
        a, b = image[node, f, 0], image[node, f, 1]
        least = LEAST_SLOPE * (stop - start) / (np.float64(b) - np.float64(a))
        q = min(max(q, least * v), 1.0 - least * (1.0 - v))
        t_in, t_out = np.float32(t), np.float32(a + q * (b - a))
        if f < rule.n_given:
            q, t_out = v, t_in
        thin = not np.float32(start) < t_in < np.float32(stop)
        if thin or not a < t_out < b:
            # A box too thin for the digits of a cut stays a leaf.
            smaller = larger = -1
            if kept > 0:
                free[n_free] = kept
                n_free += 1
            continue
        gain = below * np.log(q / v) + (mass - below) * np.log((1.0 - q) / (1.0 - v))
        ends[n_splits, 0], ends[n_splits, 1], gains[n_splits] = node, f, gain
        cuts[n_splits, 0], cuts[n_splits, 1] = t_in, t_out
        left, right = 2 * n_splits + 1, 2 * n_splits + 2
        n_splits += 1

        first, last = known[node, _FIRST], known[node, _LAST]
        middle = partition(rows, first, last, bins, f, cut, buffer)
        for child in range(left, right + 1):
            for j in range(d):
                low[child, j], high[child, j] = low[node, j], high[node, j]
                image[child, j, 0], image[child, j, 1] = (
                    image[node, j, 0],
                    image[node, j, 1],
                )
            known[child, _FIRST], known[child, _LAST] = first, last
            known[child, _DEPTH] = known[node, _DEPTH] + 1
        known[left, _LAST] = known[right, _FIRST] = middle
        high[left, f] = low[right, f] = cut
        image[left, f, 1] = image[right, f, 0] = t_out
        values[left, _MASS], values[right, _MASS] = below, mass - below
        values[left, _VOLUME], values[right, _VOLUME] = volume * v, volume * (1.0 - v)
        smaller, larger = left, right
        if middle - first > last - middle:
            smaller, larger = right, left
        is_open = values[larger, _MASS] >= 2.0 * rule.min_samples_leaf
        if kept > 0 and not (is_open and known[larger, _DEPTH] < rule.max_depth):
            # Nothing is to be taken from it.
            free[n_free] = kept
            n_free += 1
            kept = 0


def grow_tree(
    grid: "Grid",
    weight: NDArray,
    rows: NDArray,
    total: float,
    max_splits: int,
    rule: "GrowthRule",
    features: NDArray,
    random_cuts: NDArray,
    ahead: bool | None,
    given: NDArray | None,
) -> tuple[NDArray, NDArray, NDArray]:
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
    features : ndarray of shape (n_draws, n_drawn)
        Features that nodes, in turn, may cut.
    random_cuts : ndarray of shape (n_draws, n_features or 0)
        Where to cut them, see `best_cut`.
    ahead : True or None
        Whether to look ahead. For None that is not compiled either.
    given : ndarray of shape (n_draws, n_given) or None
        Features that are given, of which nodes, in turn, may ask; see `cut_given`.

    Returns
    -------
    splits : ndarray of shape (n_splits,), dtype SPLIT
    gains : ndarray of shape (n_splits,)
        Log-likelihood that each brings on its rows, in nats times weight.
    leaves : ndarray of shape (n_samples,) or (0,), dtype uint32
        Node in which each row has come to lie; empty where some were not grown on.
    """
    n, d = 2 * max_splits + 1, grid.bins.shape[1]
    # The rest of a node's mass is that of all features only if all were counted.
    n_kept = _N_KEPT if features.shape[1] == d else 0
    # Made here, since numba takes longer to compile what makes an array than a loop.
    nodes = np.empty((n, 6), np.int64), np.empty((n, 4))
    boxes = (
        np.empty((n, d), np.uint8),
        np.empty((n, d), np.uint8),
        np.empty((n, d, 2), np.float32),
    )
    work = (
        np.empty((n_kept + 1, *grid.edges.shape)),
        np.empty(n, np.int64),
        np.empty(n_kept, np.int64),
        np.empty(len(rows), np.uint32),
    )
    out = (
        np.empty((max_splits, 2), np.int32),
        np.empty((max_splits, 2), np.float32),
        np.empty(max_splits),
    )
    known = grid, weight, rows, total, rule, (features, random_cuts), ahead, given
    n = _grow(*known, nodes, boxes, work, out)
    (ends, cuts, gains), splits = out, np.empty(n, SPLIT)
    for k, (name, image) in enumerate((("node", "t_in"), ("feature", "t_out"))):
        splits[name], splits[image] = ends[:n, k], cuts[:n, k]
    return splits, gains[:n].copy(), _leaves(splits, nodes[0], rows, len(weight))


def _leaves(splits: NDArray, known: NDArray, rows: NDArray, n: int) -> NDArray:
    """Return the leaf of each of n rows, that stand in the order of the leaves."""
    if len(rows) < n:
        return UNKNOWN
    is_leaf = np.ones(2 * len(splits) + 1, bool)
    is_leaf[splits["node"]] = False
    found = np.flatnonzero(is_leaf).astype(np.uint32)
    first, last = known[found, _FIRST], known[found, _LAST]
    order, leaves = np.argsort(first), np.empty(n, np.uint32)
    leaves[rows] = np.repeat(found[order], (last - first)[order])
    return leaves
