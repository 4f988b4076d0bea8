"""The likelihood of a tree of pairs as codes change places, in compiled loops.

A *map* gives each code of a part of the rows its place; codes and places of all columns
stand in one row (see `Layout`). Rows in their places are counted by column and by
linked pair of columns: the log-likelihood of the best tree-shaped base is the sum of
``n log n`` over the cells of all links, minus that over the codes of each column as
often as it has links beyond the first. Without links it is that of independent columns.
"""

import numpy as np
from numpy.typing import NDArray

from destructors.discrete._counts import Layout
from destructors.maps._jit import jit

# Pseudo-count of a cell in the likelihood that exchanges are compared by.
_EPS = 0.1
# Rounds over the columns, in search of exchanges.
_N_ROUNDS = 2


@jit
def add_counts(counts, mapping, layout, to, sign):
    """Add (or take away) the counts of a part, in the places its map gives.

    Parameters
    ----------
    counts : ndarray of shape (n_places,)
        Counts of the part, by its own codes.
    mapping : ndarray of shape (n_codes,)
        Place of each code.
    layout : Layout
        Of the columns.
    to : ndarray of shape (n_places,)
        Counts by place; changed.
    sign : float
        1.0 to add, -1.0 to take away.
    """
    for c in range(len(mapping)):
        if counts[c] > 0.0:
            to[mapping[c]] += sign * counts[c]
    for j in range(len(layout.parents)):
        if layout.parents[j] < 0:
            continue
        f, g = layout.starts[layout.parents[j]], layout.starts[j]
        width = layout.sizes[j]
        for a in range(layout.sizes[layout.parents[j]]):
            line = layout.cells[j] + (mapping[f + a] - f) * width - g
            for b in range(width):
                n = counts[layout.cells[j] + a * width + b]
                if n > 0.0:
                    to[line + mapping[g + b]] += sign * n


def take_out(
    counts: NDArray, mapping: NDArray, layout: Layout, whole: NDArray
) -> NDArray:
    """Return counts by place without those of a part; rounding leaves no debris."""
    left = whole.copy()
    add_counts(counts, mapping, layout, left, -1.0)
    left[left < 1e-9 * whole] = 0.0
    return left


@jit
def _likelihood(counts, layout):
    total = 0.0
    for n in counts[layout.starts[-1] :]:
        if n > 0.0:
            total += n * np.log(n)
    for f in range(len(layout.sizes)):
        if layout.surplus[f] != 0.0:
            for n in counts[layout.starts[f] : layout.starts[f + 1]]:
                if n > 0.0:
                    total -= layout.surplus[f] * n * np.log(n)
    return total


@jit
def _match(counts, mapping, domain, popularity, layout, f, min_gain):
    """Return the r-th least frequent code of a column the r-th least popular place,
    where that gains more than it costs; return the difference.

    No other map of the column has a larger likelihood where columns are independent.
    Of equals, the order that there was is kept. ``popularity`` counts by place what is
    not in the part.
    """
    codes = np.empty(layout.sizes[f], np.int64)
    places, m = np.empty_like(codes), 0
    for c in range(layout.starts[f], layout.starts[f + 1]):
        if domain[c]:
            # Insertion: lists are short.
            p, b = mapping[c], m
            while b > 0 and (
                popularity[places[b - 1]] > popularity[p]
                or (popularity[places[b - 1]] == popularity[p] and places[b - 1] > p)
            ):
                codes[b], places[b] = codes[b - 1], places[b - 1]
                b -= 1
            codes[b], places[b] = c, p
            m += 1
    for a in range(1, m):
        c, b = codes[a], a
        while b > 0 and counts[codes[b - 1]] > counts[c]:
            codes[b] = codes[b - 1]
            b -= 1
        codes[b] = c
    gain = 0.0
    for r in range(m):
        c, p = codes[r], places[r]
        if mapping[c] != p and counts[c] > 0.0:
            gain -= min_gain
        before = popularity[mapping[c]] + counts[c]
        after = popularity[p] + counts[c]
        if before > 0.0:
            gain -= before * np.log(before)
        if after > 0.0:
            gain += after * np.log(after)
    if gain <= 1e-9:
        return 0.0
    for r in range(m):
        mapping[codes[r]] = places[r]
    return gain


