"""Many layers along directions in one pass: project, bend, project back."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from destructors.maps._map import Mapped
from destructors.maps._slices_kernel import pass_layers
from destructors.maps._spline import QuadraticSpline

# Intervals at least this wide have a reciprocal.
_NARROWEST = 1e-290
# Columns as wide as this, or as narrow as its reciprocal, have no cells.
_WIDE = 1e150
# Cells of equal width by which the interval of a number is looked up, and knots in one
# of them at most: where there are more, halving takes as few steps.
_N_CELLS, _MOST_IN_CELL = 128, 4


def can_pack(map_: Any) -> TypeGuard[QuadraticSpline]:
    """Return whether the kernel knows this map of what rows are along directions."""
    if type(map_) is not QuadraticSpline:
        return False
    narrowest = np.diff(map_.knots)
    # From the last knot of a column to the first of the next is no interval.
    narrowest[map_.starts[1:-1] - 1] = 1.0
    return bool((narrowest >= _NARROWEST).all())


class Lookup(NamedTuple):
    """Where the interval of a number is looked up, for each column.

    Parameters
    ----------
    origin, scale : ndarray of shape (n_columns,)
        The cell of a number is the whole part of ``(number - origin) * scale``.
    low : ndarray of int of shape (n_columns, n_cells)
        First interval of each cell.
    most : ndarray of int of shape (n_columns,)
        Intervals to go on from there, at most; -1 where one is to halve.
    upper : ndarray of shape (n_points,)
        Where each interval ends; the last of a column does not.
    """

    origin: NDArray
    scale: NDArray
    low: NDArray
    most: NDArray
    upper: NDArray

    @classmethod
    def of(cls, points: NDArray, starts: NDArray) -> "Lookup":
        """Return the cells of columns whose points lie end to end."""
        n_columns = len(starts) - 1
        origin, scale = np.zeros(n_columns), np.zeros(n_columns)
        low = np.repeat(starts[:-1, None], _N_CELLS, axis=1)
        most, upper = np.zeros(n_columns, np.int64), np.r_[points[1:], np.inf]
        upper[starts[1:] - 2] = np.inf
        for c, inner in enumerate(map(slice, starts[:-1] + 1, starts[1:] - 1)):
            ends = points[inner]
            width = ends[-1] - ends[0] if len(ends) > 1 else 1.0
            if not 1.0 / _WIDE < width < _WIDE:
                most[c] = -1
            elif len(ends):
                origin[c], scale[c] = ends[0], (_N_CELLS - 1) / width
                cells = np.minimum((ends - origin[c]) * scale[c], _N_CELLS - 1)
                counts = np.bincount(cells.astype(np.int64), minlength=_N_CELLS)
                low[c] += np.cumsum(counts) - counts
                most[c] = counts.max() if counts.max() <= _MOST_IN_CELL else -1
        return cls(origin, scale, low, most, upper)

    @classmethod
    def join(cls, shifted: "Sequence[tuple[int, Lookup]]") -> "Lookup":
        """Return those of layers, each with the number of the knots before it."""
        parts = [part._replace(low=first + part.low) for first, part in shifted]
        return cls(*map(np.concatenate, zip(*parts, strict=True)))


class Slices(NamedTuple):
    """Layers that bend rows by splines along directions, packed for one kernel.

    Parameters
    ----------
    axes : ndarray of shape (n_columns, n_features)
        Directions of one layer after the other.
    frames : ndarray of shape (n_features, n_columns)
        Its transpose.
    columns : ndarray of int of shape (n_layers + 1,)
        Where those of each layer begin.
    knots, values, slopes : ndarray of shape (n_knots,)
        Of the splines of all columns, end to end; see `destructors.maps.Spline`.
    starts : ndarray of int of shape (n_columns + 1,)
        Where those of each column begin.
    intervals : ndarray of shape (n_knots, 8)
        All that a number needs of its interval, side by side in the memory: knots,
        value, slopes, width and its reciprocal.
    lookup, lookup_back : Lookup
        Of the knots, and of the values.
    """

    axes: NDArray
    frames: NDArray
    columns: NDArray
    knots: NDArray
    values: NDArray
    slopes: NDArray
    starts: NDArray
    intervals: NDArray
    lookup: Lookup
    lookup_back: Lookup

    @classmethod
    def of(cls, directions: NDArray, spline: QuadraticSpline) -> "Slices":
        """Return one layer, of orthonormal columns and of what `can_pack` lets pass."""
        knots, values, slopes = spline.knots, spline.values, spline.slopes
        starts = spline.starts
        intervals = np.ones((len(knots), 8))
        intervals[:, 0], intervals[:, 2], intervals[:, 3] = knots, values, slopes
        intervals[:-1, 1], intervals[:-1, 4] = knots[1:], slopes[1:]
        with np.errstate(divide="ignore", over="ignore"):
            intervals[:-1, 5] = np.diff(knots)
            intervals[:-1, 6] = 1.0 / intervals[:-1, 5]
        frames = np.ascontiguousarray(directions, dtype=np.float64)
        axes, columns = np.ascontiguousarray(frames.T), np.array([0, frames.shape[1]])
        return cls(
            axes=axes,
            frames=frames,
            columns=columns,
            knots=knots,
            values=values,
            slopes=slopes,
            starts=starts,
            intervals=intervals,
            lookup=Lookup.of(knots, starts),
            lookup_back=Lookup.of(values, starts),
        )

    @classmethod
    def join(cls, layers: Sequence["Slices"]) -> "Slices":
        """Return layers one after the other."""
        if len(layers) == 1:
            return layers[0]
        n_knots = [len(layer.knots) for layer in layers]
        firsts = np.cumsum([0, *n_knots[:-1]])
        shifted = list(zip(firsts, layers, strict=True))
        starts = [first + layer.starts[:-1] for first, layer in shifted]
        axes = np.concatenate([layer.axes for layer in layers])
        return cls(
            axes=axes,
            frames=np.ascontiguousarray(axes.T),
            columns=np.cumsum([0, *(len(layer.axes) for layer in layers)]),
            knots=np.concatenate([layer.knots for layer in layers]),
            values=np.concatenate([layer.values for layer in layers]),
            slopes=np.concatenate([layer.slopes for layer in layers]),
            starts=np.concatenate([*starts, [sum(n_knots)]]),
            intervals=np.concatenate([layer.intervals for layer in layers]),
            lookup=Lookup.join([(first, each.lookup) for first, each in shifted]),
            lookup_back=Lookup.join(
                [(first, each.lookup_back) for first, each in shifted]
            ),
        )

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        return self._pass(X, False, self.lookup)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        return self._pass(Z, True, self.lookup_back)

    def _pass(self, V: NDArray, inverse: bool, lookup: Lookup) -> Mapped:
        W, log_det = np.empty(V.shape), np.zeros(len(V))
        pass_layers(np.ascontiguousarray(V), inverse, *self[:8], *lookup, W, log_det)
        return W, log_det
