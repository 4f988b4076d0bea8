"""Mixtures of hidden trees: size, smoothing and number by held-out rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from destructors.discrete._hidden_em import HiddenTreeEM
from destructors.discrete._pairs import find_parents
from destructors.maps import _hidden_tree
from destructors.rows import Fold, Rows, is_over

# Numbers of classes that are tried, in turn, while held-out rows gain.
_SIZES = (2, 4, 8, 16, 32)
# Each class has at least so many different rows, where the number is not the least.
_ROWS_PER_CLASS = 8
# Pseudo-counts: the first, and the factors by which others are tried.
_ALPHA, _FACTORS = 0.3, (5.0, 0.2)
# Times that the rows are gone through before a look at held-out ones, and at most.
_EPOCHS, _MOST_EPOCHS = 4, 40
# Share of the mean held-out log probability by which a fit has to gain to go on.
_TOL = 5e-4
# That many times more, while sizes are compared.
_ROUGH = 4.0
# Trees of the mixture: to find out which size is best, and at most.
_FEW_MEMBERS, _MOST_MEMBERS = 3, 8
# What is simpler is kept where trees gain less on held-out rows: in nats, and in
# standard errors of the mean gain.
_LEAST_GAIN, _LEAST_ERRORS = 1e-3, 2.0
# Multiplications of a whole search, about three minutes of one core.
_MOST_WORK = 4e12
# Pairs of columns with more cells than this are never linked, and neither are those
# with a column of more codes: each would be a table for each class.
_MAX_CELLS, _MAX_CODES = 2**20, 2**14


class HiddenTrees:
    """Hidden trees that are mixed with equal weights, in the making.

    Parameters
    ----------
    fold : Fold
        Unique codes, with held-out rows to choose by.
    alpha : float or "auto"
        Pseudo-count. "auto" chooses by held-out rows.
    seed : int
        Of all random draws.
    rival : ndarray of shape (n_validation_samples,), default=None
        Log probability of each held-out row under something simpler. Where no tree is
        better on average, the search ends with its size.

    Attributes
    ----------
    members : list of HiddenTreeEM
        The trees.
    logs : ndarray of shape (n_validation_samples,)
        Log probability of each held-out row, in nats.
    n_classes : int
        Number of classes that each tree has started from.
    alpha : float
        Pseudo-count.
    """

    def __init__(self, fold: Fold, alpha: Any, seed: int, rival: NDArray | None = None):
        assert fold.validation is not None
        self.rows, self.held_out, self.seed = fold.train, fold.validation, seed
        self.left = _MOST_WORK
        self.alpha = _ALPHA if isinstance(alpha, str) else float(alpha)
        self._trees: dict[int, NDArray] = {}
        self._rival = rival
        found = self._search_size()
        if self.is_better(max(found, key=lambda em: self._mean(em.logs)).logs, 0.0):
            if isinstance(alpha, str):
                found = [self._search_alpha(em) for em in found]
            self._mix(found)
        else:
            self.members = found[:1]
            self.logs = found[0].logs
        self.n_classes = self.members[0].n_classes

    def is_better(
        self, logs: NDArray | None = None, least: float = _LEAST_GAIN
    ) -> bool:
        """Return whether trees gain more than chance would, against the rival.

        Parameters
        ----------
        logs : ndarray of shape (n_validation_samples,), default=None
            Log probabilities of the held-out rows; by default those of the members.
        least : float
            Gain in nats that would be too small.
        """
        if self._rival is None:
            return True
        weight = self.held_out.weights / self.held_out.total
        gains = self.logs if logs is None else logs
        gains = gains - self._rival
        mean = float(gains @ weight)
        if least == 0.0:
            return mean > 0.0
        # Of as many rows as the weights stand for.
        error = np.sqrt((gains - mean) ** 2 @ weight / self.held_out.total)
        return bool(mean > max(least, _LEAST_ERRORS * error))

    def score(self) -> float:
        """Return the mean log probability of the held-out rows, in nats."""
        return self._mean(self.logs)

    def go_on(self, rows: Rows) -> None:
        """Learn from these rows as well: training and held-out ones."""
        for em in self.members:
            em.read(rows)
            em.run(_EPOCHS)

    def to_distribution(self) -> Any:
        """Return what was learned, as a base distribution."""
        trees = tuple(em.to_distribution() for em in self.members)
        if len(trees) == 1:
            return trees[0]
        weights = np.full(len(trees), 1.0 / len(trees))
        return _hidden_tree.Mixture(weights, trees)

    # ------------------------------------------------------------------ search

    def _mean(self, logs: NDArray) -> float:
        return float(logs @ (self.held_out.weights / self.held_out.total))

    def _tree(self, member: int) -> NDArray:
        """Return a tree of columns: the best, or that of rows drawn with replacement.

        Trees differ where the data leave them open; a mixture need not decide.
        """
        if member not in self._trees:
            rows = self.rows
            if member:
                rng = np.random.RandomState(self._seed_of(member))
                weight = rng.standard_gamma(rows.weights)
                rows = rows.weighted(np.maximum(weight, 1e-9 * rows.weights))
            self._trees[member] = find_parents(rows, _MAX_CELLS, _MAX_CODES)
        return self._trees[member]

    def _seed_of(self, member: int) -> int:
        sequence = np.random.SeedSequence([self.seed, member])
        return int(sequence.generate_state(1)[0] >> 1)

    def _make(self, n_classes: int, member: int) -> HiddenTreeEM:
        part = self._tree(member), n_classes, self.alpha, self._seed_of(member)
        return HiddenTreeEM(self.rows, *part)

    def _train(
        self, em: HiddenTreeEM, n_epochs: int | None = None, tol: float = _TOL
    ) -> HiddenTreeEM:
        """Go through the rows while held-out ones gain, or a number of times."""
        if n_epochs is not None:
            em.run(n_epochs)
            self.left -= em.work * n_epochs
            em.logs = em.logpdf(self.held_out.values)
            return em
        # Finite: the least of all log probabilities.
        best, state = float(np.finfo(np.float32).min), em.state()
        if em.n_epochs:
            best = self._mean(em.logs)
        while em.n_epochs < _MOST_EPOCHS:
            em.run(_EPOCHS)
            self.left -= em.work * _EPOCHS
            logs = em.logpdf(self.held_out.values)
            score = self._mean(logs)
            if score > best:
                state, em.logs = em.state(), logs
            if not score > best + tol * abs(best) or self.left < 0 or is_over():
                break
            best = score
        em.restore(state)
        return em

    def _search_size(self) -> list[HiddenTreeEM]:
        """Return fits of the best number of classes, and of the next."""
        found: list[HiddenTreeEM] = []
        largest = max(_SIZES[0], len(self.rows) // _ROWS_PER_CLASS)
        for n_classes in _SIZES:
            if n_classes > largest or (found and is_over()):
                break
            em = self._make(n_classes, 0)
            if found and em.work * 2 * _EPOCHS > self.left:
                break
            # Which size is best shows before a fit has ended.
            found.append(self._train(em, tol=_ROUGH * _TOL))
            if len(found) > 1 and not self._gains(found[-2:]):
                return [self._train(em) for em in found[-2:]]
        return [self._train(em) for em in found[-1:]]

    def _gains(self, fits: Sequence[HiddenTreeEM]) -> bool:
        before, after = (self._mean(em.logs) for em in fits)
        return after > before + _TOL * abs(before)

    def _search_alpha(self, em: HiddenTreeEM) -> HiddenTreeEM:
        """Go on from a fit with other pseudo-counts, and return the best."""
        for factor in _FACTORS:
            if em.work * 2 * _EPOCHS > 0.2 * self.left or is_over():
                break
            other = em.with_alpha(em.alpha * factor)
            self._train(other, 2 * _EPOCHS)
            if self._gains([em, other]):
                return other
        return em

    def _mix(self, starts: Sequence[HiddenTreeEM]) -> None:
        """Add trees to each start, then to the best of these mixtures."""
        groups = [[em] for em in starts]
        for group in groups:
            self._extend(group, _FEW_MEMBERS if len(groups) > 1 else _MOST_MEMBERS)
        scores = [self._mean(_mean_of(group)) for group in groups]
        self.members = groups[int(np.argmax(scores))]
        self._extend(self.members, _MOST_MEMBERS)
        self.logs = _mean_of(self.members)
        self.alpha = self.members[0].alpha

    def _extend(self, group: list[HiddenTreeEM], most: int) -> None:
        """Add trees while held-out rows gain."""
        first = group[0]
        while len(group) < most and first.work * first.n_epochs < self.left:
            if is_over():
                break
            self.alpha = first.alpha
            em = self._train(self._make(first.n_classes, len(group)), first.n_epochs)
            before = self._mean(_mean_of(group))
            gain = self._mean(_mean_of([*group, em])) - before
            # A mixture has nothing to lose: a small gain is one.
            if not gain > 0.05 * _TOL * abs(before):
                break
            group.append(em)


def _mean_of(group: Sequence[HiddenTreeEM]) -> NDArray:
    """Return the log probabilities of rows under an even mixture."""
    return logsumexp([em.logs for em in group], axis=0) - np.log(len(group))
