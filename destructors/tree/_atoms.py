"""Values that many rows share, and the cells of the axis that they stand for.

A density has no bound at a point that has mass: a tree that may cut ever closer to a
value that repeats never stops gaining, and held-out rows that share the value agree.
What data of such a resolution tell is a density on cells: each value stands for a cell
about it, as wide as the gap to its nearest neighbour, so an integer for one of width 1.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from destructors.maps import Affine
from destructors.maps._cube import to_cube
from destructors.rows import Fold, Rows, mean_and_scale
from destructors.tree._rule import Grid

# Standardised values nearer than this are one: earlier layers leave rounding errors.
_SAME = 2.0**-40
# Of n standard values about n² times a third of that are so near to another by chance
# where the density is normal; several times as many are no sign of values that repeat.
_BY_CHANCE = 4.0 * _SAME
# Half of the widest cell, in standard deviations: evenly spread over it, rows have that
# of the column. A value of nearly all the weight has others thousands of them away, and
# half of that would be beyond the cube, which ends at 8: no tree could gather it.
_WIDEST = 3.0**0.5
# Latent rows are known to a millionth of the base: what is less, where others decide a
# column, is what rounding and the tilt of a mixture, a tenth of that, have left. Where
# so many values differ that some are as near by chance it is a share of what parts
# them on average.
_RESOLUTION, _OF_A_GAP = 1e-6, 1e-3
# The share of all rows from which on equal ones are as many, if they fill a leaf.
_HEAVY = 0.01
# Rows that are equal are spread over their cells as so many points in all, or this many
# times the number of different rows.
_N_POINTS, _N_POINTS_EACH = 1000, 4


def choose_units(rows: Rows) -> Affine:
    """Return what brings rows to mean zero and standard deviation one.

    A latent column that varies by less than can be told has no scale, as a constant.
    """
    mean, scale, _ = mean_and_scale(rows)
    if rows.are_latent:
        scale[scale < _RESOLUTION] = 1.0
    return Affine(mean, scale)


def resolution_of(rows: Rows, units: Affine) -> NDArray:
    """Return what can be told in each column, in standard units; zero if all can."""
    return rows.are_latent * _RESOLUTION / units.scale


def find_cells(
    codes: NDArray, values: NDArray, counts: NDArray
) -> tuple[NDArray, NDArray]:
    """Return the cells of the values of a column that repeat.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Rank of each row's value among the distinct ones.
    values : ndarray of shape (n_distinct,)
        These, increasing.
    counts : ndarray of shape (n_rows,)
        How often each row counts.

    Returns
    -------
    atoms : ndarray of shape (n_atoms,)
        Ranks of the values that count more than once.
    halves : ndarray of shape (n_atoms,)
        Half the width of the cell of each.
    """
    # A constant column tells no width.
    total = np.bincount(codes, counts, len(values)) * (len(values) > 1)
    gaps = np.r_[np.inf, np.diff(values), np.inf]
    atoms = np.flatnonzero(total > 1.0)
    return atoms, 0.5 * np.minimum(gaps[atoms], gaps[atoms + 1])


def rank_values(column: NDArray, resolution: float = 0.0) -> tuple[NDArray, NDArray]:
    """Return the rank of each value among the distinct ones, and these.

    Parameters
    ----------
    column : ndarray of shape (n_rows,)
        In standard units.
    resolution : float, default=0.0
        Of the values, see `resolution_of`.
    """
    order = np.argsort(column, kind="stable")
    ordered = column[order]
    gaps = np.diff(ordered, prepend=-np.inf)
    is_first = gaps > _SAME
    if resolution > 0.0:
        is_first = gaps > max(min(resolution, _OF_A_GAP / is_first.sum()), _SAME)
    codes = np.empty(len(column), np.intp)
    codes[order] = np.cumsum(is_first) - 1
    return codes, ordered[is_first]


# ---------------------------------------------------------------------- spread rows


def spread_atoms(
    fold: Fold,
    units: Affine,
    seed: int,
    first_column: int = 0,
    min_samples_leaf: float = np.inf,
) -> Fold:
    """Return rows that are spread evenly over the cells of the values that they share.

    Trees that are grown on them see that the density is even there, and the held-out
    rows cannot be told by heart from the values that they have in common with others.

    Parameters
    ----------
    fold : Fold
        Rows. Where no more of them share a value than by chance, they are returned.
    units : Affine
        What brings them to standard units.
    seed : int
        Of the draws.
    first_column : int, default=0
        Columns before it stay as they are.
    min_samples_leaf : float, default=inf
        Weight of a leaf. One row that has it, and a hundredth of all, stands for cells
        even if no other shares its values: leaves could close in on it.

    Returns
    -------
    fold : Fold
        Rows that are equal are one there, or several of a part of the weight each.
    """
    parts = [fold.train] + ([] if fold.validation is None else [fold.validation])
    Z = np.concatenate([units.forward(part.values)[0] for part in parts])
    columns = list(map(rank_values, Z.T))
    weight = np.concatenate([part.weights for part in parts])
    of_part = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    heavy = max(min_samples_leaf, 2.0, _HEAVY * weight.sum()) * (1.0 - 1e-9)
    if weight.max() < heavy and not _repeat(columns[first_column:], len(Z)):
        return fold
    # Rows that are equal repeat no value but their own.
    first, mass = _different(columns, of_part, weight)
    if mass.max() < heavy and not _repeat(columns[first_column:], len(first)):
        return fold
    if (resolution := resolution_of(fold.train, units)).any():
        columns = list(map(rank_values, Z.T, resolution))
        first, mass = _different(columns, of_part, weight)
    codes = np.column_stack([codes[first] for codes, _ in columns])
    of_part, weight = of_part[first], mass
    counts = np.where(weight >= heavy, 2.0, 1.0)
    halves = np.zeros((len(first), Z.shape[1]))
    for j, (_, values) in list(enumerate(columns))[first_column:]:
        atoms, half = find_cells(codes[:, j], values, counts)
        by_value = np.zeros(len(values))
        by_value[atoms] = np.minimum(half, _WIDEST)
        halves[:, j] = by_value[codes[:, j]]
    if not halves.any():
        return fold
    rng = np.random.RandomState(seed)
    spread = []
    for k, part in enumerate(parts):
        here = of_part == k
        index = first[here] - (len(parts[0]) if k else 0)
        rows = replace(part.take(index), weight=weight[here])
        spread.append(_spread(rows, codes[here], halves[here] * units.scale, rng))
    return Fold(spread[0], spread[1] if len(spread) > 1 else None)


def _repeat(columns: list[tuple[NDArray, NDArray]], n_rows: int) -> bool:
    """Return whether more rows than by chance share a value."""
    n_values = min(len(values) for _, values in columns)
    return n_rows - n_values > _BY_CHANCE * n_rows**2


def _different(
    columns: list[tuple[NDArray, NDArray]], of_part: NDArray, weight: NDArray
) -> tuple[NDArray, NDArray]:
    """Return the first of rows of a part that are equal, and the weight of these.

    Ranks, and so the draws, are the same in any unit and in any order of the rows.
    """
    keys = np.column_stack([of_part, *(codes for codes, _ in columns)])
    order = np.lexsort((*keys.T[1:], of_part))
    keys = keys[order]
    is_first = np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)]
    return order[is_first], np.add.reduceat(weight[order], np.flatnonzero(is_first))


def _spread(
    rows: Rows, codes: NDArray, halves: NDArray, rng: np.random.RandomState
) -> Rows:
    """Return different rows at places of equal mass of their cells."""
    weight = rows.weights
    most = max(_N_POINTS, _N_POINTS_EACH * len(rows))
    copies = np.ceil(weight * min(1.0, most / weight.sum()))
    copies = np.where(halves.any(axis=1), copies, 1.0).astype(np.intp)
    index = np.repeat(np.arange(len(rows)), copies)
    values, weight = rows.values[index], (weight / copies)[index]
    for j in np.flatnonzero(halves.any(axis=0)):
        draws = rng.uniform(size=len(index))
        shared = np.flatnonzero(halves[index, j] > 0.0)
        value = codes[index[shared], j]
        # The rows of a cell in a drawn order, each in the middle of its mass.
        order = np.lexsort((draws[shared], value))
        shared, value = shared[order], value[order]
        starts = np.flatnonzero(np.diff(value, prepend=-1))
        sizes = np.diff(np.r_[starts, len(value)])
        mass = np.cumsum(weight[shared])
        before = np.repeat(np.r_[0.0, mass][starts], sizes)
        total = np.repeat(np.add.reduceat(weight[shared], starts), sizes)
        share = (mass - before - 0.5 * weight[shared]) / total
        share = np.clip(share, 0.0, 1.0)
        values[shared, j] += halves[index[shared], j] * (2.0 * share - 1.0)
    return replace(rows.take(index), values=values, weight=weight)


# ---------------------------------------------------------------------- edges


def between_values(
    grid: Grid, U: NDArray, Z: NDArray, weight: NDArray, resolution: NDArray
) -> Grid:
    """Return a grid whose edges lie at the ends of cells, not inside.

    Parameters
    ----------
    grid : Grid
        Rows on a grid.
    U, Z : ndarray of shape (n_samples, n_features)
        The rows, in the cube and in standard units.
    weight : ndarray of shape (n_samples,)
        Their weights.
    resolution : ndarray of shape (n_features,)
        Of the rows, see `resolution_of`.
    """
    bins, edges, n_bins = grid
    for j, z in enumerate(Z.T):
        codes, values = rank_values(z, resolution[j])
        if len(values) == 1:
            # A constant column has no shape, and its rows may lie on a cut.
            n_bins[j], edges[j, 1:], bins[:, j] = 1, 1.0, 0
            continue
        atoms, halves = find_cells(codes, values, weight)
        if len(atoms) == 0:
            continue
        low, high = to_cube(values[atoms] - halves), to_cube(values[atoms] + halves)
        e = edges[j, 1 : n_bins[j]]
        k = np.clip(np.searchsorted(low, e) - 1, 0, None)
        nearest = np.where(e - low[k] < high[k] - e, low[k], high[k])
        e = np.where((low[k] < e) & (e < high[k]), nearest, e)
        e = np.sort(e[(e > 0.0) & (e < 1.0)])
        # Where cells meet, the ends of both are one.
        e = e[np.diff(e, prepend=-1.0) > _SAME]
        n_bins[j] = len(e) + 1
        edges[j, 1 : len(e) + 1], edges[j, len(e) + 1 :] = e, 1.0
        bins[:, j] = np.searchsorted(e, U[:, j], side="right")
    return grid
