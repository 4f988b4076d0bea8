"""The greedy engine: add the best layer, one at a time, while held-out data gain.

It knows nothing of likelihood. A task says how candidates are tried on folds of the
data and what the objective is; the engine chooses, stops, cuts back, fits again on all
rows, resumes, tells of progress, and keeps what was fitted when something fails, is
interrupted or runs out of time.
"""

import warnings
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from destructors.greedy._ahead import LookAhead
from destructors.greedy._progress import Progress
from destructors.greedy._schedules import Rung, Schedule
from destructors.greedy._stopping import TIE, Stopping
from destructors.greedy._task import Scores, Step, Task, Trial
from destructors.rows import as_interrupt, is_over, map_threads, stop_all
from destructors.rows._errors import LostDigitsError


@dataclass(eq=False)
class Greedy:
    """Grow a chain of layers greedily.

    Parameters
    ----------
    task : Task
        How candidates are fitted and judged.
    names : list of str
        Names of the candidates.
    schedule : Schedule
        Which of them are tried as the next layer.
    stopping : Stopping
        When to end, and how much to keep.
    max_iter : int
        Largest number of layers.
    progress : Progress
        Who is told.
    n_jobs : int, default=None
        Number of threads that fit candidates side by side. The result does not depend
        on it.
    ahead : LookAhead, default=LookAhead(0)
        How far ahead candidates are judged.
    start : Scores, default=None
        Those before the first layer, if they are known.
    steps : list of Step
        The layers; there may be some already. Each is appended at once, so that the
        list is right whenever a fit ends.
    stopped_early : bool
        Whether an error or an interrupt has ended the growth.
    """

    task: Task
    names: list[str]
    schedule: Schedule
    stopping: Stopping
    max_iter: int
    progress: Progress
    n_jobs: int | None = None
    ahead: LookAhead = field(default_factory=LookAhead)
    start: Scores | None = None
    steps: list[Step] = field(default_factory=list)
    stopped_early: bool = False

    @property
    def scores(self) -> list[Scores]:
        """Those before the first layer and after each."""
        assert self.start is not None
        return [self.start, *(step.scores for step in self.steps)]

    @property
    def train_scores(self) -> list[float]:
        """Objective on the training rows before the first layer and after each."""
        return [scores.train for scores in self.scores]

    @property
    def validation_scores(self) -> list[float]:
        """The same on held-out rows; NaN without any."""
        return [scores.validation for scores in self.scores]

    # ------------------------------------------------------------------ growth

    def grow(self, states: Sequence[Any]) -> list[Any]:
        """Add layers until held-out rows, ``max_iter``, time or the user say stop.

        Parameters
        ----------
        states : sequence of object
            The folds. With several, chains of the same candidates grow on them side by
            side, and choices are made by the mean of their scores.

        Returns
        -------
        states : list of object
            The folds after the last layer.

        Raises
        ------
        Exception
            What the first layer raised. An error or interrupt in a later one ends the
            growth with a warning and keeps the layers before.
        """
        states = list(states)
        if self.start is None:
            self.start = Scores.mean([self.task.score(state) for state in states])
        # Not lists: a rule that looks at all of them each time must stay fast.
        train = array("d", self.train_scores)
        criterion = array("d", [scores.criterion for scores in self.scores])
        while len(self.steps) < self.max_iter:
            if self.stopping.ends(train, criterion) or (self.steps and is_over()):
                break
            schedule = self.schedule.at(self.steps)
            todo = [self.names.index(name) for name in schedule.turn(self.steps)]
            if not todo:
                break
            rungs = self._rungs(schedule, todo, states)
            fields = self._shorten(states, rungs)
            trials = {} if rungs else self.ahead.take(todo)
            todo = [choice for choice in todo if choice not in trials]
            errors: dict[int, Exception] = {}
            adds = True
            try:
                self.progress.begin_step()
                while todo or (adds and trials):
                    if self.n_jobs is None or len(todo) < 2:
                        # Without a function in between: a fit is deep enough.
                        for choice in todo:
                            if is_over() and (trials or self.steps):
                                continue
                            began = perf_counter()
                            try:
                                trials[choice] = self.task.attempt(
                                    choice, fields, len(self.steps), {}, self.progress
                                )
                            except Exception as error:
                                if as_interrupt(error) is not error:
                                    raise
                                errors[choice] = error
                            else:
                                self._tell(choice, trials, began)
                    else:
                        self._attempt_in_threads(todo, fields, trials, errors)
                    gains = self._gains(trials)
                    todo = []
                    if adds and trials:
                        named = schedule.then(self.steps, gains)
                        todo = [self.names.index(name) for name in named]
                        adds = False
                    if not todo and rungs and trials:
                        todo = self._leaders(gains, rungs[0].margin)
                        rungs = rungs[1:] if len(todo) > 1 else []
                        fields, adds, trials = self._shorten(states, rungs), False, {}
                best = self._best(trials, errors, self._look_ahead(trials))
            except (Exception, KeyboardInterrupt) as error:
                if self.steps and isinstance(error, LostDigitsError):
                    # The layers have used up what digits rows had: that is an end as
                    # any other.
                    break
                self._end_early(as_interrupt(error), bool(trials) and not rungs)
                if self.steps or rungs:
                    break
                # The first layer: of those that were fitted, the best is better than
                # nothing.
                best = self._best(trials, {})
            if best is None:
                break
            step, states = best
            self.steps.append(step)
            train.append(step.scores.train)
            criterion.append(step.scores.criterion)
            if self.progress.end_step(
                len(self.steps), self.names[step.choice], *step.scores[:2]
            ):
                break
        return states

    def _rungs(
        self, schedule: Schedule, todo: list[int], states: list[Any]
    ) -> list[Rung]:
        """Return the comparisons on few rows that come first."""
        if len(todo) < 2:
            return []
        size = self.task.size(states[0])
        sized = [rung.at(size) for rung in schedule.rungs]
        # All folds together are many times the rows of the first comparison.
        return [
            rung
            for place, rung in enumerate(sized)
            if size > 2 * rung.n_rows or (place == 0 and len(states) > 1)
        ]

    def _shorten(self, states: list[Any], rungs: list[Rung]) -> list[Any]:
        """Return the folds to compare candidates on."""
        return [self.task.shorten(states[0], rungs[0].n_rows)] if rungs else states

    def _leaders(self, gains: dict[str, float], margin: float) -> list[int]:
        enough = max(gains.values()) - margin
        return [self.names.index(n) for n, gain in gains.items() if gain >= enough]

    def _attempt_in_threads(
        self,
        todo: list[int],
        fields: list[Any],
        trials: dict[int, list[Trial]],
        errors: dict[int, Exception],
    ) -> None:
        first, place = not (trials or self.steps), len(self.steps)
        order = [*trials, *todo]

        def attempt(choice: int) -> None:
            if is_over() and not (first and choice == todo[0]):
                return
            began = perf_counter()
            try:
                # Noted at once: an interrupt must not lose those that have ended.
                trials[choice] = self.task.attempt(
                    choice, fields, place, {}, self.progress
                )
            except Exception as error:
                if as_interrupt(error) is not error:
                    raise
                errors[choice] = error
            else:
                self._tell(choice, trials, began)

        try:
            map_threads(attempt, todo, self.n_jobs)
        finally:
            # Which thread was first must not matter where gains are equal.
            ended = {choice: trials[choice] for choice in order if choice in trials}
            trials.clear()
            trials.update(ended)

    def _tell(self, choice: int, trials: dict[int, list[Trial]], began: float) -> None:
        if len(self.names) > 1:
            name = self.names[choice]
            gain = self._gains({choice: trials[choice]})[name]
            self.progress.tried(len(self.steps), name, gain, perf_counter() - began)

    # ------------------------------------------------------------------ choice

    def _gains(self, trials: dict[int, list[Trial]]) -> dict[str, float]:
        """Return the rise of the criterion by each, or that on the training rows."""
        assert self.start is not None
        before = self.steps[-1].scores if self.steps else self.start
        gains = {}
        for choice, found in trials.items():
            after = Scores.mean([trial.scores for trial in found])
            gain = after.criterion - before.criterion
            if np.isnan(after.criterion):
                gain = after.train - before.train
            gains[self.names[choice]] = gain
        return gains

    def _look_ahead(self, trials: dict[int, list[Trial]]) -> dict[int, float]:
        """Return how high stacks come that grow on from candidates."""

        def turn(history: Sequence[Step]) -> list[int]:
            if len(history) >= self.max_iter:
                return []
            schedule = self.schedule.at(history)
            return [self.names.index(name) for name in schedule.turn(history)]

        return self.ahead.judge(self.task, trials, self.steps, turn)

    def _best(
        self,
        trials: dict[int, list[Trial]],
        errors: dict[int, Exception],
        heights: dict[int, float] | None = None,
    ) -> tuple[Step, list[Any]] | None:
        """Return the step that gains most, or leads highest, and the folds after it."""
        if errors and not trials:
            raise next(iter(errors.values()))
        for choice, error in errors.items():
            if self.steps and isinstance(error, LostDigitsError):
                continue
            warnings.warn(
                f"Candidate {self.names[choice]!r} failed at {self.progress.noun} "
                f"{len(self.steps) + 1} and was passed over: "
                f"{type(error).__name__}: {error}",
                RuntimeWarning,
                stacklevel=4,
            )
        if not trials:
            return None
        gains = self._gains(trials)
        # NaN, where no score came before, is no gain to choose by: the first is taken.
        worth = heights or {c: gains[self.names[c]] for c in trials}
        top = max(worth.values())
        least = top - TIE * max(1.0, abs(top))
        choice = next(c for c in trials if not worth.get(c, -np.inf) < least)
        self.ahead.keep(choice)
        found = trials[choice]
        layers = [trial.layer for trial in found]
        step = Step(
            choice,
            layers[0],
            self.task.refit_params(layers),
            Scores.mean([trial.scores for trial in found]),
            gains,
        )
        return step, [trial.state for trial in found]

    def _end_early(self, error: BaseException, has_trials: bool) -> None:
        """Keep what there is, or let the error go its way."""
        interrupted = isinstance(error, KeyboardInterrupt)
        if not self.steps and not (interrupted and has_trials):
            raise error
        if interrupted:
            # All around here ends with what there is, too.
            stop_all()
        self.stopped_early = True
        noun, place = self.progress.noun, len(self.steps) + 1
        what = type(error).__name__ + (f": {error}" if str(error) else "")
        kept = f"The {noun}s before it are kept."
        if not self.steps:
            kept = f"The best {noun} so far is kept."
        warnings.warn(
            f"Fitting stopped at {noun} {place} by {what}. {kept}",
            ConvergenceWarning,
            stacklevel=4,
        )

    # ------------------------------------------------------------------ afterwards

    def cut(self, depth: int | None = None) -> None:
        """Cut back to the first layers; by default to as many as were best."""
        if depth is None:
            criterion = [scores.criterion for scores in self.scores]
            depth = self.stopping.best(self.train_scores, criterion)
        self.steps = self.steps[:depth]

    def refit(self, state: Any, *, as_chosen: bool = True) -> tuple[list[Any], Any]:
        """Fit the layers again, on other rows.

        Parameters
        ----------
        state : object
            The other rows.
        as_chosen : bool, default=True
            Whether layers get the parameters that their fits with validation rows have
            found best; there are no such rows then.

        Returns
        -------
        layers : list of object
            As on the first fold where time is up, or the user interrupts, before all
            are fitted.
        state : object
            The rows after them.
        """
        layers: list[Any] = []
        self.progress.begin_step()
        for place, step in enumerate(self.steps):
            params = step.params if as_chosen else {}
            try:
                if is_over():
                    break
                [trial] = self.task.attempt(
                    step.choice, [state], place, params, self.progress
                )
                if is_over():
                    # Cut short by the clock, the layer is worse than that of a fold.
                    break
            except (Exception, KeyboardInterrupt) as error:
                if as_chosen and layers and isinstance(error, LostDigitsError):
                    # An end as any other, as where layers grow.
                    self.steps = self.steps[:place]
                    break
                if not isinstance(as_interrupt(error), KeyboardInterrupt):
                    raise
                stop_all()
                warnings.warn(
                    "Fitting on all rows was interrupted. The layers that were fitted "
                    "on the first fold are kept.",
                    ConvergenceWarning,
                    stacklevel=4,
                )
                break
            layers.append(trial.layer)
            state = trial.state
        self.progress.close_step()
        if len(layers) < len(self.steps):
            self.stopped_early = True
            return [step.layer for step in self.steps], state
        return layers, state


def layer_seed(seed: int, place: int, choice: int) -> int:
    """Return the seed of a candidate at a layer: a function of the two, so that neither
    ``n_jobs`` nor an interruption changes it.
    """
    sequence = np.random.SeedSequence([seed, place, choice])
    return int(sequence.generate_state(1)[0] >> 1)
