"""Checks of the density: that it is one, and the one that is sampled from.

Densities are integrated over space, cells of codes are counted one by one.
"""

import itertools
from functools import partial
from unittest import SkipTest

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import ndtri
from scipy.stats import chi2, kstest, norm

from destructors.base_distributions import StandardNormal
from destructors.testing._case import Case, require, require_close

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
    model = case.model
    Z = model.transform(model.sample(_N_SAMPLES, random_state=case.seed("samples")))
    if type(model.base_distribution_) is not StandardNormal:
        Z = ndtri(Z)
    d = Z.shape[1]
    directions = case.rng("projections").standard_normal((d, _N_DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    lengths = kstest((Z**2).sum(axis=1), chi2(d).cdf).pvalue
    views = np.hstack([Z, Z @ directions])
    p_values = np.append(kstest(views, norm.cdf).pvalue, lengths)
    found = f"transform(sample()) does not follow the base: p-values {p_values}."
    require(p_values.min() >= _FALSE_ALARM / len(p_values), found)


def check_integral(case: Case) -> None:
    """The density integrates to one.

    The integral must be 1 to within 0.01 plus six standard errors of its estimate,
    which in two dimensions is good to some 0.001.
    """
    totals = case.planar.density_points[1].sum(axis=1)
    value, error = totals.mean(), totals.std(ddof=1) / np.sqrt(len(totals))
    _require_accuracy(case.planar, error, value)
    found = f"exp(score_samples) integrates to {value:.4g} ± {error:.2g}."
    require(abs(value - 1.0) <= 0.01 + 6.0 * error, found)


def check_sample_density(case: Case) -> None:
    """Samples follow the density.

    Space is cut into 32 cells; a chi-square test compares the number of samples in each
    with the integral of ``exp(score_samples)`` over it, the error of which counts as
    well. The false-alarm rate is 1e-6.
    """
    case = case.planar
    points, shares = case.density_points
    # A cell is what lies nearest to one of these samples; others are counted.
    centres = case.model.sample(_N_CELLS, random_state=case.seed("cells"))
    tree = cKDTree(centres / case.scale)
    X = case.model.sample(_N_SAMPLES, random_state=case.seed("samples"))
    count = partial(np.bincount, minlength=_N_CELLS)
    observed = count(tree.query(X / case.scale)[1])
    cells = tree.query(points / case.scale)[1]
    estimates = [count(*each) for each in zip(cells, shares, strict=True)]
    _require_counts(case, observed, np.array(estimates))


def check_standard_normal(case: Case) -> None:
    """On data that are standard normal already the density stays near the truth.

    Fitted on 1000 rows of N(0, I), the mean loss on 5000 new ones is at most
    ``max_normal_loss`` nats per feature.
    """
    d = case.X_train.shape[1]
    rng = case.rng("normal data")
    model = case.new().fit(rng.standard_normal((1000, d)))
    X = rng.standard_normal((5000, d))
    loss = np.mean(norm.logpdf(X).sum(axis=1) - model.score_samples(X)) / d
    lost = f"On standard normal data {loss:.4f} nats per feature are lost."
    require(loss <= case.max_normal_loss, lost)


# ---------------------------------------------------------------------- codes


def check_permutation(case: Case) -> None:
    """The map is a permutation of the cells: every one is reached, and once.

    All rows of codes are inverted and transformed again, and must come back: then no
    two have the same original.
    """
    Z = _latent_cells(case)
    lost = (case.model.transform(case.model.inverse_transform(Z)) != Z).any(axis=1)
    require(not lost.any(), f"T(T⁻¹(z)) is not z for {lost.mean():.1%} of all cells.")


def check_total_probability(case: Case) -> None:
    """The probabilities of all cells sum to one, to 1e-10."""
    scores = case.model.score_samples(case.model.inverse_transform(_latent_cells(case)))
    require_close(np.exp(scores).sum(), 1.0, 1e-10, "The sum of exp(score_samples)")


def check_sample_probability(case: Case) -> None:
    """Samples follow the probabilities, by a chi-square test over all cells.

    Cells with a value that was not seen, if the destructor knows such, are not drawn.
    The false-alarm rate is 1e-6.
    """
    model, cells = case.model, case.model.inverse_transform(_latent_cells(case))
    if hasattr(model, "categories_"):
        cells = np.array(list(itertools.product(*model.categories_)))
    probability = np.exp(model.score_samples(cells))
    X = model.sample(20_000, random_state=case.seed("samples"))
    both = np.vstack([cells, X])
    rows, first, counts = np.unique(both, axis=0, return_index=True, return_counts=True)
    require(len(rows) == len(cells), "sample draws categories that do not exist.")
    shares = probability[first] / probability.sum()
    _require_counts(case, counts - 1, shares[None])


def _latent_cells(case: Case) -> NDArray:
    """Return all rows of codes; skip where there are too many."""
    sizes = case.model.base_distribution_.n_categories.tolist()
    if (n_cells := np.prod(sizes, dtype=float)) > 100_000:
        raise SkipTest(f"{n_cells:.3g} cells are too many to go through.")
    return np.array(list(itertools.product(*map(range, sizes))))


# ---------------------------------------------------------------------- counts


def _require_counts(case: Case, observed: NDArray, shares: NDArray) -> None:
    """Raise AssertionError if counts of samples do not follow the density.

    Parameters
    ----------
    case : Case
    observed : ndarray of shape (n_cells,)
        Number of samples in each cell.
    shares : ndarray of shape (n_estimates, n_cells)
        Estimates of the probability of each cell; their spread tells the error. A
        single one is exact, and sums to one.
    """
    n_samples = observed.sum()
    estimates = n_samples * shares
    # Counts are near enough to normal where five or more are expected.
    small = estimates.mean(axis=0) < 5.0
    if small.any():
        pooled = estimates[:, small].sum(axis=1)
        estimates = np.column_stack([estimates[:, ~small], pooled])
        observed = np.append(observed[~small], observed[small].sum())
    expected = estimates.mean(axis=0)
    error = estimates.std(axis=0) / np.sqrt(max(len(estimates) - 1, 1))
    _require_accuracy(case, error.sum(), expected.sum())
    # Nothing expected and nothing there is no discrepancy.
    variance = np.maximum(expected + error**2, 1e-300)
    statistic = ((observed - expected) ** 2 / variance).sum()
    p_value = chi2.sf(statistic, max(len(expected) - (len(shares) == 1), 1))
    misplaced = 0.5 * np.abs(observed - expected).sum() / n_samples
    require(
        p_value >= _FALSE_ALARM,
        f"sample() does not follow score_samples(): p = {p_value:.2g} by chi-square, "
        f"{len(expected)} cells; about {misplaced:.1%} of the samples are misplaced.",
    )


def _require_accuracy(case: Case, error: float, value: float) -> None:
    """Fail where an integral cannot be trusted; skip where that is no surprise."""
    if not error > 0.1 * value:
        return
    message = f"The integral of the density is too uncertain: {value:.3g} ± {error:.2g}"
    if (d := case.X_train.shape[1]) > 3:
        raise SkipTest(f"{message}, in {d} dimensions.")
    raise AssertionError(f"{message}.")
