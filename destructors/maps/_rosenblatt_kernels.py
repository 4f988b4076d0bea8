"""Compiled kernel of `destructors.maps._rosenblatt`: the map and its inverse, by rows.

A few rows are taken at a time, feature after feature. Of a mixture of hundreds, few
components have a weight that counts once some features of a row are known: those are
listed, and `destructors.maps._rosenblatt_values` looks at these alone.
"""

import math

import numpy as np

from destructors.maps import _normal as normal
from destructors.maps._boosted_kernels import (
    bin_of,
    fill_block,
    mass,
    move,
    place,
    tail_of,
)
from destructors.maps._jit import jit, jit_fused
from destructors.maps._rosenblatt_values import (
    AT,
    BEND,
    END,
    ERROR,
    FACTOR,
    FIRST,
    GOAL,
    HIGH,
    LOG_SLOPE,
    LOW,
    OFFSET,
    ROW,
    SLOPE,
    TOTAL,
    WEIGHT,
    Z,
    evaluate,
    sum_stretch,
)

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
# Latents not larger than this are zero: sums near one half, where a column that is
# constant ends, round by so much, and a next layer takes all that differs for spread.
NO_LATENT = 2.0**-48
# Rows and components in a list: they stay in the fast caches.
_N_PAIRS, _LEAST_ROWS, _MOST_ROWS = 2048, 8, 64
# Up to so many components loops over rows are longer than those over components.
_FEW = 8


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
            pairs[FACTOR, n] = factor[j, k]
            pairs[OFFSET, n] = offset[i, k]
            pairs[WEIGHT, n] = log_weight[i, k]
            n += log_weight[i, k] >= FIRST
        index[ROW, i], index[END, i] = i, n
    for p in range(n):
        pairs[WEIGHT, p] = normal.exp(pairs[WEIGHT, p])
    first = 0
    for i in range(n_rows):
        state[TOTAL, i] = sum_stretch(pairs, WEIGHT, first, index[END, i])
        first = index[END, i]


def _guess(goal, tilt, pairs, first, last):
    """Return the weighted sum of the values of listed components for a goal."""
    total = 0.0
    for p in range(first, last):
        value = (goal - pairs[OFFSET, p]) / (pairs[FACTOR, p] + tilt)
        total += pairs[WEIGHT, p] * value
    return total


_guess = jit(_guess, any_order=True)


@jit_fused
def _begin(n, j, factor, offset, tilt, pairs, index, state, work):
    """Bracket the values that are mapped to the goals, and guess them."""
    first, n_all = 0, factor.shape[1]
    for k in range(n_all):
        work[0, k] = 1.0 / (factor[j, k] + tilt)
    for i in range(n):
        goal = state[GOAL, i]
        for k in range(n_all):
            work[1, k] = (goal - offset[i, k]) * work[0, k]
            work[2, k] = -work[1, k]
        low, high = -_max(work, 2, n_all), _max(work, 1, n_all)
        at = _guess(goal, tilt, pairs, first, index[END, i]) / state[TOTAL, i]
        state[AT, i] = min(max(at, low), high)
        state[LOW, i], state[HIGH, i], state[ERROR, i] = low, high, np.inf
        first = index[END, i]


