"""Checks of the map: that it is one-to-one, smooth volume included, row by row."""

from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import MaxAbsScaler

from destructors.base_distributions import StandardNormal, Uniform
from destructors.testing._case import Case, require, require_close, require_share

_N_BASE_ROWS = 400
_N_SEEDS = 60
_N_SAMPLES = 20_000
_FAR = (1e1, 1e2, 1e4, 1e8, 1e100)


def check_inverse(case: Case) -> None:
    """The map and its inverse undo each other.

    From data (seen and held out) to the latent and back, and from samples of the base
    to data and back: at least 99 % of the rows return to 1e-8 of a standard deviation,
    and all of them to 1e-4. A row on a steep piece of the map loses digits; a map that
    is not one-to-one moves far more than a row in a hundred. Rows within 1e-6 of a face
    of the unit cube do not count where that is the base.
    """
    model, base = case.model, case.model.base_distribution_
    for kind, X in (("training rows", case.X_train), ("held-out rows", case.X_test)):
        Z = model.transform(X)
        off = np.abs(model.inverse_transform(Z) - X) / case.scale
        off = off[case.has_digits(Z)].max(axis=1)
        require_share(off, 1e-8, 0.99, f"x and T⁻¹(T(x)) of {kind}", worst=1e-4)
    Z = base.sample(_N_BASE_ROWS, case.rng("base rows"))
    off = np.abs(model.transform(model.inverse_transform(Z)) - Z).max(axis=1)
    require_share(off, 1e-8, 0.99, "z and T(T⁻¹(z)) of base samples", worst=1e-4)


def check_log_det(case: Case) -> None:
    """The log-determinant is that of the Jacobian, by central differences.

    On held-out rows, and (if the base is known) on rows up to three times as far out,
    at least 95 % must agree to 1e-3 nats. Not all can: within a step of a kink of a
    piecewise map (a bin edge, a tree's split) differences mix the slopes of both sides.
    A step is 1e-5 standard deviations, so a hundred kinks a feature affect about one
    row in a thousand.
    """
    near = case.X_test[:200]
    kinds = {"held-out rows": near}
    if type(case.model.base_distribution_) in (StandardNormal, Uniform):
        centre = case.X_train.mean(axis=0)
        factor = case.rng("beyond").uniform(1.0, 3.0, (len(near), 1))
        kinds["rows farther out"] = centre + factor * (near - centre)
    for kind, X in kinds.items():
        Z, log_det = case.model.transform_and_log_det(X)
        rows = case.has_digits(Z)
        off = np.abs(log_det[rows] - _numerical_log_det(case, X[rows]))
        require_share(off, 1e-3, 0.95, f"log_det and numerical Jacobian of {kind}")


def _numerical_log_det(case: Case, X: NDArray) -> NDArray:
    """Return ``log |det J|`` of each row by central differences."""
    slopes = []
    for step in np.diag(1e-5 * case.scale):
        high, low = X + step, X - step
        # What is added is what float64 makes of the step.
        moved = (high - low).sum(axis=1, keepdims=True)
        slopes.append((case.model.transform(high) - case.model.transform(low)) / moved)
    return np.linalg.slogdet(np.stack(slopes, axis=1))[1]


def check_log_det_of_inverse(case: Case) -> None:
    """The log-determinant of the inverse is minus that of the map.

    At least 99 % of held-out rows and of base samples must agree to 1e-6 nats: a row
    on a kink can come back on its other side.
    """
    model = case.model
    Z, log_det = model.transform_and_log_det(case.X_test)
    off = np.abs(log_det + model.inverse_and_log_det(Z)[1])
    require_share(off, 1e-6, 0.99, "log_det and minus its inverse's of held-out rows")
    Z = model.base_distribution_.sample(_N_BASE_ROWS, case.rng("base rows"))
    X, log_det = model.inverse_and_log_det(Z)
    off = np.abs(log_det + model.transform_and_log_det(X)[1])
    require_share(off, 1e-6, 0.99, "log_det and minus its inverse's of base samples")


def check_batch_invariance(case: Case) -> None:
    """The score and the latent of a row do not depend on the other rows.

    Rows alone, and in another order among 50,000 others (more than one block of the
    computation), give the same to 1e-8: what sums in another order may differ by.
    """
    model, X = case.model, case.X_test
    scores, Z = model.score_samples(X), model.transform(X)
    many = case.rng("order").permutation(50_000) % len(X)
    for rows in (many, *np.arange(min(30, len(X)))[:, None]):
        how = "alone" if len(rows) == 1 else "among many, in another order"
        now, Z_now = model.score_samples(X[rows]), model.transform(X[rows])
        require_close(now, scores[rows], 1e-8, f"score of rows {how}")
        require_close(Z_now, Z[rows], 1e-8, f"latent of rows {how}")


