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


@jit
def _design(x, weight, knots):
    """Moments of the rows of ``A``, the place of each point, and the mass between."""
    n, m = len(x), len(knots)
    interval, s, a, b = np.empty(n, np.int64), np.empty(n), np.empty(n), np.empty(n)
    mass, passed = np.zeros(m), np.empty(m)
    ends_a, ends_b, both = np.zeros(m), np.zeros(m), np.zeros(m)
    own_a, own_b = np.zeros(m), np.zeros(m)
    k = 0
    for i in range(n):
        # Points are sorted.
        while k < m - 2 and knots[k + 1] <= x[i]:
            k += 1
        h = knots[k + 1] - knots[k]
        before = knots[k] - knots[k - 1] if k > 0 else 0.0
        interval[i] = k
        s[i] = (x[i] - knots[k]) / h
        # A row has q_k for knots passed, then a and b for the two about the point.
        a[i] = 0.5 * before + h * (s[i] - 0.5 * s[i] * s[i])
        b[i] = 0.5 * h * s[i] * s[i]
        mass[k] += weight[i]
        ends_a[k] += weight[i] * a[i]
        ends_b[k + 1] += weight[i] * b[i]
        both[k] += weight[i] * a[i] * b[i]
        own_a[k] += weight[i] * a[i] * a[i]
        own_b[k + 1] += weight[i] * b[i] * b[i]
    total, so_far = _sum(weight), 0.0
    q, first, second = np.empty(m), np.empty(m), np.zeros((m, m))
    for k in range(m):
        so_far += mass[k]
        passed[k] = total - so_far
        before = knots[k] - knots[k - 1] if k > 0 else 0.0
        after = knots[k + 1] - knots[k] if k < m - 1 else 0.0
        q[k] = 0.5 * (before + after)
        first[k] = q[k] * passed[k] + ends_a[k] + ends_b[k]
        second[k, k] = own_a[k] + own_b[k] + q[k] * q[k] * passed[k]
    for k in range(m):
        for l in range(k + 1, m):
            second[k, l] = q[k] * first[l]
            if l == k + 1:
                second[k, l] += both[k] - q[k] * ends_b[l]
            second[l, k] = second[k, l]
    return interval, s, mass, first, second


@jit
def _sum(v):
    """In order, so that equal numbers give equal sums."""
    total = 0.0
    for i in range(len(v)):
        total += v[i]
    return total


@jit
def _quadratic_form(matrix, v):
    return v @ (matrix @ v)


@jit
def _evaluate(theta, penalty, data, g):
    """Return log-likelihood, what the penalty leaves of it, and slopes at the points;
    set ``g`` to the slopes at the knots.
    """
    interval, s, weight, first, second = data
    for k in range(len(g)):
        g[k] = np.exp(theta[k + 1])
    n, c = len(s), theta[0]
    slope, logs = np.empty(n), 0.0
    for i in range(n):
        slope[i] = (1.0 - s[i]) * g[interval[i]] + s[i] * g[interval[i] + 1]
        logs += weight[i] * np.log(slope[i])
    square = _sum(weight) * c * c + 2.0 * c * (first @ g) + _quadratic_form(second, g)
    loglik = logs - 0.5 * square
    return loglik, loglik - 0.5 * _quadratic_form(penalty, theta), slope


@jit
def _derivatives(theta, penalty, data, g, slope, out):
    """Return the gradient, and set the upper half of ``out`` to the expected Hessian,
    of minus the penalised log-likelihood in ``theta = (c, eta)``.
    """
    interval, s, weight, first, second = data
    m = len(g)
    gradient = np.empty(m + 1)
    total = weight.sum()
    gradient[0] = total * theta[0]
    out[0, 0] = total
    for k in range(m):
        gradient[0] += first[k] * g[k]
        pull = theta[0] * first[k]
        for l in range(m):
            pull += second[k, l] * g[l]
        gradient[k + 1] = g[k] * pull
        out[0, k + 1] = g[k] * first[k]
        for l in range(k, m):
            out[k + 1, l + 1] = g[k] * second[k, l] * g[l]
    for i in range(len(s)):
        k = interval[i]
        right = s[i] * g[k + 1] / slope[i]
        left = 1.0 - right
        gradient[k + 1] -= weight[i] * left
        gradient[k + 2] -= weight[i] * right
        out[k + 1, k + 1] += weight[i] * left * left
        out[k + 1, k + 2] += weight[i] * left * right
        out[k + 2, k + 2] += weight[i] * right * right
    for k in range(m + 1):
        for l in range(k, m + 1):
            out[k, l] += penalty[k, l]
    gradient += penalty @ theta
    return gradient


