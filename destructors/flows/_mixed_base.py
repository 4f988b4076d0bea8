"""Integers and codes of rows of both kinds: what their density is."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.base_distributions import JointDistribution, StandardNormal
from destructors.discrete._hidden_tree import HiddenTrees
from destructors.maps._distributions import Distribution
from destructors.maps._mixed_mixture import CodesFirst, MixedMixture
from destructors.rows import Fold, Rows


class Discrete(NamedTuple):
    """The integers and codes of a table.

    Attributes
    ----------
    distribution : Distribution
        Of these columns.
    columns : ndarray of int
        Their positions.
    held_out : float
        Mean log probability of held-out rows, in nats.
    """

    distribution: Distribution
    columns: NDArray
    held_out: float = np.nan

    def join(self, n_features: int) -> Distribution:
        """Return the base distribution of all columns: the others are normal."""
        numbers = np.setdiff1d(np.arange(n_features), self.columns)
        if not len(numbers):
            return self.distribution
        normal = StandardNormal(len(numbers))
        return JointDistribution((self.distribution, normal), (self.columns, numbers))


def of_mixture(mixture: MixedMixture, kinds: NDArray) -> Discrete:
    """Return the marginal of a mixture."""
    return Discrete(mixture.without_numbers(), np.flatnonzero(kinds != 0))


def choose_codes(
    fold: Fold, mixtures: tuple[MixedMixture, MixedMixture], seed: int, go_on: bool
) -> Discrete:
    """Return the marginal of a mixture, or hidden trees where held-out rows gain.

    Parameters
    ----------
    fold : Fold
        Rows of both kinds.
    mixtures : tuple of MixedMixture
        One that was fitted to the training rows of the fold, and the one to take.
    seed : int
        Of hidden trees.
    go_on : bool
        Whether these learn from the held-out rows as well in the end.
    """
    kinds, held_out = fold.train.kinds, fold.validation
    assert kinds is not None
    known, last = (of_mixture(mixture, kinds) for mixture in mixtures)
    if held_out is None:
        return last
    all_held_out = held_out.columns(last.columns)
    last = last._replace(held_out=all_held_out.score(known.distribution))
    columns = np.flatnonzero(kinds > 0)
    if len(columns) < 2:
        return last
    train, test = (_codes(part, columns) for part in (fold.train, held_out))
    alone = np.full((len(test), len(known.columns)), np.nan)
    alone[:, np.searchsorted(known.columns, columns)] = test.values
    rival = known.distribution.logpdf(alone)
    trees = HiddenTrees(Fold(train, test), "auto", seed, rival)
    if not trees.is_better():
        return last

    def with_integers(mixture: Any) -> Distribution:
        codes = trees.to_distribution()
        return CodesFirst(codes, mixture) if (kinds < 0).any() else codes

    score = all_held_out.score(with_integers(known.distribution))
    if go_on:
        trees.go_on(_join(train, test))
    return Discrete(with_integers(last.distribution), last.columns, score)


def _join(train: Rows, test: Rows) -> Rows:
    """Return the different rows of both."""
    values = np.concatenate([train.values, test.values])
    both = Rows.of(values, np.concatenate([train.weights, test.weights]))
    assert train.kinds is not None
    return _codes(replace(both, kinds=train.kinds), np.arange(values.shape[1]))


def _codes(rows: Rows, columns: NDArray) -> Rows:
    """Return the different rows of some columns of codes."""
    values, weight, _ = rows.columns(columns).unique()
    assert rows.kinds is not None
    codes = values.astype(np.int64)
    return Rows.of(codes, weight, kinds=rows.kinds[columns], n_jobs=rows.n_jobs)
