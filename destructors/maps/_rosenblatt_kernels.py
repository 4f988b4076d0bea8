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
from destructors.maps._jit import jit, jit_fused

# The search for a root ends with steps smaller than this, in units of the narrowest
# component: the last step then lands within the cube of it, and the slope is known to
# its square. Far out 64 last places of the feature are as good.
TOL, LAST_PLACES = 1e-6, 2.0**-46
# Share that the bend of a map may add to a step.
_MOST_BENT = 0.5
MAX_STEPS = 200
# Logarithm of the least weight of a component, beside the largest, in logarithms.
LEAST = -300.0
# With a tilt, features are seen by those after them not farther out than this, and
# without so many of their last bits, on which weights in a gap would hang.
FARTHEST_SEEN, UNSEEN = 1e6, 20
HALF_UNSEEN = 1 << (UNSEEN - 1)
# Rows and components in a list: they stay in the fast caches.
_N_PAIRS, _LEAST_ROWS, _MOST_ROWS = 2048, 8, 64
# Up to so many components loops over rows are longer than those over components.
_FEW = 8
# What is listed of a pair; the value is the feature's, in the row.
_FACTOR, _OFFSET, _WEIGHT, _VALUE = range(4)
# What is known of each row that is at work: its number in the block and where its list
# of pairs ends; the value looked at, the sum of the weights listed, and, for the
# inverse, what the value should be mapped to, a bracket, and the last error.
_ROW, _END = range(2)
_AT, _TOTAL, _GOAL, _LOW, _HIGH, _ERROR = range(6)
# What is found: z, dz/dx, the logarithm of that, and the slope of the logarithm.
_Z, _SLOPE, _LOG_SLOPE, _BEND = range(4)
# Logarithms of the least weights, beside the largest, of the components that are looked
# at first, and next; what is left out may be this share of what is found.
_FIRST, _NEXT, _NO_SHARE = -40.0, -64.0, 1e-12
_ALL_BELOW_FIRST, _ALL_BELOW_NEXT = math.exp(_FIRST), math.exp(_NEXT)
# Sums of products of two numbers not below SMALLEST are right when larger than this.
_SMALLEST_DENSITY = 1e20 * normal.SMALLEST
_SMALLEST_TAIL = math.exp(normal.FIT_END)
_INVERSE_SQRT_2PI = 1.0 / math.sqrt(2.0 * math.pi)


@jit_fused
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


@jit_fused
def _add_components(n, pairs, parts):
    """Fill in what each pair adds to the tails, the density and its slope, by row."""
    for p in range(n):
        u = pairs[_FACTOR, p] * pairs[_VALUE, p] + pairs[_OFFSET, p]
        distance = min(abs(u), normal.LARGEST)
        phi = normal.exp(-0.5 * distance * distance)
        phi *= _INVERSE_SQRT_2PI * pairs[_WEIGHT, p]
        tail = phi * normal.mills(distance)
        rest = pairs[_WEIGHT, p] - tail
        parts[0, p] = tail if u < 0.0 else rest
        parts[1, p] = rest if u < 0.0 else tail
        density = phi * pairs[_FACTOR, p]
        parts[2, p] = density
        parts[3, p] = -density * pairs[_FACTOR, p] * u


@jit_fused
def _to_normal(n, state, sums, tilt, found):
    """Fill in what is found, right where sums can hold the digits."""
    for a in range(n):
        tail = min(sums[0, a], sums[1, a])
        size = normal.quantile_fit(normal.log(tail))
        z = -size if sums[0, a] < sums[1, a] else size
        steep = sums[2, a] * normal.mills(size) / tail
        slope = steep + tilt
        found[_Z, a] = z + tilt * state[_AT, a]
        found[_SLOPE, a] = slope
        found[_LOG_SLOPE, a] = normal.log(slope)
        bend = sums[3, a] / sums[2, a] + z * steep
        found[_BEND, a] = bend * (steep / slope)


@jit_fused
def _can_hold(sums, a, left_out, largest):
    """Return whether sums hold all digits, whatever is left out of them."""
    enough = left_out / _NO_SHARE
    tail = min(sums[0, a], sums[1, a])
    return tail > max(_SMALLEST_TAIL, enough) and sums[2, a] > max(
        _SMALLEST_DENSITY, enough * largest
    )


@jit_fused
def _by_more(i, j, factor, largest, offset, log_weight, state, least, tilt, found):
    """Find the results of one row from more components, and at last from all."""
    n_all, x, total = factor.shape[1], state[_AT, 0], state[_TOTAL, 0]
    pairs, parts, sums = np.empty((4, n_all)), np.empty((4, n_all)), np.empty((4, 1))
    n = 0
    for k in range(n_all):
        if log_weight[i, k] >= _NEXT:
            pairs[_FACTOR, n] = factor[j, k]
            pairs[_OFFSET, n] = offset[i, k]
            pairs[_WEIGHT, n] = normal.exp(log_weight[i, k]) / total
            pairs[_VALUE, n] = x
            n += 1
    _add_components(n, pairs, parts)
    _sum_parts(parts, 0, n, sums, 0)
    if _can_hold(sums, 0, (n_all - n) * _ALL_BELOW_NEXT, largest):
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
    found[_Z, 0], found[_SLOPE, 0] = side * size + tilt * x, math.exp(log_slope)
    found[_LOG_SLOPE, 0] = log_slope
    bend += side * size * math.exp(log_steep)
    found[_BEND, 0] = bend * math.exp(log_steep - log_slope)


