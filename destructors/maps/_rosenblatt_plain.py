"""The Rosenblatt map of a Gaussian mixture without a compiler, many rows at once.

It is the reference of the kernel in `destructors.maps._rosenblatt_kernels`.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, log_ndtr, ndtri_exp

from destructors.maps import _rosenblatt_kernels as kernels
from destructors.maps._bins import Bins, Boost
from destructors.maps._map import Mapped
from destructors.maps._normal import LARGEST

# Numbers in an array over components and rows: a handful of such arrays, and nothing
# larger, is what a block of rows needs.
_BLOCK_SIZE = 2**16
# Newton's steps end with one smaller than this, in standard units of the feature.
_TOL = 1e-10


def solve_plainly(
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
