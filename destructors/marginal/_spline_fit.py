"""Penalised maximum likelihood for one monotone spline.

The map of a column is a piecewise quadratic spline with slopes ``exp(eta_k)`` at the
knots. Fitted are the value at the first knot ``c`` and the log-slopes ``eta``, by
maximising

    Σ_i w_i (log t'(x_i) - t(x_i)² / 2) - ½ λ |D² eta|²

where ``D²`` takes second differences: as λ grows the map tends to one whose log-slope
is linear in the knot number, a family that contains the affine maps, so that normal
data cost three parameters however many knots there are. λ is the one with the best
Akaike criterion on a decreasing path.

With ``t = c + A g``, ``g = exp(eta)``, the quadratic term needs only the first two
moments of the rows of ``A``; a step of Fisher scoring therefore passes over the points
once, for the logarithm. The expected Hessian is ``E[∇t ∇tᵀ] + E[∇log t' ∇log t'ᵀ]``,
which is positive semidefinite everywhere.
"""

import math
from functools import lru_cache

import numpy as np

from destructors.maps._jit import jit

# Cost of an effective parameter in the criterion, in nats. Akaike's is 1; a larger one
# guards against the ragged fits it picks now and then (C. Gu, Smoothing Spline ANOVA
# Models, 2013, section 7.3).
_PARAMETER_COST = 1.4
# λ relative to the total weight, from stiff to supple.
PENALTIES = 10.0 ** np.arange(2.0, -6.0, -1.0)
# An absolute penalty that acts where a knot has few points about it, so that the
# slope in the tails is not decided by the last one or two of them.
_SPARSE_PENALTY = 30.0
_SPARSE_COUNT = 10.0
# A fit ends when a step gains less than this per row, in nats: far below what any
# sample could tell.
_TOLERANCE = 1e-5
_MAX_STEPS = 50


# ---------------------------------------------------------------- what is summed once


def _sum(v):
    """In order, so that equal numbers give equal sums."""
    return v.cumsum()[-1]


def _design(x, weight, knots):
    """Moments of the rows of ``A``, the place of each point, and the mass between."""
    m, gaps = len(knots), knots[1:] - knots[:-1]
    interval, around = np.searchsorted(knots[1:-1], x, side="right"), np.zeros(m + 1)
    around[1:-1] = gaps
    h, before, after = gaps[interval], around[:-1], around[1:]
    s = (x - knots[interval]) / h
    # A row has q_k for knots passed, then a and b for the two about the point.
    a = 0.5 * before[interval] + h * (s - 0.5 * s * s)
    b = 0.5 * h * s * s
    weight_a, weight_b = weight * a, weight * b

    def collect(values, place=interval):
        # In the order of the points, as `_sum`.
        return np.bincount(place, values, m)

    mass, q = collect(weight), 0.5 * (before + after)
    ends_b, passed = collect(weight_b, interval + 1), _sum(weight) - mass.cumsum()
    first = q * passed + collect(weight_a) + ends_b
    # All that is passed, but on the diagonal and beside it.
    second = q[:, None] * first
    second = np.where(_is_above(m), second, second.T)
    beside = collect(weight_a * b)[:-1] - q[:-1] * ends_b[1:]
    second.ravel()[1 :: m + 1] += beside
    second.ravel()[m :: m + 1] += beside
    own = collect(weight_a * a) + collect(weight_b * b, interval + 1)
    second.ravel()[:: m + 1] = own + q * q * passed
    return interval, s, mass, first, second


@lru_cache
def _is_above(n_knots):
    return np.triu(np.ones((n_knots, n_knots), bool), 1)


def _difference_penalty(strength):
    """Upper half of the matrix of ``Σ_k strength_k (second difference at knot k)²`` in
    (c, eta): ``penalty[d, k]`` is its entry ``(k, k + d)``, half of it for ``d = 0``,
    so that the matrix is this and its transpose.
    """
    m = len(strength)
    penalty, inner = np.zeros((3, m + 1)), strength[1:-1]
    penalty[0, 3:] = 0.5 * inner
    penalty[0, 2:-1] += 2.0 * inner
    penalty[0, 1:-2] += 0.5 * inner
    penalty[1, 2:-1] = -2.0 * inner
    penalty[1, 1:-2] -= 2.0 * inner
    penalty[2, 1:-2] = inner
    return penalty


