"""Checks of the map: that it is one-to-one, smooth volume included, row by row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from destructors.testing._case import Case, require

__all__ = [
    "check_batch_invariance",
    "check_far_rows",
    "check_inverse",
    "check_log_det",
    "check_log_det_of_inverse",
    "numerical_log_det",
]

_N_BASE_ROWS = 400
_FAR = (1e1, 1e2, 1e4, 1e8, 1e100)


def check_inverse(case: Case) -> None:
    """The map and its inverse undo each other.

    From data (seen and held out) to the latent and back, and from samples of the base
    to data and back: at least 99 % of the rows return to 1e-8 of a standard deviation,
    and all of them to 1e-4. A row on a steep piece of the map loses digits; a map that
    is not one-to-one moves far more than a row in a hundred. Rows within 1e-6 of a face
    of the unit cube do not count where that is the base.
    """
    case.require_bijection()
    model, base = case.model, case.model.base_distribution_
    for kind, X in (("training", case.X_train), ("held-out", case.X_test)):
        Z = model.transform(X)
        off = np.abs(model.inverse_transform(Z) - X) / case.scale
        _require_return(off[case.has_digits(Z)], f"T⁻¹(T(x)) of {kind} rows")
    Z = base.sample(_N_BASE_ROWS, case.rng("base rows"))
    back = model.transform(model.inverse_transform(Z))
    _require_return(np.abs(back - Z), "T(T⁻¹(z)) of base samples")


def _require_return(distance: NDArray, what: str) -> None:
    furthest = distance.max(axis=1)
    share, worst = np.mean(furthest <= 1e-8), furthest.max(initial=0.0)
    require(
        share >= 0.99 and worst <= 1e-4,
        f"{what}: {share:.1%} return to within 1e-8, the worst to within {worst:.2g} "
        "(needed: 99 % and 1e-4).",
    )


def check_log_det(case: Case) -> None:
    """The log-determinant is that of the Jacobian, by central differences.

    On held-out rows, and on rows up to three times as far out, at least 95 % must agree
    to 1e-3 nats. Not all can: within a step of a kink of a piecewise map (a bin edge, a
    tree's split) differences mix the slopes of both sides. A step is 1e-5 standard
    deviations, so a hundred kinks a feature affect about one row in a thousand.
    """
    case.require_continuous()
    model = case.model
    near = case.X_test[:200]
    centre = case.X_train.mean(axis=0)
    beyond = centre + case.rng("beyond").uniform(1.0, 3.0, (len(near), 1)) * (
        near - centre
    )
    for kind, X in (("held-out rows", near), ("rows farther out", beyond)):
        Z, log_det = model.transform_and_log_det(X)
        rows = case.has_digits(Z)
        numerical = numerical_log_det(model.transform, X[rows], 1e-5 * case.scale)
        off = np.abs(log_det[rows] - numerical)
        share = np.mean(off <= 1e-3)
        require(
            share >= 0.95,
            f"log_det of {kind} agrees with the numerical Jacobian for {share:.1%} "
            f"(needed: 95 %); median difference {np.median(off):.3g} nats.",
        )


def numerical_log_det(
    transform: Callable[[NDArray], NDArray], X: NDArray, step: NDArray
) -> NDArray:
    """``log |det J|`` of each row by central differences."""
    n, d = X.shape
    # What is added is what float64 makes of the step.
    high, low = X + step, X - step
    shifted = np.repeat(X[:, None, None, :], d, axis=1).repeat(2, axis=2)
    column = np.arange(d)
    shifted[:, column, 0, column] = high
    shifted[:, column, 1, column] = low
    Z = transform(shifted.reshape(-1, d)).reshape(n, d, 2, d)
    # Axis 1 is the feature moved, the last one the latent feature: Jᵀ of each row.
    jacobian = (Z[:, :, 0] - Z[:, :, 1]) / (high - low)[:, :, None]
    return np.linalg.slogdet(jacobian)[1]


def check_log_det_of_inverse(case: Case) -> None:
    """The log-determinant of the inverse is minus that of the map.

    At least 99 % of held-out rows and of base samples must agree to 1e-6 nats: a row
    on a kink can come back on its other side.
    """
    case.require_bijection()
    model = case.model
    Z, log_det = model.transform_and_log_det(case.X_test)
    _, back = model.inverse_and_log_det(Z)
    _require_opposite(log_det, back, "held-out rows")
    Z = model.base_distribution_.sample(_N_BASE_ROWS, case.rng("base rows"))
    X, log_det = model.inverse_and_log_det(Z)
    _, back = model.transform_and_log_det(X)
    _require_opposite(log_det, back, "base samples")


def _require_opposite(log_det: NDArray, back: NDArray, what: str) -> None:
    off = np.abs(log_det + back)
    share = np.mean(off <= 1e-6)
    require(
        share >= 0.99,
        f"log_det of the inverse is minus that of the map for {share:.1%} of {what} "
        f"(needed: 99 %); median difference {np.median(off):.3g} nats.",
    )


def check_batch_invariance(case: Case) -> None:
    """The score and the latent of a row do not depend on the other rows.

    Rows alone, in another order, and among 50,000 others (more than one block of the
    computation) give the same to 1e-8: what sums in another order may differ by.
    """
    model, X = case.model, case.X_test
    scores, Z = model.score_samples(X), model.transform(X)
    single = range(min(30, len(X)))
    order = case.rng("order").permutation(len(X))
    crowd = np.resize(X, (50_000, X.shape[1]))
    batches = {
        "alone": (
            single,
            np.concatenate([model.score_samples(X[[i]]) for i in single]),
            np.concatenate([model.transform(X[[i]]) for i in single]),
        ),
        "in another order": (
            order,
            model.score_samples(X[order]),
            model.transform(X[order]),
        ),
        "among many": (
            np.arange(len(crowd)) % len(X),
            model.score_samples(crowd),
            model.transform(crowd),
        ),
    }
    for how, (rows, scores_then, Z_then) in batches.items():
        for what, now, then in (("score", scores, scores_then), ("latent", Z, Z_then)):
            np.testing.assert_allclose(
                then, now[rows], rtol=1e-8, atol=1e-8, err_msg=f"{what} of rows {how}"
            )


def check_far_rows(case: Case) -> None:
    """Far off the training data all stays finite, and the log-density falls.

    Rows at 10, 1e2, 1e4, 1e8 and 1e100 times the largest absolute value of each
    feature, along the axes and random directions: latent, log-determinant and
    log-density are finite, the log-density falls from each to the next, and the way
    back is finite (to 1e-3 of the distance where the base is normal). So is the inverse
    of latents as far out, or on the faces and corners of the unit cube.

    Where a map has a bounded ``support``, this holds for rows inside; outside of it the
    density is zero, and rows are refused or their log-density is minus infinity.
    """
    case.require_continuous()
    model = case.model
    d = case.X_train.shape[1]
    rng = case.rng("directions")
    directions = np.vstack([np.eye(d), -np.eye(d), rng.uniform(-1.0, 1.0, (8, d))])
    reach = np.abs(case.X_train).max(axis=0)
    reach[reach == 0] = 1.0
    scores = []
    for factor in _FAR:
        X = factor * reach * directions
        inside = _inside_support(model.map_.support, X)
        scores.append(np.full(len(X), -np.inf))
        if not inside.all():
            _require_density_zero(case, X[~inside])
        if not inside.any():
            continue
        X = X[inside]
        Z, log_det = model.transform_and_log_det(X)
        back, back_log_det = model.inverse_and_log_det(Z)
        scores[-1][inside] = model.score_samples(X)
        for what, value in (
            ("latent", Z),
            ("log_det", log_det),
            ("log-density", scores[-1][inside]),
            ("inverse of the latent", back),
            ("log_det of the inverse", back_log_det),
        ):
            _require_finite(value, f"{what} of rows at {factor:g} times the data")
        if case.has_normal_base:
            off = np.abs((back - X) / (factor * reach)).max()
            require(
                off <= 1e-3,
                f"Rows at {factor:g} times the data return to within {off:.2g} of "
                "that distance (needed: 1e-3).",
            )
    for near, far, before, after in zip(
        _FAR[:-1], _FAR[1:], scores[:-1], scores[1:], strict=True
    ):
        falls = (after < before) | np.isneginf(before)
        require(
            bool(falls.all()) or case.model.map_.support is not None,
            f"The log-density does not fall from {near:g} to {far:g} times the data: "
            f"in {np.mean(~falls):.0%} of the directions.",
        )
    for Z in _far_latents(case, directions):
        for what, value in zip(
            ("inverse", "log_det of the inverse"),
            model.inverse_and_log_det(Z),
            strict=True,
        ):
            _require_finite(value, f"{what} of latents up to {np.abs(Z).max():g}")


def _inside_support(support: tuple[NDArray, NDArray] | None, X: NDArray) -> NDArray:
    if support is None:
        return np.ones(len(X), dtype=bool)
    return ((support[0] <= X) & (support[1] >= X)).all(axis=1)


def _require_density_zero(case: Case, X: NDArray) -> None:
    try:
        scores = case.model.score_samples(X)
    except ValueError:
        return
    require(
        bool(np.isneginf(scores).all()), "Outside of its support the density is not 0."
    )


def _far_latents(case: Case, directions: NDArray) -> list[NDArray]:
    if case.has_normal_base:
        return [factor * directions for factor in _FAR]
    sides = np.sign(directions)
    return [0.5 + 0.5 * sides, 0.5 + (0.5 - 1e-12) * sides]


def _require_finite(value: NDArray, what: str) -> None:
    bad = ~np.isfinite(value)
    require(not bad.any(), f"The {what} is NaN or infinite in {bad.sum()} place(s).")
