"""Compiled growth of trees that share out the bins of a feature, by those before it.

A leaf is a set of rows. In it the expected weight of each bin, by what the mixture and
the trees before give it, is set against the weight of the rows that lie there.
"""

import numpy as np

from destructors.maps import _normal as normal
from destructors.maps._jit import jit

# What is known of a node: where its rows begin and end, and its depth.
_FIRST, _LAST, _DEPTH = range(3)


# Added to weights under a logarithm.
_TINY = 1e-200


def _gain(real, expected, row, prior, n_bins):
    """Return what a leaf of these weights gains, in nats times weight."""
    total, gain = _TINY, 0.0
    for b in range(n_bins):
        total += expected[row, b]
    prior /= total
    for b in range(n_bins):
        # Rounding may leave a row in a bin of no probability.
        own = expected[row, b]
        found = real[row, b] if own > 0.0 else 0.0
        pseudo = prior * own + _TINY
        gain += found * normal.log((found + pseudo) / (own + pseudo))
    return gain


_gain = jit(_gain, any_order=True)


@jit
def grow(rows, places, bins, weights, shares, features, rule, nodes, values, work):
    """Grow a tree, level by level, and fill in its nodes and leaves.

    Parameters
    ----------
    rows : ndarray of int of shape (n_rows,)
        The rows to grow on, reordered in place.
    places : ndarray of shape (n_samples, n_features)
        Bins of the features before.
    bins : ndarray of shape (n_samples,)
        Bins of the feature itself.
    weights : ndarray of shape (n_samples,)
    shares : ndarray of shape (n_samples, n_bins)
        Probabilities of the bins so far.
    features : ndarray of int
        Those that may be asked for.
    rule : tuple
        Largest depth, smallest weight of a leaf, weight of the prior, smallest gain,
        learning rate.
    nodes : ndarray of shape (n_nodes, 3)
        Result; see `destructors.maps.BoostedRosenblatt`.
    values : ndarray of shape (n_leaves, n_bins)
        Result.
    work : tuple of ndarray
        Room for what is known of nodes, for rows, and for weights of bins.

    Returns
    -------
    n_nodes, n_leaves : int
    """
    max_depth, least, prior, min_gain, rate = rule
    known, other, real, expected, ends, sums = work
    n_bins, n_nodes, n_leaves, node = shares.shape[1], 1, 0, 0
    known[0, _FIRST], known[0, _LAST], known[0, _DEPTH] = 0, len(rows), 0
    while node < n_nodes:
        first, last = known[node, _FIRST], known[node, _LAST]
        # Of the whole node, of the part below a cut, and of the part above it.
        for b in range(n_bins):
            for side in range(3):
                ends[side, b] = sums[side, b] = 0.0
        total = 0.0
        for i in range(first, last):
            r = rows[i]
            total += weights[r]
            ends[0, bins[r]] += weights[r]
            for b in range(n_bins):
                sums[0, b] += weights[r] * shares[r, b]
        best, found, cut = min_gain, -1, 0
        is_open = known[node, _DEPTH] < max_depth and total >= 2.0 * least
        whole = _gain(ends, sums, 0, prior, n_bins) if is_open else 0.0
        for k in range(len(features) if is_open else 0):
            f = features[k]
            for place in range(n_bins):
                for b in range(n_bins):
                    real[place, b], expected[place, b] = 0.0, 0.0
            for i in range(first, last):
                r = rows[i]
                place, weight = places[r, f], np.float32(weights[r])
                real[place, bins[r]] += weights[r]
                for b in range(n_bins):
                    expected[place, b] += weight * shares[r, b]
            below = 0.0
            for b in range(n_bins):
                ends[1, b] = sums[1, b] = 0.0
            for place in range(n_bins - 1):
                there = 0.0
                for b in range(n_bins):
                    there += real[place, b]
                    ends[1, b] += real[place, b]
                    sums[1, b] += expected[place, b]
                below += there
                if there == 0.0 or below < least:
                    continue
                if total - below < least:
                    break
                for b in range(n_bins):
                    # Where nothing is left rounding may leave less.
                    ends[2, b] = max(ends[0, b] - ends[1, b], 0.0)
                    sums[2, b] = max(sums[0, b] - sums[1, b], 0.0)
                gain = _gain(ends, sums, 1, prior, n_bins) - whole
                gain += _gain(ends, sums, 2, prior, n_bins)
                if gain > best:
                    best, found, cut = gain, f, place
        if found < 0:
            nodes[node, 0], nodes[node, 1], nodes[node, 2] = -1, 0, n_leaves
            sum_expected = 0.0
            for b in range(n_bins):
                sum_expected += sums[0, b]
            for b in range(n_bins):
                pseudo = prior * sums[0, b] / sum_expected
                ratio = (ends[0, b] + pseudo) / (sums[0, b] + pseudo)
                values[n_leaves, b] = rate * np.log(ratio) if sums[0, b] > 0.0 else 0.0
            n_leaves += 1
            node += 1
            continue
        nodes[node, 0], nodes[node, 1], nodes[node, 2] = found, cut, n_nodes
        middle, n_above = first, 0
        for i in range(first, last):
            r = rows[i]
            if places[r, found] <= cut:
                rows[middle] = r
                middle += 1
            else:
                other[n_above] = r
                n_above += 1
        for i in range(n_above):
            rows[middle + i] = other[i]
        for side in range(2):
            child = n_nodes + side
            known[child, _FIRST] = middle if side else first
            known[child, _LAST] = last if side else middle
            known[child, _DEPTH] = known[node, _DEPTH] + 1
        n_nodes += 2
        node += 1
    return n_nodes, n_leaves


@jit
def share_out(places, nodes, values, shares):
    """Multiply the shares of bins by what a tree says, and make them add up to one."""
    n_bins = shares.shape[1]
    for r in range(len(shares)):
        node, total = 0, 0.0
        while nodes[node, 0] >= 0:
            above = places[r, nodes[node, 0]] > nodes[node, 1]
            node = nodes[node, 2] + above
        leaf = nodes[node, 2]
        for b in range(n_bins):
            shares[r, b] *= values[leaf, b]
            total += shares[r, b]
        for b in range(n_bins):
            shares[r, b] /= total