@lru_cache
def _smoothness(n_knots):
    return _difference_penalty(np.ones(n_knots))


def _start(x, weight, total, knots):
    """Parameters of the affine map to mean 0 and variance 1."""
    mean = _sum(weight * x) / total
    sd = np.sqrt(_sum(weight * ((x - mean) * (x - mean))) / total)
    theta = np.full(len(knots) + 1, -np.log(sd))
    theta[0] = (knots[0] - mean) / sd
    return theta


def _sparse_strength(mass):
    """Return strengths of the penalty where data are sparse."""
    around = mass.copy()
    around[1:] += mass[:-1]
    return _SPARSE_PENALTY / (1.0 + around / _SPARSE_COUNT)


# ---------------------------------------------------------------- one penalty


@jit
def _maximise(
    theta, penalty, interval, s, weight, total, first, second, work, slope, out
):
    """Maximise the penalised log-likelihood from ``theta = (c, eta)`` on, in place.

    One kernel, since each of its own costs as much again to compile. The last three
    arguments are to work in, of shape (5, n_knots + 1), (n_points,) and (n_knots + 1,
    n_knots + 1).

    Returns
    -------
    loglik : float
        Log-likelihood that is reached.
    n_effective : float
        Effective number of parameters: what the trace of ``H⁻¹ penalty`` leaves of it,
        for the Hessian of the last step, taken a hair from the optimum.
    """
    g, pull, drag, step, trial = work
    m = len(theta)
    n_knots, old, loglik = m - 1, -np.inf, -np.inf
    for k in range(m):
        step[k] = 0.0
    for round_ in range(_MAX_STEPS + 1):
        size = 1.0
        while True:
            for k in range(m):
                trial[k] = theta[k] - size * step[k]
            # The log-likelihood: slopes at the knots ``g`` and at the points, then the
            # square of the values by its quadratic form, whose product is the ``pull``.
            c, reached = trial[0], 0.0
            for k in range(n_knots):
                g[k] = math.exp(trial[k + 1])
                pull[k] = 0.0
            for i in range(len(s)):
                k = interval[i]
                slope[i] = (1.0 - s[i]) * g[k] + s[i] * g[k + 1]
                reached += weight[i] * math.log(slope[i])
            for l in range(n_knots):
                # Along the rows: the same by symmetry, and vectorised.
                slope_l = g[l]
                for k in range(n_knots):
                    pull[k] += second[l, k] * slope_l
            square = total * c * c
            for k in range(n_knots):
                square += (2.0 * c * first[k] + pull[k]) * g[k]
            reached -= 0.5 * square
            # What the penalty leaves of it; the ``drag`` is the penalty's product.
            cost = 0.0
            for k in range(m):
                drag[k] = 0.0
            for d in range(3):
                for k in range(m - d):
                    drag[k] += penalty[d, k] * trial[k + d]
                    drag[k + d] += penalty[d, k] * trial[k]
                    cost += penalty[d, k] * trial[k] * trial[k + d]
            value = reached - cost
            # A NaN compares as worse.
            if value >= old or size < 1e-9:
                break
            size *= 0.5
        if not value >= old:
            break
        loglik = reached
        for k in range(m):
            theta[k] = trial[k]
        if round_ == _MAX_STEPS or value - old < _TOLERANCE * total:
            break
        old = value

        # The gradient, and the upper half of the expected Hessian, of minus the value.
        step[0], out[0, 0] = total * c + drag[0], total
        for k in range(n_knots):
            step[0] += first[k] * g[k]
            step[k + 1] = g[k] * (c * first[k] + pull[k]) + drag[k + 1]
            out[0, k + 1] = g[k] * first[k]
            slope_k = g[k]
            for l in range(k, n_knots):
                out[k + 1, l + 1] = slope_k * second[k, l] * g[l]
        for i in range(len(s)):
            k = interval[i]
            right = s[i] * g[k + 1] / slope[i]
            left = 1.0 - right
            weight_left, weight_right = weight[i] * left, weight[i] * right
            step[k + 1] -= weight_left
            step[k + 2] -= weight_right
            out[k + 1, k + 1] += weight_left * left
            out[k + 1, k + 2] += weight_left * right
            out[k + 2, k + 2] += weight_right * right
        for k in range(m):
            out[k, k] += penalty[0, k]
        for d in range(3):
            for k in range(m - d):
                out[k, k + d] += penalty[d, k]

        # Its Cholesky factor and the step. Row by row, so that the inner loop runs
        # along memory; the matrices are too small for a library call to pay.
        for k in range(m):
            root = math.sqrt(out[k, k])
            out[k, k] = root
            along = step[k] / root
            step[k] = along
            for j in range(k + 1, m):
                out[k, j] /= root
                step[j] -= out[k, j] * along
            for i in range(k + 1, m):
                factor = out[k, i]
                for j in range(i, m):
                    out[i, j] -= factor * out[k, j]
        for k in range(m - 1, -1, -1):
            for j in range(k + 1, m):
                step[k] -= out[k, j] * step[j]
            step[k] /= out[k, k]

    # The factor U becomes its inverse V, from the last row up; H⁻¹ is V Vᵀ.
    for k in range(m - 1, -1, -1):
        for j in range(k + 1, m):
            drag[j] = 0.0
        for l in range(k + 1, m):
            factor = out[k, l]
            for j in range(l, m):
                drag[j] += factor * out[l, j]
        out[k, k] = 1.0 / out[k, k]
        for j in range(k + 1, m):
            out[k, j] = -drag[j] * out[k, k]
    for k in range(m):
        drag[k] = 0.0
    for d in range(3):
        for k in range(m - d):
            entry = penalty[d, k]
            for j in range(k + d, m):
                drag[j] += entry * out[k, j] * out[k + d, j]
    n_effective = 1.0 * m
    for k in range(m):
        n_effective -= 2.0 * drag[k]
    return loglik, n_effective


