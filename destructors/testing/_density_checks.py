"""Checks of the density: that it is one, and the one that is sampled from."""

from __future__ import annotations

from unittest import SkipTest

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import ndtri
from scipy.stats import chi2, kstest, norm

from destructors.testing._case import Case, require

__all__ = [
    "check_integral",
    "check_latent_distribution",
    "check_sample_density",
    "check_standard_normal",
]

# Chance that a right destructor fails a statistical check, over the choice of seed.
_FALSE_ALARM = 1e-6
_N_SAMPLES = 5000
_N_DIRECTIONS = 30
_N_CELLS = 32


def check_latent_distribution(case: Case) -> None:
    """Samples, destroyed, follow the base distribution.

    Kolmogorov–Smirnov tests of each latent feature (in normal scores) and, jointly, of
    30 random projections and of the squared length, each against its exact null
    distribution; Bonferroni keeps the false-alarm rate below 1e-6 in all. A map that is
    inverted exactly passes whatever its density: that is for `check_sample_density`.
    """
    case.require_continuous()
    model = case.model
    Z = model.transform(model.sample(_N_SAMPLES, random_state=case.seed("samples")))
    if not case.has_normal_base:
        Z = ndtri(Z)
    d = Z.shape[1]
    directions = case.rng("projections").standard_normal((d, _N_DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    p_values = {f"feature {j}": kstest(Z[:, j], norm.cdf).pvalue for j in range(d)}
    for i, projected in enumerate((Z @ directions).T):
        p_values[f"projection {i}"] = kstest(projected, norm.cdf).pvalue
    p_values["squared length"] = kstest((Z**2).sum(axis=1), chi2(d).cdf).pvalue
    worst = min(p_values, key=lambda name: p_values[name])
    require(
        p_values[worst] >= _FALSE_ALARM / len(p_values),
        f"transform(sample()) does not follow {model.base_distribution_!r}: "
        f"p = {p_values[worst]:.2g} for {worst}, the worst of {len(p_values)} tests.",
    )


def check_integral(case: Case) -> None:
    """The density integrates to one.

    The integral must be 1 to within 0.01 plus six standard errors of its estimate,
    which in two dimensions is good to some 0.001.
    """
    case = case.planar
    case.require_continuous()
    totals = case.density_points.shares.sum(axis=1)
    value, error = totals.mean(), totals.std(ddof=1) / np.sqrt(len(totals))
    _require_accuracy(case, error, value)
    require(
        abs(value - 1.0) <= 0.01 + 6.0 * error,
        f"exp(score_samples) integrates to {value:.4g} ± {error:.2g}.",
    )


def check_sample_density(case: Case) -> None:
    """Samples follow the density.

    Space is cut into 32 cells; a chi-square test compares the number of samples in each
    with the integral of ``exp(score_samples)`` over it, the error of which counts as
    well. The false-alarm rate is 1e-6.
    """
    case = case.planar
    case.require_continuous()
    model, density = case.model, case.density_points
    # A cell is what lies nearest to one of these samples; others are counted.
    centres = model.sample(_N_CELLS, random_state=case.seed("cells"))
    tree = cKDTree(density.to_frame(centres))
    X = model.sample(_N_SAMPLES, random_state=case.seed("samples"))
    observed = np.bincount(tree.query(density.to_frame(X))[1], minlength=_N_CELLS)
    cells = tree.query(density.points)[1]
    estimates = _N_SAMPLES * np.stack(
        [
            np.bincount(cell, weights=share, minlength=_N_CELLS)
            for cell, share in zip(cells, density.shares, strict=True)
        ]
    )
    # Counts are near enough to normal where five or more are expected.
    small = estimates.mean(axis=0) < 5.0
    observed, estimates = _pool(observed, small), _pool(estimates, small)
    expected = estimates.mean(axis=0)
    error = estimates.std(axis=0, ddof=1) / np.sqrt(len(estimates))
    _require_accuracy(case, error.sum(), expected.sum())
    # Nothing expected and nothing there is no discrepancy.
    variance = np.maximum(expected + error**2, 1e-300)
    statistic = ((observed - expected) ** 2 / variance).sum()
    p_value = chi2.sf(statistic, len(expected))
    misplaced = 0.5 * np.abs(observed - expected).sum() / _N_SAMPLES
    require(
        p_value >= _FALSE_ALARM,
        f"sample() does not follow score_samples(): chi-square {statistic:.4g} over "
        f"{len(expected)} cells, p = {p_value:.2g}; about {misplaced:.1%} of the "
        "samples are misplaced.",
    )


def check_standard_normal(case: Case) -> None:
    """On data that are standard normal already the density stays near the truth.

    Fitted on 1000 rows of N(0, I), the mean loss on 5000 new ones is at most
    ``max_normal_loss`` nats per feature.
    """
    case.require_continuous()
    d = case.X_train.shape[1]
    rng = case.rng("normal data")
    model = case.new().fit(rng.standard_normal((1000, d)))
    X = rng.standard_normal((5000, d))
    loss = np.mean(norm.logpdf(X).sum(axis=1) - model.score_samples(X)) / d
    require(
        loss <= case.max_normal_loss,
        f"On standard normal data {loss:.4f} nats per feature are lost (allowed: "
        f"max_normal_loss={case.max_normal_loss:g}).",
    )


def _pool(counts: NDArray, small: NDArray) -> NDArray:
    """Put the small cells, in the last axis, together."""
    if not small.any():
        return counts
    pooled = counts[..., small].sum(axis=-1, keepdims=True)
    return np.concatenate([counts[..., ~small], pooled], axis=-1)


def _require_accuracy(case: Case, error: float, value: float) -> None:
    """Fail where an integral cannot be trusted; skip where that is no surprise."""
    if not error > 0.1 * value:
        return
    message = f"The integral of the density is too uncertain: {value:.3g} ± {error:.2g}"
    if (d := case.X_train.shape[1]) > 3:
        raise SkipTest(f"{message}, in {d} dimensions.")
    raise AssertionError(f"{message}.")
