"""Stretching along orthonormal directions."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from destructors.maps._blocks import multiply
from destructors.maps._map import Map, Mapped

_LARGEST = np.finfo(float).max
# Of which a few can be added.
_PART = 2.0**-4


@dataclass(frozen=True, eq=False, repr=False)
class Stretch(Map):
    r"""Stretch along orthonormal directions, and a shift.

    .. math:: z = m' + (x - m) + A \, (f - 1) A^T (x - m)

    with directions :math:`A` and factors :math:`f`: a symmetric positive matrix, of
    which only the directions are kept in which it is not the identity. Optimal
    transport between normal distributions is such a map.

    Parameters
    ----------
    directions : ndarray of shape (n_features, n_directions)
        Orthonormal columns.
    factors : ndarray of shape (n_directions,)
        Positive.
    location, image : ndarray of shape (n_features,)
        The point that stretching starts from, and where it goes.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import Stretch
    >>> first = np.array([[1.0], [0.0]])
    >>> twice = Stretch(first, np.array([2.0]), np.zeros(2), np.ones(2))
    >>> twice.forward(np.array([[3.0, 3.0]]))[0]
    array([[7., 4.]])
    """

    directions: NDArray
    factors: NDArray
    location: NDArray
    image: NDArray

    _positive = ("factors",)

    @cached_property
    def _log_det(self) -> float:
        return float(np.log(self.factors).sum())

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        Z = self._stretch(X, self.location, self.image, self.factors - 1.0)
        return Z, np.full(len(X), self._log_det)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        X = self._stretch(Z, self.image, self.location, 1.0 / self.factors - 1.0)
        return X, np.full(len(Z), -self._log_det)

    def _stretch(
        self, rows: NDArray, location: NDArray, image: NDArray, excess: NDArray
    ) -> NDArray:
        # The processor says, at no cost, whether a number of the block is out of range.
        with suppress(FloatingPointError), np.errstate(over="raise"):
            return self._add(rows, location, image, excess)
        # Sums of numbers near the largest one are taken of parts of them; what float64
        # does not reach is at its end.
        location, image = location * _PART, image * _PART
        with np.errstate(over="ignore"):
            moved = self._add(rows * _PART, location, image, excess) / _PART
        return np.clip(moved, -_LARGEST, _LARGEST)

    def _add(
        self, rows: NDArray, location: NDArray, image: NDArray, excess: NDArray
    ) -> NDArray:
        along = multiply(rows - location, self.directions) * excess
        along = np.clip(along, -_LARGEST, _LARGEST)
        # What is not stretched keeps its digits, however far from the location.
        return rows + (image - location) + multiply(along, self.directions.T)
