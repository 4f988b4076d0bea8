"""Parameters of a mixture that are given, not fitted."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

__all__ = ["check_mixture"]


def check_mixture(
    weights: ArrayLike, means: ArrayLike, covariances: ArrayLike, covariance_type: str
) -> tuple[NDArray, NDArray, NDArray]:
    """Check the parameters of a mixture; return its covariances as full ones.

    Parameters
    ----------
    weights : array-like of shape (n_components,)
        Positive weights, of sum one.
    means : array-like of shape (n_components, n_features)
        Means of the components.
    covariances : array-like
        Covariances, of the shape that scikit-learn gives them for the type.
    covariance_type : {"full", "tied", "diag", "spherical"}
        Type of the covariances.

    Returns
    -------
    weights : ndarray of shape (n_components,)
    means : ndarray of shape (n_components, n_features)
    full : ndarray of shape (n_components, n_features, n_features)
        One positive definite matrix a component.

    Raises
    ------
    ValueError
        If shapes do not fit, weights are not positive or not of sum one, or a
        covariance is not symmetric and positive definite.
    """
    mu: NDArray = check_array(means, dtype=np.float64, input_name="means")
    pi = np.asarray(weights, dtype=np.float64)
    if pi.shape != (len(mu),):
        raise ValueError(f"weights must have the shape ({len(mu)},), got {pi.shape}.")
    if not (pi > 0).all() or not np.isclose(pi.sum(), 1.0):
        raise ValueError(f"weights must be positive and sum to 1, got {pi}.")
    return pi, mu, _full_covariances(covariances, covariance_type, *mu.shape)


def _full_covariances(
    covariances: ArrayLike, covariance_type: str, n_components: int, n_features: int
) -> NDArray:
    """Check covariances, and make full ones of them."""
    covariances = np.asarray(covariances, dtype=np.float64)
    shape = {
        "full": (n_components, n_features, n_features),
        "tied": (n_features, n_features),
        "diag": (n_components, n_features),
        "spherical": (n_components,),
    }[covariance_type]
    if covariances.shape != shape:
        raise ValueError(
            f"{covariance_type!r} covariances must have the shape {shape}, got "
            f"{covariances.shape}."
        )
    if covariance_type in ("diag", "spherical"):
        covariances = covariances.reshape(n_components, -1)[:, :, None]
        full = covariances * np.eye(n_features)
    else:
        full = np.broadcast_to(covariances, (n_components, n_features, n_features))
    symmetric = np.allclose(full, np.swapaxes(full, 1, 2), rtol=1e-6, atol=0.0)
    if not symmetric or not (np.linalg.eigvalsh(full) > 0).all():
        raise ValueError("covariances must be symmetric and positive definite.")
    return full
