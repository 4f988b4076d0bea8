"""Rows of a stream: gone, and known by the moments and quantiles that are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from destructors.rows._moments import is_quadratic, power_of_two, weigh
from destructors.rows._points import merge_points, reduce_points
from destructors.rows._rows import Rows

# Groups that a column is reduced to: twice as many as marginals look at.
_N_POINTS = 1024
# A part of the past of which so small a share is left is forgotten altogether.
_FORGOTTEN = 1e-4


@dataclass(frozen=True, eq=False)
class RunningMoments:
    """Sums of values and of their products, that rows are added to and that fade.

    Parameters
    ----------
    total : float
        Sum of the weights.
    unit : ndarray of shape (n_features,)
        Powers of two, more than half of any value: the moments are in these units, in
        which squares of huge and tiny numbers are numbers.
    mean : ndarray of shape (n_features,)
        Means.
    products : ndarray of shape (n_features, n_features)
        Weighted sums of products of differences from the means.

    References
    ----------
    T. F. Chan, G. H. Golub and R. J. LeVeque, *Updating formulae and a pairwise
    algorithm for computing sample variances*, COMPSTAT 1982.
    """

    total: float
    unit: NDArray
    mean: NDArray
    products: NDArray

    @classmethod
    def of(cls, rows: Rows, unit: NDArray | None = None) -> "RunningMoments":
        """Return the moments of rows, in units that are no smaller than given ones."""
        smallest, largest = rows.extremes
        own = power_of_two(np.maximum(-smallest, largest))
        unit, total = own if unit is None else np.maximum(own, unit), rows.total
        values = rows.values / unit
        mean = weigh(values, rows).sum(axis=0) / total
        values -= mean
        return cls(total, unit, mean, weigh(values, rows).T @ values)

    def plus(self, rows: Rows) -> "RunningMoments":
        """Return the moments with those of further rows."""
        more = RunningMoments.of(rows, self.unit)
        ratio = self.unit / more.unit
        mean, products = ratio * self.mean, ratio[:, None] * ratio * self.products
        total = self.total + more.total
        share, off = more.total / total, more.mean - mean
        between = (self.total * share) * np.outer(off, off)
        products = products + more.products + between
        return RunningMoments(total, more.unit, mean + share * off, products)

    def faded(self, factor: float) -> "RunningMoments":
        """Return the moments with all weights times a factor."""
        return replace(self, total=factor * self.total, products=factor * self.products)

    def sigma_points(self) -> Rows:
        """Return ``2 n_features`` rows that have these moments.

        Their sum of any polynomial of degree two is that of the rows that were added.

        References
        ----------
        S. J. Julier and J. K. Uhlmann, *New extension of the Kalman filter to nonlinear
        systems*, SPIE AeroSense, 1997.
        """
        d = len(self.mean)
        sd = np.sqrt(np.diag(self.products) / self.total)
        reciprocal = np.divide(1.0, sd, where=sd > 0, out=np.zeros(d))
        correlation = reciprocal[:, None] * reciprocal * self.products / self.total
        np.fill_diagonal(correlation, 1.0)
        values, vectors = eigh(correlation)
        off = sd * (vectors * np.sqrt(d * np.maximum(values, 0.0))).T
        rows = self.unit * np.concatenate([self.mean + off, self.mean - off])
        return Rows.of(rows, np.full(2 * d, self.total / (2 * d)))


@dataclass(frozen=True, eq=False)
class RunningPoints:
    """Quantile points of a column, that values are added to and that fade.

    Parts of about as many values are merged: each value is in as many merges as the
    logarithm of the number of all, and so are the parts and the errors.

    Parameters
    ----------
    parts : tuple of (values, weights, size) tuples
        Sorted values, their weights, and how many values they stand for; the oldest
        first.
    """

    parts: tuple[tuple[NDArray, NDArray, int], ...] = ()

    def plus(self, column: NDArray, weight: NDArray | None) -> "RunningPoints":
        """Return the points with those of further values."""
        order = np.argsort(column, kind="stable")
        weights = np.ones(len(column)) if weight is None else weight[order]
        points = reduce_points(column[order], weights, _N_POINTS)
        parts = [*self.parts, (*points, len(column))]
        while len(parts) > 1 and 2 * parts[-1][2] > parts[-2][2]:
            (x, w, n), (more_x, more_w, more) = parts[-2:]
            merged = merge_points(((x, w), (more_x, more_w)))
            parts[-2:] = [(*reduce_points(*merged, _N_POINTS), n + more)]
        return RunningPoints(tuple(parts))

    def faded(self, factor: float) -> "RunningPoints":
        """Return the points with all weights times a factor."""
        parts = [(x, factor * weight, n) for x, weight, n in self.parts]
        masses = [weight.sum() for _, weight, _ in parts]
        least = _FORGOTTEN * sum(masses)
        kept = [p for p, mass in zip(parts, masses, strict=True) if mass > least]
        return RunningPoints(tuple(kept))

    def merged(self) -> tuple[NDArray, NDArray]:
        """Return all points: sorted values, and their weights."""
        return merge_points(tuple((x, weight) for x, weight, _ in self.parts))


@dataclass(frozen=True, eq=False)
class RunningStatistics:
    """What is kept of the rows of a stream.

    Parameters
    ----------
    moments : RunningMoments
        Those of all columns together.
    points : tuple of RunningPoints
        Those of each column.
    """

    moments: RunningMoments
    points: tuple[RunningPoints, ...]

    @classmethod
    def of(cls, rows: Rows) -> "RunningStatistics":
        """Return the statistics of rows."""
        points = (RunningPoints(),) * rows.n_features
        return cls(RunningMoments.of(rows), _add_columns(points, rows))

    def plus(self, rows: Rows) -> "RunningStatistics":
        """Return the statistics with those of further rows."""
        return RunningStatistics(
            self.moments.plus(rows), _add_columns(self.points, rows)
        )

    def faded(self, factor: float) -> "RunningStatistics":
        """Return the statistics with all weights times a factor."""
        if factor == 1.0:
            return self
        points = tuple(column.faded(factor) for column in self.points)
        return RunningStatistics(self.moments.faded(factor), points)

    @property
    def total(self) -> float:
        """Number of rows that are remembered, or sum of their weights."""
        return self.moments.total


def _add_columns(
    points: Sequence[RunningPoints], rows: Rows
) -> tuple[RunningPoints, ...]:
    columns = zip(points, rows.values.T, strict=True)
    return tuple(part.plus(column, rows.weight) for part, column in columns)


class StreamRows(Rows):
    """Rows that a learner sees by their running statistics only.

    It is given `column_samples`, `extremes`, and each `sum` of a statistic that is
    quadratic in the rows; all that asks for more of them is an error.

    Parameters
    ----------
    statistics : RunningStatistics
        What is kept of the rows.
    names : ndarray of shape (n_features,) or None
        Names of the columns.
    n_jobs : int or None
        Number of threads of a fit to them.
    """

    def __init__(
        self,
        statistics: RunningStatistics,
        names: NDArray | None = None,
        n_jobs: int | None = None,
    ):
        # Past the fields of the base class, which is frozen.
        self.__dict__.update(statistics=statistics, names=names, n_jobs=n_jobs)

    statistics: RunningStatistics

    def __len__(self) -> int:
        return max(1, round(self.total))

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.statistics.points)

    @property
    def total(self) -> float:
        """Number of rows that are remembered, or sum of their weights."""
        return self.statistics.total

    @cached_property
    def extremes(self) -> tuple[NDArray, NDArray]:
        """Smallest and largest value of each column."""
        ends = [(x[0], x[-1]) for x, _ in self._points]
        smallest, largest = np.transpose(ends)
        return smallest, largest

    @cached_property
    def _points(self) -> list[tuple[NDArray, NDArray]]:
        return [points.merged() for points in self.statistics.points]

    @cached_property
    def _sigma_points(self) -> Rows:
        return self.statistics.moments.sigma_points()

    def column_samples(self) -> list[tuple[NDArray, NDArray | None]]:
        """Return quantile points of each column; see `Rows.column_samples`."""
        return list(self._points)

    def sum(
        self,
        statistic: Callable[..., Any],
        *state: Any,
        each: Sequence[Any] | None = None,
    ) -> Any:
        """Return the sum of a statistic over the rows; see `Rows.sum`.

        Raises
        ------
        TypeError
            If it is not quadratic in the rows, and so unknown.
        """
        if each is not None or not is_quadratic(statistic):
            self._are_gone()
        return statistic(self._sigma_points, *state)

    def through(self, map_: Any) -> NoReturn:
        """Raise TypeError: there are no rows to be mapped."""
        self._are_gone()

    def digest(self) -> NoReturn:
        """Raise TypeError: there are no rows to be hashed."""
        self._are_gone()

    @property
    def values(self) -> NDArray:
        """Raise TypeError: there is no array of all rows."""
        self._are_gone()

    log_det = weight = values

    def _are_gone(self) -> NoReturn:
        raise TypeError(
            "This step of the fit needs the rows themselves, and of a stream only "
            "moments, and quantiles of columns, are kept."
        )
