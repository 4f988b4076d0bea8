"""Compiled kernel of `destructors.maps._rosenblatt`: the map and its inverse, by rows.

A few rows are taken at a time, feature after feature. Of a mixture of hundreds, few
components have a weight that counts once some features of a row are known. The pairs of
a row and a component that counts stand in one list, row after row, and the loops over
it have no branches, so that the compiler vectorises them. What is not listed is
bounded: where it could change a digit, more are taken, and at last all, in logarithms.
A row's result depends on that row alone, to the last bit.
"""

import math

import numpy as np

from destructors.maps import _normal as normal
from destructors.maps._jit import jit

# The search for a root ends with steps smaller than this, in standard units of the
# feature; Newton's last step then lands far closer. The slope is that before the step,
# so far out the unit stays what it is, but for 64 last places of the feature.
TOL, LAST_PLACES = 1e-10, 2.0**-46
MAX_STEPS = 200
# Logarithm of the least weight of a component, beside the largest, in logarithms.
LEAST = -300.0
# With a tilt, weights of components see features to 33 bits (Veltkamp's splitting), and
# neither these nor their means see any farther out than this.
SPLIT, FARTHEST_SEEN = 2.0**20 + 1.0, 1e6
# Rows and components in a list: they stay in the fast caches.
_N_PAIRS, _LEAST_ROWS, _MOST_ROWS = 1024, 8, 64
# What is listed of a pair; the value is the feature's, in the row.
_FACTOR, _OFFSET, _WEIGHT, _VALUE = range(4)
# What is known of each row that is at work: its number in the block and where its list
# of pairs ends; the value looked at, the sum of the weights listed, and, for the
# inverse, what the value should be mapped to, a bracket, and the last error.
_ROW, _END = range(2)
_AT, _TOTAL, _GOAL, _LOW, _HIGH, _ERROR = range(6)
# Logarithms of the least weights, beside the largest, of the components that are looked
# at first, and next; what is left out may be this share of what is found.
_FIRST, _NEXT, _NO_SHARE = -40.0, -64.0, 1e-12
_ALL_BELOW_FIRST, _ALL_BELOW_NEXT = math.exp(_FIRST), math.exp(_NEXT)
# Sums of products of two numbers not below SMALLEST are right when larger than this.
_SMALLEST_DENSITY = 1e20 * normal.SMALLEST
_SMALLEST_TAIL = math.exp(normal.FIT_END)
_INVERSE_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)


@jit
def _sum(values, row, first, last):
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


@jit
def _max(values, row, n):
    """Return the largest of a row; four comparisons do not wait for one another."""
    whole = n - n % 4
    a = b = c = d = values[row, 0]
    for k in range(0, whole, 4):
        a, b = max(a, values[row, k]), max(b, values[row, k + 1])
        c, d = max(c, values[row, k + 2]), max(d, values[row, k + 3])
    for k in range(whole, n):
        a = max(a, values[row, k])
    return max(max(a, b), max(c, d))


# ---------------------------------------------------------------- values of a feature


@jit
def _add_components(n, pairs, parts):
    """Fill in what each pair adds to the tails and to the density of its row."""
    for p in range(n):
        u = pairs[_FACTOR, p] * pairs[_VALUE, p] + pairs[_OFFSET, p]
        distance = min(abs(u), normal.LARGEST)
        phi = normal.exp(-0.5 * distance * distance)
        phi *= _INVERSE_SQRT_2PI * pairs[_WEIGHT, p]
        tail = phi * normal.mills(distance)
        rest = pairs[_WEIGHT, p] - tail
        parts[0, p] = tail if u < 0.0 else rest
        parts[1, p] = rest if u < 0.0 else tail
        parts[2, p] = phi * pairs[_FACTOR, p]


@jit
def _to_normal(n, state, sums, tilt, found):
    """Fill in z, dz/dx and log dz/dx, right where sums can hold the digits."""
    for a in range(n):
        tail = min(sums[0, a], sums[1, a])
        size = normal.quantile_fit(normal.log(tail))
        slope = sums[2, a] * normal.mills(size) / tail + tilt
        found[0, a] = (-size if sums[0, a] < sums[1, a] else size) + tilt * state[
            _AT, a
        ]
        found[1, a] = slope
        found[2, a] = normal.log(slope)


