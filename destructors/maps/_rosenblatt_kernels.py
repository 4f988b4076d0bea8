"""Compiled kernel of `destructors.maps._rosenblatt`: the map and its inverse, by rows.

Of a mixture of hundreds, few components have a weight that counts once some features of
a row are known. Each row therefore keeps a list of its own, and the loops over those
listed have no branches, so that the compiler vectorises them. What is not listed is
bounded: where it could change a digit, more are taken, and at last all, in logarithms.
A row's result depends on that row alone, to the last bit.
"""

import math

import numpy as np

from destructors.maps import _normal as normal
from destructors.maps._jit import jit

# The search for a root ends with steps smaller than this, in standard units of the
# feature; Newton's last step then lands far closer.
TOL = 1e-10
MAX_STEPS = 200
# Logarithm of the least weight of a component, beside the largest, in logarithms.
LEAST = -300.0
# With a tilt, features are seen by those after them to 33 bits (Veltkamp's splitting),
# and not farther out than this.
SPLIT, FARTHEST_SEEN = 2.0**20 + 1.0, 1e6
# Logarithms of the least weights, beside the largest, of the components that are looked
# at first, and next; what is left out may be this share of what is found.
_FIRST, _NEXT, _NO_SHARE = -40.0, -64.0, 1e-12
_ALL_BELOW_FIRST, _ALL_BELOW_NEXT = math.exp(_FIRST), math.exp(_NEXT)
# Sums of products of two numbers not below SMALLEST are right when larger than this.
_SMALLEST_DENSITY = 1e20 * normal.SMALLEST
_SMALLEST_TAIL = math.exp(normal.FIT_END)
_INVERSE_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)


@jit
def _sum(parts, row, n):
    """Return the sum of the first numbers of a row, four sums side by side."""
    a = b = c = d = 0.0
    whole = n - n % 4
    for k in range(0, whole, 4):
        a += parts[row, k]
        b += parts[row, k + 1]
        c += parts[row, k + 2]
        d += parts[row, k + 3]
    for k in range(whole, n):
        a += parts[row, k]
    return (a + c) + (b + d)


@jit
def _add_components(x, n, listed, parts):
    """Return the tails and the density of the first ``n`` listed components."""
    for k in range(n):
        u = listed[0, k] * x + listed[1, k]
        distance = min(abs(u), normal.LARGEST)
        phi = _INVERSE_SQRT_2PI * listed[2, k] * normal.exp(-0.5 * distance * distance)
        tail = phi * normal.mills(distance)
        rest = listed[2, k] - tail
        parts[0, k] = tail if u < 0.0 else rest
        parts[1, k] = rest if u < 0.0 else tail
        parts[2, k] = phi * listed[0, k]
    return _sum(parts, 0, n), _sum(parts, 1, n), _sum(parts, 2, n)


@jit
def _in_logs(x, j, factor, offset, log_weight, least, tilt, parts):
    """Return z and log dz/dx from all components, by logarithms."""
    n = len(offset)
    for k in range(n):
        value = factor[j, k] * x + offset[k]
        u = min(max(value, -normal.LARGEST), normal.LARGEST)
        weight = max(log_weight[k], least)
        parts[0, k] = weight + normal.log_tail(-u)
        parts[1, k] = weight + normal.log_tail(u)
        parts[2, k] = u
    lower, upper = _log_sum(parts, 0, n), _log_sum(parts, 1, n)
    side, smaller, which = 1.0, upper, 1
    if lower < upper:
        side, smaller, which = -1.0, lower, 0
    # The slope of log F: the hazards of the components, each by its share of the tail.
    for k in range(n):
        hazard = math.log(factor[j, k]) - normal.log_mills(side * parts[2, k])
        parts[which, k] = (parts[which, k] - smaller) + hazard
    size = normal.quantile(smaller)
    log_slope = _log_sum(parts, which, n) + normal.log_mills(size)
    if tilt > 0.0:
        low, high = math.log(tilt), log_slope
        if high < low:
            low, high = high, low
        log_slope = high + math.log1p(math.exp(low - high))
    return side * size + tilt * x, log_slope


@jit
def _log_sum(parts, row, n):
    largest, total = parts[row, 0], 0.0
    for k in range(n):
        largest = max(largest, parts[row, k])
    for k in range(n):
        total += math.exp(parts[row, k] - largest)
    return largest + math.log(total)


@jit
def _evaluate(
    x,
    j,
    n_first,
    n_next,
    listed,
    factor,
    largest,
    offset,
    log_weight,
    least,
    tilt,
    parts,
):
    """Return z and log dz/dx of one value."""
    n, n_all = n_first, len(offset)
    left_out = (n_all - n_first) * _ALL_BELOW_FIRST
    for _ in range(2):
        lower, upper, density = _add_components(x, n, listed, parts)
        tail, enough = min(lower, upper), left_out / _NO_SHARE
        if tail > max(_SMALLEST_TAIL, enough) and density > max(
            _SMALLEST_DENSITY, enough * largest
        ):
            size = normal.quantile_fit(normal.log(tail))
            slope = density * normal.mills(size) / tail + tilt
            z = -size if lower < upper else size
            return z + tilt * x, normal.log(slope)
        if n == n_next:
            break
        n, left_out = n_next, (n_all - n_next) * _ALL_BELOW_NEXT
    return _in_logs(x, j, factor, offset, log_weight, least, tilt, parts)