@jit
def _weigh_places(counts, mapping, logs, layout, f):
    """Return the log-likelihood of each code of a column in each place, other columns
    as they are, by logarithms of the counts of all that is not in the part.
    """
    low, k = layout.starts[f], layout.sizes[f]
    worth = np.empty((k, k))
    for a in range(k):
        for p in range(k):
            worth[a, p] = -layout.surplus[f] * counts[low + a] * logs[low + p]
    for j in range(len(layout.parents)):
        begin, parent = layout.cells[j], layout.parents[j]
        if parent == f:
            other, width = layout.starts[j], layout.sizes[j]
            for a in range(k):
                for b in range(width):
                    n = counts[begin + a * width + b]
                    if n > 0.0:
                        at = begin + mapping[other + b] - other
                        for p in range(k):
                            worth[a, p] += n * logs[at + p * width]
        elif j == f and parent >= 0:
            other = layout.starts[parent]
            for b in range(layout.sizes[parent]):
                at = begin + (mapping[other + b] - other) * k
                for a in range(k):
                    n = counts[begin + b * k + a]
                    if n > 0.0:
                        for p in range(k):
                            worth[a, p] += n * logs[at + p]
    return worth


@jit
def _exchange(counts, mapping, domain, around, layout, min_gain):
    """Let two codes of a column change places, the best pair first, while that gains.

    ``around`` counts by place what is not in the part.
    """
    logs = np.log(around + _EPS)
    for _ in range(_N_ROUNDS):
        changed = False
        for f in range(len(layout.sizes)):
            if layout.surplus[f] < 0.0:
                # Alone: the match was the best already.
                continue
            low, k = layout.starts[f], layout.sizes[f]
            worth = _weigh_places(counts, mapping, logs, layout, f)
            while True:
                most, one, two = min_gain, -1, -1
                for a in range(k):
                    if not domain[low + a]:
                        continue
                    at_a = mapping[low + a] - low
                    for b in range(a):
                        # To exchange two codes without rows changes nothing.
                        if (
                            not domain[low + b]
                            or counts[low + a] + counts[low + b] == 0
                        ):
                            continue
                        at_b = mapping[low + b] - low
                        gain = worth[a, at_b] + worth[b, at_a]
                        gain -= worth[a, at_a] + worth[b, at_b]
                        if gain > most:
                            most, one, two = gain, low + a, low + b
                if one < 0:
                    break
                mapping[one], mapping[two] = mapping[two], mapping[one]
                changed = True
        if not changed:
            break


@jit
def score_split(counts, mapping, domains, around, layout, min_gain, matched):
    """Find good maps of the two sides of a split, and what they gain.

    Parameters
    ----------
    counts : ndarray of shape (2, n_places)
        Counts of each side, by its own codes.
    mapping : ndarray of shape (n_codes,)
        Place of each code before the split.
    domains : ndarray of bool of shape (2, n_codes)
        Codes that each side can have.
    around : ndarray of shape (n_places,)
        Counts by place of all rows that are on neither side.
    layout : Layout
        Of the columns.
    min_gain : float
        Log-likelihood that a code with rows must bring to change its place.
    matched : bool
        Whether linked columns start from sides whose frequent codes have popular
        places, or from the map that there is; others always do the former.

    Returns
    -------
    gain : float
        Rise of the log-likelihood, less what the moves cost.
    maps : ndarray of shape (2, n_codes), dtype int64
    """
    maps = np.empty((2, len(mapping)), np.int64)
    maps[0], maps[1] = mapping, mapping
    gain = 0.0
    # All rows but those of one side, by place.
    rest = around.copy()
    for side in range(2):
        rest[:] = around
        add_counts(counts[1 - side], maps[1 - side], layout, rest, 1.0)
        for f in range(len(layout.sizes)):
            if matched or layout.surplus[f] < 0.0:
                part = counts[side], maps[side], domains[side]
                gain += _match(*part, rest, layout, f, min_gain)
    if layout.cells[-1] == len(mapping):
        return gain, maps
    rest[:] = around
    for side in range(2):
        add_counts(counts[side], mapping, layout, rest, 1.0)
    gain = -_likelihood(rest, layout)
    for side in range(2):
        rest[:] = around
        add_counts(counts[1 - side], maps[1 - side], layout, rest, 1.0)
        _exchange(counts[side], maps[side], domains[side], rest, layout, min_gain)
    add_counts(counts[1], maps[1], layout, rest, 1.0)
    gain += _likelihood(rest, layout)
    for side in range(2):
        for c in range(len(mapping)):
            if counts[side, c] > 0.0 and maps[side, c] != mapping[c]:
                gain -= min_gain
    return gain, maps
