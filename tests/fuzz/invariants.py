"""The invariants, one function each: what holds for every model on every table.

Each raises `Violation` with what is wrong, or `NotAsked` where float64 has not the
digits to tell, or the model does not owe it (`NOT_OWED`, with reasons).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from destructors.base_distributions import StandardNormal
from tests.fuzz.case import Case, NotAsked, Refused, Violation, attempt
from tests.fuzz.integral import check_integral
from tests.fuzz.models import Points
from tests.fuzz.not_owed import (
    COMMON_ORIGIN,
    COMMON_UNITS,
    NO_HEAVY_WEIGHTS,
    NOT_OWED,
    QUANTILES,
    TRAINING_ROWS_ONLY,
    TURNED,
    least_scale,
)
from tests.fuzz.tables import Table, largest_share

__all__ = ["INVARIANTS", "REFITS", "check"]

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


# ---------------------------------------------------------------------- of one fit


def check_finite(case: Case) -> None:
    """Latents, log-determinants, scores, the way back and samples are finite.

    At training rows, near them, 1e5 standard deviations out, and of latents as far out.
    """
    names = ("latents", "log-determinants", "rows back", "log-dets back", "scores")
    for kind, values in case.images.items():
        for name, value in zip(names, values, strict=True):
            _require_finite(value, f"{name} of {kind}")
    _require_finite(attempt(case.model.sample, 20), "samples")
    if type(case.model.base) is not StandardNormal or not case.is_continuous:
        return
    d = case.train.X.shape[1]
    Z = np.vstack([1e5 * np.eye(d), -1e5 * np.eye(d), np.zeros((1, d))])
    X, log_det = attempt(case.model.inverse, Points(Z, np.arange(len(Z)) % 2))
    _require_finite(X, "rows of latents at 1e5")
    _require_finite(log_det, "log-determinants of latents at 1e5")


def _require_finite(value: Array, what: str) -> None:
    value = np.asarray(value, dtype=float)
    if (bad := ~np.isfinite(value)).any():
        raise Violation(f"{what}: {bad.sum()} of {value.size} numbers are not finite")


def check_round_trip(case: Case) -> None:
    """Rows come back to 1e-6, relatively.

    What is allowed in column j of row i is ``1e-6 * scale[j] * m[i]`` and 16 units in
    the last place of the entry: ``scale`` are standard deviations of the training rows
    and ``m[i]`` is the largest distance of the row from their mean in any column, in
    these, and at least 1: a rotation cannot keep digits below 1e-16 of the longest
    entry. Of rows that no training row is like it is the largest entry of the latent
    row, if that is more: one sentinel makes standard deviations of any size. What the
    rounding of latents moves a row by (`Case.resolution`) is not held against these,
    nor against rows of a table with columns that depend on each other. Models without
    units (`least_scale`) have one scale. Codes come back exactly, and rows of
    dequantizers to 16 units in the last place of the largest entry or latent of a
    column: what is not repeated is moved aside, and back.
    """
    for kind, points in _coming_back(case).items():
        Z, _, back, *_ = case.images[kind]
        X, digits = points.X, case.has_digits(Z)
        with np.errstate(over="ignore", invalid="ignore"):
            off = np.abs(np.asarray(back, dtype=float) / 2 - X / 2) * 2
            if not case.is_continuous:
                if case.model.is_dequantizer and not case.model.is_discrete:
                    sizes = np.maximum(np.abs(X), np.abs(Z)).max(axis=0)
                    off = np.where(off <= 16.0 * np.spacing(sizes), 0.0, off)
                require_share(off.max(axis=1), 0.0, f"{kind} and back")
                continue
            scale = least_scale(case.name, case.scale, case.centre)
            apart = np.abs(X / 2 - case.centre / 2) / (scale / 2 + 5e-324)
            magnitude = np.maximum(apart.max(axis=1, keepdims=True), 1.0)
            unlike = case.is_unlike_training(kind)
            if type(case.model.base) is StandardNormal:
                size = np.abs(np.asarray(Z, dtype=float)).max(axis=1)
                size = np.where(unlike, size, 1.0)
                magnitude = np.maximum(magnitude, size[:, None])
            allowed = 1e-6 * scale * magnitude + 16.0 * np.spacing(np.abs(X))
            lost = case.loses_digits(kind)
            if (off > allowed)[lost].any():
                allowed[lost] += 4.0 * case.resolution(kind)[0][lost]
            relative = (off / allowed).max(axis=1)
        bad = ~(relative <= 1.0) & digits
        if bad.any():
            worst = np.nanmax(np.where(digits, relative, 0.0))
            raise Violation(
                f"{kind} do not come back: {bad.sum()} of {len(X)} rows, at worst "
                f"{worst:.3g} times as far off as the tolerance"
            )


def _coming_back(case: Case) -> dict[str, Points]:
    if case.name not in TRAINING_ROWS_ONLY:
        return case.kinds
    return {k: points for k, points in case.kinds.items() if k == "training rows"}


def check_log_dets(case: Case) -> None:
    """Log-determinants of both ways agree to 1e-6, relatively above 1 nat.

    Rows that are far, other entries of which lose digits on the way, to 1e-3; and to a
    hundred times the last place of an entry in standard deviations, where that is more.
    Of rows that may not have all their digits in the latent (`Case.loses_digits`), to
    what the rounding of latents moves them by; or at the row that comes back, where it
    has the same latents up to rounding.
    In 99 % of the rows of a kind: a row within rounding of a kink may come back on its
    other side. Rows that all lie on one are no such accident.
    """
    for kind in _coming_back(case):
        Z, log_det, _, log_det_back, _ = case.images[kind]
        off = np.abs(log_det + log_det_back) / np.maximum(np.abs(log_det), 1.0)
        tolerance = 1e-3 if kind == "far rows" else 1e-6
        if case.is_continuous:
            scale = least_scale(case.name, case.scale, case.centre)
            last_place = np.spacing(np.abs(case.kinds[kind].X)) / (scale + 5e-324)
            off -= 100.0 * last_place.max(axis=1)
            lost = case.loses_digits(kind)
            if (off > tolerance)[lost].any():
                off[lost] -= 4.0 * case.resolution(kind)[1][lost]
                now = np.abs(case.log_det_of_return(kind) + log_det_back)
                now /= np.maximum(np.abs(log_det), 1.0)
                off[lost] = np.fmin(off, now)[lost]
        off = off[case.has_digits(Z)]
        require_share(off, tolerance, f"log-determinants of {kind} and back")


def check_batches(case: Case) -> None:
    """A row alone, and in another order, has the same latent and score to 1e-8.

    Relatively above 1: of a latent row, to its largest entry.
    """
    for kind, points in case.kinds.items():
        Z, *_, scores = case.images[kind]
        n = len(points)
        batches = [np.arange(n)[::-1], *np.arange(n)[:: max(n // 8, 1), None]]
        for rows in batches:
            Z_now, _ = attempt(case.model.forward, points[rows])
            scores_now = attempt(case.model.score, points[rows])
            how = "alone" if len(rows) == 1 else "in another order"
            for what, now, before in (
                ("latents", Z_now, Z[rows]),
                ("scores", scores_now[:, None], scores[rows, None]),
            ):
                size = np.abs(before).max(axis=1, keepdims=True)
                off = np.abs(now - before) / np.maximum(size, 1.0)
                if not (off.max() <= 1e-8):
                    found = f"{what} of {kind} {how} differ by {off.max():.3g}"
                    raise Violation(found)


def check_copies(case: Case) -> None:
    """Pickled, and saved and loaded, a model gives the same bits."""
    points = case.kinds.get("training rows")
    if points is None:
        raise NotAsked("no training row lies in the support")
    Z, _, back, _, scores = case.images["training rows"]
    copy = attempt(case.model.pickled)
    _require_equal(attempt(copy.score, points), scores, "scores of the pickled model")
    _require_equal(attempt(copy.forward, points)[0], Z, "latents of the pickled model")
    density = attempt(case.model.saved)
    if density is None:
        return
    known = (points.domain,) if case.model.is_aligner else ()
    _require_equal(
        attempt(density.forward, points.X, *known)[0], Z, "latents of the saved model"
    )
    _require_equal(
        attempt(density.inverse, Z, *known)[0], back, "rows back of the saved model"
    )
    if case.model.has_density:
        _require_equal(
            attempt(density.logpdf, points.X, *known),
            scores,
            "scores of the saved model",
        )


def _require_equal(now: Array, before: Array, what: str) -> None:
    if not np.array_equal(now, before, equal_nan=np.asarray(now).dtype.kind == "f"):
        raise Violation(f"{what} are not the same bits")


# ---------------------------------------------------------------------- of two fits


def check_seed(case: Case) -> None:
    """The same seed gives the same bits, for any ``n_jobs``."""
    n_jobs = 2 if case.model.takes_n_jobs else None
    again = _fit_alike(case, case.table, "with the same seed", n_jobs)
    for kind, points in case.kinds.items():
        Z, *_, scores = case.images[kind]
        _require_equal(attempt(again.forward, points)[0], Z, f"latents of {kind} again")
        _require_equal(attempt(again.score, points), scores, f"scores of {kind} again")


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
    1e-3 of their largest entry, and no two values are closer than 1e-9 of it but equal.
    """
    X, d = case.table.X, case.train.X.shape[1]
    scale = np.resize([3.7, 0.013, 91.0, 1.9], d)
    shift = np.resize([1.3, -0.7, 0.2, 2.0], d) * case.scale
    with np.errstate(over="ignore"):
        spread = case.scale / np.abs(X).max(axis=0, initial=1e-300)
        gaps = np.diff(np.sort(X, axis=0), axis=0)
    near = (gaps > 0) & (gaps < 1e-9 * case.scale)
    if not (spread > 1e-3).all() or near.any():
        raise NotAsked("rounding would be seen")
    _check_affine(case, scale, shift)


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
    if any(getattr(m.fitted, "layers_", m) == [] for m in (case.model, moved)):
        raise NotAsked("a stack of no layers is the base, in the units of the data")
    points = Points((points.X + shift) * scale, points.domain)
    if case.model.has_density:
        expected = case.images["training rows"][-1] - np.log(scale).sum()
        now = attempt(moved.score, points)
    else:
        expected = case.images["training rows"][1]
        now = attempt(moved.forward, points)[1]
    off = np.abs(now - expected) / np.maximum(np.abs(expected), 1.0)
    require_share(off, 1e-6, "scores in other units")


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
    do so by more than a millionth of their largest entry: means of weighted and of
    repeated rows differ by rounding of that. Models that gaussianize turned columns are
    not asked where columns depend on each other: one of those turned is rounding alone.
    """
    table = case.table
    with np.errstate(over="ignore"):
        spread = case.scale / np.abs(table.X).max(axis=0, initial=1e-300)
    if (spread <= 1e-6)[np.ptp(table.X / 2, axis=0) > 0].any():
        raise NotAsked("rounding would be seen")
    if case.name in TURNED and case.is_dependent:
        raise NotAsked("a turned column is rounding")
    weight = table.weight
    if weight is None or (weight != np.round(weight)).any() or weight.sum() > 2000:
        weight = 1.0 * np.random.default_rng(3).integers(0, 4, len(table.X))
    if not weight.any():
        raise NotAsked("no row has a weight")
    rows = np.repeat(np.arange(len(table.X)), weight.astype(int))
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


# ---------------------------------------------------------------------- all of them

INVARIANTS: dict[str, Callable[[Case], None]] = {
    "finite": check_finite,
    "round trip": check_round_trip,
    "log-determinants": check_log_dets,
    "batches": check_batches,
    "integral": check_integral,
    "copies": check_copies,
}
# These fit again.
REFITS: dict[str, Callable[[Case], None]] = {
    "seed": check_seed,
    "powers of two": check_powers_of_two,
    "affine": check_affine,
    "weights": check_weights,
}


def check(case: Case, invariant: str) -> None:
    """Check one invariant, unless the model does not owe it.

    Raises
    ------
    Violation
        If it does not hold.
    NotAsked
        If it is not owed, or cannot be told.
    """
    if reason := NOT_OWED.get(invariant, {}).get(case.name):
        raise NotAsked(reason)
    try:
        (INVARIANTS | REFITS)[invariant](case)
    except Refused as refusal:
        raise Violation(f"was fitted, but then refuses rows: {refusal}") from refusal
