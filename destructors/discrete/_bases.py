"""Learning base distributions of codes: independent columns, and a tree of pairs."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.base_distributions import ChowLiuTree, IndependentCategorical
from destructors.discrete._counts import Layout, count_places, find_parents
from destructors.rows import Fold, Rows

# Less than the least would gain nothing on held-out rows of the kind that was trained
# on, and lose much on others.
_ALPHAS = (0.1, 0.3, 1.0, 3.0, 10.0)
# Pairs of columns with more cells than this are never linked.
_MAX_CELLS = 2**20


class BaseCounts(NamedTuple):
    """What the probabilities of a base are made of, whatever the smoothing.

    Attributes
    ----------
    layout : Layout
        Of the columns, linked as in the base.
    counts : ndarray of shape (n_places,)
        Weights of the rows at each place.
    """

    layout: Layout
    counts: NDArray

    @classmethod
    def of(cls, rows: Rows, structure: str) -> "BaseCounts":
        """Count codes, and with ``structure="chow-liu"`` pairs along the best tree."""
        parents = None if structure == "independent" else find_parents(rows, _MAX_CELLS)
        layout = Layout.of(rows, parents)
        places, everyone = layout.places(rows.values), np.arange(len(rows))
        return cls(layout, count_places(places, rows.weights, everyone, layout))

    def base(self, alpha: float) -> IndependentCategorical | ChowLiuTree:
        """Return the distribution, smoothed by ``alpha`` pseudo-counts a category.

        A conditional gets as many pseudo-counts as a column alone, half of them shared
        out as the feature's own distribution is, and half evenly: else what is rare
        anywhere would be all but impossible.
        """
        layout, counts = self
        own = np.split(counts[: layout.n_codes], layout.starts[1:-1])
        tables = [(n + alpha) / (n.sum() + alpha * len(n)) for n in own]
        if not layout.has_links:
            return IndependentCategorical(tuple(tables))
        for j in np.flatnonzero(layout.parents >= 0):
            p = tables[j]
            joint = counts[layout.cells[j] : layout.cells[j + 1]].reshape(-1, len(p))
            prior = 0.5 * alpha * (len(p) * p + 1.0)
            mass = joint.sum(axis=1, keepdims=True) + prior.sum()
            tables[j] = (joint + prior) / mass
        return ChowLiuTree(layout.parents, tuple(tables))


def list_bases(structure: str, alpha: float | str) -> list[tuple[str, float]]:
    """Return the structures and smoothings that two parameters leave open: "auto"
    stands for all.
    """
    structures = ("independent", "chow-liu") if structure == "auto" else (structure,)
    alphas = _ALPHAS if isinstance(alpha, str) else (float(alpha),)
    return [(structure, alpha) for structure in structures for alpha in alphas]


def score_bases(fold: Fold, bases: Sequence[tuple[str, float]]) -> NDArray:
    """Return the mean log probability of the held-out rows under each base, fitted on
    the training rows, in nats; NaN where nothing is held out.
    """
    if fold.validation is None:
        return np.full(len(bases), np.nan)
    structures = dict.fromkeys(structure for structure, _ in bases)
    counts = {
        structure: BaseCounts.of(fold.train, structure) for structure in structures
    }
    return np.array(
        [
            fold.validation.score(counts[structure].base(alpha))
            for structure, alpha in bases
        ]
    )
