"""What is asked of domains that stay apart, in place of what all rows together tell."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors._stiefel import retract
from destructors.alignment._apart import PartApart, RowsApart, of_domain
from destructors.alignment._holder import FEWEST_IN_GROUP
from destructors.alignment._levels import group_means
from destructors.alignment._queries import may_leave, selects
from destructors.maps import Map
from destructors.rows import Fold, Rows, make_splits
from destructors.rows._digits import each_once
from destructors.rows._moments import power_of_two, sum_values, weigh

# Domains of fewer different rows are not divided.
FEWEST_TO_HOLD_OUT = 10
# So many rows of each domain are looked at: but for this share of them they have to
# come back from a map, up to this share of the spread of a column.
N_CHECKED, MOST_LOST, LOSS = 200, 0.1, 1e-5
# Directions and quantile levels by which domains are compared, and their seed: the same
# for all, so that they need not travel.
_N_DIRECTIONS, _N_LEVELS, _SEED = 16, 32, 0
# Values between two levels, in place of each.
_N_BETWEEN = 8
# Means travel in this precision.
_FLOAT32 = float(np.finfo(np.float32).max)
_LARGEST = np.finfo(float).max / 4.0
# Exponent of `destructors.metrics.energy_coefficient`.
_EXPONENT = 0.25
# Axes beyond those asked for, in the search for principal axes.
_N_MORE = 10

may_leave(sum_values)
may_leave(group_means)


# ---------------------------------------------------------------------- groups


def most_levels(parts: list[Rows], n_levels: int) -> int:
    """Return how many quantile levels leave enough rows between them."""
    fewest = min(part.total for part in parts)
    return int(np.clip(fewest // FEWEST_IN_GROUP, 2, n_levels))


@may_leave
def unit_of(rows: Rows) -> float:
    """Return a power of two, more than half of the largest number."""
    return float(power_of_two(np.abs(rows.values).max()))


# ---------------------------------------------------------------------- hold-outs


def split_apart(rows: RowsApart, validation_fraction: float, seed: int) -> Fold:
    """Return the rows of each domain in two parts, which it makes by content."""
    train, held_out = (
        rows.after(partial(one_side, side, validation_fraction, seed))
        for side in (True, False)
    )
    return Fold(train, held_out)


@selects
def one_side(is_train: bool, fraction: float, seed: int, rows: Rows) -> Rows:
    """Return the training rows, or those that are held out of them."""
    if len(each_once(rows)) < FEWEST_TO_HOLD_OUT:
        return rows
    [(train, held_out)] = make_splits(rows, None, fraction, seed)
    return rows.take(train if is_train else held_out)


# ---------------------------------------------------------------------- divergence


def divergence_apart(parts: list[PartApart]) -> float:
    r"""Return the `destructors.metrics.energy_coefficient` among domains, by slices.

    The mean of :math:`|w^T x|^\alpha` over directions :math:`w` is a constant times
    :math:`|x|^\alpha`. So the distances between rows, of which the coefficient is made,
    are means of distances along directions, and these are known by quantile levels.
    """
    told = [part.ask(compare_by) for part in parts]
    levels = [_refine(middle[:, None] + means.astype(float)) for middle, means in told]
    distances = np.array(
        [
            [np.mean(np.abs(a[:, :, None] - b[:, None]) ** _EXPONENT) for b in levels]
            for a in levels
        ]
    )
    total = distances.mean()
    return float(1.0 - np.diag(distances).mean() / total) if total > 0.0 else 0.0


def _refine(means: NDArray) -> NDArray:
    """Return values between the means of groups: a distance of zero, from a group to
    itself, would count for much at a small exponent.
    """
    n_levels = means.shape[1]
    ends = 1.5 * means[:, [0, -1]] - 0.5 * means[:, [1, -2]]
    known = np.concatenate([ends[:, :1], means, ends[:, 1:]], axis=1)
    levels = np.r_[0.0, (np.arange(n_levels) + 0.5) / n_levels, 1.0]
    n_fine = _N_BETWEEN * n_levels
    wanted = (np.arange(n_fine) + 0.5) / n_fine
    return np.stack([np.interp(wanted, levels, own) for own in known])


@may_leave
def compare_by(rows: Rows) -> tuple[NDArray, NDArray]:
    """Return means of rows between quantile levels, along directions that all know.

    Returns
    -------
    middle : ndarray of shape (n_directions,)
        Where rows lie.
    means : ndarray of shape (n_directions, n_levels), dtype float32
        As differences from there: an offset would take their digits. Of few rows there
        are fewer levels.
    """
    directions = np.random.RandomState(_SEED).standard_normal(
        (rows.n_features, _N_DIRECTIONS)
    )
    directions /= np.sqrt((directions**2).sum(axis=0))
    along = Rows.of(rows.values @ directions, rows.weight)
    means = group_means(along, most_levels([rows], _N_LEVELS))
    # Distances from there are numbers, too.
    middle = np.clip(0.5 * means[:, 0] + 0.5 * means[:, -1], -_LARGEST, _LARGEST)
    means = np.clip(means - middle[:, None], -_FLOAT32, _FLOAT32)
    return middle, means.astype(np.float32)


# ---------------------------------------------------------------------- digits


def find_loss(rows: RowsApart, map_: Map) -> tuple[NDArray, NDArray]:
    """Return which columns lose their digits in a map, and how large numbers are."""
    found = [
        part.ask(digits_lost, of_domain(map_, number))
        for number, part in enumerate(rows.parts_apart)
    ]
    lost, sizes = zip(*found, strict=True)
    return np.any(lost, axis=0), np.max(sizes, axis=0)


@may_leave
def digits_lost(rows: Rows, map_: Map) -> tuple[NDArray, NDArray]:
    """Return which columns of a domain lose their digits in its map, and how large
    numbers are, to a power of two.
    """
    sizes = power_of_two(np.abs(rows.values).max(axis=0))
    part = each_once(rows)
    part = part.take(slice(None, None, -(-len(part) // N_CHECKED)))
    return lost_in(part, map_, spread_of([part])), sizes


def spread_of(parts: list[Rows]) -> NDArray:
    """Return how far most rows are from the middle one, in each column."""
    ordered = np.sort(np.vstack([part.values for part in parts]), axis=0)
    distance = np.abs(ordered - ordered[len(ordered) // 2])
    return np.sort(distance, axis=0)[-1 - int(MOST_LOST * len(distance))]


def lost_in(part: Rows, map_: Map, spread: NDArray) -> NDArray:
    """Return the columns in which too many rows do not come back from a map."""
    Z, _ = map_.forward(part.values, part.context)
    off = np.abs(map_.inverse(Z, part.context)[0] - part.values)
    lost = np.mean(~(off <= LOSS * spread), axis=0) > MOST_LOST
    return lost & (spread > 0.0)


# ---------------------------------------------------------------------- moments


def scale_apart(rows: RowsApart) -> NDArray:
    """Return the standard deviation of each column, all rows together; 1 if it is 0."""
    parts = rows.parts_apart
    mean = sum(part.sum(sum_values) for part in parts) / rows.total
    squares = sum(part.sum(sum_squares, mean) for part in parts)
    variance = squares / rows.total
    return np.sqrt(np.where(variance > 0.0, variance, 1.0))


@may_leave
def sum_squares(block: Rows, mean: NDArray) -> NDArray:
    """Return sums of squares of differences from a mean."""
    return weigh((block.values - mean) ** 2, block).sum(axis=0)


def axes_apart(
    parts: list[Rows], n_components: int, random_state: np.random.RandomState
) -> NDArray:
    """Return the leading principal axes of all domains together.

    Subspace iteration: what travels is the size of the axes.

    N. Halko, P.-G. Martinsson and J. A. Tropp, *Finding structure with randomness*,
    SIAM Review 53, 2011, algorithm 4.4.
    """
    d = parts[0].n_features
    means: list[Any] = [part.sum(sum_values) / part.total for part in parts]
    centre = sum(means) / len(parts)
    frame = random_state.standard_normal((d, min(d, n_components + _N_MORE)))
    for _ in range(3):
        frame = retract(frame)
        turned = [part.sum(times_moments, centre, frame) / part.total for part in parts]
        frame = sum(turned)
    basis = retract(frame)
    inner = basis.T @ sum(
        part.sum(times_moments, centre, basis) / part.total for part in parts
    )
    _, vectors = np.linalg.eigh(0.5 * (inner + inner.T))
    return basis @ vectors[:, ::-1][:, :n_components]


@may_leave
def times_moments(block: Rows, centre: NDArray, frame: NDArray) -> NDArray:
    """Return the second moments about a centre, times a matrix of few columns."""
    centred = block.values - centre
    return centred.T @ weigh(centred @ frame, block)
