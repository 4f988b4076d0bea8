"""The kernel of layers along directions: project, bend, project back.

Of layers that turn, one of both ways is left out: what comes in is bent as it is and
turned then; or, on the way back, turned and then bent. Where there is one column, it is
bent and nothing else: a sum with what comes in would round it as that, which may be far
longer. (With as many directions as columns, and several, the sum is the better one: the
rounding of directions that are not quite orthonormal is of its steps alone.)
"""

import numpy as np

from destructors.maps._jit import jit
from destructors.maps._spline import _apply_piece_compiled

# Rows at a time: their columns lie side by side, so that each loop over rows runs in
# vector registers, and each row is added up as if it stood alone.
_N_ROWS = 256
_LARGEST = np.finfo(np.float64).max
# A way back to less than this share is a long one: a sum would lose three digits.
_FAR = 2.0**-10
# Beyond this a row goes by itself, in parts whose sums do not overflow.
_WIDE = 1e150
_PART = 2.0**64
# Slopes of a row are multiplied, so that a row takes one logarithm, as long as their
# product is that far from the ends of float64.
_LARGEST_PRODUCT = 1e100


@jit
def _clip(v):
    return min(max(v, -_LARGEST), _LARGEST)


@jit
def _rise(v, k, intervals):
    """Map a number by its interval; return the slope there, too.

    It is what `QuadraticSpline` does, without its divisions: a number is measured from
    both ends of the interval.
    """
    h, inv = intervals[k, 5], intervals[k, 6]
    start, end = intervals[k, 3], intervals[k, 4]
    offset = v - intervals[k, 0]
    s = min(max(offset, 0.0), h) * inv
    slope = min(max(intervals[k, 1] - v, 0.0), h) * inv * start + s * end
    inside = s * h
    gain = 0.5 * inside * (start + slope)
    return intervals[k, 2] + gain + (offset - inside) * slope, slope


@jit
def _add_products(factors, row, column, n_rows, n_columns, source, m, target):
    """Add ``factors @ source`` to the target, in blocks that stay in registers."""
    for r in range(0, n_rows - 1, 2):
        s = 0
        while s + 3 < n_columns:
            a, b = factors[row + r, column + s], factors[row + r, column + s + 1]
            c, d = factors[row + r, column + s + 2], factors[row + r, column + s + 3]
            e, f = (
                factors[row + r + 1, column + s],
                factors[row + r + 1, column + s + 1],
            )
            g = factors[row + r + 1, column + s + 2]
            h = factors[row + r + 1, column + s + 3]
            for i in range(m):
                p, q = source[s, i], source[s + 1, i]
                t, u = source[s + 2, i], source[s + 3, i]
                target[r, i] += a * p + b * q + c * t + d * u
                target[r + 1, i] += e * p + f * q + g * t + h * u
            s += 4
        while s < n_columns:
            a, e = factors[row + r, column + s], factors[row + r + 1, column + s]
            for i in range(m):
                target[r, i] += a * source[s, i]
                target[r + 1, i] += e * source[s, i]
            s += 1
    if n_rows % 2:
        r = n_rows - 1
        for s in range(n_columns):
            a = factors[row + r, column + s]
            for i in range(m):
                target[r, i] += a * source[s, i]


@jit
def _step_apart(
    x,
    i,
    inverse,
    turns,
    axes,
    first,
    last,
    knots,
    values,
    slopes,
    starts,
    intervals,
    along,
    moved,
    bends,
    kept,
):
    """Map one row by one layer where a plain sum would overflow or lose its digits."""
    d = x.shape[0]
    places = values if inverse else knots
    longest, farthest = 0.0, 0.0
    for c in range(first, last):
        if turns and not inverse:
            v = x[c - first, i]
        else:
            part = 0.0
            for j in range(d):
                part += axes[c, j] * (x[j, i] / _PART)
            v = _clip(part * _PART)
        k, size = starts[c], starts[c + 1] - starts[c] - 1
        while size > 1:
            half = size >> 1
            if v >= places[k + half]:
                k += half
            size -= half
        if inverse:
            w, slope = _apply_piece_compiled(v, k, None, inverse, knots, values, slopes)
        else:
            w, slope = _rise(v, k, intervals)
        w = _clip(w)
        along[c - first, i], moved[c - first, i], bends[c - first, i] = v, w, slope
        longest, farthest = max(longest, abs(w)), max(farthest, abs(v))
    if turns and inverse:
        for j in range(d):
            kept[j, i] = moved[j, i]
        return
    # What turns, or is one column, is no sum with what comes in.
    is_far = turns or d == 1 or longest < _FAR * farthest
    # A long way back to small numbers is no sum, which would round them as the large
    # ones: what lies across is taken by itself. What the first pass leaves along the
    # directions is rounding, which the second takes away.
    for j in range(d):
        kept[j, i] = 0.0 if is_far and last - first == d else x[j, i] / _PART
    for _ in range(2 if is_far and not turns else 0):
        for c in range(first, last):
            part = 0.0
            for j in range(d):
                part += axes[c, j] * kept[j, i]
            for j in range(d):
                kept[j, i] -= axes[c, j] * part
    for j in range(d):
        part = kept[j, i]
        for c in range(first, last):
            step = moved[c - first, i]
            if not is_far:
                step = _clip(step - along[c - first, i])
            part += axes[c, j] * (step / _PART)
        kept[j, i] = _clip(part * _PART)


