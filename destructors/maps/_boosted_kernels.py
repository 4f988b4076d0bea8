"""Compiled kernels of `destructors.maps._boosted`: shares of bins, feature by feature.

Called by the kernel of the mixture, which has listed the components of a row that
count: what they say of a feature's bins, and what trees say of what comes before it,
make a monotone map of the feature's latent value, linear in its probability.
"""

import math

from destructors.maps import _normal as normal
from destructors.maps._jit import jit_fused
from destructors.maps._rosenblatt_values import (
    END,
    FACTOR,
    INVERSE_SQRT_2PI,
    OFFSET,
    WEIGHT,
)

# Latent values farther out stay where they are, so tails keep their digits; and the
# probability beyond on either side.
NEAR = 5.0
OUTER = 0.5 * math.erfc(NEAR / math.sqrt(2.0))
# Bins of a feature at most: their numbers are bytes.
MOST_BINS = 256
# No bin gets more than exp(MOST) times its share, or less than the inverse.
MOST = 4.0
# The probability below a standard normal value within +-3.5, 0.5 + t p(t²) for t from
# -1 to 1, and none beyond: a polynomial, increasing, right to 3e-4, which is enough.
# Where exactly a border lies changes nothing but how many rows a bin has.
REACH = 3.5
COEFFICIENTS = (
    0.6193357846361576,
    -2.788285500040057,
    5.508292760610748,
    -6.414688410961582,
    5.011386361030988,
    -2.832431304357204,
    1.3963903090809506,
)
# Components of this weight, beside that of the heaviest, say nothing of bins, and
# those of more as much less.
LEAST_WEIGHT = 1e-3
# What is known of the borders of bins: probabilities below and above them, and those
# to which they are mapped.
BELOW, ABOVE, BELOW_IMAGE, ABOVE_IMAGE = range(4)


@jit_fused
def place(edges, j, x):
    """Return the bin of a value of a feature: how many edges are not above it."""
    low, high = 0, edges.shape[1]
    while low < high:
        middle = (low + high) >> 1
        if x >= edges[j, middle]:
            low = middle + 1
        else:
            high = middle
    return low


@jit_fused
def _fill_borders(i, j, first, last, pairs, edges, borders):
    """Fill in the probabilities below and above each edge, by components listed."""
    n, total = edges.shape[1], 0.0
    for b in range(n + 2):
        borders[i, BELOW, b] = 0.0
    for p in range(first, last):
        weight = pairs[WEIGHT, p] - LEAST_WEIGHT
        if weight <= 0.0:
            continue
        total += weight
        factor, offset = pairs[FACTOR, p] / REACH, pairs[OFFSET, p] / REACH
        for b in range(n):
            t = min(max(factor * edges[j, b] + offset, -1.0), 1.0)
            square = t * t
            value = COEFFICIENTS[0]
            for coefficient in COEFFICIENTS[1:]:
                value = value * square + coefficient
            borders[i, BELOW, b + 1] += weight * (0.5 + t * value)
    share, most = 1.0 / total, 1.0 - OUTER
    borders[i, BELOW, 0], borders[i, ABOVE, 0] = OUTER, most
    for b in range(1, n + 1):
        # Rounding may leave one a little on the wrong side of the one before.
        below = min(max(borders[i, BELOW, b] * share, borders[i, BELOW, b - 1]), most)
        borders[i, BELOW, b], borders[i, ABOVE, b] = below, 1.0 - below
    borders[i, BELOW, n + 1], borders[i, ABOVE, n + 1] = most, OUTER


@jit_fused
def mass(i, borders, b):
    """Return the probability of a bin."""
    return borders[i, BELOW, b + 1] - borders[i, BELOW, b]


@jit_fused
def _add_trees(i, j, places, nodes, roots, starts, values, logs):
    """Fill in the sum of what the trees of a feature say of its bins in a row."""
    n_bins = values.shape[1]
    for b in range(n_bins):
        logs[b] = 0.0
    for t in range(starts[j], starts[j + 1]):
        node = roots[t]
        while nodes[node, 0] >= 0:
            above = places[i, nodes[node, 0]] > nodes[node, 1]
            node = nodes[node, 2] + above
        leaf = nodes[node, 2]
        for b in range(n_bins):
            logs[b] += values[leaf, b]
    for b in range(n_bins):
        logs[b] = min(max(logs[b], -MOST), MOST)


@jit_fused
def _fill_images(i, logs, borders, slopes):
    """Fill in where the borders are mapped to, and the slope in each bin."""
    n, total = len(logs), 0.0
    for b in range(n):
        slopes[i, b] = math.exp(logs[b])
        total += slopes[i, b] * mass(i, borders, b)
    share = (1.0 - 2.0 * OUTER) / total
    borders[i, BELOW_IMAGE, 0], borders[i, ABOVE_IMAGE, n] = OUTER, OUTER
    for b in range(n):
        slopes[i, b] *= share
        image = borders[i, BELOW_IMAGE, b] + slopes[i, b] * mass(i, borders, b)
        borders[i, BELOW_IMAGE, b + 1] = image
    for k in range(n):
        b = n - 1 - k
        image = borders[i, ABOVE_IMAGE, b + 1] + slopes[i, b] * mass(i, borders, b)
        borders[i, ABOVE_IMAGE, b] = image


@jit_fused
def fill_block(
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
):
    """Fill in the borders of a feature's bins, their images and slopes, row by row."""
    first = 0
    for i in range(n_rows):
        _fill_borders(i, j, first, index[END, i], pairs, edges, borders)
        _add_trees(i, j, places, nodes, roots, starts, values, logs)
        _fill_images(i, logs, borders, slopes)
        first = index[END, i]


@jit_fused
def tail_of(z):
    """Return the probability beyond a latent value, on its side of zero."""
    size = abs(z)
    return INVERSE_SQRT_2PI * normal.exp(-0.5 * size * size) * normal.mills(size)


@jit_fused
def bin_of(i, z, tail, borders, n, back):
    """Return the bin in which a latent value lies, or its image."""
    low, size = 0, n
    side = 2 * back
    if z < 0.0:
        # The last whose lower border is not above it.
        while size > 1:
            half = size >> 1
            if tail >= borders[i, side + BELOW, low + half]:
                low += half
            size -= half
        return low
    while size > 1:
        half = size >> 1
        if tail < borders[i, side + ABOVE, low + half]:
            low += half
        size -= half
    return low


@jit_fused
def move(i, z, borders, slopes, back):
    """Return where a latent value goes, and the logarithm of the slope there."""
    if not abs(z) < NEAR:
        return z, 0.0
    n, tail = slopes.shape[1], tail_of(z)
    b = bin_of(i, z, tail, borders, n, back)
    at, to = 2 * back, 2 - 2 * back
    slope = 1.0 / slopes[i, b] if back else slopes[i, b]
    # From the outer end of the bin: that is where digits count.
    if z < 0.0:
        below = borders[i, to + BELOW, b] + (tail - borders[i, at + BELOW, b]) * slope
        above = 1.0 - below
    else:
        above = borders[i, to + ABOVE, b + 1]
        above += (tail - borders[i, at + ABOVE, b + 1]) * slope
        below = 1.0 - above
    smaller = min(max(min(below, above), OUTER), 0.5)
    size = normal.quantile_fit(normal.log(smaller))
    moved = -size if below < above else size
    return moved, normal.log(slope) + 0.5 * (moved - z) * (moved + z)