@jit
def _factorise(A):
    """Cholesky factor ``U`` with ``UᵀU = A``, from and into the upper half of A.

    Row by row, so that the inner loop runs along memory; the matrices are too small
    for a library call to pay.
    """
    m = len(A)
    for k in range(m):
        A[k, k] = np.sqrt(A[k, k])
        for j in range(k + 1, m):
            A[k, j] /= A[k, k]
        for i in range(k + 1, m):
            for j in range(i, m):
                A[i, j] -= A[k, i] * A[k, j]


@jit
def _solve(U, b):
    """Solve ``UᵀU x = b``."""
    m = len(U)
    x = b.copy()
    for k in range(m):
        x[k] /= U[k, k]
        for j in range(k + 1, m):
            x[j] -= U[k, j] * x[k]
    for k in range(m - 1, -1, -1):
        for j in range(k + 1, m):
            x[k] -= U[k, j] * x[j]
        x[k] /= U[k, k]
    return x


@jit
def _trace_of_ratio(U, penalty):
    """Trace of ``(UᵀU)⁻¹ penalty``, with a penalty of two off-diagonals."""
    m = len(U)
    inverse = np.zeros((m, m))
    for k in range(m - 1, -1, -1):
        inverse[k, k] = 1.0 / U[k, k]
        for j in range(k + 1, m):
            for l in range(j, m):
                inverse[k, l] -= U[k, j] * inverse[j, l]
        for l in range(k + 1, m):
            inverse[k, l] /= U[k, k]
    trace = 0.0
    for i in range(m):
        for j in range(i, min(i + 3, m)):
            if penalty[i, j] != 0.0:
                entry = 0.0
                for l in range(j, m):
                    entry += inverse[i, l] * inverse[j, l]
                trace += entry * penalty[i, j] * (1.0 if i == j else 2.0)
    return trace


@jit
def _difference_penalty(strength):
    """Matrix of ``Σ_k strength_k (second difference at knot k)²`` in (c, eta)."""
    m = len(strength)
    penalty = np.zeros((m + 1, m + 1))
    stencil = np.array([1.0, -2.0, 1.0])
    for k in range(1, m - 1):
        for i in range(3):
            for j in range(3):
                penalty[k + i, k + j] += strength[k] * stencil[i] * stencil[j]
    return penalty


@jit
def _start(x, weight, total, knots):
    """Parameters of the affine map to mean 0 and variance 1."""
    mean, variance = 0.0, 0.0
    for i in range(len(x)):
        mean += weight[i] * x[i]
    mean /= total
    for i in range(len(x)):
        variance += weight[i] * ((x[i] - mean) * (x[i] - mean))
    sd = np.sqrt(variance / total)
    theta = np.empty(len(knots) + 1)
    theta[0] = (knots[0] - mean) / sd
    for k in range(1, len(theta)):
        theta[k] = -np.log(sd)
    return theta


@jit
def _sparse_strength(mass):
    """Return strengths of the penalty where data are sparse."""
    strength = np.empty(len(mass))
    for k in range(len(mass)):
        around = mass[k] + mass[k - 1] if k > 0 else mass[k]
        strength[k] = _SPARSE_PENALTY / (1.0 + around / _SPARSE_COUNT)
    return strength


@jit
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
    m = len(knots)
    total = _sum(weight)
    interval, s, mass, first, second = _design(x, weight, knots)
    data = interval, s, weight, first, second
    smooth = _difference_penalty(np.ones(m))
    sparse = _difference_penalty(_sparse_strength(mass))
    theta = _start(x, weight, total, knots)
    best, best_theta, worse = -np.inf, theta, 0
    system, penalty = np.empty((m + 1, m + 1)), np.empty((m + 1, m + 1))
    g = np.empty(m)
    for relative in penalties:
        for k in range(m + 1):
            for l in range(m + 1):
                penalty[k, l] = relative * total * smooth[k, l] + sparse[k, l]
            # A trace of a ridge, for directions that neither data nor penalty decide.
            penalty[k, k] += 1e-9 * total
        _, value, slope = _evaluate(theta, penalty, data, g)
        for _ in range(50):
            gradient = _derivatives(theta, penalty, data, g, slope, system)
            _factorise(system)
            step = _solve(system, gradient)
            size, old = 1.0, value
            while True:
                trial = theta - size * step
                _, value, slope = _evaluate(trial, penalty, data, g)
                # A NaN compares as worse.
                if value >= old or size < 1e-9:
                    break
                size *= 0.5
            if not value >= old:
                break
            theta = trial
            if value - old < _TOLERANCE * total:
                break
        # ``system`` is the factor of the last step's, taken a hair from the optimum.
        n_effective = m + 1 - _trace_of_ratio(system, penalty)
        small = 1.0 + (n_effective + 1.0) / max(total - n_effective - 1.0, 1.0)
        loglik, _, _ = _evaluate(theta, penalty, data, g)
        criterion = loglik - _PARAMETER_COST * n_effective * small
        if criterion > best:
            best, best_theta, worse = criterion, theta.copy(), 0
        else:
            worse += 1
            if worse == 2:
                break
    return best_theta[0], best_theta[1:]
