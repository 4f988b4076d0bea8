"""Compiled kernels of `destructors.maps._rosenblatt`: values of a feature of rows.

The pairs of a row and a component that counts stand in one list, row after row, and the
loops over it have no branches, so that the compiler vectorises them. What is not listed
is bounded: where it could change a digit, more are taken, and at last all, in
logarithms. A row's result depends on that row alone, to the last bit.
"""

import math

import numpy as np

from destructors.maps import _normal as normal
from destructors.maps._jit import jit_fused

# What is listed of a pair; the value is the feature's, in the row.
FACTOR, OFFSET, WEIGHT, VALUE = range(4)
# What is known of each row that is at work: its number in the block and where its list
# of pairs ends; the value looked at, the sum of the weights listed, and, for the
# inverse, what the value should be mapped to, a bracket, and the last error.
ROW, END = range(2)
AT, TOTAL, GOAL, LOW, HIGH, ERROR = range(6)
# What is found: z, dz/dx, the logarithm of that, and the slope of the logarithm.
Z, SLOPE, LOG_SLOPE, BEND = range(4)
# Logarithms of the least weights, beside the largest, of the components that are looked
# at first, and next; what is left out may be this share of what is found.
FIRST, NEXT, NO_SHARE = -40.0, -64.0, 1e-12
_ALL_BELOW_FIRST, ALL_BELOW_NEXT = math.exp(FIRST), math.exp(NEXT)
# Sums of products of two numbers not below SMALLEST are right when larger than this.
SMALLEST_DENSITY = 1e20 * normal.SMALLEST
SMALLEST_TAIL = math.exp(normal.FIT_END)
INVERSE_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)


@jit_fused
def sum_stretch(values, row, first, last):
    """Return the sum of a stretch of a row, four sums side by side."""
    a = b = c = d = 0.0
    if last - first <= 3:
        # Many sums are of two or three numbers: the rest would cost more than these.
        for p in range(first, last):
            a += values[row, p]
        return a
    whole = last - (last - first) % 4
    for p in range(first, whole, 4):
        a += values[row, p]
        b += values[row, p + 1]
        c += values[row, p + 2]
        d += values[row, p + 3]
    for p in range(whole, last):
        a += values[row, p]
    return (a + c) + (b + d)