# ---------------------------------------------------------------- all penalties


# Before an outlier intervals are so wide that squares of them overflow.
@np.errstate(over="ignore", invalid="ignore")
def fit_slopes(x, weight, knots, penalties):
    """Fit the value at the first knot and the log-slopes.

    Parameters
    ----------
    x : ndarray of shape (n_points,)
        Sorted points, in robust standard units.
    weight : ndarray of shape (n_points,)
        Positive weights.
    knots : ndarray of shape (n_knots,)
        Strictly increasing, at least two, from the first to the last point.
    penalties : ndarray of shape (n_penalties,)
        Decreasing values of λ relative to the total weight.

    Returns
    -------
    c : float
        Value at the first knot.
    eta : ndarray of shape (n_knots,)
        Log-slopes at the knots.
    """
    m, total = len(knots), _sum(weight)
    interval, s, mass, first, second = _design(x, weight, knots)
    work, slope, out = np.empty((5, m + 1)), np.empty(len(x)), np.zeros((m + 1, m + 1))
    data = interval, s, weight, total, first, second, work, slope, out
    smooth = _smoothness(m)
    sparse = _difference_penalty(_sparse_strength(mass))
    # A trace of a ridge, for directions that neither data nor penalty decide.
    sparse[0] += 0.5e-9 * total
    theta = _start(x, weight, total, knots)
    best, best_theta, worse = -np.inf, theta, 0
    for relative in penalties:
        penalty = relative * total * smooth + sparse
        loglik, n_effective = _maximise(theta, penalty, *data)
        small = 1.0 + (n_effective + 1.0) / max(total - n_effective - 1.0, 1.0)
        criterion = loglik - _PARAMETER_COST * n_effective * small
        if criterion > best:
            best, best_theta, worse = criterion, theta.copy(), 0
        else:
            worse += 1
            if worse == 2:
                break
    return best_theta[0], best_theta[1:]
