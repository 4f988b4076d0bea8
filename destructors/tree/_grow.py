"""Growing one density tree on the binned unit cube.

A node is a box. Its split cuts the box at a bin edge; ``v`` is the share of the box's
volume, and ``p`` the share of its mass, that lies below. The tree's map moves the cut
so that the volumes of both parts become their shares of the mass: then the mass is
uniform as far as the tree can tell. The rows of a node stand side by side in one array,
so a split is a partition of a piece of it.
"""

import heapq

import numpy as np

from destructors.maps._jit import jit
from destructors.maps._tree_kernels import SPLIT
from destructors.tree._best_split import best_split, partition

# More than any tree has.
NO_LIMIT = 2**31


@jit
def grow_tree(grid, weight, rows, total, max_splits, rule, features, random_cuts):
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

    Returns
    -------
    splits : ndarray of shape (max_splits,), dtype SPLIT
    gains : ndarray of shape (max_splits,)
        Log-likelihood that each brings on its rows, in nats times weight.
    n_splits : int
        How many there are.
    """
    bins, edges, n_bins = grid
    d, best_first = bins.shape[1], rule.max_leaf_nodes < NO_LIMIT
    n_max = 2 * max_splits + 1
    splits, gains = np.empty(max_splits, SPLIT), np.empty(max_splits)
    # Of each node: its rows, its box in bins and that box's image, and its best cut.
    first, last = np.zeros(n_max, np.int64), np.full(n_max, len(rows))
    depth, volume = np.zeros(n_max, np.int64), np.ones(n_max)
    low, high = np.zeros((n_max, d), np.uint8), np.empty((n_max, d), np.uint8)
    low_image = np.zeros((n_max, d), np.float32)
    high_image = np.ones((n_max, d), np.float32)
    mass, below = np.empty(n_max), np.empty(n_max)
    feature, cut = np.empty(n_max, np.int64), np.empty(n_max, np.int64)
    # Loops, where a slice would do, compile several times faster.
    for j in range(d):
        high[0, j] = n_bins[j]
    mass[0] = total

    histogram = np.empty(edges.shape)
    buffer = np.empty_like(rows)
    frontier = [(0.0, 0) for _ in range(0)]
    n_splits, n_nodes, n_seen = 0, 1, 0
    while n_splits < max_splits:
        for node in range(n_seen, n_nodes):
            if depth[node] == rule.max_depth:
                continue
            if mass[node] < 2.0 * rule.min_samples_leaf:
                continue
            gain, feature[node], cut[node], below[node] = best_split(
                grid,
                weight,
                rows[first[node] : last[node]],
                low[node],
                high[node],
                mass[node],
                rule,
                features[node % len(features)],
                random_cuts[node % len(random_cuts)],
                histogram,
            )
            if feature[node] >= 0:
                heapq.heappush(frontier, (-gain if best_first else -node, node))
        n_seen = n_nodes
        if len(frontier) == 0:
            break
        node = heapq.heappop(frontier)[1]

        f = feature[node]
        start, stop = edges[f, low[node, f]], edges[f, high[node, f]]
        t = edges[f, cut[node]]
        v, p = (t - start) / (stop - start), below[node] / mass[node]
        decay = (1.0 - np.log2(volume[node])) ** -rule.scale_decay
        q = v + rule.learning_rate * decay * (p - v)
        a, b = low_image[node, f], high_image[node, f]
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
    return splits, gains, n_splits
