"""The unit cube inside the latent space.

Trees and step densities think on the unit cube. They get there by the normal
distribution function, restricted to ``|z| < CUTOFF``: nearer to the edge of the cube
float64 has too few digits for an exact inverse. A coordinate beyond the cutoff stays
what it is, and stands in the cube exactly at 0 or 1, which every map of the cube
leaves in place; so the whole stays a bijection, and its density falls off like the
normal one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

__all__ = ["CUTOFF", "from_cube", "to_cube"]

CUTOFF = 5.0
_BELOW = float(ndtr(-CUTOFF))
_INSIDE = 1.0 - 2.0 * _BELOW
# Coordinates inside the cutoff stay off the faces, whatever the rounding.
_EDGE = 2.0**-53


def to_cube(Z: NDArray) -> NDArray:
    """Map the latent space to the closed unit cube.

    Parameters
    ----------
    Z : ndarray
        Latent coordinates.

    Returns
    -------
    U : ndarray
        In (0, 1) where ``|z| < CUTOFF``; exactly 0 or 1 elsewhere.
    """
    U = (ndtr(Z) - _BELOW) / _INSIDE
    np.clip(U, _EDGE, 1.0 - _EDGE, out=U)
    U[Z <= -CUTOFF] = 0.0
    U[Z >= CUTOFF] = 1.0
    return U


def from_cube(U: NDArray, Z: NDArray) -> tuple[NDArray, NDArray]:
    """Map a point of the cube back, after some map moved it there.

    Parameters
    ----------
    U : ndarray of shape (n_samples, n_features)
        Where the rows are in the cube now.
    Z : ndarray of shape (n_samples, n_features)
        Where they were in the latent space before.

    Returns
    -------
    moved : ndarray of shape (n_samples, n_features)
        Latent coordinates; those beyond the cutoff are unchanged.
    log_det : ndarray of shape (n_samples,)
        Log-determinant of going into the cube and coming back, without that of the
        map in between, in nats.
    """
    inside = np.abs(Z) < CUTOFF
    moved = np.where(inside, ndtri(_BELOW + _INSIDE * U), Z)
    # Both ways pass through the same normal density: dz'/du' over dz/du.
    return moved, 0.5 * np.einsum("ij,ij->i", moved - Z, moved + Z)
