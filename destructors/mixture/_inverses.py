"""Inverses and determinants of many covariance matrices."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

# Columns from which on a matrix is inverted by its Cholesky factor: half the work, but
# a call for each.
_LARGE = 10


def invert(covariances: NDArray) -> tuple[NDArray, NDArray]:
    """Return inverses, exactly symmetric, and log-determinants.

    Raises
    ------
    LinAlgError
        If a covariance is not positive definite.
    """
    correlations, scale = _correlations(covariances)
    roots = np.linalg.cholesky(correlations)
    log_det = log_det_of(roots) + 2.0 * np.log(scale).sum(axis=-1)
    return _inverses(correlations, roots, scale), log_det


def inverses(covariances: NDArray) -> NDArray:
    """Return inverses, exactly symmetric, also of what is no covariance but for
    rounding.
    """
    correlations, scale = _correlations(covariances)
    try:
        roots = np.linalg.cholesky(correlations)
    except np.linalg.LinAlgError:
        roots = None
    return _inverses(correlations, roots, scale)


def _correlations(covariances: NDArray) -> tuple[NDArray, NDArray]:
    """Return covariances in units of the standard deviations, and these: features of
    unlike scale then cost no digits.
    """
    scale = np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))
    return covariances / (scale[..., :, None] * scale[..., None, :]), scale


def log_det_of(roots: NDArray) -> NDArray:
    """Return the log-determinants of matrices, given their Cholesky factors."""
    return 2.0 * np.log(np.diagonal(roots, axis1=-2, axis2=-1)).sum(axis=-1)


def _inverses(correlations: NDArray, roots: NDArray | None, scale: NDArray) -> NDArray:
    """Return inverses of what `_correlations` returns the parts of, exactly symmetric.

    Parameters
    ----------
    correlations : ndarray of shape (..., n_features, n_features)
    roots : ndarray of the same shape or None
        Their Cholesky factors, if they have any.
    scale : ndarray of shape (..., n_features)
    """
    d = correlations.shape[-1]
    if roots is None or d < _LARGE:
        found = np.linalg.inv(correlations)
        found += np.swapaxes(found.copy(), -1, -2)
        found *= 0.5
    else:
        found = np.empty_like(roots)
        flat = found.reshape(-1, d, d)
        for place, root in zip(flat, roots.reshape(-1, d, d), strict=True):
            # Half of it; to LAPACK rows are columns. The rest is zero in the root.
            place[:] = lapack.dpotri(root.T, lower=0)[0].T
        found += np.tril(found, -1).swapaxes(-1, -2)
    found /= scale[..., :, None]
    found /= scale[..., None, :]
    return found
