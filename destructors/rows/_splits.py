"""Hold-outs chosen by what a row contains.

A row goes to the held-out part by a hash of its values. Repeated rows then never stand
on both sides, where they would flatter a model that learned them by heart; weights
split the data exactly as repeated rows do; and neither the order of the rows nor the
unit and the origin of a column change the split.
"""

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors.maps._hash import hash_in_units, hash_sizes
from destructors.rows._errors import FewRowsError

# Bits to tell rows by where the usual ones tell two kinds alone: to 1e-10, which is
# more than rounding.
N_BITS_FEW = 33
# Values farther out, in units of their columns, are taken for this: sums are numbers.
_FARTHEST = 1e150


def hash_roughly(X: NDArray, sample_weight: NDArray | None, seed: int) -> NDArray:
    """Hash each row to 64 bits that rounding errors hardly ever change.

    Rows that went through other layers come back with other last bits when these were
    fitted on weights instead of repeated rows, in another order, or in another unit.
    The hash sees a number by how far it is from the middle of its column.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows of float64.
    sample_weight : ndarray of shape (n_samples,) or None
        Positive weights.
    seed : int
        Another seed, another hash.

    Returns
    -------
    hashes : ndarray of shape (n_samples,), dtype uint64
        Equal for equal rows; for X and ``a * X + b`` the same, if a is positive.
    """
    return hash_in_units(X, columns_units(X, sample_weight), seed)


def order_rows(X: NDArray, sample_weight: NDArray | None, exact: NDArray) -> NDArray:
    """Return an order of rows by `hash_roughly`, in which equal rows are neighbours.

    Where that does not tell rows apart, as in groups that are narrow beside the gaps
    between them, they stand by value: rounding errors then change the places of rows
    only that they make equal.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows of float64.
    sample_weight : ndarray of shape (n_samples,) or None
        Positive weights.
    exact : ndarray of shape (n_samples,), dtype uint64
        Hashes of their last bits as well.

    Returns
    -------
    order : ndarray of int of shape (n_samples,)
        Indices of the rows.
    """
    units = columns_units(X, sample_weight)
    value = np.zeros(len(X))
    with np.errstate(over="ignore"):
        for j, (middle, unit, factor) in enumerate(units.T):
            offset = np.clip((X[:, j] * factor - middle) / unit, -_FARTHEST, _FARTHEST)
            # Unlike weights: sums of columns may all be equal.
            value += offset / np.sqrt(j + 1.0)
    return np.lexsort((exact, value, hash_in_units(X, units, 0)))


def columns_units(X: NDArray, sample_weight: NDArray | None) -> NDArray:
    """Return middle and unit of each column, and the power of two by which it is
    multiplied first, so that differences are inside float64.
    """
    return np.transpose([column_unit(column, sample_weight) for column in X.T])


def column_unit(column: NDArray, weight: NDArray | None) -> tuple[float, float, float]:
    """Return the median, the median distance of those apart from it, and a factor; see
    `columns_units`.

    A number that fills most of the column, and a few that are far from all others,
    leave the distances of the others as they are.
    """
    # A power of two changes no digit.
    factor = 0.25 if np.abs(column).max() > 1e307 else 1.0
    column = column * factor
    middle = _median(column, weight)
    distance = np.abs(column - middle)
    apart, unit = distance > 0, 1.0
    if apart.any():
        unit = _median(distance[apart], None if weight is None else weight[apart])
    return middle, unit, factor


def _median(column: NDArray, weight: NDArray | None) -> float:
    """Return the lower median."""
    if weight is None:
        middle = (len(column) - 1) // 2
        return float(np.partition(column, middle)[middle])
    order = np.argsort(column)
    mass = np.cumsum(weight[order])
    # Weights in another unit must not end on the other side of a half by rounding.
    return float(column[order[np.searchsorted(mass, (0.5 - 1e-9) * mass[-1])]])


def split_rows(
    X: NDArray, sample_weight: NDArray | None, fraction: float, seed: int
) -> tuple[NDArray, NDArray]:
    """Split rows into a training and a held-out part.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows of float64.
    sample_weight : ndarray of shape (n_samples,) or None
        Positive weights.
    fraction : float
        Share of the total weight to hold out, in (0, 1); met as closely as groups of
        equal rows allow.
    seed : int
        Seed of the split.

    Returns
    -------
    train, held_out : ndarray of int
        Indices of the rows, in order. Neither part is empty.

    Raises
    ------
    ValueError
        If all rows are equal, so that no split exists.
    """
    hashes = _tell_rows(X, sample_weight, seed)
    order, first, mass_before = _groups(hashes, sample_weight, n_parts=2)
    total, target = mass_before[-1], fraction * mass_before[-1]
    mass = np.diff(mass_before)
    heaviest = int(mass.argmax())
    if mass[heaviest] > max(fraction, 0.5) * total:
        # One row fills most of the table: that is to be learned, beside half of the
        # others at least, without which it would be all that there is.
        order, first, mass_before = _with_last(order, first, mass, heaviest)
        target = min(target, 0.5 * mass_before[-2])
    end = np.clip(_nearest(mass_before, target), 1, len(first) - 2)
    held_out, train = np.split(order, first[end : end + 1])
    return np.sort(train), np.sort(held_out)


