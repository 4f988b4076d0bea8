"""The Rosenblatt map of a Gaussian mixture: one feature after the other."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from destructors.maps._conditional import Conditional
from destructors.maps._map import Map, Mapped
from destructors.maps._normal import LARGEST

# Numbers in an array over components and rows: a handful of such arrays, and nothing
# larger, is what a block of rows needs.
_BLOCK_SIZE = 2**16


@dataclass(frozen=True, eq=False, repr=False)
class Rosenblatt(Map):
    r"""Map a Gaussian mixture to N(0, I), feature after feature.

    .. math:: z_j = \Phi^{-1}(F(x_j | x_1 … x_{j-1})) + \tau x_j

    In component ``k`` with mean ``μ`` and covariance ``L Lᵀ`` the standard values of a
    row are ``u = L⁻¹ (x - μ)``, and ``u_j`` depends on ``x_1 … x_j`` only. Given
    ``x_<j``, the component has the weight ``∝ w_k Π_{i<j} φ(u_i) / L_ii``, and ``x_j``
    has the mean and the variance that make ``u_j`` standard normal.

    Without the tilt the density of this map is exactly that of the mixture. But in an
    empty gap between components it is flat as far as float64 can tell, and a row there
    would not come back. Rows should be in units in which the data are about one wide:
    beyond 1e150 there is nothing left to tell apart.

    Parameters
    ----------
    weights : ndarray of shape (n_components,)
        Positive, of sum one.
    means : ndarray of shape (n_components, n_features)
        Means of the components.
    factors : ndarray of shape (n_components, n_features, n_features)
        Lower Cholesky factors of the covariances.
    tilt : float, default=0.0
        Slope ``τ`` that is added to the map of each feature.

    References
    ----------
    M. Rosenblatt, *Remarks on a multivariate transformation*, Annals of Mathematical
    Statistics 23, 1952.
    """

    weights: NDArray
    means: NDArray
    factors: NDArray
    tilt: float = 0.0

    @cached_property
    def _features(self) -> list[tuple[NDArray, NDArray, NDArray]]:
        """What L⁻¹ does for each feature: with those before it, with it, with μ."""
        identity = np.eye(self.means.shape[1])
        inverses = np.stack(
            [solve_triangular(L, identity, lower=True) for L in self.factors]
        )
        shift = np.einsum("kij,kj->ik", inverses, self.means)
        return [
            (
                np.ascontiguousarray(inverses[:, j, :j]),
                np.ascontiguousarray(inverses[:, j, j]),
                shift[j][:, None],
            )
            for j in range(len(shift))
        ]

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        # Farther out than this squares overflow.
        X = np.clip(X, -LARGEST, LARGEST)
        return self._solve(X, Conditional.gaussianize, lambda given, found: given)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        Z = np.clip(Z, -LARGEST, LARGEST)
        X, log_det = self._solve(Z, Conditional.invert, lambda given, found: found)
        return X, -log_det

    def _solve(self, given: NDArray, solve: Callable, data: Callable) -> Mapped:
        """Solve for one feature after the other; ``data`` says which side is x."""
        found, log_det = np.empty_like(given), np.zeros(len(given))
        log_weights = np.log(self.weights)[:, None]
        n_rows = int(np.clip(_BLOCK_SIZE // len(log_weights), 256, 4096))
        for start in range(0, len(given), n_rows):
            rows = slice(start, start + n_rows)
            known = np.ascontiguousarray(given[rows].T)
            result = np.empty_like(known)
            X = data(known, result)
            log_weight = np.repeat(log_weights, known.shape[1], axis=1)
            for j, (before, factor, shift) in enumerate(self._features):
                offset = before @ X[:j]
                offset -= shift
                weight = _normalise(log_weight)
                mixture = Conditional(factor, offset, weight, log_weight, self.tilt)
                result[j], log_slope = solve(mixture, known[j])
                log_det[rows] += log_slope
                _reweight(log_weight, factor, X[j], offset)
            found[rows] = result.T
        return found, log_det


def _normalise(log_weight: NDArray) -> NDArray:
    """Return weights of sum one, and make ``log_weight`` their logarithms."""
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
