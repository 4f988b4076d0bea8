"""Compiled kernels of `destructors.maps._rosenblatt`: the same map and inverse.

Rows are taken in chunks that stay in the fastest cache. Within a chunk the loops over
components and rows have no branches, so that the compiler vectorises them; rows that
are too far out for plain sums are done once more, in logarithms: few in a map, which
leaves them to NumPy, but an inverse meets them on its way, whatever the rows.
"""

import math

import numpy as np

from destructors.maps import _normal as normal
from destructors.maps._jit import jit

_N_CHUNK = 256
# The search for a root ends with steps smaller than this, in standard units of the
# feature; Newton's last step then lands far closer.
TOL = 1e-10
MAX_STEPS = 200
# Sums of products of two numbers not below SMALLEST are right when larger than this.
_SMALLEST_DENSITY = 1e20 * normal.SMALLEST
_SMALLEST_TAIL = math.exp(normal.FIT_END)
_INVERSE_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)


@jit
def _add_components(x, first, factor, offset, weight):
    """Sum the tails and the densities of all components at each value.

    Values are those of the rows from ``first`` on in ``offset`` and ``weight``.
    """
    n = len(x)
    # Made here, they are known to share no memory with the rest.
    lower, upper, density = np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        lower[i], upper[i], density[i] = 0.0, 0.0, 0.0
    for k in range(len(factor)):
        slope = factor[k]
        # Taken from whole arrays, these are known to be contiguous.
        shift, w = offset[k, first : first + n], weight[k, first : first + n]
        for i in range(n):
            u = slope * x[i] + shift[i]
            distance = min(abs(u), normal.LARGEST)
            phi = _INVERSE_SQRT_2PI * w[i] * normal.exp(-0.5 * distance * distance)
            tail = phi * normal.mills(distance)
            rest = w[i] - tail
            lower[i] += tail if u < 0.0 else rest
            upper[i] += rest if u < 0.0 else tail
            density[i] += phi * slope
    return lower, upper, density


@jit
def _to_normal(lower, upper, density):
    """Return normal values with these tails, and dz/dx; right where `_in_range`."""
    z, slope = np.empty(len(lower)), np.empty(len(lower))
    for i in range(len(lower)):
        tail = min(lower[i], upper[i])
        size = normal.quantile_fit(normal.log(tail))
        z[i] = -size if lower[i] < upper[i] else size
        slope[i] = density[i] * normal.mills(size) / tail
    return z, slope


@jit
def _in_range(lower, upper, density):
    return min(lower, upper) > _SMALLEST_TAIL and density > _SMALLEST_DENSITY


@jit
def _gaussianize_in_logs(x, row, factor, offset, log_weight, tilt):
    """Return z and log dz/dx of one value that may be out of the range of sums."""
    n = len(factor)
    u, below, above = np.empty(n), np.empty(n), np.empty(n)
    for k in range(n):
        value = factor[k] * x + offset[k, row]
        u[k] = min(max(value, -normal.LARGEST), normal.LARGEST)
        below[k] = log_weight[k, row] + normal.log_tail(-u[k])
        above[k] = log_weight[k, row] + normal.log_tail(u[k])
    lower, upper = _log_sum(below), _log_sum(above)
    is_left = lower < upper
    side, smaller = (-1.0, lower) if is_left else (1.0, upper)
    # The slope of log F: the hazards of the components, each by its share of the tail.
    for k in range(n):
        hazard = math.log(factor[k]) - normal.log_mills(side * u[k])
        below[k] = (below[k] if is_left else above[k]) - smaller + hazard
    size = normal.quantile(smaller)
    log_slope = _log_sum(below) + normal.log_mills(size)
    if tilt > 0.0:
        low, high = math.log(tilt), log_slope
        if high < low:
            low, high = high, low
        log_slope = high + math.log1p(math.exp(low - high))
    return side * size + tilt * x, log_slope