@jit_fused
def _log_sum(parts, row):
    """Return the largest of logarithms, and what a sum adds to it."""
    largest, total = parts[row, 0], 0.0
    for k in range(parts.shape[1]):
        largest = max(largest, parts[row, k])
    for k in range(parts.shape[1]):
        total += math.exp(parts[row, k] - largest)
    return largest, math.log(total)


# ---------------------------------------------------------------- a feature of rows


@jit_fused
def _see(x):
    """Return a value as the features after it see it, with all bits and without."""
    size = min(abs(x), FARTHEST_SEEN)
    bits = np.float64(size + 1.0).view(np.int64) + HALF_UNSEEN
    rounded = np.int64((bits >> UNSEEN) << UNSEEN).view(np.float64) - 1.0
    return math.copysign(size, x), math.copysign(rounded, x)


@jit_fused
def _fill_offset(i, j, before, shift, seen, offset):
    """Fill in a row's offsets of a feature, by those before it."""
    # Four features in a loop: offsets are read and written a quarter as often.
    n, n_together = before.shape[2], j - j % 4
    for k in range(n):
        offset[i, k] = -shift[j, k]
    for b in range(0, n_together, 4):
        x0, x1 = seen[i, b], seen[i, b + 1]
        x2, x3 = seen[i, b + 2], seen[i, b + 3]
        for k in range(n):
            first = before[j, b, k] * x0 + before[j, b + 1, k] * x1
            second = before[j, b + 2, k] * x2 + before[j, b + 3, k] * x3
            offset[i, k] += first + second
    for b in range(n_together, j):
        value = seen[i, b]
        for k in range(n):
            offset[i, k] += before[j, b, k] * value


@jit_fused
def _fill_few(n_rows, j, before, shift, columns, offset, sums):
    """Do what `_fill_offset` does for all rows of a block, which are columns here."""
    for k in range(before.shape[2]):
        for i in range(n_rows):
            sums[i] = -shift[j, k]
        for b in range(j):
            told = before[j, b, k]
            for i in range(n_rows):
                sums[i] += told * columns[b, i]
        for i in range(n_rows):
            offset[i, k] = sums[i]


@jit_fused
def _list(n_rows, j, factor, offset, log_weight, pairs, index, state):
    """List each row's components of large weights, and sum these."""
    n, n_all = 0, factor.shape[1]
    for i in range(n_rows):
        # Each is written, and the next over it unless it counts: no one could foretell
        # a branch.
        for k in range(n_all):
            pairs[_FACTOR, n] = factor[j, k]
            pairs[_OFFSET, n] = offset[i, k]
            pairs[_WEIGHT, n] = log_weight[i, k]
            n += log_weight[i, k] >= _FIRST
        index[_ROW, i], index[_END, i] = i, n
    for p in range(n):
        pairs[_WEIGHT, p] = normal.exp(pairs[_WEIGHT, p])
    first = 0
    for i in range(n_rows):
        state[_TOTAL, i] = _sum(pairs, _WEIGHT, first, index[_END, i])
        first = index[_END, i]


@jit_fused
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
    """Fill in what is found for the values of the ``n`` rows at work."""
    first = 0
    for a in range(n):
        for p in range(first, index[_END, a]):
            pairs[_VALUE, p] = state[_AT, a]
        first = index[_END, a]
    _add_components(first, pairs, parts)
    first = 0
    for a in range(n):
        _sum_parts(parts, first, index[_END, a], sums, a)
        share = 1.0 / state[_TOTAL, a]
        for s in range(4):
            sums[s, a] *= share
        first = index[_END, a]
    _to_normal(n, state, sums, tilt, found)
    first, one, found_one = 0, np.empty((2, 1)), np.empty((4, 1))
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
            for s in range(4):
                found[s, a] = found_one[s, 0]
        first = index[_END, a]


def _guess(goal, tilt, pairs, first, last):
    """Return the weighted sum of the values of listed components for a goal."""
    total = 0.0
    for p in range(first, last):
        value = (goal - pairs[_OFFSET, p]) / (pairs[_FACTOR, p] + tilt)
        total += pairs[_WEIGHT, p] * value
    return total


_guess = jit(_guess, any_order=True)


