"""The invariants, one function each: what holds for every model on every table.

Each raises `Violation` with what is wrong, or `NotAsked` where float64 has not the
digits to tell, or the model does not owe it (`NOT_OWED`, with reasons).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from destructors.base_distributions import StandardNormal
from tests.fuzz.attempts import NotAsked, Refused, Violation, attempt
from tests.fuzz.case import Case
from tests.fuzz.integral import check_integral
from tests.fuzz.models import Points
from tests.fuzz.not_owed import NOT_OWED, least_scale
from tests.fuzz.refits import REFITS, require_equal, require_share

__all__ = ["INVARIANTS", "REFITS", "check"]

Array = NDArray
_LARGEST = np.finfo(float).max


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
    nor against rows of a table with columns that depend on each other; one that it
    moves by more than a standard deviation in any column is gone. Models without
    units (`least_scale`) have one scale. Codes come back exactly, and rows of
    dequantizers to 16 units in the last place of the largest entry or latent of a
    column: what is not repeated is moved aside, and back.
    """
    for kind, points in case.kinds.items():
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
                moved = case.resolution(kind)[0]
                allowed[lost] += 4.0 * moved[lost]
                # A column turned with one that is lost is lost as well.
                allowed[lost & (moved > scale).any(axis=1)] = _LARGEST
            # Not infinity over infinity.
            off = np.minimum(off, _LARGEST)
            relative = (off / allowed).max(axis=1)
        bad = ~(relative <= 1.0) & digits
        if bad.any():
            worst = np.nanmax(np.where(digits, relative, 0.0))
            raise Violation(
                f"{kind} do not come back: {bad.sum()} of {len(X)} rows, at worst "
                f"{worst:.3g} times as far off as the tolerance"
            )


def check_log_dets(case: Case) -> None:
    """Log-determinants of both ways agree to 1e-6, relatively above 1 nat.

    Rows that are far, other entries of which lose digits on the way, to 1e-3; and to
    four times what the last place of an entry, of the row or of its latent, moves them
    by (`Case.last_place_of_log_dets`), which no number between could tell: a latent may
    keep an offset, beside which a spike on a tie has few places.
    Of rows that may not have all their digits in the latent (`Case.loses_digits`), to
    what the rounding of latents moves them by; or at the row that comes back, where it
    has the same latents up to rounding; not where rounding moves a row by more than a
    standard deviation, or to the end of float64.
    In 99 % of the rows of a kind: a row within rounding of a kink may come back on its
    other side. Rows that all lie on one are no such accident.
    """
    for kind in case.kinds:
        Z, log_det, back, log_det_back, _ = case.images[kind]
        off = np.abs(log_det + log_det_back) / np.maximum(np.abs(log_det), 1.0)
        tolerance = 1e-3 if kind == "far rows" else 1e-6
        if case.is_continuous:
            scale = least_scale(case.name, case.scale, case.centre)
            if (off > tolerance).any():
                size = np.maximum(np.abs(log_det), 1.0)
                off -= 4.0 * case.last_place_of_log_dets(kind) / size
            lost = case.loses_digits(kind)
            if (off > tolerance)[lost].any():
                moved_X, moved = case.resolution(kind)
                off[lost] -= 4.0 * moved[lost]
                now = np.abs(case.log_det_of_return(kind) + log_det_back)
                now /= np.maximum(np.abs(log_det), 1.0)
                off[lost] = np.fmin(off, now)[lost]
                is_gone = (moved_X > scale) | (np.abs(back) > 0.9 * _LARGEST)
                off[lost & is_gone.any(axis=1)] = 0.0
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
    require_equal(attempt(copy.score, points), scores, "scores of the pickled model")
    require_equal(attempt(copy.forward, points)[0], Z, "latents of the pickled model")
    density = attempt(case.model.saved)
    if density is None:
        return
    known = (points.domain,) if case.model.is_aligner else ()
    require_equal(
        attempt(density.forward, points.X, *known)[0], Z, "latents of the saved model"
    )
    require_equal(
        attempt(density.inverse, Z, *known)[0], back, "rows back of the saved model"
    )
    if case.model.has_density:
        require_equal(
            attempt(density.logpdf, points.X, *known),
            scores,
            "scores of the saved model",
        )


# ---------------------------------------------------------------------- all of them

INVARIANTS: dict[str, Callable[[Case], None]] = {
    "finite": check_finite,
    "round trip": check_round_trip,
    "log-determinants": check_log_dets,
    "batches": check_batches,
    "integral": check_integral,
    "copies": check_copies,
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
