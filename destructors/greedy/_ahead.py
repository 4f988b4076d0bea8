"""Look-ahead: a candidate is judged by what the next layers make of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from destructors.greedy._progress import Progress
from destructors.greedy._task import Scores, Step, Task, Trial
from destructors.rows import as_interrupt, is_over

Trials = dict[int, list[Trial]]


@dataclass
class LookAhead:
    """Judge candidates by stacks that grow on from them.

    Of the candidates for a layer those that gain most are looked beyond: on each a
    stack is grown greedily for some more layers, and the one whose stack comes highest
    is taken (Bertsekas, Tsitsiklis and Wu, *Rollout algorithms for combinatorial
    optimization*, Journal of Heuristics 3, 1997). The layers after it are not kept, but
    what was fitted for the next one need not be fitted again.

    Parameters
    ----------
    n_layers : int
        How many layers to look ahead; 0 judges by the candidate alone.
    n_beams : int
        How many candidates are looked beyond.
    found : dict
        What was fitted on the one that was taken.
    """

    n_layers: int = 0
    n_beams: int = 2
    found: Trials = field(default_factory=dict)
    _first: dict[int, Trials] = field(default_factory=dict, repr=False)

    def take(self, todo: list[int]) -> Trials:
        """Return what has been fitted already of some candidates."""
        found, self.found = self.found, {}
        return {choice: found[choice] for choice in todo if choice in found}

    def judge(
        self,
        task: Task,
        trials: Trials,
        history: Sequence[Step],
        turn: Callable[[Sequence[Step]], Sequence[int]],
    ) -> dict[int, float]:
        """Return how high stacks come that grow on from candidates.

        Parameters
        ----------
        task : Task
            How candidates are fitted and judged.
        trials : dict of int to list of Trial
            The candidates, fitted on each fold.
        history : sequence of Step
            The layers below.
        turn : callable
            Takes the layers below, and returns the candidates for the next.

        Returns
        -------
        heights : dict of int to float
            The criterion of the best stack on each of the candidates that were looked
            beyond; empty where there was no choice or no time.
        """
        if not self.n_layers or len(trials) < 2:
            return {}
        # Equal ones in the order of the candidates.
        order = sorted(trials, key=lambda choice: -_height(trials[choice]))
        heights, first = {}, {}
        for choice in order[: self.n_beams]:
            height, first[choice] = self._grow(
                task, choice, trials[choice], history, turn
            )
            if is_over():
                # Not all of them were looked beyond alike.
                return {}
            heights[choice] = height
        self._first = first
        return heights

    def keep(self, choice: int) -> None:
        """Keep what was fitted on the candidate that is taken."""
        self.found, self._first = self._first.get(choice, {}), {}

    def _grow(
        self,
        task: Task,
        choice: int,
        trials: list[Trial],
        history: Sequence[Step],
        turn: Callable[[Sequence[Step]], Sequence[int]],
    ) -> tuple[float, Trials]:
        height, first, steps = _height(trials), {}, list(history)
        for depth in range(self.n_layers):
            scores = Scores.mean([trial.scores for trial in trials])
            steps = [*steps, Step(choice, trials[0].layer, {}, scores, {})]
            states: list[Any] = [trial.state for trial in trials]
            fitted: Trials = {}
            for following in turn(steps):
                if is_over():
                    break
                try:
                    fitted[following] = task.attempt(
                        following, states, len(steps), {}, Progress(None)
                    )
                except Exception as error:
                    if as_interrupt(error) is not error:
                        raise
            if depth == 0:
                first = fitted
            if not fitted:
                break
            choice = max(fitted, key=lambda one: _height(fitted[one]))
            trials = fitted[choice]
            height = max(height, _height(trials))
        return height, first


def _height(trials: list[Trial]) -> float:
    """Return the criterion, or the score of training rows without held-out ones."""
    scores = Scores.mean([trial.scores for trial in trials])
    return scores.train if np.isnan(scores.criterion) else scores.criterion
