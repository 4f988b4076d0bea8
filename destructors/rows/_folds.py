"""Folds of rows by what they contain, which later rows have a place in too."""

import numpy as np
from numpy.typing import NDArray

from destructors.maps._folds import KnownFolds
from destructors.maps._hash import N_BITS, hash_in_units
from destructors.rows._splits import N_BITS_FEW, columns_units, fold_hashes


def known_folds(
    X: NDArray, sample_weight: NDArray | None, n_folds: int, seed: int
) -> KnownFolds:
    """Split rows into folds of equal weight, by 16 bits, or 33 where these tell too few
    apart; see `fold_rows`.

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
    folds : KnownFolds
        It knows the fold of each of these rows, and of any other.

    Raises
    ------
    ValueError
        If there are fewer different rows than folds.
    """
    units = columns_units(X, sample_weight)
    n_bits, hashes = N_BITS, hash_in_units(X, units, seed)
    if len(np.unique(hashes)) < n_folds:
        n_bits = N_BITS_FEW
        hashes = hash_in_units(X, units, seed, n_bits)
    parts = fold_hashes(hashes, sample_weight, n_folds)
    starts = [hashes[held_out].min() for _, held_out in parts[1:]]
    return KnownFolds(units, np.array(starts, dtype=np.uint64), int(seed), n_bits)