@jit
def _can_hold(sums, a, left_out, largest):
    """Return whether sums hold all digits, whatever is left out of them."""
    enough = left_out / _NO_SHARE
    tail = min(sums[0, a], sums[1, a])
    return tail > max(_SMALLEST_TAIL, enough) and sums[2, a] > max(
        _SMALLEST_DENSITY, enough * largest
    )


@jit
def _by_more(i, j, factor, largest, offset, log_weight, state, least, tilt, found):
    """Find the results of one row from more components, and at last from all."""
    n_all, x, total = factor.shape[1], state[_AT, 0], state[_TOTAL, 0]
    pairs, parts, sums = np.empty((4, n_all)), np.empty((3, n_all)), np.empty((3, 1))
    n = 0
    for k in range(n_all):
        if log_weight[i, k] >= _NEXT:
            pairs[_FACTOR, n] = factor[j, k]
            pairs[_OFFSET, n] = offset[i, k]
            pairs[_WEIGHT, n] = normal.exp(log_weight[i, k]) / total
            pairs[_VALUE, n] = x
            n += 1
    _add_components(n, pairs, parts)
    for s in range(3):
        sums[s, 0] = _sum(parts, s, 0, n)
    if _can_hold(sums, 0, (n_all - n) * _ALL_BELOW_NEXT, largest):
        _to_normal(1, state, sums, tilt, found)
    else:
        _in_logs(x, i, j, factor, offset, log_weight, total, least, tilt, found)


@jit
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
    lower, upper = _log_sum(parts, 0), _log_sum(parts, 1)
    side, smaller, which = 1.0, upper, 1
    if lower < upper:
        side, smaller, which = -1.0, lower, 0
    # The slope of log F: the hazards of the components, each by its share of the tail.
    for k in range(n):
        hazard = math.log(factor[j, k]) - normal.log_mills(side * parts[2, k])
        parts[which, k] = (parts[which, k] - smaller) + hazard
    size = normal.quantile(smaller)
    log_slope = _log_sum(parts, which) + normal.log_mills(size)
    if tilt > 0.0:
        low, high = math.log(tilt), log_slope
        if high < low:
            low, high = high, low
        log_slope = high + math.log1p(math.exp(low - high))
    found[0, 0], found[1, 0] = side * size + tilt * x, math.exp(log_slope)
    found[2, 0] = log_slope


@jit
def _log_sum(parts, row):
    largest, total = parts[row, 0], 0.0
    for k in range(parts.shape[1]):
        largest = max(largest, parts[row, k])
    for k in range(parts.shape[1]):
        total += math.exp(parts[row, k] - largest)
    return largest + math.log(total)


# ---------------------------------------------------------------- a feature of rows


@jit
def _add_before(i, j, before, shift, drawn, seen, offset, offset_seen):
    """Fill in a row's offsets of a feature from the features before it."""
    # Four features in a loop: offsets are read and written a quarter as often.
    n, n_together = before.shape[2], j - j % 4
    for k in range(n):
        offset[i, k] = offset_seen[i, k] = -shift[j, k]
    for b in range(0, n_together, 4):
        x0, x1, y0, y1 = drawn[i, b], drawn[i, b + 1], seen[i, b], seen[i, b + 1]
        x2, x3 = drawn[i, b + 2], drawn[i, b + 3]
        y2, y3 = seen[i, b + 2], seen[i, b + 3]
        for k in range(n):
            f0, f1 = before[j, b, k], before[j, b + 1, k]
            f2, f3 = before[j, b + 2, k], before[j, b + 3, k]
            offset[i, k] += (f0 * x0 + f1 * x1) + (f2 * x2 + f3 * x3)
            offset_seen[i, k] += (f0 * y0 + f1 * y1) + (f2 * y2 + f3 * y3)
    for b in range(n_together, j):
        x0, y0 = drawn[i, b], seen[i, b]
        for k in range(n):
            offset[i, k] += before[j, b, k] * x0
            offset_seen[i, k] += before[j, b, k] * y0


