"""The invariants that fit again: another seed, other units, weights or repeats."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tests.fuzz.attempts import NotAsked, Refused, Violation, attempt
from tests.fuzz.case import Case, are_dependent, centre_and_scale
from tests.fuzz.models import Model, Points
from tests.fuzz.not_owed import (
    COMMON_ORIGIN,
    COMMON_UNITS,
    LEAST_SPREAD,
    NO_HEAVY_WEIGHTS,
    QUANTILES,
    TURNED,
    WHITENED,
    is_too_small,
)
from tests.fuzz.tables import Table, largest_share

__all__ = ["REFITS", "require_equal", "require_share"]

Array = NDArray
_MOST_WEIGHTED = 100
_HEAVY = 1e4


def require_share(off: Array, tolerance: float, what: str) -> None:
    """Raise unless 99 % of the rows are within a tolerance; NaN never is."""
    bad = ~(off <= tolerance)
    if len(off) and bad.mean() > 0.01:
        raise Violation(
            f"{what}: off by more than {tolerance:g} in {bad.sum()} of {len(off)} "
            f"rows, at worst by {np.max(off):.3g}"
        )


def require_equal(now: Array, before: Array, what: str) -> None:
    if not np.array_equal(now, before, equal_nan=np.asarray(now).dtype.kind == "f"):
        raise Violation(f"{what} are not the same bits")


def check_seed(case: Case) -> None:
    """The same seed gives the same bits, for any ``n_jobs``."""
    n_jobs = 2 if case.model.takes_n_jobs else None
    again = _fit_alike(case, case.table, "with the same seed", n_jobs)
    for kind, points in case.kinds.items():
        Z, *_, scores = case.images[kind]
        require_equal(attempt(again.forward, points)[0], Z, f"latents of {kind} again")
        require_equal(attempt(again.score, points), scores, f"scores of {kind} again")


def check_powers_of_two(case: Case) -> None:
    """Columns times powers of two, which round nothing, move scores by their logarithm.

    To 1e-6, relatively above 1 nat, in 99 % of the training rows. Asked where all that
    is not zero stays between 1e-290 and 1e290, and no column is constant, nor can be in
    the rows that a model does not hold out: it has no scale but what a model makes up.
    """
    exponents = np.array([10, -7, 3, 20, -12, 5, 1, -1])
    _check_affine(case, 2.0 ** np.resize(exponents, case.train.X.shape[1]), 0.0)


def check_affine(case: Case) -> None:
    """Columns times positive numbers, and moved, move scores by their logarithm.

    To 1e-6, relatively above 1 nat, in 99 % of the training rows. Asked where rounding
    is small beside what the table resolves: columns have a standard deviation above
    1e-3 of their largest entry, and above a share of that of all columns if the model
    has one scale for them (`is_too_small`), and no two values are closer than 1e-9 of
    it but equal.
    What the last places of the table decide is no matter of units: the moved table is
    rounded in its own, and moved back it is another one in those of before. Ten times
    what scores differ by between these two fits is allowed, at the worst of the rows.
    (Steep layers enlarge a rounding, and hold-outs are drawn by 16 bits of latents.)
    """
    X, d = case.table.X, case.train.X.shape[1]
    scale = np.resize([3.7, 0.013, 91.0, 1.9], d)
    shift = np.resize([1.3, -0.7, 0.2, 2.0], d) * case.scale
    with np.errstate(over="ignore"):
        spread = case.scale / np.abs(X).max(axis=0, initial=1e-300)
    is_lost = is_too_small(case.name, case.scale).any()
    if not (spread > 1e-3).all() or is_lost or has_near_ties(case, 1e-9):
        raise NotAsked("rounding would be seen")
    _check_affine(case, scale, shift)


def has_near_ties(case: Case, share: float) -> bool:
    """Whether two values of a column are closer than this share of its standard
    deviation, but not equal.
    """
    with np.errstate(over="ignore"):
        gaps = np.diff(np.sort(case.table.X, axis=0), axis=0)
    return bool(((gaps > 0) & (gaps < share * case.scale)).any())


def _check_affine(case: Case, scale: Array, shift: Array | float) -> None:
    points, table = case.kinds.get("training rows"), case.table
    if points is None:
        raise NotAsked("no training row lies in the support")
    if case.may_be_constant:
        raise NotAsked("a column is constant, or may be in the rows of a fold")
    if case.name in QUANTILES and largest_share(table) >= 0.5:
        raise NotAsked("half of a column is one number, and so are its quantiles")
    if case.name in TURNED and case.is_dependent:
        raise NotAsked("a turned column is rounding")
    least = (case.scale * np.minimum(scale, 1.0)).min()
    if least < LEAST_SPREAD.get(case.name, 0.0):
        raise NotAsked("in one of the units a column counts as constant")
    heavy = table.weight is not None and table.weight.max() > _HEAVY
    if case.name in NO_HEAVY_WEIGHTS and heavy:
        raise NotAsked("weights are so heavy that columns count as constant")
    if case.name in COMMON_UNITS:
        scale = np.full_like(scale, scale[0])
    if case.name in COMMON_ORIGIN:
        shift = np.broadcast_to(shift, scale.shape)[:1]
    if not _is_grouped(case):
        raise NotAsked("features in no group stay in the units of the data")
    with np.errstate(over="ignore", under="ignore"):
        X = (table.X + shift) * scale
    sizes = np.abs(np.concatenate([table.X[table.X != 0], X[X != 0]]))
    if sizes.max(initial=1.0) > 1e290 or sizes.min(initial=1.0) < 1e-290:
        raise NotAsked("at the limits of float64")
    moved = _fit_alike(case, table._replace(X=X), "in other units")
    points = Points((points.X + shift) * scale, points.domain)
    expected = case.images["training rows"][-1 if case.model.has_density else 1]
    off = _off(moved, points, expected - case.model.has_density * np.log(scale).sum())
    rounded = X / scale - shift
    if (off > 1e-6).mean() > 0.01 and (rounded != table.X).any():
        again = _fit_alike(case, table._replace(X=rounded), "rounded")
        off -= 10.0 * _off(again, case.kinds["training rows"], expected).max()
    require_share(off, 1e-6, "scores in other units")


def _off(model: Model, points: Points, expected: Array) -> Array:
    """Return how far scores, or log-determinants, are off, relatively above 1 nat."""
    way = model.score if model.has_density else _log_det_of(model)
    return np.abs(attempt(way, points) - expected) / np.maximum(np.abs(expected), 1.0)


def _is_grouped(case: Case) -> bool:
    """Whether a layer for groups of features is one for all of them."""
    groups = getattr(case.model.fitted, "groups_", None)
    if groups is None:
        return True
    grouped = {feature for group in groups for feature in np.ravel(group)}
    return len(grouped) == case.train.X.shape[1]


def check_weights(case: Case) -> None:
    """Integer weights equal repeated rows, and zero weights removed ones.

    Scores agree to 1e-5, relatively above 1 nat, in 99 % of the rows. Where the table
    has no integer weights of its own, these are 0 to 3. Asked where columns that vary
    do so by more than a millionth of their largest entry, and than a share of all
    columns if the model has one scale for them (`is_too_small`), and no two values are
    closer than 1e-11 of it but equal: means of weighted and of repeated rows differ by
    rounding of that. Models that whiten turned columns are not asked where columns
    depend on each other: one of those turned is rounding alone.
    """
    table = case.table
    with np.errstate(over="ignore"):
        spread = case.scale / np.abs(table.X).max(axis=0, initial=1e-300)
    varies = np.ptp(table.X / 2, axis=0) > 0
    is_lost = (spread <= 1e-6) | is_too_small(case.name, case.scale)
    if is_lost[varies].any() or has_near_ties(case, 1e-11):
        raise NotAsked("rounding would be seen")
    weight = table.weight
    if weight is None or (weight != np.round(weight)).any() or weight.sum() > 2000:
        weight = 1.0 * np.random.default_rng(3).integers(0, 4, len(table.X))
    if not weight.any():
        raise NotAsked("no row has a weight")
    rows = np.repeat(np.arange(len(table.X)), weight.astype(int))
    different = np.unique(table.X[rows], axis=0)
    n_different = len(different)
    # Of the rows that have a weight here.
    if case.name in WHITENED and are_dependent(different, *centre_and_scale(different)):
        raise NotAsked("a turned column is rounding")
    if case.name in WHITENED and n_different <= 3 * table.X.shape[1]:
        raise NotAsked("a turned column may be rounding, in the rows of a fold")
    try:
        weighted = case.fit(table._replace(weight=weight))
    except Refused:
        weighted = None
    try:
        repeated = case.fit(table._replace(weight=None).take(rows))
    except Refused:
        repeated = None
    if weighted is None or repeated is None:
        if weighted is repeated:
            return
        if len(np.unique(rows)) <= 10:
            raise NotAsked("the least number of rows is one of rows, not of weight")
        which = "weighted" if weighted is None else "repeated"
        raise Violation(f"{which} rows alone are refused")
    some = np.unique(rows)[:_MOST_WEIGHTED]
    points = Points(table.X[some], table.domain[some])
    if case.is_continuous:
        points = case.inside(points.X, points.domain)
    answers = [
        attempt(model.score if model.has_density else _log_det_of(model), points)
        for model in (weighted, repeated)
    ]
    off = np.abs(answers[0] - answers[1]) / np.maximum(np.abs(answers[1]), 1.0)
    require_share(off, 1e-5, "scores by weights and by repeats")


def _log_det_of(model) -> Callable:
    return lambda points: model.forward(points)[1]


def _fit_alike(case: Case, table: Table, how: str, n_jobs: int | None = None):
    try:
        return case.fit(table, n_jobs)
    except Refused as refusal:
        raise Violation(f"{how} the table is refused: {refusal}") from refusal


REFITS: dict[str, Callable[[Case], None]] = {
    "seed": check_seed,
    "powers of two": check_powers_of_two,
    "affine": check_affine,
    "weights": check_weights,
}
