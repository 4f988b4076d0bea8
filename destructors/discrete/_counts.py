"""Counts of codes by place, and the likelihood that rises as codes change places.

A *map* gives each code of a part of the rows its place in its column; places of all
columns stand in one row, and behind them those of the cells of linked columns (see
`Layout`). The log-likelihood of the best tree-shaped base is the sum of ``n log n``
over the cells of all links, minus that over the codes of each column as often as it has
links beyond the first. Without links it is that of independent columns.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.maps._jit import jit

# Pseudo-count of a cell in the likelihood that exchanges are compared by.
_EPS = 0.1
# Rounds over the columns, in search of exchanges.
_N_ROUNDS = 2


class Layout(NamedTuple):
    """Places of codes, and behind them of the cells of linked columns, in one row.

    Attributes
    ----------
    sizes : ndarray of shape (n_features,)
        Number of codes of each column.
    starts : ndarray of shape (n_features + 1,)
        Place of code 0 of each column, and the number of all codes.
    parents : ndarray of shape (n_features,)
        The column that each is linked to; -1 for none.
    surplus : ndarray of shape (n_features,)
        Number of links of each column beyond the first.
    cells : ndarray of shape (n_features + 1,)
        Where the cells begin in which a column and its parent are counted together
        (those of a code of the parent stand side by side), and the number of places.
    columns, offsets : ndarray of shape (n_places,)
        Column of each place, and where its codes or cells begin.
    upper, steps, lower : ndarray of shape (n_places,)
        Codes that meet in a cell, of the parent and of the column, and how far cells of
        the next code of the parent are: a map puts each at ``offsets + steps *
        map[upper] + map[lower]``. A code by itself is the lower; its step is 0.
    """

    sizes: NDArray
    starts: NDArray
    parents: NDArray
    surplus: NDArray
    cells: NDArray
    columns: NDArray
    offsets: NDArray
    upper: NDArray
    steps: NDArray
    lower: NDArray

    @classmethod
    def of(cls, sizes: NDArray, parents: NDArray | None = None) -> "Layout":
        """Lay out columns of codes, each linked to its parent."""
        d = len(sizes)
        parents = np.full(d, -1) if parents is None else parents.astype(np.int64)
        linked, starts = parents >= 0, np.cumsum(np.append(0, sizes))
        n_cells = np.where(linked, sizes * sizes[parents], 0)
        cells = starts[-1] + np.cumsum(np.append(0, n_cells))
        n_places = np.append(sizes, n_cells)
        columns = np.repeat(np.tile(np.arange(d), 2), n_places)
        offsets = np.repeat(np.append(starts[:-1], cells[:-1]), n_places)
        upper, lower = np.divmod(np.arange(cells[-1]) - offsets, sizes[columns])
        upper += starts[:-1][parents[columns]]
        lower += starts[columns]
        steps = np.where(np.arange(cells[-1]) < starts[-1], 0, sizes[columns])
        surplus = linked + np.bincount(parents[linked], minlength=d) - 1.0
        return cls(
            sizes,
            starts,
            parents,
            surplus,
            cells,
            columns,
            offsets,
            upper,
            steps,
            lower,
        )

    def block(self, j: int) -> slice:
        """Places of the codes of a column."""
        return slice(int(self.starts[j]), int(self.starts[j + 1]))

    def places(self, X: NDArray) -> NDArray:
        """Return the places of the codes of each row, and of the cells it is in."""
        [linked] = np.nonzero(self.parents >= 0)
        cells = X[:, self.parents[linked]] * self.sizes[linked] + X[:, linked]
        return np.hstack([X + self.starts[:-1], cells + self.cells[linked]])


def xlogx(x: NDArray) -> NDArray:
    """Return ``x log x``, zero at zero."""
    return x * np.log(np.where(x > 0, x, 1.0))


# ------------------------------------------------------------------ counts of rows


def _count_vectorised(
    lines: NDArray, places: NDArray, weight: NDArray, rows: NDArray, table: NDArray
) -> NDArray:
    """Add the weight of rows to a table, at their places and in their lines.

    Parameters
    ----------
    lines : ndarray of shape (n_samples, n_lines_of_a_row)
        Lines in which each row counts, no line twice; -1 for none.
    places : ndarray of shape (n_samples, n_places_of_a_row)
        Places at which it does.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.
    rows : ndarray of int
        The rows that count.
    table : ndarray of shape (n_lines, n_places)
        What is added to; zeros in the beginning.

    Returns
    -------
    table : ndarray
        The same.
    """
    for line in lines.T:
        kept = rows[line[rows] >= 0]
        cells = line[kept, None] * table.shape[1] + places[kept]
        spread = np.repeat(weight[kept], places.shape[1])
        table += np.bincount(cells.ravel(), spread, table.size).reshape(table.shape)
    return table


def _count_loops(lines, places, weight, rows, table):  # pragma: no cover
    """Count row by row."""
    for i in rows:
        for line in lines[i]:
            if line >= 0:
                for place in places[i]:
                    table[line, place] += weight[i]
    return table


count = jit(_count_loops, plain=_count_vectorised)


# ------------------------------------------------------------------ changes of places


@jit
def add_counts(counts, mapping, layout, to, sign):
    """Add (or take away) the counts of a part, in the places its map gives.

    Parameters
    ----------
    counts : ndarray of shape (n_places,)
        Counts of the part, by its own codes.
    mapping : ndarray of shape (n_codes,)
        Place of each code in its column.
    layout : Layout
        Of the columns.
    to : ndarray of shape (n_places,)
        Counts by place; changed.
    sign : float
        1.0 to add, -1.0 to take away.

    Returns
    -------
    to : ndarray of shape (n_places,)
        The same.
    """
    for c in range(len(counts)):
        if counts[c] > 0.0:
            at = layout.steps[c] * mapping[layout.upper[c]] + mapping[layout.lower[c]]
            to[layout.offsets[c] + at] += sign * counts[c]
    return to


@jit
def _xlogx(x):
    return x * np.log(x) if x > 0.0 else 0.0


@jit
def _likelihood(counts, layout):
    total = 0.0
    for n in counts[layout.cells[0] :]:
        total += _xlogx(n)
    for c in range(layout.cells[0]):
        if counts[c] > 0.0:
            surplus = layout.surplus[layout.columns[c]]
            total -= surplus * counts[c] * np.log(counts[c])
    return total


@jit
def _sort(items, n, keys):
    """Sort the first items by their keys, stably, in place; lists are short."""
    for a in range(1, n):
        item, b = items[a], a
        while b > 0 and keys[items[b - 1]] > keys[item]:
            items[b] = items[b - 1]
            b -= 1
        items[b] = item


@jit
def _match(counts, mapping, domain, popularity, min_gain):
    """Return the r-th least frequent code of a column the r-th least popular place,
    where that gains more than it costs; return the difference.

    No other map of the column has a larger likelihood where columns are independent.
    Of equals, the order that there was is kept. ``popularity`` counts by place what is
    not in the part.
    """
    k, m = len(mapping), 0
    code_at, codes, places = (
        np.empty(k, np.int64),
        np.empty(k, np.int64),
        mapping.copy(),
    )
    for c in range(k):
        code_at[mapping[c]] = c
    for p in range(k):
        if domain[code_at[p]]:
            places[m] = p
            m += 1
    _sort(places, m, popularity)
    for r in range(m):
        codes[r] = code_at[places[r]]
    _sort(codes, m, counts)
    gain = 0.0
    for r in range(m):
        c, p = codes[r], places[r]
        if mapping[c] != p and counts[c] > 0.0:
            gain -= min_gain
        gain -= _xlogx(popularity[mapping[c]] + counts[c])
        gain += _xlogx(popularity[p] + counts[c])
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
    for c in range(k):
        for p in range(k):
            worth[c, p] = -layout.surplus[f] * counts[low + c] * logs[low + p]
    for j in range(len(layout.sizes)):
        if f != j and f != layout.parents[j]:
            continue
        for c in range(layout.cells[j], layout.cells[j + 1]):
            if counts[c] > 0.0:
                if f == j:
                    code, at, step = layout.lower[c], k * mapping[layout.upper[c]], 1
                else:
                    code, at = layout.upper[c], mapping[layout.lower[c]]
                    step = layout.sizes[j]
                at += layout.cells[j]
                for p in range(k):
                    worth[code - low, p] += counts[c] * logs[at + p * step]
    return worth


@jit
def _exchange(counts, mapping, domain, around, layout, min_gain):
    """Exchange the places of two codes, the best pair first, while that gains.

    ``around`` counts by place what is not in the part.
    """
    logs = np.log(around + _EPS)
    for _ in range(_N_ROUNDS):
        changed = False
        for f in range(len(layout.sizes)):
            if layout.surplus[f] < 0.0:
                # Alone: the match was the best already.
                continue
            worth = _weigh_places(counts, mapping, logs, layout, f)
            own = slice(layout.starts[f], layout.starts[f + 1])
            part = counts[own], mapping[own], domain[own]
            while _exchange_two(*part, worth, min_gain):
                changed = True
        if not changed:
            break


@jit
def _exchange_two(counts, mapping, domain, worth, min_gain):
    """Exchange the places of the best pair of codes; return whether there is one."""
    most, one, two = min_gain, 0, 0
    for a in range(len(domain)):
        for b in range(a):
            p, q = mapping[a], mapping[b]
            gain = worth[a, q] + worth[b, p] - (worth[a, p] + worth[b, q])
            # To exchange two codes without rows changes nothing.
            able = domain[a] and domain[b] and counts[a] + counts[b] > 0.0
            if able and gain > most:
                most, one, two = gain, a, b
    mapping[one], mapping[two] = mapping[two], mapping[one]
    return one != two


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
        Codes that each side can have, and that may change their places.
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
    maps, gain = np.vstack((mapping, mapping)), 0.0
    for side in range(2):
        # All rows but those of the side, by place.
        rest = add_counts(counts[1 - side], maps[1 - side], layout, around.copy(), 1.0)
        for f in range(len(layout.sizes)):
            if matched or layout.surplus[f] < 0.0:
                own = slice(layout.starts[f], layout.starts[f + 1])
                part = counts[side, own], maps[side, own], domains[side, own]
                gain += _match(*part, rest[own], min_gain)
    if layout.cells[0] == layout.cells[-1]:
        return gain, maps
    whole = around.copy()
    for side in range(2):
        add_counts(counts[side], mapping, layout, whole, 1.0)
    gain = -_likelihood(whole, layout)
    for side in range(2):
        rest = add_counts(counts[1 - side], maps[1 - side], layout, around.copy(), 1.0)
        _exchange(counts[side], maps[side], domains[side], rest, layout, min_gain)
    gain += _likelihood(add_counts(counts[1], maps[1], layout, rest, 1.0), layout)
    for side in range(2):
        for c in range(len(mapping)):
            if counts[side, c] > 0.0 and maps[side, c] != mapping[c]:
                gain -= min_gain
    return gain, maps
