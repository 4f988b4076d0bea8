"""One monotone spline for each column, piecewise quadratic or rational-quadratic."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from destructors.maps._jit import are_starts, jit
from destructors.maps._map import Map, Mapped

# The search runs breadth-first over a block of rows: each halving step is then a plain
# loop without branches, which the compiler vectorises (twice as fast as row by row).
_N_ROWS = 1024
_LARGEST = np.finfo(np.float64).max
# Slopes of a row are multiplied, so that a row takes one logarithm, as long as their
# product is that far from the ends of float64.
_LARGEST_PRODUCT = 1e100


@dataclass(frozen=True, eq=False, repr=False)
class Spline(Map):
    """A monotone spline for each column, by values and slopes at knots.

    The splines of all columns lie end to end: column ``j`` owns the knots
    ``starts[j] … starts[j + 1] - 1``, at least two.

    Parameters
    ----------
    knots, values, slopes : ndarray of shape (n_knots,)
        Places of the knots, values of the map there, and its slopes. In each column
        knots and values are strictly increasing, and slopes are positive.
    starts : ndarray of int of shape (n_features + 1,)
        Where the knots of each column begin; the last entry is their number.
    """

    knots: NDArray
    values: NDArray
    slopes: NDArray
    starts: NDArray

    feature_wise = True
    # Compiled code is made for each type of an argument: None is one of its own.
    _rational: ClassVar[bool | None]

    _positive = ("slopes",)

    def is_valid(self) -> bool:
        """Return whether knots and values increase in each column."""
        inside = np.ones(max(len(self.knots) - 1, 0), dtype=bool)
        inside[self.starts[1:-1] - 1] = False
        rises = np.diff(self.values) > 0
        if self._rational is None:
            # Where next to no weight lies a curve may be flat to the last digit: no
            # value is in such an interval, unless it is the first or the last.
            rises |= np.diff(self.values) == 0
            for ends in (self.starts[:-1], self.starts[1:] - 2):
                rises[ends] &= self.values[ends + 1] > self.values[ends]
        return bool((rises & (np.diff(self.knots) > 0))[inside].all())

    def __post_init__(self) -> None:
        # Compiled loops look at nothing else before they follow the starts.
        shape = (len(self.knots),)
        if not (
            self.knots.shape == self.values.shape == self.slopes.shape == shape
            and are_starts(self.starts, len(self.knots), shortest=2)
        ):
            raise ValueError(
                f"{type(self).__name__} needs as many values and slopes as knots, and "
                f"starts that part them by columns, at least two each; got {self!r}."
            )

    @classmethod
    def of(
        cls,
        knots: Sequence[NDArray],
        values: Sequence[NDArray],
        slopes: Sequence[NDArray],
    ) -> Self:
        """Return the map made of an array of knots, values and slopes a column."""
        return cls(
            np.concatenate(knots),
            np.concatenate(values),
            np.concatenate(slopes),
            np.cumsum([0, *map(len, knots)]),
        )

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        return self._apply(X, inverse=False)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        return self._apply(Z, inverse=True)

    def _apply(self, V: NDArray, inverse: bool) -> Mapped:
        if V.shape[1] != len(self.starts) - 1:
            raise ValueError(
                f"This spline has {len(self.starts) - 1} columns, not {V.shape[1]}."
            )
        W, log_det = np.empty(V.shape), np.zeros(len(V))
        spline = self._rational, inverse, self.knots, self.values, self.slopes
        _apply(np.ascontiguousarray(V), self.starts, *spline, W, log_det)
        # Where the line beyond the ends leads out of float64.
        np.maximum(W, -_LARGEST, out=W)
        np.minimum(W, _LARGEST, out=W)
        return W, log_det


def _apply_piece(v, k, rational, inverse, knots, values, slopes):
    """Map numbers by the intervals they belong to; return slopes of the map, too.

    A number is measured from both ends of its interval, and only sums of positive
    terms are taken: next to a steep end the distance from there has digits that the
    distance from the other end has lost.

    Compiled it takes one number, else an array: hence products with conditions, and no
    branches on numbers.
    """
    h, rise = knots[k + 1] - knots[k], values[k + 1] - values[k]
    places, length = (values, rise) if inverse else (knots, h)
    offset, rest = v - places[k], places[k + 1] - v
    inside = np.minimum(np.maximum(offset, 0.0), length)
    s = inside / length
    r = np.minimum(np.maximum(rest, 0.0), length) / length
    start, end = slopes[k], slopes[k + 1]
    if rational is not None or inverse:
        # In units of the interval, where no square over- or underflows.
        left, right = start * (h / rise), end * (h / rise)
    if inverse:
        # Roots of a quadratic, in the form without cancellation. At the ends they are
        # exactly 0 and 1, so that beyond these the slope is the same both ways.
        if rational is None:
            root = np.sqrt(r * left * left + s * right * right)
            s, r = s * (right + root), r * (left + root)
        else:
            bend = r * left - s * right
            root = np.abs(bend) + np.sqrt(bend * bend + 4.0 * s * r)
            falls = 1.0 * (bend >= 0.0)
            s = falls * 2.0 * s + (1.0 - falls) * root
            r = falls * root + (1.0 - falls) * 2.0 * r
        both = s + r
        s, r = s / both, r / both
    if rational is None:
        slope = r * start + s * end
        gain = 0.5 * h * s * (start + slope)
        # Within the interval this is what the quotient s has lost by rounding.
        inside = inside if inverse else s * h
    else:
        both = 2.0 * s * r
        below = s * s + r * r + 0.5 * (left + right) * both
        slope = rise / h * (right * s * s + both + left * r * r) / (below * below)
        gain = rise * (s * s + 0.5 * left * both) / below
    if inverse:
        return knots[k] + s * h + (offset - inside) / slope, slope
    return values[k] + gain + (offset - inside) * slope, slope


_apply_piece_compiled = jit(_apply_piece)


def _apply_loops(V, starts, rational, inverse, knots, values, slopes, W, log_det):
    n, d = V.shape
    places = values if inverse else knots
    found, product = np.empty(min(n, _N_ROWS), np.int64), np.empty(min(n, _N_ROWS))
    sign = -1.0 if inverse else 1.0
    for first in range(0, n, _N_ROWS):
        last = min(first + _N_ROWS, n)
        for i in range(last - first):
            product[i] = 1.0
        for j in range(d):
            _find_intervals(V[first:last, j], places, starts[j], starts[j + 1], found)
            for i in range(first, last):
                k, v, end = found[i - first], V[i, j], -1
                beyond = v - places[k]
                if rational is not None:
                    # Beyond the ends to the last bit what is given there.
                    if beyond < 0.0:
                        end = k
                    elif beyond > places[k + 1] - places[k]:
                        beyond, end = beyond - (places[k + 1] - places[k]), k + 1
                if end < 0:
                    W[i, j], slope = _apply_piece_compiled(
                        v, k, rational, inverse, knots, values, slopes
                    )
                else:
                    slope = slopes[end]
                    if inverse:
                        W[i, j] = knots[end] + beyond / slope
                    else:
                        W[i, j] = values[end] + beyond * slope
                if 1.0 / _LARGEST_PRODUCT < slope < _LARGEST_PRODUCT:
                    slope *= product[i - first]
                    product[i - first] = slope
                    if 1.0 / _LARGEST_PRODUCT < slope < _LARGEST_PRODUCT:
                        continue
                    product[i - first] = 1.0
                log_det[i] += sign * np.log(slope)
        for i in range(first, last):
            log_det[i] += sign * np.log(product[i - first])


@jit
def _find_intervals(v, points, start, stop, found):
    """Set ``found[i]`` to the interval of ``points[start:stop]`` that holds v[i]."""
    n = v.shape[0]
    for i in range(n):
        found[i] = start
    size = stop - start - 1
    while size > 1:
        half = size >> 1
        for i in range(n):
            k = found[i]
            found[i] = k + half * (v[i] >= points[k + half])
        size -= half


def _apply_vectorised(V, starts, rational, inverse, knots, values, slopes, W, log_det):
    # For a single row each call of NumPy counts: both ends are looked up at once.
    places, ends = values if inverse else knots, np.empty((2, *V.shape), np.intp)
    for j, (start, stop) in enumerate(pairwise(starts.tolist())):
        inner = places[start + 1 : stop - 1]
        ends[0, :, j] = inner.searchsorted(V[:, j], "right")
    ends[0] += starts[:-1]
    np.add(ends[0], 1, out=ends[1])
    at_ends = knots.take(ends), values.take(ends), slopes.take(ends)
    with np.errstate(over="ignore"):
        W[:], slope = _apply_piece(V, 0, rational, inverse, *at_ends)
    log_slope = np.add.reduce(np.log(slope), axis=1)
    log_det += -log_slope if inverse else log_slope


_apply = jit(_apply_loops, plain=_apply_vectorised)


@dataclass(frozen=True, eq=False, repr=False)
class QuadraticSpline(Spline):
    r"""A monotone, piecewise quadratic spline for each column.

    The slope is linear between knots and constant beyond the outermost, so that the map
    is continuously differentiable, strictly increasing, and inverted in closed form:

    .. math:: z = t_k + h_k (g_k s + (g_{k+1} - g_k) s^2 / 2), \quad
              s = (x - x_k) / h_k,

    with knots :math:`x_k`, values :math:`t_k`, slopes :math:`g_k` and widths
    :math:`h_k = x_{k+1} - x_k`.

    Parameters
    ----------
    knots, values, slopes : ndarray of shape (n_knots,)
        Places of the knots, values of the map there, and its slopes; of one column
        after the other. Knots increase strictly and slopes are positive; values rise
        by the mean of the slopes at both ends times the width.
    starts : ndarray of int of shape (n_features + 1,)
        Where the knots of each column begin, at least two each; the last entry is their
        number.

    See Also
    --------
    RationalQuadraticSpline : Values and slopes can be chosen freely.

    Examples
    --------
    >>> import numpy as np
    >>> from destructors.maps import QuadraticSpline
    >>> knots, values, slopes = [[0.0, 1.0]], [[0.0, 1.5]], [[1.0, 2.0]]
    >>> spline = QuadraticSpline.of(knots, values, slopes)
    >>> spline.forward(np.array([[-1.0], [0.5], [2.0]]))[0].ravel()
    array([-1.   ,  0.625,  3.5  ])
    """

    _rational = None

    def towards_identity(self, share: float) -> "QuadraticSpline":
        """Return the map that goes a share of the way from the identity to this one.

        Parameters
        ----------
        share : float
            Between 0, the identity, and 1, this map.

        Returns
        -------
        spline : QuadraticSpline
            ``x + share * (t(x) - x)``, exactly.
        """
        # No differences: next to large knots they would have no digits of the values.
        values = (1.0 - share) * self.knots + share * self.values
        slopes = (1.0 - share) + share * self.slopes
        return QuadraticSpline(self.knots, values, slopes, self.starts)


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

    _rational = True