@jit
def _list(j, factor, offset, log_weight, listed, others):
    """List components of large weights, then those of smaller ones; return how many."""
    n_first, n_others = 0, 0
    for k in range(len(offset)):
        if log_weight[k] >= _NEXT:
            if log_weight[k] >= _FIRST:
                listed[0, n_first] = factor[j, k]
                listed[1, n_first] = offset[k]
                listed[2, n_first] = log_weight[k]
                n_first += 1
            else:
                others[n_others] = k
                n_others += 1
    for a in range(n_others):
        k = others[a]
        listed[0, n_first + a] = factor[j, k]
        listed[1, n_first + a] = offset[k]
        listed[2, n_first + a] = log_weight[k]
    return n_first, n_first + n_others


@jit
def _max(values):
    """Return the largest number; four comparisons do not wait for one another."""
    n = len(values)
    whole = n - n % 4
    a = b = c = d = values[0]
    for k in range(0, whole, 4):
        a, b = max(a, values[k]), max(b, values[k + 1])
        c, d = max(c, values[k + 2]), max(d, values[k + 3])
    for k in range(whole, n):
        a = max(a, values[k])
    return max(max(a, b), max(c, d))


@jit
def _find(
    z,
    j,
    n_first,
    n_next,
    listed,
    factor,
    largest,
    offset,
    log_weight,
    least,
    tilt,
    parts,
):
    """Return the value that is mapped to z, and log dz/dx there."""
    low, high, at, last = np.inf, -np.inf, 0.0, np.inf
    for k in range(len(offset)):
        quantile = (z - offset[k]) / (factor[j, k] + tilt)
        low, high = min(low, quantile), max(high, quantile)
    for k in range(n_first):
        at += listed[2, k] * (z - listed[1, k]) / (listed[0, k] + tilt)
    at = min(max(at, low), high)
    for _ in range(MAX_STEPS):
        now, log_slope = _evaluate(
            at,
            j,
            n_first,
            n_next,
            listed,
            factor,
            largest,
            offset,
            log_weight,
            least,
            tilt,
            parts,
        )
        error = now - z
        if error < 0.0:
            low = at
        else:
            high = at
        # Where the map is flat a step goes too far; it must not be NaN.
        newton = at - error / max(math.exp(log_slope), 1e-300)
        reach = TOL * max(1.0, abs(at))
        if abs(newton - at) <= reach or high - low <= 1e-5 * reach:
            break
        if not (low < newton < high and abs(error) < 0.5 * last):
            newton = 0.5 * (low + high)
        at, last = newton, abs(error)
    return min(max(newton, low), high), log_slope


def solve(
    given, log_weights, before, factor, log_factor, shift, tilt, inverse, found, log_det
):
    """Fill in the rows that are found, and log-determinants of the forward map.

    Parameters
    ----------
    given : ndarray of shape (n_samples, n_features)
        Rows, or latent rows for the inverse.
    log_weights : ndarray of shape (n_components,)
    before : ndarray of shape (n_features, n_features, n_components)
        What each feature's standard value gets of each feature before it.
    factor, log_factor, shift : ndarray of shape (n_features, n_components)
        What it gets of the feature itself; the logarithm; what is subtracted.
    tilt : float
        Slope to add to the map.
    inverse : bool
        Whether to look for the rows that are mapped to those given.
    found : ndarray of shape (n_samples, n_features)
        Result.
    log_det : ndarray of shape (n_samples,)
        Result, in nats.
    """
    n_features, n = factor.shape
    seen, largest = np.empty(n_features), np.zeros(n_features)
    for j in range(n_features):
        for k in range(n):
            largest[j] = max(largest[j], factor[j, k])
    log_weight, offset = np.empty(n), np.empty(n)
    listed, parts, others = np.empty((3, n)), np.empty((3, n)), np.empty(n, np.int64)
    # Beside components of far less weight z is large and flat: too large for the tilt
    # to be seen in its digits. They count as a little more.
    least = LEAST if tilt > 0.0 else -np.inf
    for i in range(len(given)):
        log_det[i] = 0.0
        for k in range(n):
            log_weight[k] = log_weights[k]
        for j in range(n_features):
            top = _max(log_weight)
            for k in range(n):
                log_weight[k] -= top
                offset[k] = -shift[j, k]
            for b in range(j):
                value = seen[b]
                for k in range(n):
                    offset[k] += before[j, b, k] * value
            n_first, n_next = _list(j, factor, offset, log_weight, listed, others)
            for k in range(n_next):
                listed[2, k] = normal.exp(listed[2, k])
            total = _sum(listed, 2, n_next)
            for k in range(n_next):
                listed[2, k] /= total
            log_total = math.log(total)
            for k in range(n):
                log_weight[k] -= log_total
            if inverse:
                x, log_slope = _find(
                    given[i, j],
                    j,
                    n_first,
                    n_next,
                    listed,
                    factor,
                    largest[j],
                    offset,
                    log_weight,
                    least,
                    tilt,
                    parts,
                )
                found[i, j] = x
            else:
                x = given[i, j]
                found[i, j], log_slope = _evaluate(
                    x,
                    j,
                    n_first,
                    n_next,
                    listed,
                    factor,
                    largest[j],
                    offset,
                    log_weight,
                    least,
                    tilt,
                    parts,
                )
            log_det[i] += log_slope
            if tilt > 0.0:
                size = min(abs(x), FARTHEST_SEEN) + 1.0
                high = SPLIT * size
                x = math.copysign(high - (high - size) - 1.0, x)
            seen[j] = x
            # Multiply the weights by the densities of the feature.
            for k in range(n):
                u = factor[j, k] * x + offset[k]
                u = min(max(u, -normal.LARGEST), normal.LARGEST)
                log_weight[k] += log_factor[j, k] - 0.5 * u * u
