"""Parameters of a mixture that are given, not fitted."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array


def check_mixture(
    weights: ArrayLike, means: ArrayLike, covariances: ArrayLike, covariance_type: str
) -> tuple[NDArray, NDArray, NDArray]:
    """Return the parameters of a mixture, with covariances as full ones.

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
    pi, given = np.asarray(weights, np.float64), np.asarray(covariances, np.float64)
    k, d = mu.shape
    if pi.shape != (k,):
        raise ValueError(f"weights must have the shape ({k},), got {pi.shape}.")
    if not (pi > 0).all() or not np.isclose(pi.sum(), 1.0):
        raise ValueError(f"weights must be positive and sum to 1, got {pi}.")
    shapes = {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}
    if given.shape != shapes[covariance_type]:
        raise ValueError(
            f"{covariance_type!r} covariances must have the shape "
            f"{shapes[covariance_type]}, got {given.shape}."
        )
    if covariance_type in ("diag", "spherical"):
        given = given.reshape(k, -1, 1) * np.eye(d)
    full = np.broadcast_to(given, (k, d, d))
    symmetric = np.allclose(full, np.swapaxes(full, 1, 2), rtol=1e-6, atol=0.0)
    if not symmetric or not (np.linalg.eigvalsh(full) > 0).all():
        raise ValueError("covariances must be symmetric and positive definite.")
    return pi, mu, full
