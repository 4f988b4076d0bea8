"""Radii of the standard normal in d dimensions, as normal scores, far into both tails.

The length of a standard normal row follows the chi distribution. Radii and tails are in
logarithms: nothing under- or overflows, and no tail is a difference from one.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import (
    erfcx,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
    gammaln,
    ndtr,
    ndtri_exp,
)

# What is less likely is taken from a series: incomplete gamma functions underflow soon.
_LEAST = 1e-280
# Beyond so large a radius it equals its score in all digits: the difference is about
# ``(d - 1) log(r) / r``.
_LOG_FAR = 32.0
_FAR = np.exp(_LOG_FAR)
# Scores below are taken for this one: the logarithm of the radius is beyond float64.
_LOWEST = -1e100
# Scores whose probabilities incomplete gamma functions can be inverted at.
_NEAR = 30.0
_MOST_TERMS, _NO_TERM = 10_000, 1e-17
_MOST_STEPS, _NO_STEP = 50, 1e-15
_LOG_2, _HALF_LOG_HALF_PI = np.log(2.0), 0.5 * np.log(0.5 * np.pi)
_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


def score_radii(log_radius: NDArray, n_features: int) -> tuple[NDArray, NDArray]:
    r"""Return the normal score of each radius, :math:`v = \Phi^{-1}(F_\chi(r))`.

    Parameters
    ----------
    log_radius : ndarray of shape (n_samples,)
        Natural logarithms of radii.
    n_features : int
        Dimension: the degrees of freedom of the chi distribution.

    Returns
    -------
    score : ndarray of shape (n_samples,)
    log_slope : ndarray of shape (n_samples,)
        Log of the derivative of the score with respect to the log of the radius.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps._chi import score_radii
    >>> score_radii(np.log([2.0]), 2)[0].round(4)
    array([1.1015])
    """
    near = np.minimum(log_radius, _LOG_FAR)
    is_below, log_tail, log_share = _find_tails(near, 0.5 * n_features)
    score = ndtri_exp(log_tail)
    # A density over its own tail is neither small nor large where both vanish.
    log_slope = log_share + np.log(erfcx(-score / np.sqrt(2.0))) + _HALF_LOG_HALF_PI
    is_far = log_radius > _LOG_FAR
    score = np.where(is_far, np.exp(np.minimum(log_radius, 709.0)), score)
    score = np.where(is_below | is_far, score, -score)
    return score, np.where(is_far, log_radius, log_slope)


def find_radii(score: NDArray, n_features: int) -> tuple[NDArray, NDArray]:
    """Return the log of the radius of each normal score: undo `score_radii`.

    Parameters
    ----------
    score : ndarray of shape (n_samples,)
        Normal scores.
    n_features : int
        Dimension.

    Returns
    -------
    log_radius : ndarray of shape (n_samples,)
    log_slope : ndarray of shape (n_samples,)
        Log of the derivative of the log of the radius with respect to the score.
    """
    log_radius = _begin(np.clip(score, _LOWEST, _FAR), n_features)
    is_far = score > _FAR
    log_radius[is_far] = np.log(score[is_far])
    log_slope = log_radius.copy()
    left = np.flatnonzero(~is_far)
    # The score is a convex function of the log of the radius, and Newton's steps
    # converge from anywhere. Each row takes its own, whatever the others do.
    for _ in range(_MOST_STEPS):
        found, log_slope[left] = score_radii(log_radius[left], n_features)
        wrong = found - np.maximum(score[left], _LOWEST)
        step = wrong * np.exp(-log_slope[left])
        log_radius[left] -= step
        small = _NO_STEP * np.maximum(1.0, np.abs(log_radius[left]))
        left = left[np.abs(step) > small]
        if not len(left):
            break
    return log_radius, -log_slope


def _begin(score: NDArray, n_features: int) -> NDArray:
    """Return logs of radii that have about the scores that are asked for."""
    shape, is_low = 0.5 * n_features, score < 0.0
    tail = ndtr(-np.minimum(np.abs(score), _NEAR))
    with np.errstate(divide="ignore"):
        log_squares = np.log(
            np.where(is_low, gammaincinv(shape, tail), gammainccinv(shape, tail))
        )
    # The power that is the lower tail, and a radius that grows as the score does.
    size = np.maximum(np.abs(score), 1.0)
    log_tail = -0.5 * size**2 - np.log(size) - _HALF_LOG_2PI
    power = (log_tail + gammaln(shape + 1.0)) / shape
    outside = 2.0 * np.log(size + np.sqrt(n_features)) - _LOG_2
    is_far = (np.abs(score) > _NEAR) | ~np.isfinite(log_squares)
    log_squares = np.where(is_far, np.where(is_low, power, outside), log_squares)
    return 0.5 * (log_squares + _LOG_2)


def _find_tails(log_radius: NDArray, shape: float) -> tuple[NDArray, NDArray, NDArray]:
    """Return whether the radius is below the median, the log of the probability of the
    nearer tail, and that of the density of the log of the radius over it.
    """
    log_x = 2.0 * log_radius - _LOG_2
    x = np.exp(log_x)
    below = gammainc(shape, x)
    is_below = below < 0.5
    tail = np.where(is_below, below, gammaincc(shape, x))
    # The density of log(r) in units of a constant.
    log_density = shape * log_x - x - gammaln(shape) + _LOG_2
    with np.errstate(divide="ignore"):
        log_tail = np.log(tail)
    log_share = log_density - log_tail
    # A square underflows before the probability does in one dimension.
    rare = (tail < _LEAST) | (x < _LEAST)
    if rare.any():
        low = rare & is_below
        log_share[low] = np.log(2.0 * shape) - np.log(_lower_series(x[low], shape))
        high = rare & ~is_below
        log_share[high] = log_x[high] + _LOG_2 - np.log(_upper_series(x[high], shape))
        log_tail[rare] = log_density[rare] - log_share[rare]
    return is_below, log_tail, log_share


def _lower_series(x: NDArray, shape: float) -> NDArray:
    """Return ``1 + x / (a + 1) + x² / ((a + 1)(a + 2)) + …``."""
    term, total = np.ones_like(x), np.ones_like(x)
    for k in range(1, _MOST_TERMS):
        term = term * (x / (shape + k))
        total = total + term
        if (term <= _NO_TERM * total).all():
            break
    return total


def _upper_series(x: NDArray, shape: float) -> NDArray:
    """Return ``1 + (a - 1) / x + (a - 1)(a - 2) / x² + …``, up to its least term."""
    term, total = np.ones_like(x), np.ones_like(x)
    for k in range(1, _MOST_TERMS):
        factor = (shape - k) / x
        term = np.where(np.abs(factor) < 1.0, term * factor, 0.0)
        total = total + term
        if (np.abs(term) <= _NO_TERM * total).all():
            break
    return total
