"""Checks of discrete destructors: what can be counted is counted, cell by cell."""

from __future__ import annotations

import itertools
from unittest import SkipTest

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from destructors.testing._case import Case, require

__all__ = [
    "check_permutation",
    "check_sample_probability",
    "check_total_probability",
]

_MAX_CELLS = 100_000
_N_SAMPLES = 20_000
# Chance that a right destructor fails, over the choice of seed.
_FALSE_ALARM = 1e-6


def check_permutation(case: Case) -> None:
    """The map is a permutation of the cells: every one is reached, and once.

    All rows of codes are inverted and transformed again; they must come back, and no
    two may have the same original.
    """
    Z = _latent_cells(case)
    X = case.model.inverse_transform(Z)
    require(len(np.unique(X, axis=0)) == len(Z), "Two latent rows have one original.")
    back = case.model.transform(X)
    require(
        np.array_equal(back, Z),
        f"T(T⁻¹(z)) is not z for {np.mean((back != Z).any(axis=1)):.1%} of all cells.",
    )


def check_total_probability(case: Case) -> None:
    """The probabilities of all cells sum to one, to 1e-10."""
    scores = case.model.score_samples(case.model.inverse_transform(_latent_cells(case)))
    total = np.exp(scores).sum()
    require(
        abs(total - 1.0) <= 1e-10, f"exp(score_samples) sums to {total:.12g}, not 1."
    )


def check_sample_probability(case: Case) -> None:
    """Samples follow the probabilities, by a chi-square test over all cells.

    Cells with a value that was not seen, if the destructor knows such, are not drawn.
    The false-alarm rate is 1e-6.
    """
    model, cells = case.model, case.model.inverse_transform(_latent_cells(case))
    if hasattr(model, "categories_"):
        cells = np.array(list(itertools.product(*model.categories_)))
    probability = np.exp(model.score_samples(cells))
    probability /= probability.sum()
    X = model.sample(_N_SAMPLES, random_state=case.seed("samples"))
    stacked, place = np.unique(np.vstack([cells, X]), axis=0, return_inverse=True)
    require(
        len(stacked) == len(cells), "sample gives rows whose categories do not exist."
    )
    place = place.ravel()
    observed = np.bincount(place[len(cells) :], minlength=len(cells))[
        place[: len(cells)]
    ]
    expected = _N_SAMPLES * probability
    # Counts are near enough to normal where five or more are expected.
    small = expected < 5.0
    if small.any():
        observed = np.append(observed[~small], observed[small].sum())
        expected = np.append(expected[~small], expected[small].sum())
    statistic = ((observed - expected) ** 2 / expected).sum()
    p_value = chi2.sf(statistic, max(len(expected) - 1, 1))
    require(
        p_value >= _FALSE_ALARM,
        f"sample() does not follow score_samples(): chi-square {statistic:.4g} over "
        f"{len(expected)} cells, p = {p_value:.2g}.",
    )


def _latent_cells(case: Case) -> NDArray:
    """Return all rows of codes; skip where there are too many."""
    sizes = [np.shape(p)[-1] for p in case.model.base_distribution_.probabilities]
    if (n_cells := np.prod(sizes, dtype=float)) > _MAX_CELLS:
        raise SkipTest(f"{n_cells:.3g} cells are too many to go through.")
    return np.array(list(itertools.product(*map(range, sizes))))
