"""The search for the number of classes of a mixed mixture, and for their smoothing."""

from collections.abc import Sequence
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
from destructors.maps._mixed_mixture import MixedMixture
from destructors.mixture._mixed_counts import Strength
from destructors.mixture._mixed_em import MixedEM
from destructors.rows import Rows

# Strengths to choose from, in rows.
_STRENGTHS = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0]
# Numbers in a row that are worse than the best before the search ends, and the held-out
# nats for which a smaller one is taken.
_N_WORSE, _NO_LOSS = 2, 0.01


class Found(NamedTuple):
    """What the search has found.

    Attributes
    ----------
    em : MixedEM
        The fit to the training rows.
    mixture : MixedMixture
        The same with the smoothing that is best.
    strength : Strength
        That smoothing.
    """

    em: MixedEM
    mixture: MixedMixture
    strength: Strength


class MixedNumbers(Task):
    """Mixtures of more and more classes: each takes the place of the one before.

    Parameters
    ----------
    numbers : sequence of int
        Numbers of classes, smallest first.
    start : callable
        Takes a strength; returns a `MixedEM` of the training rows.
    axes : ndarray of shape (n_samples, n_axes)
        The training rows as numbers, along whose directions classes are split.
    is_chosen : bool
        Whether held-out rows choose among the numbers; else the last is taken.
    """

    def __init__(
        self, numbers: Sequence[int], start: Any, axes: NDArray, is_chosen: bool
    ):
        self.numbers, self.start = numbers, start
        self.axes, self.is_chosen = axes, is_chosen

    def choose(self, held_out: Rows, progress: Progress) -> tuple[Found, dict]:
        """Try numbers one after the other.

        Parameters
        ----------
        held_out : Rows
            What to choose by.
        progress : Progress
            To be told of each number.

        Returns
        -------
        best : Found
        scores : dict of int to float
            Held-out mean log density for each number that was tried, in nats.
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
            engine.grow([(held_out, None)])
        scores = dict(zip(self.numbers, engine.validation_scores[1:], strict=False))
        engine.cut()
        return engine.steps[-1].layer, scores

    def score(self, state: tuple[Rows, Found | None]) -> Scores:
        """Return NaN: there is no mixture before the first."""
        return Scores(np.nan, np.nan, np.nan)

    def attempt(
        self, choice: int, states: Sequence[tuple[Rows, Found | None]], *_: Any
    ) -> list[Trial]:
        """Fit more classes, from those before; see `Task.attempt`."""
        [(held_out, before)] = states
        em = self.start(Strength() if before is None else before.strength)
        if before is None:
            em.fit_one()
        else:
            em.split(before.em, self.numbers[choice], self.axes)
        found, score = _smooth(em, held_out)
        scores = Scores(em.lower_bound, score, score)
        return [Trial(found, (held_out, found), scores)]


def _smooth(em: MixedEM, held_out: Rows) -> tuple[Found, float]:
    """Return the smoothing that is best for held-out rows, one kind after the other."""
    best = Found(em, em.mixture, em.strength)
    score = _score(em.mixture, held_out)
    for kind in em.table.smoothed:
        for rows in _STRENGTHS:
            strength = best.strength._replace(**{kind: rows})
            mixture = em.smoothed(strength)
            if (other := _score(mixture, held_out)) > score:
                best, score = Found(em, mixture, strength), other
    return best, score


def _score(mixture: MixedMixture, rows: Rows) -> float:
    return float(np.average(mixture.logpdf(rows.values), weights=rows.weight))
