"""Integers and codes of rows of both kinds: what their density is."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from destructors.base_distributions import JointDistribution, Mixture, StandardNormal
from destructors.discrete._hidden_tree import HiddenTrees
from destructors.maps import IntegerTable
from destructors.maps._distributions import Distribution
from destructors.maps._gaussians import Gaussians
from destructors.maps._mixed_mixture import CodesFirst, MixedMixture
from destructors.rows import Fold, Rows

# Hidden trees with a share of less are left out, and those whose share gains less on
# all held-out rows together, in nats: one parameter costs as much.
_LEAST_SHARE, _LEAST_GAIN, _N_STEPS = 0.01, 2.0, 50


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
    return Discrete(mixture.without(Gaussians), np.flatnonzero(kinds != 0))


def choose_codes(
    fold: Fold, mixtures: tuple[MixedMixture, MixedMixture], seed: int, go_on: bool
) -> Discrete:
    """Return the marginal of a mixture, with hidden trees where held-out rows gain.

    The two err at different rows: codes follow one or the other, by shares that are
    best for the held-out rows.

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
    own = mixtures[0].without(Gaussians, IntegerTable)
    logs = own.logpdf(test.values)
    trees = HiddenTrees(Fold(train, test), "auto", seed, logs)
    share = _find_share(logs, trees.logs, test.weights)
    if share < _LEAST_SHARE:
        return last

    def pool(mixture: MixedMixture) -> Distribution:
        codes = mixture.without(Gaussians, IntegerTable), trees.to_distribution()
        both = Mixture(np.array([1.0 - share, share]), codes)
        if not (kinds < 0).any():
            return both
        return CodesFirst(both, mixture.without(Gaussians))

    score = all_held_out.score(pool(mixtures[0]))
    if go_on:
        trees.go_on(_join(train, test))
    return Discrete(pool(mixtures[1]), last.columns, score)


def _find_share(first: NDArray, second: NDArray, weight: NDArray) -> float:
    """Return the share of the second of two densities that is best for some rows.

    Parameters
    ----------
    first, second : ndarray of shape (n_samples,)
        Log densities of the rows under each.
    weight : ndarray of shape (n_samples,)

    Returns
    -------
    share : float
        0.0 where the gain is none that a share by chance would not have.
    """
    share, weight_of = 0.5, weight / weight.sum()
    for _ in range(_N_STEPS):
        # A step of EM; the likelihood has one maximum.
        share = float(
            weight_of @ expit(second - first + np.log(share) - np.log1p(-share))
        )
        share = min(max(share, 1e-6), 1.0 - _LEAST_SHARE)
    pooled = np.logaddexp(first + np.log1p(-share), second + np.log(share))
    return share if weight @ (pooled - first) > _LEAST_GAIN else 0.0


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
