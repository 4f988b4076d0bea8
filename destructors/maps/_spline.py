"""One monotone, piecewise quadratic spline for each column."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from destructors.maps._jit import HAS_NUMBA, are_starts, jit
from destructors.maps._map import Map, Mapped


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
    # For each way compiled loops, and what they do in an interval, vectorised: it takes
    # how far into it rows are, where it begins, its width and rise, and both slopes.
    _loops: ClassVar[tuple[Callable[..., Any], Callable[..., Any]]]
    _pieces: ClassVar[tuple[Callable[..., Any], Callable[..., Any]]]

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

    @property
    def parts(self) -> tuple[list[NDArray], list[NDArray], list[NDArray]]:
        """Knots, values and slopes, an array a column."""
        cuts = self.starts[1:-1]
        knots, values, slopes = (
            np.split(part, cuts) for part in (self.knots, self.values, self.slopes)
        )
        return knots, values, slopes

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        Z, log_det = np.empty(X.shape), np.zeros(len(X))
        self._apply(X, False, Z, log_det)
        return Z, log_det

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        X, log_det = np.empty(Z.shape), np.zeros(len(Z))
        self._apply(Z, True, X, log_det)
        return X, log_det

    def _apply(self, X: NDArray, inverse: bool, Z: NDArray, log_det: NDArray) -> None:
        if X.shape[1] != len(self.starts) - 1:
            raise ValueError(
                f"This spline has {len(self.starts) - 1} columns, not {X.shape[1]}."
            )
        if HAS_NUMBA:
            spline = self.knots, self.values, self.slopes, self.starts
            self._loops[inverse](np.ascontiguousarray(X), *spline, Z, log_det)
            return
        for j, (x, t, g) in enumerate(zip(*self.parts, strict=True)):
            places, images = (t, x) if inverse else (x, t)
            k = np.clip(np.searchsorted(places, X[:, j], "right") - 1, 0, len(x) - 2)
            h, rise, offset = x[k + 1] - x[k], t[k + 1] - t[k], X[:, j] - places[k]
            Z[:, j], slope = self._pieces[inverse](
                offset, images[k], h, rise, g[k], g[k + 1]
            )
            log_det += -np.log(slope) if inverse else np.log(slope)


# The search runs breadth-first over a block of rows: each halving step is then a plain
# loop without branches, which the compiler vectorises (twice as fast as row by row).
_N_ROWS = 1024


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


@jit
def _forward_loops(X, knots, values, slopes, starts, Z, log_det):
    n, d = X.shape
    found = np.empty(min(n, _N_ROWS), np.int64)
    for first in range(0, n, _N_ROWS):
        last = min(first + _N_ROWS, n)
        for j in range(d):
            _find_intervals(X[first:last, j], knots, starts[j], starts[j + 1], found)
            for i in range(first, last):
                k = found[i - first]
                h = knots[k + 1] - knots[k]
                offset = X[i, j] - knots[k]
                s = min(max(offset / h, 0.0), 1.0)
                slope = slopes[k] + s * (slopes[k + 1] - slopes[k])
                inside = 0.5 * h * s * (slopes[k] + slope)
                Z[i, j] = values[k] + inside + (offset - s * h) * slope
                log_det[i] += np.log(slope)


@jit
def _inverse_loops(Z, knots, values, slopes, starts, X, log_det):
    n, d = Z.shape
    found = np.empty(min(n, _N_ROWS), np.int64)
    for first in range(0, n, _N_ROWS):
        last = min(first + _N_ROWS, n)
        for j in range(d):
            _find_intervals(Z[first:last, j], values, starts[j], starts[j + 1], found)
            for i in range(first, last):
                k = found[i - first]
                h = knots[k + 1] - knots[k]
                rise = values[k + 1] - values[k]
                offset = Z[i, j] - values[k]
                inside = min(max(offset, 0.0), rise)
                # The root of the quadratic, in the form without cancellation, and in
                # units of the interval, where no square over- or underflows.
                left = slopes[k] * (h / rise)
                bend = slopes[k + 1] * (h / rise) - left
                share = inside / rise
                root = np.sqrt(max(left * left + 2.0 * bend * share, 0.0))
                s = min(2.0 * share / (left + root), 1.0)
                slope = slopes[k] + s * (slopes[k + 1] - slopes[k])
                if offset > rise:
                    # Beyond the knots the slope must be the last one to the bit: far
                    # out, its rounding error would be that of the inverse.
                    slope = slopes[k + 1]
                X[i, j] = knots[k] + s * h + (offset - inside) / slope
                log_det[i] -= np.log(slope)


def _forward_piece(offset, image, h, rise, left, right):
    s = np.clip(offset / h, 0.0, 1.0)
    slope = left + s * (right - left)
    return image + 0.5 * h * s * (left + slope) + (offset - s * h) * slope, slope


def _inverse_piece(offset, image, h, rise, left, right):
    inside = np.clip(offset, 0.0, rise)
    start = left * (h / rise)
    bend = right * (h / rise) - start
    share = inside / rise
    root = np.sqrt(np.maximum(start * start + 2.0 * bend * share, 0.0))
    s = np.minimum(2.0 * share / (start + root), 1.0)
    slope = np.where(offset > rise, right, left + s * (right - left))
    return image + s * h + (offset - inside) / slope, slope


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

    _loops = _forward_loops, _inverse_loops
    _pieces = _forward_piece, _inverse_piece
