"""A power transform for each column."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import boxcox, boxcox1p, inv_boxcox, inv_boxcox1p

from destructors.maps._map import Map, Mapped


@dataclass(frozen=True, eq=False, repr=False)
class PowerColumns(Map):
    r"""A power transform for each column, then shifted and scaled.

    ``z = (power(x) - shift) / scale``, where the power is that of Box and Cox,
    :math:`(x^\lambda - 1) / \lambda` for positive x, or that of Yeo and Johnson, which
    takes both signs. Beyond ``ends`` the map is linear with the slope it has there: a
    power can have a bounded range, which would leave latents without a row and the
    density short of mass.

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

    feature_wise = True
    _positive = ("scale",)

    def is_valid(self) -> bool:
        """Return whether there are ends for each column, in order."""
        d = self.exponents.shape
        return (
            len(d) == 1
            and self.shift.shape == self.scale.shape == d
            and self.ends.shape == (*d, 2)
            and bool((self.ends[:, 0] < self.ends[:, 1]).all())
            and (self.kind != "box-cox" or bool((self.ends > 0.0).all()))
        )

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        _, slopes = self.at_ends
        inside = np.clip(X, *self.ends.T)
        beyond = np.where(self.ends[:, 0] > X, *slopes)
        Z = self._powers(inside) + (X - inside) * beyond
        return Z, self._log_det(inside)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        values, slopes = self.at_ends
        inside = np.clip(Z, *values)
        X = np.clip(self._roots(inside), *self.ends.T)
        beyond = np.where(values[0] > Z, *slopes)
        return X + (Z - inside) / beyond, -self._log_det(X)

    @cached_property
    def at_ends(self) -> tuple[NDArray, NDArray]:
        """Values and slopes of each column at both ends."""
        ends = self.ends.T
        return self._powers(ends), np.exp(self._log_slopes(ends))

    def _powers(self, X: NDArray) -> NDArray:
        if self.kind == "box-cox":
            Z = boxcox(X, self.exponents)
        else:
            Z = np.where(
                X >= 0.0,
                boxcox1p(np.maximum(X, 0.0), self.exponents),
                -boxcox1p(np.maximum(-X, 0.0), 2.0 - self.exponents),
            )
        return (Z - self.shift) / self.scale

    def _roots(self, Z: NDArray) -> NDArray:
        Z = Z * self.scale + self.shift
        if self.kind == "box-cox":
            return inv_boxcox(Z, self.exponents)
        return np.where(
            Z >= 0.0,
            inv_boxcox1p(np.maximum(Z, 0.0), self.exponents),
            -inv_boxcox1p(np.maximum(-Z, 0.0), 2.0 - self.exponents),
        )

    def _log_slopes(self, X: NDArray) -> NDArray:
        if self.kind == "box-cox":
            log_slopes = (self.exponents - 1.0) * np.log(X)
        else:
            log_slopes = (self.exponents - 1.0) * np.sign(X) * np.log1p(np.abs(X))
        return log_slopes - np.log(self.scale)

    def _log_det(self, X: NDArray) -> NDArray:
        total = np.zeros(len(X))
        for column in self._log_slopes(X).T:
            total += column
        return total
