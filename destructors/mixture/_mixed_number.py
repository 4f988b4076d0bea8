"""The search for the number of classes of a mixed mixture, and for their smoothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from destructors.greedy import (
    Greedy,
    InOrder,
    Progress,
    Scores,
    Stopping,
    Task,
    Trial,
)
from destructors.greedy._stopping import Never
from destructors.greedy._tails import TailedNormal
from destructors.maps._mixed_mixture import MixedMixture
from destructors.mixture._mixed_counts import Strength
from destructors.mixture._mixed_em import MixedEM, Table
from destructors.rows import Rows, weighted_mean

# Strengths to choose from, in rows.
_STRENGTHS = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0]
# Classes grow under no stronger smoothing: one that is best for few classes leaves no
# difference between more, and then there are never more.
_WHILE_GROWING = Strength(codes=10.0, pairs=100.0, integers=10.0)
# Numbers in a row that are worse than the best before the search ends, and the held-out
# nats for which a smaller one is taken.
_N_WORSE, _NO_LOSS = 2, 0.01


class Part(NamedTuple):
    """Rows of a fold.

    Attributes
    ----------
    table : Table
        What to fit to.
    axes : ndarray of shape (n_samples, n_axes)
        The same rows as numbers, along whose directions classes are split.
    held_out, within : Rows
        What to judge by; the same with no number far out, what to choose by.
    """

    table: Table
    axes: NDArray
    held_out: Rows
    within: Rows


class Found(NamedTuple):
    """What the search has found.

    Attributes
    ----------
    em : MixedEM
        The fit to the training rows of a fold.
    mixture : MixedMixture
        The same with the smoothing that is best.
    strength : Strength
        That smoothing, the same for all folds.
    n_classes : int
        Number of classes that were asked for.
    """

    em: MixedEM
    mixture: MixedMixture
    strength: Strength
    n_classes: int


class MixedNumbers(Task):
    """Mixtures of more and more classes: each takes the place of the one before.

    Parameters
    ----------
    numbers : sequence of int
        Numbers of classes, smallest first.
    start : callable
        Takes a `Table` and a `Strength`; returns a `MixedEM`.
    is_chosen : bool
        Whether held-out rows choose among the numbers; else the last is taken.
    """

    def __init__(
        self,
        numbers: Sequence[int],
        start: Callable[[Table, Strength], MixedEM],
        is_chosen: bool,
    ):
        self.numbers, self.start, self.is_chosen = numbers, start, is_chosen

    def choose(
        self, parts: Sequence[Part], progress: Progress
    ) -> tuple[Found, dict[int, Scores]]:
        """Try numbers one after the other.

        Parameters
        ----------
        parts : sequence of Part
            The folds.
        progress : Progress
            To be told of each number.

        Returns
        -------
        best : Found
            On the first fold.
        scores : dict of int to Scores
            Mean log densities for each number that was tried, in nats.
        """
        names = [f"{number} classes" for number in self.numbers]
        rule = Stopping(_N_WORSE, 0.0, enough=_NO_LOSS) if self.is_chosen else Never()
        engine = Greedy(
            self,
            names,
            schedule=InOrder(*names),
            stopping=rule,
            max_iter=len(names),
            progress=progress,
        )
        with progress.running(len(names)):
            engine.grow([(part, None) for part in parts])
        scores = dict(zip(self.numbers, engine.scores[1:], strict=False))
        engine.cut()
        return engine.steps[-1].layer, scores

    def grow(self, part: Part, found: Found) -> MixedEM:
        """Return a fit to other rows that does what was found best."""
        strength = _growing(found.strength)
        em = self.start(part.table, strength).fit_one()
        for number in self.numbers[1 : self.numbers.index(found.n_classes) + 1]:
            em = self.start(part.table, strength).split(em, number, part.axes)
        em.mixture = em.smoothed(found.strength)
        em.lower_bound = mean_logpdf(em.mixture, part.table.rows)
        return em

    def score(self, state: tuple[Part, Found | None]) -> Scores:
        """Return NaN: there is no mixture before the first."""
        return Scores(np.nan, np.nan, np.nan)

    def attempt(
        self, choice: int, states: Sequence[tuple[Part, Found | None]], *_: Any
    ) -> list[Trial]:
        """Fit more classes to each fold, from those before; see `Task.attempt`."""
        n_classes = self.numbers[choice]
        fits: list[MixedEM] = []
        for part, before in states:
            strength = _growing(before.strength) if before else Strength()
            em = self.start(part.table, strength)
            if before is None:
                fits.append(em.fit_one())
            else:
                fits.append(em.split(before.em, n_classes, part.axes))
        strength = _best_strength(fits, [part for part, _ in states])
        trials = []
        for em, (part, _before) in zip(fits, states, strict=True):
            now = Found(em, em.smoothed(strength), strength, n_classes)
            held_out = criterion = mean_logpdf(now.mixture, part.held_out)
            if part.within is not part.held_out:
                criterion = mean_logpdf(now.mixture, part.within)
            scores = Scores(em.lower_bound, held_out, criterion)
            trials.append(Trial(now, (part, now), scores))
        return trials


def _growing(strength: Strength) -> Strength:
    """Return the smoothing under which more classes are fitted."""
    return Strength(*map(min, strength, _WHILE_GROWING))


def _best_strength(fits: Sequence[MixedEM], parts: Sequence[Part]) -> Strength:
    """Return the smoothing that is best for held-out rows, one kind after the other."""

    def judge(strength: Strength) -> float:
        return sum(
            mean_logpdf(em.smoothed(strength), part.within)
            for em, part in zip(fits, parts, strict=True)
        )

    best = fits[0].strength
    for kind in fits[0].table.smoothed:
        tried = [best._replace(**{kind: rows}) for rows in _STRENGTHS]
        best = max([best, *tried], key=judge)
    return best


def mean_logpdf(mixture: MixedMixture, rows: Rows) -> float:
    """Return the mean log density of rows, in nats."""
    return weighted_mean(mixture.logpdf(rows.values), rows.weight)


def pull_in(rows: Rows, train: Rows) -> Rows:
    """Return rows none of whose numbers are farther out than normal ones would be, or
    than those of training rows are if that is more; what that takes of densities is
    added to the log-determinants; see `TailedNormal`.
    """
    numbers = slice(None) if rows.kinds is None else np.flatnonzero(rows.kinds == 0)
    known, values = train.values[:, numbers], rows.values.copy()
    mass = np.where(np.isnan(known), 0.0, train.weights[:, None])
    squares = (mass * np.nan_to_num(known) ** 2).sum(axis=0)
    scale = np.sqrt(np.fmax(squares / np.fmax(mass.sum(axis=0), 1e-300), 1.0))
    base = TailedNormal.of(rows.total * len(scale))
    within, loss = base.pull_in(values[:, numbers] / scale)
    if not np.any(loss):
        return rows
    values[:, numbers] = within * scale
    return replace(rows, values=values, log_det=rows.log_det + loss)
