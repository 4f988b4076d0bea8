"""The likelihood of a tree of pairs as codes change places, in compiled loops.

A *map* gives each code of a part of the rows its place; codes and places of all columns
stand in one row (see `Layout`). Rows in their places are counted by column and by
linked pair of columns: the log-likelihood of the best tree-shaped base is the sum of
``n log n`` over the cells of all links, minus that over the codes of each column as
often as it has links beyond the first. Without links it is that of independent columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.discrete._counts import Layout
from destructors.maps._jit import HAS_NUMBA, jit

__all__ = ["Links", "add_counts", "count_links", "score_split", "take_out"]

# Pseudo-count of a cell in the likelihood that exchanges are compared by.
_EPS = 0.1
# Rounds over the columns, in search of exchanges.
_N_ROUNDS = 2


class Links(NamedTuple):
    """Pairs of columns whose joint counts the likelihood knows.

    Attributes
    ----------
    first, second : ndarray of shape (n_links,)
        The columns.
    starts : ndarray of shape (n_links + 1,)
        Where the cells of each pair start when all are put in one row.
    surplus : ndarray of shape (n_features,)
        Number of links of each column beyond the first.
    """

    first: NDArray
    second: NDArray
    starts: NDArray
    surplus: NDArray

    @classmethod
    def of(cls, parents: NDArray, layout: Layout) -> Links:
        """Link each feature that has a parent to it."""
        second = np.flatnonzero(parents >= 0)
        first = parents[second].astype(np.int64)
        n_cells = layout.sizes[first] * layout.sizes[second]
        ends = np.bincount(np.concatenate([first, second]), minlength=len(parents))
        return cls(
            first,
            second.astype(np.int64),
            np.concatenate([[0], np.cumsum(n_cells)]).astype(np.int64),
            ends - 1.0,
        )

    def cells(self, X: NDArray, layout: Layout) -> NDArray:
        """Return the cell of each link that each row is in."""
        inside = X[:, self.first] * layout.sizes[self.second] + X[:, self.second]
        return inside + self.starts[:-1]


def count_links(
    places: NDArray, weight: NDArray, rows: NDArray, n_places: int
) -> NDArray:
    """Count the places of some rows.

    Parameters
    ----------
    places : ndarray of shape (n_samples, n_columns)
        Cells of the links or codes, put in one row.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    rows : ndarray of int
        The rows that count.
    n_places : int
        Number of places.

    Returns
    -------
    counts : ndarray of shape (n_places,)
    """
    counts = np.zeros(n_places)
    if HAS_NUMBA:
        _count_loops(places, weight, rows, counts)
        return counts
    spread = np.repeat(weight[rows], places.shape[1])
    np.add.at(counts, places[rows].ravel(), spread)
    return counts


@jit
def _count_loops(places, weight, rows, counts):  # pragma: no cover
    for i in rows:
        for e in range(places.shape[1]):
            counts[places[i, e]] += weight[i]


@jit
def add_counts(joint, alone, mapping, starts, links, to_joint, to_alone, sign):
    """Add (or take away) the counts of a part, in the places its map gives.

    Parameters
    ----------
    joint, alone : ndarray of shape (n_cells,), (n_codes,)
        Counts of the part, by its own codes.
    mapping : ndarray of shape (n_codes,)
        Place of each code.
    starts : ndarray of shape (n_features + 1,)
        Of the layout.
    links : Links
    to_joint, to_alone : ndarray of shape (n_cells,), (n_codes,)
        Counts by place; changed.
    sign : float
        1.0 to add, -1.0 to take away.
    """
    for c in range(len(alone)):
        if alone[c] > 0.0:
            to_alone[mapping[c]] += sign * alone[c]
    for e in range(len(links.first)):
        f, g = starts[links.first[e]], starts[links.second[e]]
        width = starts[links.second[e] + 1] - g
        height = starts[links.first[e] + 1] - f
        for a in range(height):
            line = links.starts[e] + (mapping[f + a] - f) * width - g
            for b in range(width):
                n = joint[links.starts[e] + a * width + b]
                if n > 0.0:
                    to_joint[line + mapping[g + b]] += sign * n


def take_out(joint, alone, mapping, starts, links, from_joint, from_alone):
    """Return counts by place without those of a part; rounding leaves no debris."""
    joint_left, alone_left = from_joint.copy(), from_alone.copy()
    add_counts(joint, alone, mapping, starts, links, joint_left, alone_left, -1.0)
    for counts, total in ((joint_left, from_joint), (alone_left, from_alone)):
        counts[counts < 1e-9 * total] = 0.0
    return joint_left, alone_left


@jit
def _likelihood(joint, alone, starts, links):
    total = 0.0
    for n in joint:
        if n > 0.0:
            total += n * np.log(n)
    for f in range(len(starts) - 1):
        if links.surplus[f] != 0.0:
            for c in range(starts[f], starts[f + 1]):
                if alone[c] > 0.0:
                    total -= links.surplus[f] * alone[c] * np.log(alone[c])
    return total


@jit
def _match(alone, mapping, domain, popularity, start, stop, codes, places):
    """Return the r-th least frequent code the r-th least popular place.

    No other map of the column has a larger likelihood where columns are independent.
    Of equals, the order that there was is kept. Codes and their new places are listed;
    their number is returned.
    """
    m = 0
    for c in range(start, stop):
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
        while b > 0 and alone[codes[b - 1]] > alone[c]:
            codes[b] = codes[b - 1]
            b -= 1
        codes[b] = c
    return m


@jit
def _match_column(
    alone, mapping, domain, popularity, start, stop, min_gain, codes, places
):
    """Match a column where that gains more than it costs; give the difference.

    ``popularity`` counts by place what is not in the part.
    """
    m = _match(alone, mapping, domain, popularity, start, stop, codes, places)
    gain = 0.0
    for r in range(m):
        c, p = codes[r], places[r]
        if mapping[c] != p and alone[c] > 0.0:
            gain -= min_gain
        before = popularity[mapping[c]] + alone[c]
        after = popularity[p] + alone[c]
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
def _weigh_places(joint, alone, mapping, log_joint, log_alone, starts, links, f, worth):
    """Log-likelihood of each code of a column in each place, other columns as they
    are, by logarithms of the counts of all that is not in the part.
    """
    low, k = starts[f], starts[f + 1] - starts[f]
    for a in range(k):
        for p in range(k):
            worth[a, p] = -links.surplus[f] * alone[low + a] * log_alone[low + p]
    for e in range(len(links.first)):
        begin = links.starts[e]
        if links.first[e] == f:
            other = starts[links.second[e]]
            width = starts[links.second[e] + 1] - other
            for a in range(k):
                for b in range(width):
                    n = joint[begin + a * width + b]
                    if n > 0.0:
                        at = begin + mapping[other + b] - other
                        for p in range(k):
                            worth[a, p] += n * log_joint[at + p * width]
        elif links.second[e] == f:
            other = starts[links.first[e]]
            for b in range(starts[links.first[e] + 1] - other):
                at = begin + (mapping[other + b] - other) * k
                for a in range(k):
                    n = joint[begin + b * k + a]
                    if n > 0.0:
                        for p in range(k):
                            worth[a, p] += n * log_joint[at + p]


@jit
def _exchange(
    joint, alone, mapping, domain, at_joint, at_alone, starts, links, min_gain
):
    """Let two codes of a column change places, the best pair first, while that gains.

    ``at_joint`` and ``at_alone`` count by place what is not in the part.
    """
    log_joint, log_alone = np.log(at_joint + _EPS), np.log(at_alone + _EPS)
    for _ in range(_N_ROUNDS):
        changed = False
        for f in range(len(starts) - 1):
            if links.surplus[f] < 0.0:
                # Alone: the match was the best already.
                continue
            low, k = starts[f], starts[f + 1] - starts[f]
            worth = np.empty((k, k))
            _weigh_places(
                joint, alone, mapping, log_joint, log_alone, starts, links, f, worth
            )
            while True:
                most, one, two = min_gain, -1, -1
                for a in range(k):
                    if not domain[low + a]:
                        continue
                    at_a = mapping[low + a] - low
                    for b in range(a):
                        # To exchange two codes without rows changes nothing.
                        if not domain[low + b] or alone[low + a] + alone[low + b] == 0:
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
def score_split(
    joint,
    alone,
    mapping,
    domains,
    at_joint,
    at_alone,
    starts,
    links,
    min_gain,
    matched,
    maps,
):
    """Find good maps of the two sides of a split, and what they gain.

    Parameters
    ----------
    joint, alone : ndarray of shape (2, n_cells), (2, n_codes)
        Counts of each side, by its own codes.
    mapping : ndarray of shape (n_codes,)
        Place of each code before the split.
    domains : ndarray of bool of shape (2, n_codes)
        Codes that each side can have.
    at_joint, at_alone : ndarray of shape (n_cells,), (n_codes,)
        Counts by place of all rows that are on neither side.
    starts : ndarray of shape (n_features + 1,)
        Of the layout.
    links : Links
    min_gain : float
        Log-likelihood that a code with rows must bring to change its place.
    matched : bool
        Whether linked columns start from sides whose frequent codes have popular
        places, or from the map that there is; others always do the former.
    maps : ndarray of shape (2, n_codes), dtype int64
        The maps that are found.

    Returns
    -------
    gain : float
        Rise of the log-likelihood, less what the moves cost.
    """
    d = len(starts) - 1
    has_links = len(links.first) > 0
    widest = 0
    for f in range(d):
        widest = max(widest, starts[f + 1] - starts[f])
    codes, places = np.empty(widest, np.int64), np.empty(widest, np.int64)
    maps[0], maps[1] = mapping, mapping
    gain = 0.0
    for side in range(2):
        popularity = at_alone.copy()
        for c in range(len(mapping)):
            if alone[1 - side, c] > 0.0:
                popularity[maps[1 - side, c]] += alone[1 - side, c]
        for f in range(d):
            if matched or links.surplus[f] < 0.0:
                gain += _match_column(
                    alone[side],
                    maps[side],
                    domains[side],
                    popularity,
                    starts[f],
                    starts[f + 1],
                    min_gain,
                    codes,
                    places,
                )
    if not has_links:
        return gain
    rest_joint, rest_alone = at_joint.copy(), at_alone.copy()
    for side in range(2):
        add_counts(
            joint[side],
            alone[side],
            mapping,
            starts,
            links,
            rest_joint,
            rest_alone,
            1.0,
        )
    gain = -_likelihood(rest_joint, rest_alone, starts, links)
    for side in range(2):
        rest_joint[:], rest_alone[:] = at_joint, at_alone
        add_counts(
            joint[1 - side],
            alone[1 - side],
            maps[1 - side],
            starts,
            links,
            rest_joint,
            rest_alone,
            1.0,
        )
        _exchange(
            joint[side],
            alone[side],
            maps[side],
            domains[side],
            rest_joint,
            rest_alone,
            starts,
            links,
            min_gain,
        )
    add_counts(joint[1], alone[1], maps[1], starts, links, rest_joint, rest_alone, 1.0)
    gain += _likelihood(rest_joint, rest_alone, starts, links)
    for side in range(2):
        for c in range(len(mapping)):
            if alone[side, c] > 0.0 and maps[side, c] != mapping[c]:
                gain -= min_gain
    return gain
