"""One monotone rational-quadratic spline for each column."""

from dataclasses import dataclass

import numpy as np

from destructors.maps._jit import jit
from destructors.maps._spline import Spline


def _shape(s, left, right):
    """Return what is divided by the last for the share of the rise, and its square by
    for the slope over the mean one.
    """
    both = s * (1.0 - s)
    above = right * s * s + 2.0 * both + left * (1.0 - s) * (1.0 - s)
    return s * s + left * both, above, 1.0 + (left + right - 2.0) * both


_shape_compiled = jit(_shape)


@jit
def _forward_loops(X, knots, values, slopes, starts, Z, log_det):
    n, d = X.shape
    for j in range(d):
        first, last = starts[j], starts[j + 1] - 1
        x, t, g = knots[first : last + 1], values[first : last + 1], slopes
        places = np.searchsorted(x, X[:, j], side="right")
        for i in range(n):
            k = min(max(places[i] - 1, 0), last - first - 1)
            h, rise = x[k + 1] - x[k], t[k + 1] - t[k]
            left, right = g[first + k] * (h / rise), g[first + k + 1] * (h / rise)
            offset = X[i, j] - x[k]
            if offset < 0.0:
                Z[i, j] = t[k] + offset * g[first + k]
                log_det[i] += np.log(g[first + k])
            elif offset > h:
                Z[i, j] = t[k + 1] + (offset - h) * g[first + k + 1]
                log_det[i] += np.log(g[first + k + 1])
            else:
                s = offset / h
                share, above, below = _shape_compiled(s, left, right)
                Z[i, j] = t[k] + rise * share / below
                log_det[i] += np.log(rise / h * above / (below * below))


@jit
def _inverse_loops(Z, knots, values, slopes, starts, X, log_det):
    n, d = Z.shape
    for j in range(d):
        first, last = starts[j], starts[j + 1] - 1
        x, t, g = knots[first : last + 1], values[first : last + 1], slopes
        places = np.searchsorted(t, Z[:, j], side="right")
        for i in range(n):
            k = min(max(places[i] - 1, 0), last - first - 1)
            h, rise = x[k + 1] - x[k], t[k + 1] - t[k]
            left, right = g[first + k] * (h / rise), g[first + k + 1] * (h / rise)
            offset = Z[i, j] - t[k]
            if offset < 0.0:
                X[i, j] = x[k] + offset / g[first + k]
                log_det[i] -= np.log(g[first + k])
            elif offset > rise:
                X[i, j] = x[k + 1] + (offset - rise) / g[first + k + 1]
                log_det[i] -= np.log(g[first + k + 1])
            else:
                share = offset / rise
                bend = share * (left + right - 2.0)
                # The root without cancellation; the discriminant is not negative.
                b = left - bend
                root = np.sqrt(max(b * b + 4.0 * (1.0 - left + bend) * share, 0.0))
                s = min(2.0 * share / (b + root), 1.0)
                _, above, below = _shape_compiled(s, left, right)
                X[i, j] = x[k] + s * h
                log_det[i] -= np.log(rise / h * above / (below * below))


def _forward_piece(offset, image, h, rise, left, right):
    s = np.clip(offset / h, 0.0, 1.0)
    share, _, below = _shape(s, left * (h / rise), right * (h / rise))
    slope = _slope_at(s, h, rise, left, right)
    beyond = offset - np.clip(offset, 0.0, h)
    return image + rise * share / below + beyond * slope, slope


def _inverse_piece(offset, image, h, rise, left, right):
    share = np.clip(offset / rise, 0.0, 1.0)
    bend = share * ((left + right) * (h / rise) - 2.0)
    b = left * (h / rise) - bend
    root = np.sqrt(np.maximum(b * b + 4.0 * (share - b * share), 0.0))
    s = np.where(share > 0.0, np.minimum(2.0 * share / (b + root), 1.0), 0.0)
    s[offset > rise] = 1.0
    slope = _slope_at(s, h, rise, left, right)
    return image + s * h + (offset - np.clip(offset, 0.0, rise)) / slope, slope


def _slope_at(s, h, rise, left, right):
    _, above, below = _shape(s, left * (h / rise), right * (h / rise))
    slope = rise / h * above / (below * below)
    # At the ends exactly the given ones.
    return np.where(s == 0.0, left, np.where(s == 1.0, right, slope))


@dataclass(frozen=True, eq=False, repr=False)
class RationalQuadraticSpline(Spline):
    r"""A monotone rational-quadratic spline for each column.

    Between knots (width :math:`h`, rise :math:`r`, mean slope :math:`m = r / h`) the
    share of the rise is

    .. math:: \frac{z - t_k}{r} =
              \frac{s^2 + a s (1 - s)}{1 + (a + b - 2) s (1 - s)}, \quad
              s = \frac{x - x_k}{h}, \; a = \frac{g_k}{m}, \; b = \frac{g_{k+1}}{m},

    with knots :math:`x_k`, values :math:`t_k` and slopes :math:`g_k`: increasing, with
    the given slopes at both ends, and inverted by a quadratic equation. Beyond the
    outermost knots the map is linear. Unlike those of a quadratic spline, values and
    slopes can be chosen freely.

    Parameters
    ----------
    knots, values, slopes : ndarray of shape (n_knots,)
        Places of the knots, values of the map there, and its slopes; of one column
        after the other. Knots and values increase strictly; slopes are positive.
    starts : ndarray of int of shape (n_features + 1,)
        Where the knots of each column begin, at least two each; the last entry is their
        number.

    See Also
    --------
    QuadraticSpline : Simpler, where slopes decide the values.

    References
    ----------
    J. A. Gregory and R. Delbourgo, *Piecewise rational quadratic interpolation to
    monotonic data*, IMA Journal of Numerical Analysis 2, 1982. C. Durkan, A. Bekasov,
    I. Murray and G. Papamakarios, *Neural spline flows*, NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import RationalQuadraticSpline
    >>> knots, values, slopes = [[0.0, 1.0]], [[0.0, 1.0]], [[0.5, 0.5]]
    >>> spline = RationalQuadraticSpline.of(knots, values, slopes)
    >>> spline.forward(np.array([[-1.0], [0.5], [3.0]]))[0].ravel()
    array([-0.5,  0.5,  2. ])
    """

    _loops = _forward_loops, _inverse_loops
    _pieces = _forward_piece, _inverse_piece
