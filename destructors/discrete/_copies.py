"""Held-out copies of rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import binom

from destructors.rows import Fold, Rows, hash_again, hash_rows
from destructors.rows._errors import FewRowsError

# The quantiles of so many copies are those of a normal distribution, to one in a
# million. Those of the binomial one would take long, and for 1e17 copies for ever.
_MANY_COPIES = 1e12


def is_divisible(rows: Rows) -> bool:
    """Return whether there are copies enough to hold one out."""
    return bool(np.ceil(rows.weights).sum() >= 2)


def split_copies(rows: Rows, cv: Any, fraction: float, seed: int) -> list[Fold]:
    """Return folds of unique rows, that divide the weight of each copy by copy.

    Where a table has few cells, to hold out rows by what they contain would hide whole
    cells from the fit. Instead, each *copy* of a row goes to a part by a hash of the
    row and the number of the copy. Weights then split the data as repeated rows do, the
    order of the rows does not matter, and the parts are independent draws, as they
    should be.

    Parameters
    ----------
    rows : Rows
        Unique rows. A weight of 3 stands for three copies, and one of 2.5 for three
        that weigh a little less than one each.
    cv : int or None
        Number of folds; None makes one.
    fraction : float
        Share of the total weight to hold out, for one.
    seed : int
        Seed of the split.

    Returns
    -------
    folds : list of Fold
        No part is empty.

    Raises
    ------
    ValueError
        If there are fewer copies than parts.
    """
    shares = [fraction, 1.0 - fraction] if cv is None else [1.0 / int(cv)] * int(cv)
    hashes, n_copies = hash_rows(rows.values, seed), np.ceil(rows.weights)
    left, parts = n_copies.copy(), []
    for i, share in enumerate(shares[:-1]):
        chance = min(share / sum(shares[i:]), 1.0)
        parts.append(_binomial(hash_again(hashes, seed + i), left, chance))
        left -= parts[-1]
    parts.append(left)
    if n_copies.sum() < len(parts):
        raise FewRowsError(
            f"There are {int(n_copies.sum())} row(s), too few to make {len(parts)} "
            "parts for validation."
        )
    ranking = np.argsort(hashes, kind="stable")
    while empty := [part for part in parts if not part.any()]:
        richest = max(parts, key=lambda part: part.sum())
        row = ranking[richest[ranking] > 0][0]
        richest[row] -= 1.0
        empty[0][row] += 1.0
    weights = [part * (rows.weights / n_copies) for part in parts]
    return [
        Fold(rows.weighted(rows.weights - weight), rows.weighted(weight))
        for weight in (weights[:1] if cv is None else weights)
    ]


def _binomial(levels: NDArray, n: NDArray, chance: float) -> NDArray:
    """Return quantiles of the numbers of successes in ``n`` trials."""
    few = n <= _MANY_COPIES
    drawn = binom.ppf(levels, np.where(few, n, 1.0), chance)
    normal = n * chance + np.sqrt(n * chance * (1.0 - chance)) * ndtri(levels)
    return np.clip(np.where(few, drawn, np.rint(normal)), 0.0, n)
