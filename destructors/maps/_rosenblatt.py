"""The Rosenblatt map of a Gaussian mixture: one feature after the other.

Given the features before it, a feature of a Gaussian mixture follows a mixture in one
dimension. Component ``k`` has the weight ``w_k``, and in it the feature ``x`` has the
standard value ``u_k = factor_k x + offset_k``. So

    z = Φ⁻¹(F(x)) + tilt x,    F(x) = Σ_k w_k Φ(u_k)

The smaller of the two tails is what counts, so that no digit is lost on either side;
where it is out of the range of float64 its logarithm is computed instead. Without the
tilt this gives exactly the density of the mixture, but in an empty gap between
components ``z`` is flat as far as float64 can tell, and cannot be inverted.

Here is the map, and its plain form, which does without a compiler and is the reference
of the kernel in `destructors.maps._rosenblatt_kernels`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtrs
from scipy.special import erfcx, log_ndtr, ndtri_exp

from destructors.maps import _rosenblatt_kernels as kernels
from destructors.maps._bins import Bins, Boost
from destructors.maps._checks import are_positions, check_width
from destructors.maps._jit import jit_fused
from destructors.maps._map import Map, Mapped
from destructors.maps._normal import LARGEST

# Numbers in an array over components and rows: a handful of such arrays, and nothing
# larger, is what a block of rows needs where the kernel is not compiled.
_BLOCK_SIZE = 2**16
# What is seen without its last bits, 1e-10 of it, moves a feature by no more than 1e-8
# standard units where it is multiplied by less than this.
_STEEP = 64.0
# Newton's steps end with one smaller than this, in standard units of the feature.
_TOL = 1e-10


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


def _solve_vectorised(
    given: NDArray,
    log_weights: NDArray,
    before: NDArray,
    factor: NDArray,
    log_factor: NDArray,
    shift: NDArray,
    steep: NDArray,
    tilt: float,
    inverse: bool,
    found: NDArray,
    log_det: NDArray,
    boost: Boost | None,
) -> None:
    """Do what the kernel does, many rows at once."""
    tilted = tilt > 0.0
    least = kernels.LEAST if tilted else -np.inf
    n_rows = int(np.clip(_BLOCK_SIZE // log_weights.shape[1], 256, 4096))
    log_det[:] = 0.0
    for start in range(0, len(given), n_rows):
        rows = slice(start, start + n_rows)
        known = np.ascontiguousarray(given[rows].T)
        result = np.empty_like(known)
        X = result if inverse else known
        drawn, seen = np.empty_like(result), np.empty_like(result)
        places = np.empty(known.shape, np.int64)
        own = log_weights[rows] if len(log_weights) > 1 else log_weights
        log_weight = np.repeat(own.T, known.shape[1] // len(own), axis=1)
        for j in range(len(known)):
            earlier = drawn if steep[j] else seen
            offset = before[j, :j].T @ earlier[:j] - shift[j][:, None]
            log_weight -= _log_sum(log_weight)
            logs = np.maximum(log_weight, least)
            mixture = Conditional(factor[j], offset, logs, tilt)
            goal, bins = known[j], None
            if boost is not None and (boost[3][j + 1] > boost[3][j] or len(boost[5])):
                bins = Bins(j, mixture, places, boost)
                if inverse:
                    goal, log_slope = bins.move(goal, back=True)
                    log_det[rows] -= log_slope
            solve = mixture.invert if inverse else mixture.gaussianize
            result[j], log_slope = solve(goal)
            log_det[rows] += log_slope
            if boost is not None and bins is not None and not inverse:
                if len(boost[5]):
                    boost[5][rows, j] = bins.find(result[j])
                    boost[6][rows, j] = bins.mass.T
                result[j], log_slope = bins.move(result[j])
                log_det[rows] += log_slope
            # Multiply the weights by the densities of the feature.
            drawn[j], seen[j] = _see(X[j]) if tilted else (X[j], X[j])
            if boost is not None:
                places[j] = np.searchsorted(boost[0][j], seen[j], side="right")
            offset = before[j, :j].T @ seen[:j] - shift[j][:, None]
            u = np.clip(factor[j][:, None] * seen[j] + offset, -LARGEST, LARGEST)
            log_weight += log_factor[j][:, None] - 0.5 * u**2
        found[rows] = result.T


_solve = jit_fused(kernels.solve, plain=_solve_vectorised)


def _see(x: NDArray) -> tuple[NDArray, NDArray]:
    """Return a feature as those after it see it, with all bits and without the last.

    Drawn in, a feature far out leaves the digits of those after it. Without the last
    bits, which an inverse may lose, the components' weights stay what they are in a
    gap, which the tilt alone resolves. What follows a feature closely sees all bits: it
    moves by no more than they do, where rounding would make steps that later layers can
    tell.
    """
    size = np.minimum(np.abs(x), kernels.FARTHEST_SEEN)
    bits = (size + 1.0).view(np.int64) + kernels.HALF_UNSEEN
    bits = (bits >> kernels.UNSEEN) << kernels.UNSEEN
    return np.copysign(size, x), np.copysign(bits.view(np.float64) - 1.0, x)


# ---------------------------------------------------------------- one feature


class Conditional(NamedTuple):
    """Mixtures of one feature, one for each row: the reference of the kernel.

    Attributes
    ----------
    factor : ndarray of shape (n_components,)
        Inverse standard deviations of the components.
    offset : ndarray of shape (n_components, n_samples)
        Minus their means, in units of their standard deviations.
    log_weight : ndarray of shape (n_components, n_samples)
        Logarithms of their weights, of sum one.
    tilt : float
        Slope to add to the map.
    """

    factor: NDArray
    offset: NDArray
    log_weight: NDArray
    tilt: float

    def gaussianize(self, x: NDArray) -> Mapped:
        """Map values to N(0, 1).

        Parameters
        ----------
        x : ndarray of shape (n_samples,)
            Values of the feature.

        Returns
        -------
        z : ndarray of shape (n_samples,)
        log_slope : ndarray of shape (n_samples,)
            Log of dz/dx, in nats.
        """
        z, log_slope = _gaussianize(x, *self)
        return np.where(np.abs(z) > kernels.NO_LATENT, z, 0.0), log_slope

    def invert(self, z: NDArray) -> Mapped:
        """Return the values that `gaussianize` maps to ``z``.

        The quantile of a mixture lies between the smallest and the largest of its
        components' quantiles. Within that bracket Newton's steps are taken, on ``z``
        itself as a function of ``x``, which is nearly linear wherever one component
        rules, and halving steps where they leave the bracket or gain too little.

        Parameters
        ----------
        z : ndarray of shape (n_samples,)
            Standard normal values.

        Returns
        -------
        x : ndarray of shape (n_samples,)
        log_slope : ndarray of shape (n_samples,)
            Log of dz/dx there, in nats.
        """
        return _invert(z, *self)


def _gaussianize(x: NDArray, *mixture: Any) -> Mapped:
    """Return what `Conditional.gaussianize` does, in logarithms throughout."""
    factor, offset, log_weight, tilt = mixture
    u = np.clip(factor[:, None] * x + offset, -LARGEST, LARGEST)
    below, above = log_weight + log_ndtr(u), log_weight + log_ndtr(-u)
    lower, upper = _log_sums(below), _log_sums(above)
    left = sum(lower) < sum(upper)
    side = np.where(left, -1.0, 1.0)
    largest, rest = np.where(left, lower, upper)
    # Slope of log F: the hazards of the components, each by its share of the tail; one
    # after the other, as far out the last place of the sum is more than the rest.
    share = (np.where(left, below, above) - largest) - rest
    log_hazard = np.log(factor)[:, None] - _log_mills(side * u)
    size = -ndtri_exp(largest + rest)
    log_slope = _log_sum(share + log_hazard) + _log_mills(size)
    with np.errstate(divide="ignore"):
        log_slope = np.logaddexp(log_slope, np.log(tilt))
    return side * size + tilt * x, log_slope


def _log_sum(logs: NDArray) -> NDArray:
    """Return the logarithm of the sum over components, all of which are finite."""
    largest, rest = _log_sums(logs)
    return largest + rest


def _log_sums(logs: NDArray) -> tuple[NDArray, NDArray]:
    """Return the largest over components, and what the sum adds to it."""
    largest = logs.max(axis=0)
    return largest, np.log(np.exp(logs - largest).sum(axis=0))


def _log_mills(u: NDArray) -> NDArray:
    right = np.log(np.sqrt(0.5 * np.pi) * erfcx(np.maximum(u, 0.0) / np.sqrt(2.0)))
    left = np.minimum(u, 0.0)
    return np.where(
        u > 0.0, right, log_ndtr(-left) + 0.5 * left**2 + 0.5 * np.log(2.0 * np.pi)
    )


def _invert(z: NDArray, *mixture: Any) -> Mapped:
    """Return what `Conditional.invert` does."""
    factor, offset, log_weight, tilt = mixture
    x, log_slope = np.empty_like(z), np.empty_like(z)
    quantiles = (z - offset) / (factor + tilt)[:, None]
    low, high = quantiles.min(axis=0), quantiles.max(axis=0)
    trial = np.clip(np.einsum("kn,kn->n", np.exp(log_weight), quantiles), low, high)
    rows, last = np.arange(len(z)), np.full(len(z), np.inf)
    for step in range(1, kernels.MAX_STEPS + 1):
        value, slope = _gaussianize(trial, factor, offset, log_weight, tilt)
        error = value - z
        low, high = np.where(error < 0, trial, low), np.where(error < 0, high, trial)
        with np.errstate(over="ignore"):
            newton = trial - error / np.maximum(np.exp(slope), 1e-300)
        reach = np.maximum(_TOL, kernels.LAST_PLACES * np.abs(trial))
        least = 1e-5 * _TOL * np.maximum(1.0, np.abs(trial))
        done = (np.abs(newton - trial) <= reach) | (high - low <= least)
        done |= step == kernels.MAX_STEPS
        x[rows[done]] = np.clip(newton, low, high)[done]
        log_slope[rows[done]] = slope[done]
        if done.all():
            break
        inside = (low < newton) & (newton < high) & (np.abs(error) < 0.5 * last)
        trial, last = np.where(inside, newton, 0.5 * (low + high)), np.abs(error)
        left = ~done
        rows, z, low, high = rows[left], z[left], low[left], high[left]
        trial, last = trial[left], last[left]
        offset, log_weight = offset[:, left], log_weight[:, left]
    return x, log_slope
