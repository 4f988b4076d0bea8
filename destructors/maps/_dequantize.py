"""Noise that makes discrete columns continuous, and takes itself back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.maps._hash import hash_again, hash_rows
from destructors.maps._map import Data, Surjection

__all__ = ["Dequantize", "Lattice"]

# Noise stays off the edges of its cell by this share, so that rounding never carries
# it across.
_GUARD = 5e-4


@dataclass(frozen=True, eq=False, repr=False)
class Lattice(Data):
    """What a discrete column consists of.

    Parameters
    ----------
    step : float or None
        Distance between neighbouring places of the lattice on which all values lie, as
        the numerator of a fraction; None if there is none.
    offset : float
        Numerator of one of the places.
    denominator : float
        The places are ``(offset + k step) / denominator``, exactly.
    repeated : ndarray of shape (n_repeated,)
        Values that hold a point mass, sorted.
    widths : ndarray of shape (n_repeated,)
        Width of the interval that each is spread over.
    first_up : int
        Repeated values from this one on push what lies above them up; those before it
        push what lies below them down.
    """

    step: float | None
    offset: float
    denominator: float
    repeated: NDArray
    widths: NDArray
    first_up: int

    @property
    def is_trivial(self) -> bool:
        """Whether there is nothing to dequantize."""
        return self.step is None and not len(self.repeated)

    def describe(self) -> dict[str, Any]:
        """Return what is told to the user."""
        step = None if self.step is None else self.step / self.denominator
        return {"step": step, "repeated": self.repeated}

    @cached_property
    def _shifts(self) -> NDArray:
        """How far what lies below the first, between the first and second, … repeated
        value moves.
        """
        rise = np.cumsum(np.r_[0.0, self.widths])
        return rise - rise[self.first_up]

    def spread(self, x: NDArray, noise: NDArray) -> NDArray:
        """Return values with noise, which lies in (0, 1), times the width of a cell."""
        below = np.searchsorted(self.repeated, x)
        y = self._spread_on_lattice(x, noise) + self._shifts[below]
        if len(self.repeated):
            nearest = np.minimum(below, len(self.repeated) - 1)
            hit = self.repeated[nearest] == x
            y[hit] = (self.repeated + self._shifts[:-1])[nearest[hit]]
            y[hit] += noise[hit] * self.widths[nearest[hit]]
        return y

    def gather(self, y: NDArray) -> NDArray:
        """Return the value in whose cell each number lies."""
        below = np.searchsorted(self.repeated + self._shifts[1:], y)
        x = self._floor(y - self._shifts[below])
        if len(self.repeated):
            nearest = np.minimum(below, len(self.repeated) - 1)
            is_above = y >= (self.repeated + self._shifts[:-1])[nearest]
            hit = (below < len(self.repeated)) & is_above
            x[hit] = self.repeated[nearest[hit]]
        return x

    def _spread_on_lattice(self, x: NDArray, noise: NDArray) -> NDArray:
        if self.step is None:
            return x
        width = self.step / self.denominator
        # Off the lattice, and where float64 cannot tell places apart, there is none.
        place = self._floor(x)
        y = np.where(place == x, x + width * noise, x)
        return np.where(self._floor(y) == place, y, x)

    def _floor(self, y: NDArray) -> NDArray:
        step, offset, denominator = self.step, self.offset, self.denominator
        if step is None:
            return y.copy()
        with np.errstate(over="ignore"):
            place = (y * denominator - offset) / step
        # Products of decimals fall short of the integer by rounding.
        place = np.floor(place + 1e-6 + 1e-15 * np.abs(place))
        on = np.abs(place) < 2.0**52
        return np.where(on, (offset + np.where(on, place, 0.0) * step) / denominator, y)


@dataclass(frozen=True, eq=False, repr=False)
class Dequantize(Surjection):
    """Uniform noise within the cells of discrete columns; the inverse rounds back.

    The noise is a hash of the row and the seed, so a row gets the same in any batch.
    The log-determinant is zero: the log density of the row with noise is, on average, a
    lower bound of its log-probability less the log-widths of the cells.

    Parameters
    ----------
    seed : int
        Another seed, other noise.
    lattices : tuple of (Lattice or None)
        Where the values of each column lie; None for one that is continuous.

    References
    ----------
    L. Theis, A. van den Oord and M. Bethge, *A note on the evaluation of generative
    models*, ICLR 2016, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import Dequantize, Lattice
    >>> nothing = np.empty(0)
    >>> integers = Lattice(1.0, 0.0, 1.0, nothing, nothing, 0)
    >>> noise = Dequantize(0, (integers,))
    >>> X = np.array([[2.0], [5.0]])
    >>> noise.inverse(noise.forward(X)[0])[0].ravel()
    array([2., 5.])
    """

    seed: int
    lattices: tuple[Lattice | None, ...]

    feature_wise = True

    def forward(self, X, context=None):
        """Map rows; see `Map.forward`."""
        return self.add_noise(X, hash_rows(X, self.seed)), np.zeros(len(X))

    def add_noise(self, X: NDArray, hashes: NDArray) -> NDArray:
        """Return rows with the noise that belongs to these hashes of 64 bits."""
        Z = X.copy()
        for j, lattice in enumerate(self.lattices):
            if lattice is not None:
                share = hash_again(hashes, self.seed + j)
                noise = _GUARD + (1.0 - 2.0 * _GUARD) * share
                Z[:, j] = lattice.spread(X[:, j], noise)
        return Z

    def inverse(self, Z, context=None):
        """Map rows back; see `Map.inverse`."""
        X = Z.copy()
        for j, lattice in enumerate(self.lattices):
            if lattice is not None:
                X[:, j] = lattice.gather(Z[:, j])
        return X, np.zeros(len(Z))
