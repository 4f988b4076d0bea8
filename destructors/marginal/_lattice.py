"""What is discrete about a column: its lattice, and values that stand out of it."""

import numpy as np
from numpy.typing import NDArray

from destructors.maps._dequantize import Lattice

# Fractions whose multiples are recognised: decimals, and one over the smallest gap.
_DECIMALS = 10.0 ** np.arange(9)
_LARGEST_DENOMINATOR = 2.0**20
# Integers above it have no fraction in float64.
_LARGEST_INTEGER = 2.0**52
# A repeated value has at least this share of the rows, and so many rows besides:
# resampled or weighted rows have fewer copies.
_LEAST_SHARE, _LEAST_ROWS = 0.01, 5.0
# On a lattice it stands out if it has so many times the share of a typical place.
_EXCESS = 20.0
# Values that occur so often on average are all repeated.
_ALL_REPEATED = 5.0


def find_lattice(column: NDArray, weight: NDArray | None) -> Lattice:
    """Look for a lattice and for repeated values.

    Parameters
    ----------
    column : ndarray of shape (n_samples,)
        Values.
    weight : ndarray of shape (n_samples,) or None
        Positive weights: a row of weight 2 counts as two.

    Returns
    -------
    lattice : Lattice
    """
    values, places = np.unique(column, return_inverse=True)
    mass = np.bincount(places, weight, len(values))
    total = mass.sum()
    step, offset, denominator = _find_step(values)
    is_repeated = mass >= _LEAST_ROWS + _LEAST_SHARE * total
    if step is not None:
        # Steps across the middle of the others: how many places a typical value has.
        ordinary = values[~is_repeated]
        typical = 1.0
        if len(ordinary) > 1:
            share = np.cumsum(mass[~is_repeated]) / mass[~is_repeated].sum()
            low, high = np.interp([0.1, 0.9], share, ordinary)
            typical += (high - low) * denominator / step
        is_repeated &= mass > _EXCESS / typical * total
    elif total >= _ALL_REPEATED * len(values):
        is_repeated = np.ones(len(values), dtype=bool)
    repeated = values[is_repeated]
    widths = _choose_widths(values, mass, is_repeated)
    # Most of what is not repeated stays where it is.
    between = np.searchsorted(repeated, values[~is_repeated])
    held = np.bincount(between, mass[~is_repeated], len(repeated) + 1)
    return Lattice(step, offset, denominator, repeated, widths, int(held.argmax()))


def _find_step(values: NDArray) -> tuple[float | None, float, float]:
    """Return step, offset and denominator of the coarsest lattice that holds all."""
    gaps = np.diff(values)
    if not len(gaps):
        return None, 0.0, 1.0
    closest = np.round(1.0 / max(gaps.min(), 1.0 / _LARGEST_DENOMINATOR))
    for denominator in [*_DECIMALS, max(closest, 1.0)]:
        numerators = np.round(values * denominator)
        if np.abs(numerators).max() >= _LARGEST_INTEGER:
            break
        if (numerators / denominator == values).all():
            whole = numerators.astype(np.int64)
            step = np.gcd.reduce(np.diff(whole))
            # Few values can share a divisor by chance.
            step = step if len(values) > 10 else 1
            return float(step), float(whole[0]), float(denominator)
    return None, 0.0, 1.0


def _choose_widths(values: NDArray, mass: NDArray, is_repeated: NDArray) -> NDArray:
    """Return widths that leave repeated values about the density of the others."""
    shares = mass[is_repeated] / mass.sum()
    others = values[~is_repeated]
    if len(others) > 1:
        share = np.cumsum(mass[~is_repeated]) / mass[~is_repeated].sum()
        low, high = np.interp([0.1, 0.9], share, others)
        spread = (high - low) / (0.8 * (1.0 - shares.sum()))
    else:
        # Wide enough for the gaps between them to vanish.
        spread = 10.0 * np.ptp(values)
    spread = spread or 1.0
    return shares * spread