def fold_rows(
    X: NDArray, sample_weight: NDArray | None, n_folds: int, seed: int
) -> list[tuple[NDArray, NDArray]]:
    """Split rows into folds for cross-validation.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows of float64.
    sample_weight : ndarray of shape (n_samples,) or None
        Positive weights.
    n_folds : int
        Number of folds.
    seed : int
        Seed of the split.

    Returns
    -------
    folds : list of (train, held_out) pairs of ndarray of int
        Indices of the rows, in order. No part is empty.

    Raises
    ------
    ValueError
        If there are fewer different rows than folds.
    """
    return fold_hashes(_tell_rows(X, sample_weight, seed), sample_weight, n_folds)


def fold_hashes(
    hashes: NDArray, sample_weight: NDArray | None, n_folds: int
) -> list[tuple[NDArray, NDArray]]:
    """Split rows into folds by their hashes; see `fold_rows`."""
    order, first, mass_before = _groups(hashes, sample_weight, n_parts=n_folds)
    targets = mass_before[-1] * np.arange(n_folds + 1) / n_folds
    ends = _nearest(mass_before, targets)
    # A last group of next to no weight has a fold as well.
    ends[0], ends[-1] = 0, len(first) - 1
    # At least one group a fold, however unequal the groups.
    ends = np.maximum.accumulate(ends - np.arange(n_folds + 1)) + np.arange(n_folds + 1)
    ends = np.minimum(ends, len(first) - 1 - np.arange(n_folds, -1, -1))
    cuts = first[ends]
    return [
        (np.sort(np.r_[order[:start], order[stop:]]), np.sort(order[start:stop]))
        for start, stop in itertools.pairwise(cuts)
    ]


def _with_last(
    order: NDArray, first: NDArray, mass: NDArray, k: int
) -> tuple[NDArray, NDArray, NDArray]:
    """Return what `_groups` does, with one of the groups moved behind all others."""
    groups = np.r_[np.delete(np.arange(len(mass)), k), k]
    start, stop = first[k : k + 2]
    order = np.r_[order[:start], order[stop:], order[start:stop]]
    starts, before = np.diff(first)[groups].cumsum(), mass[groups].cumsum()
    return order, np.r_[0, starts], np.r_[0.0, before]


def _nearest(mass_before: NDArray, target: ArrayLike) -> NDArray:
    """Index of the start of a group that comes closest to a mass."""
    return np.searchsorted(0.5 * (mass_before[1:] + mass_before[:-1]), target)


def _tell_rows(X: NDArray, sample_weight: NDArray | None, seed: int) -> NDArray:
    """Hash rows roughly; if that tells two kinds alone, one of which would be all that
    is trained on, by more digits, and then by the size of each number, if these tell
    more. (Beside a sentinel that fills most of a column, all others may look like one;
    beside 1e300 they are as far from it, to the last digit. Of two rows indeed the size
    tells no more, and far from zero, less.)
    """
    units = columns_units(X, sample_weight)
    hashes = hash_in_units(X, units, seed)
    if _n_kinds(hashes) == 2:
        finer = hash_in_units(X, units, seed, N_BITS_FEW)
        if _n_kinds(finer) == 2:
            finer = hash_sizes(X, units, seed)
        if _n_kinds(finer) > 2:
            return finer
    return hashes


def _n_kinds(hashes: NDArray) -> int:
    """Return how many different hashes there are: 1, 2, or 3 for more."""
    others = hashes[hashes != hashes[0]]
    return 1 + min(len(others), 1 + int((others != others[:1]).any()))


def _groups(
    hashes: NDArray, sample_weight: NDArray | None, n_parts: int
) -> tuple[NDArray, NDArray, NDArray]:
    """Order rows by hash; give where groups of equal rows start in that order, and the
    mass before each. Both have one more entry, for the end.
    """
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    weight = np.ones(len(order)) if sample_weight is None else sample_weight[order]
    first = np.flatnonzero(np.diff(hashes, prepend=~hashes[:1]) != 0)
    if len(first) < n_parts:
        raise FewRowsError(
            f"There are {len(first)} different row(s), too few to make {n_parts} parts "
            "for validation."
        )
    mass_before = np.cumsum(np.r_[0.0, np.add.reduceat(weight, first)])
    return order, np.r_[first, len(order)], mass_before
