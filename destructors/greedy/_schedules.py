"""Schedules: which candidates are tried as the next layer.

A schedule is a function of what happened so far and holds no state, so a fit can be
taken up again from its history alone.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from destructors.greedy._task import Step


class Rung(NamedTuple):
    """A comparison of candidates on few rows.

    Attributes
    ----------
    n_rows : int
        Training rows of the comparison, on the first fold, at least.
    margin : float
        By how much a candidate may be behind the best there, in units of the objective,
        to be tried on more rows.
    fraction : float
        Share of the training rows to compare on, where that is more.
    n_most : float
        Training rows at most.
    """

    n_rows: int
    margin: float
    fraction: float = 0.0
    n_most: float = math.inf

    def at(self, size: int) -> "Rung":
        """Return the comparison where there are so many training rows."""
        n_rows = max(self.n_rows, min(int(self.fraction * size), self.n_most))
        return self._replace(n_rows=int(n_rows))


class Schedule:
    """Base: all the candidates that are named, each time.

    Parameters
    ----------
    *names : str
        Names of candidates.
    """

    # Comparisons that come before the candidates are tried in full.
    rungs: Sequence[Rung] = ()

    def __init__(self, *names: str):
        self.names = names

    def turn(self, history: Sequence[Step]) -> Sequence[str]:
        """Return the candidates to try next; without any, growth ends.

        Parameters
        ----------
        history : sequence of Step
            The layers so far.
        """
        return self.names

    def then(self, history: Sequence[Step], gains: Mapping[str, float]) -> list[str]:
        """Return further candidates, now that it is known what the first would gain."""
        return []

    def at(self, history: Sequence[Step]) -> "Schedule":
        """Return the schedule in force for the next layer."""
        return self


class TryAll(Schedule):
    """All of them each time: the one that gains most is taken."""


class Cycle(Schedule):
    """One of them at a time, in turn."""

    def turn(self, history: Sequence[Step]) -> Sequence[str]:
        """Return the next of the cycle."""
        return [self.names[len(history) % len(self.names)]]


class InOrder(Schedule):
    """Each of them once, one after the other."""

    def turn(self, history: Sequence[Step]) -> Sequence[str]:
        """Return the next in order, until there is none."""
        return self.names[len(history) : len(history) + 1]


class Race(Schedule):
    """All of them, but those that are far behind on few rows are not fitted in full.

    Parameters
    ----------
    *names : str
        Names of candidates.
    rungs : sequence of Rung
        The comparisons, that on fewest rows first. Those that ask for more than half of
        the rows are passed over.
    then : callable, default=None
        Takes the name of the best and returns the name of one more to try, or None.
    """

    def __init__(
        self,
        *names: str,
        rungs: Sequence[Rung],
        then: Callable[[str], str | None] | None = None,
    ):
        super().__init__(*names)
        self.rungs, self._then = rungs, then

    def then(self, history: Sequence[Step], gains: Mapping[str, float]) -> list[str]:
        """Return the one that goes with the best."""
        if self._then is None or not gains:
            return []
        name = self._then(max(gains, key=lambda name: gains[name]))
        return [] if name is None else [name]


class Retire(Schedule):
    """All of them, until one gains less than ``tol``: it is not tried again.

    Parameters
    ----------
    *names : str
        Names of candidates.
    tol : float
        In units of the objective.
    since : int, default=0
        Layers from which on a small gain counts.
    keep : str, default=None
        One that is always tried.
    reserve : str, default=None
        One more, that is tried when none of the others gains enough.
    """

    def __init__(
        self,
        *names: str,
        tol: float,
        since: int = 0,
        keep: str | None = None,
        reserve: str | None = None,
    ):
        super().__init__(*names)
        self.tol, self.since, self.keep, self.reserve = tol, since, keep, reserve

    def turn(self, history: Sequence[Step]) -> Sequence[str]:
        """Return those that are not retired."""
        return self._left(self.names, history) or self._reserve(history)

    def then(self, history: Sequence[Step], gains: Mapping[str, float]) -> list[str]:
        """Return the reserve, if no other gains enough."""
        if self.reserve in gains or max(gains.values(), default=0.0) >= self.tol:
            return []
        return self._reserve(history)

    def _reserve(self, history: Sequence[Step]) -> list[str]:
        return [] if self.reserve is None else self._left([self.reserve], history)

    def _left(self, names: Sequence[str], history: Sequence[Step]) -> list[str]:
        retired = {
            name
            for step in history[self.since :]
            for name, gain in step.gains.items()
            if gain < self.tol and name != self.keep
        }
        return [name for name in names if name not in retired]


class Stages(Schedule):
    """A schedule for the first layer, one for the second …; the last one stays.

    Parameters
    ----------
    *schedules : Schedule
        In the order of the layers.
    """

    def __init__(self, *schedules: Schedule):
        super().__init__()
        self.schedules = schedules

    def at(self, history: Sequence[Step]) -> Schedule:
        """Return the schedule of the next layer."""
        return self.schedules[min(len(history), len(self.schedules) - 1)]