def check_far_rows(case: Case) -> None:
    """Far off the training data all stays finite, and the log-density falls.

    Rows at 10, 1e2, 1e4, 1e8 and 1e100 times the largest absolute value of each
    feature, along the axes and random directions: latent, log-determinant and
    log-density are finite, the log-density falls from each to the next, and the way
    back is finite (to 1e-3 of the distance where the base is normal). So is the inverse
    of latents as far out, or on the faces and corners of the unit cube.

    Where a map has a bounded ``support``, rows inside are finite; outside of it the
    density is zero, and rows are refused or their log-density is minus infinity.
    """
    model, support = case.model, case.model.map_.support
    has_normal_base = type(model.base_distribution_) is StandardNormal
    d = case.X_train.shape[1]
    rng = case.rng("directions")
    directions = np.vstack([np.eye(d), -np.eye(d), rng.uniform(-1.0, 1.0, (8, d))])
    distances = np.repeat(_FAR, len(directions))[:, None]
    everywhere = np.tile(directions, (len(_FAR), 1))
    latents = distances * everywhere
    if not has_normal_base:
        sides = np.sign(directions)
        latents = np.vstack([0.5 + 0.5 * sides, 0.5 + (0.5 - 1e-12) * sides])
    X, log_det = model.inverse_and_log_det(latents)
    _require_finite(inverse_of_latents_far_out=X, its_log_det=log_det)

    distances = distances * MaxAbsScaler().fit(case.X_train).scale_
    X = distances * everywhere
    if support is not None:
        inside = ((support[0] <= X) & (support[1] >= X)).all(axis=1)
        with suppress(ValueError):
            outside = np.isneginf(model.score_samples(X[~inside]))
            require(outside.all(), "Outside of its support the density is not 0.")
        X, distances = X[inside], distances[inside]
        if not len(X):
            return
    Z, log_det = model.transform_and_log_det(X)
    back, log_det_back = model.inverse_and_log_det(Z)
    scores = model.score_samples(X)
    _require_finite(latent_of_rows_far_out=Z, its_log_det=log_det, log_density=scores)
    _require_finite(way_back_of_rows_far_out=back, its_log_det=log_det_back)
    if has_normal_base:
        off = np.abs((back - X) / distances).max(axis=1)
        require_share(off, 1e-3, 1.0, "x and T⁻¹(T(x)) of rows far out, relatively")
    if support is None:
        rises = (np.diff(scores.reshape(len(_FAR), -1), axis=0) >= 0).mean(axis=1)
        found = f"The log-density rises in {rises} of the directions, at {_FAR[1:]}."
        require(not rises.any(), found)


def _require_finite(**values: NDArray) -> None:
    for what, value in values.items():
        bad = np.sum(~np.isfinite(value))
        require(bad == 0, f"{what}: {bad} of {value.size} numbers are not finite.")


# ---------------------------------------------------------------------- dequantizers


def check_right_inverse(case: Case) -> None:
    """Every row comes back exactly, wherever in its cell the noise has put it."""
    for kind, X in (("training rows", case.X_train), ("held-out rows", case.X_test)):
        Z, log_det = case.model.transform_and_log_det(X)
        back, log_det_back = case.model.inverse_and_log_det(Z)
        require(np.array_equal(back, X), f"{kind} do not come back exactly.")
        require_close(log_det + log_det_back, 0.0, 1e-9, f"log_det and back of {kind}")


def check_noise(case: Case) -> None:
    """Noise is of the row and the seed alone: the same again, another for another."""
    X = case.X_test
    Z = case.model.transform(X)
    require(np.array_equal(Z, case.model.transform(X)), "Noise of a row is drawn anew.")
    moved = case.new("other noise").fit(case.X_train).transform(X)
    # There is none where all columns are continuous.
    anew = np.array_equal(Z, X) or not np.array_equal(Z, moved)
    require(anew, "Another random_state gives the same noise.")


def check_bound(case: Case) -> None:
    """The mean score is no higher than the log-probability of the row.

    The probability is the share of samples that are the row, on rows of integers or
    codes, whose cells have the volume 1. The mean is over seeds of the noise; six
    standard errors are allowed.
    """
    samples = case.model.sample(_N_SAMPLES, random_state=case.seed("samples"))
    rows, counts = np.unique(samples, axis=0, return_counts=True)
    often = np.argsort(-counts)[:20]
    rows, counts = rows[often], counts[often]
    scores = []
    for i in range(_N_SEEDS):
        model = case.new(f"noise {i}").fit(case.X_train)
        scores.append(model.score_samples(rows))
    error = np.std(scores, axis=0, ddof=1) / np.sqrt(_N_SEEDS) + 1.0 / np.sqrt(counts)
    excess = np.mean(scores, axis=0) - np.log(counts / _N_SAMPLES)
    found = f"The mean score exceeds the log-probability by {excess.max():.3g} nats."
    require((excess <= 6.0 * error).all(), found)
