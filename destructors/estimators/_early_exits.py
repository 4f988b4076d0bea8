"""Learn from held-out rows where rows may leave before they are scored in full."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from destructors.maps._exits import Exits
from destructors.maps._stages import Member, Stages

# Shares of the work after which rows may leave: closer together where most do.
_SHARES = np.array([1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 28]) / 32
# The wrong verdicts that are allowed are given out in so many portions at most.
_N_PORTIONS = 16
# Rows that are judged at once; how far sums of weights may be off.
_N_ROWS, _ROUNDING = 2**14, 1e-9


def learn_exits(
    members: Sequence[Member],
    held_out: Sequence[NDArray],
    scores: Sequence[NDArray],
    weights: Sequence[NDArray],
    chooses: Sequence[NDArray],
    offset: float,
    error: float,
) -> tuple[Exits, float]:
    """Learn exits from rows, each scored by a density that has not seen it.

    The threshold of an exit is a quantile of what is known there of the rows with the
    other verdict: of new rows like these, the share that is expected to leave wrongly
    is at most ``m / (n + 1)``, if ``m - 1`` of ``n`` did (Vovk, Gammerman and Shafer,
    *Algorithmic learning in a random world*, 2005, section 2.2). Which exits are
    opened, and how far, is chosen on rows of their own: greedily, each portion of the
    wrong verdicts goes where it saves the most work.

    Parameters
    ----------
    members : sequence of Density or MeanLogDensity
        The density of each fold.
    held_out, scores, weights, chooses : sequence of ndarray
        Rows of each fold, their full scores, their weights, and whether a row is one of
        those by which exits are chosen: thresholds are learned from the others, so that
        no exit is one that happens to look safe.
    offset : float
        The threshold, in nats.
    error : float
        Wrong verdicts that are allowed, as a share of the rows that are flagged.

    Returns
    -------
    exits : Exits
    cost : float
        Share of the work that is left, on average over these rows.
    """
    cuts = [Stages.of(member, _SHARES) for member in members]
    known = np.concatenate(
        [_judge_all(cut, X) for cut, X in zip(cuts, held_out, strict=True)]
    )
    fold = np.repeat(np.arange(len(cuts)), [len(X) for X in held_out])
    flagged, weight = np.concatenate(scores) < offset, np.concatenate(weights)
    chosen_by = np.concatenate(chooses)
    # Those that choose are taken for as many as the others: they have the same quotas.
    n_choose, n_flagged = weight[flagged & chosen_by].sum(), weight[flagged].sum()
    allowed = error * (n_flagged - n_choose)
    if n_choose == 0.0 or allowed < 1.0:
        return Exits(*np.empty((3, 0))), 1.0
    few = weight[chosen_by] * (n_flagged / n_choose - 1.0)
    search = _Known(cuts, fold[chosen_by], known[chosen_by], flagged[chosen_by], few)
    others = ~chosen_by
    rest = _Known(cuts, fold[others], known[others], flagged[others], weight[others])
    quotas = search.choose(allowed)
    used = quotas.any(axis=0)
    exits = Exits(_SHARES[used], *rest.thresholds(quotas)[:, used])
    return exits, rest.cost(quotas)


class _Known:
    """What is known of rows at each exit, and what they let expect of others.

    Parameters
    ----------
    cuts : list of Stages
        The density of each fold.
    fold, known, flagged, weight : ndarray of shape (n_samples, ...)
        Of each row the fold, what is known at each exit, the verdict, and the weight.
    """

    def __init__(
        self,
        cuts: list[Stages],
        fold: NDArray,
        known: NDArray,
        flagged: NDArray,
        weight: NDArray,
    ):
        self._fold, self._known, self._weight = fold, known, weight
        stages = [cut.stages for cut in cuts]
        self._ends = np.cumsum([[s.work for s in own] for own in stages], axis=1).T
        self._probes = np.array([[s.probe_work for s in own] for own in stages]).T
        # Of the rows that leave as outliers, those are wrong that are none.
        self._tails = [
            [_sort(sign * known[wrong, j], weight[wrong]) for j in range(len(_SHARES))]
            for sign, wrong in ((-1.0, ~flagged), (1.0, flagged))
        ]

    def thresholds(self, quotas: NDArray) -> NDArray:
        """Return thresholds of each exit, given the wrong verdicts for each side."""
        low, high = (
            np.array([_quantile(*tail, m) for tail, m in zip(side, own, strict=True)])
            for side, own in zip(self._tails, quotas, strict=True)
        )
        return np.stack([np.minimum(-low, high), high])

    def cost(self, quotas: NDArray) -> float:
        """Return the mean share of the work that a row takes."""
        low, high = self.thresholds(quotas)
        left, n_folds = self._weight / self._weight.sum(), self._ends.shape[1]
        total, done = 0.0, np.zeros(n_folds)
        for j in np.flatnonzero(quotas.any(axis=0)):
            work = self._ends[j] - done + self._probes[j]
            total += np.bincount(self._fold, left, n_folds) @ work
            known, done = self._known[:, j], self._ends[j]
            left = np.where((known < low[j]) | (known > high[j]), 0.0, left)
        return float(total + np.bincount(self._fold, left, n_folds) @ (1.0 - done))

    def choose(self, allowed: float) -> NDArray:
        """Allot wrong verdicts, each portion where it saves the most work.

        Returns
        -------
        quotas : ndarray of shape (2, n_exits)
            Number of rows that may leave wrongly as outliers, and as none.
        """
        quotas, least = np.zeros((2, len(_SHARES))), 1.0
        portion = max(1.0, allowed / _N_PORTIONS)
        places = [(side, j) for side in range(2) for j in range(len(_SHARES))]
        while quotas.sum() + portion <= allowed * (1.0 + _ROUNDING):
            costs = []
            for place in places:
                more = quotas.copy()
                more[place] += portion
                costs.append(self.cost(more))
            if min(costs) >= least:
                break
            least = min(costs)
            quotas[places[costs.index(least)]] += portion
        return quotas


def _judge_all(cut: Stages, X: NDArray) -> NDArray:
    """Return what is known of rows at each exit."""
    known = np.empty((len(X), len(_SHARES)))
    for first in range(0, len(X), _N_ROWS):
        block = slice(first, first + _N_ROWS)
        rows, total = cut.enter(X[block])
        for j in range(len(_SHARES)):
            rows, total = cut.step(j, rows, total)
            known[block, j] = cut.judge(j, rows, total)
    return known


def _sort(known: NDArray, weight: NDArray) -> tuple[NDArray, NDArray]:
    """Return values, largest first, and the weight of each and of those before."""
    order = np.argsort(-known, kind="stable")
    return known[order], np.cumsum(weight[order])


def _quantile(known: NDArray, mass: NDArray, given: float) -> float:
    """Return the value above which there is a given weight less one at most."""
    if given == 0.0 or not len(known):
        return np.inf
    most = (given - 1.0) * (1.0 + _ROUNDING)
    place = int(np.searchsorted(mass, most, side="right"))
    return float(known[min(place, len(known) - 1)])