@jit
def _list(n_rows, j, factor, offset, log_weight, pairs, index, state):
    """List each row's components of large weights, and sum these."""
    n, n_all = 0, factor.shape[1]
    for i in range(n_rows):
        for k in range(n_all):
            if log_weight[i, k] >= _FIRST:
                pairs[_FACTOR, n] = factor[j, k]
                pairs[_OFFSET, n] = offset[i, k]
                pairs[_WEIGHT, n] = log_weight[i, k]
                n += 1
        index[_ROW, i], index[_END, i] = i, n
    for p in range(n):
        pairs[_WEIGHT, p] = normal.exp(pairs[_WEIGHT, p])
    first = 0
    for i in range(n_rows):
        state[_TOTAL, i] = _sum(pairs, _WEIGHT, first, index[_END, i])
        first = index[_END, i]


@jit
def _evaluate(
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
    """Fill in z, dz/dx and log dz/dx of the values of the ``n`` rows at work."""
    first = 0
    for a in range(n):
        for p in range(first, index[_END, a]):
            pairs[_VALUE, p] = state[_AT, a]
        first = index[_END, a]
    _add_components(first, pairs, parts)
    first = 0
    for a in range(n):
        share = 1.0 / state[_TOTAL, a]
        for s in range(3):
            sums[s, a] = _sum(parts, s, first, index[_END, a]) * share
        first = index[_END, a]
    _to_normal(n, state, sums, tilt, found)
    first, one, found_one = 0, np.empty((2, 1)), np.empty((3, 1))
    for a in range(n):
        left_out = (factor.shape[1] - (index[_END, a] - first)) * _ALL_BELOW_FIRST
        if not _can_hold(sums, a, left_out, largest):
            one[_AT, 0], one[_TOTAL, 0] = state[_AT, a], state[_TOTAL, a]
            _by_more(
                index[_ROW, a],
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
            for s in range(3):
                found[s, a] = found_one[s, 0]
        first = index[_END, a]


@jit
def _begin(n, j, factor, offset, tilt, pairs, index, state):
    """Bracket the values that are mapped to the goals, and guess them."""
    first = 0
    for i in range(n):
        goal, low, high, at = state[_GOAL, i], np.inf, -np.inf, 0.0
        for k in range(factor.shape[1]):
            quantile = (goal - offset[i, k]) / (factor[j, k] + tilt)
            low, high = min(low, quantile), max(high, quantile)
        for p in range(first, index[_END, i]):
            at += pairs[_WEIGHT, p] * (
                (goal - pairs[_OFFSET, p]) / (pairs[_FACTOR, p] + tilt)
            )
        at /= state[_TOTAL, i]
        state[_AT, i] = min(max(at, low), high)
        state[_LOW, i], state[_HIGH, i], state[_ERROR, i] = low, high, np.inf
        first = index[_END, i]


@jit
def _step(n, is_last, pairs, index, state, found, x, log_slope):
    """Move towards the goals; return how many rows are left, which are listed anew."""
    first, n_left, n_pairs = 0, 0, 0
    for a in range(n):
        at, low, high = state[_AT, a], state[_LOW, a], state[_HIGH, a]
        error, last = found[0, a] - state[_GOAL, a], index[_END, a]
        if error < 0.0:
            low = at
        else:
            high = at
        # Where the map is flat a step goes too far; it must not be NaN.
        newton = at - error / max(found[1, a], 1e-300)
        reach = max(TOL, LAST_PLACES * abs(at))
        least = 1e-5 * TOL * max(1.0, abs(at))
        if is_last or abs(newton - at) <= reach or high - low <= least:
            i = index[_ROW, a]
            x[i], log_slope[i] = min(max(newton, low), high), found[2, a]
        else:
            if not (low < newton < high and abs(error) < 0.5 * state[_ERROR, a]):
                newton = 0.5 * (low + high)
            state[_AT, n_left], state[_ERROR, n_left] = newton, abs(error)
            state[_LOW, n_left], state[_HIGH, n_left] = low, high
            state[_GOAL, n_left] = state[_GOAL, a]
            state[_TOTAL, n_left] = state[_TOTAL, a]
            for p in range(first, last):
                pairs[_FACTOR, n_pairs] = pairs[_FACTOR, p]
                pairs[_OFFSET, n_pairs] = pairs[_OFFSET, p]
                pairs[_WEIGHT, n_pairs] = pairs[_WEIGHT, p]
                n_pairs += 1
            index[_ROW, n_left], index[_END, n_left] = index[_ROW, a], n_pairs
            n_left += 1
        first = last
    return n_left


def solve(
    given, log_weights, before, factor, log_factor, shift, tilt, inverse, found, log_det
):
    """Fill in the rows that are found, and log-determinants of the forward map.

    Parameters
    ----------
    given : ndarray of shape (n_samples, n_features)
        Rows, or latent rows for the inverse.
    log_weights : ndarray of shape (1, n_components) or (n_samples, n_components)
        Those of all rows, or of each.
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
    block = min(max(_N_PAIRS // n, _LEAST_ROWS), _MOST_ROWS)
    seen, log_weight = np.empty((block, n_features)), np.empty((block, n))
    offset, pairs = np.empty((block, n)), np.empty((4, block * n))
    # What features are given is what they are, or the map would have steps where it is
    # steep; what weights are given is rounded, or a gap would hang on last bits.
    tilted = tilt > 0.0
    drawn, offset_seen = np.empty((block, n_features)), np.empty((block, n))
    parts, sums, results = (
        np.empty((3, block * n)),
        np.empty((3, block)),
        np.empty((3, block)),
    )
    index, state = np.empty((2, block), np.int64), np.empty((6, block))
    x, log_slope = np.empty(block), np.empty(block)
    # Beside components of far less weight z is large and flat: too large for the tilt
    # to be seen in its digits. They count as a little more.
    least = LEAST if tilted else -np.inf
    for start in range(0, len(given), block):
        n_rows = min(block, len(given) - start)
        for i in range(n_rows):
            log_det[start + i] = 0.0
            own = start + i if len(log_weights) > 1 else 0
            for k in range(n):
                log_weight[i, k] = log_weights[own, k]
        for j in range(n_features):
            largest = _max(factor, j, n)
            for i in range(n_rows):
                top = _max(log_weight, i, n)
                for k in range(n):
                    log_weight[i, k] -= top
                _add_before(i, j, before, shift, drawn, seen, offset, offset_seen)
            _list(n_rows, j, factor, offset, log_weight, pairs, index, state)
            n_left, n_steps = n_rows, 0
            if inverse:
                for i in range(n_rows):
                    state[_GOAL, i] = given[start + i, j]
                _begin(n_rows, j, factor, offset, tilt, pairs, index, state)
            else:
                for i in range(n_rows):
                    state[_AT, i] = x[i] = given[start + i, j]
            while n_left > 0:
                _evaluate(
                    n_left,
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
                    results,
                )
                if not inverse:
                    break
                n_steps += 1
                is_last = n_steps == MAX_STEPS
                n_left = _step(
                    n_left, is_last, pairs, index, state, results, x, log_slope
                )
            for i in range(n_rows):
                if inverse:
                    found[start + i, j] = x[i]
                    log_det[start + i] += log_slope[i]
                else:
                    found[start + i, j] = results[0, i]
                    log_det[start + i] += results[2, i]
                drawn[i, j] = seen[i, j] = x[i]
                if tilted:
                    size = min(abs(x[i]), FARTHEST_SEEN)
                    drawn[i, j] = math.copysign(size, x[i])
                    high = SPLIT * (size + 1.0)
                    size = high - (high - (size + 1.0)) - 1.0
                    seen[i, j] = math.copysign(size, x[i])
                # Multiply the weights by the densities of the feature.
                for k in range(n):
                    u = factor[j, k] * seen[i, j] + offset_seen[i, k]
                    u = min(max(u, -normal.LARGEST), normal.LARGEST)
                    log_weight[i, k] += log_factor[j, k] - 0.5 * u * u
