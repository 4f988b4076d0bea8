"""Base distributions fitted to codes."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from destructors.base_distributions import ChowLiuTree, IndependentCategorical
from destructors.discrete._pairs import count_codes, find_parents
from destructors.rows import Fold, Rows

HIDDEN = "hidden-tree"
STRUCTURES = ("independent", "chow-liu", HIDDEN)
# Less than the least would gain nothing on held-out rows of the kind that was trained
# on, and lose much on others.
_ALPHAS = (0.1, 0.3, 1.0, 3.0, 10.0)
# Pairs of columns with more cells than this are never linked.
_MAX_CELLS = 2**20


def structures_of(structure: str | Sequence[str], name: str) -> tuple[str, ...]:
    """Return the structures that a parameter leaves open; "auto" stands for all."""
    if isinstance(structure, str):
        return STRUCTURES if structure == "auto" else (structure,)
    wrong = [each for each in structure if each not in STRUCTURES]
    if wrong or not len(structure):
        raise ValueError(
            f"{name} must name some of {list(STRUCTURES)}, got {list(structure)}."
        )
    return tuple(each for each in STRUCTURES if each in structure)


def list_bases(
    structures: Sequence[str], alpha: float | str
) -> list[tuple[str, float]]:
    """Return the structures without hidden states and the smoothings to choose from."""
    alphas = _ALPHAS if isinstance(alpha, str) else (float(alpha),)
    return list(product([each for each in structures if each != HIDDEN], alphas))


def fit_bases(rows: Rows, bases: Sequence[tuple[str, float]]) -> list[Any]:
    """Return distributions fitted on codes, one for each structure and smoothing.

    Each category has ``alpha`` pseudo-counts. A conditional gets as many as a column
    alone, half of them shared out as the feature's own distribution is, and half
    evenly: else what is rare anywhere would be all but impossible.
    """
    own, joint = [count_codes(rows, j) for j in range(rows.n_features)], {}
    if any(structure == "chow-liu" for structure, _ in bases):
        parents = find_parents(rows, _MAX_CELLS)
        for j in np.flatnonzero(parents >= 0):
            joint[j] = count_codes(rows, j, parents[j])
    found: list[Any] = []
    for structure, alpha in bases:
        tables = [(n + alpha) / (n.sum() + alpha * len(n)) for n in own]
        if structure == "independent" or not joint:
            found.append(IndependentCategorical(tuple(tables)))
            continue
        for j, counts in joint.items():
            prior = 0.5 * alpha * (len(tables[j]) * tables[j] + 1.0)
            mass = counts.sum(axis=1, keepdims=True) + prior.sum()
            tables[j] = (counts + prior) / mass
        found.append(ChowLiuTree(parents, tuple(tables)))
    return found


def score_bases(fold: Fold, bases: Sequence[tuple[str, float]]) -> NDArray:
    """Return the mean log probability of the held-out rows under each base, fitted on
    the training rows, in nats; NaN where nothing is held out.
    """
    if fold.validation is None:
        return np.full(len(bases), np.nan)
    return np.array([fold.validation.score(b) for b in fit_bases(fold.train, bases)])