@jit_fused
def _step(n, is_last, largest, pairs, index, state, found, x, log_slope):
    """Move towards the goals; return how many rows are left, which are listed anew."""
    first, n_left, n_pairs = 0, 0, 0
    for a in range(n):
        at, low, high = state[AT, a], state[LOW, a], state[HIGH, a]
        error, last = found[Z, a] - state[GOAL, a], index[END, a]
        if error < 0.0:
            low = at
        else:
            high = at
        # Newton's step, and Halley's where the map bends little within it. Where the
        # map is flat a step goes too far; it must not be NaN.
        step = -error / max(found[SLOPE, a], 1e-300)
        bent = 0.5 * step * found[BEND, a]
        if abs(bent) <= _MOST_BENT:
            step /= 1.0 + bent
        moved = at + step
        near = TOL / largest
        reach = max(near, LAST_PLACES * abs(at))
        least = max(1e-9 * near, 1e-15 * abs(at))
        if is_last or abs(step) <= reach or high - low <= least:
            i = index[ROW, a]
            x[i], log_slope[i] = min(max(moved, low), high), found[LOG_SLOPE, a]
            # Farther out the bend is lost in rounding.
            change = (x[i] - at) * found[BEND, a]
            if abs(x[i] - at) <= near and abs(change) <= _MOST_BENT:
                log_slope[i] += change
        else:
            if not (low < moved < high and abs(error) < 0.5 * state[ERROR, a]):
                moved = 0.5 * (low + high)
            state[AT, n_left], state[ERROR, n_left] = moved, abs(error)
            state[LOW, n_left], state[HIGH, n_left] = low, high
            state[GOAL, n_left] = state[GOAL, a]
            state[TOTAL, n_left] = state[TOTAL, a]
            for p in range(first, last):
                pairs[FACTOR, n_pairs] = pairs[FACTOR, p]
                pairs[OFFSET, n_pairs] = pairs[OFFSET, p]
                pairs[WEIGHT, n_pairs] = pairs[WEIGHT, p]
                n_pairs += 1
            index[ROW, n_left], index[END, n_left] = index[ROW, a], n_pairs
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
    boost,
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
    boost : tuple of ndarray or None
        Bins of the features and trees that share them out; see
        `destructors.maps.BoostedRosenblatt`. For None that is not compiled either. The
        last two are filled in where they have rows: the bin of each value by what the
        mixture says, and the probabilities of all bins.
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
    if boost is not None:
        edges, nodes, roots, starts, values, bins, masses = boost
        n_bins = edges.shape[1] + 1
        places = np.empty((block, n_features), np.int64)
        borders = np.empty((block, 4, n_bins + 1))
        logs, slopes = np.empty(n_bins), np.empty((block, n_bins))
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
            n_left, n_steps, boosted = n_rows, 0, False
            if boost is not None:
                boosted = starts[j + 1] > starts[j] or len(bins) > 0
                if boosted:
                    fill_block(
                        n_rows,
                        j,
                        pairs,
                        index,
                        edges,
                        nodes,
                        roots,
                        starts,
                        values,
                        places,
                        borders,
                        logs,
                        slopes,
                    )
            if inverse:
                for i in range(n_rows):
                    state[GOAL, i] = given[start + i, j]
                    if boost is not None and boosted:
                        z, slope = move(i, state[GOAL, i], borders, slopes, 1)
                        state[GOAL, i] = z
                        log_det[start + i] -= slope
                _begin(n_rows, j, factor, offset, tilt, pairs, index, state, work)
            else:
                for i in range(n_rows):
                    state[AT, i] = x[i] = given[start + i, j]
            while n_left > 0:
                evaluate(
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
                    z = results[Z, i]
                    found[start + i, j] = z if abs(z) > NO_LATENT else 0.0
                    log_det[start + i] += results[LOG_SLOPE, i]
                    if boost is not None:
                        if boosted:
                            z, slope = move(i, results[Z, i], borders, slopes, 0)
                            found[start + i, j] = z
                            log_det[start + i] += slope
                        if len(bins) > 0:
                            z = results[Z, i]
                            tail = tail_of(z)
                            bins[start + i, j] = bin_of(i, z, tail, borders, n_bins, 0)
                            for b in range(n_bins):
                                masses[start + i, j, b] = mass(i, borders, b)
                drawn[i, j] = seen[i, j] = x[i]
                if tilted:
                    drawn[i, j], seen[i, j] = _see(x[i])
                if boost is not None:
                    places[i, j] = place(edges, j, seen[i, j])
                columns[j, i] = seen[i, j]
                # Multiply the weights by the densities of the feature.
                for k in range(n):
                    u = factor[j, k] * seen[i, j] + weighing[i, k]
                    u = min(max(u, -normal.LARGEST), normal.LARGEST)
                    log_weight[i, k] += log_factor[j, k] - 0.5 * u * u
