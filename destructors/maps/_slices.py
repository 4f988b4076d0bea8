"""Many layers in one pass: of splines along directions, and of turns after splines."""

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from destructors.maps._checks import check_width
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


@dataclass(frozen=True, eq=False)
class Layer:
    """What the kernel knows: a spline of what rows are along orthonormal directions.

    Parameters
    ----------
    directions : ndarray of shape (n_features, n_directions)
        Orthonormal columns :math:`W`.
    spline : QuadraticSpline
        The map :math:`T` of ``n_directions`` columns.
    turns : bool, default=False
        Whether the layer is ``z = W T(x)``, with as many directions as columns, and not
        ``z = x + W (T(W' x) - W' x)``.
    """

    directions: NDArray
    spline: QuadraticSpline
    turns: bool = False


def can_pack(map_: Any) -> TypeGuard[QuadraticSpline]:
    """Return whether the kernel knows this map of what rows are along directions."""
    if type(map_) is not QuadraticSpline:
        return False
    narrowest = map_.knots[1:] - map_.knots[:-1]
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
        Where each interval ends. The last of a column does not, and NaN stands there:
        not even infinity is above it.
    """

    origin: NDArray
    scale: NDArray
    low: NDArray
    most: NDArray
    upper: NDArray

    @classmethod
    def of(cls, points: NDArray, starts: NDArray) -> "Lookup":
        """Return the cells of columns whose points lie end to end."""
        upper = np.r_[points[1:], np.nan]
        upper[starts[1:] - 2] = np.nan
        first, last = starts[:-1] + 1, starts[1:] - 2
        # Those with two points have one interval.
        n_inner = last - first + 1
        low_end, high_end = points[np.minimum(first, last)], points[last]
        with np.errstate(over="ignore"):
            width = np.where(n_inner > 1, high_end - low_end, 1.0)
        has_cells = (width > 1.0 / _WIDE) & (width < _WIDE)
        looked_up = has_cells & (n_inner > 0)
        origin = np.where(looked_up, low_end, 0.0)
        scale = np.divide(
            _N_CELLS - 1, width, out=np.zeros(len(width)), where=looked_up
        )
        is_inner = np.ones(len(points), dtype=bool)
        is_inner[starts[:-1]] = is_inner[starts[1:] - 1] = False
        column = np.repeat(np.arange(len(width)), n_inner)
        inner, column = points[is_inner], column
        known = looked_up[column]
        inner, column = inner[known], column[known]
        cells = np.minimum((inner - origin[column]) * scale[column], _N_CELLS - 1)
        counts = np.bincount(
            column * _N_CELLS + cells.astype(np.int64), minlength=_N_CELLS * len(width)
        ).reshape(-1, _N_CELLS)
        low = starts[:-1, None] + np.cumsum(counts, axis=1) - counts
        most = counts.max(axis=1)
        most[~has_cells | (most > _MOST_IN_CELL)] = -1
        return cls(origin, scale, low, most, upper)


class Slices(NamedTuple):
    """Layers of splines, packed for one kernel.

    Parameters
    ----------
    axes : ndarray of shape (n_columns, n_features)
        Directions of one layer after the other.
    frames : ndarray of shape (n_features, n_columns)
        Its transpose.
    columns : ndarray of int of shape (n_layers + 1,)
        Where those of each layer begin.
    turns : ndarray of bool of shape (n_layers,)
        Whether it turns what is bent; see `Layer`.
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
    turns: NDArray
    knots: NDArray
    values: NDArray
    slopes: NDArray
    starts: NDArray
    intervals: NDArray
    lookup: Lookup
    lookup_back: Lookup

    @classmethod
    def of(cls, *layers: Layer) -> "Slices":
        """Return layers one after the other, of splines that `can_pack` lets pass.

        Raises
        ------
        ValueError
            If a spline has another number of columns than there are directions.
        """
        # Compiled loops look at nothing else.
        d = len(layers[0].directions)
        for layer in layers:
            n_directions = len(layer.spline.starts) - 1
            if layer.directions.shape != (d, n_directions) or (
                layer.turns and n_directions != d
            ):
                raise ValueError(
                    f"A spline of {n_directions} columns does not fit directions of "
                    f"the shape {layer.directions.shape} in {d} columns."
                )
        splines = [layer.spline for layer in layers]
        knots = np.concatenate([spline.knots for spline in splines])
        values = np.concatenate([spline.values for spline in splines])
        slopes = np.concatenate([spline.slopes for spline in splines])
        sizes = [spline.starts[1:] - spline.starts[:-1] for spline in splines]
        starts = np.cumsum([0, *np.concatenate(sizes)])
        intervals = np.ones((len(knots), 8))
        intervals[:, 0], intervals[:, 2], intervals[:, 3] = knots, values, slopes
        intervals[:-1, 1], intervals[:-1, 4] = knots[1:], slopes[1:]
        with np.errstate(divide="ignore", over="ignore"):
            intervals[:-1, 5] = np.diff(knots)
            intervals[:-1, 6] = 1.0 / intervals[:-1, 5]
        axes = np.concatenate([layer.directions.T for layer in layers])
        axes = np.ascontiguousarray(axes, dtype=np.float64)
        return cls(
            axes=axes,
            frames=np.ascontiguousarray(axes.T),
            columns=np.cumsum([0, *map(len, sizes)]),
            turns=np.array([layer.turns for layer in layers]),
            knots=knots,
            values=values,
            slopes=slopes,
            starts=starts,
            intervals=intervals,
            lookup=Lookup.of(knots, starts),
            lookup_back=Lookup.of(values, starts),
        )

    def forward(self, X: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows; see `Map.forward`."""
        return self._pass(X, False, self.lookup)

    def inverse(self, Z: NDArray, context: NDArray | None = None) -> Mapped:
        """Map rows back; see `Map.inverse`."""
        return self._pass(Z, True, self.lookup_back)

    def _pass(self, V: NDArray, inverse: bool, lookup: Lookup) -> Mapped:
        check_width(V, len(self.frames), "The spline along directions")
        W, log_det = np.empty(V.shape), np.zeros(len(V))
        pass_layers(np.ascontiguousarray(V), inverse, *self[:9], *lookup, W, log_det)
        return W, log_det
