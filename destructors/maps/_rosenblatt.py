"""The Rosenblatt map of a Gaussian mixture: one feature after the other.

Given the features before it, a feature of a Gaussian mixture follows a mixture in one
dimension. Component ``k`` has the weight ``w_k``, and in it the feature ``x`` has the
standard value ``u_k = factor_k x + offset_k``. So

    z = Φ⁻¹(F(x)) + tilt x,    F(x) = Σ_k w_k Φ(u_k)

The smaller of the two tails is what counts, so that no digit is lost on either side;
where it is out of the range of float64 its logarithm is computed instead. Without the
tilt this gives exactly the density of the mixture, but in an empty gap between
components ``z`` is flat as far as float64 can tell, and cannot be inverted.

Here is the map; its kernel is `destructors.maps._rosenblatt_kernels`, and what does
without a compiler `destructors.maps._rosenblatt_plain`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtrs

from destructors.maps import _rosenblatt_kernels as kernels
from destructors.maps._bins import Boost
from destructors.maps._checks import are_positions, check_width
from destructors.maps._jit import jit_fused
from destructors.maps._map import Map, Mapped
from destructors.maps._normal import LARGEST
from destructors.maps._rosenblatt_plain import solve_plainly

# What is seen without its last bits, 1e-10 of it, moves a feature by no more than 1e-8
# standard units where it is multiplied by less than this.
_STEEP = 64.0


@dataclass(frozen=True, eq=False, repr=False)
class Rosenblatt(Map):
    r"""Map a Gaussian mixture to N(0, I), feature after feature.

    .. math:: z_j = \Phi^{-1}(F(x_j | x_1 … x_{j-1})) + \tau x_j

    Features are counted in ``order`` here; their latents stay in their columns. In
    component ``k`` with mean ``μ`` and covariance ``L Lᵀ`` the standard values of a row
    are ``u = L⁻¹ (x - μ)``, and ``u_j`` depends on ``x_1 … x_j`` only. Given ``x_<j``,
    the component has the weight ``∝ w_k Π_{i<j} φ(u_i) / L_ii``, and ``x_j`` has the
    mean and the variance that make ``u_j`` standard normal.

    Without the tilt the density of this map is exactly that of the mixture. But in an
    empty gap between components it is flat as far as float64 can tell, and a row there
    would not come back. With a tilt the map also sees features ``x_<j`` drawn in to
    ±1e6 and rounded to 1e-10, but where they nearly decide ``x_j``; and no component's
    weight given them is less than exp(-300), which keeps the digits of ``x_j``. Rows
    should be in units in which the data are about one wide: beyond 1e150 there is
    nothing left to tell apart.

    Parameters
    ----------
    weights : ndarray of shape (n_components,)
        Positive, of sum one.
    means : ndarray of shape (n_components, n_features)
        Means of the components.
    factors : ndarray of shape (n_components, n_features, n_features)
        Lower Cholesky factors of the covariances of the features in order.
    tilt : float, default=0.0
        Slope ``τ`` that is added to the map of each feature.
    order : ndarray of int of shape (n_features,) or None, default=None
        Positions of the features in the order in which they are mapped; None takes them
        as they come. The density does not depend on it.

    References
    ----------
    M. Rosenblatt, *Remarks on a multivariate transformation*, Annals of Mathematical
    Statistics 23, 1952.
    """

    weights: NDArray
    means: NDArray
    factors: NDArray
    tilt: float = 0.0
    order: NDArray | None = None

    _positive = ("weights",)

    @classmethod
    def of(
        cls,
        weights: NDArray,
        means: NDArray,
        covariances: NDArray,
        tilt: float = 0.0,
        order: NDArray | None = None,
    ) -> "Rosenblatt":
        """Return the map of a mixture of these covariances.

        Parameters
        ----------
        weights, means, tilt, order
            See the class.
        covariances : ndarray of shape (n_components, n_features, n_features)
            Of the features as they come.

        Raises
        ------
        LinAlgError
            If a covariance is not positive definite.
        """
        if order is not None and (order == np.arange(len(order))).all():
            order = None
        if order is not None:
            covariances = _take_both(covariances, order)
        return cls(weights, means, np.linalg.cholesky(covariances), tilt, order)

    @property
    def covariances(self) -> NDArray:
        """Covariances of the components, of the features as they come."""
        covariances = self.factors @ self.factors.transpose(0, 2, 1)
        if self.order is None:
            return covariances
        return _take_both(covariances, self._places)

    def is_valid(self) -> bool:
        """Return whether there is a mean and a factor for each component, and whether
        the order holds each feature once.
        """
        if self.means.ndim != 2 or not self.means.size or self.tilt < 0.0:
            return False
        n, d = self.means.shape
        order = self.order
        if order is not None and not (are_positions(order, d) and len(order) == d):
            return False
        return (
            self.weights.shape == (n,)
            and self.factors.shape == (n, d, d)
            and bool((np.diagonal(self.factors, axis1=1, axis2=2) > 0.0).all())
        )

    @cached_property
    def _features(self) -> tuple[NDArray, ...]:
        """What L⁻¹ does for each feature: with those before it, with it, with μ."""
        means = self.means if self.order is None else self.means[:, self.order]
        return np.log(self.weights), *invert_factors(means, self.factors)

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        return self._solve(X, inverse=False)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        X, log_det = self._solve(Z, inverse=True)
        return X, -log_det

    def _solve(
        self, given: NDArray, inverse: bool, boost: Boost | None = None
    ) -> Mapped:
        log_weights, *features = self._features
        known = log_weights[None], features, self.tilt, inverse, boost
        if self.order is None:
            return solve_rows(given, *known)
        found, log_det = solve_rows(np.take(given, self.order, axis=1), *known)
        return np.take(found, self._places, axis=1), log_det

    @cached_property
    def _places(self) -> NDArray:
        """Where each feature stands in the order."""
        assert self.order is not None
        return np.argsort(self.order)


def _take_both(covariances: NDArray, order: NDArray) -> NDArray:
    """Return covariances of features in an order."""
    return np.ascontiguousarray(covariances[:, order[:, None], order])


def invert_factors(means: NDArray, factors: NDArray) -> tuple[NDArray, ...]:
    """Return what L⁻¹ does for each feature; arguments of the kernel."""
    identity = np.eye(means.shape[1])
    # LAPACK itself: what looks at the arguments before takes several times as long.
    inverses = np.stack([dtrtrs(L, identity, lower=1)[0] for L in factors])
    # One layout, whatever the shape: kernels would be compiled anew for another.
    shift = np.ascontiguousarray(np.einsum("kij,kj->ik", inverses, means))
    before = np.ascontiguousarray(np.moveaxis(inverses, 0, -1))
    factor = np.diagonal(inverses, axis1=1, axis2=2).T.copy(order="C")
    steep = np.abs(before).max(axis=(1, 2), where=_is_before(len(before)), initial=0.0)
    return before, factor, np.log(factor), shift, steep > _STEEP


def _is_before(n_features: int) -> NDArray:
    return np.tri(n_features, k=-1, dtype=bool)[:, :, None]


def solve_rows(
    given: NDArray,
    log_weights: NDArray,
    features: Sequence[NDArray],
    tilt: float,
    inverse: bool,
    boost: Boost | None = None,
) -> Mapped:
    """Return rows after the map, or before it, and its log-determinant.

    Parameters
    ----------
    given : ndarray of shape (n_samples, n_features)
        Rows, or latent rows for the inverse.
    log_weights : ndarray of shape (1, n_components) or (n_samples, n_components)
        Of all rows, or of each.
    features : sequence of ndarray
        What `invert_factors` returns.
    tilt : float
        Slope that is added.
    inverse : bool
        Whether to go back.
    boost : tuple, default=None
        Bins of the features; see `destructors.maps.BoostedRosenblatt`.
    """
    check_width(given, len(features[1]), "The mixture")
    # Farther out than this squares overflow.
    given = np.clip(given, -LARGEST, LARGEST)
    found, log_det = np.empty_like(given, order="C"), np.empty(len(given))
    given = np.ascontiguousarray(given)
    known = given, log_weights, *features, float(tilt), inverse
    _solve(*known, found, log_det, boost)
    return found, log_det


_solve = jit_fused(kernels.solve, plain=solve_plainly)
