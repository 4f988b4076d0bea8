"""Hold-outs of tables whose rows repeat.

Where a table has few cells, to hold out rows by what they contain would hide whole
cells from the fit. Instead, each *copy* of a row goes to a part by a hash of the row
and the number of the copy. Weights then split the data as repeated rows do, the order
of the rows does not matter, and the parts are independent draws, as they should be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from destructors.rows import hash_again, hash_rows

__all__ = ["split_copies"]


def split_copies(
    X: NDArray, weight: NDArray, shares: list[float], seed: int
) -> list[NDArray]:
    """Divide the weight of each row among parts, copy by copy.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Different rows.
    weight : ndarray of shape (n_samples,)
        Their weights. One of 3 stands for three copies, and one of 2.5 for three that
        weigh a little less than one each.
    shares : list of float
        Share of each part in the total; they sum to one.
    seed : int
        Seed of the split.

    Returns
    -------
    weights : list of ndarray of shape (n_samples,)
        Weights of the rows in each part; they sum to ``weight``. No part is empty.

    Raises
    ------
    ValueError
        If there are fewer copies than parts.
    """
    hashes = hash_rows(X, seed)
    n_copies = np.ceil(weight)
    left, parts = n_copies.copy(), []
    for i, share in enumerate(shares[:-1]):
        chance = min(share / sum(shares[i:]), 1.0)
        drawn = binom.ppf(hash_again(hashes, seed + i), left, chance)
        parts.append(np.maximum(drawn, 0.0))
        left -= parts[-1]
    parts.append(left)
    if n_copies.sum() < len(parts):
        raise ValueError(
            f"There are {int(n_copies.sum())} row(s), too few to make {len(parts)} "
            "parts for validation. Set early_stopping=False, or give X_val."
        )
    ranking = np.argsort(hashes, kind="stable")
    while empty := [part for part in parts if not part.any()]:
        richest = max(parts, key=lambda part: part.sum())
        row = ranking[richest[ranking] > 0][0]
        richest[row] -= 1.0
        empty[0][row] += 1.0
    return [part * (weight / n_copies) for part in parts]
