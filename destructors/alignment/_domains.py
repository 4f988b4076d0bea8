"""Rows of several domains, and the shares of these in the barycenter."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from reprlib import repr as shorten
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from destructors._stiefel import retract
from destructors.alignment._apart import PartApart, RowsApart
from destructors.alignment._queries import stays
from destructors.alignment._summaries import (
    FEWEST_TO_HOLD_OUT,
    N_CHECKED,
    axes_apart,
    divergence_apart,
    find_loss,
    lost_in,
    scale_apart,
    split_apart,
    spread_of,
    sum_squares,
    unit_of,
)
from destructors.maps import Map
from destructors.maps._checks import show
from destructors.metrics import energy_coefficient
from destructors.rows import Fold, Rows, make_splits
from destructors.rows._digits import each_once
from destructors.rows._moments import (
    power_of_two,
    robust_mean_and_scale,
    sum_values,
)

SHARES = {"uniform", "proportional", "target"}
# Standard deviations from zero beyond which a column loses digits that others keep, and
# the digits of its mean that a sum over rows keeps.
_FAR, _DIGITS = 2.0**10, 2.0**-44
_SMALLEST = np.finfo(float).smallest_subnormal
# Rows so many times as far out as a column ranges have to come back, up to 1e307; of
# less than 1e290 none are stretched out of float64.
_REACH, _FARTHEST, _LARGE = 1e6, 1e307, 1e290
_LARGEST = np.finfo(float).max


def find_domains(rows: Rows, labels: Any, fewest: int, who: str) -> NDArray:
    """Return the labels there are, in order, each of at least so many rows, or of so
    much weight: a row of weight two is two rows.
    """
    domains, codes = np.unique(labels, return_inverse=True)
    sizes = np.bincount(codes)
    if rows.weight is not None:
        sizes = np.maximum(sizes, np.bincount(codes, rows.weight))
    return check_sizes(domains, sizes, fewest, who)


def check_sizes(domains: NDArray, sizes: NDArray, fewest: int, who: str) -> NDArray:
    """Return labels, of which there are so many rows each; see `find_domains`."""
    if len(domains) < 2 or sizes.min() < fewest:
        counts = zip(sizes.tolist(), domains.tolist(), strict=True)
        raise ValueError(
            f"{who} needs at least 2 domains, each of at least {fewest} row(s) of "
            "weight above zero, or of that weight, but sample_domain has "
            f"{show(f'{label!r} ({n:.4g})' for n, label in sorted(counts))}: drop "
            "small domains, or join them with others."
        )
    # Strings, say: a file holds no objects.
    return np.array(domains.tolist()) if domains.dtype.kind == "O" else domains


def resolve_domain_weights(
    domain_weights: Any, domains: NDArray, totals: NDArray
) -> NDArray:
    """Return the share of each domain in the barycenter; the sum is 1."""
    known, shares = domains.tolist(), domain_weights
    if isinstance(domain_weights, str):
        ones = np.ones(len(known))
        negative = domains < 0 if domains.dtype.kind in "if" else 0.0 * ones
        named = {"uniform": ones, "proportional": totals, "target": negative}
        shares = named[domain_weights]
    elif isinstance(domain_weights, Mapping):
        if unknown := [label for label in domain_weights if label not in known]:
            raise ValueError(
                f"domain_weights names the unknown domain(s) {shorten(unknown)}; there "
                f"are {shorten(known)}."
            )
        shares = [domain_weights.get(label, 0.0) for label in known]
    shares = np.asarray(shares, dtype=np.float64)
    if shares.shape != domains.shape:
        raise ValueError(
            f"domain_weights must have one weight for each of the {len(known)} "
            f"domains, got an array of shape {shares.shape}."
        )
    total = shares.sum()
    if not (np.isfinite(shares).all() and (shares >= 0).all() and total > 0):
        raise ValueError(
            "domain_weights must be finite and not negative, with one above zero; the "
            f"domains {shorten(known)} have {shorten(shares.tolist())}. ("
            '"target" needs a domain whose label is a negative number.)'
        )
    # Shares that a flow hands to its layers stay what they are to the last bit.
    return shares if abs(total - 1.0) < 1e-12 else shares / total


# ---------------------------------------------------------------------- rows


def by_domain(rows: Rows) -> list[Rows]:
    """Return the rows of each domain, whose number is their context."""
    if isinstance(rows, RowsApart):
        return list(rows.parts_apart)
    return [rows.take(_as_run(members)) for members in _members(rows)]


def weigh_domains(rows: Rows, n_domains: int | None = None) -> NDArray:
    """Return the total weight of each domain, of as many as there are by default."""
    if isinstance(rows, RowsApart):
        return np.array([part.total for part in rows.parts_apart])
    if n_domains is None:
        n_domains = max(rows.sum(_last_of_block)) + 1
    return rows.sum(_weigh, n_domains)


def _last_of_block(block: Rows) -> list[int]:
    return [int(np.asarray(block.context).max(initial=0))]


def _weigh(block: Rows, n_domains: int) -> NDArray:
    return np.bincount(np.asarray(block.context), block.weights, n_domains)


def in_order(rows: Rows) -> Rows:
    """Return the rows of each domain in order of content: the first of them are as good
    as any to compare domains by.
    """
    if isinstance(rows, RowsApart):
        return rows
    return rows.take(np.lexsort((rows.hashes(0), np.asarray(rows.context))))


def _as_run(members: NDArray) -> NDArray | slice:
    """Return row numbers as a slice where they follow one another: nothing is copied
    then.
    """
    if len(members) and members[-1] - members[0] == len(members) - 1:
        return slice(members[0], members[-1] + 1)
    return members


def _members(rows: Rows) -> list[NDArray]:
    domain: Any = rows.context
    return [np.flatnonzero(domain == k) for k in range(domain.max() + 1)]


def divergence(rows: Rows, most: int | None = None) -> float:
    """Return the `destructors.metrics.energy_coefficient` among domains.

    Parameters
    ----------
    rows : Rows
        With the number of the domain as context.
    most : int or None
        About so many rows are compared, the first of each domain. Domains that stay
        apart are compared by means of all their rows between quantile levels.
    """
    if isinstance(rows, RowsApart):
        return divergence_apart(rows.parts_apart)
    members = _members(rows)
    end = None if most is None else most // len(members)
    parts = [rows.take(own[:end]) for own in members if len(own)]
    return energy_coefficient(
        [part.values for part in parts], [part.weight for part in parts]
    )


def pool(parts: list[Rows]) -> tuple[NDArray, NDArray]:
    """Return all rows together, and weights by which each domain counts as much."""
    weight = np.concatenate([part.weights / part.total for part in parts]) / len(parts)
    return np.vstack([part.values for part in parts]), weight


def split_domains(
    rows: Rows, cv: int | None, validation_fraction: float, seed: int
) -> list[Fold]:
    """Return folds that divide each domain alike, by content.

    Of a domain with very few different rows all are on both sides.

    Parameters
    ----------
    rows : Rows
        With the number of the domain as context.
    cv : int or None
        Number of folds; None holds out one part.
    validation_fraction : float
        Share of the total weight of each domain to hold out, for one part.
    seed : int
        Seed of the split.
    """
    if isinstance(rows, RowsApart):
        if cv is not None:
            raise ValueError(
                "Rows of domains that stay apart are held out once: cv must be None."
            )
        return [split_apart(rows, validation_fraction, seed)]
    n_folds = cv or 1
    # Which rows are in the training and in the held-out part of each.
    sides = np.ones((n_folds, 2, len(rows)), bool)
    for members in _members(rows):
        part = rows.take(members)
        if len(each_once(part)) >= max(FEWEST_TO_HOLD_OUT, n_folds):
            splits = make_splits(part, cv, validation_fraction, seed)
            for (train, held_out), (ours, theirs) in zip(sides, splits, strict=True):
                train[members[theirs]] = held_out[members[ours]] = False
    return [Fold(rows.take(train), rows.take(held_out)) for train, held_out in sides]


def in_one_unit(parts: list[Rows]) -> tuple[list[Rows], float]:
    """Return the rows in a unit in which squares are held, the same for all columns.

    It is a power of two: no digit changes.
    """
    unit = max(part.ask(unit_of) for part in parts)
    return [part.after(partial(divided, unit)) for part in parts], unit


def about_one_origin(parts: list[Rows]) -> tuple[list[Rows], NDArray | None]:
    """Return the rows as differences from a point that all domains share.

    Only columns that lie far from zero, beside their spread, are moved: of these
    differences are exact, and what is turned with them keeps its digits.

    Returns
    -------
    parts : list of Rows
    origin : ndarray of shape (n_features,) or None
        None where no column is moved.
    """
    means = [part.sum(sum_values) / part.total for part in parts]
    middle = np.mean(means, axis=0)
    squares = [part.sum(sum_squares, middle) / part.total for part in parts]
    size, spread = np.abs(middle), np.sqrt(np.mean(squares, axis=0))
    is_far = size > _FAR * spread
    if not is_far.any():
        return parts, None
    # To a place where no rounding of a mean is seen.
    grid = np.where(spread > 0.0, power_of_two(spread), 0.0)
    grid = np.maximum(grid, np.maximum(_DIGITS * power_of_two(size), _SMALLEST))
    origin = np.where(is_far, np.round(middle / grid) * grid, 0.0)
    return [part.after(partial(moved, origin)) for part in parts], origin


@stays
def moved(origin: NDArray, rows: Rows) -> Rows:
    """Return rows as differences from a point."""
    return replace(rows, values=rows.values - origin)


@stays
def divided(unit: float | NDArray, rows: Rows) -> Rows:
    """Return rows in a unit."""
    return replace(rows, values=rows.values / unit)


def check_digits(rows: Rows, map_: Map) -> None:
    """Raise unless most rows of each domain come back from a map.

    Parameters
    ----------
    rows : Rows
        With the number of the domain as context.
    map_ : Map

    Raises
    ------
    ValueError
        If a column loses its digits beside large numbers: those of other columns, with
        which it is mixed, or outliers, by which its domain is moved. It is named.
    """
    if isinstance(rows, RowsApart):
        lost, sizes = find_loss(rows, map_)
        if lost.any():
            raise loss_of_digits(rows, lost, sizes)
        return
    parts = [
        part.take(slice(None, None, -(-len(part) // N_CHECKED)))
        for part in map(each_once, by_domain(rows))
    ]
    spread = spread_of(parts)
    for part in parts:
        lost = lost_in(part, map_, spread)
        if lost.any():
            raise loss_of_digits(rows, lost, np.abs(rows.values).max(axis=0))


def check_reach(rows: Rows, map_: Map, n_domains: int) -> None:
    """Raise unless rows a million ranges of a column away stay within float64.

    Maps are linear beyond the rows they are fitted to and know no units: each layer may
    stretch what is far out, and past the largest number no row comes back. Rows that
    stay where they are, are not asked.

    Parameters
    ----------
    rows : Rows
        With the number of the domain as context.
    map_ : Map
    n_domains : int
        How many there are.

    Raises
    ------
    ValueError
        If they do not; the largest column is named.
    """
    if isinstance(rows, RowsApart):
        return
    # Halved, the largest numbers have a range.
    low, high = 0.5 * np.array(rows.extremes)
    reach = np.minimum(high - low, _FARTHEST / _REACH) * _REACH
    if reach.max() <= _LARGE:
        return
    aside = np.vstack([np.diag(reach), -np.diag(reach)])
    far = np.clip(0.5 * low + 0.5 * high + 0.5 * aside, -_FARTHEST / 2, _FARTHEST / 2)
    far *= 2.0
    for domain in range(n_domains):
        Z, _ = map_.forward(far, np.full(len(far), domain))
        if (np.abs(Z) >= _LARGEST).any():
            j = int(reach.argmax())
            raise ValueError(
                f"Column {rows.name(j)} ranges from {2.0 * low[j]:.3g} to "
                f"{2.0 * high[j]:.3g}: rows a million times as far out are beyond the "
                "largest float64 on the way to the shared space. Divide the columns by "
                "a constant before."
            )


def scale_of(rows: Rows) -> NDArray:
    """Return the spread of each column."""
    if isinstance(rows, RowsApart):
        return scale_apart(rows)
    return robust_mean_and_scale(rows)[1]


def loss_of_digits(rows: Rows, lost: NDArray, sizes: NDArray) -> ValueError:
    """Return the error that a column loses its digits beside the largest.

    Parameters
    ----------
    rows : Rows
        Which know the names of the columns.
    lost : ndarray of bool of shape (n_features,)
        Columns that do.
    sizes : ndarray of shape (n_features,)
        How large numbers are in each.
    """
    small = rows.name(int(np.flatnonzero(lost)[0]))
    large = rows.name(int(sizes.argmax()))
    return ValueError(
        f"Column {small} loses its digits on the way to the barycenter, beside numbers "
        f"as large as {sizes.max():.3g} in column {large}. Standardize the columns, "
        "and drop or clip outliers, before."
    )


# ---------------------------------------------------------------------- directions


def principal_basis(
    parts: list[Rows], n_components: int, random_state: np.random.RandomState
) -> NDArray | None:
    """Return the leading principal axes of all domains together.

    Parameters
    ----------
    parts : list of Rows
        The rows of each domain.
    n_components : int
        Number of axes.
    random_state : RandomState
        Source of the random start.

    Returns
    -------
    basis : ndarray of shape (n_features, n_components) or None
        None where the axes would span the whole space.
    """
    n_features = parts[0].n_features
    if n_components >= n_features:
        return None
    if isinstance(parts[0], PartApart):
        return axes_apart(parts, n_components, random_state)
    centre = sum(part.weights @ part.values / part.total for part in parts) / len(parts)
    ends = [end for part in parts for end in part.extremes]
    # The axes only say where to look: the digits of float32 will do for that, in a unit
    # in which squares are held, and are half the work.
    unit = power_of_two(max(np.abs(end - centre).max() for end in ends))
    X = np.empty((sum(map(len, parts)), n_features), np.float32)
    start = 0
    for part in parts:
        values = part.values - centre
        values *= (np.sqrt(part.weights / part.total) / unit)[:, None]
        X[start : start + len(part)] = values
        start += len(part)
    _, _, axes = randomized_svd(
        X,
        min(n_components, len(X)),
        n_iter=1,
        transpose=False,
        random_state=random_state,
    )
    # Orthonormal to all digits of float64.
    return retract(axes.T.astype(np.float64))