@jit
def pass_layers(
    V,
    inverse,
    axes,
    frames,
    columns,
    turns,
    knots,
    values,
    slopes,
    starts,
    intervals,
    origin,
    scale,
    low,
    most,
    upper,
    W,
    log_det,
):
    """Set ``W`` to the rows after all layers; add what they add to ``log_det``."""
    n, d = V.shape
    n_layers = len(columns) - 1
    places = values if inverse else knots
    sign = -1.0 if inverse else 1.0
    last_cell = float(low.shape[1] - 1)
    widest = 0
    for layer in range(n_layers):
        widest = max(widest, columns[layer + 1] - columns[layer])
    n_rows = min(n, _N_ROWS)
    x, kept = np.empty((d, n_rows)), np.empty((d, n_rows))
    along, moved = np.empty((widest, n_rows)), np.empty((widest, n_rows))
    bends, found = np.empty((widest, n_rows)), np.empty(n_rows, np.int64)
    product, least, largest = np.empty(n_rows), np.empty(n_rows), np.empty(n_rows)
    longest, farthest = np.empty(n_rows), np.empty(n_rows)
    for begin in range(0, n, _N_ROWS):
        m = min(_N_ROWS, n - begin)
        for i in range(m):
            product[i] = 1.0
            for j in range(d):
                x[j, i] = V[begin + i, j]
        for turn in range(n_layers):
            layer = n_layers - 1 - turn if inverse else turn
            first, last = columns[layer], columns[layer + 1]
            width = last - first
            is_sum = d > 1 and not turns[layer]
            bends_first = turns[layer] and not inverse
            for c in range(width):
                for i in range(m):
                    along[c, i] = x[c, i] if bends_first else 0.0
            if not bends_first:
                _add_products(axes, first, 0, width, d, x, m, along)
            for i in range(m):
                longest[i] = farthest[i] = 0.0
            for c in range(width):
                column = first + c
                if most[column] >= 0:
                    for i in range(m):
                        cell = (along[c, i] - origin[column]) * scale[column]
                        cell = cell if cell > 0.0 else 0.0
                        cell = cell if cell < last_cell else last_cell
                        found[i] = low[column, int(cell)]
                    for _ in range(most[column]):
                        for i in range(m):
                            k = found[i]
                            found[i] = k + (along[c, i] >= upper[k])
                else:
                    size = starts[column + 1] - starts[column] - 1
                    for i in range(m):
                        found[i] = starts[column]
                    while size > 1:
                        half = size >> 1
                        for i in range(m):
                            k = found[i]
                            found[i] = k + half * (along[c, i] >= places[k + half])
                        size -= half
                if inverse:
                    for i in range(m):
                        moved[c, i], bends[c, i] = _apply_piece_compiled(
                            along[c, i], found[i], None, True, knots, values, slopes
                        )
                else:
                    for i in range(m):
                        moved[c, i], bends[c, i] = _rise(
                            along[c, i], found[i], intervals
                        )
                for i in range(m):
                    longest[i] = max(longest[i], abs(moved[c, i]))
                    farthest[i] = max(farthest[i], abs(along[c, i]))
            n_apart = 0
            for i in range(m):
                # Comparisons with what is no number are false.
                plain = (longest[i] < _WIDE) & (farthest[i] < _WIDE)
                plain &= longest[i] >= _FAR * farthest[i] or not is_sum
                found[i] = plain
                n_apart += not plain
            if n_apart:
                for i in range(m):
                    if not found[i]:
                        _step_apart(
                            x,
                            i,
                            inverse,
                            turns[layer],
                            axes,
                            first,
                            last,
                            knots,
                            values,
                            slopes,
                            starts,
                            intervals,
                            along,
                            moved,
                            bends,
                            kept,
                        )
            if turns[layer] and inverse:
                for c in range(d):
                    for i in range(m):
                        x[c, i] = moved[c, i]
            else:
                for c in range(width):
                    for i in range(m):
                        if is_sum:
                            along[c, i] = moved[c, i] - along[c, i]
                        else:
                            along[c, i], x[c, i] = moved[c, i], 0.0
                _add_products(frames, 0, first, d, width, along, m, x)
            if n_apart:
                for i in range(m):
                    if not found[i]:
                        for j in range(d):
                            x[j, i] = kept[j, i]
            for i in range(m):
                least[i] = largest[i] = farthest[i] = bends[0, i]
            for c in range(1, width):
                for i in range(m):
                    slope = bends[c, i]
                    farthest[i] *= slope
                    least[i], largest[i] = min(least[i], slope), max(largest[i], slope)
            # Slopes within these bounds cannot lead the product out of range.
            bound = _LARGEST_PRODUCT ** (1.0 / width)
            for i in range(m):
                if least[i] > 1.0 / bound and largest[i] < bound:
                    slope = product[i] * farthest[i]
                    if 1.0 / _LARGEST_PRODUCT < slope < _LARGEST_PRODUCT:
                        product[i] = slope
                        continue
                else:
                    slope = product[i]
                    for c in range(width):
                        log_det[begin + i] += sign * np.log(bends[c, i])
                product[i] = 1.0
                log_det[begin + i] += sign * np.log(slope)
        for i in range(m):
            log_det[begin + i] += sign * np.log(product[i])
            for j in range(d):
                W[begin + i, j] = x[j, i]
