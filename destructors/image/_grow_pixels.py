"""How a tree is grown that tells levels of pixels from those of their neighbours."""

import numpy as np

from destructors.maps._jit import jit


@jit
def _x_log_x(x):
    return x * np.log(x) if x > 0.0 else 0.0


@jit
def grow(seen, level, weight, n_seen, n_levels, least, min_gain, max_nodes):
    """Grow a tree that parts rows so that their levels are told best.

    A split is the one of all questions ``seen[:, f] > t`` that raises the likelihood of
    the levels most, each side having a distribution of its own.

    Parameters
    ----------
    seen : ndarray of shape (n_rows, n_questions), dtype uint8
        What can be asked for, numbers below ``n_seen``.
    level : ndarray of shape (n_rows,), dtype uint8
        What is to be told, numbers below ``n_levels``.
    weight : ndarray of shape (n_rows,)
    n_seen, n_levels : int
    least : float
        Smallest weight of a leaf.
    min_gain : float
        Least rise of the log-likelihood by a split, in nats.
    max_nodes : int
        Largest number of nodes.

    Returns
    -------
    feature, threshold, left : ndarray of int of shape (n_nodes,)
        As in `destructors.maps.PixelTree`, with thresholds in units of ``seen``.
    """
    n, d = seen.shape
    feature = np.zeros(max_nodes, np.int64)
    threshold = np.zeros(max_nodes, np.int64)
    left = np.arange(max_nodes)
    begin, end = np.zeros(max_nodes, np.int64), np.zeros(max_nodes, np.int64)
    rows, spare = np.arange(n), np.empty(n, np.int64)
    counts = np.empty((d, n_seen, n_levels))
    total, side = np.empty(n_levels), np.empty(n_levels)
    end[0], n_nodes, node = n, 1, 0
    # Nodes in the order in which they are made: widest first.
    while node < n_nodes and n_nodes + 2 <= max_nodes:
        counts[:] = 0.0
        for place in range(begin[node], end[node]):
            row = rows[place]
            k, w = level[row], weight[row]
            for f in range(d):
                counts[f, seen[row, f], k] += w
        mass, fit = 0.0, 0.0
        for k in range(n_levels):
            total[k] = 0.0
            for t in range(n_seen):
                total[k] += counts[0, t, k]
            mass += total[k]
            fit += _x_log_x(total[k])
        fit -= _x_log_x(mass)
        best, best_f, best_t = min_gain, -1, -1
        if mass >= 2.0 * least:
            for f in range(d):
                below = 0.0
                side[:] = 0.0
                for t in range(n_seen - 1):
                    added = 0.0
                    for k in range(n_levels):
                        side[k] += counts[f, t, k]
                        added += counts[f, t, k]
                    below += added
                    if added == 0.0 or below < least or mass - below < least:
                        continue
                    gain = -_x_log_x(below) - _x_log_x(mass - below) - fit
                    for k in range(n_levels):
                        gain += _x_log_x(side[k]) + _x_log_x(total[k] - side[k])
                    # Of two that gain the same up to rounding, the first.
                    if gain > best * (1.0 + 1e-9):
                        best, best_f, best_t = gain, f, t
        if best_f >= 0:
            first, last = begin[node], 0
            for place in range(begin[node], end[node]):
                row = rows[place]
                if seen[row, best_f] <= best_t:
                    rows[first] = row
                    first += 1
                else:
                    spare[last] = row
                    last += 1
            for i in range(last):
                rows[first + i] = spare[i]
            feature[node], threshold[node], left[node] = best_f, best_t, n_nodes
            begin[n_nodes], end[n_nodes] = begin[node], first
            begin[n_nodes + 1], end[n_nodes + 1] = first, end[node]
            n_nodes += 2
        node += 1
    return feature[:n_nodes], threshold[:n_nodes], left[:n_nodes]
