"""From the latent space to the unit cube."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from destructors.maps._map import Map

__all__ = ["NormalToUniform"]

_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)
# What the faces of the cube stand for: the numbers next to them.
_LOWEST, _HIGHEST = np.finfo(np.float64).tiny, 1.0 - 2.0**-53
# Squares of larger numbers would overflow.
_LARGEST = 1e150


@dataclass(frozen=True, eq=False, repr=False)
class NormalToUniform(Map):
    r"""The normal distribution function :math:`\Phi(x_j)` of each column.

    Rows that follow :math:`N(0, I)` become uniform on the unit cube.

    Parameters
    ----------
    names : tuple of str or None
        Names of the columns, for the message.

    Raises
    ------
    ValueError
        By ``inverse``, for rows outside the closed unit cube.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import NormalToUniform
    >>> NormalToUniform().forward(np.array([[0.0, 1.96]]))[0].round(3)
    array([[0.5  , 0.975]])
    """

    names: tuple[str, ...] | None = None

    feature_wise = True

    def forward(self, X, context=None):
        """Map rows; see `Map.forward`."""
        return ndtr(X), _log_density(X)

    def inverse(self, Z, context=None):
        """Map rows back; see `Map.inverse`."""
        outside = ((Z < 0.0) | (Z > 1.0)).any(axis=0)
        if outside.any():
            columns = np.flatnonzero(outside)[:5]
            names = columns if self.names is None else [self.names[j] for j in columns]
            raise ValueError(
                "The inverse of NormalCDF takes rows of the unit cube, but column(s) "
                f"{', '.join(map(str, names))} have values outside [0, 1]."
            )
        X = ndtri(np.clip(Z, _LOWEST, _HIGHEST))
        return X, -_log_density(X)


def _log_density(X: NDArray) -> NDArray:
    X = np.clip(X, -_LARGEST, _LARGEST)
    return -0.5 * np.einsum("ij,ij->i", X, X) - X.shape[1] * _HALF_LOG_2PI
