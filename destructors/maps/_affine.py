"""Shifts, scales and matrices."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from destructors.maps._blocks import multiply
from destructors.maps._map import Map, Mapped

_LARGEST = np.finfo(float).max


@dataclass(frozen=True, eq=False, repr=False)
class Identity(Map):
    """Rows stay what they are."""

    feature_wise = True
    lets_missing = True

    def keeps(self, codes: NDArray) -> NDArray:
        """Return all columns; see `Map.keeps`."""
        return np.ones(len(codes), dtype=bool)

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Return the rows, and zeros."""
        return X.copy(), np.zeros(len(X))

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Return the rows, and zeros."""
        return Z.copy(), np.zeros(len(Z))


@dataclass(frozen=True, eq=False, repr=False)
class Affine(Map):
    """``z = W ((x - location) / scale)``.

    Parameters
    ----------
    location, scale : ndarray of shape (n_features,)
        The scale is positive.
    matrix, inverse_matrix : ndarray of shape (n_features, n_features) or None
        ``W`` and its inverse; None for the identity. Both are given, since whoever
        makes them knows how to invert them to the last digit.
    log_det_matrix : float
        ``log |det W|``, in nats.
    """

    location: NDArray
    scale: NDArray
    matrix: NDArray | None = None
    inverse_matrix: NDArray | None = None
    log_det_matrix: float = 0.0

    _positive = ("scale",)

    @classmethod
    def rotation(cls, matrix: NDArray) -> "Affine":
        """Return the map ``z = Q x`` of an orthogonal matrix."""
        d = len(matrix)
        return cls(np.zeros(d), np.ones(d), matrix, np.ascontiguousarray(matrix.T))

    @cached_property
    def feature_wise(self) -> bool:
        """Whether there is no matrix."""
        return self.matrix is None

    @cached_property
    def is_rotation(self) -> bool:
        """Whether it was made by `rotation`: the inverse is the transpose."""
        if self.matrix is None or self.inverse_matrix is None or not self._is_centred:
            return False
        return np.array_equal(self.matrix.T, self.inverse_matrix)

    @cached_property
    def _log_det(self) -> float:
        return float(self.log_det_matrix - np.log(self.scale).sum())

    @cached_property
    def _is_centred(self) -> bool:
        # A rotation alone neither shifts nor scales: two passes over the rows less.
        return not self.location.any() and bool((self.scale == 1.0).all())

    def _standardise(self, X: NDArray) -> NDArray:
        # The processor says, at no cost, whether a number of the block is out of range.
        with suppress(FloatingPointError), np.errstate(over="raise"):
            return (X - self.location) / self.scale
        # Differences of large columns are taken of their halves.
        half = np.where(self.scale > 1.0, 0.5, 1.0)
        Z = X * half
        with np.errstate(over="ignore"):
            Z -= self.location * half
            Z /= self.scale * half
        return np.clip(Z, -_LARGEST, _LARGEST, out=Z)

    def _undo_standardise(self, Z: NDArray) -> NDArray:
        with suppress(FloatingPointError), np.errstate(over="raise"):
            return Z * self.scale + self.location
        # What float64 does not reach is at its end.
        half = np.where(self.scale > 1.0, 0.5, 1.0)
        with np.errstate(over="ignore"):
            X = Z * (self.scale * half) + self.location * half
            X /= half
        return np.clip(X, -_LARGEST, _LARGEST, out=X)

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        Z = X if self._is_centred else self._standardise(X)
        if self.matrix is not None:
            Z = multiply(Z, self.matrix.T)
        elif Z is X:
            Z = X.copy()
        return Z, np.full(len(X), self._log_det)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        X = Z
        if self.inverse_matrix is not None:
            X = multiply(Z, self.inverse_matrix.T)
        if not self._is_centred:
            X = self._undo_standardise(X)
        elif X is Z:
            X = Z.copy()
        return X, np.full(len(Z), -self._log_det)