@jit_fused
def _sum_parts(parts, first, last, sums, a):
    """Fill in the sums of a stretch of each part, all four side by side."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = 0.0
    whole = last - (last - first) % 2
    for p in range(first, whole, 2):
        a0 += parts[0, p]
        a1 += parts[1, p]
        a2 += parts[2, p]
        a3 += parts[3, p]
        b0 += parts[0, p + 1]
        b1 += parts[1, p + 1]
        b2 += parts[2, p + 1]
        b3 += parts[3, p + 1]
    if whole < last:
        a0 += parts[0, whole]
        a1 += parts[1, whole]
        a2 += parts[2, whole]
        a3 += parts[3, whole]
    sums[0, a], sums[1, a] = a0 + b0, a1 + b1
    sums[2, a], sums[3, a] = a2 + b2, a3 + b3


@jit_fused
def _add_components(n, pairs, parts):
    """Fill in what each pair adds to the tails, the density and its slope, by row."""
    for p in range(n):
        u = pairs[FACTOR, p] * pairs[VALUE, p] + pairs[OFFSET, p]
        distance = min(abs(u), normal.LARGEST)
        phi = normal.exp(-0.5 * distance * distance)
        phi *= INVERSE_SQRT_2PI * pairs[WEIGHT, p]
        tail = phi * normal.mills(distance)
        rest = pairs[WEIGHT, p] - tail
        parts[0, p] = tail if u < 0.0 else rest
        parts[1, p] = rest if u < 0.0 else tail
        density = phi * pairs[FACTOR, p]
        parts[2, p] = density
        parts[3, p] = -density * pairs[FACTOR, p] * u


@jit_fused
def _to_normal(n, state, sums, tilt, found):
    """Fill in what is found, right where sums can hold the digits."""
    for a in range(n):
        tail = min(sums[0, a], sums[1, a])
        size = normal.quantile_fit(normal.log(tail))
        z = -size if sums[0, a] < sums[1, a] else size
        steep = sums[2, a] * normal.mills(size) / tail
        slope = steep + tilt
        found[Z, a] = z + tilt * state[AT, a]
        found[SLOPE, a] = slope
        found[LOG_SLOPE, a] = normal.log(slope)
        bend = sums[3, a] / sums[2, a] + z * steep
        found[BEND, a] = bend * (steep / slope)


@jit_fused
def _can_hold(sums, a, left_out, largest):
    """Return whether sums hold all digits, whatever is left out of them."""
    enough = left_out / NO_SHARE
    tail = min(sums[0, a], sums[1, a])
    return tail > max(SMALLEST_TAIL, enough) and sums[2, a] > max(
        SMALLEST_DENSITY, enough * largest
    )


@jit_fused
def _by_more(i, j, factor, largest, offset, log_weight, state, least, tilt, found):
    """Find the results of one row from more components, and at last from all."""
    n_all, x, total = factor.shape[1], state[AT, 0], state[TOTAL, 0]
    pairs, parts, sums = np.empty((4, n_all)), np.empty((4, n_all)), np.empty((4, 1))
    n = 0
    for k in range(n_all):
        if log_weight[i, k] >= NEXT:
            pairs[FACTOR, n] = factor[j, k]
            pairs[OFFSET, n] = offset[i, k]
            pairs[WEIGHT, n] = normal.exp(log_weight[i, k]) / total
            pairs[VALUE, n] = x
            n += 1
    _add_components(n, pairs, parts)
    _sum_parts(parts, 0, n, sums, 0)
    if _can_hold(sums, 0, (n_all - n) * ALL_BELOW_NEXT, largest):
        _to_normal(1, state, sums, tilt, found)
    else:
        _in_logs(x, i, j, factor, offset, log_weight, total, least, tilt, found)


@jit_fused
def _in_logs(x, i, j, factor, offset, log_weight, total, least, tilt, found):
    """Find one value's results from all components, by logarithms."""
    n, log_total = factor.shape[1], math.log(total)
    parts = np.empty((3, n))
    for k in range(n):
        value = factor[j, k] * x + offset[i, k]
        u = min(max(value, -normal.LARGEST), normal.LARGEST)
        weight = max(log_weight[i, k] - log_total, least)
        parts[0, k] = weight + normal.log_tail(-u)
        parts[1, k] = weight + normal.log_tail(u)
        parts[2, k] = u
    below, above = _log_sum(parts, 0), _log_sum(parts, 1)
    side, (largest, rest), which = 1.0, above, 1
    if below[0] + below[1] < above[0] + above[1]:
        side, (largest, rest), which = -1.0, below, 0
    # The slope of log F: the hazards of the components, each by its share of the tail.
    for k in range(n):
        hazard = math.log(factor[j, k]) - normal.log_mills(side * parts[2, k])
        # One after the other: far out the last place of the sum is more than the rest.
        parts[which, k] = ((parts[which, k] - largest) - rest) + hazard
    size, bend = normal.quantile(largest + rest), 0.0
    largest, rest = _log_sum(parts, which)
    log_density = largest + rest
    for k in range(n):
        share = math.exp(parts[which, k] - log_density)
        bend -= share * factor[j, k] * parts[2, k]
    log_slope = log_density + normal.log_mills(size)
    log_steep = log_slope
    if tilt > 0.0:
        low, high = math.log(tilt), log_slope
        if high < low:
            low, high = high, low
        log_slope = high + math.log1p(math.exp(low - high))
    found[Z, 0], found[SLOPE, 0] = side * size + tilt * x, math.exp(log_slope)
    found[LOG_SLOPE, 0] = log_slope
    bend += side * size * math.exp(log_steep)
    found[BEND, 0] = bend * math.exp(log_steep - log_slope)


@jit_fused
def _log_sum(parts, row):
    """Return the largest of logarithms, and what a sum adds to it."""
    largest, total = parts[row, 0], 0.0
    for k in range(parts.shape[1]):
        largest = max(largest, parts[row, k])
    for k in range(parts.shape[1]):
        total += math.exp(parts[row, k] - largest)
    return largest, math.log(total)


@jit_fused
def evaluate(
    n,
    j,
    factor,
    largest,
    offset,
    log_weight,
    least,
    tilt,
    pairs,
    index,
    state,
    parts,
    sums,
    found,
):
    """Fill in what is found for the values of the ``n`` rows at work."""
    first = 0
    for a in range(n):
        for p in range(first, index[END, a]):
            pairs[VALUE, p] = state[AT, a]
        first = index[END, a]
    _add_components(first, pairs, parts)
    first = 0
    for a in range(n):
        _sum_parts(parts, first, index[END, a], sums, a)
        share = 1.0 / state[TOTAL, a]
        for s in range(4):
            sums[s, a] *= share
        first = index[END, a]
    _to_normal(n, state, sums, tilt, found)
    first, one, found_one = 0, np.empty((2, 1)), np.empty((4, 1))
    for a in range(n):
        left_out = (factor.shape[1] - (index[END, a] - first)) * _ALL_BELOW_FIRST
        if not _can_hold(sums, a, left_out, largest):
            one[AT, 0], one[TOTAL, 0] = state[AT, a], state[TOTAL, a]
            _by_more(
                index[ROW, a],
                j,
                factor,
                largest,
                offset,
                log_weight,
                one,
                least,
                tilt,
                found_one,
            )
            for s in range(4):
                found[s, a] = found_one[s, 0]
        first = index[END, a]
