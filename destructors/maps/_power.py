"""A power transform for each column."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from destructors.maps._map import Map, Mapped

# Of numbers in float64, with some room.
_LARGEST_LOG = 708.0
_LARGEST = np.finfo(float).max
# A power of a smaller exponent is the logarithm.
_SMALLEST_EXPONENT = 1e-19


@dataclass(frozen=True, eq=False, repr=False)
class PowerColumns(Map):
    r"""A power transform for each column, then shifted and scaled.

    ``z = (power(x) - shift) / scale``, where the power is that of Box and Cox,
    :math:`(x^\lambda - 1) / \lambda` for positive x, or that of Yeo and Johnson, which
    takes both signs. Beyond ``ends`` the map is linear with the slope it has there: a
    power can have a bounded range, which would leave latents without a row and the
    density short of mass.

    Powers are taken relative to a value ``m`` amid the data: of Box and Cox
    :math:`((x / m)^\lambda - 1) / \lambda`, and of Yeo and Johnson that of
    :math:`(1 + |x|) / (1 + |m|)`, less what it is at ``m``. They differ from the powers
    by a scale and a shift, and keep the digits of columns whose mean is many standard
    deviations.

    Parameters
    ----------
    exponents : ndarray of shape (n_features,)
        The :math:`\lambda` of each column.
    shift, scale : ndarray of shape (n_features,)
        In units of the power; the scale is positive.
    ends : ndarray of shape (n_features, 2)
        Between which the map is a power, increasing; positive for Box and Cox.
    kind : {"yeo-johnson", "box-cox"}
        Which power.
    middle : ndarray of shape (n_features,) or None
        The value ``m`` of each column, positive for Box and Cox. None for that which
        leaves the power what it is: 0, and 1 for Box and Cox.

    References
    ----------
    G. E. P. Box and D. R. Cox, *An analysis of transformations*, Journal of the Royal
    Statistical Society B 26, 1964. I.-K. Yeo and R. A. Johnson, *A new family of power
    transformations to improve normality or symmetry*, Biometrika 87, 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import PowerColumns
    >>> ends = np.array([[0.01, 100.0]])
    >>> log = PowerColumns(np.zeros(1), np.zeros(1), np.ones(1), ends, "box-cox")
    >>> log.forward(np.array([[1.0], [10.0]]))[0].round(3).ravel()
    array([0.   , 2.303])
    """

    exponents: NDArray
    shift: NDArray
    scale: NDArray
    ends: NDArray
    kind: Literal["yeo-johnson", "box-cox"]
    middle: NDArray | None = None

    feature_wise = True
    _positive = ("scale",)

    def is_valid(self) -> bool:
        """Return whether there are ends for each column, in order."""
        d = self.exponents.shape
        return (
            len(d) == 1
            and self.shift.shape == self.scale.shape == d
            and self.ends.shape == (*d, 2)
            and self._at.shape == d
            and bool((self.ends[:, 0] < self.ends[:, 1]).all())
            and (self.kind != "box-cox" or bool((self.ends > 0.0).all()))
            and (self.kind != "box-cox" or bool((self._at > 0.0).all()))
        )

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        _, slopes = self.at_ends
        inside = np.clip(X, *self.ends.T)
        beyond = np.where(self.ends[:, 0] > X, *slopes)
        with np.errstate(over="ignore"):
            Z = self._powers(inside) + (X - inside) * beyond
        # What would be beyond the largest number is there.
        return np.clip(Z, -_LARGEST, _LARGEST), self._log_det(inside)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        values, slopes = self.at_ends
        inside = np.clip(Z, *values)
        X = np.clip(self._roots(inside), *self.ends.T)
        beyond = np.where(values[0] > Z, *slopes)
        with np.errstate(over="ignore"):
            beyond_X = X + (Z - inside) / beyond
        return np.clip(beyond_X, -_LARGEST, _LARGEST), -self._log_det(X)

    @cached_property
    def at_ends(self) -> tuple[NDArray, NDArray]:
        """Values and slopes of each column at both ends."""
        ends = self.ends.T
        return self._powers(ends), np.exp(self._log_slopes(ends))

    @cached_property
    def _at(self) -> NDArray:
        if self.middle is not None:
            return self.middle
        return np.full(self.exponents.shape, float(self.kind == "box-cox"))

    @cached_property
    def _sides(self) -> tuple[NDArray, ...]:
        """Side of zero on which the middle lies, its distance from there, exponents on
        this side and on the other; and on the scale of the middle the power at zero and
        the logarithm of the unit on the other side.
        """
        if self.kind == "box-cox":
            # There is no other side.
            one = np.ones(self._at.shape)
            return one, self._at, self.exponents, one, -np.inf * one, 0.0 * one
        side = np.where(self._at < 0.0, -1.0, 1.0)
        distance = np.abs(self._at)
        own = np.where(side > 0.0, self.exponents, 2.0 - self.exponents)
        with np.errstate(over="ignore"):
            zero = _power_of_log(-np.log1p(distance), own)
        # As far as float64 reaches.
        log_unit = np.clip(-own * np.log1p(distance), -_LARGEST_LOG, _LARGEST_LOG)
        return side, distance, own, 2.0 - own, zero, log_unit

    def _log_ratio(self, X: NDArray, distance: NDArray) -> NDArray:
        """Return the logarithm of what is taken to a power, on the side of the middle.

        Near it by the difference, whose digits the ratio has lost.
        """
        origin = float(self.kind != "box-cox")
        log = np.log1p if origin else np.log
        near = np.log1p(np.maximum((X - distance) / (origin + distance), -0.5))
        return np.where(0.5 * distance > X, log(X) - log(distance), near)

    @np.errstate(over="ignore", divide="ignore")
    def _powers(self, X: NDArray) -> NDArray:
        side, distance, own, other, zero, log_unit = self._sides
        X = side * X
        Z = _power_of_log(self._log_ratio(np.maximum(X, 0.0), distance), own)
        if (X < 0.0).any():
            across = _power_of_log(np.log1p(np.maximum(-X, 0.0)), other)
            Z = np.where(X < 0.0, zero - np.exp(log_unit) * across, Z)
        return (side * Z - self.shift) / self.scale

    @np.errstate(over="ignore", divide="ignore", invalid="ignore")
    def _roots(self, Z: NDArray) -> NDArray:
        side, distance, own, other, zero, log_unit = self._sides
        Z = side * (Z * self.scale + self.shift)
        log_ratio = _log_of_power(np.maximum(Z, zero), own)
        origin = float(self.kind != "box-cox")
        X = distance + (origin + distance) * np.expm1(log_ratio)
        X = np.where(
            log_ratio < -0.5,
            np.exp(log_ratio) * distance + origin * np.expm1(log_ratio),
            X,
        )
        if (zero > Z).any():
            beyond = np.maximum(zero - Z, 0.0) * np.exp(-log_unit)
            X = np.where(zero > Z, -np.expm1(_log_of_power(beyond, other)), X)
        return side * X

    def _log_slopes(self, X: NDArray) -> NDArray:
        side, distance, own, other, _, log_unit = self._sides
        X = side * X
        ratio = self._log_ratio(np.maximum(X, 0.0), distance)
        unit = distance + float(self.kind != "box-cox")
        log_slopes = (own - 1.0) * ratio - np.log(unit)
        if (X < 0.0).any():
            across = (other - 1.0) * np.log1p(np.maximum(-X, 0.0)) + log_unit
            log_slopes = np.where(X < 0.0, across, log_slopes)
        return log_slopes - np.log(self.scale)

    def _log_det(self, X: NDArray) -> NDArray:
        total = np.zeros(len(X))
        for column in self._log_slopes(X).T:
            total += column
        return total


def _power_of_log(logarithm: NDArray, exponent: NDArray) -> NDArray:
    """Return the power of Box and Cox of what has a logarithm."""
    is_log = np.abs(exponent) < _SMALLEST_EXPONENT
    exponent = np.where(is_log, 1.0, exponent)
    return np.where(is_log, logarithm, np.expm1(exponent * logarithm) / exponent)


def _log_of_power(power: NDArray, exponent: NDArray) -> NDArray:
    """Return the logarithm of what has a power of Box and Cox."""
    is_log = np.abs(exponent) < _SMALLEST_EXPONENT
    exponent = np.where(is_log, 1.0, exponent)
    return np.where(is_log, power, np.log1p(exponent * power) / exponent)
