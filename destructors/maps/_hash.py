"""Hashes of rows: random numbers that only depend on what a row contains."""

import numpy as np
from numpy.typing import NDArray

_ODD = np.uint64(0x9E3779B97F4A7C15)
# Bits of a mantissa, of 52, that are hashed.
N_BITS = 16
# The same of numbers that no distance from a middle tells apart.
_N_BITS_OF_SIZES = 26


def hash_rows(X: NDArray, seed: int) -> NDArray:
    """Hash each row to 64 bits.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows of float64.
    seed : int
        Another seed, another hash.

    Returns
    -------
    hashes : ndarray of shape (n_samples,), dtype uint64
        Equal for equal rows; of a row alone.
    """
    with np.errstate(over="ignore"):
        hashes = np.full(len(X), seed, dtype=np.uint64)
        for column in X.T:
            # Adding zero makes -0.0 and 0.0, which are equal, equal in bits.
            bits = np.ascontiguousarray(column + 0.0).view(np.uint64)
            hashes = _mix((hashes ^ bits) + _ODD)
    return hashes


def hash_again(hashes: NDArray, seed: int) -> NDArray:
    """Hash hashes under another seed, for a fresh draw at little cost.

    Parameters
    ----------
    hashes : ndarray of shape (n_samples,), dtype uint64
        From `hash_rows`.
    seed : int
        Another seed, another hash.

    Returns
    -------
    shares : ndarray of shape (n_samples,)
        Uniform in [0, 1); equal for equal rows.
    """
    with np.errstate(over="ignore"):
        return _mix(hashes ^ _mix(np.array([seed], dtype=np.uint64))) * 2.0**-64


def hash_copies(X: NDArray, seed: int) -> NDArray:
    """Hash each row to 64 bits, and its number among the rows equal to it.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows of float64.
    seed : int
        Another seed, another hash.

    Returns
    -------
    hashes : ndarray of shape (n_samples,), dtype uint64
        Different for equal rows; the first of them has that of `hash_rows`.
    """
    hashes = hash_rows(X, seed)
    order = np.argsort(hashes, kind="stable")
    first = np.flatnonzero(np.diff(hashes[order], prepend=~hashes[order[:1]]) != 0)
    lengths = np.diff(first, append=len(X))
    number = np.empty(len(X), dtype=np.uint64)
    number[order] = np.arange(len(X)) - np.repeat(first, lengths)
    return hashes + number * _ODD


def hash_in_units(
    X: NDArray, units: NDArray, seed: int, n_bits: int = N_BITS
) -> NDArray:
    """Hash the distances from the middle of each column, in its unit, to some bits."""
    middle, unit, factor = units
    with np.errstate(over="ignore"):
        offset = X * factor - middle
        # Plus one: numbers near the median keep as few digits as others.
        distance = _round(np.abs(offset) / unit + 1.0, n_bits)
    return hash_rows(np.copysign(distance - 1.0, offset), seed)


def hash_sizes(X: NDArray, units: NDArray, seed: int) -> NDArray:
    """Hash numbers, in the units of their columns, to some bits of their own each."""
    _, unit, factor = units
    sizes = np.abs(X * factor / unit)
    return hash_rows(np.copysign(_round(sizes, _N_BITS_OF_SIZES), X), seed)


def _round(values: NDArray, n_bits: int) -> NDArray:
    """Round non-negative numbers to some bits of the mantissa."""
    bits = values.view(np.int64) + 2 ** (51 - n_bits)
    return (bits & -(2 ** (52 - n_bits))).view(np.float64)


def _mix(bits: NDArray) -> NDArray:
    """Finalizer of the SplitMix64 generator (Steele, Lea and Flood, OOPSLA 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
