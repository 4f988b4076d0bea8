"""That densities integrate to one, taken in the latent: it resolves any spike."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from destructors.base_distributions import StandardNormal, Uniform
from tests.fuzz.attempts import NotAsked, Violation, attempt
from tests.fuzz.case import Case
from tests.fuzz.models import Points
from tests.fuzz.not_owed import NO_SCALE

__all__ = ["check_integral"]

Array = NDArray
# Latents of one cluster, at least.
_N_NEAR = 3
# Cells, or latents, by which an integral is judged, at least.
_FEWEST = 20


def check_integral(case: Case) -> None:
    """The density integrates to 1.

    In one dimension by quadrature in cells of the latent, halved where they disagree:
    the probability of a cell under the base and the integral of the density over its
    image, by three Gauss nodes, differ by 0.01 in all at most. In more dimensions the
    log-determinant is that of the numerical Jacobian of the inverse, to 0.01 nats at
    95 % of the latents where two steps agree on that, and log-determinants at the ends
    of the steps with that between them to 0.1 nats: one may cross a kink, or of large
    latents, with large steps, all that there is. Of latents millions of standard
    deviations out, to the rounding of their squares. Where less than 20 cells or
    latents can be told apart in float64, nothing is asked.

    The probability of codes, and of the cells of floating point around the different
    training rows, sums to at most 1.
    """
    if case.model.has_density:
        _check_mass(case)
    if not case.is_continuous:
        return
    base = type(case.model.base)
    if case.train.X.shape[1] == 1 and base in (StandardNormal, Uniform):
        _check_integral_in_line(case, base is Uniform)
    else:
        _check_jacobian(case)


def _check_mass(case: Case) -> None:
    points = case.kinds.get("training rows")
    if points is None or case.model.is_aligner or case.model.is_dequantizer:
        return
    if case.is_continuous and (case.name in NO_SCALE or case.may_be_constant):
        return
    X, first = np.unique(points.X, axis=0, return_index=True)
    scores = case.images["training rows"][-1][first]
    cell = 0.0
    if case.is_continuous:
        cell = np.log(np.maximum(np.spacing(np.abs(X)), 5e-324)).sum(axis=1)
    with np.errstate(over="ignore"):
        total = np.exp(scores + cell).sum()
    if not total <= 1.01:
        raise Violation(f"probability in cells of one float each sums to {total:.3g}")


def _check_integral_in_line(case: Case, is_cube: bool) -> None:
    at = np.linspace(1e-4, 1 - 1e-4, 401) if is_cube else np.linspace(-8.0, 8.0, 401)
    nodes, shares = np.polynomial.legendre.leggauss(3)
    cells = np.column_stack([at[:-1], at[1:]])
    settled, left, n_asked = 0.0, 0.0, 0
    # What a model that standardizes knows of a row is how far it is from the centre.
    # The last place of that is a step of its density.
    step = np.spacing(abs(case.centre[0]))
    # Latents of models without a scale may be far less than the last digits of theirs.
    least = 0.0
    if case.name in NO_SCALE:
        least = 16.0 * np.spacing(max(case.scale[0], abs(case.centre[0])))
    for _ in range(14):
        ends = attempt(case.model.inverse, _line(cells.ravel()))[0].reshape(-1, 2)
        with np.errstate(over="ignore"):
            width = ends[:, 1] - ends[:, 0]
        if width.min() < -least and width.max() > least:
            raise Violation("the inverse both rises and falls")
        width = np.abs(width)
        with np.errstate(over="ignore"):
            rounding = np.maximum(
                np.spacing(np.abs(ends).max(axis=1)), max(least, step)
            )
            told = np.isfinite(width) & (width > 1e3 * rounding)
        cells, ends, width = cells[told], ends[told], width[told]
        n_asked += len(cells)
        if not len(cells):
            break
        x = (ends / 2).sum(axis=1)[:, None] + 0.5 * width[:, None] * nodes
        scores = attempt(case.model.score, _line(x.ravel())).reshape(x.shape)
        with np.errstate(over="ignore", under="ignore"):
            found = np.exp(scores) @ shares * 0.5 * width
        mass = np.diff(cells, axis=1)[:, 0] if is_cube else _normal_mass(cells)
        off = np.abs(found - mass)
        rough = ~(off <= 1e-5)
        settled += off[~rough].sum()
        left = off[rough].sum()
        if not 0 < rough.sum() < 4000:
            break
        middle = cells[rough].mean(axis=1)
        cells = np.vstack(
            [
                np.column_stack([cells[rough, 0], middle]),
                np.column_stack([middle, cells[rough, 1]]),
            ]
        )
    if n_asked < _FEWEST:
        raise NotAsked("float64 does not resolve the density")
    if not settled + left <= 0.01:
        raise Violation(f"the integral is off by {settled + left:.3g}")


def _normal_mass(cells: Array) -> Array:
    # In the upper half by the complement, which keeps its digits.
    low, high = np.where(cells[:, :1] > 0, -cells[:, ::-1], cells).T
    return ndtr(high) - ndtr(low)


def _line(values: Array) -> Points:
    return Points(values[:, None], np.zeros(len(values), int))


def _check_jacobian(case: Case) -> None:
    kinds = [kind for kind in ("training rows", "near rows") if kind in case.images]
    if not kinds:
        raise NotAsked("no row lies in the support")
    Z = np.vstack([case.images[kind][0] for kind in kinds])
    domain = np.concatenate([case.kinds[kind].domain for kind in kinds])
    if type(case.model.base) in (StandardNormal, Uniform):
        more = case.model.base.sample(60, np.random.RandomState(0))
        Z, domain = np.vstack([Z, more]), np.concatenate([domain, np.arange(60) % 2])
    elif len(Z) < _FEWEST:
        # Of maps without a base, or with another, beside those of the rows.
        beside = np.resize(np.arange(len(Z)), 60)
        aside = 0.1 * np.random.default_rng(6).normal(size=(60, Z.shape[1]))
        with np.errstate(over="ignore"):
            more = Z[beside] + aside * (Z / 2).std(axis=0) * 2
        more = np.clip(more, -np.finfo(float).max, np.finfo(float).max)
        Z, domain = np.vstack([Z, more]), np.concatenate([domain, domain[beside]])
    step = 1e-4
    margin = 0.01
    inside = case.has_digits(Z, margin)
    Z, domain = Z[inside], domain[inside]
    if len(Z) < _FEWEST:
        raise NotAsked("too few latents have digits")
    # Not at the training rows themselves, which may all lie on a few kinks.
    Z = Z + 0.5 * margin * np.random.default_rng(4).uniform(-1.0, 1.0, Z.shape)
    _, log_det = attempt(case.model.inverse, Points(Z, domain))
    with np.errstate(all="ignore"):
        first, second = (
            _numerical_log_det(case, Z, domain, log_det, h) for h in (step, step / 3)
        )
        told = np.abs(first - second) < 1e-3
    if told.sum() < _FEWEST:
        raise NotAsked("float64 does not resolve the Jacobian")
    # Log-determinants are differences of logarithms of that size.
    rounding = 4.0 * np.finfo(float).eps * (Z[told] ** 2).max(axis=1)
    off = np.abs(second[told] - log_det[told]) - rounding
    if (share := np.mean(off <= 0.01)) < 0.95:
        raise Violation(
            f"the log-determinant is that of the numerical Jacobian in {share:.0%} of "
            f"{told.sum()} latents; the median is off by {np.median(off):.3g}"
        )


def _numerical_log_det(
    case: Case, Z: Array, domain: Array, log_det: Array, step: float
) -> Array:
    """Return log-determinants by central differences; NaN where there are no digits,
    or those at the ends are no more that between them.
    """
    d, slopes, is_even = Z.shape[1], [], np.ones(len(Z), bool)
    for j in range(d):
        low, high = Z.copy(), Z.copy()
        # Some maps keep offsets and gaps: what is near tells a distance, halved so that
        # it does not overflow.
        apart = np.sort(np.abs(Z[:, j, None] / 2 - Z[:, j] / 2), axis=1)[:, _N_NEAR]
        aside = step * np.clip(2.0 * apart, 1.0, np.finfo(float).max)
        low[:, j] -= aside
        high[:, j] += aside
        ends = []
        largest = np.finfo(float).max
        for end in (low, high):
            # A latent may be the largest number.
            np.clip(end, -largest, largest, out=end)
            X, log_det_there = attempt(case.model.inverse, Points(end, domain))
            is_even &= np.abs(log_det_there - log_det) <= 0.1
            ends.append(X)
        moved = (high - low)[:, j, None] * case.scale
        slopes.append((ends[1] - ends[0]) / moved)
    J = np.stack(slopes, axis=2)
    rounding = 4.0 * np.spacing(np.abs(ends[0])) / case.scale / step
    told = np.isfinite(J).all(axis=(1, 2)) & np.isfinite(rounding).all(axis=1)
    told &= is_even
    told[told] &= np.linalg.cond(J[told]) < 1e8
    error = np.abs(np.linalg.inv(J[told])) @ rounding[told][:, :, None]
    told[told] &= error.max(axis=(1, 2)) < 1e-3
    found = np.full(len(Z), np.nan)
    found[told] = np.linalg.slogdet(J[told])[1] + np.log(case.scale).sum()
    return found
