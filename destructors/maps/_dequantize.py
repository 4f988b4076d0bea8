"""Noise that makes discrete columns continuous, and takes itself back."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from destructors.maps._checks import are_positions, increases
from destructors.maps._cube import HALF_LOG_2PI, LARGEST
from destructors.maps._hash import hash_again, hash_copies, hash_rows
from destructors.maps._map import Data, Mapped, Surjection

# Noise stays off the edges of its cell by this share, so that rounding never carries
# it across. It can make the bound of a column of categories too high by 0.001 nats.
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

    _positive = ("step", "denominator", "widths")

    def is_valid(self) -> bool:
        """Return whether there is a width for each repeated value."""
        return (
            increases(self.repeated)
            and self.widths.shape == self.repeated.shape
            and 0 <= self.first_up <= len(self.repeated)
        )

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
class _Noise(Surjection):
    """Noise that is a hash of the row and the seed."""

    seed: int

    feature_wise = True

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        return self.spread(X, hash_rows(X, self.seed))

    @abstractmethod
    def spread(self, X: NDArray, hashes: NDArray) -> Mapped:
        """Map rows with the noise that belongs to these hashes of 64 bits."""

    def spread_copies(self, X: NDArray) -> Mapped:
        """Map rows, of which equal ones get noise of their own."""
        return self.spread(X, hash_copies(X, self.seed))

    def _draw(self, hashes: NDArray, column: int) -> NDArray:
        return _GUARD + (1.0 - 2.0 * _GUARD) * hash_again(hashes, self.seed + column)


@dataclass(frozen=True, eq=False, repr=False)
class Dequantize(_Noise):
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
    >>> from destructors.maps import Dequantize
    >>> from destructors.maps._dequantize import Lattice
    >>> nothing = np.empty(0)
    >>> integers = Lattice(1.0, 0.0, 1.0, nothing, nothing, 0)
    >>> noise = Dequantize(0, (integers,))
    >>> X = np.array([[2.0], [5.0]])
    >>> noise.inverse(noise.forward(X)[0])[0].ravel()
    array([2., 5.])
    """

    lattices: tuple[Lattice | None, ...]

    def spread(self, X: NDArray, hashes: NDArray) -> Mapped:
        """Map rows with the noise that belongs to these hashes of 64 bits."""
        Z = X.copy()
        for j, lattice in enumerate(self.lattices):
            if lattice is not None:
                Z[:, j] = lattice.spread(X[:, j], self._draw(hashes, j))
        return Z, np.zeros(len(X))

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        X = Z.copy()
        for j, lattice in enumerate(self.lattices):
            if lattice is not None:
                X[:, j] = lattice.gather(Z[:, j])
        return X, np.zeros(len(Z))


@dataclass(frozen=True, eq=False, repr=False)
class DequantizeCategories(_Noise):
    r"""Categories spread over intervals of the normal distribution, by noise.

    The code of rank r goes to a place z between the quantiles
    :math:`\Phi^{-1}(p_0 + \dots + p_{r-1})` and :math:`\Phi^{-1}(p_0 + \dots + p_r)`;
    the log-determinant is :math:`\log p_r - \log \varphi(z)`. The inverse gives the
    code in whose interval z lies. The other columns stay what they are.

    The place within the interval is a hash of the row and the seed, so a row gets the
    same in any batch. The log density of the row is, on average, a lower bound.

    Parameters
    ----------
    seed : int
        Another seed, other noise.
    columns : ndarray of int of shape (n_columns,)
        Positions of the columns that hold codes.
    probabilities : tuple of ndarray of shape (n_codes_j,)
        Probability of each rank, one array a column: positive, of sum 1.
    ranks : tuple of ndarray of int of shape (n_codes_j,)
        Rank of each code.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import DequantizeCategories
    >>> shares, ranks = np.array([0.75, 0.25]), np.array([1, 0])
    >>> spread = DequantizeCategories(0, np.array([0]), (shares,), (ranks,))
    >>> Z, log_det = spread.forward(np.array([[0.0], [1.0]]))
    >>> spread.inverse(Z)[0].ravel()
    array([0., 1.])
    """

    columns: NDArray
    probabilities: tuple[NDArray, ...]
    ranks: tuple[NDArray, ...]

    _positive = ("probabilities",)

    def is_valid(self) -> bool:
        """Return whether each column has a rank for each of its codes."""
        return (
            are_positions(self.columns)
            and len(self.columns) == len(self.probabilities) == len(self.ranks)
            and all(
                are_positions(ranks, len(ranks)) and p.shape == ranks.shape
                for p, ranks in zip(self.probabilities, self.ranks, strict=True)
            )
        )

    def _parts(self) -> Iterator[tuple[int, NDArray, NDArray, NDArray]]:
        """Yield place, ranks and probabilities of each column, and where the intervals
        begin.
        """
        for j, p, ranks in zip(
            self.columns.tolist(), self.probabilities, self.ranks, strict=True
        ):
            yield j, ranks, p, np.concatenate([[0.0], np.cumsum(p)[:-1]])

    def kinds_after(self, kinds: NDArray) -> NDArray:
        """Return kinds of which those of the columns with codes are continuous, 0."""
        kinds = kinds.copy()
        kinds[self.columns] = 0
        return kinds

    def spread(self, X: NDArray, hashes: NDArray) -> Mapped:
        """Map rows with the noise that belongs to these hashes of 64 bits."""
        Z, log_det = X.astype(np.float64), np.zeros(len(X))
        for j, ranks, p, starts in self._parts():
            rank = ranks[X[:, j].astype(np.intp)]
            share = starts[rank] + p[rank] * self._draw(hashes, j)
            # That of a rare last code rounds to 1, which has no normal score.
            z = ndtri(np.minimum(share, 1.0 - 2.0**-53))
            Z[:, j] = z
            log_det += np.log(p)[rank] - _log_density(z)
        return Z, log_det

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        X, log_det = Z.copy(), np.zeros(len(Z))
        for j, ranks, p, starts in self._parts():
            rank = np.searchsorted(starts[1:], ndtr(Z[:, j]), side="right")
            X[:, j] = np.argsort(ranks)[rank]
            log_det += _log_density(Z[:, j]) - np.log(p)[rank]
        return X, log_det


def _log_density(z: NDArray) -> NDArray:
    return -(np.clip(z, -LARGEST, LARGEST) ** 2) / 2.0 - HALF_LOG_2PI
