"""Mixtures of numbers, integers and codes: the number of classes, and the last fit."""

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from destructors.greedy import Progress
from destructors.mixture._mixed_average import average
from destructors.mixture._mixed_counts import Strength
from destructors.mixture._mixed_em import MixedEM, Table
from destructors.mixture._mixed_number import MixedNumbers, Part, mean_logpdf, pull_in
from destructors.mixture._number import numbers_to_try
from destructors.rows import Rows, make_splits, weighted_mean

# Of fewer rows a tenth tells little: all of them are held out in turn.
_FEW_ROWS, _N_FOLDS = 600, 5
# All codes together count as so many columns of numbers.
_SIZE_OF_CODES = 4


class MixedSettings(NamedTuple):
    """How a mixture is fitted; names are those of `MixtureDensity`.

    With ``n_folds`` it is the mean of mixtures, each fitted without one fold.
    """

    n_components: int | Sequence[int] | str = "auto"
    tol: float = 1e-3
    reg_covar: float = 1e-6
    max_iter: int = 200
    validation_fraction: float = 0.1
    n_folds: int | None = None

    def start(self, table: Table, strength: Strength) -> MixedEM:
        """Return what fits mixtures to a table."""
        return MixedEM(table, self.tol, self.reg_covar, self.max_iter, strength)


class MixedSearch:
    """The search for a number of classes and their smoothing, by held-out rows.

    Parameters
    ----------
    splits : sequence of (Rows, Rows) tuples
        Rows to fit to and rows to judge by: different ones, numbers about one wide.
    how : MixedSettings
        How.
    seed : int
        Of directions along which classes are split.
    progress : Progress
        To be told of each number of classes.
    n_rows : int
        Number of all different rows; there are no more classes.

    Attributes
    ----------
    scores : dict of int to float
        Held-out mean log density for each number that was tried, in nats.
    criterion : float
        The best of them, if no number of the held-out rows were far out.
    n_classes : int
        The number that is best.
    """

    def __init__(
        self,
        splits: Sequence[tuple[Rows, Rows]],
        how: MixedSettings,
        seed: int,
        progress: Progress,
        n_rows: int,
    ):
        self._how, self._seed = how, seed
        parts = [self._part(*split) for split in splits]
        is_chosen = not isinstance(how.n_components, Integral)
        size = _class_size(splits[0][0])
        numbers: Any = numbers_to_try(how.n_components, n_rows, size)
        # Each begins with half as many.
        smaller = {2**i for i in range(numbers[-1].bit_length()) if 2**i < numbers[-1]}
        numbers = sorted({1, *numbers} if is_chosen else smaller.union(numbers))
        self._numbers = MixedNumbers(numbers, how.start, is_chosen)
        self._best, scores = self._numbers.choose(parts, progress)
        self._n_splits, self.n_classes = len(parts), self._best.n_classes
        shift = np.mean([_mean_log_det(part.held_out) for part in parts])
        self.scores = {k: float(each.validation + shift) for k, each in scores.items()}
        shift = np.mean([_mean_log_det(part.within) for part in parts])
        self.criterion = float(max(each.criterion for each in scores.values()) + shift)

    def _part(self, train: Rows, held_out: Rows) -> Part:
        table = Table(train)
        axes = table.axes(np.random.RandomState(self._seed))
        return Part(table, axes, held_out, pull_in(held_out, train))

    def fit(self, rows: Rows) -> MixedEM:
        """Return the fit of what was found best to rows."""
        if self._how.n_folds is not None and len(rows) >= self._how.n_folds:
            return self._average(rows, self._how.n_folds)
        if self._n_splits > 1:
            return self._numbers.grow(self._part(rows, rows), self._best)
        table = Table(rows)
        return self._how.start(table, self._best.strength).fit_from(self._best.mixture)

    def _average(self, rows: Rows, n_folds: int) -> MixedEM:
        """Return the mean of mixtures that were each fitted without one fold."""
        table = Table(rows)
        axes = table.axes(np.random.RandomState(self._seed))
        fits = []
        for _, held_out in make_splits(_whole(rows), n_folds, 0.0, self._seed):
            weight = rows.weights.copy()
            # In its place a row without weight keeps tables of one shape.
            weight[held_out] = 0.0
            part = Table(replace(rows, weight=weight), table.forest)
            fits.append(self._numbers.grow(Part(part, axes, rows, rows), self._best))
        em = self._how.start(table, self._best.strength)
        em.mixture = average([fit.mixture for fit in fits])
        em.lower_bound = mean_logpdf(em.mixture, rows)
        em.n_iter = max(fit.n_iter for fit in fits)
        em.converged = all(fit.converged for fit in fits)
        return em


def _mean_log_det(rows: Rows) -> float:
    return weighted_mean(rows.log_det, rows.weight)


def _class_size(rows: Rows) -> int:
    """Return as how many columns of numbers the columns of a class count.

    Only numbers have covariances; of codes a class learns no more than its rows tell.
    """
    is_number = (
        np.ones(rows.n_features, bool) if rows.kinds is None else rows.kinds == 0
    )
    return max(int(is_number.sum()), min(_SIZE_OF_CODES, rows.n_features))


def unique(rows: Rows) -> Rows:
    """Return the different rows, each with the weight of all that equal it."""
    values, weight, _ = _whole(rows).unique()
    values, missing = np.hsplit(values, 2)
    values = np.where(missing > 0, np.nan, values)
    return Rows.of(
        values, weight, kinds=rows.kinds, names=rows.names, n_jobs=rows.n_jobs
    )


def hold_out(
    rows: Rows, validation_fraction: float, seed: int
) -> list[tuple[Rows, Rows]]:
    """Return rows to fit to and rows to judge by: one pair, or a few of few rows."""
    if len(rows) == 1:
        # A single row has to serve as both.
        return [(rows, rows)]
    n_folds = min(_N_FOLDS, len(rows)) if len(rows) < _FEW_ROWS else None
    splits = make_splits(_whole(rows), n_folds, validation_fraction, seed)
    return [(rows.take(train), rows.take(test)) for train, test in splits]


def _whole(rows: Rows) -> Rows:
    """Return rows without holes, which hash as those with holes should."""
    missing = np.isnan(rows.values)
    values = np.where(missing, 0.0, rows.values)
    return replace(rows, values=np.hstack([values, missing]), kinds=None, names=None)