@jit_fused
def _begin(n, j, factor, offset, tilt, pairs, index, state, work):
    """Bracket the values that are mapped to the goals, and guess them."""
    first, n_all = 0, factor.shape[1]
    for k in range(n_all):
        work[0, k] = 1.0 / (factor[j, k] + tilt)
    for i in range(n):
        goal = state[_GOAL, i]
        for k in range(n_all):
            work[1, k] = (goal - offset[i, k]) * work[0, k]
            work[2, k] = -work[1, k]
        low, high = -_max(work, 2, n_all), _max(work, 1, n_all)
        at = _guess(goal, tilt, pairs, first, index[_END, i]) / state[_TOTAL, i]
        state[_AT, i] = min(max(at, low), high)
        state[_LOW, i], state[_HIGH, i], state[_ERROR, i] = low, high, np.inf
        first = index[_END, i]


@jit_fused
def _step(n, is_last, largest, pairs, index, state, found, x, log_slope):
    """Move towards the goals; return how many rows are left, which are listed anew."""
    first, n_left, n_pairs = 0, 0, 0
    for a in range(n):
        at, low, high = state[_AT, a], state[_LOW, a], state[_HIGH, a]
        error, last = found[_Z, a] - state[_GOAL, a], index[_END, a]
        if error < 0.0:
            low = at
        else:
            high = at
        # Newton's step, and Halley's where the map bends little within it. Where the
        # map is flat a step goes too far; it must not be NaN.
        step = -error / max(found[_SLOPE, a], 1e-300)
        bent = 0.5 * step * found[_BEND, a]
        if abs(bent) <= _MOST_BENT:
            step /= 1.0 + bent
        moved = at + step
        near = TOL / largest
        reach = max(near, LAST_PLACES * abs(at))
        least = max(1e-9 * near, 1e-15 * abs(at))
        if is_last or abs(step) <= reach or high - low <= least:
            i = index[_ROW, a]
            x[i], log_slope[i] = min(max(moved, low), high), found[_LOG_SLOPE, a]
            # Farther out the bend is lost in rounding.
            change = (x[i] - at) * found[_BEND, a]
            if abs(x[i] - at) <= near and abs(change) <= _MOST_BENT:
                log_slope[i] += change
        else:
            if not (low < moved < high and abs(error) < 0.5 * state[_ERROR, a]):
                moved = 0.5 * (low + high)
            state[_AT, n_left], state[_ERROR, n_left] = moved, abs(error)
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
    given,
    log_weights,
    before,
    factor,
    log_factor,
    shift,
    steep,
    tilt,
    inverse,
    found,
    log_det,
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
    steep : ndarray of bool of shape (n_features,)
        Whether a feature follows those before it so closely that last bits of these
        move it: with a tilt it sees them, though weights do not.
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
    tilted, log_weight = tilt > 0.0, np.empty((block, n))
    drawn, seen = np.empty((block, n_features)), np.empty((block, n_features))
    columns, offset_seen = np.empty((n_features, block)), np.empty((block, n))
    offset, pairs = np.empty((block, n)), np.empty((4, block * n + 1))
    parts, sums, results = (
        np.empty((4, block * n)),
        np.empty((4, block)),
        np.empty((4, block)),
    )
    index, state = np.empty((2, block), np.int64), np.empty((6, block))
    x, log_slope, work = np.empty(block), np.empty(block), np.empty((3, n))
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
            largest, parted = _max(factor, j, n), tilted and steep[j]
            weighing = offset_seen if parted else offset
            for i in range(n_rows):
                top = _max(log_weight, i, n)
                for k in range(n):
                    log_weight[i, k] -= top
                if n > _FEW:
                    _fill_offset(i, j, before, shift, seen, weighing)
                if parted:
                    _fill_offset(i, j, before, shift, drawn, offset)
            if n <= _FEW:
                _fill_few(n_rows, j, before, shift, columns, weighing, x)
            _list(n_rows, j, factor, offset, log_weight, pairs, index, state)
            n_left, n_steps = n_rows, 0
            if inverse:
                for i in range(n_rows):
                    state[_GOAL, i] = given[start + i, j]
                _begin(n_rows, j, factor, offset, tilt, pairs, index, state, work)
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
                    n_left,
                    is_last,
                    largest,
                    pairs,
                    index,
                    state,
                    results,
                    x,
                    log_slope,
                )
            for i in range(n_rows):
                if inverse:
                    found[start + i, j] = x[i]
                    log_det[start + i] += log_slope[i]
                else:
                    found[start + i, j] = results[_Z, i]
                    log_det[start + i] += results[_LOG_SLOPE, i]
                drawn[i, j] = seen[i, j] = x[i]
                if tilted:
                    drawn[i, j], seen[i, j] = _see(x[i])
                columns[j, i] = seen[i, j]
                # Multiply the weights by the densities of the feature.
                for k in range(n):
                    u = factor[j, k] * seen[i, j] + weighing[i, k]
                    u = min(max(u, -normal.LARGEST), normal.LARGEST)
                    log_weight[i, k] += log_factor[j, k] - 0.5 * u * u
