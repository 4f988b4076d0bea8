"""One feature of a mixture given those before it: its map to N(0, 1), and the inverse.

Given the features before it, a feature of a Gaussian mixture follows a mixture in one
dimension. Component ``k`` has the weight ``w_k``, and in it the feature ``x`` has the
standard value ``u_k = factor_k x + offset_k``. So

    z = Φ⁻¹(F(x)) + tilt x,    F(x) = Σ_k w_k Φ(u_k)

The smaller of the two tails is what counts, so that no digit is lost on either side;
where it is out of the range of float64 its logarithm is computed instead. Without the
tilt this gives exactly the density of the mixture, but in an empty gap between
components ``z`` is flat as far as float64 can tell, and cannot be inverted.

Arrays over components and rows are of shape ``(n_components, n_samples)``: neighbouring
numbers then undergo the same operations, as vector units like it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, log_ndtr, logsumexp, ndtri_exp

from destructors.maps._conditional_kernels import gaussianize_loops, invert_loops
from destructors.maps._jit import HAS_NUMBA
from destructors.maps._map import Mapped
from destructors.maps._normal import LARGEST

# The search for a root ends with steps smaller than this, in standard units of the
# feature; Newton's last step then lands far closer.
_TOL = 1e-10
_MAX_STEPS = 200


class Conditional(NamedTuple):
    """Mixtures of one feature, one for each row.

    Attributes
    ----------
    factor : ndarray of shape (n_components,)
        Inverse standard deviations of the components.
    offset : ndarray of shape (n_components, n_samples)
        Minus their means, in units of their standard deviations.
    weight : ndarray of shape (n_components, n_samples)
        Their weights, of sum one; none below exp(-300).
    log_weight : ndarray of shape (n_components, n_samples)
        Logarithms of the weights, however small.
    tilt : float
        Slope to add to the map.
    """

    factor: NDArray
    offset: NDArray
    weight: NDArray
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
        if not HAS_NUMBA:
            return _gaussianize_vectorised(self, x)
        z, log_slope = np.empty_like(x), np.empty_like(x)
        gaussianize_loops(x, *self, z, log_slope)
        return z, log_slope

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
        if not HAS_NUMBA:
            return _invert_vectorised(self, z)
        x, log_slope = np.empty_like(z), np.empty_like(z)
        invert_loops(z, *self, _TOL, _MAX_STEPS, x, log_slope)
        return x, log_slope


def _gaussianize_vectorised(mixture: Conditional, x: NDArray) -> Mapped:
    """Return what the kernel does, in logarithms throughout."""
    factor, offset, _, log_weight, tilt = mixture
    u = np.clip(factor[:, None] * x + offset, -LARGEST, LARGEST)
    below, above = log_weight + log_ndtr(u), log_weight + log_ndtr(-u)
    lower, upper = logsumexp(below, axis=0), logsumexp(above, axis=0)
    left = lower < upper
    side, smaller = np.where(left, -1.0, 1.0), np.where(left, lower, upper)
    # Slope of log F: the hazards of the components, each by its share of the tail.
    share = np.where(left, below, above) - smaller
    log_hazard = np.log(factor)[:, None] - _log_mills(side * u)
    size = -ndtri_exp(smaller)
    log_slope = logsumexp(share + log_hazard, axis=0) + _log_mills(size)
    if tilt > 0.0:
        log_slope = np.logaddexp(log_slope, np.log(tilt))
    return side * size + tilt * x, log_slope


def _log_mills(u: NDArray) -> NDArray:
    right = np.log(np.sqrt(0.5 * np.pi) * erfcx(np.maximum(u, 0.0) / np.sqrt(2.0)))
    left = np.minimum(u, 0.0)
    return np.where(
        u > 0.0, right, log_ndtr(-left) + 0.5 * left**2 + 0.5 * np.log(2.0 * np.pi)
    )


def _invert_vectorised(mixture: Conditional, z: NDArray) -> Mapped:
    """Return what the kernel does, all rows at once."""
    factor, offset, weight, log_weight, tilt = mixture
    x, log_slope = np.empty_like(z), np.empty_like(z)
    quantiles = (z - offset) / (factor + tilt)[:, None]
    low, high = quantiles.min(axis=0), quantiles.max(axis=0)
    trial = np.clip(np.einsum("kn,kn->n", weight, quantiles), low, high)
    rows, last = np.arange(len(z)), np.full(len(z), np.inf)
    for step in range(1, _MAX_STEPS + 1):
        value, slope = _gaussianize_vectorised(
            Conditional(factor, offset, weight, log_weight, tilt), trial
        )
        error = value - z
        low, high = np.where(error < 0, trial, low), np.where(error < 0, high, trial)
        with np.errstate(over="ignore"):
            newton = trial - error / np.maximum(np.exp(slope), 1e-300)
        reach = _TOL * np.maximum(1.0, np.abs(trial))
        done = (np.abs(newton - trial) <= reach) | (high - low <= 1e-5 * reach)
        done |= step == _MAX_STEPS
        x[rows[done]] = np.clip(newton, low, high)[done]
        log_slope[rows[done]] = slope[done]
        if done.all():
            break
        inside = (low < newton) & (newton < high) & (np.abs(error) < 0.5 * last)
        trial, last = np.where(inside, newton, 0.5 * (low + high)), np.abs(error)
        left = ~done
        rows, z, trial, last = rows[left], z[left], trial[left], last[left]
        low, high = low[left], high[left]
        offset, weight, log_weight = (a[:, left] for a in (offset, weight, log_weight))
    return x, log_slope
