"""Destructors as the layers that the greedy engine grows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from destructors.base import Destructor
from destructors.base_distributions import StandardNormal
from destructors.greedy._engine import layer_seed
from destructors.greedy._progress import Progress
from destructors.greedy._tails import TailedNormal
from destructors.greedy._task import Scores, Task, Trial
from destructors.maps import Map
from destructors.rows import Fold, StoredRows, is_over


class StackTask(Task):
    """Destructors as layers, mean log density as objective.

    Parameters
    ----------
    candidates : sequence of (str, Destructor) tuples
        What a layer can be.
    seed : int
        Of all layers.
    max_layers : int, default=None
        How many there are at most; None if that is not known.
    """

    def __init__(
        self,
        candidates: Sequence[tuple[str, Destructor]],
        seed: int,
        max_layers: int | None = None,
    ):
        self.candidates, self.seed, self.max_layers = candidates, seed, max_layers
        self._seeded: dict[int, list[str]] = {}

    def score(self, state: Fold) -> Scores:
        """Return mean log densities of the rows as they are, in nats.

        The criterion is that under a base whose tails are heavy; see `TailedNormal`.
        """
        train, validation = state.score(StandardNormal(state.train.n_features))
        held_out = state.validation
        if held_out is None:
            return Scores(train, validation, np.nan)
        n_values = held_out.total * held_out.n_features
        return Scores(train, validation, held_out.score(TailedNormal.of(n_values)))

    def attempt(
        self,
        choice: int,
        states: Sequence[Fold],
        place: int,
        params: dict[str, Any],
        progress: Progress,
    ) -> list[Trial]:
        """Fit a clone of a candidate on each fold; see `Task.attempt`."""
        name, candidate = self.candidates[choice]
        trials: list[Trial] = []
        for fold in states:
            if trials and is_over():
                break
            layer = clone(candidate).set_params(**params)
            if choice not in self._seeded:
                # To look through all parameters takes long beside a small fit.
                self._seeded[choice] = _list_random_states(layer)
            _seed(layer, self._seeded[choice], layer_seed(self.seed, place, choice))
            self.prepare(layer, fold)
            layer._validate_params()
            is_last = fold.is_last or (
                # In memory training rows come out of a fit, or soon after.
                place + 1 == self.max_layers
                and isinstance(fold.train, StoredRows)
                and fold.validation is not None
            )
            with progress.part(name, layer):
                after = layer._fit_rows(fold, onwards=not is_last)
            if after is None:
                after = _judge(fold, layer.map_)
            scores = self.score(after)
            self.check(layer, scores, after)
            trials.append(Trial(layer, after, scores))
        return self.revise(states, trials, params)

    def revise(
        self, states: Sequence[Fold], trials: list[Trial], params: dict[str, Any]
    ) -> list[Trial]:
        """Return the fits of a candidate, now that those on all folds are known.

        Parameters
        ----------
        states : sequence of Fold
            Those before it.
        trials : list of Trial
            On these; fewer, where time is up.
        params : dict
            What was set.
        """
        return trials

    def prepare(self, layer: Any, fold: Fold) -> None:
        """Set what a layer should know of a fold."""

    def check(self, layer: Any, scores: Scores, after: Fold) -> None:
        """Refuse a layer on which no other can stand."""
        name, base = type(layer).__name__, layer.base_distribution_
        if not isinstance(base, StandardNormal):
            raise ValueError(
                f"A layer of a stack must end on the standard normal, but {name} ends "
                f"on {base!r}. Put it after the stack, in a DestructorPipeline."
            )
        # Without held-out rows there is no second score.
        known = scores[: 1 + (after.validation is not None)]
        wrong = [score for score in known if not score < np.inf]
        if wrong:
            raise FloatingPointError(f"{name} gives a log density of {wrong[0]}.")

    def refit_params(self, layers: list[Any]) -> dict[str, Any]:
        """Return what the layers of the folds have found best."""
        return layers[0]._refit_params(layers)

    def size(self, state: Fold) -> int:
        """Return the number of training rows."""
        return len(state.train)

    def shorten(self, state: Fold, n_rows: int) -> Fold:
        """Return a fold with few rows in either part, chosen by content."""
        few = state.each(lambda rows: rows.few(n_rows, 0))
        return replace(few, is_last=True, is_trial=True)


def _judge(fold: Fold, map_: Map) -> Fold:
    """Return the rows to judge a layer by that no other comes after."""
    if fold.validation is None:
        return fold.through(map_)
    # Nobody looks at training rows then: to map them would take as long again.
    held_out = fold.validation.through(map_)
    return Fold(held_out, held_out)


def set_random_states(estimator: Any, seed: int) -> None:
    """Set every ``random_state`` inside an estimator to a seed of its own."""
    _seed(estimator, _list_random_states(estimator), seed)


def _list_random_states(estimator: Any) -> list[str]:
    names = sorted(estimator.get_params(deep=True))
    return [n for n in names if n == "random_state" or n.endswith("__random_state")]


def _seed(estimator: Any, names: list[str], seed: int) -> None:
    if names:
        rng = np.random.RandomState(seed)
        estimator.set_params(**{name: rng.randint(2**31 - 1) for name in names})
