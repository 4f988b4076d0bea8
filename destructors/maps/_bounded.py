"""Columns with bounds to the whole line."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from destructors.maps._checks import list_columns
from destructors.maps._cube import HALF_LOG_2PI, LARGEST, normal_scores
from destructors.maps._map import Map, Mapped

# A value on a bound counts as one at this (relative) distance: float64's smallest.
_CLOSEST = np.finfo(np.float64).tiny
_FARTHEST = np.finfo(np.float64).max / 4.0


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
    _infinite = ("low", "high")

    def is_valid(self) -> bool:
        """Return whether there are two bounds for each column, in order."""
        return self.low.shape == self.high.shape and bool((self.low < self.high).all())

    @property
    def support(self) -> tuple[NDArray, NDArray]:
        """The bounds."""
        return self.low, self.high

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        outside = (self.low > X) | (self.high < X)
        if self.out_of_bounds == "raise":
            self.refuse(outside, "Rows")
        inside = np.clip(X, self.low, self.high)
        Z, log_det = np.empty(X.shape), np.zeros(len(X))
        for j, bounds in enumerate(zip(self.low, self.high, strict=True)):
            Z[:, j] = _to_line(inside[:, j], *bounds)
            log_det += _log_slope(Z[:, j], *bounds)
        log_det[outside.any(axis=1)] = -np.inf
        return Z, log_det

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        X, log_det = np.empty(Z.shape), np.zeros(len(Z))
        for j, bounds in enumerate(zip(self.low, self.high, strict=True)):
            X[:, j] = np.clip(_from_line(Z[:, j], *bounds), *bounds)
            log_det -= _log_slope(Z[:, j], *bounds)
        return X, log_det

    def refuse(self, outside: NDArray, what: str) -> None:
        """Raise ValueError if rows are ``outside``; it names the columns."""
        if outside.any():
            names = self.names or range(len(self.low))
            pairs = np.stack([self.low, self.high], axis=1)[outside.any(axis=0)][:5]
            bounds = ", ".join(f"[{low:g}, {high:g}]" for low, high in pairs)
            raise ValueError(
                f"{what} lie beyond the bounds in column(s) "
                f"{list_columns(outside, names)}: {bounds}."
            )


def _to_line(x: NDArray, low: float, high: float) -> NDArray:
    if np.isfinite(low) and np.isfinite(high):
        # The share of the way from the closer bound.
        below = np.maximum((x - low) / (high - low), _CLOSEST)
        above = np.maximum((high - x) / (high - low), _CLOSEST)
        return normal_scores(below, above)
    if np.isfinite(low):
        return np.log(np.clip(x - low, _CLOSEST, _FARTHEST))
    if np.isfinite(high):
        return -np.log(np.clip(high - x, _CLOSEST, _FARTHEST))
    return x


def _from_line(z: NDArray, low: float, high: float) -> NDArray:
    if np.isfinite(low) and np.isfinite(high):
        share = (high - low) * ndtr(-np.abs(z))
        return np.where(z < 0.0, low + share, high - share)
    ends = np.log([_CLOSEST, _FARTHEST])
    if np.isfinite(low):
        return low + np.exp(np.clip(z, *ends))
    if np.isfinite(high):
        return high - np.exp(np.clip(-z, *ends))
    return z


def _log_slope(z: NDArray, low: float, high: float) -> NDArray:
    """Return that of the way to the line."""
    if np.isfinite(low) and np.isfinite(high):
        z = np.clip(z, -LARGEST, LARGEST)
        return 0.5 * z * z + HALF_LOG_2PI - np.log(high - low)
    return (float(np.isfinite(high)) - float(np.isfinite(low))) * z
