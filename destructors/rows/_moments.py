"""Location and scale of each feature, to full precision in any unit."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from destructors.rows._rows import Rows

Statistic = TypeVar("Statistic", bound=Callable[..., Any])

# Values farther from the mean than so many scales are drawn in to there: of normal ones
# next to none, in a sample of any size.
_WINSOR = 6.0
# Steps towards the scale of such values, and the fall of it that ends them. One row far
# out of a hundred leaves six tenths of the scale in each: what so many steps have not
# found is solved for, by falls that leave rows digits beside the mean.
_MAX_STEPS, _N_PLAIN_STEPS = 100, 20
_NO_FALL, _LARGEST_FALL, _LARGEST_RISE, _ROUNDING = 0.01, 1e-6, 1.001, 1e-12
# A larger share far out is not solved for: marginals, which know a column by its middle
# 98 %, take all others for one value beside it, and a layer before is not to know more.
_MOST_OUTSIDE = 0.01
# In units of the scale no value lies farther out, so that its square is a number.
_FARTHEST = 1e100
_LARGEST, _SMALLEST = np.finfo(float).max, np.finfo(float).smallest_subnormal
# More rows than this are not repeated.
_MOST_REPEATS = 1e8
# A smaller range is none: a scale needs a reciprocal.
_SMALLEST_RANGE = 1e-301


def mean_and_scale(rows: Rows) -> tuple[NDArray, NDArray, NDArray]:
    """Return mean and standard deviation of each feature.

    Parameters
    ----------
    rows : Rows

    Returns
    -------
    mean : ndarray of shape (n_features,)
    scale : ndarray of shape (n_features,)
        Positive; `unit_of_constant` for a feature that is constant.
    constant : ndarray of bool of shape (n_features,)
        Whether a feature is constant up to rounding.
    """
    smallest, largest = rows.extremes
    middle, reach = 0.5 * smallest + 0.5 * largest, 0.5 * largest - 0.5 * smallest
    # Scaled to [-1, 1], tiny and huge numbers are added and squared like any others.
    reach[reach == 0] = 1.0
    total = rows.total
    offset = rows.sum(_sum_about, middle, reach) / total
    sd = np.sqrt(rows.sum(_squares_about, middle, reach, offset) / total)
    mean = middle + reach * offset
    # A column that varies by the last bits only is constant.
    eps = np.finfo(float).eps
    rounding = np.maximum(10 * eps * np.abs(mean), _SMALLEST_RANGE)
    with np.errstate(over="ignore"):
        constant = (largest - smallest <= rounding) | (sd == 0)
    # Rows of next to no weight leave a scale that the digits of the mean do not reach.
    digits = eps * np.maximum(np.abs(smallest), np.abs(largest))
    unit = unit_of_constant(mean, rows.unit)
    scale = np.where(constant, unit, np.maximum(reach * sd, digits))
    return mean, scale, constant


def unit_of_constant(value: ArrayLike, unit: ArrayLike | None = None) -> NDArray:
    """Return the scale of a feature that is constant: its unit, 1 if that is not known,
    or the last place of its value if that is more, since a density may not ask for more
    digits than there are.
    """
    # Of the half: above the largest number there is no next one.
    last_place = 2.0 * np.spacing(0.5 * np.abs(value))
    return np.maximum(1.0 if unit is None else unit, last_place)


def reach_of_constant(value: ArrayLike, unit: ArrayLike | None = None) -> NDArray:
    """Return a distance from the value of a constant feature that float64 can tell: its
    unit, if that is known.
    """
    if unit is not None:
        return unit_of_constant(value, unit)
    return np.maximum(1.0, 1e-6 * np.abs(value))


# A difference that is out of the range of float64 is far out, and drawn in like others.
@np.errstate(over="ignore")
def robust_mean_and_scale(rows: Rows) -> tuple[NDArray, NDArray, NDArray]:
    """Return mean and standard deviation of each feature, but for values far out.

    They are those of the feature with its values drawn in to at most six such standard
    deviations from the mean (Huber's proposal 2, without the constant that makes it
    consistent). Where no value is farther out, they are plain mean and standard
    deviation; a few that are, however far, hardly move them.

    Parameters
    ----------
    rows : Rows

    Returns
    -------
    mean : ndarray of shape (n_features,)
    scale : ndarray of shape (n_features,)
        Positive; `unit_of_constant` for a feature that is constant.
    constant : ndarray of bool of shape (n_features,)
        Whether a feature is constant up to rounding.

    References
    ----------
    P. J. Huber, *Robust estimation of a location parameter*, Annals of Mathematical
    Statistics 35, 1964.
    """
    mean, scale, constant = mean_and_scale(rows)
    smallest, largest = rows.extremes
    reach = np.minimum(np.maximum(largest - mean, mean - smallest), _LARGEST)
    todo = np.flatnonzero(~constant & (reach > _WINSOR * scale))
    for step in range(_MAX_STEPS):
        if not len(todo):
            break
        part, m, s = rows.columns(todo), mean[todo], scale[todo]
        lows, highs = part.sum(_ends_inside, m, s)
        low, high = np.min(lows, axis=0), np.max(highs, axis=0)
        first, second = (total / rows.total for total in part.sum(_winsorised, m, s))
        spread = np.sqrt(np.maximum(second - first**2, 0.0))
        solves = np.zeros(len(s), bool)
        if step >= _N_PLAIN_STEPS:
            first, spread, solves = _solve(part, m, s, first, spread)
        new = np.maximum(s * spread, reach[todo] / _FARTHEST + _SMALLEST)
        # To the end, up again where digits were lost on the way: it is no matter then.
        falls = np.where(solves, abs(new - s) > _ROUNDING * s, new < (1 - _NO_FALL) * s)
        # Where the rest is constant, those far out are all that there is to measure.
        falls &= low < high
        moved = np.clip(m + s * first, smallest[todo], largest[todo])
        todo = todo[falls]
        mean[todo], scale[todo] = moved[falls], new[falls]
    return mean, scale, constant


@np.errstate(over="ignore")
def _ends_inside(
    rows: Rows, mean: NDArray, scale: NDArray
) -> tuple[list[NDArray], list[NDArray]]:
    """Return smallest and largest values that are not drawn in, of each block."""
    inside = np.abs(rows.values - mean) <= _WINSOR * scale
    low = np.min(rows.values, axis=0, where=inside, initial=np.inf)
    high = np.max(rows.values, axis=0, where=inside, initial=-np.inf)
    return [low], [high]


@np.errstate(over="ignore")
def _winsorised(rows: Rows, mean: NDArray, scale: NDArray) -> tuple[NDArray, NDArray]:
    """Return the sums of standard values that are drawn in, and of their squares."""
    values = np.clip((rows.values - mean) / scale, -_WINSOR, _WINSOR)
    return _sums(values, rows), _sums(values**2, rows)


def _solve(
    rows: Rows, mean: NDArray, scale: NDArray, shift: NDArray, spread: NDArray
) -> tuple[NDArray, NDArray, NDArray]:
    """Return the mean and the scale that are those of the values drawn in by them, if
    the same values are drawn in as now.

    That is Newton's step. It ends at or above the solution, since the mean square of
    values drawn in is concave in the square of the scale.

    Parameters
    ----------
    rows : Rows
    mean, scale : ndarray of shape (n_features,)
        Now.
    shift, spread : ndarray of shape (n_features,)
        Mean and scale of the values drawn in as now, as what is returned; they are
        where nothing solves.

    Returns
    -------
    shift, spread : ndarray of shape (n_features,)
        The mean as difference from that now, the scale in units of that now.
    solves : ndarray of bool of shape (n_features,)
        Where they are not those that were given.
    """
    sums = rows.sum(_sums_inside, mean, scale)
    first, second, inside, above, below = (total / rows.total for total in sums)
    share = np.where(inside > 0.0, inside, 1.0)
    first, second = first / share, second / share
    # The mean moves by so much, in units of the scale that is looked for.
    lean = _WINSOR * (above - below) / share
    rest = 1.0 - _WINSOR**2 * (above + below) - share * lean**2
    square = share * np.maximum(second - first**2, 0.0)
    solves = (rest > 0.0) & (above + below <= _MOST_OUTSIDE)
    solved = np.sqrt(np.divide(square, rest, out=spread**2, where=solves))
    solved = np.where(solves, np.clip(solved, _LARGEST_FALL, _LARGEST_RISE), solved)
    return np.where(solves, first + lean * solved, shift), solved, solves


@np.errstate(over="ignore")
def _sums_inside(rows: Rows, mean: NDArray, scale: NDArray) -> tuple[NDArray, ...]:
    """Return the sums of standard values that are not drawn in, of their squares, and
    of weights: theirs, and of values drawn in from above and from below.
    """
    values = (rows.values - mean) / scale
    above, below = values > _WINSOR, values < -_WINSOR
    inside = ~(above | below)
    values = np.where(inside, values, 0.0)
    parts = values, values**2, inside, above, below
    return tuple(_sums(part.astype(float), rows) for part in parts)


def power_of_two(largest: ArrayLike) -> NDArray:
    """Return the largest power of two that is not above each of some numbers.

    Beside it no digit changes, and squares stay inside float64.

    Parameters
    ----------
    largest : array-like
        Non-negative; of zero it is a half.
    """
    return np.ldexp(1.0, np.frexp(largest)[1] - 1)


def weigh(values: NDArray, rows: Rows) -> NDArray:
    """Return values times the weights of their rows."""
    return values if rows.weight is None else values * rows.weight[:, None]


def _sums(values: NDArray, rows: Rows) -> NDArray:
    """Return the weighted sum of each column."""
    # In the order in which NumPy's sum adds up, but in a quarter of the time.
    return np.einsum("ij->j", weigh(values, rows))


def quadratic(statistic: Statistic) -> Statistic:
    """Declare a statistic that is a polynomial of degree two in each row.

    Its sum follows from the moments of the rows, whatever else they are.
    """
    statistic.is_quadratic = True  # type: ignore[attr-defined]
    return statistic


def is_quadratic(statistic: Callable[..., Any]) -> bool:
    """Return whether a statistic is declared to be quadratic in each row."""
    return getattr(statistic, "is_quadratic", False)


@quadratic
def sum_values(rows: Rows) -> NDArray:
    """Return the weighted sum of each feature."""
    return _sums(rows.values, rows)


@quadratic
def _sum_about(rows: Rows, middle: NDArray, reach: NDArray) -> NDArray:
    return _sums((rows.values - middle) / reach, rows)


@quadratic
def _squares_about(
    rows: Rows, middle: NDArray, reach: NDArray, offset: NDArray
) -> NDArray:
    scaled = rows.values - middle
    scaled /= reach
    scaled -= offset
    scaled *= scaled
    return _sums(scaled, rows)


def repeat_rows(rows: Rows, what: str) -> NDArray:
    """Return the values as often as their weights say, for estimators without weights.

    Parameters
    ----------
    rows : Rows
    what : str
        Name of the estimator that takes none.

    Returns
    -------
    X : ndarray of shape (sum of the weights, n_features)

    Raises
    ------
    ValueError
        If a weight is no integer, or they stand for too many rows.
    """
    if rows.weight is None:
        return rows.values
    if rows.total > _MOST_REPEATS:
        raise ValueError(
            f"{what} takes no sample_weight, and {rows.total:.3g} repeated rows are "
            "too many: divide sample_weight by a common factor."
        )
    counts = rows.weight.astype(np.int64)
    if (counts != rows.weight).any():
        raise ValueError(
            f"{what} takes no sample_weight, so only integer weights can be used, as "
            "repeated rows."
        )
    return np.repeat(rows.values, counts, axis=0)
