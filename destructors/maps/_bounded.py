"""Columns with bounds to the whole line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from destructors.maps._map import Map

__all__ = ["BoundedColumns"]

_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)
# A value on a bound counts as one at this (relative) distance: float64's smallest.
_CLOSEST = np.finfo(np.float64).tiny
_FARTHEST = np.finfo(np.float64).max / 4.0
# Squares of larger latents would overflow.
_LARGEST = 1e150


@dataclass(frozen=True, eq=False, repr=False)
class BoundedColumns(Map):
    r"""Columns with bounds to the whole line, in order.

    A column in ``(low, high)`` is mapped by :math:`\Phi^{-1}((x - low) / (high -
    low))`, one with a single bound by the logarithm of the distance to it, with the
    sign that keeps the order; one without bounds stays what it is.

    Parameters
    ----------
    low, high : ndarray of shape (n_features,)
        Bounds; infinite where there is none.
    out_of_bounds : {"raise", "clip"}
        What becomes of rows beyond them: an error, or they move to the bound, with a
        log-determinant of minus infinity.
    names : tuple of str or None
        Names of the columns, for the message.

    Raises
    ------
    ValueError
        By ``forward``, for rows beyond the bounds, if these are to be an error.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import BoundedColumns
    >>> positive = BoundedColumns(np.zeros(1), np.array([np.inf]))
    >>> positive.forward(np.array([[1.0], [10.0]]))[0].round(3).ravel()
    array([0.   , 2.303])
    """

    low: NDArray
    high: NDArray
    out_of_bounds: Literal["raise", "clip"] = "raise"
    names: tuple[str, ...] | None = None

    feature_wise = True

    @cached_property
    def _kinds(self) -> list[Any]:
        return [
            _KINDS[np.isfinite(low), np.isfinite(high)](low, high)
            for low, high in zip(self.low, self.high, strict=True)
        ]

    def forward(self, X, context=None):
        """Map rows; see `Map.forward`."""
        outside = (self.low > X) | (self.high < X)
        if self.out_of_bounds == "raise":
            self.refuse(outside.any(axis=0), "Rows")
        Z, log_det = np.empty(X.shape), np.zeros(len(X))
        for j, kind in enumerate(self._kinds):
            Z[:, j] = kind.to_line(np.clip(X[:, j], self.low[j], self.high[j]))
            log_det += kind.log_slope(Z[:, j])
        log_det[outside.any(axis=1)] = -np.inf
        return Z, log_det

    def inverse(self, Z, context=None):
        """Map rows back; see `Map.inverse`."""
        X, log_det = np.empty(Z.shape), np.zeros(len(Z))
        for j, kind in enumerate(self._kinds):
            X[:, j] = np.clip(kind.from_line(Z[:, j]), self.low[j], self.high[j])
            log_det -= kind.log_slope(Z[:, j])
        return X, log_det

    def refuse(self, outside: NDArray, what: str) -> None:
        """Raise an error about the columns that are ``outside``, if there are any."""
        if not outside.any():
            return
        columns = np.flatnonzero(outside)[:5]
        names = columns if self.names is None else [self.names[j] for j in columns]
        bounds = ", ".join(f"[{self.low[j]:g}, {self.high[j]:g}]" for j in columns)
        raise ValueError(
            f"{what} lie beyond the bounds in column(s) {', '.join(map(str, names))}: "
            f"{bounds}."
        )


class _Unbounded:
    """No bound: nothing is done."""

    def __init__(self, low: float, high: float):
        pass

    def to_line(self, x: NDArray) -> NDArray:
        return x

    from_line = to_line

    def log_slope(self, z: NDArray) -> NDArray:
        return np.zeros(len(z))


class _OneSided:
    """One bound: the logarithm of the distance, with the sign that keeps the order."""

    def __init__(self, low: float, high: float):
        self.sign = 1.0 if np.isfinite(low) else -1.0
        self.bound = low if np.isfinite(low) else high

    def to_line(self, x: NDArray) -> NDArray:
        distance = self.sign * (x - self.bound)
        return self.sign * np.log(np.clip(distance, _CLOSEST, _FARTHEST))

    def from_line(self, z: NDArray) -> NDArray:
        exponent = np.clip(self.sign * z, np.log(_CLOSEST), np.log(_FARTHEST))
        return self.bound + self.sign * np.exp(exponent)

    def log_slope(self, z: NDArray) -> NDArray:
        return -self.sign * z


class _TwoSided:
    """Both bounds: normal scores of the share of the way, from the closer one."""

    def __init__(self, low: float, high: float):
        self.low, self.high, self.width = low, high, high - low

    def to_line(self, x: NDArray) -> NDArray:
        below = np.maximum((x - self.low) / self.width, _CLOSEST)
        above = np.maximum((self.high - x) / self.width, _CLOSEST)
        return np.where(below < above, ndtri(below), -ndtri(above))

    def from_line(self, z: NDArray) -> NDArray:
        share = self.width * ndtr(-np.abs(z))
        return np.where(z < 0.0, self.low + share, self.high - share)

    def log_slope(self, z: NDArray) -> NDArray:
        z = np.clip(z, -_LARGEST, _LARGEST)
        return 0.5 * z * z + _HALF_LOG_2PI - np.log(self.width)


# By whether there is a lower and an upper bound.
_KINDS: dict[tuple[bool, bool], Any] = {
    (False, False): _Unbounded,
    (True, False): _OneSided,
    (False, True): _OneSided,
    (True, True): _TwoSided,
}