@jit
def _log_sum(logs):
    largest, total = logs[0], 0.0
    for k in range(len(logs)):
        largest = max(largest, logs[k])
    for k in range(len(logs)):
        total += math.exp(logs[k] - largest)
    return largest + math.log(total)


@jit
def gaussianize(x, factor, offset, weight, tilt, z, log_slope, is_far):
    """Fill in ``z`` and ``log_slope``, see `Conditional.gaussianize`, of all rows but
    those that are out of the range of sums, which ``is_far`` tells.
    """
    for first in range(0, len(x), _N_CHUNK):
        part = x[first : first + _N_CHUNK]
        lower, upper, density = _add_components(part, first, factor, offset, weight)
        value, slope = _to_normal(lower, upper, density)
        for i in range(len(part)):
            row = first + i
            is_far[row] = not _in_range(lower[i], upper[i], density[i])
            if not is_far[row]:
                z[row] = value[i] + tilt * x[row]
                log_slope[row] = normal.log(slope[i] + tilt)


def invert(z, factor, offset, weight, log_weight, tilt):
    """Return ``x`` and ``log_slope``; see `Conditional.invert`."""
    x, log_slope = np.empty(len(z)), np.empty(len(z))
    n_components, n_chunk = len(factor), min(_N_CHUNK, len(z))
    low, high = np.empty(n_chunk), np.empty(n_chunk)
    trial, last = np.empty(n_chunk), np.empty(n_chunk)
    rows, left = np.empty(n_chunk, np.int64), np.empty(n_chunk, np.int64)
    # One array for both would not be known to be contiguous.
    shift, w = np.empty((n_components, n_chunk)), np.empty((n_components, n_chunk))
    for start in range(0, len(z), _N_CHUNK):
        n = min(_N_CHUNK, len(z) - start)
        for i in range(n):
            low[i], high[i], trial[i], last[i] = np.inf, -np.inf, 0.0, np.inf
        for k in range(n_components):
            for i in range(n):
                shift[k, i] = offset[k, start + i]
                w[k, i] = weight[k, start + i]
                quantile_k = (z[start + i] - shift[k, i]) / (factor[k] + tilt)
                low[i] = min(low[i], quantile_k)
                high[i] = max(high[i], quantile_k)
                trial[i] += w[k, i] * quantile_k
        for i in range(n):
            rows[i] = start + i
            trial[i] = min(max(trial[i], low[i]), high[i])
        for step in range(MAX_STEPS):
            lower, upper, density = _add_components(trial[:n], 0, factor, shift, w)
            value, slope = _to_normal(lower, upper, density)
            n_left = 0
            for i in range(n):
                row, at = rows[i], trial[i]
                if _in_range(lower[i], upper[i], density[i]):
                    slope[i] += tilt
                    now, log_now = value[i] + tilt * at, normal.log(slope[i])
                else:
                    now, log_now = _gaussianize_in_logs(
                        at, row, factor, offset, log_weight, tilt
                    )
                    # Where the map is flat a step goes too far; it must not be NaN.
                    slope[i] = max(math.exp(log_now), 1e-300)
                error = now - z[row]
                if error < 0.0:
                    low[i] = at
                else:
                    high[i] = at
                newton = at - error / slope[i]
                reach = TOL * max(1.0, abs(at))
                if (
                    abs(newton - at) <= reach
                    or high[i] - low[i] <= 1e-5 * reach
                    or step + 1 == MAX_STEPS
                ):
                    x[row] = min(max(newton, low[i]), high[i])
                    log_slope[row] = log_now
                    continue
                if not (low[i] < newton < high[i] and abs(error) < 0.5 * last[i]):
                    newton = 0.5 * (low[i] + high[i])
                rows[n_left], trial[n_left], last[n_left] = row, newton, abs(error)
                low[n_left], high[n_left] = low[i], high[i]
                left[n_left] = i
                n_left += 1
            for k in range(n_components):
                for i in range(n_left):
                    shift[k, i], w[k, i] = shift[k, left[i]], w[k, left[i]]
            n = n_left
            if n == 0:
                break
    return x, log_slope
