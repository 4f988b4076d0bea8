"""Weights that count rows, in a range where float64 can tell them apart."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# The least share of the weight that a row has.
_RAREST = 2.0**-30


class Size(NamedTuple):
    """How large weights are.

    Attributes
    ----------
    exponent : int
        That of two which is next above the largest.
    total : float
        Their sum, over two to the exponent; zero if all weights are zero.
    """

    exponent: int
    total: float


def size_of_weights(weight: NDArray) -> Size:
    """Return how large non-negative weights are."""
    exponent = int(np.frexp(weight.max(initial=0.0))[1])
    return Size(exponent, float(np.ldexp(weight, -exponent).sum()))


def join_sizes(one: Size | None, other: Size) -> Size:
    """Return how large the weights of two parts are together."""
    if one is None or not one.total > 0:
        return other
    if not other.total > 0:
        return one
    exponent = max(one.exponent, other.exponent)
    totals = [np.ldexp(size.total, size.exponent - exponent) for size in (one, other)]
    return Size(exponent, float(sum(totals)))


def scale_weights(weight: NDArray, size: Size) -> NDArray:
    """Return weights that sums, shares and quantiles can tell apart.

    Weights count rows. A positive one is taken for a row in 2**30 at least: no table in
    memory has a rarer one, and next to shares of less, squares of what is left have no
    digits. A sum beyond 2**53, more rows than float64 can count, or below a half, of
    which a penalty for few rows leaves no digits, is brought there by a power of two.
    All others stay what they are, to the last bit.

    Parameters
    ----------
    weight : ndarray of shape (n_rows,)
        Non-negative weights.
    size : Size
        That of the weights of all rows, of which these may be a part.
    """
    exponent, total = size
    if not total > 0:
        return weight
    scaled = np.ldexp(weight, -exponent)
    scaled = np.where(weight > 0, np.maximum(scaled, _RAREST * total), 0.0)
    digits = exponent + int(np.frexp(total)[1])
    return np.ldexp(scaled, exponent + int(np.clip(digits, 0, 53)) - digits)


def weighted_mean(values: NDArray, weight: NDArray | None) -> float:
    """Return the weighted mean, of scores of rows far out and of any weights.

    Neither products nor sums overflow: weights are first divided by a power of two that
    is not less than their sum, which rounds nothing.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
    weight : ndarray of shape (n_rows,) or None
        Non-negative weights, not all zero; None for equal ones.

    Returns
    -------
    mean : float
    """
    if weight is None:
        unit = 2.0 ** -np.frexp(len(values))[1]
        return float((unit * values).sum() / (unit * len(values)))
    largest = np.ldexp(weight, -size_of_weights(weight).exponent)
    share = np.ldexp(largest, -np.frexp(largest.sum())[1])
    return float((values * share).sum() / share.sum())
