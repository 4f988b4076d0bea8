"""The Rosenblatt map of a Gaussian mixture: feature after feature, each given the last.

In component ``k`` with mean ``μ`` and covariance ``L Lᵀ`` the standard values of a row
are ``u = L⁻¹ (x - μ)``, and ``u_j`` depends on ``x_1 … x_j`` only. Given ``x_<j``, the
component has the weight ``∝ w_k Π_{i<j} φ(u_i) / L_ii``, and ``x_j`` has the mean and
the variance that make ``u_j`` standard normal.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from sklearn.utils import gen_batches

from destructors.mixture._conditional import Conditional
from destructors.mixture._normal import LARGEST

__all__ = ["Rosenblatt"]

# Numbers in an array over components and rows: a handful of such arrays, and nothing
# larger, is what a block of rows needs.
_BLOCK_SIZE = 2**16


class Rosenblatt:
    """The map of a mixture and its inverse.

    Parameters
    ----------
    weights : ndarray of shape (n_components,)
        Positive, of sum one.
    means : ndarray of shape (n_components, n_features)
        Means of the components.
    factors : ndarray of shape (n_components, n_features, n_features)
        Lower Cholesky factors of the covariances.
    tilt : float, default=0.0
        Least slope of each feature's map; see `destructors.mixture._conditional`.
    """

    def __init__(
        self, weights: NDArray, means: NDArray, factors: NDArray, tilt: float = 0.0
    ):
        n_components, n_features, _ = factors.shape
        identity = np.eye(n_features)
        # Rows of L⁻¹: the diagonal apart, as it multiplies the feature in question.
        inverse = np.stack([solve_triangular(L, identity, lower=True) for L in factors])
        self._shift = np.einsum("kij,kj->ik", inverse, means)
        self._diagonal = np.ascontiguousarray(np.diagonal(inverse, axis1=1, axis2=2).T)
        self._rows = [
            np.ascontiguousarray(inverse[:, j, :j]) for j in range(n_features)
        ]
        self._log_weights = np.log(weights)
        self._tilt = tilt
        self._n_rows = int(np.clip(_BLOCK_SIZE // n_components, 256, 4096))

    def forward(self, X: NDArray) -> tuple[NDArray, NDArray]:
        """Map rows to independent standard normals.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_features)
        log_det : ndarray of shape (n_samples,)
            In nats.
        """
        return self._map(X, Conditional.gaussianize, lambda given, found: given)

    def inverse(self, Z: NDArray) -> tuple[NDArray, NDArray]:
        """Map standard normals to rows; see `forward`."""
        X, log_det = self._map(Z, Conditional.invert, lambda given, found: found)
        return X, -log_det

    def _map(
        self, given: NDArray, solve: Callable, data: Callable
    ) -> tuple[NDArray, NDArray]:
        """Solve for one feature after the other; ``data`` says which side is x."""
        found, log_det = np.empty_like(given), np.zeros(len(given))
        for rows in gen_batches(len(given), self._n_rows):
            known = np.ascontiguousarray(given[rows].T)
            result = np.empty_like(known)
            X = data(known, result)
            log_weight = np.repeat(self._log_weights[:, None], known.shape[1], axis=1)
            for j, (factor, shift) in enumerate(
                zip(self._diagonal, self._shift, strict=True)
            ):
                offset = self._rows[j] @ X[:j]
                offset -= shift[:, None]
                weight = _normalise(log_weight)
                mixture = Conditional(factor, offset, weight, log_weight, self._tilt)
                result[j], log_slope = solve(mixture, known[j])
                log_det[rows] += log_slope
                _reweight(log_weight, factor, X[j], offset)
            found[rows] = result.T
        return found, log_det


def _normalise(log_weight: NDArray) -> NDArray:
    """Give weights of sum one, and make ``log_weight`` their logarithms."""
    log_weight -= log_weight.max(axis=0)
    # Subnormal numbers would be slow, and weights below this are nothing.
    weight = np.exp(np.maximum(log_weight, -300.0))
    total = weight.sum(axis=0)
    weight /= total
    log_weight -= np.log(total)
    return weight


def _reweight(
    log_weight: NDArray, factor: NDArray, x: NDArray, offset: NDArray
) -> None:
    """Multiply the weights by the densities of a feature; overwrites ``offset``."""
    offset += factor[:, None] * x
    np.clip(offset, -LARGEST, LARGEST, out=offset)
    np.square(offset, out=offset)
    offset *= -0.5
    log_weight += offset
    log_weight += np.log(factor)[:, None]
